//! All candidate pairs, scored as they are found.
use std::sync::atomic::{AtomicU64, Ordering};

use crm_core::{Control, Result};
use rayon::prelude::*;
use serde::Serialize;

use super::model::Model;
use super::scorer::{BoundCache, Scorer};
use super::sketch::Sketches;
use crate::block::{Blocks, Candidate, Keys, RuleStats};
use crate::compare::LevelCache;
use crate::records::Records;
use crate::{Edge, EdgeSink, ResolveConfig};

/// What the scoring of all pairs did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PairStats {
    /// Per blocking rule.
    pub rules: Vec<RuleStats>,
    /// Pairs compared.
    pub compared: u64,
    /// Pairs at or above the review threshold.
    pub kept: u64,
    /// Records that say exactly what another one says; they are compared once.
    pub identical_records: u64,
    /// Records that no blocking rule gives a key.
    pub without_key: u64,
}

/// Records of one content, known by one of them.
#[derive(Debug)]
pub(crate) struct Collapsed {
    /// One record per content.
    pub representatives: Vec<u32>,
    /// Records beyond the first of their content, with the representative.
    pub identical: Vec<(u32, u32)>,
}

/// Finds records of identical normalized content.
pub(crate) fn representatives(records: &Records) -> Collapsed {
    let mut order: Vec<(u64, u32)> =
        (0..records.len() as u32).into_par_iter().map(|record| (records.content_hash(record), record)).collect();
    order.par_sort_unstable();
    let mut collapsed = Collapsed { representatives: Vec::with_capacity(order.len()), identical: Vec::new() };
    let mut first: Option<(u64, u32)> = None;
    for (hash, record) in order {
        match first {
            Some((known, representative))
                if known == hash
                    && records.row(representative) == records.row(record)
                    && records.source(representative) == records.source(record) =>
            {
                collapsed.identical.push((representative, record));
            }
            _ => {
                collapsed.representatives.push(record);
                first = Some((hash, record));
            }
        }
    }
    collapsed.representatives.sort_unstable();
    collapsed
}

/// What fitting found out about the records and scoring uses again.
#[derive(Debug)]
pub struct Prepared {
    pub(super) keys: Keys,
    pub(super) collapsed: Collapsed,
    /// For the comparisons of the model, in their order.
    pub(super) sketches: Sketches,
}

impl Prepared {
    /// The blocking keys that a model gives to records.
    pub fn new(records: &Records, model: &Model) -> Self {
        Self {
            keys: Keys::new(records, &model.rules),
            collapsed: representatives(records),
            sketches: Sketches::new(records, &model.bind(records).0),
        }
    }

    /// The same, where each content is represented by the record with the lowest id, so that the order of records does not matter.
    pub(crate) fn by_ids(records: &Records, model: &Model, keys: Keys, ids: &[i64]) -> Self {
        let mut order: Vec<(u64, i64, u32)> = (0..records.len() as u32)
            .into_par_iter()
            .map(|record| (crate::increment::content_of(records, record), ids[record as usize], record))
            .collect();
        order.par_sort_unstable();
        let mut collapsed = Collapsed { representatives: Vec::with_capacity(order.len()), identical: Vec::new() };
        for (place, (content, _, record)) in order.iter().enumerate() {
            if place > 0 && order[place - 1].0 == *content {
                let representative = collapsed.representatives[collapsed.representatives.len() - 1];
                collapsed.identical.push((representative, *record));
            } else {
                collapsed.representatives.push(*record);
            }
        }
        collapsed.representatives.sort_unstable();
        let sketches = Sketches::new(records, &model.bind(records).0);
        Self { keys, collapsed, sketches }
    }

    /// The blocking keys alone.
    pub(crate) fn into_keys(self) -> Keys {
        self.keys
    }
}

/// Scores every candidate pair and hands those at or above the review threshold to `sink`, each once, in no particular order.
pub fn score_pairs(
    records: &Records,
    model: &Model,
    config: &ResolveConfig,
    control: &dyn Control,
    sink: &dyn EdgeSink,
) -> Result<PairStats> {
    score_prepared(records, model, Prepared::new(records, model), config, control, sink)
}

/// As [`score_pairs`], with what [`Model::fit_prepared`] left.
pub fn score_prepared(
    records: &Records,
    model: &Model,
    prepared: Prepared,
    config: &ResolveConfig,
    control: &dyn Control,
    sink: &dyn EdgeSink,
) -> Result<PairStats> {
    let scorer = Scorer::new(records, model, config)?;
    let Prepared { keys, collapsed, sketches } = prepared;
    control.check()?;
    let mut stats = PairStats { identical_records: collapsed.identical.len() as u64, ..PairStats::default() };
    let review = config.review_weight();
    let mut cache = LevelCache::default();
    let mut edges = Vec::new();
    for (a, b) in &collapsed.identical {
        if let Some(weight) = scorer.weight_if_kept(*a, *b, &mut cache) {
            edges.push(Edge::new(*a, *b, weight.max(review)));
        }
    }
    stats.kept += edges.len() as u64;
    sink.accept(&edges)?;
    let n_rules = model.rules.len();
    stats.without_key = keys.without_key();
    let left_out = keys.left_out.clone();
    let blocks = Blocks::new(keys, &collapsed.representatives);
    let compared: Vec<AtomicU64> = (0..n_rules).map(|_| AtomicU64::new(0)).collect();
    let kept = AtomicU64::new(0);
    let n_records = collapsed.representatives.len();
    // Between two reports of progress all threads meet, which must not happen often.
    let round = (n_records / 40).max(64 * PORTION);
    for (number, records_of_round) in collapsed.representatives.chunks(round).enumerate() {
        control.progress("compare", (number * round) as u64, n_records as u64);
        records_of_round.par_chunks(PORTION).try_for_each_init(Workspace::default, |workspace, portion| -> Result<()> {
            control.check()?;
            let mut edges = Vec::new();
            let mut n_compared = vec![0u64; n_rules];
            for a in portion {
                let Workspace { cache, bounds, candidates, fetched, states } = workspace;
                blocks.candidates(*a, candidates);
                scorer.look(&sketches, *a, candidates, fetched, states);
                for (place, (candidate, states)) in candidates.iter().zip(states).enumerate() {
                    n_compared[candidate.rule()] += 1;
                    if bounds.get(*states, || scorer.bound(*states)) < scorer.review() {
                        continue;
                    }
                    if let Some(weight) = scorer.weight_above(*a, candidate.record(), *states, cache) {
                        edges.push(Edge::new(*a, candidate.record(), weight));
                    }
                    if place % 65_536 == 65_535 {
                        control.check()?;
                    }
                }
            }
            compared.iter().zip(n_compared).for_each(|(sum, n)| _ = sum.fetch_add(n, Ordering::Relaxed));
            kept.fetch_add(edges.len() as u64, Ordering::Relaxed);
            sink.accept(&edges)
        })?;
    }
    stats.kept += kept.into_inner();
    for (rule, (definition, compared)) in model.rules.iter().zip(compared).enumerate() {
        let compared = compared.into_inner();
        stats.compared += compared;
        stats.rules.push(RuleStats {
            rule: definition.name.clone(),
            predicted: blocks.n_pairs(rule),
            compared,
            left_out: left_out[rule],
            cap: definition.cap,
        });
    }
    Ok(stats)
}

/// Records that a thread takes at a time.
const PORTION: usize = 512;

/// What a thread keeps from record to record.
#[derive(Default)]
struct Workspace {
    cache: LevelCache,
    bounds: BoundCache,
    candidates: Vec<Candidate>,
    fetched: Vec<u32>,
    states: Vec<u64>,
}
