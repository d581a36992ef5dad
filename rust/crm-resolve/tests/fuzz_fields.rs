//! A fuzzer of phones and e-mails that runs on stable: cells mutated at random from fixed seeds.
//!
//! `CRM_FUZZ_RUNS` says how many cells of each (20,000 otherwise); a failure names the cell.
use crm_resolve::normalize::{
    Email, PhoneValidity, Region, looks_like_email, looks_like_phone, parse_email, parse_phone, phone_confidence, split_emails,
    split_phones,
};

const PHONES: [&str; 14] = [
    "+7 (912) 345-67-89",
    "8 912 345-67-89 доб. 12",
    "+371 29 123 456",
    "tel:+44-20-7946-0018;ext=7",
    "00371 67 222 333",
    "(020) 7946 0018 / 0019",
    "7.9123E+10",
    "79123456789, 79123456780",
    "моб. 8-912-345-67-89 (жена)",
    "+1 415-555-2671 x104",
    "'+37129123456",
    "٠١٢٣٤٥٦٧٨٩",
    "２９１２３４５６",
    "29123456.0",
];
const EMAILS: [&str; 12] = [
    "anna.smith+crm@example.com",
    "Anna Smith <anna@example.co.uk>; bob@example.org",
    "mailto:x@y.lv",
    "\"quoted local\"@example.com",
    "иван@почта.рф",
    "user@[192.168.0.1]",
    "a@b@c.com",
    "info (at) example dot com",
    "name@gmial.com",
    "x@xn--e1afmkfd.xn--p1ai",
    "first..last@example.com",
    "UPPER@EXAMPLE.COM.",
];
const MARKS: [&str; 24] = [
    "@",
    ".",
    "..",
    "+",
    "-",
    " ",
    "\u{a0}",
    "\u{202e}",
    "(",
    ")",
    ";",
    ",",
    "/",
    "ext",
    "\"",
    "'",
    "<",
    ">",
    "0",
    "9999999999",
    "é",
    "ß",
    "\0",
    "😀",
];

/// xorshift64: the same numbers everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn n_runs() -> u64 {
    let is_long = std::env::var("CRM_LONG").is_ok_and(|long| long == "1");
    std::env::var("CRM_FUZZ_RUNS").ok().and_then(|count| count.parse().ok()).unwrap_or(if is_long { 1_000_000 } else { 20_000 })
}

fn mutated(seeds: &[&str], number: u64) -> String {
    let mut numbers = Numbers(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut chars: Vec<char> = seeds[numbers.below(seeds.len())].chars().collect();
    for _ in 0..numbers.below(8) {
        let at = numbers.below(chars.len() + 1);
        match numbers.below(5) {
            0 => {
                chars.splice(at..at, MARKS[numbers.below(MARKS.len())].chars());
            }
            1 if at < chars.len() => {
                chars.remove(at);
            }
            2 if at < chars.len() => chars[at] = char::from_u32(numbers.below(0x3000) as u32).unwrap_or('\u{fffd}'),
            3 => {
                let end = (at + 1 + numbers.below(12)).min(chars.len());
                let copy: Vec<char> = chars[at.min(end)..end].to_vec();
                chars.extend(copy);
            }
            _ => {
                let end = (at + numbers.below(6)).min(chars.len());
                chars.drain(at.min(end)..end);
            }
        }
    }
    chars.into_iter().collect()
}

#[test]
fn phones_parse_or_say_why() {
    let regions = [None, Region::new("RU"), Region::new("LV"), Region::new("US"), Region::new("GB")];
    let mut n_valid = 0;
    for number in 0..n_runs() {
        let cell = mutated(&PHONES, number);
        let region = regions[number as usize % regions.len()];
        let confidence = phone_confidence(&cell);
        assert!((0.0..=1.0).contains(&confidence), "{cell:?}: {confidence}");
        let _ = looks_like_phone(&cell);
        for part in split_phones(&cell) {
            assert!(part.len() <= cell.len(), "{cell:?}");
            if let Ok(phone) = parse_phone(part, region) {
                n_valid += 1;
                let written = phone.e164();
                // Unplaced numbers have no plus: they are comparable as digits and no more.
                assert_eq!(written.starts_with('+'), phone.validity != PhoneValidity::Unplaced, "{cell:?}: {written}");
                assert!(written.trim_start_matches('+').bytes().all(|byte| byte.is_ascii_digit()), "{cell:?}: {written}");
                assert!(written.len() <= 20, "{cell:?}: {written}");
                if phone.validity == PhoneValidity::Valid {
                    // What was written out means the same number, whatever the region.
                    let again = parse_phone(&written, None).unwrap_or_else(|reason| panic!("{cell:?}: {written}: {reason:?}"));
                    assert_eq!((again.e164(), again.validity), (written, PhoneValidity::Valid), "{cell:?}");
                }
            }
        }
    }
    assert!(n_valid > n_runs() / 20, "only {n_valid} parsed");
}

#[test]
fn emails_parse_or_say_why() {
    let mut n_valid = 0;
    let mut email = Email::default();
    let mut again = Email::default();
    for number in 0..n_runs() {
        let cell = mutated(&EMAILS, number);
        let _ = looks_like_email(&cell);
        for part in split_emails(&cell) {
            if parse_email(part, &mut email).is_ok() {
                n_valid += 1;
                let written = email.address.clone();
                assert!(email.domain().contains('.') || email.domain().starts_with('['), "{cell:?}: {written}");
                assert!(!written.contains(char::is_control), "{cell:?}: {written:?}");
                // Quotes and brackets tell where a local part begins; without them an apostrophe there is a spreadsheet's guard, and a
                // slash separates addresses.
                if written.starts_with(['\'', '/']) || part.contains('"') {
                    continue;
                }
                parse_email(&written, &mut again).unwrap_or_else(|reason| panic!("{cell:?}: {written}: {reason:?}"));
                assert_eq!((&again.address, &again.mailbox), (&written, &email.mailbox), "{cell:?}");
            }
        }
    }
    assert!(n_valid > n_runs() / 20, "only {n_valid} parsed");
}
