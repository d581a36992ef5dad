//! From the sparse rows of a sheet to a table: its header, its columns, its batches.
use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use crm_core::{Control, Error, Result};

use super::shape::{Shape, is_footer, is_total, shape_of};
use super::sheet::{Row, RowSource, column_letters};
use crate::spreadsheet_text::TakenOff;
use crate::{FileReport, Limits, ReadOptions, Reject, Skipped, TableReader, TextBatch};

/// Rows, cells and bytes that are looked at before the header is decided.
const SAMPLE_ROWS: usize = 1_000;
const SAMPLE_CELLS: usize = 1 << 20;
const SAMPLE_BYTES: usize = 16 << 20;
/// Rows held back, because the last ones of a sheet may be totals and footers.
const TAIL_ROWS: usize = 8;
/// Dense cells and bytes of a batch.
const BATCH_CELLS: usize = 1 << 20;
const BATCH_BYTES: usize = 32 << 20;

/// Opens the rows of a sheet from its beginning.
pub(super) type OpenRows = Box<dyn Fn(&dyn Control) -> Result<Box<dyn RowSource>> + Send>;

/// The table of one sheet.
pub(super) struct SheetReader {
    open: OpenRows,
    rows: Option<Box<dyn RowSource>>,
    /// Rows read from the source so far; a source that was closed is opened again and passes over them.
    n_read: u64,
    /// Row of the sheet in which the data begins.
    first_row: u64,
    report: FileReport,
    schema: SchemaRef,
    /// Per column of the sheet the column of the table.
    slots: Vec<Option<u32>>,
    header: Vec<Vec<String>>,
    /// Rows read and not yet placed.
    ahead: VecDeque<Row>,
    at_end: bool,
    finished: bool,
    spare: Vec<Row>,
    skipped: Vec<Skipped>,
    batch_rows: usize,
    limits: Limits,
    fixed_end: bool,
    /// A row was placed.
    has_rows: bool,
    taken_off: TakenOff,
    /// Notes of the rows, which are gone once the sheet has ended.
    sentences: Vec<String>,
}

impl SheetReader {
    /// Reads the beginning of a sheet; `None` where it has no value at all.
    pub fn open(open: OpenRows, mut report: FileReport, options: &ReadOptions, control: &dyn Control) -> Result<Option<Self>> {
        let mut rows = open(control)?;
        let mut sample = VecDeque::new();
        let (mut n_cells, mut n_bytes) = (0, 0);
        let mut at_end = false;
        // Rows that the caller told to pass over come on top.
        let told = options.skip_rows.max(options.header_row).unwrap_or(0);
        let is_above = |sample: &VecDeque<Row>| sample.back().is_none_or(|last: &Row| last.number <= told);
        while sample.len() < SAMPLE_ROWS && n_cells < SAMPLE_CELLS && n_bytes < SAMPLE_BYTES || told > 0 && is_above(&sample) {
            let mut row = Row::default();
            if !rows.next_row(&mut row, control)? {
                at_end = true;
                break;
            }
            n_cells += row.cells.len();
            n_bytes += row.n_bytes;
            sample.push_back(row);
        }
        if sample.is_empty() {
            return Ok(None);
        }
        let last = sample.back().map_or(0, |row| row.number);
        if at_end && last < told {
            let sheet = report.sheet.as_deref().unwrap_or_default();
            return Err(Error::config(format!("{}: row {told} was named, and the last of sheet {sheet:?} is {last}", report.file)));
        }
        let n_read = sample.len() as u64;
        let mut columns = used_columns(&sample);
        if columns.len() > options.limits.columns {
            return Err(Error::file_format(
                &*report.file,
                format!(
                    "{}: {} columns are more than the {} allowed (limit `columns`)",
                    report.file,
                    columns.len(),
                    options.limits.columns
                ),
            ));
        }
        let Shape { schema, header_row, header, first_data, skipped, reasons, warnings } =
            shape_of(sample.make_contiguous(), &columns, options);
        let first_row = sample.get(first_data).map_or(u64::MAX, |row| row.number);
        // Columns whose only values stand above the table are none of it.
        columns.truncate(schema.fields().len());
        sample.drain(..first_data);
        report.header_row = header_row;
        report.columns = schema.fields().iter().map(|field| field.name().clone()).collect();
        report.reasons.extend(reasons);
        for warning in warnings {
            report.warn(warning);
        }
        let mut slots = vec![None; columns.last().map_or(0, |last| *last as usize + 1)];
        for (slot, column) in columns.iter().enumerate() {
            slots[*column as usize] = Some(slot as u32);
        }
        let n_columns = columns.len().max(1);
        let mut reader = Self {
            open,
            rows: Some(rows),
            n_read,
            first_row,
            report,
            schema,
            slots,
            header,
            ahead: sample,
            at_end,
            finished: false,
            spare: Vec::new(),
            skipped,
            batch_rows: options.batch_rows.unwrap_or(16_384).min(BATCH_CELLS / n_columns).max(1),
            limits: options.limits.clone(),
            fixed_end: false,
            has_rows: false,
            taken_off: TakenOff::default(),
            sentences: Vec::new(),
        };
        reader.tell_notes();
        Ok(Some(reader))
    }

    /// Closes the file until the next batch is wanted: a workbook may have more sheets than a process may have files.
    pub fn rest(&mut self) {
        if let Some(rows) = self.rows.take() {
            rows.close();
        }
    }

    pub fn report_mut(&mut self) -> &mut FileReport {
        &mut self.report
    }

    fn source(&mut self, control: &dyn Control) -> Result<&mut Box<dyn RowSource>> {
        if self.rows.is_none() {
            let mut rows = (self.open)(control)?;
            let mut row = Row::default();
            for _ in 0..self.n_read {
                rows.next_row(&mut row, control)?;
            }
            self.rows = Some(rows);
        }
        self.rows.as_mut().ok_or_else(|| Error::internal("a sheet that was just opened is closed"))
    }

    /// The next row to place; rows are held back until more than a tail is known.
    fn next_row(&mut self, control: &dyn Control) -> Result<Option<Row>> {
        while !self.at_end && self.ahead.len() <= TAIL_ROWS {
            let mut row = self.spare.pop().unwrap_or_default();
            if self.source(control)?.next_row(&mut row, control)? {
                self.n_read += 1;
                self.ahead.push_back(row);
            } else {
                self.at_end = true;
                self.tell_notes();
                self.rest();
            }
        }
        if self.at_end && !self.fixed_end && self.ahead.len() <= TAIL_ROWS {
            self.fixed_end = true;
            self.cut_tail();
        }
        Ok(self.ahead.pop_front())
    }

    /// Takes totals and footers off the end.
    fn cut_tail(&mut self) {
        let n_columns = self.schema.fields().len();
        let mut cut = Vec::new();
        while let Some(last) = self.ahead.back() {
            let reason = if is_total(last) && n_columns > 1 {
                "total"
            } else if is_footer(last, n_columns) {
                "footer"
            } else {
                break;
            };
            // A table of such rows alone is a table.
            if self.ahead.len() == 1 && !self.has_rows {
                break;
            }
            if let Some(row) = self.ahead.pop_back() {
                cut.push(Skipped { row: row.number, reason: reason.to_owned(), raw: raw(&row, self.limits.raw_bytes) });
            }
        }
        self.skipped.extend(cut.into_iter().rev());
    }

    /// Brings the warnings up to what was met.
    fn tell_notes(&mut self) {
        if let Some(rows) = &self.rows {
            self.sentences = rows.notes().sentences(self.first_row);
        }
        let sheet = self.report.sheet.clone().unwrap_or_default();
        let prefix = format!("sheet {sheet:?}: ");
        self.report.warnings.retain(|warning| !warning.starts_with(&prefix));
        let sentences = self.sentences.iter().cloned().chain(self.taken_off.sentences());
        self.report.warnings.extend(sentences.map(|sentence| prefix.clone() + &sentence));
    }
}

/// Columns with a value in the sample, in order.
fn used_columns(sample: &VecDeque<Row>) -> Vec<u32> {
    let mut used = vec![false; super::sheet::MAX_COLUMNS as usize];
    for row in sample {
        for index in 0..row.cells.len() {
            let (column, text) = row.cell(index);
            if !text.trim().is_empty()
                && let Some(used) = used.get_mut(column as usize)
            {
                *used = true;
            }
        }
    }
    (0..).zip(&used).filter(|(_, used)| **used).map(|(column, _)| column).collect()
}

/// A row as text, its cells parted by tabs.
pub(super) fn raw(row: &Row, max_bytes: usize) -> String {
    let mut text = String::new();
    let mut next_column = 0;
    for index in 0..row.cells.len() {
        let (column, cell) = row.cell(index);
        // A far cell must not cost as many tabs.
        let n_tabs = if column > next_column + 100 { 1 } else { column.saturating_sub(next_column).max(u32::from(index > 0)) };
        (0..n_tabs).for_each(|_| text.push('\t'));
        next_column = column;
        text.push_str(cell);
        if text.len() > max_bytes {
            let end = (0..=max_bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
            return text;
        }
    }
    text
}

struct Builders {
    columns: Vec<StringBuilder>,
    cells: Vec<Option<(u32, u32)>>,
    n_bytes: usize,
}

impl TableReader for SheetReader {
    fn report(&self) -> &FileReport {
        &self.report
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_batch(&mut self, control: &dyn Control) -> Result<Option<TextBatch>> {
        if self.finished {
            return Ok(None);
        }
        let n_columns = self.schema.fields().len();
        let mut builders = Builders {
            columns: (0..n_columns).map(|_| StringBuilder::with_capacity(self.batch_rows.min(1024), 0)).collect(),
            cells: vec![None; n_columns],
            n_bytes: 0,
        };
        let mut source_rows = Vec::new();
        let mut rejects = Vec::new();
        let mut skipped = std::mem::take(&mut self.skipped);
        while source_rows.len() < self.batch_rows && builders.n_bytes < BATCH_BYTES && rejects.len() + skipped.len() < 65_536 {
            let Some(row) = self.next_row(control)? else {
                self.finished = true;
                break;
            };
            if self.is_header_again(&row) {
                skipped.push(Skipped { row: row.number, reason: "repeated header".to_owned(), raw: raw(&row, self.limits.raw_bytes) });
            } else {
                match self.place(&row, &mut builders) {
                    None => {
                        source_rows.push(row.number);
                        self.has_rows = true;
                    }
                    Some(reject) => rejects.push(reject),
                }
            }
            if self.spare.len() < TAIL_ROWS {
                self.spare.push(row);
            }
        }
        self.tell_notes();
        skipped.append(&mut self.skipped);
        skipped.sort_by_key(|skipped| skipped.row);
        let counts = &mut self.report.counts;
        counts.yielded += source_rows.len() as u64;
        counts.rejected += rejects.len() as u64;
        counts.skipped += skipped.len() as u64;
        counts.rows_in = counts.yielded + counts.rejected + counts.skipped;
        let columns: Vec<ArrayRef> = builders.columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(source_rows.len()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        control.progress("read", counts.rows_in, 0);
        Ok(Some(TextBatch { batch, source_rows, rejects, skipped }))
    }
}

impl SheetReader {
    /// Appends a row, or says why it cannot be.
    fn place(&mut self, row: &Row, builders: &mut Builders) -> Option<Reject> {
        builders.cells.fill(None);
        for &(column, begin, end) in &row.cells {
            let slot = self.slots.get(column as usize).copied().flatten();
            let reject = |reason: String| Reject {
                row: row.number,
                column: Some(column_letters(column)),
                reason,
                raw: raw(row, self.limits.raw_bytes),
            };
            match slot.and_then(|slot| builders.cells.get_mut(slot as usize)) {
                Some(cell @ None) => *cell = Some((begin, end)),
                Some(Some(_)) => return Some(reject("the row has two values for one cell".to_owned())),
                None if row.text[begin as usize..end as usize].trim().is_empty() => {}
                None => {
                    return Some(reject(format!(
                        "a value in column {}, which has no header and no value in the rows above",
                        column_letters(column)
                    )));
                }
            }
            if (end - begin) as usize > self.limits.cell_bytes || row.cut == Some(column) {
                return Some(reject(format!("a cell is longer than the {} bytes allowed (limit `cell_bytes`)", self.limits.cell_bytes)));
            }
        }
        for (builder, cell) in builders.columns.iter_mut().zip(&builders.cells) {
            builder.append_option(cell.map(|(begin, end)| self.taken_off.text(&row.text[begin as usize..end as usize])));
        }
        builders.n_bytes += row.n_bytes;
        None
    }

    fn is_header_again(&self, row: &Row) -> bool {
        self.header.iter().any(|header| {
            header.len() > 1 && row.cells.len() == header.len() && header.iter().enumerate().all(|(index, name)| row.cell(index).1 == name)
        })
    }
}
