//! Telephones, tax ids, postcodes, coordinates, keys.
use super::dates::date_year;

/// How a text looks as a telephone number: `None` if it does not, otherwise whether it is written as only telephones are.
pub fn phone(text: &str) -> Option<bool> {
    let text = text.trim();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    if !(6..=40).contains(&digits) || letters > 8 || date_year(text).is_some() {
        return None;
    }
    let first = text.split([',', ';', '/']).next().unwrap_or(text);
    let first_digits = first.chars().filter(char::is_ascii_digit).count();
    if !(6..=17).contains(&first_digits) || !text.chars().all(|c| c.is_alphanumeric() || " +-().,;/#*:–—\u{a0}".contains(c)) {
        return None;
    }
    if letters > 0
        && !["доб", "вн", "ext", "x", "tel", "тел", "mob", "моб", "д", "int", "fax", "ф", "p"]
            .iter()
            .any(|word| text.to_lowercase().contains(word))
    {
        return None;
    }
    let strong = text.starts_with('+') || (text.contains('(') && digits >= 7)
        // Groups of digits with separators: 029-555-123, 8 912 345 67 89.
        || (first_digits >= 8 && first.trim().split([' ', '-', '.', '–']).filter(|part| !part.is_empty()).count() >= 3);
    Some(strong)
}

/// Whether a tax or registration number has right check digits, and of which kind it is.
pub fn tax_id(text: &str) -> Option<&'static str> {
    let trimmed = text.trim();
    let digits: Vec<u32> = trimmed.chars().filter_map(|c| c.to_digit(10)).collect();
    let other: String = trimmed.chars().filter(|c| !c.is_ascii_digit() && !matches!(c, ' ' | '-' | '.')).collect();
    let weighted = |weights: &[u32]| digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum::<u32>();
    let dashes = trimmed.bytes().filter(|byte| *byte == b'-').count();
    if other.is_empty() {
        if digits.len() == 10 && dashes == 0 && weighted(&[2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digits[9] {
            return Some("INN");
        }
        if digits.len() == 12
            && weighted(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digits[10]
            && weighted(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digits[11]
        {
            return Some("INN");
        }
        if digits.len() == 11 && dashes <= 1 {
            if matches!(digits[0], 4 | 5 | 9) && (weighted(&[9, 1, 4, 8, 3, 10, 2, 5, 7, 6]) + digits[10]) % 11 == 3 {
                return Some("Latvian registration number");
            }
            let personal = (1101 - weighted(&[1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) as i64).rem_euclid(11) % 10 == i64::from(digits[10]);
            if dashes == 1 && trimmed.find('-') == Some(6) && (personal || digits[..2] == [3, 2]) {
                return Some("Latvian personal code");
            }
            if dashes == 0
                && (weighted(&[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) + digits[10]).is_multiple_of(10)
                && (1..=92).contains(&(digits[2] * 10 + digits[3]))
            {
                return Some("PESEL");
            }
        }
        if digits.len() == 9 && dashes == 2 && trimmed.len() == 11 && trimmed.find('-') == Some(3) {
            return Some("SSN");
        }
        return None;
    }
    let upper = trimmed.to_uppercase();
    const VAT: &[&str] = &[
        "LV", "LT", "EE", "DE", "FR", "PL", "ATU", "BE", "NL", "ES", "IT", "SE", "FI", "DK", "CZ", "SK", "GB", "IE", "PT", "HU", "RO",
        "BG", "HR", "SI", "EL", "CY", "LU", "MT",
    ];
    let starts = VAT.iter().any(|prefix| upper.starts_with(prefix));
    (starts && (8..=12).contains(&digits.len()) && other.chars().count() <= 4).then_some("VAT number")
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
