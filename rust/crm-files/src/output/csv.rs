use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crm_core::{Control, Result};

use super::{BatchSource, Cell, CellColumn, guard, write_error};

/// Writes batches as UTF-8 text with a delimiter between cells (a comma, or a tab) and a header; returns the number of rows.
///
/// A null is nothing, an empty text is `""`; text that a spreadsheet would run is [`guard`]ed, headers included.
pub fn write_csv(mut source: BatchSource, path: &Path, delimiter: u8, control: &dyn Control) -> Result<u64> {
    let failed = write_error(path);
    let mut file = BufWriter::with_capacity(1 << 16, File::create(path).map_err(&failed)?);
    let mut line = Vec::new();
    for (position, field) in source.schema.fields().iter().enumerate() {
        if position > 0 {
            line.push(delimiter);
        }
        push_text(&mut line, field.name());
    }
    line.push(b'\n');
    let mut n_rows = 0;
    for batch in source.batches.by_ref() {
        let batch = batch?;
        let schema = batch.schema();
        let columns = batch
            .columns()
            .iter()
            .zip(schema.fields())
            .map(|(array, field)| CellColumn::new(field.name(), array))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            if row.is_multiple_of(4096) {
                control.check()?;
            }
            for (position, column) in columns.iter().enumerate() {
                if position > 0 {
                    line.push(delimiter);
                }
                match column.get(row)? {
                    // A line of one empty cell would be a blank line, which readers skip.
                    Cell::Null if columns.len() == 1 => line.extend_from_slice(b"\"\""),
                    Cell::Null => {}
                    Cell::Text(text) => push_text(&mut line, &text),
                    other => line.extend_from_slice(other.to_text().as_bytes()),
                }
            }
            line.push(b'\n');
            if line.len() > 1 << 15 {
                file.write_all(&line).map_err(&failed)?;
                line.clear();
            }
        }
        n_rows += batch.num_rows() as u64;
        control.progress("write", n_rows, 0);
    }
    file.write_all(&line).map_err(&failed)?;
    file.flush().map_err(&failed)?;
    Ok(n_rows)
}

fn push_text(line: &mut Vec<u8>, text: &str) {
    let text = guard(text);
    if needs_quotes(&text) {
        line.push(b'"');
        for part in text.split_inclusive('"') {
            line.extend_from_slice(part.as_bytes());
            if part.ends_with('"') {
                line.push(b'"');
            }
        }
        line.push(b'"');
    } else {
        line.extend_from_slice(text.as_bytes());
    }
}

/// More than the format asks for: what some reader might trim, split or take for a comment is quoted too.
fn needs_quotes(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.is_empty()
        || bytes.iter().any(|byte| matches!(byte, b'"' | b',' | b';' | b'\'' | b'|' | 0..=0x1f | 0x7f))
        || bytes[0] == b'#'
        || text.starts_with(char::is_whitespace)
        || text.ends_with(char::is_whitespace)
        || text.starts_with('\u{feff}')
}
