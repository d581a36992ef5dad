//! Pipeline funnels over Arrow batches: stages to codes, deals to groups, then the kernel.
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use crm_core::{Control, Error, Result, TextColumn};
use serde::Deserialize;

use crate::breakdown::{Attributes, Groups};
use crate::condition::{Coder, Condition};
use crate::event_request::{codes, rows, sliced};
use crate::grouping::INVISIBLE;
use crate::pipeline::{self, Counts, Created, Deals, Details, Followed, Standing};

/// A pipeline funnel over columns of deals and batches of (deal, time, stage).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineRequest {
    /// The stages in order; the last is won.
    pub stages: Vec<String>,
    /// What lost deals are called.
    pub lost: Vec<String>,
    /// How many currencies there are.
    pub n_currencies: usize,
    /// Per dimension its number of values.
    pub n_values: Vec<u32>,
    /// Which dimensions each breakdown combines; the first is the main one.
    pub breakdowns: Vec<Vec<usize>>,
    /// Whether deals are counted where their history names the stage, and not only where they reached it.
    #[serde(default)]
    pub with_entered_amounts: bool,
    /// Past times for which a forecast is made and checked, in ticks of the history.
    #[serde(default)]
    pub check_times: Vec<i64>,
    /// Ticks of the history's times in a day.
    pub history_per_day: f64,
    /// Ticks of the creation times in a day.
    #[serde(default)]
    pub created_per_day: f64,
}

/// The columns of the deals, one row each; dimensions are numbered values.
#[derive(Debug, Clone)]
pub struct DealColumns<'a> {
    /// Ids, each once.
    pub ids: &'a [i64],
    /// The number of the current stage, from 1; lost is the number after the last, 0 is unknown.
    pub stage: &'a [u8],
    /// Amounts in the smallest unit.
    pub amounts: &'a [i128],
    /// The number of each amount's currency.
    pub currency: &'a [u16],
    /// The number of each reason of loss.
    pub reason: &'a [u16],
    /// When deals were created, [`i64::MAX`] for none.
    pub created: Option<&'a [i64]>,
    /// What deals may be told apart by.
    pub dimensions: Vec<&'a [u32]>,
}

/// What came of a request.
#[derive(Debug)]
pub struct PipelineOutcome {
    /// Per deal, and the moves between stages.
    pub followed: Followed,
    /// Per breakdown: the numbers of each group's values, and its counts.
    pub breakdowns: Vec<(Vec<Vec<u32>>, Counts)>,
    /// Of the main breakdown.
    pub details: Details,
    /// Amounts of the deals that are in each stage, `[n_stages, n_currencies]`.
    pub total_current_amount: Vec<i128>,
    /// Where the deals stand.
    pub standing: Standing,
}

impl PipelineRequest {
    /// Reads a request from JSON.
    pub fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(|error| Error::config(format!("pipeline funnel: {error}")))
    }

    /// Runs it.
    pub fn run(&self, columns: &DealColumns<'_>, history: &[RecordBatch], control: &dyn Control) -> Result<PipelineOutcome> {
        check_sums(columns.amounts)?;
        let attributes = Attributes::new(self.n_values.iter().copied())?;
        let words = attributes.pack_columns(&columns.dimensions, columns.ids.len());
        let deals = Deals {
            ids: columns.ids,
            stage: columns.stage,
            amounts: columns.amounts,
            currency: columns.currency,
            n_currencies: self.n_currencies,
            attributes: &words,
            attribute_bits: attributes.bits,
        };
        let followed = follow(&deals, &sliced(history), &self.stages, &self.lost, &self.check_times, control)?;
        let n_stages = self.stages.len();
        let main = self.breakdowns.first().map_or(&[] as &[usize], Vec::as_slice);
        let groups = Groups::new(&attributes, main, vec![None; main.len()], words.iter().copied());
        let group_of = groups.of_each(&words);
        let counts = pipeline::count(&followed, &groups, &group_of, n_stages, true);
        let details = pipeline::details(&deals, &followed, &groups, &group_of, n_stages, columns.reason, self.with_entered_amounts);
        let mut total_current_amount = vec![0; n_stages * self.n_currencies];
        for group in details.amounts.current.chunks_exact(total_current_amount.len().max(1)) {
            total_current_amount.iter_mut().zip(group).for_each(|(sum, amount)| *sum += amount);
        }
        let group_words = groups.words(&attributes, main);
        let mut further = Vec::new();
        for by in self.breakdowns.iter().skip(1) {
            control.check()?;
            let is_coarser = by.iter().all(|dimension| main.contains(dimension));
            let words = if is_coarser { &group_words } else { &words };
            let own = Groups::new(&attributes, by, vec![None; by.len()], words.iter().copied());
            let own_counts = if is_coarser {
                pipeline::fold(&counts, &groups, words, &followed, &own, n_stages)
            } else {
                pipeline::count(&followed, &own, &own.of_each(words), n_stages, self.with_entered_amounts)
            };
            further.push((own.values, own_counts));
        }
        let created = Created { at: columns.created.unwrap_or(&[]), per_day: self.created_per_day, history_per_day: self.history_per_day };
        let standing = pipeline::standing(&followed, columns.currency, self.n_currencies, n_stages, created);
        let breakdowns = std::iter::once((groups.values, counts)).chain(further).collect();
        Ok(PipelineOutcome { followed, breakdowns, details, total_current_amount, standing })
    }
}

/// Checks that the first two columns are `int64`.
pub fn check_key_columns(schema: &SchemaRef) -> Result<()> {
    let good = schema.fields().len() >= 2 && schema.fields()[..2].iter().all(|field| *field.data_type() == DataType::Int64);
    if good { Ok(()) } else { Err(Error::internal("the first two columns of a funnel's rows are not int64")) }
}

/// Follows deals through stage rows: (deal, time, stage). A stage that is none of `stages` nor lost is an error that names it.
fn follow(
    deals: &Deals<'_>,
    history: &[RecordBatch],
    stages: &[String],
    lost: &[String],
    check_times: &[i64],
    control: &dyn Control,
) -> Result<Followed> {
    let condition = |values: Vec<String>| Condition { column: "stage".to_owned(), values };
    let conditions = stages.iter().map(|stage| condition(vec![stage.clone()])).chain([condition(lost.to_vec())]);
    let coder = Coder::new(conditions.enumerate().collect(), None, false);
    coder.number_in_order(stages.len() + 1)?;
    let coded = codes(history, &coder, control)?;
    let mut first_row = 0;
    for (batch, coded) in history.iter().zip(&coded) {
        if let Some(row) = unknown_stage(batch, coded.codes.as_slice())? {
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
    pipeline::follow(deals, rows(history, coded), stages.len(), check_times, control)
}

fn unknown_stage(batch: &RecordBatch, codes: &[u8]) -> Result<Option<usize>> {
    let present = |row: usize| (0..3).all(|column| batch.column(column).is_valid(row));
    if !codes.contains(&INVISIBLE) {
        return Ok(None);
    }
    let texts = TextColumn::new("stage", batch.column(2))?;
    Ok((0..codes.len()).find(|&row| codes[row] == INVISIBLE && present(row) && texts.get(row).is_some()))
}

/// Digits of an amount or a sum, as decimals hold them.
const MAX_AMOUNT: u128 = 10_u128.pow(38) - 1;

/// No sum of these amounts is greater than that of all of them without signs.
fn check_sums(amounts: &[i128]) -> Result<()> {
    let sum = amounts.iter().try_fold(0_u128, |sum, amount| sum.checked_add(amount.unsigned_abs()));
    match sum {
        Some(sum) if sum <= MAX_AMOUNT => Ok(()),
        _ => Err(Error::limit("the deals' amounts add up to more than 38 digits; check the column, or count in a larger unit")),
    }
}

/// Amounts as whole numbers of the smallest unit: decimals as they are, floating point numbers rounded to cents; NaN is no amount.
pub fn amounts(array: &ArrayRef) -> Result<Vec<i128>> {
    let valid = |row: usize, value: i128| if array.is_valid(row) { value } else { 0 };
    Ok(match array.data_type() {
        DataType::Decimal128(_, _) => {
            array.as_primitive::<Decimal128Type>().values().iter().enumerate().map(|(row, &v)| valid(row, v)).collect()
        }
        DataType::Int64 => array.as_primitive::<Int64Type>().values().iter().enumerate().map(|(row, &v)| valid(row, v.into())).collect(),
        DataType::Float64 => {
            let cents = |(row, &amount): (usize, &f64)| match (amount * 100.0).round() {
                _ if array.is_null(row) || amount.is_nan() => Ok(0),
                cents if cents.abs() < MAX_AMOUNT as f64 => Ok(cents as i128),
                _ => Err(Error::schema(format!(
                    "row {} of the deals has an amount that is no amount: infinite, or of more than 36 digits",
                    row + 1
                ))),
            };
            array.as_primitive::<Float64Type>().values().iter().enumerate().map(cents).collect::<Result<_>>()?
        }
        other => return Err(Error::schema(format!("amount has the type {other}; decimals or numbers are needed"))),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Float64Array;

    use super::*;

    #[test]
    fn floating_point_amounts_are_cents_or_errors() {
        let of = |values: Vec<Option<f64>>| amounts(&(Arc::new(Float64Array::from(values)) as ArrayRef));
        assert_eq!(of(vec![Some(1.005), Some(-2.5), None, Some(f64::NAN)]).unwrap(), [100, -250, 0, 0]);
        for strange in [f64::INFINITY, -1e300, 1e36] {
            assert!(of(vec![Some(1.0), Some(strange)]).unwrap_err().message().starts_with("row 2 "));
        }
    }

    #[test]
    fn sums_of_more_than_38_digits_are_errors() {
        let most = MAX_AMOUNT as i128;
        assert!(check_sums(&[most, 0]).is_ok());
        for amounts in [[most, 1], [most, -most], [i128::MIN, i128::MIN]] {
            assert!(check_sums(&amounts).is_err());
        }
    }
}
