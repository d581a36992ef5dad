//! Event funnels over Arrow batches: columns by place, conditions to codes, then the kernel.
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;
use arrow_schema::{DataType, SchemaRef};
use crm_core::{Control, Error, Result};
use rayon::prelude::*;
use serde::Deserialize;

use crate::condition::{Coder, Condition};
use crate::events::{self, Dimension, DimensionOf, EventFunnelConfig, EventFunnelResult, Plan};
use crate::grouping::Rows;
use crate::rules::RulesBuilder;

/// An event funnel over batches whose first column is the contact's number and whose second the time in ticks, both `int64`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRequest {
    /// The funnel.
    pub funnel: EventFunnelConfig,
    /// The conditions of the steps and then of the exclusions, as rules.
    pub conditions: Vec<String>,
    /// Which rows take part at all, as a rule.
    #[serde(default)]
    pub filter: Option<String>,
    /// Ticks of the time column in a second.
    pub ticks_per_second: u64,
    /// Which dimensions each breakdown combines.
    pub breakdowns: Vec<Vec<usize>>,
    /// Today as days since 1970, for rules that need it.
    pub today: i32,
}

/// What came of a request: the funnel, and how many rows could not take part.
#[derive(Debug, Default)]
pub struct EventOutcome {
    /// The funnel.
    pub result: EventFunnelResult,
    /// Rows read.
    pub rows: u64,
    /// Rows without a contact or without a time.
    pub rows_without_key: u64,
    /// What a user should know: expressions that could not be computed for some rows.
    pub warnings: Vec<String>,
}

impl EventRequest {
    /// Reads a request from JSON.
    pub fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(|error| Error::config(format!("funnel: {error}")))
    }

    /// What the condition with some number belongs to, for messages.
    fn name(&self, number: usize) -> String {
        match self.funnel.steps.get(number) {
            Some(step) => format!("step {} ('{}')", number + 1, step.name),
            None => format!("exclusion {}", number + 1 - self.funnel.steps.len()),
        }
    }

    /// Runs it.
    pub fn run(
        &self,
        schema: &SchemaRef,
        batches: &[RecordBatch],
        dimensions: &[Dimension],
        control: &dyn Control,
    ) -> Result<EventOutcome> {
        let compiled = self.compile(schema)?;
        let n_rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        if n_rows > u64::from(u32::MAX) && dimensions.iter().any(|dimension| !matches!(dimension.of, DimensionOf::Contact(_))) {
            return Err(Error::limit(format!(
                "{n_rows} events are more than {} rows, so they cannot be broken down by a column of their own; name columns of the contacts",
                u32::MAX
            )));
        }
        let batches = &sliced(batches);
        let (rows, counted) = compiled.rows(batches, control)?;
        let result =
            events::run(&compiled.plan, &compiled.coder.conditions(), rows, dimensions, &self.breakdowns, self.ticks_per_second, control)?;
        Ok(EventOutcome { result, warnings: compiled.warnings(), ..counted })
    }

    /// Runs it over rows where each contact's follow each other, a stretch of batches at a time: memory grows with contacts, not with rows.
    pub fn run_grouped(
        &self,
        schema: &SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch>>,
        dimensions: &[Dimension],
        control: &dyn Control,
    ) -> Result<EventOutcome> {
        if dimensions.iter().any(|dimension| !matches!(dimension.of, DimensionOf::Contact(_))) {
            return Err(Error::config(
                "grouped events are not broken down by a column of their own; name columns of the contacts, or leave out 'grouped'",
            ));
        }
        let compiled = self.compile(schema)?;
        let mut outcome = EventOutcome::default();
        let mut funnel = events::GroupedFunnel::new(&compiled.plan, dimensions)?;
        let batches = batches.map(|batch| control.check().and(batch));
        for stretch in Stretches::new(batches) {
            let stretch = sliced(&stretch?);
            let (rows, counted) = compiled.rows(&stretch, control)?;
            funnel.add(&compiled.coder.conditions(), rows, outcome.rows, control)?;
            outcome.rows += counted.rows;
            outcome.rows_without_key += counted.rows_without_key;
        }
        outcome.result = funnel.finish(&self.breakdowns, self.ticks_per_second, control)?;
        outcome.warnings = compiled.warnings();
        Ok(outcome)
    }

    fn compile(&self, schema: &SchemaRef) -> Result<Compiled> {
        let plan = Plan::new(&self.funnel, self.ticks_per_second)?;
        let mut plain = Vec::new();
        let mut rules = RulesBuilder::new(schema, self.today);
        for (number, text) in self.conditions.iter().enumerate() {
            match Condition::plain(text).filter(|condition| is_text(schema, &condition.column)) {
                Some(condition) => plain.push((number, condition)),
                None => rules.add(number, text).map_err(|error| in_place(&self.name(number), &error))?,
            }
        }
        let rules = rules.finish(self.filter.as_deref()).map_err(|error| in_place("where", &error))?;
        let coder = Coder::new(plain, rules, plan.sees_other_rows());
        coder.number_exclusive_steps(plan.n_steps)?;
        Ok(Compiled { plan, coder })
    }
}

fn in_place(place: &str, error: &Error) -> Error {
    Error::new(error.kind().clone(), format!("{place}: {}", error.message()))
}

/// A request whose conditions can be evaluated.
struct Compiled {
    plan: Plan,
    coder: Coder,
}

impl Compiled {
    fn rows<'b>(&self, batches: &'b [RecordBatch], control: &dyn Control) -> Result<(Vec<Rows<'b>>, EventOutcome)> {
        let coded = codes(batches, &self.coder, control)?;
        let counted = EventOutcome {
            rows: batches.iter().map(|batch| batch.num_rows() as u64).sum(),
            rows_without_key: coded.iter().map(|coded| coded.absent).sum(),
            ..EventOutcome::default()
        };
        Ok((rows(batches, coded), counted))
    }

    fn warnings(&self) -> Vec<String> {
        self.coder.failed().iter().map(|sql| format!("could not be computed for some rows and is null there: {sql}")).collect()
    }
}

/// Rows between two looks for Ctrl-C, and what threads share out; a table made in memory comes as one batch of any size.
const SLICE_ROWS: usize = 1 << 20;

/// The same rows in batches of at most [`SLICE_ROWS`].
pub(crate) fn sliced(batches: &[RecordBatch]) -> Vec<RecordBatch> {
    let slices = |batch: &RecordBatch| {
        let n_rows = batch.num_rows();
        (0..n_rows).step_by(SLICE_ROWS).map(|from| batch.slice(from, SLICE_ROWS.min(n_rows - from))).collect::<Vec<_>>()
    };
    batches.iter().flat_map(slices).collect()
}

/// Rows taken together at least, so that the kernel has something to share out.
const STRETCH_ROWS: usize = 1 << 20;

/// Batches to stretches of whole contacts: what may belong to the next batch's contact is held back.
struct Stretches<I> {
    batches: I,
    held: Vec<RecordBatch>,
    n_rows: usize,
    /// Where the rows of the contact that came last begin: the batch among those held, and its row.
    last_begins: (usize, usize),
}

impl<I: Iterator<Item = Result<RecordBatch>>> Stretches<I> {
    fn new(batches: I) -> Self {
        Self { batches, held: Vec::new(), n_rows: 0, last_begins: (0, 0) }
    }

    /// Holds a batch of at least one row.
    fn hold(&mut self, batch: RecordBatch) {
        let last_key = key_at(&batch, batch.num_rows() - 1);
        let from = (0..batch.num_rows()).rev().take_while(|&row| key_at(&batch, row) == last_key).last().unwrap_or(0);
        let goes_on = from == 0 && self.held.last().is_some_and(|held| key_at(held, held.num_rows() - 1) == last_key);
        if !goes_on {
            self.last_begins = (self.held.len(), from);
        }
        self.n_rows += batch.num_rows();
        self.held.push(batch);
    }

    /// Cuts the last contact's rows off what is held; nothing if all rows are one contact's.
    fn cut(&mut self) -> Option<Vec<RecordBatch>> {
        let (batch, row) = self.last_begins;
        if (batch, row) == (0, 0) {
            return None;
        }
        let mut kept = self.held.split_off(batch);
        if row > 0 {
            self.held.push(kept[0].slice(0, row));
            kept[0] = kept[0].slice(row, kept[0].num_rows() - row);
        }
        self.n_rows = kept.iter().map(RecordBatch::num_rows).sum();
        self.last_begins = (0, 0);
        Some(std::mem::replace(&mut self.held, kept))
    }
}

impl<I: Iterator<Item = Result<RecordBatch>>> Iterator for Stretches<I> {
    type Item = Result<Vec<RecordBatch>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.batches.next() {
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => {
                    self.hold(batch);
                    if self.n_rows >= STRETCH_ROWS
                        && let Some(whole) = self.cut()
                    {
                        return Some(Ok(whole));
                    }
                }
                None => return (!self.held.is_empty()).then(|| Ok(std::mem::take(&mut self.held))),
            }
        }
    }
}

/// The contact of a row; rows without one belong together as little as others do.
fn key_at(batch: &RecordBatch, row: usize) -> Option<i64> {
    let keys = batch.column(0).as_primitive::<Int64Type>();
    keys.is_valid(row).then(|| keys.value(row))
}

fn is_text(schema: &SchemaRef, column: &str) -> bool {
    let is = |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    schema.field_with_name(column).is_ok_and(|field| match field.data_type() {
        DataType::Dictionary(_, value) => is(value),
        other => is(other),
    })
}

/// The codes of a batch's rows, and how many have no key or time.
pub(crate) struct Coded {
    pub codes: Buffer,
    absent: u64,
}

/// Codes of all batches. Those of one thread share one buffer: many small ones would stay with the allocator when they are let go.
pub(crate) fn codes(batches: &[RecordBatch], coder: &Coder, control: &dyn Control) -> Result<Vec<Coded>> {
    let n_shares = rayon::current_num_threads();
    let shares: Result<Vec<Vec<Coded>>> = batches
        .par_chunks(batches.len().div_ceil(n_shares).max(1))
        .map(|share| {
            let mut all = Vec::with_capacity(share.iter().map(RecordBatch::num_rows).sum());
            let mut absent = Vec::with_capacity(share.len());
            let mut worker = coder.worker();
            for batch in share {
                control.check()?;
                let (codes, n_absent) = worker.codes(batch)?;
                all.extend_from_slice(&codes);
                absent.push(n_absent);
            }
            let all = Buffer::from_vec(all);
            let mut from = 0;
            let coded = share.iter().zip(absent).map(|(batch, absent)| {
                from += batch.num_rows();
                Coded { codes: all.slice_with_length(from - batch.num_rows(), batch.num_rows()), absent }
            });
            Ok(coded.collect())
        })
        .collect();
    Ok(shares?.into_iter().flatten().collect())
}

pub(crate) fn rows(batches: &[RecordBatch], coded: Vec<Coded>) -> Vec<Rows<'_>> {
    let mut first_row = 0_u32;
    let mut rows = Vec::with_capacity(batches.len());
    for (batch, coded) in batches.iter().zip(coded) {
        let ints = |column: usize| batch.column(column).as_primitive::<Int64Type>().values();
        rows.push(Rows { keys: ints(0), times: ints(1), codes: coded.codes, first_row });
        first_row = first_row.wrapping_add(batch.num_rows() as u32);
    }
    rows
}
