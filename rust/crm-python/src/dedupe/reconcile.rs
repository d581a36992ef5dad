//! Two sides of a run compared, from Python.
use crm_core::Error;
use pyo3::prelude::*;
use pyo3_arrow::{PyRecordBatch, PySchema};

use crate::dedupe::resolution::Reconciled;
use crate::errors::to_python;
use crate::gate::gate;

/// Which left row is which right row, and where they differ.
#[pyclass(frozen, module = "crm_engine._core")]
pub struct Reconciliation(Reconciled);

impl Reconciliation {
    pub fn new(reconciled: Reconciled) -> Self {
        Self(reconciled)
    }
}

#[pymethods]
impl Reconciliation {
    /// The numbers, as JSON.
    fn counts(&self, py: Python<'_>) -> PyResult<String> {
        gate(py, None, |_| serde_json::to_string(&self.0.counts()).map_err(|error| Error::internal(error.to_string())))
    }

    /// The schema of `matched`, `differences`, `only_left`, `only_right` or `to_review`.
    fn schema<'py>(&self, py: Python<'py>, table: &str) -> PyResult<Bound<'py, PyAny>> {
        let table = table.parse().map_err(|error: Error| to_python(py, error))?;
        PySchema::new(self.0.schema(table)).into_pyarrow(py)
    }

    /// The next portion of a table from `start`, `None` at the end.
    fn portion<'py>(&self, py: Python<'py>, table: &str, start: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let batch = gate(py, None, |control| self.0.portion(table.parse()?, start, control))?;
        batch.map(|batch| PyRecordBatch::new(batch).into_pyarrow(py)).transpose()
    }
}
