//! The pairs that the model is fitted on.
use hashbrown::HashMap;
use rayon::prelude::*;

use super::em::{RELATED, TrainingSet, bits};
use super::sketch::Sketches;
use super::weights::{PairPriors, Roles};
use crate::WEIGHT_ONE;
use crate::block::{Column, Form, KeyLookup, Rule, each_block};
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

/// Pairs of a rule with these keys: whole blocks, those with the lowest keys first.
pub(crate) fn sample_rule(records: &Records, keys: &Column, representatives: &[u32]) -> RuleSample {
    // Keys are hashes: a range of them is a random sample. The range grows until it holds enough pairs.
    let mut share = (100_000.0 / representatives.len().max(1) as f64).min(1.0);
    loop {
        let limit = (share * 4_294_967_295.0) as u32;
        let mut entries = Vec::new();
        for record in representatives {
            keys.each(*record, |key| {
                if key <= limit {
                    entries.push(u64::from(key) << 32 | u64::from(*record));
                }
            });
        }
        entries.sort_unstable();
        let mut sample = RuleSample { pairs: Vec::new(), share };
        let mut n_pairs = 0u64;
        each_block(&entries, |key, block| {
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

/// The levels of pairs, in their order.
pub(crate) fn levels_of(comparer: &Comparer<'_>, sketches: &Sketches, pairs: &[(u32, u32)]) -> Vec<Levels> {
    let levels = |cache: &mut LevelCache, (a, b): &(u32, u32)| comparer.levels_unless(sketches.different(*a, *b), *a, *b, cache);
    pairs.par_iter().with_min_len(2048).map_init(LevelCache::default, levels).collect()
}

/// Patterns and how often each occurs, in a fixed order.
pub(crate) fn patterns<'a>(levels: impl Iterator<Item = &'a Levels>) -> Vec<(Levels, f64)> {
    let mut counts: HashMap<&Levels, u64> = HashMap::new();
    levels.for_each(|levels| *counts.entry(levels).or_default() += 1);
    let mut patterns: Vec<(Levels, f64)> = counts.into_iter().map(|(levels, count)| (*levels, count as f64)).collect();
    patterns.sort_unstable_by_key(|(levels, _)| *levels);
    patterns
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

/// A training set of pairs with these levels.
pub(crate) fn training_set(levels: &[Levels], fixed: u32, is_random: bool) -> TrainingSet {
    let share = if is_random { 1e-4 } else { 0.2 };
    TrainingSet { fixed, patterns: patterns(levels.iter()), is_random, share }
}

/// The patterns of the pairs that blocking proposes, by the rule that proposes them first, and the share of that rule's pairs drawn.
pub(crate) type CandidatePatterns = Vec<(f64, Vec<(Levels, f64)>)>;

/// Draws [`CandidatePatterns`]; `levels` are those of each sample's pairs.
pub(crate) fn candidate_patterns(keys: &KeyLookup<'_>, samples: &[RuleSample], levels: &[Vec<Levels>]) -> CandidatePatterns {
    let of_rule = |(rule, (sample, levels)): (usize, (&RuleSample, &Vec<Levels>))| {
        let is_new = |(a, b): &(u32, u32)| !keys.is_proposed_before(*a, *b, rule);
        let new = sample.pairs.iter().zip(levels).filter(|(pair, _)| is_new(pair)).map(|(_, levels)| levels);
        (sample.share.max(1e-9), patterns(new))
    };
    let rules: Vec<_> = samples.iter().zip(levels).enumerate().collect();
    rules.into_par_iter().map(of_rule).collect()
}

/// What a rule adds to what the rules before it propose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Yield {
    /// Pairs that no earlier rule proposes.
    pub pairs: f64,
    /// Those of them that are rather matches than not.
    pub matches: f64,
}

/// Per rule its [`Yield`], estimated from the pairs drawn.
pub(crate) fn yields(roles: &Roles, weights: &[Vec<i32>], candidates: &CandidatePatterns, priors: PairPriors) -> Vec<Yield> {
    let of_rule = |(drawn, patterns): &(f64, Vec<(Levels, f64)>)| {
        let is_match = |levels: &Levels| roles.combine(weights, levels, 0).total(priors) >= 0;
        let matches: f64 = patterns.iter().filter(|(levels, _)| is_match(levels)).map(|(_, count)| count).sum();
        let pairs: f64 = patterns.iter().map(|(_, count)| count).sum();
        Yield { pairs: pairs / drawn, matches: matches / drawn }
    };
    candidates.iter().map(of_rule).collect()
}

/// The weights of a match among pairs that share a household's things, and among those that share a chain's: the odds at which the
/// personal evidence of such pairs is consistent with itself; and what one surname tells among the former.
pub(crate) fn mixing_priors(roles: &Roles, weights: &[Vec<i32>], candidates: &CandidatePatterns, priors: PairPriors) -> PairPriors {
    let (mut relatives, mut branches) = (Vec::new(), Vec::new());
    let families = PairPriors { surname: 0, ..priors };
    for (drawn, patterns) in candidates {
        for (levels, count) in patterns {
            let sum = roles.combine(weights, levels, 0);
            let count = count / drawn;
            if sum.household(priors) >= 0 {
                let (weight, one_surname) = (sum.against_relatives(families), sum.has_one_surname());
                relatives.push(Neighbours { count, weight, surname_gain: sum.surname_gain(), one_surname });
            }
            if let Some(weight) = sum.against_branches() {
                branches.push(Neighbours { count, weight, surname_gain: 0, one_surname: None });
            }
        }
    }
    let (related, surname) = mixing_prior(&relatives);
    PairPriors { related, branch: mixing_prior(&branches).0, surname, ..priors }
}

/// Pairs of one pattern that share a household's things, or a chain's.
struct Neighbours {
    count: f64,
    /// The evidence for a match, the surname aside.
    weight: i32,
    surname_gain: i32,
    one_surname: Option<bool>,
}

/// One surname tells at most this much among those who share a household's things.
const MOST_OF_SURNAME: i32 = 8 * WEIGHT_ONE;

/// The odds of a match among `pairs`, and the most that one surname weighs there.
fn mixing_prior(pairs: &[Neighbours]) -> (i32, i32) {
    // A few of each before anything is seen; families bear one surname.
    let (mut odds, mut surname) = (RELATED, 0);
    for _ in 0..40 {
        let (mut n_matches, mut n_others) = (4.0f64, 2.0f64);
        let (mut n_one_surname, mut n_two_surnames) = (19.0f64, 1.0f64);
        for pair in pairs {
            let p = crate::weight_to_probability(odds + pair.weight + pair.surname_gain.min(surname));
            n_matches += p * pair.count;
            n_others += (1.0 - p) * pair.count;
            match pair.one_surname {
                Some(true) => n_one_surname += (1.0 - p) * pair.count,
                Some(false) => n_two_surnames += (1.0 - p) * pair.count,
                None => {}
            }
        }
        odds = bits((n_matches / n_others).log2()).clamp(-8 * WEIGHT_ONE, 6 * WEIGHT_ONE);
        surname = bits(((n_one_surname + n_two_surnames) / n_one_surname).log2()).clamp(0, MOST_OF_SURNAME);
    }
    (odds, surname)
}

/// The share of matches among all pairs, as a weight: matches expected among the candidates, once the share is consistent with them.
pub(crate) fn estimate_prior(
    roles: &Roles,
    weights: &[Vec<i32>],
    candidates: &CandidatePatterns,
    priors: PairPriors,
    n_records: usize,
) -> i32 {
    let n = n_records as f64;
    let n_pairs = (n * (n - 1.0) / 2.0).max(1.0);
    let mut share = (0.2 * n / n_pairs).min(0.3);
    for _ in 0..30 {
        let all = bits((share / (1.0 - share)).log2());
        let mut n_matches = 0.0;
        for (drawn, patterns) in candidates {
            let expected = |(levels, count): &(Levels, f64)| {
                let sum = roles.combine(weights, levels, 0);
                count * crate::weight_to_probability(sum.total(PairPriors { all, ..priors }))
            };
            n_matches += patterns.iter().map(expected).sum::<f64>() / drawn;
        }
        // One record in two thousand has a twin before anything is known.
        share = ((n_matches + 0.5 + 0.0005 * n) / n_pairs).clamp(1e-13, 0.5);
    }
    bits((share / (1.0 - share)).log2())
}
