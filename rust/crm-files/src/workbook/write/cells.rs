//! Rows and cells.
use std::path::Path;

use arrow_array::RecordBatch;
use crm_core::{Control, Result};
use rust_xlsxwriter::{Worksheet, XlsxError};

use super::super::cell_value::{cut, iso_serial, plain_number, serial};
use super::super::sheet_style::{ColumnPlan, Kind, Look, RowLook, SheetStyle};
use super::xlsx_error;
use crate::output::{Cell, CellColumn, iso_date, iso_date_time};
use crate::spreadsheet_text::kept_text;

/// The largest whole number that a spreadsheet shows unchanged: it keeps 15 digits.
const MAX_EXACT_INTEGER: i64 = 999_999_999_999_999;

/// Writes the rows of `batch` from `first_row` on; returns how many cells had to be cut.
pub(super) fn write_rows(
    sheet: &mut Worksheet,
    batch: &RecordBatch,
    first_row: u32,
    style: &SheetStyle,
    columns: &[ColumnPlan],
    path: &Path,
    control: &dyn Control,
) -> Result<u64> {
    let view = |index: usize| CellColumn::new(batch.schema().field(index).name(), batch.column(index));
    let cells = columns.iter().map(|column| view(column.index)).collect::<Result<Vec<_>>>()?;
    let marks = columns.iter().map(|column| column.highlight_by.map(view).transpose()).collect::<Result<Vec<_>>>()?;
    let look_of = style.row_style_by.as_deref().and_then(|name| batch.schema().index_of(name).ok()).map(view).transpose()?;
    let mut n_cut = 0;
    for row in 0..batch.num_rows() {
        if row.is_multiple_of(1024) {
            control.check()?;
        }
        let row_look = look_of.as_ref().map(|looks| looks.get(row)).transpose()?.as_ref().and_then(RowLook::of);
        for (position, plan) in columns.iter().enumerate() {
            let look = match (row_look, &marks[position]) {
                (Some(look), _) => Look::Row(look),
                (None, Some(mark)) => Look::of_mark(&mark.get(row)?),
                (None, None) => Look::Plain,
            };
            let cell = cells[position].get(row)?;
            let place = (first_row + row as u32, position as u16);
            n_cut += u64::from(!write_cell(sheet, place, plan, &cell, look).map_err(|error| xlsx_error(path, error))?);
        }
    }
    Ok(n_cut)
}

/// Writes one cell; returns whether all of it fitted.
fn write_cell(sheet: &mut Worksheet, (row, column): (u32, u16), plan: &ColumnPlan, cell: &Cell<'_>, look: Look) -> Result<bool, XlsxError> {
    let number = match cell {
        Cell::Null => {
            if let Some(format) = plan.format(Kind::Text, look).filter(|_| look != Look::Plain) {
                sheet.write_blank(row, column, format)?;
            }
            return Ok(true);
        }
        Cell::Boolean(value) => {
            match plan.format(Kind::Text, look) {
                Some(format) => sheet.write_boolean_with_format(row, column, *value, format)?,
                None => sheet.write_boolean(row, column, *value)?,
            };
            return Ok(true);
        }
        Cell::Integer(value) if !plan.as_text && value.abs() <= MAX_EXACT_INTEGER => Some((*value as f64, Kind::Number)),
        Cell::Float(value) if !plan.as_text && value.is_finite() => Some((*value, Kind::Number)),
        Cell::Date(days) if !plan.as_text => serial(f64::from(*days)).map(|serial| (serial, Kind::Date)),
        Cell::DateTime(micros, _) if !plan.as_text => serial(*micros as f64 / 86_400_000_000.0).map(|serial| (serial, Kind::DateTime)),
        Cell::Text(text) if plan.numbers => plain_number(text).map(|number| (number, Kind::Number)),
        Cell::Text(text) if plan.dates => iso_serial(text),
        _ => None,
    };
    if let Some((number, kind)) = number {
        match plan.format(kind, look) {
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
    let text = kept_text(&text);
    let (text, whole) = cut(&text);
    match plan.format(Kind::Text, look) {
        Some(format) => sheet.write_string_with_format(row, column, text, format)?,
        None => sheet.write_string(row, column, text)?,
    };
    Ok(whole)
}
