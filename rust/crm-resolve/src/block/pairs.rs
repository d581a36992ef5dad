//! The blocks of one rule: records sorted by key.
use rayon::prelude::*;

use super::keys::Keys;

/// Records by key: `(key << 32) | record`, sorted, keys of one record alone left out.
#[derive(Debug)]
pub(crate) struct Blocks {
    entries: Vec<u64>,
}

/// The blocks of a rule; `is_wanted` limits them to some records.
pub(crate) fn blocks_of(keys: &Keys, rule: usize, records: &[u32]) -> Blocks {
    const CHUNK: usize = 1 << 15;
    // Keys that occur once are most of all keys: two bits per hashed key sort them out before sorting.
    let bits = (records.len().next_power_of_two().max(1 << 10) * 8).trailing_zeros();
    let slot = |key: u32| (key.wrapping_mul(0x9e37_79b1) as usize) & ((1usize << bits) - 1);
    let (mut once, mut twice) = (vec![0u64; (1usize << bits) / 64], vec![0u64; (1usize << bits) / 64]);
    for record in records {
        keys.each(*record, rule, |key| {
            let (word, bit) = (slot(key) / 64, 1u64 << (slot(key) % 64));
            twice[word] |= once[word] & bit;
            once[word] |= bit;
        });
    }
    let parts: Vec<Vec<u64>> = records
        .par_chunks(CHUNK)
        .map(|records| {
            let mut entries = Vec::new();
            for record in records {
                keys.each(*record, rule, |key| {
                    if twice[slot(key) / 64] >> (slot(key) % 64) & 1 == 1 {
                        entries.push(u64::from(key) << 32 | u64::from(*record));
                    }
                });
            }
            entries
        })
        .collect();
    let mut entries = parts.concat();
    entries.par_sort_unstable();
    Blocks { entries }
}

impl Blocks {
    /// Calls `visit` with each key and its entries, the record in the low 32 bits of each.
    pub fn each<'a>(entries: &'a [u64], mut visit: impl FnMut(u32, &'a [u64])) {
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

    /// Pairs in all blocks.
    pub fn n_pairs(&self) -> u64 {
        let mut sum = 0;
        Self::each(&self.entries, |_, block| sum += pairs_in(block.len()));
        sum
    }

    /// Runs of whole blocks with about `target` pairs each, for sharing work among threads.
    pub fn portions(&self, target: u64) -> Vec<&[u64]> {
        let mut portions = Vec::new();
        let (mut first, mut end, mut sum) = (0, 0, 0);
        Self::each(&self.entries, |_, block| {
            let start = (block.as_ptr() as usize - self.entries.as_ptr() as usize) / size_of::<u64>();
            end = start + block.len();
            sum += pairs_in(block.len());
            if sum >= target {
                portions.push(&self.entries[first..end]);
                (first, sum) = (end, 0);
            }
        });
        if first < end {
            portions.push(&self.entries[first..end]);
        }
        portions
    }
}

/// Pairs among `n` records.
pub(crate) fn pairs_in(n: usize) -> u64 {
    (n as u64) * (n as u64 - u64::from(n > 0)) / 2
}
