//! Texts by number: which of some constants a text is, at one look.
use std::collections::HashMap;
use std::sync::Arc;

/// Constants in an open table, found by their first and last eight bytes and their length.
#[derive(Debug)]
pub(crate) struct Exact {
    shift: u32,
    slots: Vec<Slot>,
    texts: Vec<Arc<str>>,
    /// What a key is multiplied with to find its slot.
    spread: u64,
    /// Whether each text is in the first slot that it is looked for in, and the slot tells it from all others.
    is_single: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Slot {
    head: u64,
    tail: u64,
    len: u32,
    /// The number of the text, from 1; 0 is an empty slot.
    class: u32,
}

const EMPTY: Slot = Slot { head: 0, tail: 0, len: u32::MAX, class: 0 };

/// Multiplying by it spreads keys over the upper bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// Texts that are few.
const FEW: usize = 64;
/// As many multiples of it are tried.
const SPREADS: u64 = 16;

/// The bytes of a number that belong to a text of so many.
pub(super) const KEPT: [u64; 9] =
    [0, 0xff, 0xffff, 0xff_ffff, 0xffff_ffff, 0xff_ffff_ffff, 0xffff_ffff_ffff, 0xff_ffff_ffff_ffff, u64::MAX];

impl Exact {
    /// For distinct texts.
    pub(crate) fn new(texts: Vec<Arc<str>>) -> Self {
        let size = (texts.len() * 4).next_power_of_two().max(16);
        // Few texts mostly find places where none is in the way of another.
        let spreads = (0..if texts.len() <= FEW { SPREADS } else { 0 }).map(|n| SPREAD.wrapping_mul(2 * n + 1));
        let single = spreads.map(|spread| Self::placed(&texts, size * 4, spread)).find(|built| built.is_single);
        single.unwrap_or_else(|| Self::placed(&texts, size, SPREAD))
    }

    fn placed(texts: &[Arc<str>], size: usize, spread: u64) -> Self {
        let mut built =
            Self { shift: 64 - size.trailing_zeros(), slots: vec![EMPTY; size], texts: texts.to_vec(), spread, is_single: true };
        for (number, text) in built.texts.iter().enumerate() {
            let mut slot = key_of(text.as_bytes(), 0, text.len());
            slot.class = number as u32 + 1;
            let mut at = slot.place(built.shift, spread);
            built.is_single &= built.slots[at].class == 0 && text.len() <= 16;
            while built.slots[at].class != 0 {
                at = (at + 1) % size;
            }
            built.slots[at] = slot;
        }
        built
    }

    /// The numbers of the texts that lie between each two of `offsets`, as [`Exact::find`] gives them.
    #[inline(always)]
    pub(crate) fn find_each(&self, data: &[u8], offsets: &[usize], mut found: impl FnMut(usize, u32)) {
        if !self.is_single {
            offsets.windows(2).enumerate().for_each(|(row, pair)| found(row, self.find(data, pair[0], pair[1])));
            return;
        }
        let last = self.slots.len() - 1;
        for (row, pair) in offsets.windows(2).enumerate() {
            let key = key_of(data, pair[0], pair[1].saturating_sub(pair[0]));
            // One look, and no question whose answer could be guessed wrong.
            let slot = &self.slots[key.place(self.shift, self.spread) & last];
            let differs = (slot.head ^ key.head) | (slot.tail ^ key.tail) | u64::from(slot.len ^ key.len);
            found(row, slot.class & u32::from(differs != 0).wrapping_sub(1));
        }
    }

    /// The number of the text in `data[from..to]`, from 1; 0 if it is none of the constants.
    #[inline(always)]
    pub(crate) fn find(&self, data: &[u8], from: usize, to: usize) -> u32 {
        let key = key_of(data, from, to.saturating_sub(from));
        let mut at = key.place(self.shift, self.spread);
        loop {
            let Some(slot) = self.slots.get(at) else { return 0 };
            let same = slot.head == key.head && slot.tail == key.tail && slot.len == key.len;
            // A long text may differ in the middle.
            if same && (slot.len <= 16 || self.texts[slot.class as usize - 1].as_bytes() == &data[from..to]) {
                return slot.class;
            }
            if slot.class == 0 {
                return 0;
            }
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
    }
}

impl Slot {
    #[inline]
    fn place(&self, shift: u32, spread: u64) -> usize {
        let mixed = (self.head ^ self.tail.rotate_left(29) ^ u64::from(self.len)).wrapping_mul(spread);
        (mixed >> shift) as usize
    }
}

/// What identifies a text, its class left open. Without branches where eight bytes can be read from its beginning on.
#[inline(always)]
fn key_of(data: &[u8], from: usize, len: usize) -> Slot {
    let kept = KEPT[len.min(8)];
    let (head, tail) = match data.get(from..from + 8) {
        Some(_) => {
            let last = from + len.max(8) - 8;
            (eight(data, from), eight(data, last))
        }
        None => {
            // Near the end of the buffer, where fewer than eight bytes follow.
            let few = data[from..from + len].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            (few, few)
        }
    };
    Slot { head: head & kept, tail: tail & kept, len: len as u32, class: 0 }
}

#[inline(always)]
fn eight(data: &[u8], from: usize) -> u64 {
    let mut bytes = [0; 8];
    if let Some(found) = data.get(from..from + 8) {
        bytes.copy_from_slice(found);
    }
    u64::from_le_bytes(bytes)
}

/// Numbers texts in the order in which they come, and collects what is said of each.
#[derive(Debug, Default)]
pub(crate) struct ExactBuilder {
    numbers: HashMap<Arc<str>, usize>,
    texts: Vec<Arc<str>>,
    /// Per class the conditions that hold; class 0 is every other text.
    pub(crate) masks: Vec<u64>,
}

impl ExactBuilder {
    pub(crate) fn add(&mut self, text: &Arc<str>, condition: usize) {
        let number = *self.numbers.entry(Arc::clone(text)).or_insert_with(|| {
            self.texts.push(Arc::clone(text));
            self.texts.len()
        });
        self.masks.resize(self.texts.len() + 1, 0);
        self.masks[number] |= 1 << condition;
    }

    /// The table and the masks; `None` where nothing was added.
    pub(crate) fn build(self) -> Option<(Exact, Vec<u64>)> {
        if self.texts.is_empty() { None } else { Some((Exact::new(self.texts), self.masks)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_was_given_and_nothing_else() {
        let words: Vec<String> = (0..300).map(|n: usize| format!("{}{}{}", "x".repeat(n % 23), n % 7, "y".repeat(n % 5))).collect();
        let mut builder = ExactBuilder::default();
        for word in words.iter().step_by(2) {
            builder.add(&Arc::from(word.as_str()), 0);
        }
        let (exact, _) = builder.build().unwrap();
        let joined: String = words.concat();
        let mut from = 0;
        for word in &words {
            let found = exact.find(joined.as_bytes(), from, from + word.len());
            let known = words.iter().step_by(2).any(|other| other == word);
            exact.find_each(joined.as_bytes(), &[from, from + word.len()], |_, each| assert_eq!(each, found));
            assert_eq!(found != 0, known, "{word}");
            assert!(found == 0 || *exact.texts[found as usize - 1] == **word);
            from += word.len();
        }
        for few in [3, 9, 14] {
            let texts: Vec<Arc<str>> =
                words.iter().filter(|word| word.len() <= 16).take(few).map(|word| Arc::from(word.as_str())).collect();
            let exact = Exact::new(texts);
            assert!(exact.is_single);
            let offsets: Vec<usize> = std::iter::once(0)
                .chain(words.iter().scan(0, |end, word| Some(std::mem::replace(end, *end + word.len()) + word.len())))
                .collect();
            exact.find_each(joined.as_bytes(), &offsets, |row, each| {
                assert_eq!(each, exact.find(joined.as_bytes(), offsets[row], offsets[row + 1]));
                assert_eq!(each != 0, exact.texts.iter().any(|text| **text == *words[row]));
            });
        }
        let long = "customers of the north (old), all of them";
        let (exact, _) = {
            let mut builder = ExactBuilder::default();
            builder.add(&Arc::from(long), 0);
            builder.build().unwrap()
        };
        assert_eq!(exact.find(long.replace("old", "new").as_bytes(), 0, long.len()), 0);
        assert_eq!(exact.find(long.as_bytes(), 0, long.len()), 1);
        assert_eq!(exact.find(b"", 0, 0), 0);
    }
}
