//! Computing one node from its children's values, a block at a time.
use std::borrow::Cow;
use std::cmp::Ordering;

use crate::bits::{self, bit};
use crate::calendar::{DAY_MICROS, add_months, format_date, format_timestamp, parse_date, parse_timestamp};
use crate::column::Column;
use crate::constant::{Constant, Interval};
use crate::expr::{Arithmetic, Comparison};
use crate::graph::{Node, Op};
use crate::pattern::Matcher;
use crate::schema::Type;

/// The floats that have a 64-bit whole number.
const WHOLE: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;

/// The values of one node in a block of rows.
#[derive(Debug, Clone)]
pub struct Vector<'a> {
    /// The values; arbitrary where the row is null.
    pub data: Data<'a>,
    /// Which rows are not null; `None` where all are.
    pub valid: Option<Vec<u64>>,
}

/// Values by their representation: dates, timestamps and intervals are whole numbers.
#[derive(Debug, Clone)]
pub enum Data<'a> {
    /// All null.
    Null,
    /// Truth values as bits.
    Bool(Vec<u64>),
    /// Whole numbers, days, microseconds.
    Int(Cow<'a, [i64]>),
    /// Floats.
    Float(Cow<'a, [f64]>),
    /// Texts.
    Text(Vec<Cow<'a, str>>),
    /// Lists: where each row's items begin and one more, and the items of the whole column.
    List(&'a [i32], &'a Column),
}

impl<'a> Vector<'a> {
    /// A constant in every row.
    pub(crate) fn constant(constant: &'a Constant, data_type: Type, rows: usize) -> Self {
        let data = match constant {
            Constant::Null => return Self::null(rows),
            Constant::Bool(truth) => Data::Bool(if *truth { bits::ones(rows) } else { vec![0; bits::words_for(rows)] }),
            Constant::Int(value) if data_type == Type::Float => Data::Float(vec![*value as f64; rows].into()),
            Constant::Int(value) => Data::Int(vec![*value; rows].into()),
            Constant::Float(value) => Data::Float(vec![f64::from_bits(*value); rows].into()),
            Constant::Text(text) => Data::Text(vec![Cow::Borrowed(text.as_ref()); rows]),
            Constant::Date(days) => Data::Int(vec![i64::from(*days); rows].into()),
            Constant::Timestamp(micros) => Data::Int(vec![*micros; rows].into()),
            Constant::Interval(interval) => Data::Int(vec![interval.comparable_micros(); rows].into()),
        };
        Self { data, valid: None }
    }

    pub(crate) fn null(rows: usize) -> Self {
        Self { data: Data::Null, valid: Some(vec![0; bits::words_for(rows)]) }
    }

    /// Rows `offset..offset + rows` of a column.
    pub(crate) fn column(column: &'a Column, offset: usize, rows: usize) -> Self {
        let data = match column {
            Column::Null(_) => return Self::null(rows),
            Column::Other(..) => Data::Null,
            Column::Bool(array) => {
                let mut words = Vec::new();
                bits::slice(array.values(), offset, rows, &mut words);
                Data::Bool(words)
            }
            Column::Int32(values, _) => Data::Int(values[offset..offset + rows].iter().map(|value| i64::from(*value)).collect()),
            Column::Int64(values, _) => Data::Int(Cow::Borrowed(&values[offset..offset + rows])),
            Column::Float(values, _) => Data::Float(Cow::Borrowed(&values[offset..offset + rows])),
            Column::Text(texts) => Data::Text((offset..offset + rows).map(|row| Cow::Borrowed(texts.value(row))).collect()),
            Column::Dictionary { keys, nulls, values } => Data::Text(
                (offset..offset + rows)
                    .map(|row| {
                        let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
                        Cow::Borrowed(if valid { values.value(keys[row] as usize) } else { "" })
                    })
                    .collect(),
            ),
            Column::List { offsets, items, .. } => Data::List(&offsets[offset..=offset + rows], items),
        };
        let valid = column.nulls().map(|nulls| {
            let mut words = Vec::new();
            bits::slice(nulls.inner(), offset, rows, &mut words);
            words
        });
        Self { data, valid }
    }

    /// What it takes, beside what it borrows.
    pub(crate) fn bytes(&self) -> usize {
        let data = match &self.data {
            Data::Int(Cow::Owned(values)) => values.len() * 8,
            Data::Float(Cow::Owned(values)) => values.len() * 8,
            Data::Bool(words) => words.len() * 8,
            Data::Text(texts) => {
                texts.iter().map(|text| size_of_val(text) + if let Cow::Owned(text) = text { text.len() } else { 0 }).sum()
            }
            _ => 0,
        };
        data + self.valid.as_ref().map_or(0, |valid| valid.len() * 8)
    }

    /// Whether the row is not null.
    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        self.valid.as_ref().is_none_or(|valid| bit(valid, row))
    }

    /// The rows in which it is true.
    pub(crate) fn true_rows(&self, rows: usize) -> Vec<u64> {
        match (&self.data, &self.valid) {
            (Data::Bool(values), None) => values.clone(),
            (Data::Bool(values), Some(valid)) => values.iter().zip(valid).map(|(value, valid)| value & valid).collect(),
            _ => vec![0; bits::words_for(rows)],
        }
    }

    /// The rows in which it is false.
    pub(crate) fn false_rows(&self, rows: usize) -> Vec<u64> {
        let mut words = match (&self.data, &self.valid) {
            (Data::Bool(values), None) => values.iter().map(|value| !value).collect(),
            (Data::Bool(values), Some(valid)) => values.iter().zip(valid).map(|(value, valid)| !value & valid).collect(),
            _ => vec![0; bits::words_for(rows)],
        };
        bits::cut(&mut words, rows);
        words
    }

    /// The value of a row as a constant; `None` for lists.
    pub fn get_constant(&self, row: usize, data_type: Type) -> Option<Constant> {
        if !self.is_valid(row) {
            return Some(Constant::Null);
        }
        Some(match (&self.data, data_type) {
            (Data::Null, _) => Constant::Null,
            (Data::Bool(words), _) => Constant::Bool(bit(words, row)),
            (Data::Int(values), Type::Date) => Constant::Date(i32::try_from(values[row]).ok()?),
            (Data::Int(values), Type::Timestamp) => Constant::Timestamp(values[row]),
            (Data::Int(values), Type::Interval) => Constant::Interval(Interval { micros: values[row], ..Interval::default() }),
            (Data::Int(values), _) => Constant::Int(values[row]),
            (Data::Float(values), _) => Constant::float(values[row]),
            (Data::Text(texts), _) => Constant::text(&texts[row]),
            (Data::List(..), _) => return None,
        })
    }
}

/// SQL's order of floats: NaN is equal to itself and above all; zeros are equal.
#[inline]
pub fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

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

fn compare(left: &Vector<'_>, right: &Vector<'_>, rows: usize, holds: impl Fn(Ordering) -> bool) -> Vec<u64> {
    match (&left.data, &right.data) {
        (Data::Int(a), Data::Int(b)) => bits::collect(rows, |row| holds(a[row].cmp(&b[row]))),
        (Data::Float(a), Data::Float(b)) => bits::collect(rows, |row| holds(compare_floats(a[row], b[row]))),
        (Data::Text(a), Data::Text(b)) => bits::collect(rows, |row| holds(a[row].as_ref().cmp(b[row].as_ref()))),
        (Data::Bool(a), Data::Bool(b)) => bits::collect(rows, |row| holds(bit(a, row).cmp(&bit(b, row)))),
        _ => vec![0; bits::words_for(rows)],
    }
}

/// A binary search in the sorted constants, all of which are of the vector's type.
fn in_set(vector: &Vector<'_>, set: &[Constant], rows: usize) -> Vec<u64> {
    match &vector.data {
        Data::Int(values) => {
            let mut set: Vec<i64> = set.iter().filter_map(as_int).collect();
            set.sort_unstable();
            bits::collect(rows, |row| set.binary_search(&values[row]).is_ok())
        }
        Data::Float(values) => {
            let mut set: Vec<u64> =
                set.iter().filter_map(|constant| if let Constant::Float(bits) = constant { Some(*bits) } else { None }).collect();
            set.sort_unstable();
            bits::collect(rows, |row| match Constant::float(values[row]) {
                Constant::Float(bits) => set.binary_search(&bits).is_ok(),
                _ => false,
            })
        }
        Data::Text(texts) => bits::collect(rows, |row| {
            set.binary_search_by(
                |constant| if let Constant::Text(text) = constant { text.as_ref().cmp(texts[row].as_ref()) } else { Ordering::Less },
            )
            .is_ok()
        }),
        Data::Bool(values) => bits::collect(rows, |row| set.contains(&Constant::Bool(bit(values, row)))),
        Data::Null | Data::List(..) => vec![0; bits::words_for(rows)],
    }
}

/// A whole number, day or microsecond count.
pub(crate) fn as_int(constant: &Constant) -> Option<i64> {
    match constant {
        Constant::Int(value) | Constant::Timestamp(value) => Some(*value),
        Constant::Date(days) => Some(i64::from(*days)),
        Constant::Interval(interval) => Some(interval.comparable_micros()),
        _ => None,
    }
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

fn cast<'a>(arg: &Vector<'a>, to: Type, rows: usize) -> (Vector<'a>, bool) {
    let valid = arg.valid.clone();
    let mut broken: Option<Vec<u64>> = None;
    let mut fail = |row: usize| bits::set_bit(broken.get_or_insert_with(|| vec![0; bits::words_for(rows)]), row);
    macro_rules! convert {
        ($values:expr, $zero:expr, $convert:expr) => {
            (0..rows)
                .map(|row| {
                    if !arg.is_valid(row) {
                        return $zero;
                    }
                    $convert(&$values[row]).unwrap_or_else(|| {
                        fail(row);
                        $zero
                    })
                })
                .collect()
        };
    }
    let data = match (&arg.data, to) {
        (Data::Null, _) | (Data::List(..), _) => return (Vector::null(rows), false),
        (Data::Int(values), Type::Float) => Data::Float(values.iter().map(|value| *value as f64).collect()),
        (Data::Float(values), Type::Int) => Data::Int(convert!(values, 0, |value: &f64| {
            let rounded = value.round_ties_even();
            WHOLE.contains(&rounded).then_some(rounded as i64)
        })),
        (Data::Bool(words), Type::Int) => Data::Int((0..rows).map(|row| i64::from(bit(words, row))).collect()),
        (Data::Bool(words), Type::Float) => Data::Float((0..rows).map(|row| f64::from(u8::from(bit(words, row)))).collect()),
        (Data::Bool(words), Type::Text) => {
            Data::Text((0..rows).map(|row| Cow::Borrowed(if bit(words, row) { "true" } else { "false" })).collect())
        }
        (Data::Int(values), Type::Bool) => Data::Bool(bits::collect(rows, |row| values[row] != 0)),
        (Data::Float(values), Type::Bool) => Data::Bool(bits::collect(rows, |row| values[row] != 0.0)),
        (Data::Text(texts), Type::Int) => Data::Int(convert!(texts, 0, |text: &Cow<'_, str>| text_to_int(text))),
        (Data::Text(texts), Type::Float) => Data::Float(convert!(texts, 0.0, |text: &Cow<'_, str>| text_to_float(text))),
        (Data::Text(texts), Type::Date) => Data::Int(convert!(texts, 0, |text: &Cow<'_, str>| parse_timestamp(text)
            .map(|micros| micros.div_euclid(DAY_MICROS))
            .or_else(|| parse_date(text).map(i64::from)))),
        (Data::Text(texts), Type::Timestamp) => Data::Int(convert!(texts, 0, |text: &Cow<'_, str>| parse_timestamp(text))),
        (Data::Text(texts), Type::Bool) => {
            let values: Vec<bool> = convert!(texts, false, |text: &Cow<'_, str>| text_to_bool(text));
            Data::Bool(bits::collect(rows, |row| values[row]))
        }
        (Data::Float(values), Type::Text) => Data::Text((0..rows).map(|row| Cow::Owned(float_to_text(values[row]))).collect()),
        // The compiler lets no other cast pass.
        _ => return (Vector::null(rows), false),
    };
    finish(data, valid, broken, rows)
}

/// Dates and timestamps are whole numbers of different meaning, so their casts go by the type.
fn cast_moment<'a>(arg: &Vector<'a>, from: Type, to: Type, rows: usize) -> (Vector<'a>, bool) {
    match (from, to) {
        (Type::Date, Type::Timestamp) => ints(&[arg], rows, |row, values| Some(values[0][row].saturating_mul(DAY_MICROS))),
        (Type::Timestamp, Type::Date) => ints(&[arg], rows, |row, values| Some(values[0][row].div_euclid(DAY_MICROS))),
        (_, Type::Text) => {
            let Data::Int(values) = &arg.data else { return (Vector::null(rows), false) };
            let text = |row: usize| match from {
                Type::Date => format_date(values[row] as i32),
                Type::Timestamp => format_timestamp(values[row]),
                _ => values[row].to_string(),
            };
            (Vector { data: Data::Text((0..rows).map(|row| Cow::Owned(text(row))).collect()), valid: arg.valid.clone() }, false)
        }
        _ => (arg.clone(), false),
    }
}

pub(crate) fn text_to_int(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let rounded = text_to_float(text).filter(|value| value.is_finite())?.round();
        WHOLE.contains(&rounded).then_some(rounded as i64)
    })
}

pub(crate) fn text_to_float(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// The shortest text that is read as the same float, as DuckDB writes it.
fn float_to_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let text = format!("{value:?}");
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => {
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
            format!("{digits}e{sign}{exponent:0>2}")
        }
    }
}

fn text_to_bool(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "y" => Some(true),
        "false" | "f" | "0" | "no" | "n" => Some(false),
        _ => None,
    }
}

/// Picks, per row, the value of one argument.
fn pick<'a>(args: &[&Vector<'a>], rows: usize, choice: impl Fn(usize) -> Option<usize>) -> Vector<'a> {
    let choices: Vec<Option<usize>> =
        (0..rows).map(|row| choice(row).filter(|arg| args[*arg].is_valid(row) && !matches!(args[*arg].data, Data::Null))).collect();
    let valid = Some(bits::collect(rows, |row| choices[row].is_some()));
    let Some(sample) = args.iter().find(|arg| !matches!(arg.data, Data::Null)) else { return Vector::null(rows) };
    let data = match &sample.data {
        Data::Bool(_) => Data::Bool(bits::collect(rows, |row| match choices[row].map(|arg| &args[arg].data) {
            Some(Data::Bool(words)) => bit(words, row),
            _ => false,
        })),
        Data::Int(_) => Data::Int(
            choices
                .iter()
                .enumerate()
                .map(|(row, choice)| match choice.map(|arg| &args[arg].data) {
                    Some(Data::Int(values)) => values[row],
                    _ => 0,
                })
                .collect(),
        ),
        Data::Float(_) => Data::Float(
            choices
                .iter()
                .enumerate()
                .map(|(row, choice)| match choice.map(|arg| &args[arg].data) {
                    Some(Data::Float(values)) => values[row],
                    _ => 0.0,
                })
                .collect(),
        ),
        Data::Text(_) => Data::Text(
            choices
                .iter()
                .enumerate()
                .map(|(row, choice)| match choice.map(|arg| &args[arg].data) {
                    Some(Data::Text(texts)) => texts[row].clone(),
                    _ => Cow::Borrowed(""),
                })
                .collect(),
        ),
        Data::Null | Data::List(..) => Data::Null,
    };
    Vector { data, valid }
}

pub(crate) fn case<'a>(args: &[&Vector<'a>], rows: usize) -> Vector<'a> {
    let branches = args.len() / 2;
    let conditions: Vec<Vec<u64>> = (0..branches).map(|branch| args[branch * 2].true_rows(rows)).collect();
    let values: Vec<&Vector<'a>> = (0..branches).map(|branch| args[branch * 2 + 1]).chain(args.last().copied()).collect();
    pick(&values, rows, |row| Some(conditions.iter().position(|condition| bit(condition, row)).unwrap_or(branches)))
}

fn coalesce<'a>(args: &[&Vector<'a>], rows: usize) -> Vector<'a> {
    pick(args, rows, |row| args.iter().position(|arg| arg.is_valid(row)))
}

fn any<'a>(args: &[&Vector<'_>], comparison: Comparison, sql_nulls: bool, rows: usize) -> Vector<'a> {
    let (item, Data::List(offsets, items)) = (args[0], &args[1].data) else { return Vector::null(rows) };
    let (mut yes, mut valid) = (vec![0; bits::words_for(rows)], vec![0; bits::words_for(rows)]);
    for row in 0..rows {
        if !args[1].is_valid(row) {
            // As in DuckDB, nothing is any of a list that is not there.
            if sql_nulls {
                bits::set_bit(&mut valid, row);
            }
            continue;
        }
        let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
        if !item.is_valid(row) {
            // `null = any([])` is false, as nothing is compared.
            if from == to && sql_nulls {
                bits::set_bit(&mut valid, row);
            }
            continue;
        }
        let (mut found, mut null_item) = (false, false);
        for at in from..to {
            if items.nulls().is_some_and(|nulls| nulls.is_null(at)) || matches!(items, Column::Null(_)) {
                null_item = true;
            } else if item_ordering(items, at, item, row).is_some_and(|ordering| comparison.mirrored().holds(ordering)) {
                found = true;
                break;
            }
        }
        if found {
            bits::set_bit(&mut yes, row);
        }
        if found || !null_item || !sql_nulls {
            bits::set_bit(&mut valid, row);
        }
    }
    Vector { data: Data::Bool(yes), valid: Some(valid) }
}

/// How a list's item compares with a row's value.
fn item_ordering(items: &Column, at: usize, value: &Vector<'_>, row: usize) -> Option<Ordering> {
    Some(match (items, &value.data) {
        (Column::Text(texts), Data::Text(wanted)) => texts.value(at).cmp(wanted[row].as_ref()),
        (Column::Dictionary { keys, values, .. }, Data::Text(wanted)) => values.value(keys[at] as usize).cmp(wanted[row].as_ref()),
        (Column::Int32(values, _), Data::Int(wanted)) => i64::from(values[at]).cmp(&wanted[row]),
        (Column::Int64(values, _), Data::Int(wanted)) => values[at].cmp(&wanted[row]),
        (Column::Float(values, _), Data::Float(wanted)) => compare_floats(values[at], wanted[row]),
        _ => return None,
    })
}
