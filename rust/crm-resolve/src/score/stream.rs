//! All candidate pairs, scored as they are found.
use std::sync::atomic::{AtomicU64, Ordering};

use crm_core::{Control, Error, Result};
use rayon::prelude::*;
use serde::Serialize;

use super::model::Model;
use super::scorer::{Begun, BoundCache, Scorer, Settling};
use super::sketch::Sketches;
use crate::block::{Blocks, Candidates, Keys, RuleStats};
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

impl Collapsed {
    /// The copies of each representative but the first `n`.
    pub fn beyond(&self, n: usize) -> impl Iterator<Item = u32> {
        // Those of one representative follow each other.
        let has_more = move |place: &usize| *place >= n && self.identical[*place - n].0 == self.identical[*place].0;
        (0..self.identical.len()).filter(has_more).map(|place| self.identical[place].1)
    }
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

    /// The same, where the keys are made when they are asked for if they take more than the config's room.
    pub fn within(records: &Records, model: &Model, config: &ResolveConfig) -> Self {
        if Keys::n_ranges(&model.rules, records.len(), config.room) == 1 {
            return Self::new(records, model);
        }
        Self {
            keys: Keys::unkept(model.rules.len(), records.len()),
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

/// What is left for blocking of `limit` bytes, when `held` are taken besides the records; an error where the records alone take it all.
///
/// A little is always left: blocks are made for fewer records at a time, which takes longer and decides the same.
pub fn room_for_blocking(records: &Records, limit: u64, held: u64) -> Result<u64> {
    let taken = records.memory_bytes() as u64 + held;
    if taken > limit {
        return Err(Error::limit(format!(
            "the memory limit of {} MiB does not hold the {} records with their different values, which take {} MiB; give the run more memory, or import the rows into a base in parts",
            limit >> 20,
            records.len(),
            taken.div_ceil(1 << 20)
        )));
    }
    Ok((limit - taken).saturating_sub(Sketches::bytes(records)).max(limit / 16))
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
    let comparing = Comparing { scorer: &scorer, sketches: &sketches, n_records: collapsed.representatives.len(), control, sink };
    let mut counts = RunCounts::new(model.rules.len());
    if keys.is_kept() {
        stats.without_key = keys.without_key();
        counts.left_out.clone_from(&keys.left_out);
        let blocks = Blocks::new(keys, &collapsed.representatives);
        comparing.run(&blocks, &collapsed.representatives, 0, &mut counts)?;
    } else {
        let n_ranges = Keys::n_ranges(&model.rules, records.len(), config.room);
        let step = (records.len() as u64).div_ceil(n_ranges).max(1) as usize;
        for start in (0..records.len()).step_by(step) {
            let range = start as u32..(start + step).min(records.len()) as u32;
            let place = |record: u32| collapsed.representatives.partition_point(|other| *other < record);
            let (from, to) = (place(range.start), place(range.end));
            let (blocks, of_range) = Blocks::of_range(records, &model.rules, &collapsed.representatives, range, control)?;
            stats.without_key += of_range.without_key;
            counts.left_out.iter_mut().zip(of_range.left_out).for_each(|(sum, n)| *sum += n);
            comparing.run(&blocks, &collapsed.representatives[from..to], from, &mut counts)?;
        }
        // What was counted while the model was fitted is what is reported, as where keys are kept.
        if let Some(fitted) = keys.fitted_left_out() {
            counts.left_out.clone_from_slice(fitted);
        }
    }
    stats.kept += counts.kept;
    for (rule, definition) in model.rules.iter().enumerate() {
        stats.compared += counts.compared[rule];
        stats.rules.push(RuleStats {
            rule: definition.name.clone(),
            predicted: counts.predicted[rule],
            compared: counts.compared[rule],
            left_out: counts.left_out[rule],
            cap: definition.cap,
            depth: definition.depth,
        });
    }
    Ok(stats)
}

/// What is counted while pairs are compared; per rule but for `kept`.
struct RunCounts {
    compared: Vec<u64>,
    predicted: Vec<u64>,
    left_out: Vec<u64>,
    kept: u64,
}

impl RunCounts {
    fn new(n_rules: usize) -> Self {
        Self { compared: vec![0; n_rules], predicted: vec![0; n_rules], left_out: vec![0; n_rules], kept: 0 }
    }
}

/// What comparing needs, whichever records' turn it is.
struct Comparing<'a> {
    scorer: &'a Scorer<'a>,
    sketches: &'a Sketches,
    /// Records that are compared in all.
    n_records: usize,
    control: &'a dyn Control,
    sink: &'a dyn EdgeSink,
}

impl Comparing<'_> {
    /// Compares `some` records, before which `n_done` had their turn, with those that follow them in their blocks.
    fn run(&self, blocks: &Blocks, some: &[u32], n_done: usize, counts: &mut RunCounts) -> Result<()> {
        let n_rules = counts.compared.len();
        let compared: Vec<AtomicU64> = (0..n_rules).map(|_| AtomicU64::new(0)).collect();
        let kept = AtomicU64::new(0);
        // Between two reports of progress all threads meet, which must not happen often.
        let round = (self.n_records / 40).max(64 * PORTION);
        for (number, records_of_round) in some.chunks(round).enumerate() {
            self.control.progress("compare", (n_done + number * round) as u64, self.n_records as u64);
            records_of_round.par_chunks(PORTION).try_for_each_init(Workspace::default, |workspace, portion| -> Result<()> {
                let mut edges = Vec::new();
                let mut n_compared = vec![0u64; n_rules];
                for some in portion.chunks(TOGETHER) {
                    self.control.check()?;
                    self.compare(blocks, some, workspace, &mut n_compared, &mut edges);
                }
                compared.iter().zip(n_compared).for_each(|(sum, n)| _ = sum.fetch_add(n, Ordering::Relaxed));
                kept.fetch_add(edges.len() as u64, Ordering::Relaxed);
                self.sink.accept(&edges)
            })?;
        }
        counts.kept += kept.into_inner();
        for (rule, compared) in compared.into_iter().enumerate() {
            counts.compared[rule] += compared.into_inner();
            counts.predicted[rule] += blocks.n_pairs(rule);
        }
        Ok(())
    }

    /// Compares a few records with their candidates.
    fn compare(&self, blocks: &Blocks, some: &[u32], workspace: &mut Workspace, n_compared: &mut [u64], edges: &mut Vec<Edge>) {
        let Workspace { cache, bounds, candidates, fetched, states, open } = workspace;
        blocks.candidates(some, candidates);
        self.scorer.look(self.sketches, some, candidates, fetched, states);
        open.clear();
        let mut touched = 0;
        let mut states = states.iter();
        for (a, candidates) in some.iter().zip(candidates.of_each()) {
            for (candidate, states) in candidates.iter().zip(states.by_ref()) {
                n_compared[candidate.rule()] += 1;
                if bounds.get(*states, || self.scorer.bound(*states)) < self.scorer.review() {
                    continue;
                }
                match self.scorer.begin(*a, candidate.record(), *states, cache) {
                    Begun::Below => {}
                    Begun::Weight(weight) => edges.push(Edge::new(*a, candidate.record(), weight)),
                    Begun::Open(pair) => {
                        // Values lie anywhere in memory: those of all pairs that remain are fetched before the first pair waits for one.
                        touched ^= self.scorer.touch(&pair);
                        open.push(pair);
                    }
                }
            }
        }
        std::hint::black_box(touched);
        for pair in open.iter() {
            if let Some(weight) = self.scorer.finish(pair, cache) {
                edges.push(Edge::new(pair.a, pair.b, weight));
            }
        }
    }
}

/// Records that a thread takes at a time.
const PORTION: usize = 512;

/// Records whose candidates are fetched together: enough that many fetches are on their way at once.
const TOGETHER: usize = 16;

/// What a thread keeps from record to record.
#[derive(Default)]
struct Workspace {
    cache: LevelCache,
    bounds: BoundCache,
    candidates: Candidates,
    fetched: Vec<u32>,
    states: Vec<u64>,
    /// Pairs that the first look and the names leave open.
    open: Vec<Settling>,
}
