//! Funnels: columns in as Arrow, counts out as NumPy arrays; the tables are put together in Python.
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt8Type, UInt16Type, UInt32Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, Decimal128Array, PrimitiveArray, RecordBatch, RecordBatchReader};
use arrow_schema::ArrowError;
use crm_core::{Error, Result};
use crm_funnel::events::{Breakdown, Dimension, DimensionOf, KeyValues, Levels};
use crm_funnel::{CellDurations, EventRequest, PipelineOutcome, PipelineRequest, check_key_columns, pipeline};
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use pyo3_arrow::{PyArray, PyChunkedArray, PyRecordBatchReader};

use crate::errors::to_python;
use crate::gate::gate;

type Progress<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// A breakdown as Python hands it over; `dimension` reads its parts.
type DimensionArgument = (String, Option<PyChunkedArray>, PyArray, u32, Option<usize>);

/// An event funnel over a stream of (contact, time, …); see `crm_engine.funnel`. With `grouped` a contact's rows follow each other.
#[pyfunction]
#[pyo3(signature = (stream, request, dimensions, grouped = false, progress = None))]
pub fn event_funnel<'py>(
    py: Python<'py>,
    stream: PyRecordBatchReader,
    request: &str,
    dimensions: Vec<DimensionArgument>,
    grouped: bool,
    progress: Progress<'_, 'py>,
) -> PyResult<Bound<'py, PyDict>> {
    let reader = stream.into_reader()?;
    let outcome = gate(py, progress, |control| {
        let request = EventRequest::from_json(request)?;
        let dimensions = dimensions.into_iter().map(dimension).collect::<Result<Vec<_>>>()?;
        let schema = reader.schema();
        check_key_columns(&schema)?;
        let batches = reader.map(|batch| batch.map_err(|error| broken_stream("events", &error)));
        if grouped {
            return request.run_grouped(&schema, batches, &dimensions, control);
        }
        request.run(&schema, &batches.collect::<Result<Vec<RecordBatch>>>()?, &dimensions, control)
    })?;
    let found = PyDict::new(py);
    found.set_item("rows", outcome.rows)?;
    found.set_item("rows_without_key", outcome.rows_without_key)?;
    found.set_item("warnings", outcome.warnings)?;
    found.set_item("levels", levels(py, outcome.result.levels)?)?;
    let breakdowns = outcome.result.breakdowns.into_iter().map(|breakdown| breakdown_dict(py, breakdown));
    found.set_item("breakdowns", PyList::new(py, breakdowns.collect::<PyResult<Vec<_>>>()?)?)?;
    Ok(found)
}

fn dimension((of, keys, values, n_values, top): DimensionArgument) -> Result<Dimension> {
    let values = numbers::<UInt32Type>(values.array())?;
    let of = match (of.as_str(), keys) {
        ("contact", Some(keys)) => {
            let keys = keys.chunks().iter().map(numbers::<Int64Type>).collect::<Result<Vec<_>>>()?;
            let parts: Vec<&[i64]> = keys.iter().map(|part| part.values().as_ref()).collect();
            DimensionOf::Contact(KeyValues::new(&parts, values.values(), n_values))
        }
        ("first", None) => DimensionOf::FirstStep(values.values().to_vec()),
        ("last", None) => DimensionOf::LastStep(values.values().to_vec()),
        _ => return Err(Error::internal(format!("a dimension of '{of}'"))),
    };
    Ok(Dimension { of, n_values, top })
}

fn numbers<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<PrimitiveArray<T>> {
    array.as_primitive_opt::<T>().cloned().ok_or_else(|| Error::internal(format!("an array of {}", array.data_type())))
}

/// What a stream of rows says when it breaks off, without what a producer adds for its own developers.
fn broken_stream(what: &str, error: &ArrowError) -> Error {
    let text = error.to_string();
    let text = text.split(" Detail: ").next().unwrap_or_default();
    Error::schema(format!("{what}: the stream of rows ended with an error: {}", text.lines().next().unwrap_or_default()))
}

/// Levels as (first key, levels of the keys from there on), and as two arrays for keys that lie far apart.
fn levels(py: Python<'_>, levels: Levels) -> PyResult<Bound<'_, PyDict>> {
    let found = PyDict::new(py);
    let dense = levels.dense.into_iter().map(|(first, levels)| (first, levels.into_pyarray(py)));
    found.set_item("dense", PyList::new(py, dense)?)?;
    let (keys, listed): (Vec<i64>, Vec<u8>) = levels.listed.into_iter().unzip();
    found.set_item("keys", keys.into_pyarray(py))?;
    found.set_item("levels", listed.into_pyarray(py))?;
    Ok(found)
}

fn breakdown_dict<'py>(py: Python<'py>, breakdown: Breakdown) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    found.set_item("groups", breakdown.groups)?;
    found.set_item("contacts", breakdown.contacts.into_pyarray(py))?;
    found.set_item("attempts", breakdown.attempts.into_pyarray(py))?;
    found.set_item("median_seconds", breakdown.median_seconds.into_pyarray(py))?;
    found.set_item("p90_seconds", breakdown.p90_seconds.into_pyarray(py))?;
    found.set_item("histogram", breakdown.histogram.into_pyarray(py))?;
    Ok(found)
}

/// Where each deal stands; kept as it is until someone asks for the table.
#[pyclass(frozen, module = "crm_engine._core")]
pub struct PipelineDeals(Vec<pipeline::Deal>);

#[pymethods]
impl PipelineDeals {
    /// A dict of NumPy arrays, one value per deal.
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        let of = |get: fn(&pipeline::Deal) -> u8| py.detach(|| self.0.iter().map(get).collect::<Vec<u8>>()).into_pyarray(py);
        found.set_item("furthest", of(|deal| deal.furthest))?;
        found.set_item("current", of(|deal| deal.current))?;
        found.set_item("lost_at", of(|deal| deal.lost_at))?;
        found.set_item("has_history", of(|deal| u8::from(deal.has_history)))?;
        let time = |get: fn(&pipeline::Deal) -> i64| py.detach(|| self.0.iter().map(get).collect::<Vec<i64>>()).into_pyarray(py);
        found.set_item("first_time", time(|deal| deal.first_time))?;
        found.set_item("last_time", time(|deal| deal.last_time))?;
        Ok(found)
    }
}

/// A pipeline funnel over deals, their stage rows (deal, time, stage), and any number of breakdowns; see `crm_engine.funnel`.
#[pyfunction]
#[pyo3(signature = (request, ids, stage, amount, currency, reason, created, dimensions, history, progress = None))]
#[allow(clippy::too_many_arguments, reason = "one per column")]
pub fn pipeline_funnel<'py>(
    py: Python<'py>,
    request: &str,
    ids: PyArray,
    stage: PyArray,
    amount: PyArray,
    currency: PyArray,
    reason: PyArray,
    created: Option<PyArray>,
    dimensions: Vec<PyArray>,
    history: PyRecordBatchReader,
    progress: Progress<'_, 'py>,
) -> PyResult<Bound<'py, PyDict>> {
    let reader = history.into_reader()?;
    let outcome = gate(py, progress, |control| {
        let request = PipelineRequest::from_json(request)?;
        check_key_columns(&reader.schema())?;
        let batches = reader.map(|batch| batch.map_err(|error| broken_stream("deal_stages", &error)));
        let history = batches.collect::<Result<Vec<RecordBatch>>>()?;
        let (ids, stage) = (numbers::<Int64Type>(ids.array())?, numbers::<UInt8Type>(stage.array())?);
        let (currency, reason) = (numbers::<UInt16Type>(currency.array())?, numbers::<UInt16Type>(reason.array())?);
        let created = created.map(|created| numbers::<Int64Type>(created.array())).transpose()?;
        let dimensions = dimensions.iter().map(|numbers_| numbers::<UInt32Type>(numbers_.array())).collect::<Result<Vec<_>>>()?;
        let columns = crm_funnel::DealColumns {
            ids: ids.values(),
            stage: stage.values(),
            amounts: &crm_funnel::amounts(amount.array())?,
            currency: currency.values(),
            reason: reason.values(),
            created: created.as_ref().map(|created| created.values().as_ref()),
            dimensions: dimensions.iter().map(|dimension| dimension.values().as_ref()).collect(),
        };
        request.run(&columns, &history, control)
    })?;
    pipeline_dict(py, outcome)
}

fn pipeline_dict(py: Python<'_>, outcome: PipelineOutcome) -> PyResult<Bound<'_, PyDict>> {
    let found = PyDict::new(py);
    let (followed, details) = (outcome.followed, outcome.details);
    found.set_item("moves", followed.moves.into_pyarray(py))?;
    found.set_item("ticks", followed.ticks)?;
    found.set_item("orphan_rows", followed.orphan_rows)?;
    found.set_item("disagreeing", followed.disagreeing)?;
    if let Some(forecast) = followed.forecast {
        found.set_item("forecast", forecast_dict(py, forecast)?)?;
    }
    found.set_item("deals", PipelineDeals(followed.deals))?;
    let breakdowns = outcome.breakdowns.into_iter().map(|(groups, counts)| counts_dict(py, groups, counts));
    found.set_item("breakdowns", PyList::new(py, breakdowns.collect::<PyResult<Vec<_>>>()?)?)?;
    found.set_item("moved_back", details.moved_back.into_pyarray(py))?;
    found.set_item("losses", losses_dict(py, details.losses)?)?;
    found.set_item("reached_amount", decimals(py, details.amounts.reached)?)?;
    found.set_item("entered_amount", decimals(py, details.amounts.entered)?)?;
    found.set_item("current_amount", decimals(py, details.amounts.current)?)?;
    found.set_item("lost_amount", decimals(py, details.amounts.lost)?)?;
    found.set_item("total_current_amount", decimals(py, outcome.total_current_amount)?)?;
    let standing = outcome.standing;
    found.set_item("standing", standing.deals.into_pyarray(py))?;
    found.set_item("by_currency", standing.by_currency.into_pyarray(py))?;
    found.set_item("without_history", standing.without_history)?;
    found.set_item("lost_from_unknown", standing.lost_from_unknown)?;
    found.set_item("median_cycle_days", standing.median_cycle_days)?;
    found.set_item("mean_cycle_days", standing.mean_cycle_days)?;
    Ok(found)
}

fn forecast_dict(py: Python<'_>, forecast: pipeline::Forecast) -> PyResult<Bound<'_, PyDict>> {
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
    Ok(check)
}

/// The groups' values by dimension, and a column per count.
fn counts_dict(py: Python<'_>, groups: Vec<Vec<u32>>, counts: pipeline::Counts) -> PyResult<Bound<'_, PyDict>> {
    let found = PyDict::new(py);
    found.set_item("n_groups", groups.len())?;
    let n_dimensions = groups.first().map_or(0, Vec::len);
    let columns = (0..n_dimensions).map(|place| groups.iter().map(|group| group[place]).collect::<Vec<u32>>().into_pyarray(py));
    found.set_item("groups", PyList::new(py, columns)?)?;
    let of = |get: fn(&pipeline::Cell) -> u32| counts.cells.iter().map(|cell| i64::from(get(cell))).collect::<Vec<_>>().into_pyarray(py);
    found.set_item("reached", of(|cell| cell.reached))?;
    found.set_item("entered", of(|cell| cell.entered))?;
    found.set_item("current", of(|cell| cell.current))?;
    found.set_item("lost", of(|cell| cell.lost))?;
    found.set_item("skipped", of(|cell| cell.skipped))?;
    let CellDurations { count, median, p90, sum, .. } = counts.visits;
    found.set_item("visits", count.into_pyarray(py))?;
    found.set_item("median", median.into_pyarray(py))?;
    found.set_item("p90", p90.into_pyarray(py))?;
    found.set_item("sum", sum.iter().map(|&sum| sum as f64).collect::<Vec<_>>().into_pyarray(py))?;
    Ok(found)
}

fn losses_dict(py: Python<'_>, losses: Vec<(pipeline::LossKey, u64, i128)>) -> PyResult<Bound<'_, PyDict>> {
    let found = PyDict::new(py);
    let of = |get: fn(&pipeline::LossKey) -> i64| losses.iter().map(|loss| get(&loss.0)).collect::<Vec<i64>>().into_pyarray(py);
    found.set_item("group", of(|key| i64::from(key.0)))?;
    found.set_item("stage", of(|key| i64::from(key.1)))?;
    found.set_item("reason", of(|key| i64::from(key.2)))?;
    found.set_item("currency", of(|key| i64::from(key.3)))?;
    found.set_item("deals", losses.iter().map(|loss| loss.1 as i64).collect::<Vec<_>>().into_pyarray(py))?;
    found.set_item("amount", decimals(py, losses.iter().map(|loss| loss.2).collect())?)?;
    Ok(found)
}

/// Whole numbers of any size as `decimal128(38, 0)`; the caller knows the scale.
fn decimals(py: Python<'_>, values: Vec<i128>) -> PyResult<Bound<'_, PyAny>> {
    let array = Decimal128Array::from(values).with_precision_and_scale(38, 0).map_err(|error| to_python(py, Error::from(error)))?;
    let array = PyArray::from_array_ref(std::sync::Arc::new(array));
    Ok(array.to_pyarrow(py)?.unbind().into_bound(py))
}
