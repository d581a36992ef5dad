//! The blocks of all rules: who shares a key with whom.
use std::ops::Range;

use crm_core::{Control, Result};
use rayon::prelude::*;

use super::Rule;
use super::keys::{Column, Keys};
use super::ranges::{KeyFilter, later_entries};
use crate::records::Records;

/// The records of one rule by key, `(key << 32) | record` in order; keys of one record alone are mostly left out. `records` are ascending,
/// and `later` are entries of records after them, ascending too.
pub(super) fn entries_of(column: &Column, records: &[u32], later: &[u64]) -> Vec<u64> {
    // Parts of so many entries are sorted without leaving the cache.
    const PART: usize = 1 << 13;
    let n_keys: usize = column.width * records.len() + later.len();
    let bits = (n_keys / PART).next_power_of_two().trailing_zeros().clamp(1, 11);
    let part_of = |key: u32| (key >> (32 - bits)) as usize;
    let mut starts = vec![0usize; (1 << bits) + 1];
    for record in records {
        column.each(*record, |key| starts[part_of(key) + 1] += 1);
    }
    later.iter().for_each(|entry| starts[part_of((entry >> 32) as u32) + 1] += 1);
    for part in 0..1 << bits {
        starts[part + 1] += starts[part];
    }
    let mut entries = vec![0u64; starts[1 << bits]];
    let mut next = starts.clone();
    for record in records {
        column.each(*record, |key| {
            let place = &mut next[part_of(key)];
            entries[*place] = u64::from(key) << 32 | u64::from(*record);
            *place += 1;
        });
    }
    for entry in later {
        let place = &mut next[part_of((entry >> 32) as u32)];
        entries[*place] = *entry;
        *place += 1;
    }
    let mut sorter = PartSorter::default();
    let mut n_kept = 0;
    for part in 0..1 << bits {
        n_kept = sorter.sort(&mut entries, starts[part]..starts[part + 1], n_kept, 32 - bits);
    }
    entries.truncate(n_kept);
    entries
}

/// Sorts the parts of entries one after the other, in buffers that stay in the cache.
#[derive(Default)]
struct PartSorter {
    once: Vec<u64>,
    twice: Vec<u64>,
    kept: Vec<u64>,
    other: Vec<u64>,
}

impl PartSorter {
    /// Puts the entries of a range whose keys occur again, by key, to `to`, which does not lie after it; returns the place behind them.
    /// The keys of a range differ in their lowest `bits` bits.
    fn sort(&mut self, entries: &mut [u64], range: std::ops::Range<usize>, to: usize, bits: u32) -> usize {
        // Keys that occur once are most of all keys: two bits per hashed key sort them out before sorting.
        let n_slots = (range.len() * 8).next_power_of_two().max(64);
        let slot = |entry: u64| ((entry >> 32) as u32).wrapping_mul(0x9e37_79b1) as usize & (n_slots - 1);
        for words in [&mut self.once, &mut self.twice] {
            words.clear();
            words.resize(n_slots / 64, 0);
        }
        for entry in &entries[range.clone()] {
            let (word, bit) = (slot(*entry) / 64, 1u64 << (slot(*entry) % 64));
            self.twice[word] |= self.once[word] & bit;
            self.once[word] |= bit;
        }
        self.kept.clear();
        let twice = &self.twice;
        self.kept.extend(entries[range].iter().filter(|entry| twice[slot(**entry) / 64] >> (slot(**entry) % 64) & 1 == 1));
        if self.kept.len() < 256 {
            self.kept.sort_unstable();
        } else {
            sort_by_key(&mut self.kept, &mut self.other, bits);
        }
        entries[to..to + self.kept.len()].copy_from_slice(&self.kept);
        to + self.kept.len()
    }
}

/// Sorts entries by the lowest `bits` bits of their keys; those of one key keep their order, which is that of the records.
fn sort_by_key(entries: &mut Vec<u64>, sorted: &mut Vec<u64>, bits: u32) {
    const SIZE: usize = 1 << 8;
    sorted.resize(entries.len(), 0);
    for shift in (32..32 + bits).step_by(8) {
        let digit = |entry: u64| (entry >> shift) as usize & (SIZE - 1);
        let mut next = [0u32; SIZE];
        entries.iter().for_each(|entry| next[digit(*entry)] += 1);
        let mut sum = 0;
        for start in &mut next {
            sum += std::mem::replace(start, sum);
        }
        for entry in entries.iter() {
            let place = &mut next[digit(*entry)];
            sorted[*place as usize] = *entry;
            *place += 1;
        }
        std::mem::swap(entries, sorted);
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

/// What is counted of the keys of a range of records.
#[derive(Debug)]
pub(crate) struct RangeCounts {
    pub without_key: u64,
    /// Per rule.
    pub left_out: Vec<u64>,
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
        Self { rules: keys.columns.into_par_iter().map(|column| RuleBlocks::new(column, records, &[])).collect() }
    }

    /// The blocks of a range of records and of those after them, made without the keys of all records; and the keys of the range, emptied.
    pub fn of_range(
        records: &Records,
        rules: &[Rule],
        representatives: &[u32],
        range: Range<u32>,
        control: &dyn Control,
    ) -> Result<(Self, RangeCounts)> {
        let place = |record: u32| representatives.partition_point(|other| *other < record);
        let (some, later) = (&representatives[place(range.start)..place(range.end)], &representatives[place(range.end)..]);
        let keys = Keys::of_range(records, rules, range);
        let counts = RangeCounts { without_key: keys.without_key(), left_out: keys.left_out.clone() };
        let filters: Vec<KeyFilter> = keys.columns.par_iter().map(|column| KeyFilter::new(column, some)).collect();
        let later = later_entries(records, rules, later, &filters, control)?;
        drop(filters);
        let columns = keys.columns.into_par_iter().zip(later);
        Ok((Self { rules: columns.map(|(column, later)| RuleBlocks::new(column, some, &later)).collect() }, counts))
    }

    /// Pairs in all blocks of a rule.
    pub fn n_pairs(&self, rule: usize) -> u64 {
        self.rules[rule].n_pairs
    }

    /// For each of some records all records after it that share a key with it, ascending, each once.
    pub fn candidates(&self, records: &[u32], found: &mut Candidates) {
        let Candidates { pairs, ends, starts, firsts } = found;
        pairs.clear();
        ends.clear();
        starts.clear();
        for (number, record) in records.iter().enumerate() {
            for (rule, blocks) in self.rules.iter().enumerate() {
                blocks.next.each(*record, |next| starts.push((number as u32, rule as u32, next)));
            }
        }
        // Members lie anywhere in memory: fetched first, nothing waits for one before the next is on its way.
        firsts.clear();
        firsts.extend(starts.iter().map(|(_, rule, next)| self.rules[*rule as usize].members[*next as usize]));
        let mut starts = starts.iter().zip(firsts.iter()).peekable();
        for number in 0..records.len() as u32 {
            let begin = pairs.len();
            while let Some(((_, rule, next), first)) = starts.next_if(|((of, ..), _)| *of == number) {
                let (mut member, mut next) = (*first, *next as usize);
                loop {
                    pairs.push(Candidate::new(member & !IS_LAST, *rule as usize));
                    if member & IS_LAST != 0 {
                        break;
                    }
                    next += 1;
                    member = self.rules[*rule as usize].members[next];
                }
            }
            pairs[begin..].sort_unstable();
            let mut n_kept = begin;
            for place in begin..pairs.len() {
                if n_kept == begin || pairs[n_kept - 1].record() != pairs[place].record() {
                    pairs[n_kept] = pairs[place];
                    n_kept += 1;
                }
            }
            pairs.truncate(n_kept);
            ends.push(n_kept);
        }
    }
}

/// The candidates of some records, in buffers that are used again.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    pairs: Vec<Candidate>,
    /// Per record the end of its candidates in `pairs`.
    ends: Vec<usize>,
    /// The blocks of each record: its number, the rule, and the place of the member after it.
    starts: Vec<(u32, u32, u32)>,
    firsts: Vec<u32>,
}

impl Candidates {
    /// Per record, in their order, the candidates.
    pub fn of_each(&self) -> impl Iterator<Item = &[Candidate]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.pairs[begin..*end])
    }
}

impl RuleBlocks {
    /// The blocks of `records`, which have these keys, and of the `later` ones, which only follow them.
    fn new(keys: Column, records: &[u32], later: &[u64]) -> Self {
        let entries = entries_of(&keys, records, later);
        let mut next = Column {
            first: keys.first,
            width: keys.width,
            slots: vec![0; keys.slots.len()],
            more: keys.more.iter().map(|(record, more)| (*record, vec![0; more.len()].into())).collect(),
            has_more: keys.has_more.clone(),
        };
        let end = u64::from(keys.first) + (keys.slots.len() / keys.width.max(1)) as u64;
        let has_keys = |entry: &u64| (entry & 0xffff_ffff) < end;
        // The first place is nobody's, so that 0 can mean "none".
        let mut members = vec![IS_LAST];
        let mut n_pairs = 0;
        each_block(&entries, |key, block| {
            let n_followed = block.partition_point(has_keys);
            if n_followed == 0 {
                return;
            }
            n_pairs += pairs_in(block.len()) - pairs_in(block.len() - n_followed);
            for (place, entry) in block.iter().enumerate() {
                members.push(*entry as u32);
                if place < n_followed && place + 1 < block.len() {
                    follow(&mut next, &keys, *entry as u32, key, members.len() as u32);
                }
            }
            if let Some(last) = members.last_mut() {
                *last |= IS_LAST;
            }
        });
        members.shrink_to_fit();
        Self { next, members, n_pairs }
    }
}

/// Says that those who share a key with a record begin at `place`.
#[inline]
fn follow(next: &mut Column, keys: &Column, record: u32, key: u32, place: u32) {
    match keys.slots_of(record).iter().position(|slot| *slot == key) {
        Some(slot) => next.slots[keys.start_of(record) + slot] = place,
        None => {
            let more = keys.more_of(record).iter().position(|more| *more == key);
            if let (Some(slot), Some(next)) = (more, next.more.get_mut(&record)) {
                next[slot] = place;
            }
        }
    }
}
