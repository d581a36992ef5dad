//! Postcodes in the form that their country writes them.
use super::super::{Reason, ShortText, phone_digit, placeholder_reason};
use super::country::Country;

/// Reads a postcode. With a country its own form is given (`LV-1010`, `SW1A 1AA`, `K1A 0B1`, `1012 AB`, `00-950`), zeros that a spreadsheet dropped are put back
/// (`2138` in the US is `02138`), and a US ZIP+4 is cut to its five digits. Without a country: capitals and digits, the unmistakable forms (British,
/// Canadian, Latvian, ZIP+4) made as if the country were known.
///
/// ```
/// use crm_resolve::normalize::{Country, parse_postcode};
/// assert_eq!(parse_postcode("lv1010", None).unwrap().as_str(), "LV-1010");
/// assert_eq!(parse_postcode("1010", Some(Country(*b"LV"))).unwrap().as_str(), "LV-1010");
/// assert_eq!(parse_postcode("sw1a1aa", None).unwrap().as_str(), "SW1A 1AA");
/// assert_eq!(parse_postcode("2138", Some(Country(*b"US"))).unwrap().as_str(), "02138");
/// ```
pub fn parse_postcode(raw: &str, country: Option<Country>) -> Result<ShortText, Reason> {
    if let Some(reason) = placeholder_reason(raw) {
        return Err(reason);
    }
    // A spreadsheet's decimal point: 101000.0
    let text = raw.trim();
    let text = text.strip_suffix(".0").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())).unwrap_or(text);
    let mut clean = ShortText::default();
    let mut n = 0;
    for c in text.chars() {
        if let Some(digit) = phone_digit(c) {
            clean.push(b'0' + digit);
        } else if c.is_ascii_alphabetic() {
            clean.push(c.to_ascii_uppercase() as u8);
        } else if c.is_alphabetic() {
            match super::super::text::cyrillic_capital_as_latin(c) {
                Some(latin) => clean.push(latin as u8),
                None => return Err(Reason::BadFormat),
            }
        } else {
            continue;
        }
        n += 1;
    }
    if n == 0 || !clean.as_bytes().iter().any(u8::is_ascii_digit) {
        return Err(Reason::NoDigits);
    }
    if clean.as_bytes().iter().all(|&byte| byte == b'0') {
        return Err(Reason::Placeholder);
    }
    if n > 12 {
        return Err(Reason::TooLong);
    }
    if n < 3 {
        return Err(Reason::TooShort);
    }
    let shape = Shape(clean.as_bytes());
    let digits = shape.0.iter().all(u8::is_ascii_digit);
    let country = country.or_else(|| shape.country(text));
    Ok(match country.as_ref().map(Country::as_str) {
        Some("LV") if shape.0.len() == 6 && shape.0.starts_with(b"LV") => joined(&[b"LV-", &shape.0[2..]]),
        Some("LV") if digits && n == 4 => joined(&[b"LV-", shape.0]),
        Some("LT") if digits && n == 5 => joined(&[b"LT-", shape.0]),
        Some("LT") if shape.0.starts_with(b"LT") && n == 7 => joined(&[b"LT-", &shape.0[2..]]),
        Some("US" | "PR") if digits && n == 9 => joined(&[&shape.0[..5]]),
        Some("US" | "PR" | "DE" | "FR" | "ES" | "IT" | "MX" | "TR" | "FI" | "EE" | "HR") if digits && n < 5 => {
            joined(&[&b"00000"[n..], shape.0])
        }
        Some("AU" | "CH" | "AT" | "BE" | "DK" | "NO" | "HU" | "BG") if digits && n == 3 => joined(&[b"0", shape.0]),
        Some("GB") if shape.is_british() => joined(&[&shape.0[..n - 3], b" ", &shape.0[n - 3..]]),
        Some("CA") if shape.is_canadian() => joined(&[&shape.0[..3], b" ", &shape.0[3..]]),
        Some("NL") if n == 6 && shape.0[..4].iter().all(u8::is_ascii_digit) => joined(&[&shape.0[..4], b" ", &shape.0[4..]]),
        Some("PL") if digits && n == 5 => joined(&[&shape.0[..2], b"-", &shape.0[2..]]),
        Some("PT") if digits && n == 7 => joined(&[&shape.0[..4], b"-", &shape.0[4..]]),
        Some("BR") if digits && n == 8 => joined(&[&shape.0[..5], b"-", &shape.0[5..]]),
        Some("JP") if digits && n == 7 => joined(&[&shape.0[..3], b"-", &shape.0[3..]]),
        Some("SE" | "CZ" | "SK" | "GR") if digits && n == 5 => joined(&[&shape.0[..3], b" ", &shape.0[3..]]),
        _ => clean,
    })
}

struct Shape<'a>(&'a [u8]);

impl Shape<'_> {
    fn is(&self, pattern: &str) -> bool {
        self.0.len() == pattern.len()
            && self.0.iter().zip(pattern.bytes()).all(|(byte, kind)| match kind {
                b'9' => byte.is_ascii_digit(),
                _ => byte.is_ascii_alphabetic(),
            })
    }

    fn is_british(&self) -> bool {
        ["A99AA", "A999AA", "AA99AA", "AA999AA", "A9A9AA", "AA9A9AA"].iter().any(|pattern| self.is(pattern))
    }

    fn is_canadian(&self) -> bool {
        self.is("A9A9A9")
    }

    /// The country of an unmistakable form.
    fn country(&self, written: &str) -> Option<Country> {
        if self.0.len() == 6 && self.0.starts_with(b"LV") {
            return Some(Country(*b"LV"));
        }
        if self.0.len() == 7 && self.0.starts_with(b"LT") {
            return Some(Country(*b"LT"));
        }
        if self.is_canadian() {
            return Some(Country(*b"CA"));
        }
        if self.is_british() {
            return Some(Country(*b"GB"));
        }
        if self.is("9999AA") {
            return Some(Country(*b"NL"));
        }
        (self.is("999999999") && written.as_bytes().get(5) == Some(&b'-')).then_some(Country(*b"US"))
    }
}

fn joined(parts: &[&[u8]]) -> ShortText {
    let mut text = ShortText::default();
    parts.iter().flat_map(|part| part.iter()).for_each(|&byte| text.push(byte));
    text
}

/// 0 to 1: how much a cell looks like a postcode: British, Canadian, Latvian forms are strong, five or six digits weak.
pub fn postcode_confidence(raw: &str) -> f32 {
    if raw.trim().len() > 10 {
        return 0.0;
    }
    match parse_postcode(raw, None) {
        Ok(code) => {
            let bytes = code.as_bytes();
            let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
            match bytes.len() {
                _ if bytes.contains(&b' ') || bytes.contains(&b'-') => 0.9,
                5 | 6 if digits == bytes.len() => 0.4,
                4 if digits == 4 => 0.25,
                _ => 0.05,
            }
        }
        Err(_) => 0.0,
    }
}

/// Whether a folded word and what follows it begin with a British postcode (`n76 0zs`). `B2 3rd` is one only where nothing comes behind it.
pub(super) fn begins_british(word: &str, following: &str) -> bool {
    // Few words are so short and have a digit.
    if !(2..=4).contains(&word.len()) || !word.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let next = following.trim_start_matches(' ');
    let end = next.find(|c: char| !c.is_alphanumeric()).unwrap_or(next.len());
    let (inward, behind) = next.split_at(end);
    let is_ordinal = ["st", "nd", "rd", "th"].iter().any(|tail| inward.to_ascii_lowercase().ends_with(tail));
    inward.len() == 3
        && (!is_ordinal || behind.trim_start().is_empty() || behind.trim_start().starts_with(','))
        && Shape([word, inward].concat().as_bytes()).is_british()
}
