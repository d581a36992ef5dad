//! Reading files: a [`FileTable`] holds one native reader, for Python batch by batch, as an Arrow stream, or for another kernel to take over.
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{ArrayRef, StructArray, UInt64Array};
use arrow_schema::{ArrowError, Field, SchemaRef};
use crm_core::{Control, Error, NoControl, Result};
use crm_files::{FileReport, ReadOptions, Reject, Skipped, TableReader, TextBatch, open_path, open_stream};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3_arrow::ffi::{ArrayIterator, to_stream_pycapsule};
use pyo3_arrow::{PyArray, PyRecordBatch};

use crate::errors::to_python;
use crate::gate::gate;
use crate::pool::Process;

/// One table of a file: a text file has one, a workbook one per sheet.
#[pyclass(frozen, module = "crm_engine._core")]
pub struct FileTable {
    schema: SchemaRef,
    state: Arc<Mutex<State>>,
}

struct State {
    reader: Box<dyn TableReader>,
    /// The process that the reader's threads belong to.
    process: Process,
    report: FileReport,
    rejects: Vec<Reject>,
    skipped: Vec<Skipped>,
}

impl State {
    /// The next batch; what was left out on the way to it is kept until it is drained.
    fn next(&mut self, control: &dyn Control) -> Result<Option<TextBatch>> {
        self.process.check("an opened file")?;
        let batch = self.reader.next_batch(control)?;
        self.report.clone_from(self.reader.report());
        Ok(batch.map(|mut batch| {
            self.rejects.append(&mut batch.rejects);
            self.skipped.append(&mut batch.skipped);
            batch
        }))
    }
}

/// Opens a file, or `stream` (an object with `read(n)`) under the name `path`; `options` is JSON.
#[pyfunction]
#[pyo3(signature = (path, options, stream = None, progress = None))]
pub fn open_file(
    py: Python<'_>,
    path: PathBuf,
    options: &str,
    stream: Option<Py<PyAny>>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Vec<FileTable>> {
    let options: ReadOptions =
        serde_json::from_str(options).map_err(|error| to_python(py, Error::config(format!("read options: {error}"))))?;
    let readers = gate(py, progress, |control| match stream {
        None => open_path(&path, &options, control),
        Some(stream) => open_stream(&path.display().to_string(), Box::new(PyInput { stream }), &options, control),
    })?;
    Ok(readers.into_iter().map(FileTable::new).collect())
}

impl FileTable {
    fn new(reader: Box<dyn TableReader>) -> Self {
        let (schema, report) = (reader.schema(), reader.report().clone());
        let state = State { reader, process: Process::current(), report, rejects: Vec::new(), skipped: Vec::new() };
        Self { schema, state: Arc::new(Mutex::new(state)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while reading leaves a reader that can only fail again: nothing is torn.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the state says, waited for without the GIL: whoever reads holds the state, and may need the GIL for a Python stream.
    fn unlocked<T: Send>(&self, py: Python<'_>, ask: impl FnOnce(&mut State) -> T + Send) -> T {
        py.detach(|| ask(&mut self.lock()))
    }
}

/// Row, column, reason, raw text.
type RejectRow = (u64, Option<String>, String, String);

#[pymethods]
impl FileTable {
    /// The report as JSON; warnings and counts grow while batches are read.
    #[getter]
    fn report(&self, py: Python<'_>) -> PyResult<String> {
        let report = self.unlocked(py, |state| state.report.clone());
        serde_json::to_string(&report).map_err(|error| to_python(py, Error::internal(error.to_string())))
    }

    /// The columns.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The next batch and the rows in the file that its rows came from; `None` at the end.
    fn next_batch(&self, py: Python<'_>) -> PyResult<Option<(Py<PyAny>, Py<PyAny>)>> {
        let Some(text) = gate(py, None, |control| self.lock().next(control))? else { return Ok(None) };
        let rows: ArrayRef = Arc::new(UInt64Array::from(text.source_rows));
        let batch = PyRecordBatch::new(text.batch).into_pyarrow(py)?.unbind();
        Ok(Some((batch, PyArray::from_array_ref(rows).to_pyarrow(py)?.unbind())))
    }

    /// Rows rejected since the last call.
    fn drain_rejects(&self, py: Python<'_>) -> Vec<RejectRow> {
        let rejects = self.unlocked(py, |state| std::mem::take(&mut state.rejects));
        rejects.into_iter().map(|reject| (reject.row, reject.column, reject.reason, reject.raw)).collect()
    }

    /// Rows skipped since the last call: row, reason, raw text.
    fn drain_skipped(&self, py: Python<'_>) -> Vec<(u64, String, String)> {
        let skipped = self.unlocked(py, |state| std::mem::take(&mut state.skipped));
        skipped.into_iter().map(|skipped| (skipped.row, skipped.reason, skipped.raw)).collect()
    }

    /// The text columns as an Arrow stream, read as it is pulled.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(&self, py: Python<'py>, requested_schema: Option<Bound<'py, PyCapsule>>) -> PyResult<Bound<'py, PyCapsule>> {
        let state = Arc::clone(&self.state);
        let arrays = std::iter::from_fn(move || {
            // Whoever pulls may hold the GIL, and a Python stream behind the reader needs it.
            let next = Python::attach(|py| py.detach(|| state.lock().unwrap_or_else(PoisonError::into_inner).next(&NoControl)));
            match next {
                Ok(batch) => batch.map(|text| Ok(Arc::new(StructArray::from(text.batch)) as ArrayRef)),
                Err(error) => Some(Err(ArrowError::ExternalError(Box::new(error)))),
            }
        });
        let field = Arc::new(Field::new_struct("", self.schema.fields().clone(), false));
        Ok(to_stream_pycapsule(py, Box::new(ArrayIterator::new(arrays, field)), requested_schema)?)
    }
}

/// A Python object with `read(n)` as a Rust one.
struct PyInput {
    stream: Py<PyAny>,
}

impl Read for PyInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Python::attach(|py| {
            let bytes = self.stream.call_method1(py, "read", (buffer.len(),))?;
            let bytes = bytes.extract::<&[u8]>(py)?;
            let n_read = bytes.len().min(buffer.len());
            buffer[..n_read].copy_from_slice(&bytes[..n_read]);
            Ok(n_read)
        })
        .map_err(|error: PyErr| io::Error::other(error.to_string()))
    }
}
