use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use crm_core::{Control, Error, Result};

use super::cell::list_items;
use super::{BatchSource, Cell, CellColumn, write_error};

/// Writes batches as one JSON object per line; returns the number of rows. Nulls are written, lists stay lists.
pub fn write_json_lines(mut source: BatchSource, path: &Path, control: &dyn Control) -> Result<u64> {
    let failed = write_error(path);
    let mut file = BufWriter::with_capacity(1 << 16, File::create(path).map_err(&failed)?);
    let keys = source.schema.fields().iter().map(|field| quoted(field.name())).collect::<Result<Vec<_>>>()?;
    let mut line = Vec::new();
    let mut n_rows = 0;
    for batch in source.batches.by_ref() {
        let batch = batch?;
        let columns = batch.columns().iter().map(JsonColumn::new).collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            if row.is_multiple_of(4096) {
                control.check()?;
            }
            line.clear();
            line.push(b'{');
            for (position, (key, column)) in keys.iter().zip(&columns).enumerate() {
                if position > 0 {
                    line.push(b',');
                }
                line.extend_from_slice(key.as_bytes());
                line.push(b':');
                column.push(row, &mut line)?;
            }
            line.extend_from_slice(b"}\n");
            file.write_all(&line).map_err(&failed)?;
        }
        n_rows += batch.num_rows() as u64;
        control.progress("write", n_rows, 0);
    }
    file.flush().map_err(&failed)?;
    Ok(n_rows)
}

enum JsonColumn {
    List(ArrayRef),
    Struct(ArrayRef, Vec<(String, JsonColumn)>),
    Cells(CellColumn),
}

impl JsonColumn {
    fn new(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => Self::List(array.clone()),
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns().iter().zip(fields);
                let columns = columns.map(|(column, field)| Ok((quoted(field.name())?, Self::new(column)?))).collect::<Result<_>>()?;
                Self::Struct(array.clone(), columns)
            }
            _ => Self::Cells(CellColumn::new("value", array)?),
        })
    }

    fn push(&self, row: usize, line: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::List(array) => match list_items(array, row) {
                None => line.extend_from_slice(b"null"),
                Some(items) => {
                    let column = Self::new(&items)?;
                    line.push(b'[');
                    for item in 0..items.len() {
                        if item > 0 {
                            line.push(b',');
                        }
                        column.push(item, line)?;
                    }
                    line.push(b']');
                }
            },
            Self::Struct(array, _) if array.is_null(row) => line.extend_from_slice(b"null"),
            Self::Struct(_, columns) => {
                line.push(b'{');
                for (position, (key, column)) in columns.iter().enumerate() {
                    if position > 0 {
                        line.push(b',');
                    }
                    line.extend_from_slice(key.as_bytes());
                    line.push(b':');
                    column.push(row, line)?;
                }
                line.push(b'}');
            }
            Self::Cells(column) => match column.get(row)? {
                Cell::Null => line.extend_from_slice(b"null"),
                // JSON has no such numbers.
                Cell::Float(value) if !value.is_finite() => line.extend_from_slice(b"null"),
                cell @ (Cell::Integer(_) | Cell::Float(_) | Cell::Boolean(_)) => line.extend_from_slice(cell.to_text().as_bytes()),
                cell => serde_json::to_writer(&mut *line, &cell.to_text()).map_err(|error| Error::internal(error.to_string()))?,
            },
        }
        Ok(())
    }
}

fn quoted(name: &str) -> Result<String> {
    serde_json::to_string(name).map_err(|error| Error::internal(error.to_string()))
}
