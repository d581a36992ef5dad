//! All substrings that are looked for in a text column, in one pass: an automaton over bytes that knows upper and lower case of every script.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use crate::fold::lower_char;

/// Finds which of up to 64 needles occur in a text.
///
/// Each needle is a sequence of characters, each standing for all characters with the same lower case if the needle is insensitive, and each of those
/// for its bytes. The automaton is the deterministic one of all needles together, so a text costs one step per byte whatever their number.
#[derive(Debug, Clone)]
pub(crate) struct Substrings {
    /// `next[state + class]`; states are multiples of the number of classes.
    next: Vec<u32>,
    classes: [u8; 256],
    stride: u32,
    /// The needles found on reaching a state, by state number.
    found: Vec<u64>,
    /// The needles that every text has: the empty ones.
    always: u64,
    /// States from here on have found something: they are numbered last.
    first_found: u32,
}

/// Most states: beyond it the needles are looked for one by one.
const MAX_STATES: usize = 6_000;

/// The characters with each lower-case character, where there are more than itself.
fn variants() -> &'static HashMap<char, Vec<char>> {
    static VARIANTS: OnceLock<HashMap<char, Vec<char>>> = OnceLock::new();
    VARIANTS.get_or_init(|| {
        let mut all: HashMap<char, Vec<char>> = HashMap::new();
        // No script beyond has upper and lower case.
        for c in '\u{0}'..='\u{1ffff}' {
            let lower = lower_char(c);
            if lower != c {
                all.entry(lower).or_default().push(c);
            }
        }
        all
    })
}

/// A place in a needle: after so many characters, and within the bytes of the next one.
type Place = (u8, u16, u32);

impl Substrings {
    /// An automaton for these needles (lower-case where insensitive), or `None` if it would be too large.
    pub(crate) fn new(needles: &[(&str, bool)]) -> Option<Self> {
        if needles.len() > 64 || needles.iter().map(|(needle, _)| needle.len()).sum::<usize>() > 2_000 {
            return None;
        }
        // Per needle and character the byte sequences that stand for it.
        let mut spellings: Vec<Vec<Vec<Vec<u8>>>> = Vec::new();
        for (needle, insensitive) in needles {
            let mut characters = Vec::new();
            for c in needle.chars() {
                let mut same = vec![c];
                if *insensitive {
                    same.extend(variants().get(&c).into_iter().flatten());
                }
                characters.push(same.iter().map(|c| c.encode_utf8(&mut [0; 4]).as_bytes().to_vec()).collect::<Vec<_>>());
            }
            spellings.push(characters);
        }
        let (classes, representatives) = classes(&spellings);
        let stride = representatives.len() as u32;
        let always =
            needles.iter().enumerate().filter(|(_, (needle, _))| needle.is_empty()).fold(0, |mask, (number, _)| mask | 1 << number);

        // Subset construction: a state is the set of places that the text read so far may be at.
        let mut known: BTreeMap<BTreeSet<Place>, usize> = BTreeMap::new();
        let mut states: Vec<BTreeSet<Place>> = vec![BTreeSet::new()];
        let mut found: Vec<u64> = vec![0];
        let mut next: Vec<u32> = Vec::new();
        known.insert(BTreeSet::new(), 0);
        // Every needle may begin anywhere, so what a byte begins is the same in every state.
        let begun: Vec<(BTreeSet<Place>, u64)> = representatives
            .iter()
            .map(|byte| {
                let (mut reached, mut mask) = (BTreeSet::new(), 0);
                for needle in 0..needles.len() {
                    step(&spellings, needle as u8, 0, 0, *byte, &mut reached, &mut mask);
                }
                (reached, mask)
            })
            .collect();
        let mut at = 0;
        while at < states.len() {
            let state = states[at].clone();
            for (byte, (reached, mask)) in representatives.iter().zip(&begun) {
                let (mut reached, mut mask) = (reached.clone(), *mask);
                for (needle, character, prefix) in state.iter().copied() {
                    step(&spellings, needle, character, prefix, *byte, &mut reached, &mut mask);
                }
                // Found needles are part of the state's identity.
                let mut identity = reached.clone();
                if mask != 0 {
                    identity.extend((0..64u8).filter(|needle| mask >> needle & 1 == 1).map(|needle| (needle, u16::MAX, 0)));
                }
                let number = match known.get(&identity) {
                    Some(number) => *number,
                    None => {
                        let number = states.len();
                        if number >= MAX_STATES {
                            return None;
                        }
                        known.insert(identity, number);
                        states.push(reached);
                        found.push(mask);
                        number
                    }
                };
                next.push(number as u32);
            }
            at += 1;
        }
        Some(Self::numbered(&next, &found, classes, stride, always))
    }

    /// Puts the states that have found something last, so that one comparison tells them.
    fn numbered(next: &[u32], found: &[u64], classes: [u8; 256], stride: u32, always: u64) -> Self {
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by_key(|state| found[*state] != 0);
        let mut place = vec![0u32; found.len()];
        for (number, state) in order.iter().enumerate() {
            place[*state] = number as u32 * stride;
        }
        let width = stride as usize;
        let renumbered =
            order.iter().flat_map(|state| next[state * width..(state + 1) * width].iter().map(|to| place[*to as usize])).collect();
        let first_found = found.iter().filter(|mask| **mask == 0).count() as u32 * stride;
        Self { next: renumbered, classes, stride, found: order.iter().map(|state| found[*state]).collect(), always, first_found }
    }

    /// The needles that occur in each of four texts: read together, because each step waits for the one before it.
    #[inline]
    pub(crate) fn find4(&self, texts: [&[u8]; 4]) -> [u64; 4] {
        let common = texts.iter().map(|text| text.len()).min().unwrap_or(0);
        let (a, b, c, d) = (&texts[0][..common], &texts[1][..common], &texts[2][..common], &texts[3][..common]);
        let mut states = [0u32; 4];
        let mut masks = [self.always; 4];
        for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
            states[0] = self.step(states[0], *a);
            states[1] = self.step(states[1], *b);
            states[2] = self.step(states[2], *c);
            states[3] = self.step(states[3], *d);
            if states[0].max(states[1]).max(states[2].max(states[3])) >= self.first_found {
                for (mask, state) in masks.iter_mut().zip(states) {
                    *mask |= self.found[(state / self.stride) as usize];
                }
            }
        }
        for ((text, state), mask) in texts.iter().zip(states).zip(&mut masks) {
            *mask |= self.rest(state, &text[common..]);
        }
        masks
    }

    /// The needles that occur in a text.
    pub(crate) fn find(&self, text: &[u8]) -> u64 {
        self.always | self.rest(0, text)
    }

    #[inline]
    fn step(&self, state: u32, byte: u8) -> u32 {
        self.next[state as usize + self.classes[byte as usize] as usize]
    }

    #[inline]
    fn rest(&self, mut state: u32, text: &[u8]) -> u64 {
        let mut mask = 0;
        for byte in text {
            state = self.step(state, *byte);
            if state >= self.first_found {
                mask |= self.found[(state / self.stride) as usize];
            }
        }
        mask
    }
}

/// Moves one place on by a byte.
fn step(spellings: &[Vec<Vec<Vec<u8>>>], needle: u8, character: u16, prefix: u32, byte: u8, reached: &mut BTreeSet<Place>, mask: &mut u64) {
    let characters = &spellings[needle as usize];
    let Some(options) = characters.get(character as usize) else { return };
    // `prefix` holds the bytes of the current character read so far, with a leading 1.
    let read: Vec<u8> = if prefix == 0 { Vec::new() } else { prefix_bytes(prefix) };
    for option in options {
        if option.len() <= read.len() || option[..read.len()] != read[..] || option[read.len()] != byte {
            continue;
        }
        if option.len() > read.len() + 1 {
            let grown = if prefix == 0 { 1 << 8 | u32::from(byte) } else { prefix << 8 | u32::from(byte) };
            reached.insert((needle, character, grown));
        } else if character as usize + 1 == characters.len() {
            *mask |= 1 << needle;
        } else {
            reached.insert((needle, character + 1, 0));
        }
    }
}

fn prefix_bytes(prefix: u32) -> Vec<u8> {
    let bytes = prefix.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(3);
    bytes[first + 1..].to_vec()
}

/// Bytes that no needle tells apart are one class: the table stays small. Gives the class of each byte and one byte of each class.
fn classes(spellings: &[Vec<Vec<Vec<u8>>>]) -> ([u8; 256], Vec<u8>) {
    let mut signatures: Vec<Vec<u32>> = vec![Vec::new(); 256];
    for (position, options) in spellings.iter().flatten().enumerate() {
        for option in options {
            for (place, byte) in option.iter().enumerate() {
                // Two bytes are alike if they end the same options; spellings of one character that differ only in their last byte are alike.
                let prefix = option[..place].iter().fold(1u32, |sum, byte| sum << 8 | u32::from(*byte));
                signatures[*byte as usize].push(position as u32 * 2 + u32::from(place + 1 < option.len()));
                signatures[*byte as usize].push(prefix);
            }
        }
    }
    let mut numbers: HashMap<&[u32], u8> = HashMap::new();
    let mut classes = [0; 256];
    let mut representatives = Vec::new();
    for byte in 0..256usize {
        let next = representatives.len();
        let number = *numbers.entry(&signatures[byte]).or_insert(next as u8);
        if usize::from(number) == next && next < 256 {
            representatives.push(byte as u8);
        }
        classes[byte] = number;
    }
    (classes, representatives)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;

    #[test]
    fn agrees_with_one_pattern_at_a_time() {
        let needles =
            [("ада", true), ("да", false), ("ab", true), ("abc", false), ("", true), ("k", true), ("bca", true), ("й", true), ("ıs", true)];
        let automaton = Substrings::new(&needles).unwrap();
        let pieces = ["а", "А", "д", "Д", "a", "B", "c", "C", "b", "K", "k", "\u{212a}", "й", "Й", "i", "İ", "S", "s", "ı", " ", "€", "𝒜"];
        let mut seed = 7u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..seed % 9 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let expected = needles.iter().enumerate().fold(0u64, |mask, (number, (needle, insensitive))| {
                let matcher = Pattern::Contains { needle: (*needle).to_owned(), insensitive: *insensitive }.matcher().unwrap();
                mask | u64::from(matcher.is_match(&text)) << number
            });
            assert_eq!(automaton.find(text.as_bytes()), expected, "{text:?}");
            let four = automaton.find4([text.as_bytes(), b"xabcx", text.as_bytes(), b""]);
            assert_eq!((four[0], four[2]), (expected, expected), "{text:?}");
        }
    }
}
