//! Arrow batches to an xlsx workbook, streamed: memory does not grow with the rows.
use std::collections::BTreeMap;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow_array::RecordBatch;
use crm_core::{Control, Error, Result};
use rust_xlsxwriter::{DataValidation, Format, Formula, IgnoreError, Note, Workbook, Worksheet, XlsxError};
use serde::Serialize;

use super::cell_value::{MAX_CELL_UNITS, cut};
use super::sheet_style::{ColumnPlan, SheetStyle, plan_columns};
use crate::output::{BatchSource, Cell, CellColumn, write_error};
use crate::spreadsheet_text::kept_text;

mod cells;
mod sheet_names;

use cells::write_rows;
use sheet_names::free_sheet_name;

/// Rows of a sheet, the header included.
const MAX_SHEET_ROWS: u64 = 1_048_576;
/// Columns of a sheet.
const MAX_SHEET_COLUMNS: usize = 16_384;

/// One sheet to write.
pub struct SheetSource {
    /// Its name; characters that spreadsheets forbid are replaced.
    pub name: String,
    /// Its look; the default is good.
    pub style: SheetStyle,
    /// Its rows.
    pub source: BatchSource,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WriteReport {
    /// Sheets in the workbook, those of the overflow included.
    pub sheets: Vec<String>,
    /// Rows written, headers not counted.
    pub rows: u64,
    /// What a reader of the workbook should know.
    pub warnings: Vec<String>,
}

/// Writes `sheets` to `path`. Scratch data lies in `scratch_dir`, unnamed.
///
/// Cells are text, numbers, dates or booleans, never formulas. A sheet that is full is continued on a further one.
pub fn write_workbook(sheets: Vec<SheetSource>, path: &Path, scratch_dir: &Path, control: &dyn Control) -> Result<WriteReport> {
    // The library panics when its scratch file cannot be written: that is a full disk, not a fault of ours.
    match catch_unwind(AssertUnwindSafe(|| Writer::new(path, scratch_dir)?.write(sheets, path, control))) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map_or("", String::as_str);
            if text.contains("StorageFull") || text.contains("os error 28") {
                Err(write_error(scratch_dir)(std::io::Error::from_raw_os_error(28)))
            } else {
                Err(Error::internal(format!("writing the workbook failed: {text}")))
            }
        }
    }
}

/// The hidden sheet of long drop-down lists.
const LISTS_SHEET: &str = "Lists of values";
/// Ranges that one drop-down list is for.
const MAX_RANGES: usize = 500;
/// Characters that a drop-down list can hold in itself, its commas included.
const MAX_LIST_UNITS: usize = 255;

struct Writer {
    workbook: Workbook,
    /// Lists that are too long for the cells that they belong to: columns of the hidden sheet.
    lists: Vec<Vec<String>>,
    /// Rows of the present page that have drop-down lists of their own, by the list.
    row_choices: BTreeMap<String, Vec<u32>>,
    report: WriteReport,
}

impl Writer {
    fn new(path: &Path, scratch_dir: &Path) -> Result<Self> {
        let mut workbook = Workbook::new();
        workbook.set_tempdir(scratch_dir).map_err(|error| xlsx_error(path, error))?;
        Ok(Self { workbook, lists: Vec::new(), row_choices: BTreeMap::new(), report: WriteReport::default() })
    }

    fn write(mut self, sheets: Vec<SheetSource>, path: &Path, control: &dyn Control) -> Result<WriteReport> {
        if sheets.is_empty() {
            return Err(Error::config("a workbook needs at least one sheet"));
        }
        for sheet in sheets {
            self.write_sheet(sheet, path, control)?;
        }
        self.write_lists(path)?;
        let file = std::fs::File::create(path).map_err(write_error(path))?;
        let output = CheckedOutput { inner: std::io::BufWriter::with_capacity(1 << 16, file), control };
        self.workbook.save_to_writer(output).map_err(|error| {
            // The library hides the cancellation in an I/O error.
            if control.is_cancelled() { Error::interrupted() } else { xlsx_error(path, error) }
        })?;
        Ok(self.report)
    }

    fn write_sheet(&mut self, sheet: SheetSource, path: &Path, control: &dyn Control) -> Result<()> {
        let SheetSource { name, style, source: BatchSource { schema, mut batches } } = sheet;
        let first = batches.next().transpose()?;
        let columns = plan_columns(&schema, &style, first.as_ref())?;
        if columns.len() > MAX_SHEET_COLUMNS {
            return Err(Error::schema(format!(
                "sheet {name:?} would have {} columns, a workbook holds {MAX_SHEET_COLUMNS}: write Parquet or CSV, or choose columns",
                columns.len()
            )));
        }
        let mut page = self.begin_page(&name, &style, &columns, path)?;
        let first_row = u64::from(style.header_row()) + 1;
        let mut next_row = first_row;
        let mut n_pages = 1;
        let mut total: u64 = 0;
        let mut n_cut: u64 = 0;
        for batch in first.map(Ok).into_iter().chain(batches) {
            let batch = batch?;
            let mut begin = 0;
            while begin < batch.num_rows() {
                if next_row == MAX_SHEET_ROWS {
                    self.end_page(page, next_row, &style, &columns, path)?;
                    page = self.begin_page(&name, &style, &columns, path)?;
                    next_row = first_row;
                    n_pages += 1;
                }
                let n_rows = (batch.num_rows() - begin).min((MAX_SHEET_ROWS - next_row) as usize);
                let slice = batch.slice(begin, n_rows);
                self.note_row_choices(&slice, next_row as u32, &style)?;
                n_cut += write_rows(self.worksheet(page, path)?, &slice, next_row as u32, &style, &columns, path, control)?;
                next_row += n_rows as u64;
                begin += n_rows;
            }
            total += batch.num_rows() as u64;
            control.progress("write", total, 0);
        }
        self.end_page(page, next_row, &style, &columns, path)?;
        self.report.rows += total;
        if n_pages > 1 {
            self.report.warnings.push(format!("sheet {name:?}: {total} rows do not fit one sheet and are continued on further ones"));
        }
        if n_cut > 0 {
            self.report.warnings.push(format!(
                "sheet {name:?}: {n_cut} cells were cut to the {MAX_CELL_UNITS} characters that a workbook can hold; Parquet and CSV keep them whole"
            ));
        }
        Ok(())
    }

    /// Adds a sheet with its header and widths; returns its position.
    fn begin_page(&mut self, name: &str, style: &SheetStyle, columns: &[ColumnPlan], path: &Path) -> Result<usize> {
        let failed = |error| xlsx_error(path, error);
        let taken: Vec<String> = self.report.sheets.iter().cloned().chain([LISTS_SHEET.to_owned()]).collect();
        let name = free_sheet_name(name, &taken);
        let sheet = self.workbook.add_worksheet_with_constant_memory().map_err(failed)?;
        sheet.set_name(&name).map_err(failed)?;
        if style.hidden {
            sheet.set_very_hidden(true);
        }
        if let Some(title) = &style.title {
            sheet.write_string_with_format(0, 0, cut(title).0, &Format::new().set_bold()).map_err(failed)?;
        }
        let header_row = style.header_row();
        for (position, column) in columns.iter().enumerate() {
            let position = position as u16;
            sheet.write_string_with_format(header_row, position, cut(&kept_text(&column.label)).0, &column.header).map_err(failed)?;
            if let Some(hint) = &column.hint {
                sheet
                    .insert_note(header_row, position, &Note::new(cut(hint).0).set_author("crm_engine").add_author_prefix(false))
                    .map_err(failed)?;
            }
            sheet.set_column_width(position, column.width).map_err(failed)?;
            if column.hidden {
                sheet.set_column_hidden(position).map_err(failed)?;
            }
        }
        // On paper: all columns on a page's width, the header on every page.
        sheet.set_landscape().set_print_fit_to_pages(1, 0);
        sheet.set_repeat_rows(0, header_row).map_err(failed)?;
        sheet.set_freeze_panes(header_row + 1, style.freeze_columns).map_err(failed)?;
        self.report.sheets.push(name);
        Ok(self.report.sheets.len() - 1)
    }

    /// Adds what needs to know the last row: the filter, drop-down lists, and no green triangles on phones.
    fn end_page(&mut self, page: usize, n_rows: u64, style: &SheetStyle, columns: &[ColumnPlan], path: &Path) -> Result<()> {
        let failed = |error| xlsx_error(path, error);
        let last_row = (n_rows - 1) as u32;
        let first_row = style.header_row() + 1;
        self.write_row_choices(page, columns, path)?;
        let validations = columns.iter().map(|column| self.validation(&column.choices)).collect::<Result<Vec<_>>>()?;
        let sheet = self.worksheet(page, path)?;
        let Some(last_column) = columns.len().checked_sub(1) else { return Ok(()) };
        if !style.no_filter {
            sheet.autofilter(first_row - 1, 0, last_row, last_column as u16).map_err(failed)?;
        }
        for (position, (column, validation)) in columns.iter().zip(&validations).enumerate() {
            let position = position as u16;
            if let Some(validation) = validation {
                sheet.add_data_validation(first_row, position, last_row.max(first_row), position, validation).map_err(failed)?;
            }
            if column.as_text && last_row >= first_row {
                sheet.ignore_error_range(first_row, position, last_row, position, IgnoreError::NumberStoredAsText).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn note_row_choices(&mut self, batch: &RecordBatch, first_row: u32, style: &SheetStyle) -> Result<()> {
        let Some(name) = &style.row_choices_by else { return Ok(()) };
        let column = CellColumn::new(name, batch.column(batch.schema().index_of(name)?))?;
        for row in 0..batch.num_rows() {
            if let Cell::Text(choices) = column.get(row)?
                && !choices.is_empty()
            {
                self.row_choices.entry(choices.into_owned()).or_default().push(first_row + row as u32);
            }
        }
        Ok(())
    }

    /// The drop-down lists of single rows; those with the same values share one.
    fn write_row_choices(&mut self, page: usize, columns: &[ColumnPlan], path: &Path) -> Result<()> {
        let choices_of_rows = std::mem::take(&mut self.row_choices);
        let places: Vec<usize> = (0..columns.len()).filter(|place| columns[*place].has_row_choices).collect();
        let (Some(first), Some(last)) = (places.first(), places.last()) else { return Ok(()) };
        let letters = |place: usize| rust_xlsxwriter::utility::column_number_to_name(place as u16);
        for (choices, rows) in choices_of_rows {
            let choices: Vec<String> = choices.lines().map(str::to_owned).collect();
            for rows in rows.chunks(MAX_RANGES) {
                let Some(validation) = self.validation(&choices)? else { continue };
                let range = |row: &u32| format!("{}{}:{}{}", letters(*first), row + 1, letters(*last), row + 1);
                let ranges = rows.iter().map(range).collect::<Vec<_>>().join(" ");
                let validation = validation.show_error_message(false).set_multi_range(ranges);
                let (row, first, last) = (rows[0], *first as u16, *last as u16);
                let sheet = self.worksheet(page, path)?;
                sheet.add_data_validation(row, first, row, last, &validation).map_err(|error| xlsx_error(path, error))?;
            }
        }
        Ok(())
    }

    /// A drop-down list of `choices`; one that is too long to stand by itself refers to the hidden sheet.
    fn validation(&mut self, choices: &[String]) -> Result<Option<DataValidation>> {
        if choices.is_empty() {
            return Ok(None);
        }
        let n_units: usize = choices.iter().map(|choice| choice.encode_utf16().count() + 1).sum();
        let has_comma = choices.iter().any(|choice| choice.contains(',') || choice.contains('"'));
        let validation = DataValidation::new();
        if n_units <= MAX_LIST_UNITS && !has_comma {
            let short = validation.allow_list_strings(choices);
            return short.map(Some).map_err(|error| Error::internal(format!("a drop-down list: {error}")));
        }
        let column = self.lists.iter().position(|known| known == choices).unwrap_or_else(|| {
            self.lists.push(choices.to_vec());
            self.lists.len() - 1
        });
        let letters = rust_xlsxwriter::utility::column_number_to_name(column as u16);
        let range = format!("'{LISTS_SHEET}'!${letters}$1:${letters}${}", choices.len());
        Ok(Some(validation.allow_list_formula(Formula::new(range))))
    }

    fn write_lists(&mut self, path: &Path) -> Result<()> {
        if self.lists.is_empty() {
            return Ok(());
        }
        let failed = |error| xlsx_error(path, error);
        // Column by column: this sheet is small and may stay in memory.
        let sheet = self.workbook.add_worksheet();
        sheet.set_name(LISTS_SHEET).map_err(failed)?;
        for (column, list) in self.lists.iter().enumerate() {
            for (row, value) in list.iter().enumerate() {
                sheet.write_string(row as u32, column as u16, cut(value).0).map_err(failed)?;
            }
        }
        sheet.set_hidden(true);
        Ok(())
    }

    fn worksheet(&mut self, page: usize, path: &Path) -> Result<&mut Worksheet> {
        self.workbook.worksheet_from_index(page).map_err(|error| xlsx_error(path, error))
    }
}

/// Lets Ctrl-C stop the packing of a large workbook.
struct CheckedOutput<'a, W> {
    inner: W,
    control: &'a dyn Control,
}

impl<W: Write> Write for CheckedOutput<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.control.is_cancelled() {
            return Err(std::io::Error::other("cancelled"));
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

fn xlsx_error(path: &Path, error: XlsxError) -> Error {
    match error {
        XlsxError::IoError(error) => write_error(path)(error),
        XlsxError::TempFileError(directory, error) => write_error(&directory)(error),
        other => Error::internal(format!("writing {}: {other}", path.display())),
    }
}
