//! E-mail addresses and telephone numbers.
use super::super::dictionary::{Doubt, Draft, key_of};
use super::{Scratch, to_bytes, unread};
use crate::normalize::{PhoneValidity, is_placeholder, parse_email, parse_phone};

/// Where a [`Draft`]'s keys stand for e-mail addresses.
pub mod email_keys {
    /// The mailbox's name.
    pub const LOCAL: usize = 0;
    /// The domain.
    pub const DOMAIN: usize = 1;
    /// [`SHARED`] and [`NUMBERED`].
    pub const FLAGS: usize = 2;
    /// The mailbox belongs to a role (info@, sales@), not to a person.
    pub const SHARED: u32 = 1;
    /// The mailbox's name has at least two digits: more than a name.
    pub const NUMBERED: u32 = 2;
    /// The letters of the mailbox's name.
    pub const LETTERS: usize = 3;
}

/// An e-mail address, by its mailbox.
pub fn email(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    if let Err(reason) = parse_email(cell, &mut scratch.email) {
        draft.doubt = unread(reason);
        return;
    }
    if scratch.email.generic {
        draft.doubt = Some(Doubt::Filler);
        return;
    }
    let mailbox = scratch.email.mailbox.as_str();
    let Some((local, domain)) = mailbox.rsplit_once('@') else { return };
    to_bytes(mailbox, &mut draft.text);
    let n_digits = local.bytes().filter(u8::is_ascii_digit).count();
    let shared = if scratch.email.role_account { email_keys::SHARED } else { 0 };
    let flags = shared | if n_digits >= 2 { email_keys::NUMBERED } else { 0 };
    scratch.latin.clear();
    if local.is_ascii() {
        scratch.latin.extend(local.bytes().filter(u8::is_ascii_alphabetic).map(char::from));
    } else {
        scratch.latin.extend(local.chars().filter(|c| c.is_alphabetic()));
    }
    let letters = if scratch.latin.is_empty() { 0 } else { key_of(scratch.latin.as_bytes()) };
    draft.keys = [key_of(local.as_bytes()), key_of(domain.as_bytes()), flags, letters, 0, 0];
}

/// Where a [`Draft`]'s keys stand for phones.
pub mod phone_keys {
    /// The last seven digits.
    pub const LAST_SEVEN: usize = 0;
}

/// A telephone number; the canonical text is the number within its country, since half of all lists leave the country out, and `x5` for an
/// extension.
pub fn phone(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    let phone = match parse_phone(cell, scratch.phone_region) {
        Ok(phone) if phone.generic => {
            draft.doubt = Some(Doubt::Filler);
            return;
        }
        Ok(phone) => phone,
        Err(reason) => {
            draft.doubt = unread(reason).filter(|_| !is_placeholder(cell));
            return;
        }
    };
    let mut digits = [0u8; 20];
    let (mut at, mut rest) = (digits.len(), phone.number);
    while rest > 0 && at > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let mut number = &digits[at..];
    let n_code = match phone.country_code {
        0 => 0,
        1..=9 => 1,
        10..=99 => 2,
        _ => 3,
    };
    let is_bare = phone.guessed && number.len() <= 10 && !cell.contains('+');
    if phone.validity != PhoneValidity::Unplaced && !is_bare {
        number = &number[n_code.min(number.len())..];
    } else if number.len() == 11 && matches!(number[0], b'8' | b'7' | b'1') {
        number = &number[1..];
    }
    draft.text.extend_from_slice(number);
    if phone.extension != 0 {
        // Colleagues at one switchboard: the numbers end alike, and are not the same.
        draft.text.push(b'x');
        draft.text.extend_from_slice(phone.extension.to_string().as_bytes());
    }
    draft.keys[phone_keys::LAST_SEVEN] = key_of(&number[number.len().saturating_sub(7)..]);
}
