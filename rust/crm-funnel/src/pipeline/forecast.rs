//! What a forecast made at a past time would have said, and what became of it.
use crate::grouping::{Event, Span};

/// Sums for one time, stage and currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ForecastCell {
    /// Deals that were open in the stage, and their amount.
    pub open: u64,
    /// Their amount.
    pub open_amount: i128,
    /// Those of them that are won by now.
    pub won: u64,
    /// Their amount.
    pub won_amount: i128,
    /// Those of them that are still open.
    pub pending: u64,
    /// Their amount.
    pub pending_amount: i128,
}

/// Per time: what was open, and the conversions known at that time.
#[derive(Debug, Clone, Default)]
pub struct Forecast {
    n_stages: usize,
    n_currencies: usize,
    /// `[n_times, n_stages, n_currencies]`.
    pub cells: Vec<ForecastCell>,
    /// Deals decided by that time that had reached the stage, `[n_times, n_stages]`.
    pub decided: Vec<u64>,
    /// Those of them that were won.
    pub decided_won: Vec<u64>,
}

impl Forecast {
    pub(super) fn new(n_times: usize, n_stages: usize, n_currencies: usize) -> Self {
        Self {
            n_stages,
            n_currencies,
            cells: vec![ForecastCell::default(); n_times * n_stages * n_currencies],
            decided: vec![0; n_times * n_stages],
            decided_won: vec![0; n_times * n_stages],
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one deal's columns")]
    pub(super) fn add(&mut self, events: &[Event], span: Span, times: &[i64], lost: u8, current: u8, amount: i128, currency: usize) {
        let won = lost - 1;
        for (index, &time) in times.iter().enumerate() {
            let known = events.partition_point(|event| span.first_time.wrapping_add((event.time * span.ticks) as i64) < time);
            let Some(last) = known.checked_sub(1) else { continue };
            let stage = events[last].code;
            let furthest = events[..known].iter().map(|event| event.code).filter(|&code| code != lost).max().unwrap_or(0);
            if stage == lost || stage == won {
                for reached in 0..furthest as usize {
                    self.decided[index * self.n_stages + reached] += 1;
                    self.decided_won[index * self.n_stages + reached] += u64::from(stage == won);
                }
                continue;
            }
            let cell = &mut self.cells[(index * self.n_stages + stage as usize - 1) * self.n_currencies + currency];
            cell.open += 1;
            cell.open_amount += amount;
            if current == won {
                cell.won += 1;
                cell.won_amount += amount;
            } else if current != lost {
                cell.pending += 1;
                cell.pending_amount += amount;
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (sum, cell) in self.cells.iter_mut().zip(&other.cells) {
            sum.open += cell.open;
            sum.open_amount += cell.open_amount;
            sum.won += cell.won;
            sum.won_amount += cell.won_amount;
            sum.pending += cell.pending;
            sum.pending_amount += cell.pending_amount;
        }
        self.decided.iter_mut().zip(&other.decided).for_each(|(sum, n)| *sum += n);
        self.decided_won.iter_mut().zip(&other.decided_won).for_each(|(sum, n)| *sum += n);
    }
}
