//! xlsx and xlsm: sheets of XML, read as a stream of cells.
use std::sync::Arc;

use crm_core::{Control, Error, Result};

use super::WorkbookLimits;
use super::package::Package;
use super::sheet::{CellBudget, MAX_COLUMNS, MAX_ROWS, Notes, Row, RowSource, column_letters, parse_place, place};
use super::shown::{Shown, shown_moment};
use super::strings::SharedStrings;
use super::xml::{Token, attribute, attribute_is_true, attribute_number, attribute_text, push_literal, push_text, unescape_controls};

mod book;

pub(super) use book::{Book, PartXml, SheetEntry, open_xml, relations, rels_of, workbook_part};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Shared,
    Inline,
    FormulaText,
    Boolean,
    Error,
    Date,
}

/// The rows of one sheet.
pub(super) struct XlsxRows {
    xml: PartXml,
    strings: Arc<SharedStrings>,
    formats: Arc<Vec<Shown>>,
    from_1904: bool,
    notes: Notes,
    budget: CellBudget,
    last_row: u64,
    in_data: bool,
    done: bool,
    n_rows: u64,
}

impl XlsxRows {
    pub fn new(package: &Package, book: &Book, sheet: &SheetEntry, limits: &WorkbookLimits, max_token: usize) -> Result<Self> {
        let xml = open_xml(package, &sheet.part, max_token)?.ok_or_else(|| {
            Error::file_format(
                package.name(),
                format!("{}: the data of sheet {:?} is missing ({})", package.name(), sheet.name, sheet.part),
            )
        })?;
        Ok(Self {
            xml,
            strings: book.strings.clone(),
            formats: book.formats.clone(),
            from_1904: book.from_1904,
            notes: Notes::default(),
            budget: CellBudget::new(package.name(), limits),
            last_row: 0,
            in_data: false,
            done: false,
            n_rows: 0,
        })
    }

    /// Reads the cells of the row whose tag was just opened.
    fn read_row(&mut self, row: &mut Row) -> Result<()> {
        let mut next_column = 0_u32;
        loop {
            let (column, kind, style, is_empty) = match self.xml.next()? {
                Token::Open { name: b"c", attributes } => cell_head(attributes, &mut next_column, row.number, &mut self.notes, false),
                Token::Empty { name: b"c", attributes } => cell_head(attributes, &mut next_column, row.number, &mut self.notes, true),
                Token::Close { name: b"row" } | Token::End => return Ok(()),
                _ => continue,
            };
            if column >= MAX_COLUMNS {
                return Err(self.xml.damaged(&format!("row {} has more than {MAX_COLUMNS} columns", row.number)));
            }
            if !is_empty {
                self.read_cell(row, column, kind, style)?;
            }
        }
    }

    fn read_cell(&mut self, row: &mut Row, column: u32, kind: Kind, style: usize) -> Result<()> {
        let begin = row.text.len();
        let mut in_value = false;
        let mut has_value = false;
        let mut has_formula = false;
        loop {
            let failure = match self.xml.next()? {
                Token::Open { name: b"v" | b"t", .. } => {
                    in_value = true;
                    has_value = true;
                    None
                }
                Token::Text(raw) if in_value => push_text(&mut row.text, raw).err(),
                Token::Literal(raw) if in_value => push_literal(&mut row.text, raw).err(),
                Token::Close { name: b"v" | b"t" } => {
                    in_value = false;
                    None
                }
                Token::Close { name: b"c" } => break,
                Token::Open { name: b"f", .. } => {
                    has_formula = true;
                    self.xml.skip_element()?;
                    None
                }
                Token::Empty { name: b"f", .. } => {
                    has_formula = true;
                    None
                }
                Token::Open { name: b"rPh" | b"extLst", .. } => {
                    self.xml.skip_element()?;
                    None
                }
                Token::End => break,
                _ => None,
            };
            if let Some(reason) = failure {
                return Err(self.xml.damaged(&format!("cell {}: {reason}", place(row.number, column))));
            }
        }
        self.budget.check(row)?;
        if !has_value || (begin == row.text.len() && matches!(kind, Kind::Number | Kind::Shared)) {
            if has_formula {
                self.notes.uncalculated.add(|| place(row.number, column));
            }
            return Ok(());
        }
        self.finish_cell(row, column, kind, style, begin)?;
        self.budget.check(row)
    }

    /// Turns the raw text from `begin` on into what was shown.
    fn finish_cell(&mut self, row: &mut Row, column: u32, kind: Kind, style: usize, begin: usize) -> Result<()> {
        match kind {
            Kind::Shared => {
                let index = row.text[begin..].trim().parse().ok().and_then(|index: usize| self.strings.get(index));
                let Some(text) = index else {
                    let reason = format!("cell {} names a shared string that is not there", place(row.number, column));
                    return Err(self.xml.damaged(&reason));
                };
                row.text.truncate(begin);
                row.text.push_str(text);
                self.notes.check_text(row, column, begin);
                row.end_cell(column, begin);
            }
            Kind::Number => {
                let shown = self.formats.get(style).unwrap_or(&Shown::General);
                // Most numbers are short and whole: their text is already what is shown.
                let raw = row.text.as_bytes().get(begin..).unwrap_or_default();
                if *shown == Shown::General && raw.len() <= 15 && raw[0] != b'0' && raw.iter().all(u8::is_ascii_digit) {
                    row.end_cell(column, begin);
                    return Ok(());
                }
                match row.text[begin..].trim().parse::<f64>() {
                    Ok(value) if value.is_finite() => {
                        row.text.truncate(begin);
                        self.notes.push_number(row, column, value, shown, self.from_1904);
                    }
                    // Not a number at all: what stands there is kept.
                    _ => row.end_cell(column, begin),
                }
            }
            Kind::Inline | Kind::FormulaText => {
                unescape_controls(&mut row.text, begin);
                self.notes.check_text(row, column, begin);
                row.end_cell(column, begin);
            }
            Kind::Boolean => {
                let is_true = matches!(row.text[begin..].trim(), "1" | "true" | "TRUE");
                row.text.truncate(begin);
                row.push(column, if is_true { "TRUE" } else { "FALSE" });
            }
            Kind::Error => {
                self.notes.errors.add(|| place(row.number, column));
                row.end_cell(column, begin);
            }
            Kind::Date => {
                let shown = shown_moment(&row.text[begin..]).to_owned();
                row.text.truncate(begin);
                row.push(column, &shown);
            }
        }
        Ok(())
    }

    fn note_hidden_columns(&mut self, attributes: HiddenColumns) {
        if let Some((first, last)) = attributes {
            for column in first..=last.min(u64::from(MAX_COLUMNS)) {
                self.notes.hidden_columns.add(|| format!("column {}", column_letters(column.saturating_sub(1) as u32)));
            }
        }
    }
}

type HiddenColumns = Option<(u64, u64)>;

/// Column, kind, style, and whether the cell is an empty element.
#[inline]
fn cell_head(attributes: &[u8], next_column: &mut u32, row: u64, notes: &mut Notes, is_empty: bool) -> (u32, Kind, usize, bool) {
    let column = match attribute(attributes, b"r") {
        Some(reference) => parse_place(reference).map(|(_, column)| column).unwrap_or_else(|| {
            notes.misplaced.add(|| place(row, *next_column));
            *next_column
        }),
        None => *next_column,
    };
    *next_column = column + 1;
    if is_empty {
        return (column, Kind::Number, 0, true);
    }
    let kind = match attribute(attributes, b"t") {
        None | Some(b"n") => Kind::Number,
        Some(b"s") => Kind::Shared,
        Some(b"inlineStr") => Kind::Inline,
        Some(b"b") => Kind::Boolean,
        Some(b"e") => Kind::Error,
        Some(b"d") => Kind::Date,
        Some(_) => Kind::FormulaText,
    };
    (column, kind, attribute_number(attributes, b"s").unwrap_or(0) as usize, false)
}

impl RowSource for XlsxRows {
    fn next_row(&mut self, row: &mut Row, control: &dyn Control) -> Result<bool> {
        while !self.done {
            let mut hidden_columns: HiddenColumns = None;
            let (number, is_empty, is_hidden) = match self.xml.next()? {
                Token::Open { name: b"row", attributes } if self.in_data => row_head(attributes, self.last_row, false),
                Token::Empty { name: b"row", attributes } if self.in_data => row_head(attributes, self.last_row, true),
                Token::Open { name: b"sheetData", .. } => {
                    self.in_data = true;
                    continue;
                }
                Token::Close { name: b"sheetData" } => {
                    self.in_data = false;
                    continue;
                }
                Token::Open { name: b"col", attributes } | Token::Empty { name: b"col", attributes } => {
                    if attribute_is_true(attributes, b"hidden") {
                        hidden_columns = attribute_number(attributes, b"min").zip(attribute_number(attributes, b"max"));
                    }
                    self.note_hidden_columns(hidden_columns);
                    continue;
                }
                Token::Open { name: b"mergeCell", attributes } | Token::Empty { name: b"mergeCell", attributes } => {
                    let range = attribute_text(attributes, b"ref").unwrap_or_default();
                    let row =
                        range.trim_start_matches(|char: char| !char.is_ascii_digit()).split(':').next().and_then(|row| row.parse().ok());
                    self.notes.merged.add(row.unwrap_or(u64::MAX), || range.into_owned());
                    continue;
                }
                Token::End => {
                    self.done = true;
                    continue;
                }
                _ => continue,
            };
            if number > MAX_ROWS {
                return Err(self.xml.damaged(&format!("row {number} is beyond the last row that a sheet can have ({MAX_ROWS})")));
            }
            self.n_rows += 1;
            if self.n_rows.is_multiple_of(256) {
                control.check()?;
            }
            self.last_row = number;
            row.clear(number);
            if !is_empty {
                self.read_row(row)?;
            }
            if !row.cells.is_empty() {
                if is_hidden {
                    self.notes.hidden_rows.add(|| format!("row {number}"));
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

/// Number, whether the row is an empty element, whether it is hidden. A row without a readable number follows the last one.
fn row_head(attributes: &[u8], last_row: u64, is_empty: bool) -> (u64, bool, bool) {
    let number = attribute_number(attributes, b"r").filter(|number| *number > 0).unwrap_or(last_row + 1);
    (number, is_empty, attribute_is_true(attributes, b"hidden"))
}
