//! Source rows as one column of a map from column name to text, whatever columns a source has.
use std::sync::Arc;

use arrow_array::{Array, MapArray, RecordBatch, StringArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Fields};
use crm_core::{Error, Result};
use pyo3::prelude::*;
use pyo3_arrow::PyRecordBatch;

use super::texts_of;
use crate::gate::gate;

/// The filled cells of each row of a batch of text, in the order of the columns, as a batch of the column `cells`.
#[pyfunction]
pub fn cells_of(py: Python<'_>, batch: PyRecordBatch) -> PyResult<Bound<'_, PyAny>> {
    let batch = batch.into_inner();
    let cells = gate(py, None, |_| super::batch(vec![("cells", Arc::new(map_of(&batch)?))]))?;
    PyRecordBatch::new(cells).into_pyarrow(py)
}

fn map_of(batch: &RecordBatch) -> Result<MapArray> {
    let columns = texts_of(batch)?;
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let n_cells: usize = columns.iter().map(|column| column.len() - column.null_count()).sum();
    let is_filled = |column: &StringArray, row: usize| column.is_valid(row) && column.value_length(row) > 0;
    let mut offsets: Vec<i32> = Vec::with_capacity(batch.num_rows() + 1);
    offsets.push(0);
    let (mut keys, mut values) = (Vec::with_capacity(n_cells), Vec::with_capacity(n_cells));
    for row in 0..batch.num_rows() {
        for (column, name) in columns.iter().zip(&names).filter(|(column, _)| is_filled(column, row)) {
            keys.push(*name);
            values.push(column.value(row));
        }
        offsets.push(i32::try_from(keys.len()).map_err(|_| Error::limit("a batch has more than 2,147,483,647 cells"))?);
    }
    let fields = Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
    let entries = StructArray::new(fields.clone(), vec![Arc::new(StringArray::from(keys)), Arc::new(StringArray::from(values))], None);
    let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
    Ok(MapArray::try_new(field, OffsetBuffer::new(ScalarBuffer::from(offsets)), entries, None, false)?)
}
