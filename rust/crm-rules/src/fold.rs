//! Case and accents of text, character by character.
use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The lower-case form of a character, always one character: where Unicode's full mapping gives several, the simple mapping's one.
pub fn lower_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    c.to_lowercase().next().unwrap_or(c)
}

/// The upper-case form of a character, itself where that would be several.
pub fn upper_char(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// Lower case, allocating only where something changes.
pub fn lower(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| lower_char(c) == c) { Cow::Borrowed(text) } else { Cow::Owned(text.chars().map(lower_char).collect()) }
}

/// Upper case.
pub fn upper(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| upper_char(c) == c) { Cow::Borrowed(text) } else { Cow::Owned(text.chars().map(upper_char).collect()) }
}

/// Without accents: `ī` becomes `i`, `ё` becomes `е`. `й` stays, being a letter of its own.
pub fn strip_accents(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.nfc() {
        match c {
            'й' | 'Й' => plain.push(c),
            _ => plain.extend(std::iter::once(c).nfd().filter(|part| !is_combining_mark(*part))),
        }
    }
    if plain == text { Cow::Borrowed(text) } else { Cow::Owned(plain) }
}
