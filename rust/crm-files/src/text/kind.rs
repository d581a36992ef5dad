//! What a cell looks like, judged by its characters alone: evidence for dialect and header, never a conversion.

use crate::spreadsheet_text::formula_text;

/// The looks of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Empty,
    /// Digits, signs, group and decimal separators, a currency or percent sign.
    Number,
    /// Dates and times written with digits.
    Date,
    Email,
    Url,
    /// Seven digits and more with the punctuation of phone numbers.
    Phone,
    /// A code of letters and digits without blanks: `A-1002`, a UUID.
    Code,
    /// Words.
    Text,
    /// Anything else: stray quotes, structured text, several delimiters.
    Other,
}

impl Kind {
    /// Whether a header would hardly look like this.
    pub(super) fn is_value(self) -> bool {
        matches!(self, Self::Number | Self::Date | Self::Email | Self::Url | Self::Phone)
    }

    /// How much it speaks for the cell having been cut out rightly, 0 to 1.
    pub(super) fn weight(self) -> f64 {
        match self {
            Self::Number | Self::Date | Self::Email | Self::Url | Self::Phone => 1.0,
            Self::Code => 0.9,
            Self::Text => 0.85,
            Self::Empty => 0.7,
            Self::Other => 0.1,
        }
    }
}

/// The looks of `cell`, blanks around it aside.
pub(super) fn kind_of(cell: &[u8]) -> Kind {
    let cell = formula_text(cell.trim_ascii()).unwrap_or(cell).trim_ascii();
    if cell.is_empty() {
        return Kind::Empty;
    }
    if cell.len() > 4096 {
        return Kind::Text;
    }
    let (mut digits, mut letters, mut blanks, mut at_signs, mut odd) = (0_usize, 0_usize, 0_usize, 0_usize, 0_usize);
    let (mut separators, mut quotes, mut slashes, mut colons) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut tight = 0_usize;
    for (idx, &byte) in cell.iter().enumerate() {
        // A separator that no blank follows, and no digits surround, rather divides cells than words.
        if matches!(byte, b',' | b';' | b'|' | b'\t') && idx > 0 {
            let (before, after) = (cell[idx - 1], cell.get(idx + 1).copied().unwrap_or(b' '));
            tight += usize::from(!(after == b' ' || after == b'\n' || before.is_ascii_digit() && after.is_ascii_digit()));
        }
        match byte {
            b'0'..=b'9' => digits += 1,
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => letters += 1,
            b' ' => blanks += 1,
            b'@' => at_signs += 1,
            b'"' => quotes += 1,
            b',' | b'.' | b'-' | b'+' | b'(' | b')' => separators += 1,
            b'/' => slashes += 1,
            b':' => colons += 1,
            b'\'' | b'_' | b'&' | b'#' | b'%' | b'!' | b'?' | b'*' | b'$' | b'\n' | b'\r' | b'[' | b']' | b'=' => {}
            _ => odd += 1,
        }
    }
    if letters == 0 && digits > 0 && odd == 0 && quotes == 0 && at_signs == 0 {
        return if is_date(cell) {
            Kind::Date
        } else if is_number(cell) {
            Kind::Number
        } else if (7..=15).contains(&digits) && slashes == 0 && colons == 0 && cell.len() <= 24 {
            Kind::Phone
        } else if slashes + colons + separators > 0 && cell.len() < 40 {
            Kind::Code
        } else {
            Kind::Other
        };
    }
    if at_signs == 1 && blanks == 0 && quotes == 0 && odd == 0 && is_email(cell) {
        return Kind::Email;
    }
    let lower = |prefix: &[u8]| cell.len() >= prefix.len() && cell[..prefix.len()].eq_ignore_ascii_case(prefix);
    if blanks == 0 && (lower(b"http://") || lower(b"https://") || lower(b"ftp://") || lower(b"www.")) {
        return Kind::Url;
    }
    if is_amount(cell) {
        return Kind::Number;
    }
    if is_iso_timestamp(cell) {
        return Kind::Date;
    }
    if quotes > 0 && (cell.first() == Some(&b'"') || cell.last() == Some(&b'"') || quotes % 2 == 1) {
        return Kind::Other;
    }
    if tight > 0 || odd > 0 && odd * 8 > cell.len() {
        return Kind::Other;
    }
    if blanks == 0 && digits > 0 && letters > 0 && odd == 0 {
        return Kind::Code;
    }
    if letters > 0 { Kind::Text } else { Kind::Other }
}

fn is_email(cell: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', cell) else { return false };
    let domain = &cell[at + 1..];
    let is_plain = !cell.iter().any(|byte| matches!(byte, b',' | b'(' | b')' | b'[' | b']' | b':'));
    is_plain && at > 0 && memchr::memchr(b'.', domain).is_some_and(|dot| dot > 0 && dot + 1 < domain.len())
}

/// Digits with group separators and one decimal separator, perhaps signed, perhaps with an exponent.
fn is_number(cell: &[u8]) -> bool {
    let body = match cell {
        [b'+' | b'-', rest @ ..] => rest,
        [b'(', rest @ .., b')'] => rest,
        _ => cell,
    };
    let body = body.strip_suffix(b"%").unwrap_or(body).trim_ascii();
    let body = body.strip_prefix(b"$").unwrap_or(body).trim_ascii();
    if body.is_empty() || !body.last().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return false;
    }
    // Groups: "1 234,56", "1,234.56", "1.234,56", "1'234": all separators but the last kind stand before three digits.
    let parts: Vec<&[u8]> = body.split(|byte| matches!(byte, b',' | b'.' | b' ' | b'\'')).collect();
    if parts.iter().any(|part| !part.iter().all(u8::is_ascii_digit)) {
        return false;
    }
    match parts.len() {
        1 => true,
        2 => parts.iter().any(|part| !part.is_empty()) && (!body.contains(&b' ') || parts[1].len() == 3),
        n => (1..=3).contains(&parts[0].len()) && parts[1..n - 1].iter().all(|part| part.len() == 3),
    }
}

/// A number with letters in it: an exponent, or a currency before or behind.
fn is_amount(cell: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(cell) else { return false };
    const CURRENCIES: [&str; 16] = ["€", "£", "¥", "₽", "$", "EUR", "USD", "GBP", "RUB", "руб.", "руб", "р.", "PLN", "CHF", "SEK", "zł"];
    for currency in CURRENCIES {
        if let Some(rest) = text.strip_prefix(currency).or_else(|| text.strip_suffix(currency)) {
            return is_number(rest.trim().replace(['\u{a0}', '\u{202f}'], " ").as_bytes());
        }
    }
    if text.contains(['\u{a0}', '\u{202f}', '\u{2212}']) {
        return is_number(text.replace(['\u{a0}', '\u{202f}'], " ").replace('\u{2212}', "-").as_bytes());
    }
    if let Some((mantissa, exponent)) = text.split_once(['e', 'E']) {
        let digits = exponent.trim_start_matches(['+', '-']);
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && is_number(mantissa.as_bytes());
    }
    false
}

/// Two or three groups of digits joined by one of `.-/`, a time with colons, or both.
fn is_date(cell: &[u8]) -> bool {
    let mut parts = cell.split(|byte| matches!(byte, b' ' | b'T')).filter(|part| !part.is_empty());
    let (Some(first), second, None) = (parts.next(), parts.next(), parts.next()) else { return false };
    match second {
        None => is_day(first) || is_time(first),
        Some(second) => is_day(first) && is_time(second),
    }
}

fn is_day(text: &[u8]) -> bool {
    let Some(separator) = text.iter().find(|byte| !byte.is_ascii_digit()) else { return false };
    if !matches!(separator, b'.' | b'-' | b'/') {
        return false;
    }
    let groups: Vec<&[u8]> = text.split(|byte| byte == separator).collect();
    let all_digits = groups.iter().all(|group| !group.is_empty() && group.iter().all(u8::is_ascii_digit));
    all_digits
        && groups.len() == 3
        && (groups[0].len() == 4 && groups[1].len() <= 2 && groups[2].len() <= 2
            || groups[0].len() <= 2 && groups[1].len() <= 2 && matches!(groups[2].len(), 2 | 4))
}

fn is_time(text: &[u8]) -> bool {
    let text = text.split(|byte| *byte == b'+').next().unwrap_or(text);
    let (text, fraction) = match memchr::memchr(b'.', text) {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &b""[..]),
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let groups: Vec<&[u8]> = text.split(|byte| *byte == b':').collect();
    matches!(groups.len(), 2 | 3) && groups.iter().all(|group| (1..=2).contains(&group.len()) && group.iter().all(u8::is_ascii_digit))
}

/// `2024-03-01T10:00:00Z` and times with AM or PM.
fn is_iso_timestamp(cell: &[u8]) -> bool {
    let upper = cell.to_ascii_uppercase();
    let text = upper.as_slice();
    let text = text.strip_suffix(b"Z").or_else(|| text.strip_suffix(b" AM")).or_else(|| text.strip_suffix(b" PM")).unwrap_or(text);
    let text = text.strip_suffix(b"AM").or_else(|| text.strip_suffix(b"PM")).unwrap_or(text);
    text.len() < 40 && text.first().is_some_and(u8::is_ascii_digit) && is_date(text.trim_ascii())
}
