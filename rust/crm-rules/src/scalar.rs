//! Functions of one row.
use std::borrow::Cow;

use memchr::memmem;

use crate::bits;
use crate::calendar::{DAY_MICROS, civil_from_days, days_from_civil};
use crate::fold::{lower, strip_accents, upper};
use crate::functions::{DatePart, Function};
use crate::kernels::{both, compare_floats, floats, ints};
use crate::schema::Type;
use crate::vector::{Data, Vector};

/// Longest text that a function makes, in bytes: a few nested calls could ask for any amount of memory. Beyond it the result is null.
const MAX_MADE_TEXT: usize = 64 << 10;

/// Computes a function; also says whether it failed somewhere. Moments come as microseconds: the compiler casts dates.
pub(crate) fn call<'a>(function: Function, args: &[&Vector<'a>], output: Type, rows: usize) -> (Vector<'a>, bool) {
    let done = |vector| (vector, false);
    match function {
        Function::Lower => done(texts(args[0], rows, |text| recase(text, lower))),
        Function::Upper => done(texts(args[0], rows, |text| recase(text, upper))),
        // SQL trims spaces only.
        Function::Trim => done(texts(args[0], rows, |text| narrow(text, |text| text.trim_matches(' ')))),
        Function::TrimStart => done(texts(args[0], rows, |text| narrow(text, |text| text.trim_start_matches(' ')))),
        Function::TrimEnd => done(texts(args[0], rows, |text| narrow(text, |text| text.trim_end_matches(' ')))),
        Function::StripAccents => done(texts(args[0], rows, |text| recase(text, strip_accents))),
        Function::Length => {
            let Data::Text(values) = &args[0].data else { return done(Vector::null(rows)) };
            done(Vector { data: Data::Int(values.iter().map(|text| text.chars().count() as i64).collect()), valid: args[0].valid.clone() })
        }
        Function::ListLength => {
            let Data::List(offsets, _) = &args[0].data else { return done(Vector::null(rows)) };
            let lengths = offsets.windows(2).map(|pair| i64::from(pair[1] - pair[0])).collect();
            done(Vector { data: Data::Int(lengths), valid: args[0].valid.clone() })
        }
        Function::Contains => done(text_test(args, rows, |text, other| memmem::find(text.as_bytes(), other.as_bytes()).is_some())),
        Function::StartsWith => done(text_test(args, rows, |text, other| text.starts_with(other))),
        Function::EndsWith => done(text_test(args, rows, |text, other| text.ends_with(other))),
        Function::Concat => join(args, rows, |row, texts| {
            let length: usize = texts.iter().map(|texts| texts[row].len()).sum();
            (length <= MAX_MADE_TEXT).then(|| Cow::Owned(texts.iter().map(|texts| texts[row].as_ref()).collect::<String>()))
        }),
        Function::Replace => join(args, rows, |row, texts| replaced(&texts[0][row], &texts[1][row], &texts[2][row])),
        Function::Substring => done(part(args, rows, |text, numbers| substring(text, numbers[0], numbers.get(1).copied()))),
        Function::Left => done(part(args, rows, |text, numbers| left(text, numbers[0]))),
        Function::Right => done(part(args, rows, |text, numbers| right(text, numbers[0]))),
        Function::Abs if output == Type::Float => floats(args, rows, |row, values| Some(values[0][row].abs())),
        Function::Abs => ints(args, rows, |row, values| values[0][row].checked_abs()),
        Function::Round => round(args, output, rows),
        Function::Floor | Function::Ceil if output == Type::Int => done(args[0].clone()),
        Function::Floor => floats(args, rows, |row, values| Some(values[0][row].floor())),
        Function::Ceil => floats(args, rows, |row, values| Some(values[0][row].ceil())),
        Function::Sqrt => floats(args, rows, |row, values| (values[0][row] >= 0.0).then(|| values[0][row].sqrt())),
        Function::Ln => floats(args, rows, |row, values| (values[0][row] > 0.0).then(|| values[0][row].ln())),
        Function::Power => floats(args, rows, |row, values| Some(values[0][row].powf(values[1][row])).filter(|value| value.is_finite())),
        Function::Greatest | Function::Least => done(extreme(args, rows, function == Function::Greatest)),
        Function::DatePart(which) => ints(args, rows, |row, values| Some(date_part(which, values[0][row]))),
        Function::DateTrunc(which) => ints(args, rows, |row, values| truncate(which, values[0][row])),
        // As in DuckDB, weeks are whole ones, whatever day they begin on.
        Function::DateDiff(DatePart::Week) => ints(args, rows, |row, values| elapsed(DatePart::Week, values[0][row], values[1][row])),
        Function::DateDiff(which) => ints(args, rows, |row, values| index(which, values[1][row]).checked_sub(index(which, values[0][row]))),
        Function::DateSub(which) => ints(args, rows, |row, values| elapsed(which, values[0][row], values[1][row])),
    }
}

fn texts<'a>(arg: &Vector<'a>, rows: usize, change: impl Fn(&Cow<'a, str>) -> Cow<'a, str>) -> Vector<'a> {
    let Data::Text(values) = &arg.data else { return Vector::null(rows) };
    Vector { data: Data::Text(values.iter().map(change).collect()), valid: arg.valid.clone() }
}

fn recase<'a>(text: &Cow<'a, str>, change: impl Fn(&str) -> Cow<'_, str>) -> Cow<'a, str> {
    match change(text) {
        Cow::Borrowed(_) => text.clone(),
        Cow::Owned(changed) => Cow::Owned(changed),
    }
}

fn narrow<'a>(text: &Cow<'a, str>, change: impl Fn(&str) -> &str) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(change(text)),
        Cow::Owned(text) => Cow::Owned(change(text).to_owned()),
    }
}

fn text_test<'a>(args: &[&Vector<'_>], rows: usize, test: impl Fn(&str, &str) -> bool) -> Vector<'a> {
    let (Data::Text(a), Data::Text(b)) = (&args[0].data, &args[1].data) else { return Vector::null(rows) };
    Vector { data: Data::Bool(bits::collect(rows, |row| test(&a[row], &b[row]))), valid: both(args) }
}

/// Makes a text of several where all of them are known; `None` is a failure.
fn join<'a>(args: &[&Vector<'a>], rows: usize, compute: impl Fn(usize, &[&[Cow<'a, str>]]) -> Option<Cow<'a, str>>) -> (Vector<'a>, bool) {
    let mut values: Vec<&[Cow<'a, str>]> = Vec::new();
    for arg in args {
        let Data::Text(texts) = &arg.data else { return (Vector::null(rows), false) };
        values.push(texts);
    }
    let valid = both(args);
    let mut broken: Option<Vec<u64>> = None;
    let texts = (0..rows)
        .map(|row| {
            if !valid.as_ref().is_none_or(|valid| bits::bit(valid, row)) {
                return Cow::Borrowed("");
            }
            compute(row, &values).unwrap_or_else(|| {
                bits::set_bit(broken.get_or_insert_with(|| vec![0; bits::words_for(rows)]), row);
                Cow::Borrowed("")
            })
        })
        .collect();
    crate::kernels::finish(Data::Text(texts), valid, broken, rows)
}

/// `None` where the result would be too long, found out before it is made.
fn replaced<'a>(text: &Cow<'a, str>, from: &str, to: &str) -> Option<Cow<'a, str>> {
    if from.is_empty() {
        return Some(text.clone());
    }
    let found = text.matches(from).count();
    if found == 0 {
        return Some(text.clone());
    }
    let length = (text.len() - found * from.len()).saturating_add(found.saturating_mul(to.len()));
    (length <= MAX_MADE_TEXT).then(|| Cow::Owned(text.replace(from, to)))
}

/// A part of a text, chosen by whole numbers.
fn part<'a>(args: &[&Vector<'a>], rows: usize, choose: impl Fn(&str, &[i64]) -> std::ops::Range<usize>) -> Vector<'a> {
    let Data::Text(texts) = &args[0].data else { return Vector::null(rows) };
    let mut numbers: Vec<&[i64]> = Vec::new();
    for arg in &args[1..] {
        let Data::Int(values) = &arg.data else { return Vector::null(rows) };
        numbers.push(values);
    }
    let valid = both(args);
    let mut row_numbers = Vec::new();
    let values = (0..rows)
        .map(|row| {
            row_numbers.clear();
            row_numbers.extend(numbers.iter().map(|values| values[row]));
            match &texts[row] {
                Cow::Borrowed(text) => Cow::Borrowed(&text[choose(text, &row_numbers)]),
                Cow::Owned(text) => Cow::Owned(text[choose(text, &row_numbers)].to_owned()),
            }
        })
        .collect();
    Vector { data: Data::Text(values), valid }
}

/// Characters `from..to`, both cut to the text, as a range of bytes.
fn chars(text: &str, from: i64, to: i64) -> std::ops::Range<usize> {
    let at = |position: i64| {
        if position <= 0 {
            0
        } else {
            text.char_indices().nth(usize::try_from(position).unwrap_or(usize::MAX)).map_or(text.len(), |(at, _)| at)
        }
    };
    if to <= from { 0..0 } else { at(from)..at(to) }
}

/// SQL's `substring`: positions from 1, negative ones from the end.
fn substring(text: &str, start: i64, length: Option<i64>) -> std::ops::Range<usize> {
    let count = text.chars().count() as i64;
    let start = match start {
        1.. => start - 1,
        0 => -1,
        negative => count.saturating_add(negative),
    };
    let start_shown = if start < -1 { start } else { start.max(-1) };
    let end = match length {
        None => count,
        Some(length) if length < 0 => {
            // A negative length counts backwards from the start.
            return chars(text, start_shown.saturating_add(length).max(0), start_shown.min(count));
        }
        Some(length) => start_shown.saturating_add(length),
    };
    chars(text, start_shown.max(0), end.min(count))
}

fn left(text: &str, count: i64) -> std::ops::Range<usize> {
    let length = text.chars().count() as i64;
    chars(text, 0, if count < 0 { length.saturating_add(count) } else { count })
}

fn right(text: &str, count: i64) -> std::ops::Range<usize> {
    let length = text.chars().count() as i64;
    let from = if count < 0 { count.saturating_neg().min(length) } else { (length - count).max(0) };
    chars(text, from, length)
}

fn round<'a>(args: &[&Vector<'a>], output: Type, rows: usize) -> (Vector<'a>, bool) {
    let digits = match args.get(1).map(|digits| &digits.data) {
        Some(Data::Int(values)) => Some(values),
        Some(_) => return (Vector::null(rows), false),
        None => None,
    };
    if output == Type::Int {
        return match digits {
            None => (args[0].clone(), false),
            Some(_) => ints(args, rows, |row, values| round_whole(values[0][row], values[1][row])),
        };
    }
    let (mut vector, failed) = floats(&args[..1], rows, |row, values| {
        let value = values[0][row];
        let Some(digits) = digits else { return Some(value.round()) };
        let factor = 10f64.powi(digits[row].clamp(-400, 400) as i32);
        let rounded = (value * factor).round() / factor;
        Some(if rounded.is_finite() { rounded } else { value })
    });
    vector.valid = both(&[&vector, args.get(1).unwrap_or(&args[0])]);
    (vector, failed)
}

/// A whole number rounded to tens, hundreds, ...: halves go away from zero. `None` where the result is too large.
fn round_whole(value: i64, digits: i64) -> Option<i64> {
    if digits >= 0 {
        return Some(value);
    }
    let unit = 10i128.pow(digits.unsigned_abs().min(20) as u32);
    let value = i128::from(value);
    i64::try_from((value + value.signum() * unit / 2) / unit * unit).ok()
}

/// `greatest` and `least` pass over nulls, as in DuckDB and Postgres.
fn extreme<'a>(args: &[&Vector<'a>], rows: usize, greatest: bool) -> Vector<'a> {
    let mut best = args[0].clone();
    for arg in &args[1..] {
        let better = |row: usize| {
            let ordering = match (&arg.data, &best.data) {
                (Data::Int(a), Data::Int(b)) => a[row].cmp(&b[row]),
                (Data::Float(a), Data::Float(b)) => compare_floats(a[row], b[row]),
                (Data::Text(a), Data::Text(b)) => a[row].cmp(&b[row]),
                (Data::Bool(a), Data::Bool(b)) => bits::bit(a, row).cmp(&bits::bit(b, row)),
                _ => std::cmp::Ordering::Equal,
            };
            arg.is_valid(row) && (!best.is_valid(row) || if greatest { ordering.is_gt() } else { ordering.is_lt() })
        };
        let chosen = bits::collect(rows, better);
        let condition = Vector { data: Data::Bool(chosen), valid: None };
        best = crate::kernels::case(&[&condition, arg, &best], rows);
    }
    best
}

/// Microseconds of midnight and the rest: the compiler casts dates to timestamps before it asks for their parts.
fn date_part(part: DatePart, micros: i64) -> i64 {
    let (days, rest) = (micros.div_euclid(DAY_MICROS), micros.rem_euclid(DAY_MICROS));
    let (year, month, day) = civil_from_days(days);
    match part {
        DatePart::Year => year,
        DatePart::Quarter => (month + 2) / 3,
        DatePart::Month => month,
        DatePart::Week => iso_week(days),
        DatePart::Day => day,
        // Sunday is 0; 1970-01-01 was a Thursday.
        DatePart::DayOfWeek => (days + 4).rem_euclid(7),
        DatePart::DayOfYear => days - days_from_civil(year, 1, 1) + 1,
        DatePart::Hour => rest / 3_600_000_000,
        DatePart::Minute => rest / 60_000_000 % 60,
        DatePart::Second => rest / 1_000_000 % 60,
    }
}

fn iso_week(days: i64) -> i64 {
    // The week belongs to the year of its Thursday.
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let (year, ..) = civil_from_days(thursday);
    (thursday - days_from_civil(year, 1, 1)) / 7 + 1
}

/// `None` where the beginning lies before the first moment there is.
fn truncate(part: DatePart, micros: i64) -> Option<i64> {
    let days = micros.div_euclid(DAY_MICROS);
    let (year, month, _) = civil_from_days(days);
    let unit = match part {
        DatePart::Year => return days_from_civil(year, 1, 1).checked_mul(DAY_MICROS),
        DatePart::Quarter => return days_from_civil(year, (month - 1) / 3 * 3 + 1, 1).checked_mul(DAY_MICROS),
        DatePart::Month => return days_from_civil(year, month, 1).checked_mul(DAY_MICROS),
        DatePart::Week => return (days - (days + 3).rem_euclid(7)).checked_mul(DAY_MICROS),
        DatePart::Day | DatePart::DayOfWeek | DatePart::DayOfYear => return days.checked_mul(DAY_MICROS),
        DatePart::Hour => 3_600_000_000,
        DatePart::Minute => 60_000_000,
        DatePart::Second => 1_000_000,
    };
    micros.div_euclid(unit).checked_mul(unit)
}

/// The number of the part since the epoch, so that differences count boundaries.
pub(crate) fn index(part: DatePart, micros: i64) -> i64 {
    let days = micros.div_euclid(DAY_MICROS);
    let (year, month, _) = civil_from_days(days);
    match part {
        DatePart::Year => year,
        DatePart::Quarter => year * 4 + (month - 1) / 3,
        DatePart::Month => year * 12 + month - 1,
        DatePart::Week => (days + 3).div_euclid(7),
        DatePart::Day | DatePart::DayOfWeek | DatePart::DayOfYear => days,
        DatePart::Hour => micros.div_euclid(3_600_000_000),
        DatePart::Minute => micros.div_euclid(60_000_000),
        DatePart::Second => micros.div_euclid(1_000_000),
    }
}

/// Whole parts from one moment to another, negative backwards.
fn elapsed(part: DatePart, from: i64, to: i64) -> Option<i64> {
    if to < from {
        return elapsed(part, to, from)?.checked_neg();
    }
    let months = |months: i64| -> Option<i64> {
        let (from_days, from_rest) = (from.div_euclid(DAY_MICROS), from.rem_euclid(DAY_MICROS));
        let (to_days, to_rest) = (to.div_euclid(DAY_MICROS), to.rem_euclid(DAY_MICROS));
        let ((year_a, month_a, day_a), (year_b, month_b, day_b)) = (civil_from_days(from_days), civil_from_days(to_days));
        let whole = (year_b - year_a) * 12 + month_b - month_a;
        // The 31st is reached on the last day of a shorter month.
        let last = crate::calendar::days_in_month(year_b, month_b);
        let complete = (day_b, to_rest) >= (day_a.min(last), from_rest);
        Some((whole - i64::from(!complete)) / months)
    };
    let unit = match part {
        DatePart::Year => return months(12),
        DatePart::Quarter => return months(3),
        DatePart::Month => return months(1),
        DatePart::Week => 7 * DAY_MICROS,
        DatePart::Day | DatePart::DayOfWeek | DatePart::DayOfYear => DAY_MICROS,
        DatePart::Hour => 3_600_000_000,
        DatePart::Minute => 60_000_000,
        DatePart::Second => 1_000_000,
    };
    Some(to.checked_sub(from)? / unit)
}
