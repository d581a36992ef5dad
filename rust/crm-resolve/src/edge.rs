//! What scoring hands to clustering: weighted pairs of records.
use std::sync::Mutex;

use crm_core::{Error, Result};

/// Fixed-point units per bit of match weight: a weight of `1024` says that a match is twice as likely as not.
///
/// Weights are integers so that sums do not depend on the order of adding.
pub const WEIGHT_ONE: i32 = 1024;

/// A scored pair of records; `a < b` are indices into the run's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Edge {
    /// The record with the lower index.
    pub a: u32,
    /// The record with the higher index.
    pub b: u32,
    /// Match weight in units of log2 / [`WEIGHT_ONE`], the prior included.
    pub weight: i32,
}

impl Edge {
    /// An edge between two different records, in either order.
    pub fn new(a: u32, b: u32, weight: i32) -> Self {
        Self { a: a.min(b), b: a.max(b), weight }
    }

    /// The probability that the weight stands for.
    pub fn probability(self) -> f64 {
        weight_to_probability(self.weight)
    }
}

/// The match probability of a fixed-point match weight.
///
/// ```
/// assert_eq!(crm_resolve::weight_to_probability(0), 0.5);
/// ```
pub fn weight_to_probability(weight: i32) -> f64 {
    let odds = (f64::from(weight) / f64::from(WEIGHT_ONE)).exp2();
    if odds.is_finite() { odds / (1.0 + odds) } else { 1.0 }
}

/// Receives edges while pairs are scored, from any thread, in any order.
pub trait EdgeSink: Sync {
    /// Takes a portion of edges; an error stops the scoring.
    fn accept(&self, edges: &[Edge]) -> Result<()>;
}

/// Keeps edges in memory.
#[derive(Debug, Default)]
pub struct EdgeBuffer(Mutex<Vec<Edge>>);

impl EdgeBuffer {
    /// The edges in the order of (`a`, `b`), each pair once.
    pub fn into_edges(self) -> Vec<Edge> {
        let mut edges = self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        edges.sort_unstable_by_key(|edge| (edge.a, edge.b, std::cmp::Reverse(edge.weight)));
        edges.dedup_by_key(|edge| (edge.a, edge.b));
        edges
    }
}

impl EdgeSink for EdgeBuffer {
    fn accept(&self, edges: &[Edge]) -> Result<()> {
        self.0.lock().map_err(|_| Error::internal("a scoring thread died"))?.extend_from_slice(edges);
        Ok(())
    }
}

/// Scores any two records, also those that blocking never proposed.
pub trait PairScorer: Sync {
    /// The match weight of records `a` and `b`, the prior included; the order of the two does not matter.
    fn weight(&self, a: u32, b: u32) -> i32;
}

impl<F: Fn(u32, u32) -> i32 + Sync> PairScorer for F {
    fn weight(&self, a: u32, b: u32) -> i32 {
        self(a, b)
    }
}
