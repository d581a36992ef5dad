//! Counts, sums and extremes over related rows, all of a table's at once: one record per contact, so that a row touches one place in memory.
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use crm_rules::{Aggregate, Column, Data, Feature, Type, Vector, words_for};
use rayon::prelude::*;

use crate::contact_index::NONE;

/// Most features of one ledger: a record begins with a number that has a bit for each of them.
pub(crate) const MOST: usize = 64;

/// What a feature does with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Count,
    Sum,
    Extreme { float: bool, greatest: bool },
}

/// One feature of the ledger: where its filter and argument stand among what the table's program computes.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    kind: Kind,
    pub(crate) feature: usize,
    pub(crate) filter: Option<usize>,
    pub(crate) argument: Option<usize>,
}

impl Entry {
    /// For a feature that fits a ledger; others keep a state of their own.
    pub(crate) fn new(number: usize, feature: &Feature, filter: Option<usize>, argument: Option<usize>) -> Option<Self> {
        let float = feature.data_type == Type::Float;
        let ordered = matches!(feature.data_type, Type::Int | Type::Float | Type::Date | Type::Timestamp | Type::Interval);
        let kind = match feature.aggregate {
            Aggregate::Count => Kind::Count,
            Aggregate::Sum if float => Kind::Sum,
            Aggregate::Min | Aggregate::Max if ordered => Kind::Extreme { float, greatest: feature.aggregate == Aggregate::Max },
            _ => return None,
        };
        Some(Self { kind, feature: number, filter, argument })
    }
}

/// A record per contact: which features have a value, then their values.
#[derive(Debug)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    stride: usize,
    slots: Vec<u64>,
    /// Contacts of one part, as a power of two: parts are worked on by different threads.
    part_shift: u32,
}

/// The rows of a block that concern some contact, by the contact's part, in their order.
#[derive(Debug, Default)]
pub(crate) struct LedgerRows {
    parts: Vec<Vec<Posting>>,
}

/// A row that counts for some features of a contact.
#[derive(Debug, Clone, Copy)]
struct Posting {
    features: u64,
    contact: u32,
    row: u32,
}

impl Ledger {
    /// An empty ledger; counts come first, then sums.
    pub(crate) fn new(mut entries: Vec<Entry>, contacts: usize) -> Self {
        entries.sort_by_key(|entry| (entry.kind, entry.feature));
        let stride = entries.len() + 1;
        let part = (contacts / 12).next_power_of_two().max(4_096);
        Self { stride, slots: vec![0; contacts * stride], entries, part_shift: part.trailing_zeros() }
    }

    /// What it takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.slots.len() as u64 * 8
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The rows in which each entry has something to add, and all of them together.
    pub(crate) fn wanted(&self, filters: &[Vec<u64>], vectors: &[Vector<'_>], rows: usize) -> (Vec<Vec<u64>>, Vec<u64>) {
        let mut any = vec![0; words_for(rows)];
        let each = self
            .entries
            .iter()
            .map(|entry| {
                let mut words = match entry.filter {
                    Some(filter) => filters[filter].clone(),
                    None => all_rows(rows),
                };
                if let Some(Vector { data, valid }) = entry.argument.map(|argument| &vectors[argument]) {
                    if matches!(data, Data::Null) {
                        words.fill(0);
                    }
                    if let Some(valid) = valid {
                        crm_rules::and_into(&mut words, valid);
                    }
                }
                crm_rules::or_into(&mut any, &words);
                words
            })
            .collect();
        (each, any)
    }

    /// Which features each row counts for, by the contact's part.
    pub(crate) fn rows(&self, each: &[Vec<u64>], any: &[u64], contacts: &[u32]) -> LedgerRows {
        let parts = (self.slots.len() / self.stride).div_ceil(1 << self.part_shift);
        let mut found = LedgerRows { parts: vec![Vec::new(); parts] };
        let mut square = [0u64; 64];
        for (word, rows) in any.iter().enumerate().filter(|(_, rows)| **rows != 0) {
            let turned = each.len() > 4;
            if turned {
                square.fill(0);
                for (place, words) in square.iter_mut().zip(each) {
                    *place = words[word];
                }
                transpose(&mut square);
            }
            let mut rest = *rows;
            while rest != 0 {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                let row = word * 64 + bit;
                let contact = contacts[row];
                if contact != NONE {
                    let features = if turned {
                        square[bit]
                    } else {
                        each.iter().enumerate().fold(0, |mask, (place, words)| mask | (words[word] >> bit & 1) << place)
                    };
                    found.parts[(contact >> self.part_shift) as usize].push(Posting { features, contact, row: row as u32 });
                }
            }
        }
        found
    }

    /// Adds the rows of several blocks, in their order. Each contact is one thread's, so sums do not depend on the number of threads.
    pub(crate) fn add(&mut self, blocks: &[(&LedgerRows, &[Vector<'_>])]) {
        let part_len = self.stride << self.part_shift;
        let entries = &self.entries;
        self.slots.par_chunks_mut(part_len).enumerate().for_each(|(part, slots)| {
            for (rows, vectors) in blocks {
                post(entries, slots, part << self.part_shift, &rows.parts[part], vectors);
            }
        });
    }

    /// A feature over the contacts `first..first + len`.
    pub(crate) fn column(&self, entry: usize, data_type: Type, first: usize, len: usize) -> Column {
        let records = || self.slots[first * self.stride..(first + len) * self.stride].chunks_exact(self.stride);
        let kind = self.entries[entry].kind;
        let slot = entry + 1;
        if kind == Kind::Count {
            return Column::Int64(records().map(|record| record[slot] as i64).collect(), None);
        }
        let nulls = NullBuffer::new(BooleanBuffer::from_iter(records().map(|record| record[0] >> entry & 1 == 1)));
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        if data_type == Type::Float {
            return Column::Float(records().map(|record| f64::from_bits(record[slot])).collect::<ScalarBuffer<f64>>(), nulls);
        }
        Column::Int64(records().map(|record| record[slot] as i64).collect(), nulls)
    }
}

/// Records that are fetched together.
const AHEAD: usize = 32;

fn post(entries: &[Entry], slots: &mut [u64], first: usize, postings: &[Posting], vectors: &[Vector<'_>]) {
    let stride = entries.len() + 1;
    let counts = entries.iter().take_while(|entry| entry.kind == Kind::Count).count();
    let ints = |entry: &Entry| match entry.argument.map(|argument| &vectors[argument].data) {
        Some(Data::Int(values)) => values.as_ref(),
        _ => &[],
    };
    let floats = |entry: &Entry| match entry.argument.map(|argument| &vectors[argument].data) {
        Some(Data::Float(values)) => values.as_ref(),
        _ => &[],
    };
    let rest: Vec<(Kind, &[i64], &[f64])> = entries[counts..].iter().map(|entry| (entry.kind, ints(entry), floats(entry))).collect();
    let place = |posting: &Posting| (posting.contact as usize - first) * stride;
    for (number, posting) in postings.iter().enumerate() {
        if number % AHEAD == 0 {
            // Records lie anywhere in memory: reading the next ones first lets the processor fetch them all at the same time.
            let near = &postings[number..postings.len().min(number + AHEAD)];
            let touch = |posting: &Posting| slots.get(place(posting)).unwrap_or(&0) ^ slots.get(place(posting) + stride - 1).unwrap_or(&0);
            std::hint::black_box(near.iter().fold(0, |sum, posting| sum ^ touch(posting)));
        }
        let at = place(posting);
        let Some((seen, record)) = slots.get_mut(at..at + stride).and_then(|record| record.split_first_mut()) else { continue };
        let (count_slots, other_slots) = record.split_at_mut(counts);
        for (place, slot) in count_slots.iter_mut().enumerate() {
            *slot += posting.features >> place & 1;
        }
        let row = posting.row as usize;
        for (place, (slot, (kind, ints, floats))) in other_slots.iter_mut().zip(&rest).enumerate() {
            let applies = posting.features >> (counts + place) & 1;
            match kind {
                Kind::Sum => {
                    let value = floats.get(row).copied().unwrap_or_default();
                    *slot = (f64::from_bits(*slot) + f64::from_bits(value.to_bits() & applies.wrapping_neg())).to_bits();
                }
                Kind::Extreme { float, greatest } => {
                    let (value, less, more) = if *float {
                        let value = floats.get(row).copied().unwrap_or_default();
                        let (new, old) = (order_of(value), order_of(f64::from_bits(*slot)));
                        (value.to_bits(), new < old, new > old)
                    } else {
                        let value = ints.get(row).copied().unwrap_or_default();
                        (value as u64, value < *slot as i64, value > *slot as i64)
                    };
                    // The record comes late, from far memory: a branch on what it holds would stop everything behind it.
                    let better = u64::from(if *greatest { more } else { less });
                    let known = *seen >> (counts + place) & 1;
                    let taken = (applies & (better | (known ^ 1))).wrapping_neg();
                    *slot = *slot & !taken | value & taken;
                }
                Kind::Count => {}
            }
        }
        *seen |= posting.features;
    }
}

/// A whole number that orders as floats do in SQL: zeros are equal, and what is no number is above all, whatever its sign.
#[inline]
fn order_of(value: f64) -> i64 {
    let value = if value.is_nan() { f64::NAN.abs() } else { value };
    let bits = (value + 0.0).to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

/// The bits of so many rows, all set.
pub(crate) fn all_rows(rows: usize) -> Vec<u64> {
    let mut words = vec![u64::MAX; words_for(rows)];
    if !rows.is_multiple_of(64)
        && let Some(last) = words.last_mut()
    {
        *last = (1 << (rows % 64)) - 1;
    }
    words
}

/// Sixty-four rows of sixty-four bits, mirrored along the diagonal (Hacker's Delight, 7-3).
fn transpose(square: &mut [u64; 64]) {
    let mut width = 32;
    let mut mask: u64 = 0x0000_0000_ffff_ffff;
    while width > 0 {
        for pair in square.chunks_exact_mut(width * 2) {
            let (low, high) = pair.split_at_mut(width);
            for (low, high) in low.iter_mut().zip(high) {
                let t = (*low >> width ^ *high) & mask;
                *low ^= t << width;
                *high ^= t;
            }
        }
        width /= 2;
        mask ^= mask << width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_mirrored() {
        let mut square: [u64; 64] = std::array::from_fn(|row| (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let before = square;
        transpose(&mut square);
        for (row, bits) in before.iter().enumerate() {
            for (column, turned) in square.iter().enumerate() {
                assert_eq!(bits >> column & 1, turned >> row & 1);
            }
        }
    }
}
