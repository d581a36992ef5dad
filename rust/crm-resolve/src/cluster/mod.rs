//! Edges to clusters: which records are one contact.
//!
//! [`cluster`] is a pure function of the edges, the [`Constraints`] and the scorer. Components of the graph at
//! `match_threshold` are found first; within each, [`linkage`] joins groups from the strongest link down, and only while the
//! *average* weight over all pairs between two groups, also those that no blocking rule proposed, stays at or above
//! `linkage_threshold`. One bad edge therefore never ruins a component: it is outvoted by the pairs around it. What may never be
//! together (a decision, two records of a source that is free of duplicates) stays apart, whatever the weights say.
//!
//! Nothing depends on the order of edges or records or on threads: weights are integers, and ties are broken by record keys.
mod components;
mod linkage;
mod report;
#[cfg(test)]
mod tests;

use crm_core::{Control, Result};
use rayon::prelude::*;

use crate::{Edge, PairScorer, WEIGHT_ONE};
use components::Components;
use linkage::Outcome;
pub use report::ClusterReport;

/// `Constraints::source` of a record whose source may hold duplicates.
pub const MANY_PER_CONTACT: u16 = u16::MAX;

/// How far clustering goes; weights are in units of log2 / [`WEIGHT_ONE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterOptions {
    /// An edge at or above it makes two records neighbours.
    pub match_threshold: i32,
    /// Two groups are joined while the average weight between them is at least this.
    pub linkage_threshold: i32,
    /// A single pair counts for at least `-clip` and at most `clip` in an average, so that no pair decides alone.
    pub clip: i32,
    /// Two groups of at least three records each need this share (in 1/1024) of the pairs between them to be at or above
    /// `match_threshold`; below it the link is a weak bridge and is cut.
    pub bridge_share: u32,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        // Records of one contact that share little (an old address here, a maiden name there) weigh against each other though others link
        // them: two bits of that are forgiven. Chosen on public sets (docs/dedupe.md): recall rises and precision falls as more is forgiven.
        Self { match_threshold: 3 * WEIGHT_ONE, linkage_threshold: -2 * WEIGHT_ONE, clip: 12 * WEIGHT_ONE, bridge_share: 128 }
    }
}

/// What people and sources say about pairs, beside the weights.
#[derive(Debug, Clone, Copy, Default)]
pub struct Constraints<'a> {
    /// Pairs that a person called the same; they hold unless a `cannot_link` contradicts them.
    pub must_link: &'a [(u32, u32)],
    /// Pairs that a person called different.
    pub cannot_link: &'a [(u32, u32)],
    /// Per record its source if that source is free of duplicates, else [`MANY_PER_CONTACT`]; empty: none is.
    pub unique_source: &'a [u16],
}

/// The partition of records into clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    /// Per record its cluster, `0..n_clusters`, numbered by each cluster's first record.
    pub labels: Vec<u32>,
    /// Number of clusters.
    pub n_clusters: usize,
    /// What the guards did.
    pub report: ClusterReport,
}

/// Finds the clusters of `keys.len()` records.
///
/// `keys[i]` is a key of record `i` that does not depend on its place in the input; it decides ties. `edges` may hold weights below
/// `match_threshold` (they spare calls of the scorer), in any order, each pair at most once.
pub fn cluster(
    keys: &[u64],
    edges: &[Edge],
    constraints: Constraints<'_>,
    options: &ClusterOptions,
    scorer: &dyn PairScorer,
    control: &dyn Control,
) -> Result<Clusters> {
    control.check()?;
    let components = Components::new(keys, edges, constraints, options.match_threshold);
    let outcomes: Vec<Outcome> = (0..components.len())
        .into_par_iter()
        .with_min_len(16)
        .map_init(linkage::Scratch::default, |scratch, index| {
            if index % 64 == 0 {
                control.check()?;
            }
            linkage::split(&components.get(index), options, scorer, control, scratch)
        })
        .collect::<Result<_>>()?;
    control.check()?;
    let mut report = ClusterReport { n_components: components.len() as u64, ..ClusterReport::default() };
    // Each group is named by its first record until all are numbered.
    let mut first: Vec<u32> = (0..keys.len() as u32).collect();
    for (index, outcome) in outcomes.iter().enumerate() {
        let component = components.get(index);
        for (local, group) in outcome.groups.iter().enumerate() {
            let record = component.records[local] as usize;
            let founder = component.records[*group as usize];
            first[record] = founder;
        }
        report.add(outcome, component.records.len());
    }
    Ok(number(&first, report))
}

/// Numbers groups by their first record; `named[i]` is any record of the group of `i`, the same for all of it.
fn number(named: &[u32], mut report: ClusterReport) -> Clusters {
    const NONE: u32 = u32::MAX;
    let mut number_of = vec![NONE; named.len()];
    let mut sizes: Vec<u32> = Vec::new();
    let labels: Vec<u32> = named
        .iter()
        .map(|name| {
            let slot = &mut number_of[*name as usize];
            if *slot == NONE {
                *slot = sizes.len() as u32;
                sizes.push(0);
            }
            sizes[*slot as usize] += 1;
            *slot
        })
        .collect();
    report.measure(&sizes);
    Clusters { labels, n_clusters: sizes.len(), report }
}
