//! VAT numbers of European states: forms, and check digits where the state publishes them.
use super::super::ShortText;
use super::TaxIdValidity;
use super::checks::{luhn, mod_11_10, weighted};

/// Greece writes EL; GR is the same country.
pub(super) fn canonical(text: ShortText) -> ShortText {
    match text.as_str().strip_prefix("GR") {
        Some(rest) => {
            let mut greek = ShortText::new("EL");
            rest.bytes().for_each(|byte| greek.push(byte));
            greek
        }
        None => text,
    }
}

fn verdict(ok: bool) -> Option<TaxIdValidity> {
    Some(if ok { TaxIdValidity::Valid } else { TaxIdValidity::Invalid })
}

/// Whether `text` (country prefix and number, capitals) is a VAT number: `None` when it has not the form of one.
pub(super) fn check(text: &ShortText) -> Option<TaxIdValidity> {
    let bytes = text.as_bytes();
    let (prefix, rest) = bytes.split_at(2.min(bytes.len()));
    let mut digits = [0u8; 16];
    let all_digits = rest.len() <= 16 && rest.iter().all(u8::is_ascii_digit);
    if all_digits {
        for (digit, byte) in digits.iter_mut().zip(rest) {
            *digit = byte - b'0';
        }
    }
    let d = &digits[..rest.len().min(16)];
    let value = |part: &[u8]| part.iter().fold(0u64, |number, &digit| number * 10 + u64::from(digit));
    let last = || u32::from(*d.last().unwrap_or(&0));
    let len = rest.len();
    match prefix {
        b"AT" if len == 9 && rest[0] == b'U' && rest[1..].iter().all(u8::is_ascii_digit) => {
            let sum: u32 = (1..8)
                .map(|place| {
                    let digit = u32::from(rest[place] - b'0') * if place % 2 == 0 { 2 } else { 1 };
                    digit / 10 + digit % 10
                })
                .sum();
            verdict((96 - sum) % 10 == u32::from(rest[8] - b'0'))
        }
        b"BE" if all_digits && (len == 10 || len == 9) => verdict(97 - value(&d[..len - 2]) % 97 == value(&d[len - 2..])),
        b"BG" if all_digits && (len == 9 || len == 10) => Some(TaxIdValidity::Unknown),
        b"CY" if len == 9 && rest[..8].iter().all(u8::is_ascii_digit) && rest[8].is_ascii_alphabetic() => Some(TaxIdValidity::Unknown),
        b"CZ" if all_digits && len == 8 => {
            let check = (11 - weighted(&d[..7], &[8, 7, 6, 5, 4, 3, 2]) % 11) % 11 % 10;
            verdict(check == last())
        }
        b"CZ" if all_digits && (len == 9 || len == 10) => Some(TaxIdValidity::Unknown),
        b"DE" if all_digits && len == 9 => verdict(d[0] != 0 && mod_11_10(d)),
        b"DK" if all_digits && len == 8 => verdict(weighted(d, &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)),
        b"EE" if all_digits && len == 9 => verdict((10 - weighted(&d[..8], &[3, 7, 1, 3, 7, 1, 3, 7]) % 10) % 10 == last()),
        b"EL" | b"GR" if all_digits && len == 9 => verdict(weighted(&d[..8], &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == last()),
        b"ES" if len == 9 && rest[1..8].iter().all(u8::is_ascii_digit) => spanish(rest),
        b"FI" if all_digits && len == 8 => verdict((11 - weighted(&d[..7], &[7, 9, 10, 5, 8, 4, 2]) % 11) % 11 == last()),
        b"FR" if len == 11 && rest[2..].iter().all(u8::is_ascii_digit) => {
            if !all_digits {
                return Some(TaxIdValidity::Unknown);
            }
            let siren = value(&d[2..]);
            verdict((12 + 3 * (siren % 97)) % 97 == value(&d[..2]))
        }
        b"GB" | b"XI" if all_digits && (len == 9 || len == 12) => {
            let sum = weighted(&d[..7], &[8, 7, 6, 5, 4, 3, 2]) + value(&d[7..9]) as u32;
            verdict(sum.is_multiple_of(97) || (sum + 55).is_multiple_of(97))
        }
        b"HR" if all_digits && len == 11 => verdict(mod_11_10(d)),
        b"HU" if all_digits && len == 8 => verdict((10 - weighted(&d[..7], &[9, 7, 3, 1, 9, 7, 3]) % 10) % 10 == last()),
        b"IE" if (len == 8 || len == 9) && rest[2..7].iter().all(u8::is_ascii_digit) => Some(irish(rest)),
        b"IT" if all_digits && len == 11 => verdict(luhn(d)),
        b"LT" if all_digits && (len == 9 || len == 12) => Some(lithuanian(d)),
        b"LU" if all_digits && len == 8 => verdict(value(&d[..6]) % 89 == value(&d[6..])),
        b"MT" if all_digits && len == 8 => verdict(37 - weighted(&d[..6], &[3, 4, 6, 7, 8, 9]) % 37 == value(&d[6..]) as u32),
        b"NL" if len == 12 && rest[9] == b'B' && rest[..9].iter().all(u8::is_ascii_digit) => Some(dutch(rest)),
        b"PL" if all_digits && len == 10 => verdict(weighted(&d[..9], &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == last()),
        b"PT" if all_digits && len == 9 => {
            let check = 11 - weighted(&d[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
            verdict((if check > 9 { 0 } else { check }) == last())
        }
        b"RO" if all_digits && (2..=10).contains(&len) => {
            let mut padded = [0u8; 10];
            padded[10 - len..].copy_from_slice(d);
            verdict(weighted(&padded[..9], &[7, 5, 3, 2, 1, 7, 5, 3, 2]) * 10 % 11 % 10 == last())
        }
        b"SE" if all_digits && len == 12 => verdict(luhn(&d[..10]) && d[10..] == [0, 1]),
        b"SI" if all_digits && len == 8 => {
            let check = 11 - weighted(&d[..7], &[8, 7, 6, 5, 4, 3, 2]) % 11;
            verdict(d[0] != 0 && check != 11 && check % 10 == last())
        }
        b"SK" if all_digits && len == 10 => verdict(value(d) % 11 == 0),
        b"NO" if len >= 9 && rest[..9].iter().all(u8::is_ascii_digit) && matches!(&rest[9..], b"" | b"MVA") => {
            let number: [u8; 9] = std::array::from_fn(|place| rest[place] - b'0');
            verdict((11 - weighted(&number[..8], &[3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11 == u32::from(number[8]))
        }
        b"CH" if len >= 10 && rest[0] == b'E' && rest[1..10].iter().all(u8::is_ascii_digit) => {
            let number: [u8; 9] = std::array::from_fn(|place| rest[place + 1] - b'0');
            verdict((11 - weighted(&number[..8], &[5, 4, 3, 2, 7, 6, 5, 4]) % 11) % 11 == u32::from(number[8]))
        }
        _ => None,
    }
}

fn spanish(rest: &[u8]) -> Option<TaxIdValidity> {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let number = rest[1..8].iter().fold(0u32, |number, byte| number * 10 + u32::from(byte - b'0'));
    match rest[0] {
        first @ (b'0'..=b'9' | b'X' | b'Y' | b'Z') => {
            let lead = match first {
                b'X' | b'Y' | b'Z' => u32::from(first - b'X'),
                digit => u32::from(digit - b'0'),
            };
            verdict(LETTERS[((lead * 10_000_000 + number) % 23) as usize] == rest[8])
        }
        b'A'..=b'W' => {
            let sum: u32 = rest[1..8]
                .iter()
                .enumerate()
                .map(|(place, byte)| {
                    let digit = u32::from(byte - b'0') * if place % 2 == 0 { 2 } else { 1 };
                    digit / 10 + digit % 10
                })
                .sum();
            let check = (10 - sum % 10) % 10;
            verdict(rest[8] == b'0' + check as u8 || rest[8] == b"JABCDEFGHI"[check as usize])
        }
        _ => None,
    }
}

fn irish(rest: &[u8]) -> TaxIdValidity {
    if !rest[..7].iter().all(u8::is_ascii_digit) {
        return TaxIdValidity::Unknown;
    }
    let digits: [u8; 7] = std::array::from_fn(|place| rest[place] - b'0');
    let extra = rest.get(8).map_or(0, |&byte| if byte.is_ascii_uppercase() && byte != b'W' { u32::from(byte - b'@') * 9 } else { 0 });
    let check = (weighted(&digits, &[8, 7, 6, 5, 4, 3, 2]) + extra) % 23;
    if b"WABCDEFGHIJKLMNOPQRSTUV"[check as usize] == rest[7] { TaxIdValidity::Valid } else { TaxIdValidity::Invalid }
}

fn lithuanian(d: &[u8]) -> TaxIdValidity {
    let (number, &check) = (&d[..d.len() - 1], d.last().unwrap_or(&0));
    let by = |shift: usize| {
        number.iter().enumerate().map(|(place, &digit)| u32::from(digit) * (((place + shift) % 9) as u32 + 1)).sum::<u32>() % 11
    };
    let mut found = by(0);
    if found == 10 {
        found = by(2) % 10;
    }
    if found == u32::from(check) { TaxIdValidity::Valid } else { TaxIdValidity::Invalid }
}

/// The old check over nine digits, or ISO 7064 MOD 97-10 over the whole for sole traders since 2020.
fn dutch(rest: &[u8]) -> TaxIdValidity {
    let digits: [u8; 9] = std::array::from_fn(|place| rest[place] - b'0');
    if weighted(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 == u32::from(digits[8]) {
        return TaxIdValidity::Valid;
    }
    let mut remainder = 0u64;
    for &byte in b"NL".iter().chain(rest) {
        let value = if byte.is_ascii_digit() { u64::from(byte - b'0') } else { u64::from(byte - b'A') + 10 };
        remainder = (remainder * if value > 9 { 100 } else { 10 } + value) % 97;
    }
    if remainder == 1 { TaxIdValidity::Valid } else { TaxIdValidity::Invalid }
}
