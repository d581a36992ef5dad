use hashbrown::HashMap;

use super::{Deals, Followed};
use crate::quantile::{CellDurations, Durations};

/// Where and why deals were lost: (group, stage, reason, currency).
pub type LossKey = (u32, u8, u16, u16);

/// The funnel of each group of deals; arrays are `[n_groups, n_stages]` unless said otherwise.
#[derive(Debug, Default)]
pub struct PipelineCounts {
    /// Deals that reached the stage or a later one.
    pub reached: Vec<u64>,
    /// Deals whose history names the stage, or that are in it and have no history.
    pub entered: Vec<u64>,
    /// Deals that are in it now.
    pub current: Vec<u64>,
    /// Deals lost from it.
    pub lost: Vec<u64>,
    /// Deals that came further without it.
    pub skipped: Vec<u64>,
    /// Moves from it to an earlier stage.
    pub moved_back: Vec<u64>,
    /// Closed visits: count, median, 90 % quantile and sum, in ticks of `Followed::ticks`.
    pub visits: CellDurations,
    /// Amounts of the deals that reached it, that entered it, that are in it, that were lost from it: `[n_groups, n_stages, n_currencies]`.
    pub reached_amount: Vec<i128>,
    /// See `reached_amount`.
    pub entered_amount: Vec<i128>,
    /// See `reached_amount`.
    pub current_amount: Vec<i128>,
    /// See `reached_amount`.
    pub lost_amount: Vec<i128>,
    /// Deals and amount lost; the stage 0 is unknown. Ascending.
    pub losses: Vec<(LossKey, u64, i128)>,
    /// Per group: deals, lost without a known stage, in no known stage at all.
    pub deals: Vec<u64>,
    /// See `deals`.
    pub lost_from_unknown: Vec<u64>,
    /// See `deals`.
    pub unknown: Vec<u64>,
}

/// Counts deals by `group` (one number per deal, below `n_groups`) and stage; `reason` numbers the reasons of loss.
pub fn count(deals: &Deals<'_>, followed: &Followed, group: &[u32], n_groups: usize, n_stages: usize, reason: &[u16]) -> PipelineCounts {
    let lost = n_stages as u8 + 1;
    let n_cells = n_groups * n_stages;
    let n_currencies = deals.n_currencies;
    let mut counts = PipelineCounts {
        reached: vec![0; n_cells],
        entered: vec![0; n_cells],
        current: vec![0; n_cells],
        lost: vec![0; n_cells],
        skipped: vec![0; n_cells],
        moved_back: vec![0; n_cells],
        reached_amount: vec![0; n_cells * n_currencies],
        entered_amount: vec![0; n_cells * n_currencies],
        current_amount: vec![0; n_cells * n_currencies],
        lost_amount: vec![0; n_cells * n_currencies],
        deals: vec![0; n_groups],
        lost_from_unknown: vec![0; n_groups],
        unknown: vec![0; n_groups],
        ..PipelineCounts::default()
    };
    let mut losses: HashMap<LossKey, (u64, i128), foldhash::fast::FixedState> = HashMap::default();
    for (row, deal) in followed.deals.iter().enumerate() {
        let (group, amount, currency) = (group[row] as usize, deals.amounts[row], deals.currency[row]);
        counts.deals[group] += 1;
        let base = group * n_stages;
        let money = |stage: u8| (base + stage as usize - 1) * n_currencies + currency as usize;
        let furthest = deal.furthest;
        if furthest > 0 {
            counts.reached[base + furthest as usize - 1] += 1;
            counts.reached_amount[money(furthest)] += amount;
            let entered = if deal.has_history { deal.entered } else { 1 << furthest };
            for stage in 1..=furthest {
                if entered >> stage & 1 == 1 {
                    counts.entered[base + stage as usize - 1] += 1;
                    counts.entered_amount[money(stage)] += amount;
                } else if deal.has_history {
                    counts.skipped[base + stage as usize - 1] += 1;
                }
            }
        }
        if deal.current == lost {
            let entry = losses.entry((group as u32, deal.lost_at, reason[row], currency)).or_default();
            entry.0 += 1;
            entry.1 += amount;
            if deal.lost_at == 0 {
                counts.lost_from_unknown[group] += 1;
            } else {
                counts.lost[base + deal.lost_at as usize - 1] += 1;
                counts.lost_amount[money(deal.lost_at)] += amount;
            }
        } else if deal.current == 0 {
            counts.unknown[group] += 1;
        } else {
            counts.current[base + deal.current as usize - 1] += 1;
            counts.current_amount[money(deal.current)] += amount;
        }
    }
    // So far each deal counts at its furthest stage only; it reached all before it too.
    for group in 0..n_groups {
        for stage in (0..n_stages - 1).rev() {
            let cell = group * n_stages + stage;
            counts.reached[cell] += counts.reached[cell + 1];
            for currency in 0..n_currencies {
                counts.reached_amount[cell * n_currencies + currency] += counts.reached_amount[(cell + 1) * n_currencies + currency];
            }
        }
    }
    let (bits, mask) = (followed.stage_bits, (1_u32 << followed.stage_bits) - 1);
    let cell_of = |cell: u32| group[(cell >> bits) as usize] as usize * n_stages + (cell & mask) as usize - 1;
    for &cell in &followed.back_moves {
        counts.moved_back[cell_of(cell)] += 1;
    }
    counts.visits = Durations::per_cell(&followed.visits, n_cells, cell_of);
    counts.losses = losses.into_iter().map(|(key, (n, amount))| (key, n, amount)).collect();
    counts.losses.sort_unstable();
    counts
}
