//! The cells of one record as bytes, and back to columns.
//!
//! Per column a number (LEB128): 0 for null, else the length of the text and one; then the text.

use arrow_array::{Array, StringArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

/// Appends a row of `columns` to `out`.
pub fn encode_row(columns: &[StringArray], row: usize, out: &mut Vec<u8>) {
    for column in columns {
        if column.is_valid(row) {
            let text = column.value(row).as_bytes();
            push_number(out, text.len() as u64 + 1);
            out.extend_from_slice(text);
        } else {
            out.push(0);
        }
    }
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number off the front.
fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0u64, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if shift > 56 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

/// Puts encoded rows together as columns.
#[derive(Debug)]
pub struct CellsBuilder {
    columns: Vec<ColumnBuilder>,
    n_rows: usize,
}

#[derive(Debug, Default)]
struct ColumnBuilder {
    bytes: Vec<u8>,
    offsets: Vec<i32>,
    is_valid: Vec<bool>,
    has_nulls: bool,
}

impl CellsBuilder {
    /// A builder for rows of so many columns.
    pub fn new(n_columns: usize) -> Self {
        let column = || ColumnBuilder { offsets: vec![0], ..ColumnBuilder::default() };
        Self { columns: (0..n_columns).map(|_| column()).collect(), n_rows: 0 }
    }

    /// Number of rows so far.
    pub fn len(&self) -> usize {
        self.n_rows
    }

    /// Whether there is none so far.
    pub fn is_empty(&self) -> bool {
        self.n_rows == 0
    }

    /// Adds a row; `None` where the bytes are not one.
    pub fn push(&mut self, mut bytes: &[u8]) -> Option<()> {
        for column in &mut self.columns {
            let number = take_number(&mut bytes)?;
            if number > 0 {
                let len = usize::try_from(number - 1).ok()?;
                let text = bytes.get(..len)?;
                bytes = &bytes[len..];
                column.bytes.extend_from_slice(text);
            }
            column.is_valid.push(number > 0);
            column.has_nulls |= number == 0;
            column.offsets.push(i32::try_from(column.bytes.len()).ok()?);
        }
        self.n_rows += 1;
        bytes.is_empty().then_some(())
    }

    /// The columns; `None` where a cell is no text.
    pub fn finish(self) -> Option<Vec<StringArray>> {
        let column = |column: ColumnBuilder| {
            let nulls = column.has_nulls.then(|| NullBuffer::from(column.is_valid));
            let offsets = OffsetBuffer::new(ScalarBuffer::from(column.offsets));
            StringArray::try_new(offsets, Buffer::from_vec(column.bytes), nulls).ok()
        };
        self.columns.into_iter().map(column).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_back(cells in prop::collection::vec(prop::option::of(".{0,200}"), 0..40)) {
            let column: StringArray = cells.iter().map(Option::as_deref).collect();
            let columns = [column.clone(), column];
            let mut builder = CellsBuilder::new(2);
            let mut bytes = Vec::new();
            for row in 0..cells.len() {
                bytes.clear();
                encode_row(&columns, row, &mut bytes);
                builder.push(&bytes).unwrap();
            }
            prop_assert_eq!(builder.finish().unwrap(), columns.to_vec());
        }

        #[test]
        fn any_bytes_are_rows_or_not(bytes in prop::collection::vec(any::<u8>(), 0..60), n_columns in 0usize..4) {
            let mut builder = CellsBuilder::new(n_columns);
            if builder.push(&bytes).is_some() {
                builder.finish();
            }
        }
    }
}
