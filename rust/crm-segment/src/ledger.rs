//! Counts, sums and extremes over related rows, all of a table's at once.
//!
//! A row that counts for some feature becomes a *posting*: its contact, a bit per feature, and the values that sums and extremes take of it.
//! Postings are only put down at first, by the contact's part, and added when there are many or the table ends: a part's contacts are so few that one
//! feature's totals for all of them stay in the nearest cache, where rows of any order may touch them.
mod postings;
mod totals;

use crm_rules::{Aggregate, Column, Data, Feature, Type, Vector, words_for};
use rayon::prelude::*;

use self::postings::Part;
use self::totals::Totals;
use crate::contact_index::NONE;

/// Most features of one ledger: a posting has a bit for each of them beside its contact.
pub(crate) const MOST: usize = 32;
/// Contacts of a part, as a power of two: a multiple of 64, so that parts share no word of a bitmap.
const PART_SHIFT: u32 = 12;
/// Postings are put down without being added up to so many bytes, however few the contacts.
const LEAST_BUFFER: u64 = 32 << 20;

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

/// The features of a table that are counts, sums or extremes.
#[derive(Debug)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    /// The arguments whose values a posting carries, and which of them an entry takes.
    carried: Vec<usize>,
    takes: Vec<usize>,
    contacts: usize,
    /// Contacts of a region, as a power of two: blocks sort their postings by region, and each region's are then put into its parts.
    region_shift: u32,
    parts: Vec<Part>,
    /// Postings that were put down so far, and the bytes of those not added yet.
    posted: u64,
    waiting: u64,
    buffer: u64,
    totals: Vec<Totals>,
}

/// The postings of a block by the contact's region, in the order of its rows.
#[derive(Debug, Default)]
pub(crate) struct LedgerRows {
    regions: Vec<Vec<u64>>,
}

impl Ledger {
    /// An empty ledger, which adds every posting at once; counts come first, then sums.
    pub(crate) fn new(mut entries: Vec<Entry>, contacts: usize) -> Self {
        entries.sort_by_key(|entry| (entry.kind, entry.feature));
        let mut carried = Vec::new();
        let takes = entries
            .iter()
            .map(|entry| match (entry.kind, entry.argument) {
                (Kind::Count, _) | (_, None) => 0,
                (_, Some(argument)) => carried.iter().position(|known| *known == argument).unwrap_or_else(|| {
                    carried.push(argument);
                    carried.len() - 1
                }),
            })
            .collect();
        let totals: Vec<Totals> = entries.iter().map(|entry| Totals::new(entry.kind, contacts)).collect();
        let region = (contacts / 12).next_power_of_two().max(1 << PART_SHIFT);
        let parts = (0..contacts.div_ceil(1 << PART_SHIFT)).map(|_| Part::default()).collect();
        Self { entries, carried, takes, contacts, region_shift: region.trailing_zeros(), parts, posted: 0, waiting: 0, buffer: 0, totals }
    }

    /// Lets it hold back postings of `room` bytes, as far as that spares work.
    pub(crate) fn hold_back(&mut self, room: u64) {
        self.buffer = room.min(self.totals_bytes().max(LEAST_BUFFER));
    }

    /// What it takes, postings that wait included.
    pub(crate) fn bytes(&self) -> u64 {
        self.totals_bytes() + self.waiting
    }

    fn totals_bytes(&self) -> u64 {
        self.totals.iter().map(Totals::bytes).sum()
    }

    /// Words of a posting: the contact with the features' bits above it, and the values.
    fn width(&self) -> usize {
        1 + self.carried.len()
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

    /// Which features each row counts for, and with which values, by the contact's region.
    pub(crate) fn rows(&self, each: &[Vec<u64>], any: &[u64], contacts: &[u32], vectors: &[Vector<'_>]) -> LedgerRows {
        let regions = self.contacts.div_ceil(1 << self.region_shift);
        let expected = crm_rules::count_ones(any) as usize * self.width() / regions.max(1);
        let mut found = LedgerRows { regions: (0..regions).map(|_| Vec::with_capacity(expected + expected / 4)).collect() };
        let values: Vec<Values<'_>> = self.carried.iter().map(|argument| Values::of(&vectors[*argument])).collect();
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
                    let region = &mut found.regions[(contact >> self.region_shift) as usize];
                    let posting = features << 32 | u64::from(contact);
                    match values.as_slice() {
                        [] => region.push(posting),
                        [one] => region.extend_from_slice(&[posting, one.get(row)]),
                        [one, two] => region.extend_from_slice(&[posting, one.get(row), two.get(row)]),
                        more => {
                            region.push(posting);
                            region.extend(more.iter().map(|values| values.get(row)));
                        }
                    }
                }
            }
        }
        found
    }

    /// Puts down the postings of several blocks, in their order. Each contact is one thread's, so sums do not depend on the number of threads.
    pub(crate) fn add(&mut self, blocks: &[&LedgerRows]) {
        let width = self.width();
        self.posted += blocks.iter().flat_map(|block| &block.regions).map(|words| (words.len() / width) as u64).sum::<u64>();
        let per_region = 1 << (self.region_shift - PART_SHIFT);
        self.parts.par_chunks_mut(per_region).enumerate().for_each(|(region, parts)| {
            for block in blocks {
                postings::put(parts, &block.regions[region], width);
            }
        });
        self.waiting = self.parts.iter().map(Part::bytes).sum();
        if self.waiting > self.buffer {
            self.settle();
        }
    }

    /// Adds what waits.
    pub(crate) fn settle(&mut self) {
        if self.waiting == 0 {
            return;
        }
        let wide = i32::try_from(self.posted).is_err();
        let width = self.width();
        let mut shares: Vec<_> = self.totals.iter_mut().map(|totals| totals.shares(1 << PART_SHIFT, wide).into_iter()).collect();
        let mut work: Vec<_> =
            self.parts.iter_mut().map(|part| (part, shares.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>())).collect();
        let takes = &self.takes;
        work.par_iter_mut().for_each_init(Vec::new, |words, (part, shares)| {
            part.take(words);
            for (place, share) in shares.iter_mut().enumerate() {
                share.add(words, width, place, takes[place]);
            }
        });
        self.waiting = 0;
    }

    /// The features by number, once all is added.
    pub(crate) fn finish(self, features: &[Feature]) -> Vec<(usize, Column)> {
        let column = |(entry, totals): (Entry, Totals)| (entry.feature, totals.finish(features[entry.feature].data_type, self.contacts));
        self.entries.into_iter().zip(self.totals).map(column).collect()
    }
}

/// The values that an argument has in a block.
enum Values<'a> {
    Ints(&'a [i64]),
    Floats(&'a [f64]),
    None,
}

impl<'a> Values<'a> {
    fn of(vector: &'a Vector<'_>) -> Self {
        match &vector.data {
            Data::Int(values) => Self::Ints(values),
            Data::Float(values) => Self::Floats(values),
            _ => Self::None,
        }
    }

    #[inline]
    fn get(&self, row: usize) -> u64 {
        match self {
            Self::Ints(values) => values[row] as u64,
            Self::Floats(values) => values[row].to_bits(),
            Self::None => 0,
        }
    }
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
mod tests;
