//! The roles of columns, found from headers and values.
use arrow_array::RecordBatch;
use crm_core::{Error, Result};
use pyo3::prelude::*;
use pyo3_arrow::PyRecordBatchReader;

use crate::errors::to_python;
use crate::gate::gate;

/// Finds what the columns of a table of text mean; returns a JSON list of column, role, confidence, reasons, counts_rows.
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
