//! Dates as people and exports write them. What is ambiguous stays ambiguous.
mod calendar;
mod clock;
mod months;
mod order;
mod scan;

pub use calendar::Date;
pub use clock::clock_seconds;
pub use order::{DateOrderEvidence, settle_date_order};
use scan::{Field, Fields};

use super::Reason;
use super::text::placeholder_reason;

/// Which of two numbers below 13 is the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DateOrder {
    /// Not known: both readings are given.
    #[default]
    Unknown,
    /// 31.12.1999
    DayFirst,
    /// 12/31/1999
    MonthFirst,
}

/// How dates of a column are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateOptions {
    /// Which of two small numbers is the day.
    pub order: DateOrder,
    /// Two-digit years above this are of the last century: 30 makes 29 and 30 to 2029, 2030, and 31 to 1931. For birth dates, pass the last two digits of
    /// today's year.
    pub pivot: u8,
    /// Read whole numbers from 1 to 99,999 as days since 1899-12-30 (Excel). Only when the column is known to hold them.
    pub excel_serials: bool,
}

impl Default for DateOptions {
    fn default() -> Self {
        Self { order: DateOrder::Unknown, pivot: 30, excel_serials: false }
    }
}

/// What a cell says of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DateValue {
    /// One reading.
    Day(Date),
    /// `03/04/1985` where the order is not known: both readings, the day-first one first. Comparisons take the better of the two.
    Ambiguous {
        /// Read as day, month.
        day_first: Date,
        /// Read as month, day.
        month_first: Date,
    },
    /// A year and a month.
    Month {
        /// Year.
        year: i16,
        /// Month, 1 to 12.
        month: u8,
    },
    /// A year.
    Year(i16),
}

impl DateValue {
    /// The day if there is exactly one reading.
    pub fn day(self) -> Option<Date> {
        match self {
            DateValue::Day(date) => Some(date),
            _ => None,
        }
    }

    /// The year, which all readings share.
    pub fn year(self) -> i16 {
        match self {
            DateValue::Day(date) | DateValue::Ambiguous { day_first: date, .. } => date.year(),
            DateValue::Month { year, .. } | DateValue::Year(year) => year,
        }
    }

    /// Whether it is a filler that systems write for "not known": 1900-01-01, 1970-01-01, 1901-01-01, 1899-12-30, 0001-01-01, 9999-12-31, 2000-01-01, 1111-11-11. It must not count as evidence.
    pub fn is_generic(self) -> bool {
        match self {
            DateValue::Day(date) => {
                let (year, month, day) = (date.year(), date.month(), date.day());
                matches!(
                    (year, month, day),
                    (1 | 1600 | 1601 | 1753 | 1800 | 1900 | 1901 | 1904 | 1970 | 1980 | 2000 | 2001, 1, 1)
                        | (1899, 12, 30 | 31)
                        | (9999 | 2099 | 2999, 12, 31)
                        | (1111, 11, 11)
                        | (1969, 12, 31)
                )
            }
            DateValue::Year(year) => matches!(year, 1900 | 9999 | 1111),
            _ => false,
        }
    }
}

/// Reads a date, or the date of a timestamp (its clock and zone are left aside).
///
/// Understood: ISO (`1985-04-03`, `1985-04-03T10:00:00Z`, `19850403`), numbers with `.`, `/`, `-` or spaces in day or month order, two-digit years, month names and
/// their short forms in English, Russian, Latvian and German (`3 апреля 1985 г.`, `Apr 3, 1985`, `1985. gada 3. aprīlis`, `03-APR-85`), a year or a year and month alone.
/// Points are European: `03.04.1985` has the day first unless the options say otherwise. A day that is not in the calendar is
/// [`Reason::ImpossibleDate`], zeros (`0000-00-00`) are a placeholder.
///
/// ```
/// use crm_resolve::normalize::{Date, DateOptions, DateOrder, DateValue, parse_date};
/// let unknown = DateOptions::default();
/// let day = |year, month, day| Date::new(year, month, day).unwrap();
/// assert_eq!(parse_date("31.12.1985", &unknown), Ok(DateValue::Day(day(1985, 12, 31))));
/// assert_eq!(
///     parse_date("03/04/1985", &unknown),
///     Ok(DateValue::Ambiguous { day_first: day(1985, 4, 3), month_first: day(1985, 3, 4) })
/// );
/// let us = DateOptions { order: DateOrder::MonthFirst, ..unknown };
/// assert_eq!(parse_date("03/04/1985", &us), Ok(DateValue::Day(day(1985, 3, 4))));
/// assert_eq!(parse_date("3 апреля 1985 г.", &unknown), Ok(DateValue::Day(day(1985, 4, 3))));
/// assert!(parse_date("31.02.1985", &unknown).is_err());
/// ```
pub fn parse_date(raw: &str, options: &DateOptions) -> Result<DateValue, Reason> {
    let text = raw.trim();
    if let Some(value) = fast_iso(text) {
        return value;
    }
    if text.len() > 80 {
        return Err(Reason::TooLong);
    }
    let fields = match Fields::read(text) {
        Ok(fields) => fields,
        Err(reason) => return Err(placeholder_reason(text).unwrap_or(reason)),
    };
    // Whoever writes the month first writes slashes or hyphens.
    let order = if options.order == DateOrder::Unknown && fields.is_pointed() { DateOrder::DayFirst } else { options.order };
    let value = read_fields(&fields, &DateOptions { order, ..*options });
    match value {
        Err(reason) => Err(placeholder_reason(text).unwrap_or(reason)),
        ok => ok,
    }
}

/// `yyyy-mm-dd` and what may follow it, without the general scanner.
fn fast_iso(text: &str) -> Option<Result<DateValue, Reason>> {
    let bytes = text.as_bytes();
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' || bytes.get(10).is_some_and(|byte| !matches!(byte, b'T' | b' ' | b'Z')) {
        return None;
    }
    let mut number = [0u16; 3];
    for (slot, range) in number.iter_mut().zip([0..4, 5..7, 8..10]) {
        for &byte in &bytes[range] {
            if !byte.is_ascii_digit() {
                return None;
            }
            *slot = *slot * 10 + u16::from(byte - b'0');
        }
    }
    // yyyy-dd-mm exists as well: only where the middle cannot be a month.
    let [year, a, b] = number;
    Some(if a > 12 && b <= 12 {
        from_parts(i32::from(year), u32::from(b), u32::from(a))
    } else {
        from_parts(i32::from(year), u32::from(a), u32::from(b))
    })
}

fn from_parts(year: i32, month: u32, day: u32) -> Result<DateValue, Reason> {
    if year == 0 && month == 0 && day == 0 {
        return Err(Reason::Placeholder);
    }
    // Half-known dates: 1985-00-00, 1985-04-00.
    if (1000..=2999).contains(&year) && day == 0 {
        return match month {
            0 => Ok(DateValue::Year(year as i16)),
            1..=12 => Ok(DateValue::Month { year: year as i16, month: month as u8 }),
            _ => Err(Reason::ImpossibleDate),
        };
    }
    match Date::new(year, month, day) {
        Some(date) if (1000..=2999).contains(&year) || DateValue::Day(date).is_generic() => Ok(DateValue::Day(date)),
        Some(_) => Err(Reason::ImpossibleYear),
        None => Err(Reason::ImpossibleDate),
    }
}

fn full_year(field: Field, pivot: u8) -> i32 {
    let number = field.number as i32;
    match field.n_digits {
        0..=2 if number <= i32::from(pivot) => 2000 + number,
        0..=2 => 1900 + number,
        _ => number,
    }
}

fn read_fields(fields: &Fields, options: &DateOptions) -> Result<DateValue, Reason> {
    let pivot = options.pivot;
    match (fields.month, fields.numbers()) {
        (Some(month), &[a]) if a.n_digits >= 3 => from_parts(full_year(a, pivot), u32::from(month), 0),
        (Some(_), &[_]) => Err(Reason::BadFormat),
        (Some(month), &[a, b]) => {
            // The year is the longer one, or the one that cannot be a day; `3 Apr 85` ends with it.
            let (day, year) = if a.n_digits >= 3 || a.number > 31 { (b, a) } else { (a, b) };
            from_parts(full_year(year, pivot), u32::from(month), day.number)
        }
        (Some(_), _) => Err(Reason::BadFormat),
        (None, &[a]) => one_number(a, options),
        (None, &[a, b]) if a.n_digits == 4 && b.n_digits <= 2 => from_parts(a.number as i32, b.number, 0),
        (None, &[a, b]) if b.n_digits == 4 && a.n_digits <= 2 => from_parts(b.number as i32, a.number, 0),
        (None, &[a, b, c]) => three_numbers(a, b, c, options),
        _ => Err(Reason::BadFormat),
    }
}

fn one_number(a: Field, options: &DateOptions) -> Result<DateValue, Reason> {
    let number = a.number;
    if options.excel_serials && a.n_digits <= 5 && number > 0 {
        return Ok(DateValue::Day(Date::from_excel_serial(number)));
    }
    match a.n_digits {
        4 if number == 0 => Err(Reason::Placeholder),
        4 => {
            if (1000..=2999).contains(&number) || number == 9999 {
                Ok(DateValue::Year(number as i16))
            } else {
                Err(Reason::ImpossibleYear)
            }
        }
        8 => {
            // yyyymmdd, else ddmmyyyy or mmddyyyy.
            let iso = from_parts((number / 10_000) as i32, number / 100 % 100, number % 100);
            if number == 0 || iso.is_ok() {
                return iso;
            }
            let field = |number, n_digits| Field { number, n_digits };
            three_numbers(field(number / 1_000_000, 2), field(number / 10_000 % 100, 2), field(number % 10_000, 4), options)
                .map_err(|_| Reason::ImpossibleDate)
        }
        14 | 12 => Err(Reason::BadFormat),
        _ => Err(Reason::BadFormat),
    }
}

fn three_numbers(a: Field, b: Field, c: Field, options: &DateOptions) -> Result<DateValue, Reason> {
    if a.n_digits >= 3 || (a.number > 31 && c.number <= 31) {
        // Year first; the middle is the month unless it cannot be.
        let year = full_year(a, options.pivot);
        return if b.number > 12 && c.number <= 12 { from_parts(year, c.number, b.number) } else { from_parts(year, b.number, c.number) };
    }
    if c.n_digits > 4 || c.n_digits == 3 || b.n_digits > 2 {
        return Err(Reason::BadFormat);
    }
    let year = full_year(c, options.pivot);
    if a.number == 0 && b.number == 0 {
        return if c.number == 0 { Err(Reason::Placeholder) } else { from_parts(year, 0, 0) };
    }
    let day_first = from_parts(year, b.number, a.number);
    let month_first = from_parts(year, a.number, b.number);
    match (options.order, day_first, month_first) {
        // A column's order is a habit, not a law: where only the other reading is in the calendar, it is the one.
        (DateOrder::DayFirst, Ok(value), _) | (DateOrder::MonthFirst, _, Ok(value)) => Ok(value),
        (DateOrder::Unknown, Ok(DateValue::Day(day_first)), Ok(DateValue::Day(month_first))) if day_first != month_first => {
            Ok(DateValue::Ambiguous { day_first, month_first })
        }
        (_, Ok(value), _) | (_, _, Ok(value)) => Ok(value),
        (_, Err(reason), Err(_)) => Err(reason),
    }
}

/// Whether a cell looks like a date or a timestamp: cheap, for finding a column's role. A bare year or another bare number does not.
pub fn looks_like_date(raw: &str) -> bool {
    let text = raw.trim();
    let bytes = text.as_bytes();
    if !(6..=40).contains(&bytes.len()) || !bytes.iter().any(u8::is_ascii_digit) {
        return false;
    }
    if bytes.iter().all(u8::is_ascii_digit) {
        // A bare number is one only in the form yyyymmdd of a likely year.
        return bytes.len() == 8 && matches!(&bytes[..2], b"18" | b"19" | b"20") && parse_date(text, &DateOptions::default()).is_ok();
    }
    parse_date(text, &DateOptions::default()).is_ok_and(|value| matches!(value, DateValue::Day(_) | DateValue::Ambiguous { .. }))
}
