//! The blocks of all rules: who shares a key with whom.
use rayon::prelude::*;

use super::keys::{Column, Keys};

/// The records of one rule by key, `(key << 32) | record` in order; keys of one record alone are mostly left out.
pub(super) fn entries_of(column: &Column, records: &[u32]) -> Vec<u64> {
    // Keys that occur once are most of all keys: two bits per hashed key sort them out before sorting.
    let bits = (records.len().next_power_of_two().max(1 << 10) * 8).trailing_zeros();
    let slot = |key: u32| (key.wrapping_mul(0x9e37_79b1) >> (32 - bits.min(32))) as usize;
    let (mut once, mut twice) = (vec![0u64; (1usize << bits) / 64], vec![0u64; (1usize << bits) / 64]);
    for record in records {
        column.each(*record, |key| {
            let (word, bit) = (slot(key) / 64, 1u64 << (slot(key) % 64));
            twice[word] |= once[word] & bit;
            once[word] |= bit;
        });
    }
    drop(once);
    let mut entries = Vec::new();
    for record in records {
        column.each(*record, |key| {
            if twice[slot(key) / 64] >> (slot(key) % 64) & 1 == 1 {
                entries.push(u64::from(key) << 32 | u64::from(*record));
            }
        });
    }
    sort_by_key(&mut entries);
    entries
}

/// Sorts entries by key; those of one key keep their order, which is that of the records.
fn sort_by_key(entries: &mut Vec<u64>) {
    const BITS: u32 = 11;
    const SIZE: usize = 1 << BITS;
    if entries.len() < 8 * SIZE {
        entries.sort_unstable();
        return;
    }
    let digit = |entry: u64, shift: u32| (entry >> shift) as usize & (SIZE - 1);
    let mut sorted = vec![0u64; entries.len()];
    for shift in [32, 32 + BITS, 32 + 2 * BITS] {
        let mut next = [0usize; SIZE];
        entries.iter().for_each(|entry| next[digit(*entry, shift)] += 1);
        let mut sum = 0;
        for start in &mut next {
            sum += std::mem::replace(start, sum);
        }
        for entry in entries.iter() {
            let place = &mut next[digit(*entry, shift)];
            sorted[*place] = *entry;
            *place += 1;
        }
        std::mem::swap(entries, &mut sorted);
    }
}

/// Calls `visit` with each key that several entries have, and these: the record in the low 32 bits of each.
pub(crate) fn each_block<'a>(entries: &'a [u64], mut visit: impl FnMut(u32, &'a [u64])) {
    let mut start = 0;
    while start < entries.len() {
        let key = entries[start] >> 32;
        let mut end = start + 1;
        while end < entries.len() && entries[end] >> 32 == key {
            end += 1;
        }
        if end - start > 1 {
            visit(key as u32, &entries[start..end]);
        }
        start = end;
    }
}

/// Pairs among `n` records.
pub(crate) fn pairs_in(n: usize) -> u64 {
    (n as u64) * (n as u64 - u64::from(n > 0)) / 2
}

/// Set in the last member of a block.
const IS_LAST: u32 = 1 << 31;

/// Per record those that come after it in its blocks.
#[derive(Debug)]
pub(crate) struct Blocks {
    rules: Vec<RuleBlocks>,
}

/// The blocks of one rule, one after the other.
#[derive(Debug)]
struct RuleBlocks {
    /// Per key of a record the place in `members` that follows its own, 0 where it is the last of its block or alone.
    next: Column,
    /// Records, ascending within a block; the last one is marked.
    members: Vec<u32>,
    n_pairs: u64,
}

/// A record that shares a key with another one, and the first rule that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate(u64);

impl Candidate {
    #[inline]
    fn new(record: u32, rule: usize) -> Self {
        Self(u64::from(record) << 32 | rule as u64)
    }

    #[inline]
    pub fn record(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    pub fn rule(self) -> usize {
        self.0 as u32 as usize
    }
}

impl Blocks {
    /// The blocks that `records`, ascending, make with these keys.
    pub fn new(keys: Keys, records: &[u32]) -> Self {
        Self { rules: keys.columns.into_par_iter().map(|column| RuleBlocks::new(column, records)).collect() }
    }

    /// Pairs in all blocks of a rule.
    pub fn n_pairs(&self, rule: usize) -> u64 {
        self.rules[rule].n_pairs
    }

    /// All records after `record` that share a key with it, ascending, each once.
    pub fn candidates(&self, record: u32, out: &mut Vec<Candidate>) {
        out.clear();
        for (number, rule) in self.rules.iter().enumerate() {
            rule.next.each(record, |next| {
                for member in &rule.members[next as usize..] {
                    out.push(Candidate::new(member & !IS_LAST, number));
                    if member & IS_LAST != 0 {
                        break;
                    }
                }
            });
        }
        out.sort_unstable();
        out.dedup_by_key(|candidate| candidate.record());
    }
}

impl RuleBlocks {
    fn new(keys: Column, records: &[u32]) -> Self {
        let entries = entries_of(&keys, records);
        let mut next = Column {
            width: keys.width,
            slots: vec![0; keys.slots.len()],
            more: keys.more.iter().map(|(record, more)| (*record, vec![0; more.len()].into())).collect(),
            has_more: keys.has_more.clone(),
        };
        // The first place is nobody's, so that 0 can mean "none".
        let mut members = vec![IS_LAST];
        let mut n_pairs = 0;
        each_block(&entries, |key, block| {
            n_pairs += pairs_in(block.len());
            for entry in block {
                let record = *entry as u32;
                members.push(record);
                let follows = members.len() as u32;
                let slots = keys.slots_of(record);
                match slots.iter().position(|slot| *slot == key) {
                    Some(place) => next.slots[record as usize * keys.width + place] = follows,
                    None => {
                        let more = keys.more_of(record).iter().position(|more| *more == key);
                        if let (Some(place), Some(next)) = (more, next.more.get_mut(&record)) {
                            next[place] = follows;
                        }
                    }
                }
            }
            if let (Some(entry), Some(last)) = (block.last(), members.last_mut()) {
                *last |= IS_LAST;
                // Nobody follows the last one.
                let record = *entry as u32;
                let follows = members.len() as u32;
                let start = record as usize * keys.width;
                for slot in &mut next.slots[start..start + keys.width] {
                    if *slot == follows {
                        *slot = 0;
                    }
                }
                if let Some(more) = next.more.get_mut(&record) {
                    more.iter_mut().filter(|place| **place == follows).for_each(|place| *place = 0);
                }
            }
        });
        members.shrink_to_fit();
        Self { next, members, n_pairs }
    }
}
