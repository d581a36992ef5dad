//! Writing files for people: CSV, JSON lines, workbooks.
use std::path::PathBuf;

use crm_core::{Control, Error, Result};
use crm_files::output::{self, BatchSource};
use crm_files::workbook::{self, SheetSource};
use pyo3::prelude::*;
use pyo3_arrow::PyRecordBatchReader;

use crate::errors::to_python;
use crate::gate::gate;

/// Writes an Arrow stream as CSV, or with tabs between the cells; returns the number of rows.
#[pyfunction]
#[pyo3(signature = (stream, path, progress = None, tabs = false))]
pub fn write_csv(
    py: Python<'_>,
    stream: PyRecordBatchReader,
    path: PathBuf,
    progress: Option<&Bound<'_, PyAny>>,
    tabs: bool,
) -> PyResult<u64> {
    let source = batch_source(stream)?;
    let delimiter = if tabs { b'\t' } else { b',' };
    gate(py, progress, |control| output::write_csv(source, &path, delimiter, control))
}

/// Writes an Arrow stream as one JSON object per line; returns the number of rows.
#[pyfunction]
#[pyo3(signature = (stream, path, progress = None))]
pub fn write_json_lines(py: Python<'_>, stream: PyRecordBatchReader, path: PathBuf, progress: Option<&Bound<'_, PyAny>>) -> PyResult<u64> {
    let source = batch_source(stream)?;
    gate(py, progress, |control| output::write_json_lines(source, &path, control))
}

/// Writes sheets (name, Arrow stream, style as JSON) to one workbook; returns the report as JSON.
#[pyfunction]
#[pyo3(signature = (sheets, path, scratch_dir, progress = None))]
pub fn write_workbook(
    py: Python<'_>,
    sheets: Vec<(String, PyRecordBatchReader, String)>,
    path: PathBuf,
    scratch_dir: PathBuf,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let sheets = sheets.into_iter().map(|(name, stream, style)| sheet_source(py, name, stream, &style)).collect::<PyResult<Vec<_>>>()?;
    let write = |control: &dyn Control| workbook::write_workbook(sheets, &path, &scratch_dir, control);
    let report = gate(py, progress, write)?;
    serde_json::to_string(&report).map_err(|error| to_python(py, Error::internal(error.to_string())))
}

/// `text` with an apostrophe before it if a spreadsheet might run it.
#[pyfunction]
pub fn guard_formula(text: &str) -> String {
    output::guard(text).into_owned()
}

/// `text` without the apostrophe that `guard_formula` put before it.
#[pyfunction]
pub fn strip_formula_guard(text: &str) -> &str {
    output::strip_guard(text)
}

fn sheet_source(py: Python<'_>, name: String, stream: PyRecordBatchReader, style: &str) -> PyResult<SheetSource> {
    let style =
        serde_json::from_str(style).map_err(|error| to_python(py, Error::config(format!("the style of sheet {name:?}: {error}"))))?;
    Ok(SheetSource { name, style, source: batch_source(stream)? })
}

fn batch_source(stream: PyRecordBatchReader) -> PyResult<BatchSource> {
    let reader = stream.into_reader()?;
    let schema = reader.schema();
    let batches = reader.map(|batch| -> Result<_> { Ok(batch?) });
    Ok(BatchSource { schema, batches: Box::new(batches) })
}
