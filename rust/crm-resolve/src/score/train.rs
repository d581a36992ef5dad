//! The pairs that the model is fitted on.
use std::collections::BTreeMap;

use rayon::prelude::*;

use super::em::TrainingSet;
use crate::block::{Blocks, Form, Keys, Rule};
use crate::compare::{Comparer, LevelCache, Levels};
use crate::records::{Kind, Records};

/// Random pairs, and pairs per rule, that are looked at.
const N_RANDOM: usize = 160_000;
const N_PER_RULE: u64 = 16_000;
/// Blocks larger than this give only neighbours in the order of content.
const LARGEST_WHOLE: usize = 12;

/// The pairs drawn from one rule.
#[derive(Debug, Default, Clone)]
pub(crate) struct RuleSample {
    pub pairs: Vec<(u32, u32)>,
    /// The share of the rule's pairs that was drawn.
    pub share: f64,
}

/// Random pairs, drawn by content.
pub(crate) fn random_pairs(records: &Records, seed: u64) -> Vec<(u32, u32)> {
    const N_RECORDS: usize = 4000;
    let order = |record: &u32| {
        let hash = records.content_hash(*record) ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash.wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(17), *record)
    };
    let mut sample: Vec<u32> = (0..records.len() as u32).collect();
    if sample.len() > N_RECORDS {
        sample.select_nth_unstable_by_key(N_RECORDS, order);
        sample.truncate(N_RECORDS);
    }
    sample.sort_unstable_by_key(order);
    let n = sample.len();
    let mut pairs = Vec::new();
    for step in 1..n {
        if pairs.len() >= N_RANDOM {
            break;
        }
        pairs.extend((0..n - step).map(|place| (sample[place], sample[place + step])));
    }
    pairs
}

/// Pairs of each rule: whole blocks, those with the lowest keys first.
pub(crate) fn rule_pairs(records: &Records, keys: &Keys, representatives: &[u32]) -> Vec<RuleSample> {
    (0..keys.n_rules()).into_par_iter().map(|rule| sample_rule(records, keys, rule, representatives)).collect()
}

fn sample_rule(records: &Records, keys: &Keys, rule: usize, representatives: &[u32]) -> RuleSample {
    // Keys are hashes: a range of them is a random sample. The range grows until it holds enough pairs.
    let mut share = (100_000.0 / representatives.len().max(1) as f64).min(1.0);
    loop {
        let limit = (share * 4_294_967_295.0) as u32;
        let mut entries = Vec::new();
        for record in representatives {
            keys.each(*record, rule, |key| {
                if key <= limit {
                    entries.push(u64::from(key) << 32 | u64::from(*record));
                }
            });
        }
        entries.sort_unstable();
        let mut sample = RuleSample { pairs: Vec::new(), share };
        let mut n_pairs = 0u64;
        Blocks::each(&entries, |key, block| {
            if n_pairs >= N_PER_RULE {
                return;
            }
            let mut block: Vec<u32> = block.iter().map(|entry| *entry as u32).collect();
            n_pairs += crate::block::pairs_in(block.len());
            block.sort_unstable_by_key(|record| (records.content_hash(*record), *record));
            let reach = if block.len() > LARGEST_WHOLE { 3 } else { block.len() };
            for (place, a) in block.iter().enumerate() {
                sample.pairs.extend(block[place + 1..].iter().take(reach).map(|b| (*a, *b)));
            }
            if n_pairs >= N_PER_RULE {
                sample.share = f64::from(key) / 4_294_967_295.0;
            }
        });
        if n_pairs >= N_PER_RULE || share >= 1.0 {
            return sample;
        }
        share = (share * 8.0).min(1.0);
    }
}

/// The patterns of pairs.
pub(crate) fn patterns(comparer: &Comparer<'_>, pairs: &[(u32, u32)]) -> Vec<(Levels, f64)> {
    let parts: Vec<BTreeMap<Levels, u64>> = pairs
        .par_chunks(8192)
        .map_init(LevelCache::default, |cache, pairs| {
            let mut counts = BTreeMap::new();
            for (a, b) in pairs {
                *counts.entry(comparer.levels(*a, *b, cache)).or_insert(0) += 1;
            }
            counts
        })
        .collect();
    let mut counts: BTreeMap<Levels, u64> = BTreeMap::new();
    for part in parts {
        for (levels, count) in part {
            *counts.entry(levels).or_default() += count;
        }
    }
    counts.into_iter().map(|(levels, count)| (levels, count as f64)).collect()
}

/// The comparisons that a rule decides, as bits.
pub(crate) fn fixed_by(comparer: &Comparer<'_>, rule: &Rule) -> u32 {
    let mut fixed = 0;
    for (place, comparison) in comparer.comparisons().iter().enumerate() {
        let is_fixed = rule.parts.iter().any(|part| match part.form {
            Form::AnyName(_) | Form::NamePair(_) => matches!(comparison.kind, Kind::Given | Kind::Family),
            _ => part.field == comparison.name,
        });
        fixed |= u32::from(is_fixed) << place;
    }
    fixed
}

/// A training set of these pairs.
pub(crate) fn training_set(comparer: &Comparer<'_>, pairs: &[(u32, u32)], fixed: u32, is_random: bool) -> TrainingSet {
    let share = if is_random { 1e-4 } else { 0.2 };
    TrainingSet { fixed, patterns: patterns(comparer, pairs), is_random, share }
}
