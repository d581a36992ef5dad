//! Cells to Arrow columns.
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::SchemaRef;
use crm_core::Result;

use super::kind::formula_text;
use crate::output::strip_guard;

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

    /// Takes the formula guard off the cells that have it; how many had.
    pub(super) fn strip_guards(&mut self) -> u64 {
        self.strip(b"'", |cell| {
            let is_guarded =
                cell.first() == Some(&b'\'') && std::str::from_utf8(cell).is_ok_and(|text| strip_guard(text).len() < cell.len());
            is_guarded.then(|| &cell[1..])
        })
    }

    /// Makes texts of cells like `="00123"`; how many there were.
    pub(super) fn strip_formula_texts(&mut self) -> u64 {
        self.strip(b"=\"", formula_text)
    }

    /// Puts what `strip` makes of cells in their place; only cells that hold `mark` are looked at. How many were changed.
    fn strip(&mut self, mark: &[u8], strip: impl Fn(&[u8]) -> Option<&[u8]>) -> u64 {
        if memchr::memmem::find(&self.values, mark).is_none() {
            return 0;
        }
        let n_changed = (0..self.len()).filter(|row| strip(self.get(*row)).is_some()).count();
        if n_changed > 0 {
            let (mut values, mut offsets) = (Vec::with_capacity(self.values.len()), vec![0]);
            for row in 0..self.len() {
                let cell = self.get(row);
                values.extend_from_slice(strip(cell).unwrap_or(cell));
                offsets.push(values.len() as i32);
            }
            (self.values, self.offsets) = (values, offsets);
        }
        n_changed as u64
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
