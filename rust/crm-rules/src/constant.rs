use std::fmt;
use std::sync::Arc;

use crate::calendar::{format_date, format_timestamp};
use crate::schema::Type;

/// A constant in a rule.
///
/// Floats are kept by their bits, so that constants can be compared and hashed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Constant {
    /// SQL's null.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A float's bits, see [`Constant::float`].
    Float(u64),
    /// A text.
    Text(Arc<str>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00, without a time zone.
    Timestamp(i64),
    /// A length of time.
    Interval(Interval),
}

/// A length of time as SQL has it: months and days are not of one length, so the three parts stay apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Interval {
    /// Whole months.
    pub months: i32,
    /// Whole days.
    pub days: i32,
    /// The rest.
    pub micros: i64,
}

impl Interval {
    /// Its length when a month counts as 30 days, as SQL compares intervals.
    pub fn comparable_micros(self) -> i64 {
        let days = i64::from(self.months) * 30 + i64::from(self.days);
        days.saturating_mul(86_400_000_000).saturating_add(self.micros)
    }

    /// The same length backwards, if it can be said.
    pub fn negated(self) -> Option<Self> {
        Some(Self { months: self.months.checked_neg()?, days: self.days.checked_neg()?, micros: self.micros.checked_neg()? })
    }
}

impl Constant {
    /// A float; `-0.0` becomes `0.0` and every NaN one NaN, so that equal values have equal bits.
    pub fn float(value: f64) -> Self {
        Self::Float(if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() })
    }

    /// A text.
    pub fn text(value: &str) -> Self {
        Self::Text(Arc::from(value))
    }

    /// Its type.
    pub fn data_type(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Float(_) => Type::Float,
            Self::Text(_) => Type::Text,
            Self::Date(_) => Type::Date,
            Self::Timestamp(_) => Type::Timestamp,
            Self::Interval(_) => Type::Interval,
        }
    }
}

/// As it is written in SQL.
impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(bits) => write_float(f, f64::from_bits(*bits)),
            Self::Text(value) => write!(f, "'{}'", value.replace('\'', "''")),
            Self::Date(days) => write!(f, "date '{}'", format_date(*days)),
            Self::Timestamp(micros) => write!(f, "timestamp '{}'", format_timestamp(*micros)),
            Self::Interval(interval) => write_interval(f, *interval),
        }
    }
}

fn write_float(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    if value.is_nan() {
        return f.write_str("cast('nan' as double)");
    }
    if value.is_infinite() {
        return write!(f, "cast('{}' as double)", if value > 0.0 { "inf" } else { "-inf" });
    }
    // The exponent makes DuckDB read it as a double, not as a decimal.
    write!(f, "{value:e}")
}

fn write_interval(f: &mut fmt::Formatter<'_>, interval: Interval) -> fmt::Result {
    let mut parts = Vec::new();
    for (amount, unit) in [(i64::from(interval.months), "months"), (i64::from(interval.days), "days"), (interval.micros, "microseconds")] {
        if amount != 0 {
            parts.push(format!("{amount} {unit}"));
        }
    }
    if parts.is_empty() {
        parts.push("0 days".to_owned());
    }
    write!(f, "interval '{}'", parts.join(" "))
}
