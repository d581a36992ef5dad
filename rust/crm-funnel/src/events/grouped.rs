//! Funnels over rows where each contact's follow each other, a stretch of whole contacts at a time.
use crm_core::{Control, Error, Result};
use hashbrown::HashSet;

use super::chain::{Conditions, NEVER};
use super::{Dimension, EventFunnelResult, Levels, Plan, Tally, finish, tally};
use crate::breakdown::Attributes;
use crate::grouping::{Rows, Span};

/// What has come of the stretches so far: memory grows with contacts, not with rows.
pub struct GroupedFunnel<'a> {
    plan: &'a Plan,
    dimensions: &'a [Dimension],
    attributes: Attributes,
    whole: Tally,
    /// Contacts seen, once they do not ascend from stretch to stretch.
    seen: Option<HashSet<i64, foldhash::fast::FixedState>>,
    highest: i64,
}

impl<'a> GroupedFunnel<'a> {
    /// An empty funnel.
    pub fn new(plan: &'a Plan, dimensions: &'a [Dimension]) -> Result<Self> {
        let attributes = Attributes::new(dimensions.iter().map(|dimension| dimension.n_values))?;
        // No step is later than the window, where there is one; ticks stay the caller's, because stretches differ in theirs.
        let last = if plan.window == NEVER { u64::MAX } else { plan.window };
        let whole = Tally::new(attributes.clone(), plan.n_steps, Span { first_time: 0, ticks: 1, last });
        Ok(Self { plan, dimensions, attributes, whole, seen: None, highest: i64::MIN })
    }

    /// Adds the rows of some contacts, none of which may have come before; `first_row` counts the rows before these.
    pub fn add(&mut self, conditions: &[Conditions], rows: Vec<Rows<'_>>, first_row: u64, control: &dyn Control) -> Result<()> {
        let Some(mut part) = tally(self.plan, conditions, rows, self.dimensions, &self.attributes, control)? else { return Ok(()) };
        part.levels.list_sparse();
        self.check_fresh(&part.levels, first_row)?;
        self.whole.append(part);
        Ok(())
    }

    /// A contact that comes again would count twice.
    fn check_fresh(&mut self, levels: &Levels, first_row: u64) -> Result<()> {
        let (lowest, highest) = levels.iter().fold((i64::MAX, i64::MIN), |(low, high), (key, _)| (low.min(key), high.max(key)));
        if lowest <= self.highest && self.seen.is_none() {
            self.seen = Some(self.whole.levels.iter().map(|(key, _)| key).collect());
        }
        self.highest = self.highest.max(highest);
        let Some(seen) = &mut self.seen else { return Ok(()) };
        if levels.iter().any(|(key, _)| !seen.insert(key)) {
            return Err(Error::schema(format!(
                "the events are not grouped by contact: after row {first_row} a contact comes again that had come before; sort by contact, or leave out 'grouped'"
            )));
        }
        Ok(())
    }

    /// The funnel of all contacts.
    pub fn finish(self, breakdowns: &[Vec<usize>], ticks_per_second: u64, control: &dyn Control) -> Result<EventFunnelResult> {
        finish(self.plan, self.whole, self.dimensions, breakdowns, ticks_per_second, control)
    }
}
