//! Check digits.

/// The weighted sum of digits.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(&digit, weight)| u32::from(digit) * weight).sum()
}

/// OGRN and OGRNIP: the number before the last digit, modulo 11 or 13, last digit of that.
pub(super) fn ogrn_ok(digits: &[u8]) -> bool {
    let Some((&check, number)) = digits.split_last() else { return false };
    let number = number.iter().fold(0u64, |number, &digit| number * 10 + u64::from(digit));
    let modulus = if digits.len() == 13 { 11 } else { 13 };
    number % modulus % 10 == u64::from(check)
}

pub(super) fn snils_ok(digits: &[u8]) -> bool {
    let sum = weighted(&digits[..9], &[9, 8, 7, 6, 5, 4, 3, 2, 1]);
    let check = u32::from(digits[9]) * 10 + u32::from(digits[10]);
    sum % 101 % 100 == check
}

/// The weighted sum of a Latvian registration number modulo 11; 3 for a right one.
pub(super) fn latvian_checksum(digits: &[u8]) -> u32 {
    weighted(digits, &[9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1]) % 11
}

/// Estonian isikukood and Lithuanian asmens kodas: a date in it, and a check digit in two stages.
pub(super) fn baltic_code_ok(digits: &[u8]) -> bool {
    let month = digits[3] * 10 + digits[4];
    let day = digits[5] * 10 + digits[6];
    if !(1..=8).contains(&digits[0]) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return false;
    }
    let mut check = weighted(&digits[..10], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    if check == 10 {
        check = weighted(&digits[..10], &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10;
    }
    check == u32::from(digits[10])
}

/// Polish PESEL: a birth date whose month tells the century, and a check digit.
pub(super) fn pesel_ok(digits: &[u8]) -> bool {
    let (month, day) = (digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]);
    let is_date = (1..=12).contains(&(month % 20)) && month <= 92 && (1..=31).contains(&day);
    is_date && (weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) + u32::from(digits[10])).is_multiple_of(10)
}

/// Polish NIP.
pub(super) fn nip_ok(digits: &[u8]) -> bool {
    weighted(&digits[..9], &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == u32::from(digits[9])
}

/// Kazakh IIN and BIN: a check digit in two stages.
pub(super) fn kz_iin_ok(digits: &[u8]) -> bool {
    let mut check = weighted(&digits[..11], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11;
    if check == 10 {
        check = weighted(&digits[..11], &[3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11;
    }
    check == u32::from(digits[11])
}

pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| {
            let doubled = u32::from(digit) * if place % 2 == 1 { 2 } else { 1 };
            doubled / 10 + doubled % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 7064 MOD 11,10 over all digits.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((&check, number)) = digits.split_last() else { return false };
    let mut product = 10;
    for &digit in number {
        let sum = (u32::from(digit) + product) % 10;
        product = (if sum == 0 { 10 } else { sum }) * 2 % 11;
    }
    (11 - product) % 10 == u32::from(check)
}
