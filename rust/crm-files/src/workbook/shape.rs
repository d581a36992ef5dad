//! Which row of a sheet is its header, and which rows at its end are no data.
use arrow_schema::SchemaRef;

use super::grid::raw;
use super::sheet::Row;
use crate::text::{is_total_row, shape_of_grid};
use crate::{ReadOptions, Skipped};

/// Gaps of more rows than this are drawn together before the shape is looked for.
const MAX_GAP: u64 = 50;

/// Cells, blank ones included, that the shape is looked for in.
const MAX_SHAPE_CELLS: usize = 1 << 20;

/// What was decided about a sheet.
pub(super) struct Shape {
    pub schema: SchemaRef,
    /// Physical row of the (last) header row.
    pub header_row: Option<u64>,
    /// The header rows' filled cells, to know them again.
    pub header: Vec<Vec<String>>,
    /// Position of the first data row in the sample.
    pub first_data: usize,
    pub skipped: Vec<Skipped>,
    pub reasons: Vec<String>,
    pub warnings: Vec<String>,
}

/// Decides from the sample; `columns` are those that have a value in it.
pub(super) fn shape_of(sample: &[Row], columns: &[u32], options: &ReadOptions) -> Shape {
    let told = options.skip_rows.max(options.header_row).unwrap_or(0);
    let n_told = sample.iter().take_while(|row| row.number <= told).count();
    let sample = &sample[..sample.len().min(n_told + (MAX_SHAPE_CELLS / columns.len().max(1)).max(20))];
    // Rows of damaged files may run backwards, and far ones must not cost a line for each row between.
    let is_tame = sample.windows(2).all(|pair| pair[0].number < pair[1].number && pair[1].number - pair[0].number <= MAX_GAP);
    let first_number = sample.first().map_or(1, |row| row.number);
    let number = |index: usize| if is_tame { sample[index].number } else { first_number + index as u64 };
    let index_of = |wanted: u64| sample.iter().position(|row| row.number >= wanted);
    let header_row = options.header_row.map(|wanted| if wanted == 0 { 0 } else { index_of(wanted).map_or(u64::MAX, number) });
    let skip_rows = options.skip_rows.map(|skip| index_of(skip.saturating_add(1)).map_or(u64::MAX, |index| number(index) - 1));
    let rows = (0..sample.len()).map(|index| (number(index), dense(&sample[index], columns)));
    let grid = shape_of_grid(rows, header_row, skip_rows, &options.limits);
    let position = |wanted: u64| (0..sample.len()).position(|index| number(index) >= wanted).unwrap_or(sample.len());
    let header_position = grid.header_row.map(position).filter(|position| *position < sample.len());
    let first_data = position(grid.data_row);
    let skipped: Vec<Skipped> = grid
        .skipped
        .into_iter()
        .filter(|skipped| skipped.reason != "blank")
        .filter_map(|skipped| {
            let row = sample.get((0..sample.len()).find(|index| number(*index) == skipped.row)?)?;
            Some(Skipped { row: row.number, reason: skipped.reason, raw: raw(row, options.limits.raw_bytes) })
        })
        .collect();
    let n_above = skipped.len();
    let header = sample[n_above.min(first_data)..first_data]
        .iter()
        .map(|row| (0..row.cells.len()).map(|index| row.cell(index).1.to_owned()).collect())
        .collect();
    Shape {
        schema: grid.schema,
        header_row: header_position.map(|position| sample[position].number),
        header,
        first_data,
        skipped,
        reasons: if is_tame {
            grid.reasons
        } else {
            header_position.map(|position| format!("header on row {}", sample[position].number)).into_iter().collect()
        },
        warnings: grid.warnings,
    }
}

/// The row's cells in the given columns.
fn dense<'a>(row: &'a Row, columns: &[u32]) -> Vec<&'a str> {
    let mut cells = vec![""; columns.len()];
    for index in 0..row.cells.len() {
        let (column, text) = row.cell(index);
        if let Ok(slot) = columns.binary_search(&column) {
            cells[slot] = text;
        }
    }
    cells
}

/// Whether a row sums up the others.
pub(super) fn is_total(row: &Row) -> bool {
    is_total_row((0..row.cells.len()).map(|index| row.cell(index).1))
}

/// Whether a row at the end of a sheet is a remark: one cell where the others have many.
pub(super) fn is_footer(row: &Row, n_columns: usize) -> bool {
    n_columns >= 3 && row.cells.len() == 1
}
