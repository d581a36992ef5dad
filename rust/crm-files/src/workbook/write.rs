//! Arrow batches to an xlsx workbook, streamed: memory does not grow with the rows.
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow_array::RecordBatch;
use crm_core::{Control, Error, Result};
use rust_xlsxwriter::{Format, IgnoreError, Workbook, Worksheet, XlsxError};
use serde::Serialize;

use super::sheet_style::{ColumnPlan, Kind, SheetStyle, colour, header_format, plan_columns};
use crate::output::{BatchSource, Cell, CellColumn, iso_date, iso_date_time, write_error};

/// Rows of a sheet, the header included.
const MAX_SHEET_ROWS: u64 = 1_048_576;
/// Columns of a sheet.
const MAX_SHEET_COLUMNS: usize = 16_384;
/// UTF-16 units that a cell can hold.
const MAX_CELL_UNITS: usize = 32_767;
/// The largest whole number that a spreadsheet shows unchanged: it keeps 15 digits.
const MAX_EXACT_INTEGER: i64 = 999_999_999_999_999;
/// Days from 1899-12-30, where spreadsheets count from, to 1970-01-01.
const EPOCH_DAYS: f64 = 25_569.0;
/// The first serial number that all spreadsheets take for the same date: 1900-03-01.
const FIRST_SAFE_SERIAL: f64 = 61.0;

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

struct Writer {
    workbook: Workbook,
    header: Format,
    report: WriteReport,
}

impl Writer {
    fn new(path: &Path, scratch_dir: &Path) -> Result<Self> {
        let mut workbook = Workbook::new();
        workbook.set_tempdir(scratch_dir).map_err(|error| xlsx_error(path, error))?;
        Ok(Self { workbook, header: header_format(), report: WriteReport::default() })
    }

    fn write(mut self, sheets: Vec<SheetSource>, path: &Path, control: &dyn Control) -> Result<WriteReport> {
        if sheets.is_empty() {
            return Err(Error::config("a workbook needs at least one sheet"));
        }
        for sheet in sheets {
            self.write_sheet(sheet, path, control)?;
        }
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
                n_cut += write_rows(self.worksheet(page, path)?, &slice, next_row as u32, &columns, path, control)?;
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
        let name = free_sheet_name(name, &self.report.sheets);
        let sheet = self.workbook.add_worksheet_with_constant_memory().map_err(failed)?;
        sheet.set_name(&name).map_err(failed)?;
        if let Some(title) = &style.title {
            sheet.write_string_with_format(0, 0, cut(title).0, &Format::new().set_bold()).map_err(failed)?;
        }
        let header_row = style.header_row();
        for (position, column) in columns.iter().enumerate() {
            let position = position as u16;
            sheet.write_string_with_format(header_row, position, cut(&column.label).0, &self.header).map_err(failed)?;
            sheet.set_column_width(position, column.width).map_err(failed)?;
            if column.hidden {
                sheet.set_column_hidden(position).map_err(failed)?;
            }
        }
        sheet.set_freeze_panes(header_row + 1, style.freeze_columns).map_err(failed)?;
        self.report.sheets.push(name);
        Ok(self.report.sheets.len() - 1)
    }

    /// Adds what needs to know the last row: the filter, drop-down lists, and no green triangles on phones.
    fn end_page(&mut self, page: usize, n_rows: u64, style: &SheetStyle, columns: &[ColumnPlan], path: &Path) -> Result<()> {
        let failed = |error| xlsx_error(path, error);
        let last_row = (n_rows - 1) as u32;
        let first_row = style.header_row() + 1;
        let sheet = self.worksheet(page, path)?;
        let Some(last_column) = columns.len().checked_sub(1) else { return Ok(()) };
        if !style.no_filter {
            sheet.autofilter(first_row - 1, 0, last_row, last_column as u16).map_err(failed)?;
        }
        for (position, column) in columns.iter().enumerate() {
            let position = position as u16;
            if let Some(validation) = &column.validation {
                sheet.add_data_validation(first_row, position, last_row.max(first_row), position, validation).map_err(failed)?;
            }
            if column.as_text && last_row >= first_row {
                sheet.ignore_error_range(first_row, position, last_row, position, IgnoreError::NumberStoredAsText).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn worksheet(&mut self, page: usize, path: &Path) -> Result<&mut Worksheet> {
        self.workbook.worksheet_from_index(page).map_err(|error| xlsx_error(path, error))
    }
}

/// Writes the rows of `batch` from `first_row` on; returns how many cells had to be cut.
fn write_rows(
    sheet: &mut Worksheet,
    batch: &RecordBatch,
    first_row: u32,
    columns: &[ColumnPlan],
    path: &Path,
    control: &dyn Control,
) -> Result<u64> {
    let view = |index: usize| CellColumn::new(batch.schema().field(index).name(), batch.column(index));
    let cells = columns.iter().map(|column| view(column.index)).collect::<Result<Vec<_>>>()?;
    let marks = columns.iter().map(|column| column.highlight_by.map(view).transpose()).collect::<Result<Vec<_>>>()?;
    let mut n_cut = 0;
    for row in 0..batch.num_rows() {
        if row.is_multiple_of(1024) {
            control.check()?;
        }
        let sheet_row = first_row + row as u32;
        for (position, plan) in columns.iter().enumerate() {
            let colour = match &marks[position] {
                Some(mark) => colour(&mark.get(row)?),
                None => None,
            };
            let cell = cells[position].get(row)?;
            let kept = write_cell(sheet, sheet_row, position as u16, plan, &cell, colour).map_err(|error| xlsx_error(path, error))?;
            n_cut += u64::from(!kept);
        }
    }
    Ok(n_cut)
}

/// Writes one cell; returns whether all of it fitted.
fn write_cell(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    plan: &ColumnPlan,
    cell: &Cell<'_>,
    colour: Option<usize>,
) -> Result<bool, XlsxError> {
    let number = match cell {
        Cell::Null => {
            if let (Some(_), Some(format)) = (colour, plan.format(Kind::Text, colour)) {
                sheet.write_blank(row, column, format)?;
            }
            return Ok(true);
        }
        Cell::Boolean(value) => {
            match plan.format(Kind::Text, colour) {
                Some(format) => sheet.write_boolean_with_format(row, column, *value, format)?,
                None => sheet.write_boolean(row, column, *value)?,
            };
            return Ok(true);
        }
        Cell::Integer(value) if !plan.as_text && value.abs() <= MAX_EXACT_INTEGER => Some((*value as f64, Kind::Number)),
        Cell::Float(value) if !plan.as_text && value.is_finite() => Some((*value, Kind::Number)),
        Cell::Date(days) if !plan.as_text => serial(f64::from(*days)).map(|serial| (serial, Kind::Date)),
        Cell::DateTime(micros, _) if !plan.as_text => serial(*micros as f64 / 86_400_000_000.0).map(|serial| (serial, Kind::DateTime)),
        _ => None,
    };
    if let Some((number, kind)) = number {
        match plan.format(kind, colour) {
            Some(format) => sheet.write_number_with_format(row, column, number, format)?,
            None => sheet.write_number(row, column, number)?,
        };
        return Ok(true);
    }
    let text = match cell {
        Cell::Date(days) => iso_date(i64::from(*days)).into(),
        Cell::DateTime(micros, utc) => iso_date_time(*micros, *utc).into(),
        other => other.to_text(),
    };
    let (text, whole) = cut(&text);
    match plan.format(Kind::Text, colour) {
        Some(format) => sheet.write_string_with_format(row, column, text, format)?,
        None => sheet.write_string(row, column, text)?,
    };
    Ok(whole)
}

/// The serial number of a day since 1970, if every spreadsheet agrees on it.
fn serial(days: f64) -> Option<f64> {
    let serial = days + EPOCH_DAYS;
    (FIRST_SAFE_SERIAL..2_958_466.0).contains(&serial).then_some(serial)
}

/// As much of `text` as a cell holds, and whether that is all.
fn cut(text: &str) -> (&str, bool) {
    if text.len() <= MAX_CELL_UNITS {
        return (text, true);
    }
    let mut units = 0;
    for (index, character) in text.char_indices() {
        units += character.len_utf16();
        if units > MAX_CELL_UNITS {
            return (&text[..index], false);
        }
    }
    (text, true)
}

/// `name` as spreadsheets allow it, unlike any in `taken`, and never the beginning of a formula.
fn free_sheet_name(name: &str, taken: &[String]) -> String {
    let clean: String = name
        .chars()
        .map(
            |character| {
                if character.is_control() || matches!(character, '[' | ']' | ':' | '*' | '?' | '/' | '\\') { '_' } else { character }
            },
        )
        .collect();
    let mut clean = clean.trim_matches('\'').trim().to_owned();
    if matches!(crate::output::guard(&clean), std::borrow::Cow::Owned(_)) || clean.starts_with('+') {
        clean.insert(0, '_');
    }
    if clean.is_empty() {
        clean.push_str("Sheet");
    }
    let is_taken = |candidate: &str| taken.iter().any(|other| other.to_lowercase() == candidate.to_lowercase());
    let mut candidate = fit(&clean, "");
    let mut number = 2;
    while is_taken(&candidate) {
        candidate = fit(&clean, &format!(" ({number})"));
        number += 1;
    }
    candidate
}

/// The first characters of `name` that leave room for `suffix` in the 31 that a sheet name may have.
fn fit(name: &str, suffix: &str) -> String {
    let mut kept = String::new();
    let mut units = suffix.len();
    for character in name.chars() {
        units += character.len_utf16();
        if units > 31 {
            break;
        }
        kept.push(character);
    }
    let kept = kept.trim_end_matches('\'');
    format!("{kept}{suffix}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_names_are_allowed_and_unique() {
        assert_eq!(free_sheet_name("a/b", &[]), "a_b");
        assert_eq!(free_sheet_name("=1+1", &[]), "_=1+1");
        assert_eq!(free_sheet_name("''", &[]), "Sheet");
        assert_eq!(free_sheet_name(&"x".repeat(40), &["X".repeat(31)]), format!("{} (2)", "x".repeat(27)));
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = "😀".repeat(20_000);
        let (kept, whole) = cut(&text);
        assert_eq!((kept.encode_utf16().count(), whole), (32_766, false));
    }
}
