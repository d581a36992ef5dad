//! Funnels over Arrow batches: columns by place, conditions to codes, then the kernels.
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use crm_core::{Control, Error, Result, TextColumn};
use rayon::prelude::*;
use serde::Deserialize;

use crate::condition::{Coder, Condition, Evaluate};
use crate::events::{self, Dimension, EventFunnelConfig, EventFunnelResult, Plan};
use crate::grouping::{INVISIBLE, Rows};
use crate::pipeline::{self, Deals, Followed};

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

    /// Runs it. `rule` compiles a condition that is no plain comparison of a text column.
    pub fn run(
        &self,
        schema: &SchemaRef,
        batches: &[RecordBatch],
        dimensions: &[Dimension],
        rule: impl Fn(&str) -> Result<Condition>,
        control: &dyn Control,
    ) -> Result<EventOutcome> {
        let plan = Plan::new(&self.funnel, self.ticks_per_second)?;
        let conditions = self.conditions.iter().enumerate().map(|(number, text)| match Condition::plain(text) {
            Some(Condition::Values { column, values }) if is_text(schema, &column) => Ok(Condition::Values { column, values }),
            _ => rule(text).map_err(|error| Error::new(error.kind().clone(), format!("{}: {}", self.name(number), error.message()))),
        });
        let coder = Coder::new(conditions.collect::<Result<_>>()?, plan.sees_other_rows());
        let filter = match self.filter.as_deref().map(&rule).transpose()? {
            Some(Condition::Rule(evaluate)) => Some(evaluate),
            _ => None,
        };
        let coded = codes(batches, &coder, filter.as_ref(), control)?;
        let rows = rows(batches, &coded);
        let mut outcome = EventOutcome { rows: rows.iter().map(|rows| rows.keys.len() as u64).sum(), ..EventOutcome::default() };
        outcome.rows_without_key = coded.iter().map(|coded| coded.absent).sum();
        let conditions = coder.conditions();
        outcome.result = events::run(&plan, &conditions, &rows, dimensions, &self.breakdowns, self.ticks_per_second, control)?;
        Ok(outcome)
    }
}

fn is_text(schema: &SchemaRef, column: &str) -> bool {
    let is = |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    schema.field_with_name(column).is_ok_and(|field| match field.data_type() {
        DataType::Dictionary(_, value) => is(value),
        other => is(other),
    })
}

struct Coded {
    codes: Vec<u8>,
    absent: u64,
}

fn codes(batches: &[RecordBatch], coder: &Coder, filter: Option<&Evaluate>, control: &dyn Control) -> Result<Vec<Coded>> {
    batches
        .par_iter()
        .map(|batch| {
            control.check()?;
            let (keys, times) = (batch.column(0), batch.column(1));
            let absent = (0..batch.num_rows()).filter(|&row| keys.is_null(row) || times.is_null(row));
            let all_present = keys.null_count() == 0 && times.null_count() == 0;
            let absent = if all_present { 0 } else { absent.count() as u64 };
            let mut codes = coder.codes(batch, |row| keys.is_valid(row) && times.is_valid(row), all_present)?;
            if let Some(filter) = filter {
                let kept = filter(batch)?;
                let gone = |row: usize| kept.is_null(row) || !kept.value(row);
                codes.iter_mut().enumerate().filter(|(row, _)| gone(*row)).for_each(|(_, code)| *code = INVISIBLE);
            }
            Ok(Coded { codes, absent })
        })
        .collect()
}

fn rows<'a>(batches: &'a [RecordBatch], coded: &'a [Coded]) -> Vec<Rows<'a>> {
    let mut first_row = 0_u32;
    let mut rows = Vec::with_capacity(batches.len());
    for (batch, coded) in batches.iter().zip(coded) {
        let ints = |column: usize| -> &'a [i64] { batch.column(column).as_primitive::<Int64Type>().values() };
        rows.push(Rows { keys: ints(0), times: ints(1), codes: &coded.codes, first_row });
        first_row = first_row.wrapping_add(batch.num_rows() as u32);
    }
    rows
}

/// Checks that the first two columns are `int64`.
pub fn check_key_columns(schema: &SchemaRef) -> Result<()> {
    let good = schema.fields().len() >= 2 && schema.fields()[..2].iter().all(|field| *field.data_type() == DataType::Int64);
    if good { Ok(()) } else { Err(Error::internal("the first two columns of a funnel's rows are not int64")) }
}

/// Follows deals through stage rows: (deal, time, stage). A stage that is none of `stages` nor lost is an error that names it.
pub fn follow(
    deals: &Deals<'_>,
    history: &[RecordBatch],
    stages: &[String],
    lost: &[String],
    check_times: &[i64],
    control: &dyn Control,
) -> Result<Followed> {
    let condition = |values: Vec<String>| Condition::Values { column: "stage".to_owned(), values };
    let conditions = stages.iter().map(|stage| condition(vec![stage.clone()])).chain([condition(lost.to_vec())]);
    let coder = Coder::new(conditions.collect(), false);
    coder.number_in_order(stages.len() + 1)?;
    let coded = codes(history, &coder, None, control)?;
    let mut first_row = 0;
    for (batch, coded) in history.iter().zip(&coded) {
        if let Some(row) = unknown_stage(batch, &coded.codes)? {
            let texts = TextColumn::new("stage", batch.column(2))?;
            let known: Vec<&str> = stages.iter().chain(lost).map(String::as_str).collect();
            return Err(Error::schema(format!(
                "row {} of the stage history has the stage '{}', which the pipeline does not know; its stages are {}",
                first_row + row + 1,
                texts.get(row).unwrap_or_default(),
                known.join(", ")
            )));
        }
        first_row += batch.num_rows();
    }
    pipeline::follow(deals, &rows(history, &coded), stages.len(), check_times, control)
}

fn unknown_stage(batch: &RecordBatch, codes: &[u8]) -> Result<Option<usize>> {
    let present = |row: usize| (0..3).all(|column| batch.column(column).is_valid(row));
    if !codes.contains(&INVISIBLE) {
        return Ok(None);
    }
    let texts = TextColumn::new("stage", batch.column(2))?;
    Ok((0..codes.len()).find(|&row| codes[row] == INVISIBLE && present(row) && texts.get(row).is_some()))
}

/// Amounts as whole numbers of the smallest unit: decimals as they are, floating point numbers rounded to cents.
pub fn amounts(array: &ArrayRef) -> Result<Vec<i128>> {
    let valid = |row: usize, value: i128| if array.is_valid(row) { value } else { 0 };
    Ok(match array.data_type() {
        DataType::Decimal128(_, _) => {
            array.as_primitive::<arrow_array::types::Decimal128Type>().values().iter().enumerate().map(|(row, &v)| valid(row, v)).collect()
        }
        DataType::Int64 => array.as_primitive::<Int64Type>().values().iter().enumerate().map(|(row, &v)| valid(row, v.into())).collect(),
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().values().iter().enumerate();
            values.map(|(row, &v)| valid(row, if v.is_finite() { (v * 100.0).round() as i128 } else { 0 })).collect()
        }
        other => return Err(Error::schema(format!("amount has the type {other}; decimals or numbers are needed"))),
    })
}
