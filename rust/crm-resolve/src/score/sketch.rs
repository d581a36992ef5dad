//! A few words per record that rule out, without looking at any value, that two records are alike.
//!
//! Almost all candidate pairs differ in most of what they have. To see that in an address or a telephone number one would have to fetch
//! both values from all over memory; a [`Sketches`] row lies in one or two cache lines and tells for sure that two values have the level
//! "different", or that they must be looked at.
use rayon::prelude::*;

use crate::compare::distance::may_be_similar;
use crate::compare::{Comparison, least_alike};
use crate::records::value::{company_keys, date_keys, email_keys, postcode_keys, street_keys};
use crate::records::{Dictionary, Kind, Records, ValueId};

/// What an unknown value's first word is: nothing is ruled out.
const OPEN: u32 = u32::MAX;

/// The sketches of all records.
#[derive(Debug)]
pub(super) struct Sketches {
    /// Words per record.
    width: usize,
    /// `[n_records, width]`.
    words: Vec<u32>,
    /// Per comparison that has one where its words begin.
    places: Vec<(usize, Kind, usize)>,
}

/// Two bits per comparison: what is known of it at first sight.
pub(super) mod state {
    /// One of the two has no value.
    pub const MISSING: u64 = 0;
    /// The values are one.
    pub const EXACT: u64 = 1;
    /// Any level is possible, as far as is known; "exact" only where values with different numbers can have it.
    pub const OPEN: u64 = 2;
    /// The level is the last one, "different".
    pub const DIFFERENT: u64 = 3;
}

/// Words that a kind's sketch takes; 0: it has none.
fn n_words(kind: Kind) -> usize {
    match kind {
        Kind::BirthDate | Kind::Phone | Kind::Postcode => 1,
        Kind::Email | Kind::Street => 2,
        Kind::Company => 3,
        _ => 0,
    }
}

impl Sketches {
    /// Bytes that the sketches of some records take.
    pub fn bytes(records: &Records) -> u64 {
        let n_words: usize = records.fields.iter().map(|field| n_words(field.kind)).sum();
        (records.len() * n_words * 4) as u64
    }

    /// Sketches what these comparisons compare.
    pub fn new(records: &Records, comparisons: &[Comparison]) -> Self {
        let mut places = Vec::new();
        let mut fields = Vec::new();
        let mut width = 0;
        for (place, comparison) in comparisons.iter().enumerate() {
            if n_words(comparison.kind) > 0 {
                places.push((place, comparison.kind, width));
                fields.push(comparison.field);
                width += n_words(comparison.kind);
            }
        }
        let mut words = vec![0u32; records.len() * width];
        if width > 0 {
            words.par_chunks_mut(width * 4096).enumerate().for_each(|(chunk, words)| {
                for (row, words) in words.chunks_mut(width).enumerate() {
                    let row = records.row((chunk * 4096 + row) as u32);
                    for ((_, kind, start), field) in places.iter().zip(&fields) {
                        let words = &mut words[*start..*start + n_words(*kind)];
                        match records.values(*field, &row[*field]) {
                            [] => {}
                            [value] => sketch(*kind, records.dictionary(*field), *value, words),
                            _ => words.fill(OPEN),
                        }
                    }
                }
            });
        }
        Self { width, words, places }
    }

    /// Words per record.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The words of a record.
    #[inline]
    pub fn of(&self, record: u32) -> &[u32] {
        let start = record as usize * self.width;
        &self.words[start..start + self.width]
    }

    /// The comparisons, as bits, in which two records differ for sure; both must have a value there.
    pub fn different(&self, a: u32, b: u32) -> u32 {
        let (a, b) = (self.of(a), self.of(b));
        let differs = |kind: Kind, start: usize| is_different(kind, &a[start..start + n_words(kind)], &b[start..start + n_words(kind)]);
        self.places.iter().fold(0, |bits, (place, kind, start)| bits | u32::from(differs(*kind, *start)) << place)
    }

    /// Changes the states that are open into "different" where the sketches of the two records say so.
    #[inline]
    pub fn rule_out(&self, a: &[u32], b: &[u32], mut states: u64) -> u64 {
        for (place, kind, start) in &self.places {
            let is_open = states >> (2 * place) & 3 == state::OPEN;
            if is_open && is_different(*kind, &a[*start..*start + n_words(*kind)], &b[*start..*start + n_words(*kind)]) {
                states |= state::DIFFERENT << (2 * place);
            }
        }
        states
    }
}

/// The lower and the upper half of a word.
fn halves(low: u32, high: u32) -> u32 {
    // Half of a key tells as well that two keys differ; 0 stays "none" of a key that is none.
    let half = |key: u32| if key == 0 { 0 } else { ((key ^ key >> 16) & 0xffff).max(1) };
    half(high) << 16 | half(low)
}

fn sketch(kind: Kind, dictionary: &Dictionary, value: ValueId, words: &mut [u32]) {
    let keys = dictionary.keys(value);
    let text = dictionary.text(value);
    match kind {
        Kind::BirthDate => {
            let date = keys[date_keys::READING];
            words[0] = if keys[date_keys::OTHER] == 0 && date < 100_000_000 { packed_digits(&digits_of(date)) } else { OPEN };
        }
        Kind::Phone => {
            let is_number = text.iter().all(u8::is_ascii_digit);
            words[0] = if is_number { packed_digits(&text[text.len().saturating_sub(8)..]) } else { OPEN };
        }
        Kind::Postcode => {
            let classes = text.iter().fold(0u32, |set, byte| set | 1 << (byte & 15));
            words[0] = halves(0, keys[postcode_keys::AREA]) | classes;
        }
        Kind::Email => {
            let n_local = text.iter().position(|byte| *byte == b'@').unwrap_or(text.len());
            let is_shared = keys[email_keys::FLAGS] & email_keys::SHARED != 0;
            words[0] = crate::records::letters_of(&text[..n_local]);
            words[1] = halves(keys[email_keys::LETTERS], 0) | (n_local.min(255) as u32) << 16 | u32::from(is_shared) << 31;
        }
        Kind::Street => {
            words[0] = dictionary.letters(value);
            words[1] = halves(keys[street_keys::NAME], keys[street_keys::SOUND]);
        }
        Kind::Company => {
            words[0] = dictionary.letters(value);
            words[1] = halves(keys[company_keys::FIRST], keys[company_keys::LONGEST]);
            words[2] = halves(keys[company_keys::SKELETON], 0) | (text.len().min(0xffff) as u32) << 16;
        }
        _ => {}
    }
}

/// The last eight digits, four bits each.
fn packed_digits(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |packed, digit| packed << 4 | u32::from(digit.wrapping_sub(b'0') & 15))
}

fn digits_of(mut number: u32) -> [u8; 8] {
    let mut digits = [b'0'; 8];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    digits
}

/// Whether two different values with these sketches have their kind's last level for sure.
#[inline]
fn is_different(kind: Kind, a: &[u32], b: &[u32]) -> bool {
    if a[0] == OPEN || b[0] == OPEN {
        return false;
    }
    match kind {
        Kind::BirthDate => {
            let apart = nibbles(a[0] ^ b[0]);
            // The year, the day of the year, or all but two digits: else nothing is the same.
            apart & 0xffff_0000 != 0 && apart & 0xffff != 0 && apart.count_ones() > 2
        }
        Kind::Phone => !may_be_one_edit(a[0], b[0]),
        Kind::Postcode => a[0] >> 16 != b[0] >> 16 && ((a[0] ^ b[0]) & 0xffff).count_ones() > 2,
        Kind::Email => {
            match (a[1] >> 31, b[1] >> 31) {
                (0, 0) => {}
                (one, other) => return one == other,
            }
            let apart = (a[0] ^ b[0]).count_ones();
            let (len_a, len_b) = ((a[1] >> 16) as usize, (b[1] >> 16) as usize);
            apart > least_alike::MAILBOX_APART
                && a[1] & 0xffff != b[1] & 0xffff
                && !may_be_similar(len_a, len_b, apart, least_alike::MAILBOX)
        }
        Kind::Street => {
            let shares = |mask: u32| (a[1] ^ b[1]) & mask == 0 && a[1] & mask != 0;
            (a[0] ^ b[0]).count_ones() > least_alike::STREET_APART && !shares(0xffff) && !shares(0xffff_0000)
        }
        Kind::Company => {
            let apart = (a[0] ^ b[0]).count_ones();
            let (len_a, len_b) = ((a[2] >> 16) as usize, (b[2] >> 16) as usize);
            let (first_a, first_b, longest_a, longest_b) = (a[1] & 0xffff, b[1] & 0xffff, a[1] >> 16, b[1] >> 16);
            let shares_word = first_a == first_b || first_a == longest_b || longest_a == first_b;
            let may_be_initials = len_a.min(len_b) <= 16;
            apart > least_alike::COMPANY_APART
                && !may_be_initials
                && a[2] & 0xffff != b[2] & 0xffff
                && !shares_word
                && !may_be_similar(len_a, len_b, apart, least_alike::COMPANY)
        }
        _ => false,
    }
}

/// The lowest bit of each nibble that is not 0.
#[inline]
fn nibbles(word: u32) -> u32 {
    (word | word >> 1 | word >> 2 | word >> 3) & 0x1111_1111
}

/// Whether two numbers that end in these eight digits may have the same last seven or be one edit apart.
#[inline]
fn may_be_one_edit(a: u32, b: u32) -> bool {
    let apart = nibbles(a ^ b);
    if apart & 0x0111_1111 == 0 || apart.count_ones() <= 2 {
        return true;
    }
    // A digit left out after `same` equal ones: the others stand one place further.
    let same = apart.trailing_zeros() & !3;
    let is_shifted = |long: u32, short: u32| (u64::from(long) >> (same + 4)) == (u64::from(short) >> same & 0x0fff_ffff >> same);
    is_shifted(a, b) || is_shifted(b, a)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compare::distance::edit_distance;

    proptest! {
        #[test]
        fn no_number_one_edit_away_is_ruled_out(a in "[0-3]{5,11}", b in "[0-3]{5,11}") {
            let word = |text: &str| packed_digits(&text.as_bytes()[text.len().saturating_sub(8)..]);
            let ending = |text: &str| text[text.len().saturating_sub(7)..].to_owned();
            let is_alike = ending(&a) == ending(&b) || edit_distance(a.as_bytes(), b.as_bytes(), 1) <= 1;
            prop_assert!(!is_alike || may_be_one_edit(word(&a), word(&b)), "{a} {b}");
        }

        #[test]
        fn a_digit_more_is_not_ruled_out(a in "[0-9]{6,11}", place in 0usize..12, digit in "[0-9]") {
            let mut b = a.clone();
            b.insert_str(place.min(a.len()), &digit);
            let word = |text: &str| packed_digits(&text.as_bytes()[text.len().saturating_sub(8)..]);
            prop_assert!(may_be_one_edit(word(&a), word(&b)), "{a} {b}");
        }
    }
}
