//! Telephones, tax ids, postcodes, coordinates, keys.
use super::dates::date_year;
use crate::normalize::{TaxIdKind, TaxIdValidity, parse_phone, parse_tax_id, split_phones};

/// How a text looks as a telephone number: `None` if it does not, otherwise whether it is written as only telephones are.
pub fn phone(text: &str) -> Option<bool> {
    let text = text.trim();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    if !(6..=60).contains(&digits) || letters > 10 || date_year(text).is_some() {
        return None;
    }
    let first = split_phones(text).next().unwrap_or(text);
    let first_digits = first.chars().filter(char::is_ascii_digit).count();
    if !(6..=17).contains(&first_digits) || !text.chars().all(|c| c.is_alphanumeric() || " +-().,;/#*:–—\u{a0}".contains(c)) {
        return None;
    }
    if letters > 0 && !is_labelled(text, first) {
        return None;
    }
    let strong = text.starts_with('+')
        // An area code and a slash, as in German lists: 0341/558291.
        || (first.starts_with('0') && first_digits >= 8 && first.matches('/').count() == 1) || (text.contains('(') && digits >= 7)
        // Groups of digits with separators: 029-555-123, 8 912 345 67 89.
        || (first_digits >= 8 && first.trim().split([' ', '-', '.', '–', '/']).filter(|part| !part.is_empty()).count() >= 3);
    Some(strong)
}

/// Whether the letters in a cell are those of a label, an extension or a word between two numbers.
fn is_labelled(text: &str, first: &str) -> bool {
    const WORDS: [&str; 14] = ["доб", "вн", "ext", "x", "tel", "тел", "mob", "моб", "д", "int", "fax", "ф", "p", "cell"];
    let lower = text.to_lowercase();
    let reads_on = || parse_phone(first, None).is_ok_and(|phone| phone.extension != 0) || first.len() < text.len();
    WORDS.iter().any(|word| lower.contains(word)) || reads_on()
}

/// Whether a tax or registration number has right check digits (or the form of one that has none), and of which kind it is.
pub fn tax_id(text: &str) -> Option<&'static str> {
    let text = text.trim();
    // A label in front belongs to a cell of one's own: a text with digits in it is no number.
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if text.len() > 40 || digits < 8 || text.chars().filter(|c| c.is_alphabetic()).count() > 10 {
        return None;
    }
    let id = parse_tax_id(text).ok().filter(|id| !id.generic)?;
    let has_form = match id.kind {
        TaxIdKind::Ssn => text.contains('-'),
        TaxIdKind::LvPersonalCode => text.find('-') == Some(6),
        TaxIdKind::EuVat => true,
        _ => false,
    };
    let counts = id.validity == TaxIdValidity::Valid || (has_form && id.validity == TaxIdValidity::Unknown);
    counts.then(|| id.kind.title()).flatten()
}

/// How a text looks as a postcode: `None` if it does not, otherwise whether only postcodes are written so.
pub fn postcode(text: &str) -> Option<bool> {
    let text = text.trim();
    if !(3..=10).contains(&text.len()) || !text.is_ascii() {
        return None;
    }
    let pattern: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_digit() {
                '9'
            } else if c.is_ascii_alphabetic() {
                'A'
            } else {
                c
            }
        })
        .collect();
    const STRONG: &[&str] = &[
        "AA-9999",
        "AA-99999",
        "99999-9999",
        "99-999",
        "999 99",
        "9999 AA",
        "9999AA",
        "A9A 9A9",
        "A9A9A9",
        "A9 9AA",
        "A99 9AA",
        "AA9 9AA",
        "AA99 9AA",
        "A9A 9AA",
        "AA9A 9AA",
        "A99AA",
        "A999AA",
        "AA99AA",
        "AA999AA",
        "AA9A9AA",
        "99999-999",
        "999-9999",
        "A-9999",
        "9999-999",
        "AA9999AA",
    ];
    if STRONG.contains(&pattern.as_str()) {
        return Some(true);
    }
    ((3..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(false)
}

/// Whether it is a decimal number, its value, and how many digits stand behind the point.
pub fn decimal(text: &str) -> Option<(f64, usize)> {
    let text = text.trim();
    let value: f64 = text.replacen(',', ".", 1).parse().ok()?;
    let digits = text.rsplit_once(['.', ',']).map_or(0, |(_, fraction)| fraction.len());
    value.is_finite().then_some((value, digits))
}

/// Whether it is an identifier made by a machine: a UUID, or letters and a serial number (`K-10001`, `r000017`).
pub fn is_machine_key(text: &str) -> bool {
    let text = text.trim();
    if text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() })
    {
        return true;
    }
    if (15..=18).contains(&text.len())
        && text.starts_with("00")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
    {
        return true;
    }
    let letters = text.bytes().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let rest = text[letters..].trim_start_matches(['-', '_', '#', ':']);
    (1..=6).contains(&letters) && rest.len() >= 3 && rest.len() <= 14 && rest.bytes().all(|byte| byte.is_ascii_digit())
}
