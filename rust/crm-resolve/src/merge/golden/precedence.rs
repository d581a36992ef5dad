//! In which order the records of a contact are asked for a value.
use std::cmp::Reverse;
use std::ops::Range;

use crate::merge::golden::GoldenPlan;
use crate::merge::{Canonicalizer, RowRef, Rows, Strategy};

/// Orders of the records of each contact of a portion; places count within the contact.
pub struct Precedence {
    /// Latest `updated_at` first.
    recent: Vec<u32>,
    /// Most trusted source first, within it the latest.
    trusted: Vec<u32>,
    /// Earliest `created_at` first.
    first: Vec<u32>,
}

struct Standing<'a> {
    place: u32,
    updated_at: Option<i64>,
    created_at: Option<i64>,
    rank: u32,
    source: &'a str,
    source_key: Option<&'a str>,
    id: i64,
}

impl Precedence {
    pub fn new(
        plan: &GoldenPlan,
        rows: &Rows,
        records: &[u32],
        refs: &[RowRef],
        ranges: &[Range<usize>],
        ids: &[i64],
        canonicalizer: &dyn Canonicalizer,
    ) -> Self {
        let mut orders = Self { recent: vec![0; records.len()], trusted: vec![0; records.len()], first: vec![0; records.len()] };
        let mut standings = Vec::new();
        for range in ranges.iter().filter(|range| range.len() > 1) {
            standings.clear();
            standings.extend(range.clone().map(|at| {
                let cell = |places: &[Vec<usize>]| {
                    let found = places[rows.layout(refs[at])].iter().find_map(|place| rows.text(refs[at], *place));
                    found.map(str::trim).filter(|text| !text.is_empty())
                };
                let source = cell(&plan.source).unwrap_or(&plan.layouts[rows.layout(refs[at])].source);
                Standing {
                    place: (at - range.start) as u32,
                    updated_at: cell(&plan.updated_at).and_then(|text| canonicalizer.timestamp(text)),
                    created_at: cell(&plan.created_at).and_then(|text| canonicalizer.timestamp(text)),
                    rank: plan.survivorship.source_rank(source),
                    source,
                    source_key: cell(&plan.source_key),
                    id: ids[records[at] as usize],
                }
            }));
            let tie = |standing: &Standing<'_>| (standing.source.to_owned(), standing.source_key.map(str::to_owned), standing.id);
            standings.sort_by(|a, b| {
                let by_time = Reverse(a.updated_at).cmp(&Reverse(b.updated_at));
                by_time.then_with(|| (a.source, a.source_key, a.id).cmp(&(b.source, b.source_key, b.id)))
            });
            write(&mut orders.recent[range.clone()], &standings);
            standings.sort_by_key(|standing| standing.rank);
            write(&mut orders.trusted[range.clone()], &standings);
            standings.sort_by_cached_key(|standing| (standing.created_at.is_none(), standing.created_at, tie(standing)));
            write(&mut orders.first[range.clone()], &standings);
        }
        orders
    }

    /// The places of a contact's records in the order in which `strategy` asks them.
    pub fn of(&self, strategy: Strategy, range: &Range<usize>) -> &[u32] {
        match strategy {
            Strategy::SourcePriority => &self.trusted[range.clone()],
            Strategy::First => &self.first[range.clone()],
            _ => &self.recent[range.clone()],
        }
    }
}

fn write(order: &mut [u32], standings: &[Standing<'_>]) {
    for (slot, standing) in order.iter_mut().zip(standings) {
        *slot = standing.place;
    }
}
