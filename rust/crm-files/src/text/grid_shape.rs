//! The shape of a sheet, decided as that of a text file: its rows are written with a delimiter that no cell holds.
use arrow_schema::SchemaRef;

use super::dialect::{LineEnd, Syntax};
use super::footers::is_total;
use super::shape::{FixedShape, shape};
use crate::{Limits, Skipped};

const DELIMITER: u8 = 0x1f;
/// Bytes of a cell that are looked at.
const MAX_SHAPE_BYTES: usize = 4 << 10;

/// What was decided about a sheet.
pub(crate) struct GridShape {
    pub schema: SchemaRef,
    /// Row of the (last) header row.
    pub header_row: Option<u64>,
    /// Row of the first data, or one beyond the sample.
    pub data_row: u64,
    /// Rows above the header that are no data.
    pub skipped: Vec<Skipped>,
    pub reasons: Vec<String>,
    pub warnings: Vec<String>,
}

/// Decides on `rows`: number (from 1, rising) and cells, each row with as many.
pub(crate) fn shape_of_grid<'a>(
    rows: impl Iterator<Item = (u64, Vec<&'a str>)>,
    header_row: Option<u64>,
    skip_rows: Option<u64>,
    limits: &Limits,
) -> GridShape {
    let mut text = Vec::new();
    let mut first_line = None;
    let mut next = 0;
    for (number, cells) in rows {
        let first_line = *first_line.get_or_insert(number);
        // Lines are rows: those without a value stand there as blank ones.
        text.resize(text.len() + number.saturating_sub(next.max(first_line)) as usize, b'\n');
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                text.push(DELIMITER);
            }
            text.extend(beginning(cell).bytes().map(|byte| if byte < b' ' { b' ' } else { byte }));
        }
        text.push(b'\n');
        next = number + 1;
    }
    let syntax = Syntax {
        delimiter: vec![DELIMITER],
        run: None,
        wrapped: false,
        quote: None,
        escape: None,
        line_end: LineEnd::Lf,
        comment: None,
        trim: false,
        leads: false,
    };
    let mut shaped =
        shape(&text, 0, first_line.unwrap_or(1), true, syntax, FixedShape { header_row, skip_rows, keeps_columns: true }, limits);
    // Rows of another table above this one are left out of a sheet like titles, and told as what they are.
    shaped.skipped.extend(shaped.rejects.drain(..).map(|reject| Skipped { row: reject.row, reason: reject.reason, raw: reject.raw }));
    shaped.skipped.sort_by_key(|skipped| skipped.row);
    GridShape {
        schema: shaped.layout.schema,
        header_row: shaped.header_row,
        data_row: shaped.layout.data_line,
        skipped: shaped.skipped,
        reasons: shaped.reasons,
        warnings: shaped.warnings,
    }
}

/// What the shape is judged by of a cell: cells may share a text of megabytes.
fn beginning(cell: &str) -> &str {
    let end = (0..=MAX_SHAPE_BYTES.min(cell.len())).rev().find(|end| cell.is_char_boundary(*end));
    &cell[..end.unwrap_or(0)]
}

/// Whether a row sums up the others.
pub(crate) fn is_total_row<'a>(cells: impl Iterator<Item = &'a str>) -> bool {
    is_total(cells.map(str::as_bytes))
}
