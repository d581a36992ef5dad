//! The rows of one sheet of an xls file.
use std::collections::HashSet;
use std::sync::Arc;

use crm_core::{Control, Result};

use super::super::WorkbookLimits;
use super::super::binary::{f64_at, push_boolean, push_error, rk_number, u16_at, u32_at};
use super::super::sheet::{CellBudget, Notes, Row, RowSource, column_letters, place};
use super::super::shown::Shown;
use super::text::Pieces;
use super::{END, Record, XlsBook, XlsSheet, record_at};

/// The rows of one sheet.
pub(in crate::workbook) struct XlsRows {
    book: Arc<XlsBook>,
    /// Where the next cell record begins.
    at: usize,
    /// Places of all cell records by row, where the file does not have them so.
    sorted: Option<std::vec::IntoIter<(u32, u32)>>,
    end: usize,
    hidden: HashSet<u32>,
    notes: Notes,
    budget: CellBudget,
    n_rows: u64,
}

/// Row of a cell record, `None` for other records.
fn cell_row(record: Record<'_>) -> Option<u32> {
    match record.kind {
        // BIFF2 has its own numbers for the same records.
        0x02..=0x05 | 0x06 | 0x0206 | 0x0406 | 0x0203 | 0x0204 | 0x0205 | 0xd6 | 0xbd | 0xfd | 0x027e if record.data.len() >= 7 => {
            Some(u16_at(record.data, 0).into())
        }
        _ => None,
    }
}

impl XlsRows {
    /// Looks through the sheet once: whether its cells stand by rows, what is hidden, what is merged.
    pub fn new(book: &Arc<XlsBook>, sheet: &XlsSheet, limits: &WorkbookLimits, control: &dyn Control) -> Result<Self> {
        let mut rows = Self {
            book: book.clone(),
            at: 0,
            sorted: None,
            end: 0,
            hidden: HashSet::new(),
            notes: Notes::default(),
            budget: CellBudget::new(&book.file, limits),
            n_rows: 0,
        };
        let stream = &book.stream;
        rows.at = record_at(stream, sheet.start).map_or(stream.len(), |record| record.next);
        let mut at = rows.at;
        let mut depth = 1;
        let mut last_row = 0;
        let mut is_sorted = true;
        let mut n_records = 0_u64;
        while let Some(record) = record_at(stream, at) {
            n_records += 1;
            if n_records.is_multiple_of(65_536) {
                control.check()?;
            }
            match record.kind {
                END => depth -= 1,
                // A chart within the sheet.
                0x0809 | 0x0409 | 0x0209 => depth += 1,
                _ if depth > 1 => {}
                0x0208 if u16_at(record.data, 12) & 0x20 != 0 => {
                    rows.hidden.insert(u16_at(record.data, 0).into());
                }
                0x7d if u16_at(record.data, 8) & 1 == 1 => {
                    for column in u16_at(record.data, 0)..=u16_at(record.data, 2).min(255) {
                        rows.notes.hidden_columns.add(|| format!("column {}", column_letters(column.into())));
                    }
                }
                0xe5 => {
                    for range in record.data.get(2..).unwrap_or_default().chunks_exact(8) {
                        let (row, column) = (u64::from(u16_at(range, 0)) + 1, u16_at(range, 4).into());
                        rows.notes.merged.add(row, || place(row, column));
                    }
                }
                _ => {
                    if let Some(row) = cell_row(record) {
                        is_sorted &= row >= last_row;
                        last_row = row;
                    }
                }
            }
            if depth == 0 {
                break;
            }
            at = record.next;
        }
        rows.end = at;
        if !is_sorted {
            rows.sorted = Some(rows.sort().into_iter());
        }
        Ok(rows)
    }

    fn sort(&self) -> Vec<(u32, u32)> {
        let mut places = Vec::new();
        let mut at = self.at;
        let mut depth = 1;
        while at < self.end
            && let Some(record) = record_at(&self.book.stream, at)
        {
            match record.kind {
                END => depth -= 1,
                0x0809 | 0x0409 | 0x0209 => depth += 1,
                _ if depth == 1 => places.extend(cell_row(record).map(|row| (row, at as u32))),
                _ => {}
            }
            at = record.next;
        }
        places.sort_by_key(|(row, _)| *row);
        places
    }

    /// The place of the next cell record and its row, without going on.
    fn peek(&mut self) -> Option<(u32, usize)> {
        if let Some(sorted) = &self.sorted {
            return sorted.as_slice().first().map(|(row, at)| (*row, *at as usize));
        }
        let mut depth = 1;
        while self.at < self.end {
            let record = record_at(&self.book.stream, self.at)?;
            match record.kind {
                END => depth -= 1,
                0x0809 | 0x0409 | 0x0209 => depth += 1,
                _ if depth == 1 => {
                    if let Some(row) = cell_row(record) {
                        return Some((row, self.at));
                    }
                }
                _ => {}
            }
            self.at = record.next;
        }
        None
    }

    fn pass(&mut self, at: usize) {
        match &mut self.sorted {
            Some(sorted) => {
                sorted.next();
            }
            None => self.at = record_at(&self.book.stream, at).map_or(self.end, |record| record.next),
        }
    }

    fn push_number(&mut self, row: &mut Row, column: u16, style: usize, value: f64) {
        let shown = self.book.formats.get(style).unwrap_or(&Shown::General);
        self.notes.push_number(row, column.into(), value, shown, self.book.from_1904);
    }

    fn end_text(&mut self, row: &mut Row, column: u16, begin: usize) {
        self.notes.check_text(row, column.into(), begin);
        row.end_cell(column.into(), begin);
    }

    fn read_cell(&mut self, row: &mut Row, at: usize) -> Result<()> {
        let book = self.book.clone();
        let Some(record) = record_at(&book.stream, at) else { return Ok(()) };
        let data = record.data;
        let column = u16_at(data, 2);
        // BIFF2 cells have three bytes of attributes where later ones have the number of their style.
        let is_early = record.kind <= 5 || (record.kind == 6 && book.version == 2);
        let (style, value) =
            if is_early { (usize::from(data.get(4).copied().unwrap_or(0) & 0x3f), 7) } else { (usize::from(u16_at(data, 4)), 6) };
        let begin = row.text.len();
        match record.kind {
            0x02 => self.push_number(row, column, style, u16_at(data, 7).into()),
            0x03 | 0x0203 => self.push_number(row, column, style, f64_at(data, value)),
            0x04 => {
                row.text.push_str(&book.narrow_text(&data[7..]));
                self.end_text(row, column, begin);
            }
            0x05 | 0x0205 => self.push_boolean_or_error(row, column, data.get(value..).unwrap_or_default()),
            0x027e => self.push_number(row, column, style, rk_number(u32_at(data, 6))),
            0xbd => {
                for (index, pair) in data[4..].chunks_exact(6).enumerate() {
                    self.push_number(row, column.saturating_add(index as u16), u16_at(pair, 0).into(), rk_number(u32_at(pair, 2)));
                }
            }
            0xfd => {
                let Some(text) = book.strings.get(u32_at(data, 6) as usize) else {
                    return Err(book.damaged(&format!("cell {} names a shared string that is not there", place(row.number, column.into()))));
                };
                row.text.push_str(text);
                self.end_text(row, column, begin);
            }
            0x0204 | 0xd6 => {
                push_long_text(&book, &mut row.text, record);
                self.end_text(row, column, begin);
            }
            0x06 | 0x0206 | 0x0406 => self.read_formula(row, column, style, data.get(value..).unwrap_or_default(), record),
            _ => {}
        }
        Ok(())
    }

    fn push_boolean_or_error(&mut self, row: &mut Row, column: u16, value: &[u8]) {
        match value {
            [code, 1, ..] => push_error(row, column.into(), *code, &mut self.notes),
            [truth, ..] => push_boolean(row, column.into(), *truth),
            [] => {}
        }
    }

    /// The stored result of a formula; a text follows in a record of its own.
    fn read_formula(&mut self, row: &mut Row, column: u16, style: usize, result: &[u8], record: Record<'_>) {
        if u16_at(result, 6) != 0xffff || result.len() < 8 {
            return self.push_number(row, column, style, f64_at(result, 0));
        }
        match result[0] {
            0 => {
                let book = self.book.clone();
                let mut at = record.next;
                let begin = row.text.len();
                while let Some(next) = record_at(&book.stream, at) {
                    match next.kind {
                        0x0207 | 0x07 => {
                            push_long_text(&book, &mut row.text, Record { data: next.data, ..next });
                            self.end_text(row, column, begin);
                            return;
                        }
                        // Shared formulas, arrays and tables stand in between.
                        0x04bc | 0x0221 | 0x0021 | 0x0236 | 0x0036 => at = next.next,
                        _ => break,
                    }
                }
                self.notes.uncalculated.add(|| place(row.number, column.into()));
            }
            1 => push_boolean(row, column.into(), result[2]),
            2 => push_error(row, column.into(), result[2], &mut self.notes),
            _ => {}
        }
    }
}

/// Appends the text of a label, or of a formula's result: that one has no place and style before it.
fn push_long_text(book: &XlsBook, text: &mut String, record: Record<'_>) {
    let is_result = matches!(record.kind, 0x0207 | 0x07);
    let data = record.data.get(if is_result { 0 } else { 6 }..).unwrap_or_default();
    if book.version < 8 {
        let (length, rest) = if record.kind == 0x07 {
            (usize::from(data.first().copied().unwrap_or(0)), data.get(1..).unwrap_or_default())
        } else {
            (usize::from(u16_at(data, 0)), data.get(2..).unwrap_or_default())
        };
        text.push_str(&book.encoding.decode_without_bom_handling(&rest[..rest.len().min(length)]).0);
        return;
    }
    let mut pieces = Pieces { stream: &book.stream, data, next: record.next };
    if let (Some(n_units), Some(flags)) = (pieces.number(2), pieces.byte()) {
        pieces.push_units(text, n_units as usize, flags & 1 == 1);
    }
}

impl RowSource for XlsRows {
    fn next_row(&mut self, row: &mut Row, control: &dyn Control) -> Result<bool> {
        while let Some((number, _)) = self.peek() {
            self.n_rows += 1;
            if self.n_rows.is_multiple_of(256) {
                control.check()?;
            }
            row.clear(u64::from(number) + 1);
            while let Some((next, at)) = self.peek() {
                if next != number {
                    break;
                }
                self.read_cell(row, at)?;
                self.budget.check(row)?;
                self.pass(at);
            }
            if !row.cells.is_empty() {
                if self.hidden.contains(&number) {
                    self.notes.hidden_rows.add(|| format!("row {}", number + 1));
                }
                self.budget.spend(row)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn notes(&self) -> &Notes {
        &self.notes
    }
}
