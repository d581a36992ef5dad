//! The functions of the rule language: their names, what they take and what they give.
use crate::schema::Type;

/// A function of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    Lower,
    Upper,
    Trim,
    TrimStart,
    TrimEnd,
    Length,
    ListLength,
    Contains,
    StartsWith,
    EndsWith,
    Replace,
    Substring,
    Left,
    Right,
    Concat,
    StripAccents,
    Abs,
    Round,
    Floor,
    Ceil,
    Sqrt,
    Ln,
    Power,
    Greatest,
    Least,
    DatePart(DatePart),
    DateTrunc(DatePart),
    /// Boundaries crossed.
    DateDiff(DatePart),
    /// Whole parts elapsed.
    DateSub(DatePart),
}

/// A part of a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DatePart {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
}

impl DatePart {
    /// The part of this name.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        Some(match name.strip_suffix('s').unwrap_or(&name) {
            "year" => Self::Year,
            "quarter" => Self::Quarter,
            "month" => Self::Month,
            "week" => Self::Week,
            "day" => Self::Day,
            "dow" | "dayofweek" | "weekday" => Self::DayOfWeek,
            "doy" | "dayofyear" => Self::DayOfYear,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::DayOfWeek => "dow",
            Self::DayOfYear => "doy",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
        }
    }
}

/// Names of scalar functions, for finding the nearest one.
pub const SCALARS: &[&str] = &[
    "lower",
    "upper",
    "trim",
    "ltrim",
    "rtrim",
    "length",
    "contains",
    "starts_with",
    "ends_with",
    "regexp_like",
    "replace",
    "substring",
    "left",
    "right",
    "concat",
    "strip_accents",
    "fold",
    "abs",
    "round",
    "floor",
    "ceil",
    "sqrt",
    "ln",
    "power",
    "greatest",
    "least",
    "coalesce",
    "nullif",
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "dayofweek",
    "dayofyear",
    "hour",
    "minute",
    "second",
    "date_part",
    "date_trunc",
    "date_diff",
    "date_sub",
    "list_contains",
    "today",
    "current_date",
];

/// Names of aggregates over related tables.
pub const AGGREGATES: &[&str] = &["count", "sum", "avg", "min", "max", "first", "last", "exists", "stddev", "stddev_samp", "stddev_pop"];

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Text,
    Int,
    Float,
    /// A whole number stays one.
    Number,
    /// A date or a timestamp, as it is.
    Moment,
}

/// What a scalar function of this name takes and which function it is; `None` for those that the compiler handles itself.
pub fn signature(name: &str) -> Option<(Function, &'static [Takes], usize)> {
    use Takes::{Float, Int, Moment, Number, Text};
    // (function, arguments, how many of them are needed)
    let (function, takes, needed): (Function, &'static [Takes], usize) = match name {
        "lower" | "lcase" => (Function::Lower, &[Text], 1),
        "upper" | "ucase" => (Function::Upper, &[Text], 1),
        "trim" => (Function::Trim, &[Text], 1),
        "ltrim" => (Function::TrimStart, &[Text], 1),
        "rtrim" => (Function::TrimEnd, &[Text], 1),
        "starts_with" | "prefix" => (Function::StartsWith, &[Text, Text], 2),
        "ends_with" | "suffix" => (Function::EndsWith, &[Text, Text], 2),
        "replace" => (Function::Replace, &[Text, Text, Text], 3),
        "substring" | "substr" => (Function::Substring, &[Text, Int, Int], 2),
        "left" => (Function::Left, &[Text, Int], 2),
        "right" => (Function::Right, &[Text, Int], 2),
        "strip_accents" => (Function::StripAccents, &[Text], 1),
        "abs" => (Function::Abs, &[Number], 1),
        "round" => (Function::Round, &[Number, Int], 1),
        "floor" => (Function::Floor, &[Number], 1),
        "ceil" | "ceiling" => (Function::Ceil, &[Number], 1),
        "sqrt" => (Function::Sqrt, &[Float], 1),
        "ln" => (Function::Ln, &[Float], 1),
        "power" | "pow" => (Function::Power, &[Float, Float], 2),
        "dayofweek" | "dayofyear" | "year" | "quarter" | "month" | "week" | "day" | "hour" | "minute" | "second" => {
            (Function::DatePart(DatePart::named(name)?), &[Moment], 1)
        }
        _ => return None,
    };
    Some((function, takes, needed))
}

/// What a function gives for these argument types.
pub fn output(function: Function, args: &[Type]) -> Type {
    match function {
        Function::Lower
        | Function::Upper
        | Function::Trim
        | Function::TrimStart
        | Function::TrimEnd
        | Function::Replace
        | Function::Substring
        | Function::Left
        | Function::Right
        | Function::Concat
        | Function::StripAccents => Type::Text,
        Function::Length | Function::ListLength | Function::DatePart(_) | Function::DateDiff(_) | Function::DateSub(_) => Type::Int,
        Function::Contains | Function::StartsWith | Function::EndsWith => Type::Bool,
        Function::Abs | Function::Round | Function::Floor | Function::Ceil | Function::Greatest | Function::Least => {
            args.first().copied().unwrap_or(Type::Null)
        }
        Function::Sqrt | Function::Ln | Function::Power => Type::Float,
        Function::DateTrunc(_) => args.first().copied().unwrap_or(Type::Timestamp),
    }
}

/// Its name in SQL.
pub fn sql_name(function: Function) -> &'static str {
    match function {
        Function::Lower => "lower",
        Function::Upper => "upper",
        Function::Trim => "trim",
        Function::TrimStart => "ltrim",
        Function::TrimEnd => "rtrim",
        Function::Length | Function::ListLength => "length",
        Function::Contains => "contains",
        Function::StartsWith => "starts_with",
        Function::EndsWith => "ends_with",
        Function::Replace => "replace",
        Function::Substring => "substring",
        Function::Left => "left",
        Function::Right => "right",
        Function::Concat => "concat",
        Function::StripAccents => "strip_accents",
        Function::Abs => "abs",
        Function::Round => "round",
        Function::Floor => "floor",
        Function::Ceil => "ceil",
        Function::Sqrt => "sqrt",
        Function::Ln => "ln",
        Function::Power => "power",
        Function::Greatest => "greatest",
        Function::Least => "least",
        Function::DatePart(_) => "date_part",
        Function::DateTrunc(_) => "date_trunc",
        Function::DateDiff(_) => "date_diff",
        Function::DateSub(_) => "date_sub",
    }
}
