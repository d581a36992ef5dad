//! Average linkage within one component, with the guards that keep clusters honest.
mod dense;
mod moves;
mod sparse;

use crm_core::{Control, Result};

use crate::PairScorer;
use crate::cluster::ClusterOptions;
use crate::cluster::components::Component;
pub use dense::Scratch;

/// Up to this many records all pairs are scored; beyond, only those between groups that an edge connects.
pub const LARGEST_DENSE: usize = 48;

/// How a component was split.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Per place in the component the lowest place of its group.
    pub groups: Vec<u32>,
    pub n_weak_links: u64,
    pub n_bridges: u64,
    pub n_cannot_links: u64,
    pub n_source_clashes: u64,
    pub n_conflicts: u64,
}

/// Joins and moves alternate at most this often; they almost always settle in the first round.
const MAX_ROUNDS: usize = 3;

/// Splits one component into groups.
pub fn split(
    component: &Component<'_>,
    options: &ClusterOptions,
    scorer: &dyn PairScorer,
    control: &dyn Control,
    scratch: &mut Scratch,
) -> Result<Outcome> {
    let is_plain = component.must_link.is_empty() && component.cannot_link.is_empty() && !component.has_unique_sources();
    if component.records.len() == 2 && is_plain && options.linkage_threshold <= options.match_threshold {
        return Ok(Outcome { groups: vec![0, 0], ..Outcome::default() });
    }
    if component.records.len() <= LARGEST_DENSE {
        let mut dense = dense::Dense::new(component, options, scorer, scratch);
        settle(component, options, &mut dense)
    } else {
        let mut sparse = sparse::Sparse::new(component, options, scorer, control);
        settle(component, options, &mut sparse)
    }
}

/// One way of joining groups from the strongest link down.
trait Linkage {
    /// Joins `outcome.groups` as far as options and constraints allow, and counts in `outcome` what they refused.
    fn agglomerate(&mut self, outcome: &mut Outcome) -> Result<()>;

    /// The clipped weight between two places.
    fn weight(&mut self, a: u32, b: u32) -> i32;
}

/// Joins, then moves records that a strong but wrong first join left in the wrong group, until nothing changes.
fn settle(component: &Component<'_>, options: &ClusterOptions, linkage: &mut dyn Linkage) -> Result<Outcome> {
    let mut outcome = follow_decisions(component);
    for round in 1..=MAX_ROUNDS {
        outcome = Outcome { groups: outcome.groups, n_conflicts: outcome.n_conflicts, ..Outcome::default() };
        linkage.agglomerate(&mut outcome)?;
        let is_one = outcome.groups.iter().all(|group| *group == 0);
        if is_one || round == MAX_ROUNDS || !moves::improve(component, options, linkage, &mut outcome.groups) {
            break;
        }
    }
    Ok(outcome)
}

/// The groups that decisions alone make; of contradicting ones "different" holds.
fn follow_decisions(component: &Component<'_>) -> Outcome {
    let mut groups: Vec<u32> = (0..component.records.len() as u32).collect();
    let mut n_conflicts = 0;
    for (a, b) in component.must_link {
        let (a, b) = (groups[*a as usize], groups[*b as usize]);
        let (low, high) = (a.min(b), a.max(b));
        if a == b {
            continue;
        }
        let is_forbidden = component.cannot_link.iter().any(|(x, y)| {
            let (x, y) = (groups[*x as usize], groups[*y as usize]);
            (x.min(y), x.max(y)) == (low, high)
        });
        if is_forbidden {
            n_conflicts += 1;
        } else {
            groups.iter_mut().filter(|group| **group == high).for_each(|group| *group = low);
        }
    }
    Outcome { groups, n_conflicts, ..Outcome::default() }
}

/// All that is known between two groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Link {
    /// Sum of the clipped weights of the pairs looked at.
    sum: i64,
    /// Number of pairs looked at.
    count: i64,
    /// Pairs at or above the match threshold.
    strong: i64,
}

impl Link {
    /// Adds a pair by its clipped weight.
    fn add_weight(&mut self, weight: i32, options: &ClusterOptions) {
        self.sum += i64::from(weight);
        self.count += 1;
        self.strong += i64::from(weight >= options.match_threshold);
    }

    fn add(&mut self, other: Link) {
        self.sum += other.sum;
        self.count += other.count;
        self.strong += other.strong;
    }

    /// Average weight, finer than the weights themselves so that few averages tie.
    fn average(&self) -> i64 {
        (self.sum * 256).div_euclid(self.count.max(1))
    }
}

/// The weight that a pair has in sums; clipping never moves it across the match threshold.
fn clipped(weight: i32, options: &ClusterOptions) -> i32 {
    let clip = options.clip.max(options.match_threshold.abs());
    weight.clamp(-clip, clip)
}

/// Why two groups may or may not be joined, constraints aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Join(i64),
    NoEdge,
    Weak,
    Bridge,
}

fn judge(link: &Link, size_a: u32, size_b: u32, options: &ClusterOptions) -> Verdict {
    if link.strong == 0 {
        return Verdict::NoEdge;
    }
    let average = link.average();
    if average < i64::from(options.linkage_threshold) * 256 {
        return Verdict::Weak;
    }
    if size_a.min(size_b) >= 3 && link.strong * 1024 < i64::from(options.bridge_share) * link.count {
        return Verdict::Bridge;
    }
    Verdict::Join(average)
}

/// The same component the dense and the sparse way, which must agree while no group is larger than the sparse way's sample.
#[cfg(test)]
pub fn both_ways(component: &Component<'_>, options: &ClusterOptions, scorer: &dyn PairScorer) -> [Outcome; 2] {
    let mut scratch = Scratch::default();
    let dense = settle(component, options, &mut dense::Dense::new(component, options, scorer, &mut scratch));
    let sparse = settle(component, options, &mut sparse::Sparse::new(component, options, scorer, &crm_core::NoControl));
    [dense, sparse].map(|outcome| outcome.expect("nobody cancels"))
}
