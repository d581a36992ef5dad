//! Constants, types and intervals.
use sqlparser::ast::{DataType, Value};

use super::{problem, shorten};
use crate::constant::{Constant, Interval};
use crate::expr::Position;
use crate::problem::Problem;
use crate::schema::Type;

pub(super) fn literal(value: &Value, at: Position) -> Result<Constant, Problem> {
    match value {
        Value::Number(digits, _) => number(digits, at),
        Value::SingleQuotedString(text) => Ok(Constant::text(text)),
        Value::Boolean(truth) => Ok(Constant::Bool(*truth)),
        Value::Null => Ok(Constant::Null),
        Value::EscapedStringLiteral(text) => Ok(Constant::text(text)),
        other => {
            Err(problem(at, format!("'{}' is not part of the rule language; texts stand in single quotes", shorten(&other.to_string()))))
        }
    }
}

pub(super) fn number(digits: &str, at: Position) -> Result<Constant, Problem> {
    if let Ok(whole) = digits.parse::<i64>() {
        return Ok(Constant::Int(whole));
    }
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Constant::float(value)),
        _ => Err(problem(at, format!("'{}' is not a number", shorten(digits)))),
    }
}

/// The rule type of a cast. Types that would cut what does not fit (`tinyint`, `decimal(10, 2)`) are refused rather than read as wider ones.
pub(super) fn cast_type(to: &DataType) -> Option<Type> {
    let name = to.to_string().to_lowercase();
    let found = type_named(name.split('(').next().unwrap_or_default().trim())?;
    let cuts = (found == Type::Float && name.contains('(')) || ["tinyint", "smallint", "int2"].contains(&name.as_str());
    (!cuts).then_some(found)
}

/// The rule type that a SQL type name stands for.
pub(super) fn data_type(data_type: &DataType) -> Option<Type> {
    type_named(data_type.to_string().to_lowercase().split('(').next().unwrap_or_default().trim())
}

pub(crate) fn type_named(name: &str) -> Option<Type> {
    Some(match name {
        "bool" | "boolean" => Type::Bool,
        "bigint" | "int" | "integer" | "smallint" | "tinyint" | "int8" | "int4" | "int2" | "int64" | "long" => Type::Int,
        "double" | "float" | "real" | "decimal" | "numeric" | "double precision" | "float8" | "float4" | "float64" => Type::Float,
        "varchar" | "text" | "string" | "char" | "character varying" => Type::Text,
        "date" => Type::Date,
        "timestamp" | "datetime" | "timestamp without time zone" => Type::Timestamp,
        _ => return None,
    })
}

/// `90 days`, `1 year 6 months`, `-3 hours`.
pub(crate) fn parse_interval(text: &str) -> Option<Interval> {
    let mut interval = Interval::default();
    let mut words = text.split_whitespace();
    let mut any = false;
    while let Some(word) = words.next() {
        let split = word.find(|c: char| c.is_alphabetic()).unwrap_or(word.len());
        let amount: i64 = word[..split].parse().ok()?;
        let unit = if split < word.len() { &word[split..] } else { words.next()? };
        let unit = unit.to_lowercase();
        match unit.strip_suffix('s').filter(|unit| unit.len() > 1).unwrap_or(&unit) {
            "year" | "y" | "yr" => interval.months = add(interval.months, amount.checked_mul(12)?)?,
            "quarter" => interval.months = add(interval.months, amount.checked_mul(3)?)?,
            "month" | "mon" => interval.months = add(interval.months, amount)?,
            "week" | "w" => interval.days = add(interval.days, amount.checked_mul(7)?)?,
            "day" | "d" => interval.days = add(interval.days, amount)?,
            "hour" | "h" => interval.micros = interval.micros.checked_add(amount.checked_mul(3_600_000_000)?)?,
            "minute" | "min" => interval.micros = interval.micros.checked_add(amount.checked_mul(60_000_000)?)?,
            "second" | "sec" => interval.micros = interval.micros.checked_add(amount.checked_mul(1_000_000)?)?,
            "millisecond" => interval.micros = interval.micros.checked_add(amount.checked_mul(1_000)?)?,
            "microsecond" => interval.micros = interval.micros.checked_add(amount)?,
            _ => return None,
        }
        any = true;
    }
    any.then_some(interval)
}

pub(super) fn add(sum: i32, amount: i64) -> Option<i32> {
    i32::try_from(i64::from(sum).checked_add(amount)?).ok()
}
