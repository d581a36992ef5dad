//! Keys that are not kept, where memory is short: blocks are made for one range of records after the other.
use crm_core::{Control, Result};
use rayon::prelude::*;

use super::Rule;
use super::keys::{Column, KeyMaker, Keys, width_of};
use crate::records::Records;

impl Keys {
    /// Bytes that the keys of `n_records` under the rules take, and blocks made of them: about as much again.
    fn bytes(rules: &[Rule], n_records: usize) -> u64 {
        let n_slots: usize = rules.iter().map(width_of).sum();
        (n_slots * n_records) as u64 * 8
    }

    /// In how many ranges of records blocks must be made so that they take no more than the room there is; 1: keys can be kept.
    pub(crate) fn n_ranges(rules: &[Rule], n_records: usize, room: Option<u64>) -> u64 {
        // Records that follow those of a range are met in several ranges.
        const AGAIN: u64 = 3;
        // Each range looks at all records after it.
        const MOST: u64 = 64;
        match room {
            Some(room) if Self::bytes(rules, n_records) > room => {
                (AGAIN * Self::bytes(rules, n_records)).div_ceil(room.max(1)).clamp(2, MOST)
            }
            _ => 1,
        }
    }

    /// None of the keys; those of a record are made when they are asked for.
    pub(crate) fn unkept(n_rules: usize, n_records: usize) -> Self {
        Self { columns: Vec::new(), records: 0..n_records as u32, left_out: vec![0; n_rules], n_pairs: Vec::new() }
    }

    /// Whether the columns are there.
    pub(crate) fn is_kept(&self) -> bool {
        self.columns.len() == self.left_out.len()
    }

    /// Per rule the keys that were left out when its cap was fitted, if it was.
    pub(crate) fn fitted_left_out(&self) -> Option<&[u64]> {
        (!self.n_pairs.is_empty()).then_some(&self.left_out)
    }

    /// What tells which rules propose a pair.
    pub(crate) fn lookup<'a>(&'a self, records: &'a Records, rules: &'a [Rule]) -> KeyLookup<'a> {
        KeyLookup { keys: self, maker: if self.is_kept() { None } else { Some(KeyMaker::new(records, rules)) } }
    }
}

/// Tells which rules propose a pair, whether the keys are kept or not.
#[derive(Debug)]
pub(crate) struct KeyLookup<'a> {
    keys: &'a Keys,
    maker: Option<KeyMaker<'a>>,
}

impl KeyLookup<'_> {
    /// Whether one of the rules before `rule` proposes the pair.
    pub fn is_proposed_before(&self, a: u32, b: u32, rule: usize) -> bool {
        let Some(maker) = &self.maker else { return (0..rule).any(|earlier| self.keys.shares(a, b, earlier)) };
        let (mut fetched, mut of_a, mut of_b) = (Vec::new(), Vec::new(), Vec::new());
        maker.values(a, &mut fetched, &mut of_a);
        maker.values(b, &mut fetched, &mut of_b);
        (0..rule).any(|earlier| {
            let (keys_a, keys_b) = (maker.keys(earlier, &of_a).0, maker.keys(earlier, &of_b).0);
            keys_a.as_slice().iter().any(|key| keys_b.as_slice().contains(key))
        })
    }
}

/// Whether a key may be one of some records' under a rule.
#[derive(Debug)]
pub(super) struct KeyFilter {
    bits: Vec<u64>,
}

impl KeyFilter {
    pub fn new(column: &Column, records: &[u32]) -> Self {
        let mut filter = Self { bits: vec![0; (records.len() * column.width * 8).next_power_of_two().max(64) / 64] };
        for record in records {
            column.each(*record, |key| {
                let (word, bit) = filter.place(key);
                filter.bits[word] |= bit;
            });
        }
        filter
    }

    #[inline]
    fn place(&self, key: u32) -> (usize, u64) {
        let slot = key.wrapping_mul(0x9e37_79b1) as usize & (self.bits.len() * 64 - 1);
        (slot / 64, 1 << (slot % 64))
    }

    #[inline]
    fn may_have(&self, key: u32) -> bool {
        let (word, bit) = self.place(key);
        self.bits[word] & bit != 0
    }
}

/// Per rule the entries, `(key << 32) | record`, of those keys of `records` that the rule's filter lets through; in the records' order.
pub(super) fn later_entries(
    records: &Records,
    rules: &[Rule],
    later: &[u32],
    filters: &[KeyFilter],
    control: &dyn Control,
) -> Result<Vec<Vec<u64>>> {
    const PORTION: usize = 4096;
    let maker = KeyMaker::new(records, rules);
    let entries_of = |portion: &[u32]| {
        let mut entries = vec![Vec::new(); rules.len()];
        let (mut fetched, mut values) = (Vec::new(), Vec::new());
        for record in portion {
            maker.values(*record, &mut fetched, &mut values);
            for (rule, (filter, entries)) in filters.iter().zip(&mut entries).enumerate() {
                let (set, _) = maker.keys(rule, &values);
                let found = set.as_slice().iter().filter(|key| **key != 0 && filter.may_have(**key));
                entries.extend(found.map(|key| u64::from(*key) << 32 | u64::from(*record)));
            }
        }
        entries
    };
    let mut all: Vec<Vec<u64>> = vec![Vec::new(); rules.len()];
    for round in later.chunks(64 * PORTION) {
        control.check()?;
        let portions: Vec<Vec<Vec<u64>>> = round.par_chunks(PORTION).map(entries_of).collect();
        all.par_iter_mut().enumerate().for_each(|(rule, all)| portions.iter().for_each(|portion| all.extend_from_slice(&portion[rule])));
    }
    Ok(all)
}
