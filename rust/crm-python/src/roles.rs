//! The roles of columns, found from headers and values.
use arrow_array::RecordBatch;
use crm_core::{Error, Result, Role};
use crm_resolve::roles::FactsBuilder;
use pyo3::prelude::*;
use pyo3_arrow::PyRecordBatchReader;

use crate::errors::to_python;
use crate::gate::gate;

/// Finds what the columns of a table of text mean; returns a JSON list of column, role, confidence, reasons, counts_rows, is_open.
#[pyfunction]
pub fn detect_roles(py: Python<'_>, stream: PyRecordBatchReader) -> PyResult<String> {
    let reader = stream.into_reader()?;
    let names: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    let detection = gate(py, None, |_| {
        let batches = reader.map(|batch| Ok(batch?)).collect::<Result<Vec<RecordBatch>>>()?;
        crm_resolve::roles::detect(&names, &batches)
    })?;
    serde_json::to_string(&detection.columns).map_err(|error| to_python(py, Error::internal(error.to_string())))
}

/// What there is to tell of each column: `roles` has one role, or None, per column of `stream`; returns JSON.
#[pyfunction]
#[pyo3(signature = (stream, roles, progress = None))]
pub fn column_facts(
    py: Python<'_>,
    stream: PyRecordBatchReader,
    roles: Vec<Option<String>>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let reader = stream.into_reader()?;
    let facts = gate(py, progress, |control| {
        let roles = roles.iter().map(|role| role.as_deref().map(str::parse::<Role>).transpose()).collect::<Result<Vec<_>>>()?;
        let mut builder = FactsBuilder::new(roles);
        let mut n_rows = 0;
        for batch in reader {
            let batch = batch?;
            builder.push(&batch, control)?;
            n_rows += batch.num_rows() as u64;
            control.progress("profiling", n_rows, 0);
        }
        Ok(builder.finish())
    })?;
    serde_json::to_string(&facts).map_err(|error| to_python(py, Error::internal(error.to_string())))
}

/// The canonical roles, in the order in which golden records show them.
#[pyfunction]
pub fn role_names() -> Vec<&'static str> {
    Role::ALL.iter().map(|role| role.name()).collect()
}

/// The roles that several columns may have.
#[pyfunction]
pub fn list_roles() -> Vec<&'static str> {
    Role::ALL.iter().filter(|role| crm_resolve::roles::takes_several(**role)).map(|role| role.name()).collect()
}
