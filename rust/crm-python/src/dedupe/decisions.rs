//! A person's word on pairs of records, told by their ids.
use std::collections::HashMap;

use crm_resolve::PairScorer;
use crm_resolve::{Edge, cluster::Clusters};
use serde::Serialize;

/// Pairs that a person called the same or different, by the places of their records.
#[derive(Debug, Default)]
pub struct Decisions {
    pub same: Vec<(u32, u32)>,
    pub different: Vec<(u32, u32)>,
    by_pair: HashMap<(u32, u32), bool>,
    n_unknown: u64,
}

/// How many decisions there were, and what became of them.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionCounts {
    same: u64,
    different: u64,
    /// Decisions on records that the input does not have.
    pub unknown: u64,
    /// Pairs called the same that other decisions, or a source without duplicates, keep apart.
    pub not_followed: u64,
}

impl Decisions {
    /// Finds the records of (id, id, whether they are the same); the last word on a pair counts.
    pub fn new(told: &[(i64, i64, bool)], ids: &[i64]) -> Self {
        let mut decisions = Self::default();
        if told.is_empty() {
            return decisions;
        }
        let named: std::collections::HashSet<i64> = told.iter().flat_map(|(a, b, _)| [*a, *b]).collect();
        let places: HashMap<i64, u32> =
            ids.iter().enumerate().filter(|(_, id)| named.contains(id)).map(|(place, id)| (*id, place as u32)).collect();
        for (a, b, is_same) in told {
            match (places.get(a), places.get(b)) {
                (Some(a), Some(b)) if a != b => {
                    decisions.by_pair.insert((*a.min(b), *a.max(b)), *is_same);
                }
                _ => decisions.n_unknown += 1,
            }
        }
        let mut pairs: Vec<((u32, u32), bool)> = decisions.by_pair.iter().map(|(pair, is_same)| (*pair, *is_same)).collect();
        pairs.sort_unstable();
        for (pair, is_same) in pairs {
            if is_same { decisions.same.push(pair) } else { decisions.different.push(pair) }
        }
        decisions
    }

    /// The decision on a pair, if there is one.
    pub fn of(&self, pair: &Edge) -> Option<bool> {
        self.by_pair.get(&(pair.a, pair.b)).copied()
    }

    /// Adds the decided pairs that blocking did not propose or that are too weak to be listed, so that the result shows all of them.
    pub fn complete(&self, pairs: &mut Vec<Edge>, scorer: &dyn PairScorer) {
        if self.by_pair.is_empty() {
            return;
        }
        let known: std::collections::HashSet<(u32, u32)> =
            pairs.iter().filter(|pair| self.of(pair).is_some()).map(|pair| (pair.a, pair.b)).collect();
        let missing = self.same.iter().chain(&self.different).filter(|pair| !known.contains(pair));
        pairs.extend(missing.map(|(a, b)| Edge::new(*a, *b, scorer.weight(*a, *b))));
    }

    pub fn counts(&self, clusters: &Clusters) -> DecisionCounts {
        let is_apart = |(a, b): &&(u32, u32)| clusters.labels[*a as usize] != clusters.labels[*b as usize];
        DecisionCounts {
            same: self.same.len() as u64,
            different: self.different.len() as u64,
            unknown: self.n_unknown,
            not_followed: self.same.iter().filter(is_apart).count() as u64,
        }
    }
}
