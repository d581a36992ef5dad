//! All substrings that are looked for in a text column, in one pass: an automaton over bytes that knows upper and lower case of every script.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use crate::fold::lower_char;

/// Finds which of up to 64 needles occur in a text.
///
/// Each needle is a sequence of characters, each standing for all characters with the same lower case if the needle is insensitive, and
/// each of those for its bytes. The automaton is the deterministic one of all needles together, so a text costs one step per byte
/// whatever their number.
#[derive(Debug, Clone)]
pub(crate) struct Substrings {
    /// `next[state + class]`; states are multiples of `1 << shift`.
    next: Vec<u32>,
    /// The same for reading several stretches at once, where it is small enough.
    narrow: Option<Narrow>,
    classes: [u8; 256],
    shift: u32,
    /// The needles found on reaching a state, by state number, and the bytes of the longest of them.
    found: Vec<(u64, u32)>,
    /// The needles that every text has: the empty ones.
    always: u64,
    /// States from here on have found something: they are numbered last.
    first_found: u32,
    /// Bytes of the longest needle in its longest spelling.
    longest: usize,
}

/// A table of a size that no index can exceed. States that have found something have the highest bit.
#[derive(Debug, Clone)]
struct Narrow {
    next: Box<[u16; 1 << 16]>,
    /// A state is its number shifted so far, and the free bits are those of the next byte (8) or of its class.
    shift: u32,
    /// The first state that has found something, by number.
    first_found: u16,
}

const FOUND: u16 = 1 << 15;

/// Stretches of a block that are read side by side, because each step waits for the one before it.
const LANES: usize = 6;

/// Where something was found, and in which state: per stretch, kept from block to block.
pub(crate) type Hits = [Vec<(u32, u16)>; LANES];

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
        let lengths: Vec<u32> = spellings
            .iter()
            .map(|characters| characters.iter().map(|options| options.iter().map(Vec::len).max().unwrap_or(0) as u32).sum())
            .collect();
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
        Some(Self::numbered(&next, &found, &lengths, (classes, representatives.len()), always))
    }

    /// Puts the states that have found something last, so that one comparison tells them.
    fn numbered(next: &[u32], found: &[u64], lengths: &[u32], (classes, width): ([u8; 256], usize), always: u64) -> Self {
        let shift = width.next_power_of_two().trailing_zeros();
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by_key(|state| found[*state] != 0);
        let mut place = vec![0u32; found.len()];
        for (number, state) in order.iter().enumerate() {
            place[*state] = (number as u32) << shift;
        }
        let mut renumbered = vec![0u32; found.len() << shift];
        for (number, state) in order.iter().enumerate() {
            for (class, to) in next[state * width..(state + 1) * width].iter().enumerate() {
                renumbered[(number << shift) + class] = place[*to as usize];
            }
        }
        let unfound = found.iter().filter(|mask| **mask == 0).count();
        let first_found = (unfound as u32) << shift;
        let narrow = Narrow::new(&renumbered, shift, &classes, unfound);
        let length = |mask: u64| (0..64).filter(|needle| mask >> needle & 1 == 1).map(|needle| lengths[needle]).max().unwrap_or(0);
        let found = order.iter().map(|state| (found[*state], length(found[*state]))).collect();
        let longest = lengths.iter().max().map_or(0, |longest| *longest as usize);
        Self { next: renumbered, narrow, classes, shift, found, always, first_found, longest }
    }

    /// Calls `visit` with the rows that have some of the needles, and which; a row may come several times. Row `r` is
    /// `data[offsets[r]..offsets[r + 1]]`, and `data` ends with the last row.
    ///
    /// The block is read as one text in a few stretches side by side. That finds all that lies within a row, and what goes beyond a
    /// row's beginning is recognised by its length.
    pub(crate) fn scan(&self, data: &[u8], offsets: &[usize], hits: &mut Hits, mut visit: impl FnMut(usize, u64)) {
        let rows = offsets.len() - 1;
        let stride = data.len() / LANES;
        let text = |row: usize| &data[offsets[row]..offsets[row + 1]];
        let narrow = self.narrow.as_ref().filter(|_| stride > 4 * self.longest && u32::try_from(data.len()).is_ok());
        let Some(narrow) = narrow else {
            for row in 0..rows {
                visit(row, self.find(text(row)));
            }
            return;
        };
        if narrow.shift == 8 {
            self.stretches(narrow, data, stride, hits, u16::from);
        } else {
            self.stretches(narrow, data, stride, hits, |byte| u16::from(self.classes[usize::from(byte)]));
        }
        if self.always != 0 {
            (0..rows).for_each(|row| visit(row, self.always));
        }
        let mut row = 0;
        for (at, state) in hits.iter().flatten() {
            let at = *at as usize;
            while offsets[row + 1] <= at {
                row += 1;
            }
            let (found, length) = self.found[narrow.number(*state)];
            let within = at + 1 - offsets[row] >= length as usize;
            visit(row, if within { found } else { self.find(text(row)) });
        }
    }

    /// Reads the stretches side by side and notes where something was found; `class` is what the table knows a byte by.
    #[inline]
    fn stretches(&self, narrow: &Narrow, data: &[u8], stride: usize, hits: &mut Hits, class: impl Fn(u8) -> u16) {
        let step = |state: u16, byte: u8| narrow.next[usize::from(state) | usize::from(class(byte))];
        // A needle may lie across two stretches: each begins in the state that the bytes before it lead to.
        let mut states: [u16; LANES] = std::array::from_fn(|lane| {
            let begin = lane * stride;
            data[begin.saturating_sub(self.longest)..begin].iter().fold(0, |state, byte| step(state, *byte))
        });
        // Cut like this, so that it is plain that each is as long as the others.
        let lanes: [&[u8]; LANES] = std::array::from_fn(|lane| &data[lane * stride..][..stride]);
        hits.iter_mut().for_each(Vec::clear);
        // All stretches at one place: an index serves them better than an iterator each.
        #[allow(clippy::needless_range_loop)]
        for at in 0..stride {
            let mut all = 0;
            for lane in 0..LANES {
                states[lane] = step(states[lane], lanes[lane][at]);
                all |= states[lane];
            }
            if all & FOUND != 0 {
                for lane in 0..LANES {
                    if states[lane] & FOUND != 0 {
                        hits[lane].push(((lane * stride + at) as u32, states[lane]));
                    }
                }
            }
        }
        let last = LANES - 1;
        for (at, byte) in data.iter().enumerate().skip(LANES * stride) {
            states[last] = step(states[last], *byte);
            if states[last] & FOUND != 0 {
                hits[last].push((at as u32, states[last]));
            }
        }
    }

    /// The needles that occur in a text.
    pub(crate) fn find(&self, text: &[u8]) -> u64 {
        let (mut state, mut mask) = (0, self.always);
        for byte in text {
            state = self.next[state as usize + usize::from(self.classes[usize::from(*byte)])];
            if state >= self.first_found {
                mask |= self.found[state as usize >> self.shift].0;
            }
        }
        mask
    }
}

impl Narrow {
    /// From the table by class; `None` if it is too large.
    fn new(next: &[u32], class_shift: u32, classes: &[u8; 256], unfound: usize) -> Option<Self> {
        let states = next.len() >> class_shift;
        let most = unfound.max(states - unfound);
        // By the byte itself where the states are few: that saves a step for each byte.
        let shift = [8, class_shift].into_iter().find(|shift| most << shift <= usize::from(FOUND))?;
        let place = |number: usize| if number < unfound { number << shift } else { usize::from(FOUND) | (number - unfound) << shift };
        let mut narrow = Self { next: Box::new([0; 1 << 16]), shift, first_found: unfound as u16 };
        for number in 0..states {
            for (column, class) in classes.iter().enumerate().take(1 << shift) {
                let class = if shift == 8 { usize::from(*class) } else { column };
                narrow.next[place(number) | column] = place(next[(number << class_shift) + class] as usize >> class_shift) as u16;
            }
        }
        Some(narrow)
    }

    /// A state's number among all.
    #[inline]
    fn number(&self, state: u16) -> usize {
        let place = usize::from(state & !FOUND) >> self.shift;
        if state & FOUND == 0 { place } else { place + usize::from(self.first_found) }
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
        }
    }
    #[test]
    fn a_block_in_stretches_agrees_with_row_by_row() {
        let automaton = Substrings::new(&[("ада", true), ("ab", true), ("abab", false), ("k", true), ("straße", true)]).unwrap();
        let pieces = ["а", "Д", "да", "A", "b", "abab", "k", "\u{212a}", "", "xyz", "STRASSE", "straße", "ad"];
        let (mut data, mut offsets, mut seed) = (String::new(), vec![0], 3u64);
        for _ in 0..3_000 {
            for _ in 0..(seed >> 40) % 6 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                data.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            offsets.push(data.len());
        }
        for rows in [0, 1, 5, 200, 3_000] {
            let mut found = vec![0; rows];
            let part = &data.as_bytes()[..offsets[rows]];
            automaton.scan(part, &offsets[..=rows], &mut Hits::default(), |row, mask| found[row] |= mask);
            for (row, found) in found.iter().enumerate() {
                assert_eq!(*found, automaton.find(&part[offsets[row]..offsets[row + 1]]), "row {row} of {rows}");
            }
        }
    }
}
