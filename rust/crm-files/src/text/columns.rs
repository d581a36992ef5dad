//! Cells to Arrow columns.
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::SchemaRef;
use crm_core::Result;

use crate::spreadsheet_text::{TakenOff, inner_text};

/// One text column being built. Values are known to be UTF-8 by whoever pushes them; `finish` checks it once more for the whole column.
#[derive(Default)]
pub(super) struct ColumnBuilder {
    pub values: Vec<u8>,
    pub offsets: Vec<i32>,
    nulls: Option<BooleanBufferBuilder>,
}

impl ColumnBuilder {
    pub(super) fn with_capacity(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { values: Vec::new(), offsets, nulls: None }
    }

    /// Whether every cell is UTF-8: the bytes are, and no cell begins within a character.
    pub(super) fn is_utf8(&self) -> bool {
        let Ok(text) = std::str::from_utf8(&self.values) else { return false };
        text.is_ascii() || self.offsets.iter().all(|offset| text.is_char_boundary(*offset as usize))
    }

    pub(super) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    pub(super) fn push(&mut self, cell: Option<&[u8]>) {
        let row = self.len();
        if let Some(cell) = cell {
            self.values.extend_from_slice(cell);
        }
        // Batches are bounded far below 2 GiB; see `Rows::is_full`.
        self.offsets.push(self.values.len() as i32);
        match (&mut self.nulls, cell) {
            (None, Some(_)) => {}
            (Some(nulls), _) => nulls.append(cell.is_some()),
            (none, None) => {
                let mut nulls = BooleanBufferBuilder::new(row + 1024);
                nulls.append_n(row, true);
                nulls.append(false);
                *none = Some(nulls);
            }
        }
    }

    /// Brings the null mask up to the rows that were pushed to `values` and `offsets` directly.
    pub(super) fn settle(&mut self) {
        let rows = self.len();
        if let Some(nulls) = &mut self.nulls {
            nulls.append_n(rows - nulls.len(), true);
        }
    }

    /// Takes off what stands around texts for spreadsheets.
    pub(super) fn take_texts(&mut self) -> TakenOff {
        let mut taken = TakenOff::default();
        // Few columns hold either mark at all.
        let has_marks = memchr::memchr(b'\'', &self.values).is_some() || memchr::memmem::find(&self.values, b"=\"").is_some();
        if !has_marks || !(0..self.len()).any(|row| inner_text(self.get(row)).is_some()) {
            return taken;
        }
        let (mut values, mut offsets) = (Vec::with_capacity(self.values.len()), vec![0]);
        for row in 0..self.len() {
            values.extend_from_slice(taken.bytes(self.get(row)));
            offsets.push(values.len() as i32);
        }
        (self.values, self.offsets) = (values, offsets);
        taken
    }

    /// The cell of `row`.
    pub(super) fn get(&self, row: usize) -> &[u8] {
        &self.values[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    pub(super) fn pop(&mut self) {
        self.offsets.pop();
        self.values.truncate(self.offsets.last().map_or(0, |end| *end as usize));
        if let Some(nulls) = &mut self.nulls {
            nulls.truncate(self.offsets.len() - 1);
        }
    }

    /// The column, or `None` where it is no UTF-8.
    pub(super) fn finish(self) -> Option<ArrayRef> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let nulls = self.nulls.map(|mut nulls| NullBuffer::new(nulls.finish()));
        StringArray::try_new(offsets, Buffer::from_vec(self.values), nulls).ok().map(|array| Arc::new(array) as ArrayRef)
    }
}

/// A batch of `n_rows`, also where there is no column.
pub(super) fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, n_rows: usize) -> Result<RecordBatch> {
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &RecordBatchOptions::new().with_row_count(Some(n_rows)))?)
}
