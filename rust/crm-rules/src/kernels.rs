//! Computing one node from its children's values, a block at a time.
use std::cmp::Ordering;

use crate::bits::{self, bit};
use crate::calendar::{DAY_MICROS, add_months};
use crate::constant::Interval;
use crate::expr::Arithmetic;
use crate::graph::{Node, Op};
use crate::pattern::Matcher;
use crate::schema::Type;
use crate::vector::{Data, Vector};

mod casts;
mod choices;
mod comparisons;
mod lists;

use self::casts::{cast, cast_moment};
pub(crate) use self::casts::{text_to_float, text_to_int};
pub(crate) use self::choices::case;
use self::choices::coalesce;
pub(crate) use self::comparisons::as_int;
pub use self::comparisons::compare_floats;
use self::comparisons::{compare, in_set};
use self::lists::any;

/// Computes a node from its children; also says whether some row could not be computed and became null for that.
pub(crate) fn apply<'a>(node: &Node, args: &[&Vector<'a>], matcher: Option<&Matcher>, rows: usize) -> (Vector<'a>, bool) {
    let infallible = |data, valid| (Vector { data, valid }, false);
    match &node.op {
        Op::Constant(_) | Op::Input(_) => (Vector::null(rows), false),
        Op::Not => infallible(Data::Bool(args[0].false_rows(rows)), known(args[0], rows)),
        Op::And => (connective(args, rows, true), false),
        Op::Or => (connective(args, rows, false), false),
        Op::IsTrue => infallible(Data::Bool(args[0].true_rows(rows)), None),
        Op::IsNull => {
            let words = match &args[0].valid {
                None => vec![0; bits::words_for(rows)],
                Some(valid) => {
                    let mut words: Vec<u64> = valid.iter().map(|word| !word).collect();
                    bits::cut(&mut words, rows);
                    words
                }
            };
            infallible(Data::Bool(words), None)
        }
        Op::Compare(comparison) => {
            infallible(Data::Bool(compare(args[0], args[1], rows, |ordering| comparison.holds(ordering))), both(args))
        }
        Op::NotDistinct => {
            let same = compare(args[0], args[1], rows, Ordering::is_eq);
            let words = bits::collect(rows, |row| match (args[0].is_valid(row), args[1].is_valid(row)) {
                (true, true) => bit(&same, row),
                (a, b) => a == b,
            });
            infallible(Data::Bool(words), None)
        }
        Op::InSet(set) => infallible(Data::Bool(in_set(args[0], set, rows)), args[0].valid.clone()),
        Op::Arithmetic(operator) => arithmetic(*operator, args, node.data_type, rows),
        Op::Negate => match &args[0].data {
            Data::Float(values) => infallible(Data::Float(values.iter().map(|value| -value).collect()), args[0].valid.clone()),
            _ => ints(args, rows, |row, values| values[0][row].checked_neg()),
        },
        Op::AddInterval(interval) => ints(args, rows, |row, values| add_interval(values[0][row], *interval)),
        Op::AddDays { subtract } => ints(args, rows, |row, values| {
            let days = if *subtract { values[0][row].checked_sub(values[1][row]) } else { values[0][row].checked_add(values[1][row]) };
            days.filter(|days| i32::try_from(*days).is_ok())
        }),
        Op::Difference => ints(args, rows, |row, values| values[0][row].checked_sub(values[1][row])),
        Op::Cast { from: from @ (Type::Date | Type::Timestamp | Type::Interval), to } => cast_moment(args[0], *from, *to, rows),
        Op::Cast { from: Type::Int, to: Type::Text } => cast_moment(args[0], Type::Int, Type::Text, rows),
        Op::Cast { to, .. } => cast(args[0], *to, rows),
        Op::Case => (case(args, rows), false),
        Op::Coalesce => (coalesce(args, rows), false),
        Op::Match(_) => {
            let words = match (&args[0].data, matcher) {
                (Data::Text(texts), Some(matcher)) => bits::collect(rows, |row| args[0].is_valid(row) && matcher.is_match(&texts[row])),
                _ => vec![0; bits::words_for(rows)],
            };
            infallible(Data::Bool(words), args[0].valid.clone())
        }
        Op::Any { comparison, sql_nulls } => (any(args, *comparison, *sql_nulls, rows), false),
        Op::Call(function) => crate::scalar::call(*function, args, node.data_type, rows),
    }
}

/// Rows that are not null, of a boolean.
fn known(vector: &Vector<'_>, rows: usize) -> Option<Vec<u64>> {
    match vector.data {
        Data::Null => Some(vec![0; bits::words_for(rows)]),
        _ => vector.valid.clone(),
    }
}

/// Rows in which every argument is not null.
pub(crate) fn both(args: &[&Vector<'_>]) -> Option<Vec<u64>> {
    let mut valid: Option<Vec<u64>> = None;
    for other in args.iter().filter_map(|arg| arg.valid.as_ref()) {
        match &mut valid {
            None => valid = Some(other.clone()),
            Some(valid) => bits::and_into(valid, other),
        }
    }
    valid
}

fn connective<'a>(args: &[&Vector<'_>], rows: usize, and: bool) -> Vector<'a> {
    let (mut yes, mut no) = (vec![0; bits::words_for(rows)], vec![0; bits::words_for(rows)]);
    if and {
        yes = bits::ones(rows);
    } else {
        no = bits::ones(rows);
    }
    for arg in args {
        let (true_rows, false_rows) = (arg.true_rows(rows), arg.false_rows(rows));
        if and {
            bits::and_into(&mut yes, &true_rows);
            bits::or_into(&mut no, &false_rows);
        } else {
            bits::or_into(&mut yes, &true_rows);
            bits::and_into(&mut no, &false_rows);
        }
    }
    let valid = yes.iter().zip(&no).map(|(yes, no)| yes | no).collect();
    Vector { data: Data::Bool(yes), valid: Some(valid) }
}

/// Computes whole numbers row by row where every argument is known; `None` is a failure.
pub(crate) fn ints<'a>(args: &[&Vector<'_>], rows: usize, compute: impl Fn(usize, &[&[i64]]) -> Option<i64>) -> (Vector<'a>, bool) {
    let values: Vec<&[i64]> = args.iter().map(|arg| if let Data::Int(values) = &arg.data { values.as_ref() } else { &[][..] }).collect();
    if values.iter().any(|values| values.len() < rows) {
        return (Vector::null(rows), false);
    }
    let valid = both(args);
    let mut out = vec![0; rows];
    let mut broken: Option<Vec<u64>> = None;
    for (row, slot) in out.iter_mut().enumerate() {
        if valid.as_ref().is_none_or(|valid| bit(valid, row)) {
            match compute(row, &values) {
                Some(value) => *slot = value,
                None => bits::set_bit(broken.get_or_insert_with(|| vec![0; bits::words_for(rows)]), row),
            }
        }
    }
    finish(Data::Int(out.into()), valid, broken, rows)
}

/// Makes the rows that could not be computed null.
pub(crate) fn finish<'a>(data: Data<'a>, valid: Option<Vec<u64>>, broken: Option<Vec<u64>>, rows: usize) -> (Vector<'a>, bool) {
    let Some(broken) = broken else { return (Vector { data, valid }, false) };
    let mut valid = valid.unwrap_or_else(|| bits::ones(rows));
    for (valid, broken) in valid.iter_mut().zip(&broken) {
        *valid &= !broken;
    }
    (Vector { data, valid: Some(valid) }, true)
}

/// Computes floats row by row where every argument is known; `None` is a failure.
pub(crate) fn floats<'a>(args: &[&Vector<'_>], rows: usize, compute: impl Fn(usize, &[&[f64]]) -> Option<f64>) -> (Vector<'a>, bool) {
    let values: Vec<&[f64]> = args.iter().map(|arg| if let Data::Float(values) = &arg.data { values.as_ref() } else { &[][..] }).collect();
    if values.iter().any(|values| values.len() < rows) {
        return (Vector::null(rows), false);
    }
    let valid = both(args);
    let mut out = vec![0.0; rows];
    let mut broken: Option<Vec<u64>> = None;
    for (row, slot) in out.iter_mut().enumerate() {
        if valid.as_ref().is_none_or(|valid| bit(valid, row)) {
            match compute(row, &values) {
                Some(value) => *slot = value,
                None => bits::set_bit(broken.get_or_insert_with(|| vec![0; bits::words_for(rows)]), row),
            }
        }
    }
    finish(Data::Float(out.into()), valid, broken, rows)
}

fn arithmetic<'a>(operator: Arithmetic, args: &[&Vector<'_>], output: Type, rows: usize) -> (Vector<'a>, bool) {
    if output == Type::Float {
        return floats(args, rows, |row, values| {
            let (a, b) = (values[0][row], values[1][row]);
            match operator {
                Arithmetic::Add => Some(a + b),
                Arithmetic::Subtract => Some(a - b),
                Arithmetic::Multiply => Some(a * b),
                Arithmetic::Divide => (b != 0.0).then(|| a / b),
                // As in DuckDB, `//` cuts whole numbers only.
                Arithmetic::DivideWhole => (b != 0.0).then(|| a / b),
                Arithmetic::Modulo => (b != 0.0).then(|| a % b),
            }
        });
    }
    ints(args, rows, |row, values| {
        let (a, b) = (values[0][row], values[1][row]);
        match operator {
            Arithmetic::Add => a.checked_add(b),
            Arithmetic::Subtract => a.checked_sub(b),
            Arithmetic::Multiply => a.checked_mul(b),
            Arithmetic::Divide | Arithmetic::DivideWhole => a.checked_div(b),
            Arithmetic::Modulo => a.checked_rem(b),
        }
    })
}

fn add_interval(micros: i64, interval: Interval) -> Option<i64> {
    let (days, rest) = (micros.div_euclid(DAY_MICROS), micros.rem_euclid(DAY_MICROS));
    let days = add_months(days, i64::from(interval.months))?.checked_add(i64::from(interval.days))?;
    days.checked_mul(DAY_MICROS)?.checked_add(rest)?.checked_add(interval.micros)
}
