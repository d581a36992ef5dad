use crm_core::Role;

/// Brings a value into the form that golden records show.
pub trait Canonicalizer: Sync {
    /// Writes the canonical form of `text` to `out`, which comes empty; `false` where the value is none at all.
    ///
    /// A cell of a list role may hold several values: they are written with a line feed between them.
    fn canonical(&self, role: Role, text: &str, out: &mut String) -> bool;

    /// The moment that `updated_at` or `created_at` names, comparable with others; `None` where the text names none.
    fn timestamp(&self, text: &str) -> Option<i64>;
}

/// Knows nothing of countries or calendars: trims, joins runs of spaces, and writes e-mail addresses in lower case.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainCanonicalizer;

impl Canonicalizer for PlainCanonicalizer {
    fn canonical(&self, role: Role, text: &str, out: &mut String) -> bool {
        tidy(text, out);
        if role == Role::Email && out.chars().any(char::is_uppercase) {
            *out = out.to_lowercase();
        }
        !out.is_empty()
    }

    fn timestamp(&self, text: &str) -> Option<i64> {
        iso_seconds(text)
    }
}

/// Seconds since 1970 of an ISO 8601 date or date and time (`2024-05-01`, `2024-05-01T12:30:00Z`, `2024-05-01 12:30:00.5+03:00`).
///
/// ```
/// assert_eq!(crm_resolve::merge::iso_seconds("1970-01-02T00:00:01+01:00"), Some(86_401 - 3_600));
/// ```
pub fn iso_seconds(text: &str) -> Option<i64> {
    let bytes = text.trim().as_bytes();
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = bytes.get(range)?;
        digits.iter().all(u8::is_ascii_digit).then(|| digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    };
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let midnight = days_from_civil(year, month, day) * 86_400;
    if bytes.len() == 10 {
        return Some(midnight);
    }
    if !matches!(bytes[10], b'T' | b't' | b' ') {
        return None;
    }
    let (hour, minute) = (number(11..13)?, number(14..16)?);
    let (second, mut at) = if bytes.get(16) == Some(&b':') { (number(17..19)?, 19) } else { (0, 16) };
    if matches!(bytes.get(at), Some(b'.' | b',')) {
        at += 1;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
    }
    while bytes.get(at) == Some(&b' ') {
        at += 1;
    }
    let offset = match bytes.get(at) {
        None | Some(b'Z' | b'z') => 0,
        Some(sign @ (b'+' | b'-')) => {
            let minutes_at = if bytes.get(at + 3) == Some(&b':') { at + 4 } else { at + 3 };
            let seconds = number(at + 1..at + 3)? * 3_600 + number(minutes_at..minutes_at + 2).unwrap_or(0) * 60;
            if *sign == b'+' { seconds } else { -seconds }
        }
        Some(_) => return None,
    };
    Some(midnight + hour * 3_600 + minute * 60 + second - offset)
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's algorithm).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Writes `text` without spaces at its ends and with single ones inside.
pub fn tidy(text: &str, out: &mut String) {
    let bytes = text.as_bytes();
    // Most values are tidy already, which bytes tell: no control, no space at the ends, no two spaces in a row.
    let is_tidy = bytes.is_ascii()
        && bytes.iter().all(|byte| *byte >= b' ')
        && bytes.first() != Some(&b' ')
        && bytes.last() != Some(&b' ')
        && !bytes.windows(2).any(|pair| pair == b"  ");
    if is_tidy {
        out.push_str(text);
        return;
    }
    let mut needs_space = false;
    for part in text.split(|c: char| c.is_whitespace() || c == '\u{feff}').filter(|part| !part.is_empty()) {
        if needs_space {
            out.push(' ');
        }
        out.push_str(part);
        needs_space = true;
    }
}
