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
pub fn count(followed: &Followed, groups: &Groups, group_of: &[u32], n_stages: usize, with_entered: bool) -> Counts {
    let lost = n_stages as u8 + 1;
    let mut cells = vec![Cell::default(); groups.len() * n_stages];
    for (deal, &group) in followed.deals.iter().zip(group_of) {
        let base = group as usize * n_stages;
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
    let (mut visits, mut sums) = (vec![0_u64; cells.len()], vec![0_u128; cells.len()]);
    for (group, &word) in words.iter().enumerate().take(fine_groups.len()) {
        let (from, to) = (group * n_stages, groups.of(word) * n_stages);
        for stage in 0..n_stages {
            let (sum, cell) = (&mut cells[to + stage], fine.cells[from + stage]);
            sum.reached += cell.reached;
            sum.entered += cell.entered;
            sum.current += cell.current;
            sum.lost += cell.lost;
            sum.skipped += cell.skipped;
            visits[to + stage] += fine.visits.count[from + stage];
            sums[to + stage] += fine.visits.sum[from + stage];
        }
    }
    let (bits, mask) = (followed.stage_bits, (1_u64 << followed.stage_bits) - 1);
    let stage = |mark: u64| (mark & mask) as usize - 1;
    // All deals, or by one column: that costs less than what serves for any.
    let visits = match groups.by_one_value() {
        _ if groups.is_whole() => followed.visits.per_counted_cell(visits, sums, stage),
        Some((shift, values, of_value)) => {
            let group = |mark: u64| of_value[(mark >> (bits + shift) & values) as usize] as usize;
            followed.visits.per_counted_cell(visits, sums, |mark| group(mark) * n_stages + stage(mark))
        }
        None => followed.visits.per_counted_cell(visits, sums, |mark| cell_of(mark, followed, groups, n_stages)),
    };
    Counts { cells, visits }
}

#[inline(always)]
fn cell_of(mark: u64, followed: &Followed, groups: &Groups, n_stages: usize) -> usize {
    let (bits, mask) = (followed.stage_bits, (1_u64 << followed.stage_bits) - 1);
    groups.of(mark >> bits) * n_stages + (mark & mask) as usize - 1
}

/// Amounts, losses and moves back by group; `reason` numbers the reasons of loss.
pub fn details(
    deals: &Deals<'_>,
    followed: &Followed,
    groups: &Groups,
    group_of: &[u32],
    n_stages: usize,
    reason: &[u16],
    with_entered: bool,
) -> Details {
    let mut moved_back = vec![0; groups.len() * n_stages];
    followed.back_moves.iter().for_each(|&mark| moved_back[cell_of(mark, followed, groups, n_stages)] += 1);
    Details {
        moved_back,
        losses: losses(deals, followed, group_of, n_stages, reason),
        amounts: amounts(deals, followed, groups.len(), group_of, n_stages, with_entered),
    }
}

/// The amounts of each group; sums that fit 64 bits are made in them, which halves what has to stay near.
fn amounts(deals: &Deals<'_>, followed: &Followed, n_groups: usize, group_of: &[u32], n_stages: usize, with_entered: bool) -> Amounts {
    let greatest = deals.amounts.iter().map(|amount| amount.unsigned_abs()).max().unwrap_or(0);
    if greatest.saturating_mul(deals.amounts.len() as u128) < i64::MAX as u128 {
        amounts_in(deals, followed, n_groups, group_of, n_stages, with_entered, |amount| amount as i64)
    } else {
        amounts_in(deals, followed, n_groups, group_of, n_stages, with_entered, |amount| amount)
    }
}

/// Sums of one cell side by side, so that a deal touches few places.
#[derive(Clone, Copy, Default)]
struct Sums<T> {
    reached: T,
    current: T,
    lost: T,
}

fn amounts_in<T: Copy + Default + std::ops::AddAssign + Into<i128>>(
    deals: &Deals<'_>,
    followed: &Followed,
    n_groups: usize,
    group_of: &[u32],
    n_stages: usize,
    with_entered: bool,
    narrow: impl Fn(i128) -> T,
) -> Amounts {
    let (lost, n_currencies) = (n_stages as u8 + 1, deals.n_currencies);
    let mut sums = vec![Sums::<T>::default(); n_groups * n_stages * n_currencies];
    let mut entered = vec![T::default(); if with_entered { sums.len() } else { 0 }];
    for (row, deal) in followed.deals.iter().enumerate() {
        let (amount, currency) = (narrow(deals.amounts[row]), deals.currency[row] as usize);
        let base = group_of[row] as usize * n_stages;
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
            let later = own[place].reached;
            own[place - n_currencies].reached += later;
        }
    }
    Amounts {
        reached: sums.iter().map(|sums| sums.reached.into()).collect(),
        entered: entered.into_iter().map(Into::into).collect(),
        current: sums.iter().map(|sums| sums.current.into()).collect(),
        lost: sums.iter().map(|sums| sums.lost.into()).collect(),
    }
}

/// Keys are sorted rather than looked up: there may be nearly as many as losses.
fn losses(deals: &Deals<'_>, followed: &Followed, group_of: &[u32], n_stages: usize, reason: &[u16]) -> Vec<(LossKey, u64, i128)> {
    let lost = n_stages as u8 + 1;
    let of_row = |row: usize| -> LossKey { (group_of[row], followed.deals[row].lost_at, reason[row], deals.currency[row]) };
    let rows = || followed.deals.iter().enumerate().filter(|(_, deal)| deal.current == lost).map(|(row, _)| row);
    let bits = |greatest: usize| usize::BITS - greatest.leading_zeros();
    let greatest = |values: &mut dyn Iterator<Item = usize>| bits(values.max().unwrap_or(0));
    let widths = [
        greatest(&mut group_of.iter().map(|&group| group as usize)),
        bits(n_stages),
        greatest(&mut reason.iter().map(|&reason| reason as usize)),
        bits(deals.n_currencies),
        bits(followed.deals.len()),
    ];
    let shifts = [widths[1] + widths[2] + widths[3] + widths[4], widths[2] + widths[3] + widths[4], widths[3] + widths[4], widths[4]];
    let mut losses: Vec<(LossKey, u64, i128)> = Vec::new();
    let mut add = |key: LossKey, row: usize| match losses.last_mut() {
        Some(last) if last.0 == key => {
            last.1 += 1;
            last.2 += deals.amounts[row];
        }
        _ => losses.push((key, 1, deals.amounts[row])),
    };
    if widths.iter().sum::<u32>() <= 64 {
        let word = |row: usize| {
            let (group, stage, reason, currency) = of_row(row);
            u64::from(group) << shifts[0]
                | u64::from(stage) << shifts[1]
                | u64::from(reason) << shifts[2]
                | u64::from(currency) << shifts[3]
                | row as u64
        };
        let mut words: Vec<u64> = rows().map(word).collect();
        words.sort_unstable();
        // The key is read off the word again: the rows of one key lie far apart.
        let part = |word: u64, place: usize| word >> shifts[place] & ((1 << widths[place]) - 1);
        for word in words {
            let key = (part(word, 0) as u32, part(word, 1) as u8, part(word, 2) as u16, part(word, 3) as u16);
            add(key, (word & ((1 << widths[4]) - 1)) as usize);
        }
    } else {
        let mut keyed: Vec<(LossKey, usize)> = rows().map(|row| (of_row(row), row)).collect();
        keyed.sort_unstable();
        keyed.iter().for_each(|&(key, row)| add(key, row));
    }
    losses
}
