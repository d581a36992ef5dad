//! Deals, amounts, losses and visits by group and stage.
use super::{Deals, Followed};
use crate::breakdown::Groups;
use crate::durations::CellDurations;

/// What is counted of each group and stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell {
    /// Deals that reached the stage or a later one.
    pub reached: u32,
    /// Deals whose history names the stage, or that are in it and have no history.
    pub entered: u32,
    /// Deals that are in it now.
    pub current: u32,
    /// Deals lost from it.
    pub lost: u32,
    /// Deals that came further without it.
    pub skipped: u32,
}

/// The funnel of each group of deals; cells are `[n_groups, n_stages]`.
#[derive(Debug, Default)]
pub struct Counts {
    /// Per group and stage.
    pub cells: Vec<Cell>,
    /// Closed visits: count, median, 90 % quantile and sum, in ticks of `Followed::ticks`.
    pub visits: CellDurations,
}

/// What only the main breakdown shows besides.
#[derive(Debug, Default)]
pub struct Details {
    /// Moves from each stage to an earlier one, `[n_groups, n_stages]`.
    pub moved_back: Vec<u64>,
    /// Deals and amount lost; the stage 0 is unknown. Ascending.
    pub losses: Vec<(LossKey, u64, i128)>,
    /// The amounts.
    pub amounts: Amounts,
}

/// Amounts of the deals that reached each stage, that entered it, that are in it, that were lost from it: `[n_groups, n_stages, n_currencies]`.
#[derive(Debug, Default)]
pub struct Amounts {
    /// Of the deals that reached it or a later one.
    pub reached: Vec<i128>,
    /// Of those that entered it; empty unless asked for.
    pub entered: Vec<i128>,
    /// Of those that are in it.
    pub current: Vec<i128>,
    /// Of those that were lost from it.
    pub lost: Vec<i128>,
}

/// Where and why deals were lost: (group, stage, reason, currency).
pub type LossKey = (u32, u8, u16, u16);

/// Counts deals by group and stage; what only `entered` needs is left out unless `with_entered`.
pub fn count(deals: &Deals<'_>, followed: &Followed, groups: &Groups, n_stages: usize, with_entered: bool) -> Counts {
    let lost = n_stages as u8 + 1;
    let mut cells = vec![Cell::default(); groups.len() * n_stages];
    for (deal, &attributes) in followed.deals.iter().zip(deals.attributes) {
        let base = groups.of(attributes) * n_stages;
        let own = &mut cells[base..base + n_stages];
        if deal.furthest > 0 {
            own[deal.furthest as usize - 1].reached += 1;
            if with_entered {
                let entered = if deal.has_history { deal.entered } else { 1 << deal.furthest };
                for (stage, cell) in (1..=deal.furthest).zip(own.iter_mut()) {
                    let here = (entered >> stage & 1) as u32;
                    cell.entered += here;
                    cell.skipped += u32::from(deal.has_history) & (1 - here);
                }
            }
        }
        // One of the two places is 0: then it is none.
        if deal.current == lost {
            if deal.lost_at > 0 {
                own[deal.lost_at as usize - 1].lost += 1;
            }
        } else if deal.current > 0 {
            own[deal.current as usize - 1].current += 1;
        }
    }
    // So far each deal counts at its furthest stage only; it reached all before it too.
    for own in cells.chunks_exact_mut(n_stages) {
        for stage in (1..n_stages).rev() {
            own[stage - 1].reached += own[stage].reached;
        }
    }
    let visits = followed.visits.per_cell(cells.len(), &[], |mark| cell_of(mark, followed, groups, n_stages));
    Counts { cells, visits }
}

/// The counts of coarser groups, each of which is made of whole groups of `fine`.
pub fn fold(fine: &Counts, fine_groups: &Groups, words: &[u64], followed: &Followed, groups: &Groups, n_stages: usize) -> Counts {
    let mut cells = vec![Cell::default(); groups.len() * n_stages];
    let mut visits = vec![0_u32; cells.len()];
    for (group, &word) in words.iter().enumerate().take(fine_groups.len()) {
        let (from, to) = (group * n_stages, groups.of(word) * n_stages);
        for stage in 0..n_stages {
            let (sum, cell) = (&mut cells[to + stage], fine.cells[from + stage]);
            sum.reached += cell.reached;
            sum.entered += cell.entered;
            sum.current += cell.current;
            sum.lost += cell.lost;
            sum.skipped += cell.skipped;
            visits[to + stage] += fine.visits.count[from + stage] as u32;
        }
    }
    let visits = followed.visits.per_counted_cell(visits, &[], |mark| cell_of(mark, followed, groups, n_stages));
    Counts { cells, visits }
}

#[inline(always)]
fn cell_of(mark: u64, followed: &Followed, groups: &Groups, n_stages: usize) -> usize {
    let (bits, mask) = (followed.stage_bits, (1_u64 << followed.stage_bits) - 1);
    groups.of(mark >> bits) * n_stages + (mark & mask) as usize - 1
}

/// Amounts, losses and moves back by group; `reason` numbers the reasons of loss.
pub fn details(deals: &Deals<'_>, followed: &Followed, groups: &Groups, n_stages: usize, reason: &[u16], with_entered: bool) -> Details {
    let mut moved_back = vec![0; groups.len() * n_stages];
    followed.back_moves.iter().for_each(|&mark| moved_back[cell_of(mark, followed, groups, n_stages)] += 1);
    Details {
        moved_back,
        losses: losses(deals, followed, groups, n_stages, reason),
        amounts: amounts(deals, followed, groups, n_stages, with_entered),
    }
}

/// The amounts of each group.
pub fn amounts(deals: &Deals<'_>, followed: &Followed, groups: &Groups, n_stages: usize, with_entered: bool) -> Amounts {
    /// Side by side, so that a deal touches few places.
    #[derive(Clone, Copy, Default)]
    struct Sums {
        reached: i128,
        current: i128,
        lost: i128,
    }
    let (lost, n_currencies) = (n_stages as u8 + 1, deals.n_currencies);
    let mut sums = vec![Sums::default(); groups.len() * n_stages * n_currencies];
    let mut entered = vec![0; if with_entered { sums.len() } else { 0 }];
    for (row, deal) in followed.deals.iter().enumerate() {
        let (amount, currency) = (deals.amounts[row], deals.currency[row] as usize);
        if amount == 0 {
            continue;
        }
        let base = groups.of(deals.attributes[row]) * n_stages;
        let at = |stage: u8| (base + stage as usize - 1) * n_currencies + currency;
        if deal.furthest > 0 {
            sums[at(deal.furthest)].reached += amount;
            if with_entered {
                let mask = if deal.has_history { deal.entered } else { 1 << deal.furthest };
                (1..=deal.furthest).filter(|stage| mask >> stage & 1 == 1).for_each(|stage| entered[at(stage)] += amount);
            }
        }
        if deal.current == lost {
            if deal.lost_at > 0 {
                sums[at(deal.lost_at)].lost += amount;
            }
        } else if deal.current > 0 {
            sums[at(deal.current)].current += amount;
        }
    }
    for own in sums.chunks_exact_mut(n_stages * n_currencies) {
        for place in (n_currencies..own.len()).rev() {
            own[place - n_currencies].reached += own[place].reached;
        }
    }
    Amounts {
        reached: sums.iter().map(|sums| sums.reached).collect(),
        entered,
        current: sums.iter().map(|sums| sums.current).collect(),
        lost: sums.iter().map(|sums| sums.lost).collect(),
    }
}

/// Keys are sorted rather than looked up: there may be nearly as many as losses.
fn losses(deals: &Deals<'_>, followed: &Followed, groups: &Groups, n_stages: usize, reason: &[u16]) -> Vec<(LossKey, u64, i128)> {
    let lost = n_stages as u8 + 1;
    let of_row = |row: usize| -> LossKey {
        (groups.of(deals.attributes[row]) as u32, followed.deals[row].lost_at, reason[row], deals.currency[row])
    };
    let mut rows: Vec<(u128, u32)> = (0..)
        .zip(&followed.deals)
        .filter(|(_, deal)| deal.current == lost)
        .map(|(row, _)| {
            let (group, stage, reason, currency) = of_row(row as usize);
            (u128::from(group) << 40 | u128::from(stage) << 32 | u128::from(reason) << 16 | u128::from(currency), row)
        })
        .collect();
    rows.sort_unstable();
    let mut losses: Vec<(LossKey, u64, i128)> = Vec::new();
    for (_, row) in rows {
        let (key, amount) = (of_row(row as usize), deals.amounts[row as usize]);
        match losses.last_mut() {
            Some(last) if last.0 == key => {
                last.1 += 1;
                last.2 += amount;
            }
            _ => losses.push((key, 1, amount)),
        }
    }
    losses
}
