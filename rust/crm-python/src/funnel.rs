//! Funnels: columns in as Arrow, counts out as NumPy arrays; the tables are put together in Python.
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt8Type, UInt16Type, UInt32Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, RecordBatch, RecordBatchReader};
use arrow_schema::SchemaRef;
use crm_core::{Error, Result};
use crm_funnel::events::{Breakdown, Dimension, DimensionOf, KeyValues};
use crm_funnel::pipeline::{Deals, PipelineCounts, count};
use crm_funnel::{Condition, EventRequest, amounts, check_key_columns, follow};
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use pyo3_arrow::{PyArray, PyRecordBatchReader};

use crate::errors::to_python;
use crate::gate::gate;

type Progress<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// A breakdown as Python hands it over; `dimension` reads its parts.
type DimensionArgument = (String, Option<PyArray>, PyArray, u32, Option<usize>);

/// An event funnel over a stream of (contact, time, …); see `crm_engine.funnel`.
#[pyfunction]
#[pyo3(signature = (stream, request, dimensions, progress = None))]
pub fn event_funnel<'py>(
    py: Python<'py>,
    stream: PyRecordBatchReader,
    request: &str,
    dimensions: Vec<DimensionArgument>,
    progress: Progress<'_, 'py>,
) -> PyResult<Bound<'py, PyDict>> {
    let reader = stream.into_reader()?;
    let dimensions = dimensions.into_iter().map(dimension).collect::<Result<Vec<_>>>().map_err(|error| to_python(py, error))?;
    let outcome = gate(py, progress, |control| {
        let request = EventRequest::from_json(request)?;
        let schema = reader.schema();
        check_key_columns(&schema)?;
        let batches = reader.collect::<Result<Vec<RecordBatch>, _>>()?;
        request.run(&schema, &batches, &dimensions, |text| rule(&schema, text, request.today), control)
    })?;
    let found = PyDict::new(py);
    found.set_item("rows", outcome.rows)?;
    found.set_item("rows_without_key", outcome.rows_without_key)?;
    found.set_item("contacts", outcome.result.contacts.into_pyarray(py))?;
    found.set_item("levels", outcome.result.levels.into_pyarray(py))?;
    let breakdowns = outcome.result.breakdowns.into_iter().map(|breakdown| breakdown_dict(py, breakdown));
    found.set_item("breakdowns", PyList::new(py, breakdowns.collect::<PyResult<Vec<_>>>()?)?)?;
    Ok(found)
}

fn dimension((of, keys, values, n_values, top): (String, Option<PyArray>, PyArray, u32, Option<usize>)) -> Result<Dimension> {
    let values = numbers::<UInt32Type>(values.array())?;
    let of = match (of.as_str(), keys) {
        ("contact", Some(keys)) => DimensionOf::Contact(KeyValues::new(&numbers::<Int64Type>(keys.array())?, &values, n_values)),
        ("first", None) => DimensionOf::FirstStep(values),
        ("last", None) => DimensionOf::LastStep(values),
        _ => return Err(Error::internal(format!("a dimension of '{of}'"))),
    };
    Ok(Dimension { of, n_values, top })
}

fn numbers<T: arrow_array::ArrowPrimitiveType>(array: &ArrayRef) -> Result<Vec<T::Native>> {
    let array = array.as_primitive_opt::<T>().ok_or_else(|| Error::internal(format!("an array of {}", array.data_type())))?;
    Ok(array.values().to_vec())
}

fn rule(schema: &SchemaRef, text: &str, today: i32) -> Result<Condition> {
    let rule = crm_rules::Rule::parse(text)?.compile(&crm_rules::Schema::from_arrow(schema), today)?;
    Ok(Condition::Rule(Box::new(move |batch| rule.evaluate(batch))))
}

fn breakdown_dict<'py>(py: Python<'py>, breakdown: Breakdown) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    found.set_item("groups", breakdown.groups)?;
    found.set_item("contacts", breakdown.contacts.into_pyarray(py))?;
    found.set_item("attempts", breakdown.attempts.into_pyarray(py))?;
    found.set_item("median_seconds", breakdown.median_seconds.into_pyarray(py))?;
    found.set_item("p90_seconds", breakdown.p90_seconds.into_pyarray(py))?;
    found.set_item("mean_seconds", breakdown.mean_seconds.into_pyarray(py))?;
    found.set_item("total_median_seconds", breakdown.total_median_seconds.into_pyarray(py))?;
    found.set_item("total_p90_seconds", breakdown.total_p90_seconds.into_pyarray(py))?;
    found.set_item("histogram", breakdown.histogram.into_pyarray(py))?;
    Ok(found)
}

/// A pipeline funnel over deals, their stage rows (deal, time, stage), and any number of groupings; see `crm_engine.funnel`.
#[pyfunction]
#[pyo3(signature = (ids, stage, amount, currency, n_currencies, reason, history, stages, lost, groups, check_times, progress = None))]
#[allow(clippy::too_many_arguments, reason = "one per column")]
pub fn pipeline_funnel<'py>(
    py: Python<'py>,
    ids: PyArray,
    stage: PyArray,
    amount: PyArray,
    currency: PyArray,
    n_currencies: usize,
    reason: PyArray,
    history: PyRecordBatchReader,
    stages: Vec<String>,
    lost: Vec<String>,
    groups: Vec<(PyArray, usize)>,
    check_times: Vec<i64>,
    progress: Progress<'_, 'py>,
) -> PyResult<Bound<'py, PyDict>> {
    let reader = history.into_reader()?;
    let (followed, counts) = gate(py, progress, |control| {
        check_key_columns(&reader.schema())?;
        let history = reader.collect::<Result<Vec<RecordBatch>, _>>()?;
        let (ids, stage) = (numbers::<Int64Type>(ids.array())?, numbers::<UInt8Type>(stage.array())?);
        let (amounts, currency) = (amounts(amount.array())?, numbers::<UInt16Type>(currency.array())?);
        let deals = Deals { ids: &ids, stage: &stage, amounts: &amounts, currency: &currency, n_currencies };
        let reason = numbers::<UInt16Type>(reason.array())?;
        let followed = follow(&deals, &history, &stages, &lost, &check_times, control)?;
        let counts = groups.iter().map(|(group, n_groups)| {
            control.check()?;
            Ok(count(&deals, &followed, &numbers::<UInt32Type>(group.array())?, *n_groups, stages.len(), &reason))
        });
        let counts = counts.collect::<Result<Vec<_>>>()?;
        Ok((followed, counts))
    })?;
    let found = PyDict::new(py);
    let deals = PyDict::new(py);
    let of = |get: fn(&crm_funnel::pipeline::Deal) -> u8| followed.deals.iter().map(get).collect::<Vec<u8>>().into_pyarray(py);
    deals.set_item("furthest", of(|deal| deal.furthest))?;
    deals.set_item("current", of(|deal| deal.current))?;
    deals.set_item("lost_at", of(|deal| deal.lost_at))?;
    deals.set_item("has_history", of(|deal| u8::from(deal.has_history)))?;
    deals.set_item("first_time", followed.deals.iter().map(|deal| deal.first_time).collect::<Vec<i64>>().into_pyarray(py))?;
    deals.set_item("last_time", followed.deals.iter().map(|deal| deal.last_time).collect::<Vec<i64>>().into_pyarray(py))?;
    found.set_item("deals", deals)?;
    found.set_item("moves", followed.moves.into_pyarray(py))?;
    found.set_item("ticks", followed.ticks)?;
    found.set_item("orphan_rows", followed.orphan_rows)?;
    found.set_item("disagreeing", followed.disagreeing)?;
    let counts = counts.into_iter().map(|counts| counts_dict(py, counts)).collect::<PyResult<Vec<_>>>()?;
    found.set_item("counts", PyList::new(py, counts)?)?;
    if let Some(forecast) = followed.forecast {
        let check = PyDict::new(py);
        check.set_item("decided", forecast.decided.into_pyarray(py))?;
        check.set_item("decided_won", forecast.decided_won.into_pyarray(py))?;
        let cells = &forecast.cells;
        check.set_item("open", cells.iter().map(|cell| cell.open).collect::<Vec<_>>().into_pyarray(py))?;
        check.set_item("won", cells.iter().map(|cell| cell.won).collect::<Vec<_>>().into_pyarray(py))?;
        check.set_item("pending", cells.iter().map(|cell| cell.pending).collect::<Vec<_>>().into_pyarray(py))?;
        check.set_item("open_amount", decimals(py, cells.iter().map(|cell| cell.open_amount).collect())?)?;
        check.set_item("won_amount", decimals(py, cells.iter().map(|cell| cell.won_amount).collect())?)?;
        check.set_item("pending_amount", decimals(py, cells.iter().map(|cell| cell.pending_amount).collect())?)?;
        found.set_item("forecast", check)?;
    }
    Ok(found)
}

fn counts_dict<'py>(py: Python<'py>, counts: PipelineCounts) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    let columns = [
        ("reached", counts.reached),
        ("entered", counts.entered),
        ("current", counts.current),
        ("lost", counts.lost),
        ("skipped", counts.skipped),
        ("moved_back", counts.moved_back),
        ("deals", counts.deals),
        ("lost_from_unknown", counts.lost_from_unknown),
        ("unknown", counts.unknown),
        ("visits", counts.visits.count),
        ("loss_deals", counts.losses.iter().map(|loss| loss.1).collect()),
        ("loss_group", counts.losses.iter().map(|loss| u64::from(loss.0.0)).collect()),
        ("loss_stage", counts.losses.iter().map(|loss| u64::from(loss.0.1)).collect()),
        ("loss_reason", counts.losses.iter().map(|loss| u64::from(loss.0.2)).collect()),
        ("loss_currency", counts.losses.iter().map(|loss| u64::from(loss.0.3)).collect()),
    ];
    for (name, column) in columns {
        found.set_item(name, column.into_pyarray(py))?;
    }
    found.set_item("median", counts.visits.median.into_pyarray(py))?;
    found.set_item("p90", counts.visits.p90.into_pyarray(py))?;
    found.set_item("sum", counts.visits.sum.iter().map(|&sum| sum as f64).collect::<Vec<_>>().into_pyarray(py))?;
    found.set_item("loss_amount", decimals(py, counts.losses.iter().map(|loss| loss.2).collect())?)?;
    found.set_item("reached_amount", decimals(py, counts.reached_amount)?)?;
    found.set_item("entered_amount", decimals(py, counts.entered_amount)?)?;
    found.set_item("current_amount", decimals(py, counts.current_amount)?)?;
    found.set_item("lost_amount", decimals(py, counts.lost_amount)?)?;
    Ok(found)
}

/// Whole numbers of any size as `decimal128(38, 0)`; the caller knows the scale.
fn decimals(py: Python<'_>, values: Vec<i128>) -> PyResult<Bound<'_, PyAny>> {
    let array = Decimal128Array::from(values).with_precision_and_scale(38, 0).map_err(|error| to_python(py, Error::from(error)))?;
    let array = PyArray::from_array_ref(std::sync::Arc::new(array));
    Ok(array.to_pyarrow(py)?.unbind().into_bound(py))
}
