//! Towns, regions, countries, postcodes and streets.
use super::super::dictionary::{Draft, key_of};
use super::{Scratch, identifier, optional, text, text_keys, to_bytes, words_key};
use crate::normalize::{
    self, city_key_into, is_placeholder, parse_country, parse_postcode, parse_street, phonetic_key_into, region_key_into,
};

/// A city, by its key.
pub fn city(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    if is_placeholder(cell) {
        return;
    }
    city_key_into(cell, &mut scratch.skeleton);
    to_bytes(&scratch.skeleton, &mut draft.text);
    text_keys(&scratch.skeleton, draft);
}

/// A state, county or region, by its key.
pub fn region(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    if is_placeholder(cell) {
        return;
    }
    region_key_into(cell, &mut scratch.skeleton);
    to_bytes(&scratch.skeleton, &mut draft.text);
    text_keys(&scratch.skeleton, draft);
}

/// A country, by its code; as text when it is none.
pub fn country(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    match parse_country(cell) {
        Ok(country) => {
            draft.clear();
            draft.text.extend_from_slice(country.as_str().as_bytes());
            text_keys(country.as_str(), draft);
        }
        Err(_) => text(cell, scratch, draft),
    }
}

/// Where a [`Draft`]'s keys stand for postcodes.
pub mod postcode_keys {
    /// The outward part, or the first three digits.
    pub const AREA: usize = 0;
}

/// A postcode, without spaces.
pub fn postcode(cell: &str, draft: &mut Draft) {
    match parse_postcode(cell, None) {
        Ok(postcode) => identifier(postcode.as_str(), draft),
        Err(normalize::Reason::Placeholder | normalize::Reason::Empty) => draft.clear(),
        Err(_) => identifier(cell, draft),
    }
    let text = &draft.text;
    let has_letters = text.first().is_some_and(u8::is_ascii_alphabetic) && text.last().is_some_and(u8::is_ascii_alphabetic);
    let area = if has_letters && text.len() >= 5 { text.len() - 3 } else { text.len().saturating_sub(2).min(text.len()) };
    draft.keys[postcode_keys::AREA] = if area == 0 { 0 } else { key_of(&text[..area]) };
}

/// Where a [`Draft`]'s keys stand for streets.
pub mod street_keys {
    /// The street's name, its words in any order.
    pub const NAME: usize = 0;
    /// The house number.
    pub const HOUSE: usize = 1;
    /// The flat.
    pub const FLAT: usize = 2;
    /// The sound of the longest word.
    pub const SOUND: usize = 3;
}

/// A street with house and flat; the canonical text is `name|house|flat`.
pub fn street(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    if parse_street(cell, &mut scratch.street).is_err() {
        return;
    }
    let street = &scratch.street;
    let flat = if street.flat.as_str().is_empty() { street.po_box.as_str() } else { street.flat.as_str() };
    to_bytes(&street.street, &mut draft.text);
    draft.text.push(b'|');
    draft.text.extend_from_slice(street.house.as_bytes());
    draft.text.extend_from_slice(street.building.as_bytes());
    draft.text.push(b'|');
    draft.text.extend_from_slice(flat.as_bytes());
    if draft.text.len() == 2 {
        draft.text.clear();
        return;
    }
    let house =
        optional(std::str::from_utf8(&draft.text[street.street.chars().count() + 1..draft.text.len() - 1 - flat.len()]).unwrap_or(""));
    let mut longest = street.street.as_str();
    if longest.contains(' ') {
        longest = street.street.split(' ').max_by(|a, b| (a.len(), a).cmp(&(b.len(), b))).unwrap_or_default();
    }
    scratch.sound.clear();
    phonetic_key_into(longest, &mut scratch.sound);
    let name = if street.street.is_empty() { 0 } else { words_key(&street.street) };
    draft.keys = [name, house, optional(flat), optional(&scratch.sound), 0, 0];
}
