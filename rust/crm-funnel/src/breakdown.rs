//! What contacts and deals are told apart by: numbered values packed into the bits of one word, and the groups of a breakdown.
use crm_core::{Error, Result};
use hashbrown::HashMap;

/// Bits that the attributes of one contact or deal may take; the rest is left for a step or stage.
const MAX_BITS: u32 = 56;
/// Breakdowns of up to this many bits find a group by a table, others by hashing.
const TABLE_BITS: u32 = 20;

/// How the values of several dimensions are packed into one word. A dimension with `n` values has the numbers 0 to `n`; the last is none.
#[derive(Debug, Clone, Default)]
pub struct Attributes {
    /// Per dimension: where its bits begin, how many they are, and its number of values.
    fields: Vec<(u32, u32, u32)>,
    /// Bits in all.
    pub bits: u32,
}

impl Attributes {
    /// A layout for dimensions with these numbers of values.
    pub fn new(n_values: impl IntoIterator<Item = u32>) -> Result<Self> {
        let mut attributes = Self::default();
        for n in n_values {
            // One number more, for what a top leaves out.
            let bits = 32 - n.saturating_add(1).leading_zeros();
            attributes.fields.push((attributes.bits, bits, n));
            attributes.bits += bits;
        }
        if attributes.bits > MAX_BITS {
            return Err(Error::limit("the breakdowns have too many values together; leave some out or name fewer values"));
        }
        Ok(attributes)
    }

    /// `value` of `dimension`, where it belongs in the word.
    #[inline(always)]
    pub fn pack(&self, dimension: usize, value: u32) -> u64 {
        u64::from(value) << self.fields[dimension].0
    }

    /// The value of `dimension` in a word.
    #[inline(always)]
    pub fn value(&self, word: u64, dimension: usize) -> u32 {
        let (shift, bits, _) = self.fields[dimension];
        (word >> shift & ((1 << bits) - 1)) as u32
    }

    /// One word per row of the dimensions' columns.
    pub fn pack_columns(&self, columns: &[&[u32]], n_rows: usize) -> Vec<u64> {
        let mut words = vec![0; n_rows];
        for (dimension, column) in columns.iter().enumerate() {
            let shift = self.fields[dimension].0;
            words.iter_mut().zip(*column).for_each(|(word, &value)| *word |= u64::from(value) << shift);
        }
        words
    }
}

/// The groups of one breakdown: combinations of some dimensions' values that occur, in ascending order.
#[derive(Debug, Clone)]
pub struct Groups {
    /// The numbers of each group's values, `[n_groups, n_dimensions]`.
    pub values: Vec<Vec<u32>>,
    parts: Vec<Part>,
    ranks: Ranks,
}

/// Where a dimension's bits go in a breakdown's own word.
#[derive(Debug, Clone)]
struct Part {
    shift: u32,
    mask: u64,
    to: u32,
    /// What each value counts as, where a top joins the others.
    counts_as: Option<Vec<u32>>,
}

#[derive(Debug, Clone)]
enum Ranks {
    Table(Vec<u32>),
    Map(HashMap<u64, u32, foldhash::fast::FixedState>),
}

impl Groups {
    /// The groups of the words, by some dimensions; `counts_as` says per dimension of the breakdown what each value counts as.
    pub fn new(attributes: &Attributes, by: &[usize], counts_as: Vec<Option<Vec<u32>>>, words: impl Iterator<Item = u64>) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        let mut bits = 0;
        // The last dimension is the lowest, so that the breakdown's words order as its groups do.
        for (&dimension, counts_as) in by.iter().zip(counts_as).rev() {
            let (shift, width, _) = attributes.fields[dimension];
            parts.push(Part { shift, mask: (1 << width) - 1, to: bits, counts_as });
            bits += width;
        }
        let mut groups = Self { values: Vec::new(), parts, ranks: Ranks::Table(Vec::new()) };
        let present: Vec<u64> = if bits <= TABLE_BITS {
            let mut table = vec![0; 1 << bits];
            words.for_each(|word| table[groups.project(word) as usize] = 1);
            let mut present = Vec::new();
            for (own, rank) in table.iter_mut().enumerate().filter(|(_, rank)| **rank == 1) {
                *rank = present.len() as u32;
                present.push(own as u64);
            }
            groups.ranks = Ranks::Table(table);
            present
        } else {
            let mut present: Vec<u64> = words.map(|word| groups.project(word)).collect();
            present.sort_unstable();
            present.dedup();
            groups.ranks = Ranks::Map(present.iter().copied().zip(0..).collect());
            present
        };
        groups.values =
            present.into_iter().map(|own| groups.parts.iter().rev().map(|part| (own >> part.to & part.mask) as u32).collect()).collect();
        groups
    }

    /// One word per group that has its values, for the dimensions `by` that the groups were made with.
    pub fn words(&self, attributes: &Attributes, by: &[usize]) -> Vec<u64> {
        let word = |values: &Vec<u32>| by.iter().zip(values).map(|(&dimension, &value)| attributes.pack(dimension, value)).sum();
        self.values.iter().map(word).collect()
    }

    /// The group of each word.
    pub fn of_each(&self, words: &[u64]) -> Vec<u32> {
        words.iter().map(|&word| self.of(word) as u32).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    #[inline(always)]
    fn project(&self, word: u64) -> u64 {
        let mut own = 0;
        for part in &self.parts {
            let value = word >> part.shift & part.mask;
            let value = match &part.counts_as {
                Some(counts_as) => u64::from(counts_as[value as usize]),
                None => value,
            };
            own |= value << part.to;
        }
        own
    }

    /// Whether all words are one group.
    pub fn is_whole(&self) -> bool {
        self.parts.is_empty()
    }

    /// Where a word's only dimension begins, its mask, and the group of each value: nothing unless the group is read off like that.
    pub fn by_one_value(&self) -> Option<(u32, u64, &[u32])> {
        match (self.parts.as_slice(), &self.ranks) {
            ([Part { shift, mask, to: 0, counts_as: None }], Ranks::Table(table)) => Some((*shift, *mask, table)),
            _ => None,
        }
    }

    /// The group of a word that was among those given at first.
    #[inline(always)]
    pub fn of(&self, word: u64) -> usize {
        let own = self.project(word);
        match &self.ranks {
            Ranks::Table(table) => table[own as usize] as usize,
            Ranks::Map(map) => map.get(&own).copied().unwrap_or(0) as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_in_order_of_their_values() {
        let attributes = Attributes::new([3, 1]).unwrap();
        let columns: [&[u32]; 2] = [&[2, 0, 2, 3], &[0, 1, 1, 0]];
        let words = attributes.pack_columns(&columns, 4);
        assert_eq!(
            words.iter().map(|&word| (attributes.value(word, 0), attributes.value(word, 1))).collect::<Vec<_>>(),
            [(2, 0), (0, 1), (2, 1), (3, 0)]
        );
        let both = Groups::new(&attributes, &[0, 1], vec![None, None], words.iter().copied());
        assert_eq!(both.values, [[0, 1], [2, 0], [2, 1], [3, 0]]);
        assert_eq!(words.iter().map(|&word| both.of(word)).collect::<Vec<_>>(), [1, 0, 2, 3]);
        let swapped = Groups::new(&attributes, &[1, 0], vec![None, None], words.iter().copied());
        assert_eq!(swapped.values, [[0, 2], [0, 3], [1, 0], [1, 2]]);
        let top = Groups::new(&attributes, &[0], vec![Some(vec![4, 4, 2, 4])], words.iter().copied());
        assert_eq!(top.values, [[2], [4]]);
        assert_eq!(Groups::new(&attributes, &[], vec![], words.iter().copied()).values, [Vec::<u32>::new()]);
    }

    #[test]
    fn many_values_are_found_by_hashing() {
        let attributes = Attributes::new([1 << 20, 1 << 20]).unwrap();
        let columns: [&[u32]; 2] = [&[1 << 19, 5, 7], &[3, 3, 1 << 20]];
        let words = attributes.pack_columns(&columns, 3);
        let groups = Groups::new(&attributes, &[1, 0], vec![None, None], words.iter().copied());
        assert_eq!(groups.values, [[3, 5], [3, 1 << 19], [1 << 20, 7]]);
        assert_eq!(words.iter().map(|&word| groups.of(word)).collect::<Vec<_>>(), [1, 0, 2]);
        assert!(Attributes::new([u32::MAX - 1; 2]).is_err());
    }
}
