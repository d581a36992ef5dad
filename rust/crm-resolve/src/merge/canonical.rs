use crm_core::Role;

use crate::normalize::Date;

pub const MICROS: i64 = 1_000_000;
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS;

/// Brings a value into the form that golden records show; sources differ in their conventions, hence the layout's place.
pub trait Canonicalizer: Sync {
    /// The canonical form of `text`, in `text` itself where it is canonical already or else written to `buffer`, which comes empty; `None`
    /// where the value is none at all.
    ///
    /// A cell of a list role may hold several values: they come with a line feed between them.
    fn canonical<'a>(&self, layout: usize, role: Role, text: &'a str, buffer: &'a mut String) -> Option<&'a str>;

    /// The moment that `updated_at` or `created_at` names, in microseconds since 1970; `None` where the text names none.
    fn timestamp(&self, layout: usize, text: &str) -> Option<i64>;
}

/// Knows nothing of countries or calendars: trims, joins runs of spaces, and writes e-mail addresses in lower case.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainCanonicalizer;

impl Canonicalizer for PlainCanonicalizer {
    fn canonical<'a>(&self, _layout: usize, role: Role, text: &'a str, buffer: &'a mut String) -> Option<&'a str> {
        if role == Role::Email && text.chars().any(char::is_uppercase) {
            *buffer = tidy(text, &mut String::new())?.to_lowercase();
            return Some(buffer);
        }
        tidy(text, buffer)
    }

    fn timestamp(&self, _layout: usize, text: &str) -> Option<i64> {
        iso_micros(text)
    }
}

/// Microseconds since 1970 of an ISO 8601 date or date and time (`2024-05-01`, `2024-05-01T12:30:00Z`, `2024-05-01 12:30:00.5+03:00`); `None` for
/// all else, also for days and hours that there are not. Digits beyond the microsecond are cut off.
///
/// ```
/// assert_eq!(crm_resolve::merge::iso_micros("1970-01-02T00:00:01.5+01:00"), Some((86_401 - 3_600) * 1_000_000 + 500_000));
/// ```
pub fn iso_micros(text: &str) -> Option<i64> {
    let bytes = text.trim().as_bytes();
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = bytes.get(range)?;
        digits.iter().all(u8::is_ascii_digit).then(|| digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    };
    let is_at = |at: usize, mark: u8| bytes.get(at) == Some(&mark);
    if !is_at(4, b'-') || !is_at(7, b'-') {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let midnight = i64::from(Date::new(year as i32, month as u32, day as u32)?.0) * MICROS_PER_DAY;
    if bytes.len() == 10 {
        return Some(midnight);
    }
    if !matches!(bytes[10], b'T' | b't' | b' ') || !is_at(13, b':') {
        return None;
    }
    let (hour, minute) = (number(11..13)?, number(14..16)?);
    let (second, mut at) = if is_at(16, b':') { (number(17..19)?, 19) } else { (0, 16) };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut micros = ((hour * 60 + minute) * 60 + second) * MICROS;
    if matches!(bytes.get(at), Some(b'.' | b',')) {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        micros += number(at + 1..at + 1 + digits.min(6))? * 10i64.pow(6 - digits.min(6) as u32);
        at += 1 + digits;
    }
    while is_at(at, b' ') {
        at += 1;
    }
    let (offset, end) = match bytes.get(at) {
        None => (0, at),
        Some(b'Z' | b'z') => (0, at + 1),
        Some(sign @ (b'+' | b'-')) => {
            let hours = number(at + 1..at + 3)?;
            let colon = usize::from(is_at(at + 3, b':'));
            let has_minutes = colon == 1 || bytes.len() > at + 3;
            let (minutes, end) = if has_minutes { (number(at + 3 + colon..at + 5 + colon)?, at + 5 + colon) } else { (0, at + 3) };
            if hours > 15 || minutes > 59 {
                return None;
            }
            let offset = (hours * 60 + minutes) * 60 * MICROS;
            (if *sign == b'+' { offset } else { -offset }, end)
        }
        Some(_) => return None,
    };
    (end == bytes.len()).then_some(midnight + micros - offset)
}

/// `text` without spaces at its ends and with single ones inside, `None` where nothing is left.
pub fn tidy<'a>(text: &'a str, buffer: &'a mut String) -> Option<&'a str> {
    if is_tidy(text.as_bytes()) {
        return (!text.is_empty()).then_some(text);
    }
    buffer.clear();
    for part in text.split(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}').filter(|part| !part.is_empty()) {
        if !buffer.is_empty() {
            buffer.push(' ');
        }
        buffer.push_str(part);
    }
    (!buffer.is_empty()).then_some(buffer.as_str())
}

/// Whether there is surely nothing to tidy: no control, no space at the ends, no two in a row, no byte that may begin a special space.
fn is_tidy(bytes: &[u8]) -> bool {
    if bytes.is_ascii() { is_tidy_ascii(bytes) } else { is_tidy_text(bytes) }
}

/// Eight bytes at a time; no byte has its high bit set, so that sums do not carry from one into the next.
fn is_tidy_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const fn each(byte: u8) -> u64 {
        byte as u64 * 0x0101_0101_0101_0101
    }
    let mut last_was_space = 1;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        // The high bit of each byte of: "at least a space", "more than a space", "no delete".
        let printable = word + each(0x80 - 0x20);
        let above = word + each(0x80 - 0x21);
        let delete = word + each(1);
        let spaces = printable & !above & HIGH;
        if printable & HIGH != HIGH || delete & HIGH != 0 || spaces & (spaces << 8 | last_was_space << 7) != 0 {
            return false;
        }
        last_was_space = spaces >> 63;
    }
    let mut last = if last_was_space == 1 { b' ' } else { b'x' };
    for byte in rest {
        if *byte < b' ' || *byte == 0x7f || (*byte == b' ' && last == b' ') {
            return false;
        }
        last = *byte;
    }
    bytes.is_empty() || last != b' '
}

fn is_tidy_text(bytes: &[u8]) -> bool {
    let mut last = b' ';
    for byte in bytes {
        if *byte < b' ' || (*byte == b' ' && last == b' ') || matches!(*byte, 0x7f | 0xc2 | 0xe1 | 0xe2 | 0xe3 | 0xef) {
            return false;
        }
        last = *byte;
    }
    last != b' '
}

/// Whether a cell holds nothing that anyone would see.
pub fn is_blank(text: &str) -> bool {
    match text.as_bytes().first() {
        None => true,
        Some(b'!'..=b'~' | 0xc3..=0xdf) => false,
        Some(_) => text.trim().is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_of_eight_bytes_agree_with_single_bytes(text in "[ab~\x1f\x7f ]{0,30}") {
            let by_byte = text.is_empty() || is_tidy_text(text.as_bytes());
            prop_assert_eq!(is_tidy_ascii(text.as_bytes()), by_byte);
        }
    }

    #[test]
    fn spaces_of_all_kinds_are_tidied() {
        for (text, expected) in [
            ("", None),
            ("  ", None),
            ("a b", Some("a b")),
            (" a\u{a0}\u{2009} b\t", Some("a b")),
            ("Анна  Ивановна", Some("Анна Ивановна")),
            ("\u{feff}x", Some("x")),
            ("Āboliņš", Some("Āboliņš")),
        ] {
            assert_eq!(tidy(text, &mut String::new()), expected, "{text:?}");
        }
    }

    #[test]
    fn moments_are_comparable_across_offsets() {
        assert_eq!(iso_micros("2024-02-29"), Some(1_709_164_800_000_000));
        assert_eq!(iso_micros("2024-02-29T12:00:00.25+03:00"), Some((1_709_164_800 + 9 * 3_600) * MICROS + 250_000));
        assert!(iso_micros("2024-01-01T10:00:00.100Z") < iso_micros("2024-01-01T10:00:00.900Z"));
        for same in [
            "2024-01-01T10:00Z",
            "2024-01-01 10:00:00,0000001",
            "2024-01-01T13:00+03",
            "2024-01-01 13:00:00 +0300",
            "2024-01-01T09:30:00-00:30",
        ] {
            assert_eq!(iso_micros(same), iso_micros("2024-01-01T10:00:00Z"), "{same}");
        }
        for text in [
            "",
            "29.02.2024",
            "2024-13-01",
            "2024-02-31",
            "2023-02-29",
            "2024-01-01x",
            "2024-01-01T",
            "2024-05-01T10:00Zfoo",
            "2024-05-01T10x00",
            "2024-05-01T25:00",
            "2024-05-01T10:61",
            "2024-05-01T10:00+03:xx",
            "2024-05-01T10:00+03:00x",
            "2024-05-01T10:00:00.",
        ] {
            assert_eq!(iso_micros(text), None, "{text}");
        }
    }
}
