use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, TimeUnit};
use crm_core::{Result, TextColumn};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// One value of a table, as far as a file for people tells kinds apart.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// Text; lists are joined with `; `.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01 00:00, and whether that is in UTC (else it is local to whoever wrote it).
    DateTime(i64, bool),
}

/// A column of any Arrow type behind one accessor.
pub enum CellColumn {
    /// Text in any of Arrow's forms.
    Text(TextColumn),
    /// Lists, with the values of all rows.
    List(ArrayRef),
    /// Everything else.
    Other(ArrayRef),
}

impl CellColumn {
    /// Views `array`; `name` is for errors.
    pub fn new(name: &str, array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => Self::Text(TextColumn::new(name, array)?),
            DataType::Dictionary(_, value) if matches!(**value, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
                Self::Text(TextColumn::new(name, array)?)
            }
            DataType::Dictionary(_, value) => Self::Other(arrow_cast::cast(array, value)?),
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => Self::List(array.clone()),
            _ => Self::Other(array.clone()),
        })
    }

    /// The cell at `row`.
    pub fn get(&self, row: usize) -> Result<Cell<'_>> {
        match self {
            Self::Text(column) => Ok(column.get(row).map_or(Cell::Null, |text| Cell::Text(Cow::Borrowed(text)))),
            Self::List(array) => match list_items(array, row) {
                None => Ok(Cell::Null),
                Some(items) => Ok(Cell::Text(Cow::Owned(joined(&items)?))),
            },
            Self::Other(array) => scalar(array, row),
        }
    }
}

/// The items of the list at `row`, `None` where it is null.
pub(super) fn list_items(array: &ArrayRef, row: usize) -> Option<ArrayRef> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        DataType::FixedSizeList(_, _) => array.as_fixed_size_list().value(row),
        _ => array.as_list::<i32>().value(row),
    })
}

fn joined(items: &ArrayRef) -> Result<String> {
    let items = CellColumn::new("item", items).map(|column| (column, items.len()))?;
    let mut text = String::new();
    for row in 0..items.1 {
        let cell = items.0.get(row)?;
        if cell == Cell::Null {
            continue;
        }
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&cell.to_text());
    }
    Ok(text)
}

fn scalar(array: &ArrayRef, row: usize) -> Result<Cell<'static>> {
    if array.is_null(row) {
        return Ok(Cell::Null);
    }
    Ok(match array.data_type() {
        DataType::Boolean => Cell::Boolean(array.as_boolean().value(row)),
        DataType::Int8 => Cell::Integer(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Cell::Integer(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Cell::Integer(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Cell::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Cell::Integer(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Cell::Integer(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Cell::Integer(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => {
            let value = array.as_primitive::<UInt64Type>().value(row);
            i64::try_from(value).map_or_else(|_| Cell::Text(Cow::Owned(value.to_string())), Cell::Integer)
        }
        DataType::Float16 => Cell::Float(array.as_primitive::<Float16Type>().value(row).to_f64()),
        DataType::Float32 => {
            // By way of its own shortest text: 0.1f32 is 0.1, not 0.10000000149.
            let value = array.as_primitive::<Float32Type>().value(row);
            Cell::Float(value.to_string().parse().unwrap_or(f64::from(value)))
        }
        DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => Cell::Date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Date64 => Cell::DateTime(array.as_primitive::<Date64Type>().value(row).saturating_mul(1000), false),
        DataType::Timestamp(unit, zone) => {
            let micros = match unit {
                TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(row).saturating_mul(1_000_000),
                TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value(row).saturating_mul(1000),
                TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
                TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1000),
            };
            Cell::DateTime(micros, zone.is_some())
        }
        _ => Cell::Text(Cow::Owned(ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default())?.value(row).try_to_string()?)),
    })
}

impl Cell<'_> {
    /// The cell as text: dates in ISO 8601, numbers at their shortest, null as nothing.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Null => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Integer(value) => Cow::Owned(value.to_string()),
            Self::Float(value) => Cow::Owned(value.to_string()),
            Self::Boolean(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Date(days) => Cow::Owned(iso_date(i64::from(*days))),
            Self::DateTime(micros, utc) => Cow::Owned(iso_date_time(*micros, *utc)),
        }
    }
}

/// Days since 1970-01-01 as `YYYY-MM-DD`.
pub fn iso_date(days: i64) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Microseconds since 1970-01-01 as `YYYY-MM-DDTHH:MM:SS`, with a fraction where there is one and a `Z` for UTC.
pub fn iso_date_time(micros: i64, utc: bool) -> String {
    let days = micros.div_euclid(MICROS_PER_DAY);
    let rest = micros.rem_euclid(MICROS_PER_DAY);
    let seconds = rest / 1_000_000;
    let fraction = rest % 1_000_000;
    let mut text = format!("{}T{:02}:{:02}:{:02}", iso_date(days), seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    if utc {
        text.push('Z');
    }
    text
}

/// Year, month and day of a day number since 1970-01-01 (Hinnant's algorithm on years that begin in March).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_iso() {
        assert_eq!(iso_date(0), "1970-01-01");
        assert_eq!(iso_date(-1), "1969-12-31");
        assert_eq!(iso_date(11_016), "2000-02-29");
        assert_eq!(iso_date_time(-1, false), "1969-12-31T23:59:59.999999");
        assert_eq!(iso_date_time(1_700_000_000_500_000, true), "2023-11-14T22:13:20.5Z");
    }
}
