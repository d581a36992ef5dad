//! Roles of which a contact may have several: the values of one cell, with a line feed between them.
use crm_core::Role;

use super::is_filler;
use crate::merge::canonical::tidy;
use crate::normalize::{
    Email, FEWEST_WITH_CODE, Phone, PhoneValidity, Region, looks_like_website, parse_email, parse_phone, split_emails, split_phones,
    split_websites, website_into,
};

/// Addresses in canonical form; what cannot be read as one stays as it is written.
pub fn emails<'a>(text: &'a str, buffer: &'a mut String) -> Option<&'a str> {
    if is_plain_email(text.as_bytes()) {
        return Some(text);
    }
    let mut email = Email::default();
    buffer.clear();
    for part in split_emails(text) {
        match parse_email(part, &mut email) {
            Ok(()) => push_part(buffer, &email.address),
            Err(reason) if reason.is_missing() || is_filler(Role::Email, part) => {}
            Err(_) => push_tidy(buffer, part),
        }
    }
    filled(buffer)
}

/// Whether nothing about an address needs a second look: one plain mailbox in lower case.
pub fn is_plain_email(bytes: &[u8]) -> bool {
    let Some(at) = bytes.iter().position(|byte| *byte == b'@') else { return false };
    let (local, domain) = (&bytes[..at], &bytes[at + 1..]);
    let is_plain = |part: &[u8], others: &[u8]| {
        let mut last = b'.';
        for byte in part {
            let is_dot = *byte == b'.';
            if !(byte.is_ascii_lowercase() || byte.is_ascii_digit() || others.contains(byte) || (is_dot && last != b'.')) {
                return false;
            }
            last = *byte;
        }
        last != b'.'
    };
    let Some(dot) = domain.iter().rposition(|byte| *byte == b'.') else { return false };
    bytes.len() <= 254
        && local.len() <= 64
        && domain.len() - dot > 2
        && domain[dot + 1..].iter().all(u8::is_ascii_lowercase)
        && is_plain(local, b"_-+")
        && is_plain(domain, b"")
}

/// E.164, with `;ext=` before an extension (RFC 3966); a number of no known country, without its area code, or that cannot be read as one,
/// as it is written. `bare_country_codes`: long numbers begin with their country code though no plus says so.
pub fn phones<'a>(text: &'a str, region: Option<Region>, bare_country_codes: bool, buffer: &'a mut String) -> Option<&'a str> {
    buffer.clear();
    let mut one = String::new();
    for part in split_phones(text) {
        let international = if bare_country_codes { with_plus(part) } else { None };
        match international.map_or_else(|| parse_phone(part, region), Ok) {
            // 0000000 is no number; one that only looks made up is still the contact's.
            Ok(phone) if phone.ends_in_one_digit() && phone.validity != PhoneValidity::Valid => {}
            Ok(phone) if phone.is_complete() => {
                one.clear();
                phone.write_e164(&mut one);
                if phone.extension != 0 {
                    one.push_str(&format!(";ext={}", phone.extension));
                }
                push_part(buffer, &one);
            }
            Err(reason) if reason.is_missing() || is_filler(Role::Phone, part) => {}
            Ok(_) | Err(_) => push_tidy(buffer, part),
        }
    }
    filled(buffer)
}

/// A number that lacks nothing but its plus.
fn with_plus(part: &str) -> Option<Phone> {
    let digits: String = part.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < FEWEST_WITH_CODE || part.trim_start().starts_with('+') {
        return None;
    }
    parse_phone(&format!("+{}", part.trim_start()), None).ok().filter(|phone| phone.validity == PhoneValidity::Valid)
}

/// Addresses that still lead where they led; a cell without any as it is written.
pub fn websites<'a>(text: &'a str, buffer: &'a mut String) -> Option<&'a str> {
    let mut one = String::new();
    buffer.clear();
    for part in split_websites(text).filter(|part| looks_like_website(part)) {
        if website_into(part, &mut one).is_ok() {
            push_part(buffer, &one);
        }
    }
    if !buffer.is_empty() {
        return Some(buffer);
    }
    match website_into(text, buffer) {
        Ok(()) => Some(buffer),
        Err(reason) if reason.is_missing() => None,
        Err(_) => tidy(text, buffer),
    }
}

/// The values of a list without a form of its own.
pub fn parts<'a>(role: Role, text: &'a str, buffer: &'a mut String) -> Option<&'a str> {
    buffer.clear();
    let mut one = String::new();
    // Google Contacts puts three colons between the labels of a contact.
    for part in text.split(":::").flat_map(|part| part.split([';', ',', '|', '\n'])).filter(|part| !is_filler(role, part)) {
        if let Some(part) = tidy(part, &mut one) {
            push_part(buffer, part);
        }
    }
    filled(buffer)
}

fn push_tidy(buffer: &mut String, part: &str) {
    let mut one = String::new();
    if let Some(part) = tidy(part, &mut one) {
        push_part(buffer, part);
    }
}

fn push_part(buffer: &mut String, part: &str) {
    if !buffer.is_empty() {
        buffer.push('\n');
    }
    buffer.push_str(part);
}

fn filled(buffer: &str) -> Option<&str> {
    (!buffer.is_empty()).then_some(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_need_no_parser() {
        for (text, expected) in [
            ("a.b@x.lv", true),
            ("A@x.lv", false),
            ("a..b@x.lv", false),
            ("a@b@x.lv", false),
            ("a@x", false),
            ("a@x.l", false),
            ("a@x.lv;b@x.lv", false),
        ] {
            assert_eq!(is_plain_email(text.as_bytes()), expected, "{text}");
            let mut email = Email::default();
            assert!(!expected || (parse_email(text, &mut email).is_ok() && email.address == text), "{text}");
        }
    }
}
