//! What a spreadsheet can hold in a cell: serial numbers of dates, numbers that stay as they are, texts of a certain length.
use super::sheet_style::Kind;

/// UTF-16 units that a cell can hold.
pub(super) const MAX_CELL_UNITS: usize = 32_767;
/// Days from 1899-12-30, where spreadsheets count from, to 1970-01-01.
const EPOCH_DAYS: f64 = 25_569.0;
/// The first serial number that all spreadsheets take for the same date: 1900-03-01.
const FIRST_SAFE_SERIAL: f64 = 61.0;

/// The number that a text is, if a spreadsheet shows it as the same text: no leading zero, no plus, at most 15 digits.
pub(super) fn plain_number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain =
        is_digits(whole) && is_digits(decimals) && (whole == "0" || !whole.starts_with('0')) && whole.len() + decimals.len() <= 16;
    if is_plain { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

/// The serial number of an ISO date or moment without a zone, and which of the two it is.
pub(super) fn iso_serial(text: &str) -> Option<(f64, Kind)> {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = bytes.get(range)?;
        digits.iter().all(u8::is_ascii_digit).then(|| digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    };
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let days = days_from_civil(number(0..4)?, number(5..7)?, number(8..10)?)?;
    if bytes.len() == 10 {
        return serial(days as f64).map(|serial| (serial, Kind::Date));
    }
    let is_moment = bytes.len() == 19 && matches!(bytes[10], b'T' | b' ') && bytes[13] == b':' && bytes[16] == b':';
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !is_moment || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = hour * 3_600 + minute * 60 + second;
    serial(days as f64 + seconds as f64 / 86_400.0).map(|serial| (serial, Kind::DateTime))
}

/// Days since 1970-01-01 of a day that the calendar has (Hinnant's algorithm on years that begin in March).
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month - 1).ok()?)?;
    if !(1..=length).contains(&day) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

/// The serial number of a day since 1970, if every spreadsheet agrees on it.
pub(super) fn serial(days: f64) -> Option<f64> {
    let serial = days + EPOCH_DAYS;
    (FIRST_SAFE_SERIAL..2_958_466.0).contains(&serial).then_some(serial)
}

/// As much of `text` as a cell holds, and whether that is all.
pub(super) fn cut(text: &str) -> (&str, bool) {
    if text.len() <= MAX_CELL_UNITS {
        return (text, true);
    }
    let mut units = 0;
    for (index, character) in text.char_indices() {
        units += character.len_utf16();
        if units > MAX_CELL_UNITS {
            return (&text[..index], false);
        }
    }
    (text, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::iso_date;

    #[test]
    fn iso_texts_become_serial_numbers() {
        assert_eq!(iso_serial("1970-01-01"), Some((25_569.0, Kind::Date)));
        assert_eq!(iso_serial("2024-02-29T12:00:00"), Some((45_351.5, Kind::DateTime)));
        for text in ["2023-02-29", "2024-13-01", "2024-1-1", "01.05.2024", "2024-05-01T25:00:00", "2024-05-01T10:00:00Z", "1899-12-31"] {
            assert_eq!(iso_serial(text), None, "{text}");
        }
        for days in (-25_000..60_000).step_by(17) {
            let text = iso_date(days);
            assert_eq!(iso_serial(&text).map(|(serial, _)| serial), serial(days as f64), "{text}");
        }
    }

    #[test]
    fn only_numbers_that_stay_as_they_are_become_numbers() {
        for (text, expected) in [("12", Some(12.0)), ("-0.5", Some(-0.5)), ("0", Some(0.0))] {
            assert_eq!(plain_number(text), expected, "{text}");
        }
        for text in ["007", "+1", "1e5", "", "-", "1.", ".5", "12345678901234567", "1 000"] {
            assert_eq!(plain_number(text), None, "{text}");
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = "😀".repeat(20_000);
        let (kept, whole) = cut(&text);
        assert_eq!((kept.encode_utf16().count(), whole), (32_766, false));
    }
}
