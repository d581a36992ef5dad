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
    /// At the first record of each contact whether any of its records says when it was updated.
    is_dated: Vec<bool>,
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
    pub fn new<'a>(
        plan: &'a GoldenPlan,
        rows: &'a Rows,
        records: &[u32],
        refs: &[RowRef],
        ranges: &[Range<usize>],
        ids: &[i64],
        canonicalizer: &dyn Canonicalizer,
    ) -> Self {
        let (uses_trust, uses_first) = (plan.uses(Strategy::SourcePriority), plan.uses(Strategy::First));
        let len_if = |used: bool| if used { records.len() } else { 0 };
        let mut orders = Self {
            recent: vec![0; records.len()],
            trusted: vec![0; len_if(uses_trust)],
            first: vec![0; len_if(uses_first)],
            is_dated: vec![false; records.len()],
        };
        let mut standings = Vec::new();
        for range in ranges.iter().filter(|range| range.len() > 1) {
            standings.clear();
            standings.extend(range.clone().map(|at| {
                let cells = |places: &'a [Vec<usize>]| {
                    let cells = places[rows.layout(refs[at])].iter().filter_map(|place| rows.text(refs[at], *place));
                    cells.map(str::trim).filter(|text| !text.is_empty())
                };
                let cell = |places| cells(places).next();
                let moment = |places| cells(places).filter_map(|text| canonicalizer.timestamp(rows.layout(refs[at]), text)).next();
                let source = cell(&plan.source).unwrap_or(&plan.layouts[rows.layout(refs[at])].source);
                Standing {
                    place: (at - range.start) as u32,
                    updated_at: moment(&plan.updated_at),
                    created_at: moment(&plan.created_at),
                    rank: plan.survivorship.source_rank(source),
                    source,
                    source_key: cell(&plan.source_key),
                    id: ids[records[at] as usize],
                }
            }));
            orders.is_dated[range.start] = standings.iter().any(|standing| standing.updated_at.is_some());
            let tie = |a: &Standing<'_>, b: &Standing<'_>| (a.source, a.source_key, a.id).cmp(&(b.source, b.source_key, b.id));
            standings.sort_by(|a, b| Reverse(a.updated_at).cmp(&Reverse(b.updated_at)).then_with(|| tie(a, b)));
            write(&mut orders.recent[range.clone()], &standings);
            if uses_trust {
                standings.sort_by_key(|standing| standing.rank);
                write(&mut orders.trusted[range.clone()], &standings);
            }
            if uses_first {
                let created = |standing: &Standing<'_>| (standing.created_at.is_none(), standing.created_at);
                standings.sort_by(|a, b| created(a).cmp(&created(b)).then_with(|| tie(a, b)));
                write(&mut orders.first[range.clone()], &standings);
            }
        }
        orders
    }

    /// Whether any record of a contact of several says when it was updated.
    pub fn is_dated(&self, range: &Range<usize>) -> bool {
        self.is_dated.get(range.start).copied().unwrap_or(false)
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
