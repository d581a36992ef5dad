//! Expectation maximisation over counts of agreement patterns.
use crm_core::{Control, Result};

use super::weights::{PairPriors, Roles};
use crate::WEIGHT_ONE;
use crate::compare::{Comparison, Levels, SLIPS_FROM, SLIPS_TO, level_names, priors};
use crate::records::Kind;

/// Pairs drawn one way, as counts of patterns.
#[derive(Debug, Clone)]
pub(crate) struct TrainingSet {
    /// Comparisons whose outcome the way of drawing decides, as bits.
    pub fixed: u32,
    /// Patterns and how often each occurred, in a fixed order.
    pub patterns: Vec<(Levels, f64)>,
    /// Whether the pairs were drawn at random from all pairs.
    pub is_random: bool,
    /// Share of matches, estimated.
    pub share: f64,
}

/// Probabilities of the levels from 1 on, per comparison.
#[derive(Debug, Clone)]
pub(crate) struct Estimate {
    pub m: Vec<Vec<f64>>,
    pub u: Vec<Vec<f64>>,
}

/// Match weight of a match against "another member of the household", before anything is known.
pub(crate) const RELATED: i32 = WEIGHT_ONE;

impl Estimate {
    /// What the shipped priors say.
    pub fn prior(comparisons: &[Comparison]) -> Self {
        let normal = |counts: &[f64]| {
            let sum: f64 = counts.iter().sum();
            counts.iter().map(|count| count / sum).collect()
        };
        Self {
            m: comparisons.iter().map(|comparison| normal(priors(comparison.kind).m)).collect(),
            u: comparisons.iter().map(|comparison| normal(priors(comparison.kind).u)).collect(),
        }
    }

    /// Weights per comparison and level; "missing" weighs nothing.
    pub fn weights(&self) -> Vec<Vec<i32>> {
        let of_comparison = |(m, u): (&Vec<f64>, &Vec<f64>)| {
            let mut levels: Vec<i32> = std::iter::once(0).chain(m.iter().zip(u).map(|(m, u)| bits((m / u).log2()))).collect();
            // That two values differ never speaks for a match.
            if let Some(last) = levels.last_mut() {
                *last = (*last).min(LEAST_AGAINST);
            }
            levels
        };
        self.m.iter().zip(&self.u).map(of_comparison).collect()
    }
}

/// A weight in bits as fixed point.
pub(crate) fn bits(weight: f64) -> i32 {
    (weight.clamp(-24.0, 40.0) * f64::from(WEIGHT_ONE)).round() as i32
}

/// The probability that a fixed-point weight stands for.
fn probability(weight: i32) -> f64 {
    crate::weight_to_probability(weight)
}

fn logit(share: f64) -> i32 {
    bits((share / (1.0 - share)).log2())
}

/// The weight of "different" at most.
const LEAST_AGAINST: i32 = -WEIGHT_ONE / 8;

/// Of the matches of which two or more telling things are known (birth date, mailbox, telephone, tax id), this share may differ in all of them.
/// Where the fit would have more, few names are borne by many people, and it takes namesakes for matches.
const MOST_CONTRADICTED: f64 = 0.25;

/// So many matches that are not contradicted are assumed before any is seen.
const CONTRADICTED_STRENGTH: f64 = 4.0;

/// Most that speaks against a match of records that only their names hold together.
const MOST_AGAINST_NAMESAKES: i32 = 20 * WEIGHT_ONE;

/// It grows after so many rounds, and by so much in a round.
const SETTLED_ROUNDS: usize = 6;
const MOST_PER_ROUND: i32 = 3 * WEIGHT_ONE;

/// How many random pairs the shipped probabilities among other pairs count as.
const U_STRENGTH: f64 = 400.0;
const ROUNDS: usize = 20;

/// Fits `m`, `u` and the share of matches in each set.
pub(crate) fn fit(
    comparisons: &[Comparison],
    roles: &Roles,
    sets: &mut [TrainingSet],
    mut priors_of_pairs: PairPriors,
    control: &dyn Control,
) -> Result<(Estimate, PairPriors)> {
    let prior = Estimate::prior(comparisons);
    let mut estimate = prior.clone();
    priors_of_pairs.contradicted = 0;
    for round in 0..ROUNDS {
        control.check()?;
        control.progress("fit", round as u64, ROUNDS as u64);
        let weights = estimate.weights();
        let empty = || comparisons.iter().map(|comparison| vec![0.0; level_names(comparison.kind).len() - 1]);
        let (mut m_counts, mut u_counts): (Vec<Vec<f64>>, Vec<Vec<f64>>) = (empty().collect(), empty().collect());
        let (mut n_known, mut n_contradicted) = (CONTRADICTED_STRENGTH, 0.0);
        for set in sets.iter_mut() {
            let odds = logit(set.share);
            let (mut n_matches, mut n_pairs) = (0.0, 0.0);
            for (levels, count) in &set.patterns {
                let sum = roles.combine(&weights, levels, set.fixed);
                let p = probability(sum.total(PairPriors { all: odds, ..priors_of_pairs }));
                if let Some(is_contradicted) = sum.is_contradicted() {
                    n_known += p * count;
                    n_contradicted += p * count * f64::from(u8::from(is_contradicted));
                }
                n_matches += p * count;
                n_pairs += count;
                for place in 0..comparisons.len() {
                    let level = usize::from(levels[place]);
                    if level == 0 {
                        continue;
                    }
                    if set.fixed >> place & 1 == 0 {
                        m_counts[place][level - 1] += p * count;
                    }
                    if set.is_random {
                        u_counts[place][level - 1] += (1.0 - p) * count;
                    }
                }
            }
            // A set that is nearly all matches or has hardly any must not lock itself there.
            let floor = if set.is_random { 1e-9 } else { 1e-5 };
            set.share = ((n_matches + 0.5 * floor) / (n_pairs + 1.0)).clamp(floor, 0.995);
        }
        let share: f64 = (n_contradicted / n_known).clamp(1e-3, 0.999);
        let excess = (share / (1.0 - share)).log2() - (MOST_CONTRADICTED / (1.0 - MOST_CONTRADICTED)).log2();
        // The first rounds still say little, and what was found wrong once is not tried again.
        if round >= SETTLED_ROUNDS && excess > 0.0 {
            let more = bits(excess).min(MOST_PER_ROUND);
            priors_of_pairs.contradicted = (priors_of_pairs.contradicted + more).min(MOST_AGAINST_NAMESAKES);
        }
        for (place, comparison) in comparisons.iter().enumerate() {
            let strength = priors(comparison.kind).strength;
            mix(&mut estimate.m[place], &m_counts[place], &prior.m[place], strength);
            bound_slips(&mut estimate.m[place], comparison.kind);
            bound_different(&mut estimate.m[place], roles.most_different(place, comparison.kind));
            mix(&mut estimate.u[place], &u_counts[place], &prior.u[place], U_STRENGTH);
        }
    }
    Ok((estimate, priors_of_pairs))
}

/// Most of the names of one contact that are slips of each other, per level of slip: where many names differ in a letter alone (customers that
/// are numbered, villages of cousins) the pairs of them would else pass for matches.
const MOST_SLIPS: f64 = 0.15;

/// Keeps the shares of names' slips at or below [`MOST_SLIPS`]; what exceeds it is held to agree.
fn bound_slips(m: &mut [f64], kind: Kind) {
    if !matches!(kind, Kind::Given | Kind::Family) {
        return;
    }
    let Some((exact, others)) = m.split_first_mut() else { return };
    let slips = usize::from(SLIPS_FROM) - 2..usize::from(SLIPS_TO) - 1;
    for share in others.get_mut(slips).into_iter().flatten() {
        *exact += (*share - MOST_SLIPS).max(0.0);
        *share = share.min(MOST_SLIPS);
    }
}

/// Keeps the share of the last level at or below `most`, the others growing in proportion.
fn bound_different(m: &mut [f64], most: f64) {
    let Some((last, others)) = m.split_last_mut() else { return };
    if *last > most {
        let factor = (1.0 - most) / (1.0 - *last).max(1e-9);
        others.iter_mut().for_each(|m| *m *= factor);
        *last = most;
    }
}

fn mix(out: &mut [f64], counts: &[f64], prior: &[f64], strength: f64) {
    let sum: f64 = counts.iter().sum::<f64>() + strength;
    for ((out, count), prior) in out.iter_mut().zip(counts).zip(prior) {
        *out = ((count + prior * strength) / sum).max(1e-7);
    }
}
