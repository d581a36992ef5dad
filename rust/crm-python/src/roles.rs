//! The roles of columns, found from headers and values.
use arrow_array::RecordBatch;
use crm_core::{Error, Result, Role};
use crm_resolve::normalize::Region;
use crm_resolve::records::Doubt;
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

/// What there is to tell of each column: `roles` has one role, or None, per column of `stream`; returns JSON. Telephone numbers without a
/// country code are taken to be of `phone_region`.
#[pyfunction]
#[pyo3(signature = (stream, roles, progress = None, phone_region = None))]
pub fn column_facts(
    py: Python<'_>,
    stream: PyRecordBatchReader,
    roles: Vec<Option<String>>,
    progress: Option<&Bound<'_, PyAny>>,
    phone_region: Option<String>,
) -> PyResult<String> {
    let reader = stream.into_reader()?;
    let facts = gate(py, progress, |control| {
        let roles = roles.iter().map(|role| role.as_deref().map(str::parse::<Role>).transpose()).collect::<Result<Vec<_>>>()?;
        let region = phone_region.as_deref().map(|code| {
            Region::new(code).ok_or_else(|| Error::config(format!("phone_region is '{code}', which is no two-letter code of a country")))
        });
        let mut builder = FactsBuilder::new(roles, region.transpose()?);
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

/// Why a cell of a role takes no part, or not its full part, in comparing: filler, unreadable, wrong_check_digit, ambiguous; None where it does.
#[pyfunction]
pub fn value_doubt(py: Python<'_>, role: &str, cell: &str) -> PyResult<Option<&'static str>> {
    let role: Role = role.parse().map_err(|error| to_python(py, error))?;
    Ok(crm_resolve::records::value::doubt_of(role, cell).map(Doubt::name))
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
