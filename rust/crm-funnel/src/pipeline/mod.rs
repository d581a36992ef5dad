//! Pipeline funnels: how far deals get through stages, where they are lost, and how long they stay.
//!
//! Stages are numbered from 1 in the pipeline's order, the last being won; the number after it is lost, and 0 is unknown. A deal's
//! history is its stage rows by (time, stage); a stage that follows itself is one visit.
mod counts;
mod forecast;
mod standing;

use crm_core::{Control, Error, Result};

pub use counts::{Amounts, Cell, Counts, Details, LossKey, count, details, fold};
pub use forecast::{Forecast, ForecastCell};
pub use standing::{Created, Standing, standing};

use crate::durations::{Durations, SortedDurations};
use crate::events::KeyValues;
use crate::grouping::{Event, Rows, Span, Visit, visit_keys};

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
    /// What each deal is told apart by, as [`crate::Attributes`] packs it.
    pub attributes: &'a [u64],
    /// Bits of the attributes.
    pub attribute_bits: u32,
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
#[derive(Debug)]
pub struct Followed {
    /// Per row of the deals.
    pub deals: Vec<Deal>,
    /// Closed visits; a mark is `attributes << stage_bits | stage`.
    pub visits: SortedDurations,
    /// Moves to an earlier stage, as the mark of the stage left.
    pub back_moves: Vec<u64>,
    /// Moves `[n_stages + 2, n_stages + 2]`: from and to.
    pub moves: Vec<u64>,
    /// Bits of the stage in a mark.
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

/// What one stretch of deals adds up to.
struct Walker<'d> {
    deals: &'d Deals<'d>,
    row_of: &'d KeyValues,
    check_times: &'d [i64],
    lost: u8,
    stage_bits: u32,
    span: Span,
    walked: Vec<(u32, Deal)>,
    visits: Durations,
    back_moves: Vec<u64>,
    moves: Vec<u64>,
    orphan_rows: u64,
    forecast: Forecast,
}

/// Follows each deal through its stage rows, whose codes are stages; `check_times` are past times for which a forecast is made and checked.
pub fn follow(deals: &Deals<'_>, rows: Vec<Rows<'_>>, n_stages: usize, check_times: &[i64], control: &dyn Control) -> Result<Followed> {
    if n_stages > MAX_STAGES {
        return Err(Error::limit(format!("{n_stages} stages are more than {MAX_STAGES}")));
    }
    let stage_bits = 64 - (n_stages as u64 + 1).leading_zeros();
    let row_of = KeyValues::places(deals.ids);
    if !matches!(row_of, KeyValues::Places(..)) {
        let repeated = (0..).zip(deals.ids).find(|(row, id)| row_of.find(**id, u32::MAX) != *row);
        if let Some((row, _)) = repeated {
            return Err(Error::schema(format!(
                "the deal of row {} of the deals occurs again further down; each deal may occur once",
                row + 1
            )));
        }
    }
    let width = n_stages + 2;
    let walkers = visit_keys(rows, false, control, |stretch| {
        let mut visits = Durations::new(deals.attribute_bits + stage_bits, stretch.span.last);
        visits.reserve(stretch.rows);
        Walker {
            deals,
            row_of: &row_of,
            check_times,
            lost: n_stages as u8 + 1,
            stage_bits,
            span: stretch.span,
            walked: Vec::with_capacity(stretch.keys.map_or(0, |keys| keys.1.min(deals.ids.len()))),
            visits,
            back_moves: Vec::new(),
            moves: vec![0; width * width],
            orphan_rows: 0,
            forecast: Forecast::new(check_times.len(), n_stages, deals.n_currencies),
        }
    })?;
    Ok(gather(deals, walkers, n_stages, stage_bits, !check_times.is_empty()))
}

fn gather(deals: &Deals<'_>, walkers: Vec<Walker<'_>>, n_stages: usize, stage_bits: u32, with_forecast: bool) -> Followed {
    let width = n_stages + 2;
    let mut visits: Option<Durations> = None;
    let mut forecast: Option<Forecast> = None;
    let mut followed = Followed {
        deals: Vec::with_capacity(deals.ids.len()),
        visits: Durations::new(0, 0).sort(),
        back_moves: Vec::new(),
        moves: vec![0; width * width],
        stage_bits,
        ticks: 1,
        orphan_rows: 0,
        disagreeing: 0,
        forecast: None,
    };
    for mut part in walkers {
        followed.ticks = part.span.ticks;
        followed.orphan_rows += part.orphan_rows;
        followed.moves.iter_mut().zip(&part.moves).for_each(|(sum, n)| *sum += n);
        followed.back_moves.append(&mut part.back_moves);
        match &mut forecast {
            Some(forecast) => forecast.merge(&part.forecast),
            None => forecast = Some(part.forecast),
        }
        for (row, deal) in part.walked {
            let row = row as usize;
            followed.disagreeing += u64::from(deals.stage[row] != 0 && deals.stage[row] != deal.current);
            // Deals mostly come in their order: then nothing is written twice.
            if row >= followed.deals.len() {
                followed.deals.resize(row, Deal::default());
                followed.deals.push(deal);
            } else {
                followed.deals[row] = deal;
            }
        }
        match &mut visits {
            Some(visits) => visits.append(&mut part.visits),
            None => visits = Some(part.visits),
        }
    }
    followed.deals.resize(deals.ids.len(), Deal::default());
    let lost = n_stages as u8 + 1;
    for (deal, &stage) in followed.deals.iter_mut().zip(deals.stage).filter(|(deal, _)| !deal.has_history) {
        deal.current = stage;
        if stage != 0 && stage != lost {
            deal.furthest = stage;
        }
    }
    if let Some(visits) = visits {
        followed.visits = visits.sort();
    }
    if with_forecast {
        followed.forecast = forecast;
    }
    followed
}

impl Visit for Walker<'_> {
    fn visit(&mut self, id: i64, events: &[Event]) {
        let row = self.row_of.find(id, u32::MAX);
        if row == u32::MAX {
            self.orphan_rows += events.len() as u64;
            return;
        }
        let mark = self.deals.attributes[row as usize] << self.stage_bits;
        let deal = self.walk(mark, events);
        if !self.check_times.is_empty() {
            let (amount, currency) = (self.deals.amounts[row as usize], self.deals.currency[row as usize] as usize);
            self.forecast.add(events, self.span, self.check_times, self.lost, deal.current, amount, currency);
        }
        self.walked.push((row, deal));
    }
}

impl Walker<'_> {
    fn walk(&mut self, mark: u64, events: &[Event]) -> Deal {
        let (lost, width) = (self.lost, self.lost as usize + 1);
        let mut deal = Deal { has_history: true, ..Deal::default() };
        let (mut stage, mut since, mut last_open) = (0_u8, 0_u64, 0_u8);
        for event in events {
            let next = event.code;
            if next == stage {
                continue;
            }
            self.moves[stage as usize * width + next as usize] += 1;
            if stage != 0 && stage != lost {
                self.visits.push(mark | u64::from(stage), event.time - since);
                if next < stage {
                    self.back_moves.push(mark | u64::from(stage));
                }
            }
            if next != lost {
                deal.entered |= 1 << next;
                deal.furthest = deal.furthest.max(next);
                last_open = next;
            }
            (stage, since) = (next, event.time);
        }
        let time = |ticks: u64| self.span.first_time.wrapping_add((ticks * self.span.ticks) as i64);
        deal.current = stage;
        (deal.first_time, deal.last_time) = (time(events[0].time), time(since));
        deal.lost_at = if stage == lost { last_open } else { 0 };
        deal
    }
}
