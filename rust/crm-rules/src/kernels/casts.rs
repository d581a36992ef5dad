//! Values as another type.
use std::borrow::Cow;

use super::{Data, Vector, finish, ints};
use crate::bits::{self, bit};
use crate::calendar::{DAY_MICROS, format_date, format_timestamp, parse_date, parse_timestamp};
use crate::schema::Type;

/// The floats that have a 64-bit whole number.
pub(super) const WHOLE: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;

pub(super) fn cast<'a>(arg: &Vector<'a>, to: Type, rows: usize) -> (Vector<'a>, bool) {
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
pub(super) fn cast_moment<'a>(arg: &Vector<'a>, from: Type, to: Type, rows: usize) -> (Vector<'a>, bool) {
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
pub(super) fn float_to_text(value: f64) -> String {
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

pub(super) fn text_to_bool(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "y" => Some(true),
        "false" | "f" | "0" | "no" | "n" => Some(false),
        _ => None,
    }
}
