//! What the readers of all workbook formats hand on: rows of cells that have a value, and notes on what was met.
use std::collections::BTreeMap;

use crm_core::{Control, Error, Result};

use super::WorkbookLimits;
use super::shown::{Shown, is_beyond_digits, is_exponent_text, is_rounded_by_exponent, push_general, push_number};

/// Rows and columns that the formats can address.
pub(super) const MAX_ROWS: u64 = 1 << 20;
pub(super) const MAX_COLUMNS: u32 = 16_384;

/// Rows at the beginning of a sheet that a header may stand in.
const TITLE_ROWS: u64 = 1_000;

/// The cells of one row that have a value, in one text buffer that is used again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    /// From 1.
    pub number: u64,
    pub text: String,
    /// Column from 0, and the range of `text`; columns may repeat or run backwards in damaged files.
    pub cells: Vec<(u32, u32, u32)>,
    /// Bytes of all cells: more than `text` has where cells share a text.
    pub n_bytes: usize,
    /// The column of a cell that is longer than is allowed, so that only a part of it is here.
    pub cut: Option<u32>,
}

impl Row {
    pub fn clear(&mut self, number: u64) {
        self.number = number;
        self.text.clear();
        self.cells.clear();
        self.n_bytes = 0;
        self.cut = None;
    }

    /// Ends the cell whose text was appended from `begin` on; an empty text is no value.
    #[inline]
    pub fn end_cell(&mut self, column: u32, begin: usize) {
        if begin == self.text.len() {
            return;
        }
        self.n_bytes += self.text.len() - begin;
        self.cells.push((column, begin as u32, self.text.len() as u32));
    }

    /// Takes the last cell back; its text stays.
    pub fn pop_cell(&mut self) {
        if let Some((_, begin, end)) = self.cells.pop() {
            self.n_bytes -= (end - begin) as usize;
        }
    }

    pub fn push(&mut self, column: u32, text: &str) {
        let begin = self.text.len();
        self.text.push_str(text);
        self.end_cell(column, begin);
    }

    pub fn cell(&self, index: usize) -> (u32, &str) {
        let (column, begin, end) = self.cells[index];
        (column, &self.text[begin as usize..end as usize])
    }
}

/// Rows of one sheet, forward.
pub(super) trait RowSource: Send {
    /// Fills `row` with the next row that has a value; `false` at the end.
    fn next_row(&mut self, row: &mut Row, control: &dyn Control) -> Result<bool>;

    /// What was met so far.
    fn notes(&self) -> &Notes;

    /// Leaves what the rows are read from to those of other sheets, where these can go on with it.
    fn close(self: Box<Self>) {}
}

/// Things worth telling about a sheet: a count and where it was first.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    pub hidden_rows: Note,
    pub hidden_columns: Note,
    pub merged: Merged,
    pub errors: Note,
    pub uncalculated: Note,
    pub exponents: Note,
    pub long_numbers: Note,
    pub misplaced: Note,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Note {
    pub count: u64,
    pub first: String,
}

impl Note {
    #[inline]
    pub fn add(&mut self, place: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = place();
        }
        self.count += 1;
    }
}

/// Merged ranges by the row they begin in: those of titles and headers cost no value, and where the data begins shows later.
#[derive(Debug, Clone, Default)]
pub(super) struct Merged {
    /// Of rows that a header may stand in, by row.
    early: BTreeMap<u64, Note>,
    later: Note,
}

impl Merged {
    pub fn add(&mut self, row: u64, place: impl FnOnce() -> String) {
        let note = if row <= TITLE_ROWS { self.early.entry(row).or_default() } else { &mut self.later };
        note.add(place);
    }

    /// Those that begin in the rows of the data.
    fn since(&self, first: u64) -> Note {
        let mut all = Note::default();
        for note in self.early.range(first..).map(|(_, note)| note).chain([&self.later]).filter(|note| note.count > 0) {
            all.add(|| note.first.clone());
            all.count += note.count - 1;
        }
        all
    }
}

impl Notes {
    /// The warnings, one sentence each; `first_row` is where the data begins.
    pub fn sentences(&self, first_row: u64) -> Vec<String> {
        let merged = self.merged.since(first_row);
        let tell = |note: &Note, one: &str, many: &str, rest: &str| match note.count {
            0 => None,
            1 => Some(format!("1 {one} ({}) {rest}", note.first)),
            count => Some(format!("{count} {many} (the first {}) {rest}", note.first)),
        };
        [
            tell(&self.hidden_rows, "hidden row", "hidden rows", "were read like the others"),
            tell(&self.hidden_columns, "hidden column", "hidden columns", "were read like the others"),
            tell(&merged, "merged range", "merged ranges", "hold their value in the top left cell only"),
            tell(&self.errors, "cell holds", "cells hold", "an error such as #N/A, kept as that text"),
            tell(
                &self.uncalculated,
                "formula",
                "formulas",
                "without a stored result, read as empty: open and save the file in a spreadsheet",
            ),
            tell(
                &self.exponents,
                "number",
                "numbers",
                "in the form 7.9123E+10, digits are likely lost: phones and ids must be stored as text",
            ),
            tell(
                &self.long_numbers,
                "number",
                "numbers",
                "with more than 15 digits, of which the last are likely lost: ids must be stored as text",
            ),
            tell(&self.misplaced, "cell", "cells", "without a readable place, put after the one before"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Appends a number as it was shown and notes damage.
    #[inline]
    pub fn push_number(&mut self, row: &mut Row, column: u32, value: f64, shown: &Shown, from_1904: bool) {
        let begin = row.text.len();
        if *shown == Shown::General {
            push_general(&mut row.text, value);
        } else {
            push_number(&mut row.text, value, shown, from_1904);
            if is_rounded_by_exponent(value, shown) {
                self.exponents.add(|| place(row.number, column));
            }
        }
        if is_beyond_digits(value) {
            self.long_numbers.add(|| place(row.number, column));
        }
        row.end_cell(column, begin);
    }

    /// Looks at the text that was appended from `begin` on.
    #[inline]
    pub fn check_text(&mut self, row: &Row, column: u32, begin: usize) {
        if is_exponent_text(&row.text[begin..]) {
            self.exponents.add(|| place(row.number, column));
        }
    }
}

/// `C7`.
pub(super) fn place(row: u64, column: u32) -> String {
    format!("{}{row}", column_letters(column))
}

/// `A` for 0, `XFD` for 16383.
pub(super) fn column_letters(column: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = u64::from(column) + 1;
    while rest > 0 {
        rest -= 1;
        letters.push(b'A' + (rest % 26) as u8);
        rest /= 26;
    }
    letters.iter().rev().map(|letter| char::from(*letter)).collect()
}

/// Row from 1 and column from 0 of `C7`.
#[inline]
pub(super) fn parse_place(place: &[u8]) -> Option<(u64, u32)> {
    let mut column = 0_u32;
    let mut index = 0;
    while let Some(letter) = place.get(index).filter(|byte| byte.is_ascii_alphabetic()) {
        if index == 3 {
            return None;
        }
        column = column * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1;
        index += 1;
    }
    let digits = &place[index..];
    if column == 0 || column > MAX_COLUMNS || digits.is_empty() || digits.len() > 7 {
        return None;
    }
    let mut row = 0_u64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        row = row * 10 + u64::from(digit - b'0');
    }
    (1..=MAX_ROWS).contains(&row).then_some((row, column - 1))
}

/// Counts what a sheet holds against the limits: files repeat and share texts, so that little on the disk may be much in memory.
#[derive(Debug, Clone)]
pub(super) struct CellBudget {
    file: String,
    cells_left: u64,
    bytes_left: u64,
    limits: WorkbookLimits,
}

impl CellBudget {
    pub fn new(file: &str, limits: &WorkbookLimits) -> Self {
        Self { file: file.to_owned(), cells_left: limits.cells, bytes_left: limits.inflated_bytes, limits: limits.clone() }
    }

    /// Refuses a row that grows too long; to be asked after each cell, so that no more than one cell is beyond the limit.
    #[inline]
    pub fn check(&self, row: &Row) -> Result<()> {
        if row.n_bytes.max(row.text.len()) <= self.limits.row_bytes && row.cells.len() <= 4 * MAX_COLUMNS as usize {
            return Ok(());
        }
        self.refuse(format!(
            "row {} holds more than the {} bytes allowed in one row (limit `row_bytes`)",
            row.number, self.limits.row_bytes
        ))
    }

    /// Takes a row off what is left.
    pub fn spend(&mut self, row: &Row) -> Result<()> {
        self.check(row)?;
        let Some(cells_left) = self.cells_left.checked_sub(row.cells.len() as u64) else {
            return self.refuse(format!("a sheet holds more than the {} cells allowed (limit `cells`)", self.limits.cells));
        };
        let Some(bytes_left) = self.bytes_left.checked_sub(row.n_bytes as u64) else {
            return self.refuse(format!(
                "a sheet holds more than the {} bytes of text allowed (limit `inflated_bytes`)",
                self.limits.inflated_bytes
            ));
        };
        (self.cells_left, self.bytes_left) = (cells_left, bytes_left);
        Ok(())
    }

    fn refuse(&self, reason: String) -> Result<()> {
        Err(Error::file_format(&*self.file, format!("{}: {reason}", self.file)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_ranges_above_the_data_are_not_told() {
        let mut notes = Notes::default();
        for row in [1, 3, 5, 5, 2_000] {
            notes.merged.add(row, || format!("A{row}"));
        }
        let told = |first_row| notes.sentences(first_row).join(" ");
        assert!(told(1).starts_with("5 merged ranges (the first A1)"));
        assert!(told(4).starts_with("3 merged ranges (the first A5)"));
        assert!(told(6).starts_with("1 merged range (A2000)"));
        assert_eq!(Notes::default().sentences(1), Vec::<String>::new());
    }

    #[test]
    fn places() {
        assert_eq!(parse_place(b"A1"), Some((1, 0)));
        assert_eq!(parse_place(b"XFD1048576"), Some((1_048_576, 16_383)));
        for wrong in ["XFE1", "A1048577", "A0", "A-1", "1", "A", "", "AAAAAAAAA1", "A99999999999999999999"] {
            assert_eq!(parse_place(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(column_letters(16_383), "XFD");
        assert_eq!(column_letters(26), "AA");
    }
}
