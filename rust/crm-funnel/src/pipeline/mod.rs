//! Pipeline funnels: how far deals get through stages, where they are lost, and how long they stay.
//!
//! Stages are numbered from 1 in the pipeline's order, the last being won; the number after it is lost, and 0 is unknown. A deal's
//! history is its stage rows by (time, stage); a stage that follows itself is one visit.
mod counts;
mod forecast;

use crm_core::{Control, Error, Result};

pub use counts::{LossKey, PipelineCounts, count};
pub use forecast::{Forecast, ForecastCell};

use crate::events::KeyValues;
use crate::grouping::{Event, Rows, Span, visit_keys};
use crate::quantile::Durations;

/// A stage and lost fit a code of a row; entered stages fit the bits of one number.
pub const MAX_STAGES: usize = 62;

/// The columns of the deals, one row each.
#[derive(Debug, Clone)]
pub struct Deals<'a> {
    /// Ids, each once.
    pub ids: &'a [i64],
    /// The current stage as the deals' table has it, for deals without history; 0 is unknown.
    pub stage: &'a [u8],
    /// Amounts in the smallest unit of the column; absent amounts are 0.
    pub amounts: &'a [i128],
    /// The number of each amount's currency.
    pub currency: &'a [u16],
    /// How many currencies there are.
    pub n_currencies: usize,
}

/// What is known of one deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deal {
    /// The stages that its history names, bit `stage`.
    pub entered: u64,
    /// The furthest stage, without lost; 0 if none is known.
    pub furthest: u8,
    /// Where it is now: a stage, lost, or 0.
    pub current: u8,
    /// The stage that it was in before it was lost; 0 if unknown or not lost.
    pub lost_at: u8,
    /// Whether its history was found.
    pub has_history: bool,
    /// First time in its history, in ticks of the caller.
    pub first_time: i64,
    /// When it came to where it is now.
    pub last_time: i64,
}

/// What [`follow`] found.
#[derive(Debug, Default)]
pub struct Followed {
    /// Per row of the deals.
    pub deals: Vec<Deal>,
    /// Closed visits: a cell is `deal << stage_bits | stage`.
    pub visits: Vec<Durations>,
    /// Moves to an earlier stage, as the cell of the stage left.
    pub back_moves: Vec<u32>,
    /// Moves `[n_stages + 2, n_stages + 2]`: from and to.
    pub moves: Vec<u64>,
    /// Bits of the stage in a cell.
    pub stage_bits: u32,
    /// The caller's ticks in one tick of a visit.
    pub ticks: u64,
    /// Stage rows whose deal is not among the deals.
    pub orphan_rows: u64,
    /// Deals whose table names another stage than the last of their history.
    pub disagreeing: u64,
    /// Forecast and truth at past times.
    pub forecast: Option<Forecast>,
}

struct Collected {
    deals: Vec<(u32, Deal)>,
    visits: Durations,
    back_moves: Vec<u32>,
    moves: Vec<u64>,
    orphan_rows: u64,
    forecast: Forecast,
    span: Span,
}

/// Follows each deal through its stage rows, whose codes are stages; `check_times` are past times for which a forecast is made and checked.
pub fn follow(deals: &Deals<'_>, rows: &[Rows<'_>], n_stages: usize, check_times: &[i64], control: &dyn Control) -> Result<Followed> {
    if n_stages > MAX_STAGES {
        return Err(Error::limit(format!("{n_stages} stages are more than {MAX_STAGES}")));
    }
    let lost = n_stages as u8 + 1;
    let stage_bits = 64 - (n_stages as u64 + 1).leading_zeros();
    if (deals.ids.len() as u64) << stage_bits > u64::from(u32::MAX) {
        return Err(Error::limit(format!("{} deals are more than one pipeline funnel takes; split them by a period", deals.ids.len())));
    }
    let numbers: Vec<u32> = (0..deals.ids.len() as u32).collect();
    let row_of = KeyValues::new(deals.ids, &numbers, u32::MAX);
    let repeated = deals.ids.iter().zip(&numbers).find(|(id, row)| row_of.find(**id, u32::MAX) != **row);
    if let Some((_, &row)) = repeated {
        return Err(Error::schema(format!("the deal of row {} of the deals occurs again further down; each deal may occur once", row + 1)));
    }
    let width = n_stages + 2;
    let collected = visit_keys(
        rows,
        false,
        control,
        |span| Collected {
            deals: Vec::new(),
            visits: Durations::default(),
            back_moves: Vec::new(),
            moves: vec![0; width * width],
            orphan_rows: 0,
            forecast: Forecast::new(check_times.len(), n_stages, deals.n_currencies),
            span,
        },
        |collected, id, events| {
            let row = row_of.find(id, u32::MAX);
            if row == u32::MAX {
                collected.orphan_rows += events.len() as u64;
                return;
            }
            let deal = collected.walk(row << stage_bits, events, lost, width);
            if !check_times.is_empty() {
                let (amount, currency) = (deals.amounts[row as usize], deals.currency[row as usize] as usize);
                collected.forecast.add(events, collected.span, check_times, lost, deal.current, amount, currency);
            }
            collected.deals.push((row, deal));
        },
    )?;
    let mut followed = Followed { deals: vec![Deal::default(); deals.ids.len()], stage_bits, ticks: 1, ..Followed::default() };
    followed.moves = vec![0; width * width];
    let mut forecast = Forecast::new(check_times.len(), n_stages, deals.n_currencies);
    for mut part in collected {
        followed.ticks = part.span.ticks;
        followed.orphan_rows += part.orphan_rows;
        followed.moves.iter_mut().zip(&part.moves).for_each(|(sum, n)| *sum += n);
        followed.back_moves.append(&mut part.back_moves);
        forecast.merge(&part.forecast);
        for (row, deal) in part.deals {
            followed.disagreeing += u64::from(deals.stage[row as usize] != 0 && deals.stage[row as usize] != deal.current);
            followed.deals[row as usize] = deal;
        }
        followed.visits.push(part.visits);
    }
    for (deal, &stage) in followed.deals.iter_mut().zip(deals.stage).filter(|(deal, _)| !deal.has_history) {
        deal.current = stage;
        if stage != 0 && stage != lost {
            deal.furthest = stage;
        }
    }
    // Sorted once, the visits of every grouping's cells are sorted too.
    followed.visits = vec![Durations::sorted(followed.visits)];
    followed.forecast = (!check_times.is_empty()).then_some(forecast);
    Ok(followed)
}

impl Collected {
    fn walk(&mut self, cell: u32, events: &[Event], lost: u8, width: usize) -> Deal {
        let mut deal = Deal { has_history: true, ..Deal::default() };
        let (mut stage, mut since, mut last_open) = (0_u8, 0_u64, 0_u8);
        let time = |ticks: u64| self.span.first_time.wrapping_add((ticks * self.span.ticks) as i64);
        deal.first_time = time(events[0].time);
        for event in events {
            let next = event.code;
            if next == stage {
                continue;
            }
            if stage != 0 {
                self.moves[stage as usize * width + next as usize] += 1;
                if stage != lost {
                    self.visits.push(cell | u32::from(stage), event.time - since);
                    if next < stage {
                        self.back_moves.push(cell | u32::from(stage));
                    }
                }
            } else {
                self.moves[next as usize] += 1;
            }
            if next != lost {
                deal.entered |= 1 << next;
                deal.furthest = deal.furthest.max(next);
                last_open = next;
            }
            (stage, since) = (next, event.time);
        }
        deal.current = stage;
        deal.last_time = time(since);
        deal.lost_at = if stage == lost { last_open } else { 0 };
        deal
    }
}
