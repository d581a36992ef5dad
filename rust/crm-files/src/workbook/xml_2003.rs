//! XML spreadsheets of 2003 (SpreadsheetML), which many systems still export and name `.xls`.
use std::sync::Arc;

use crm_core::{Control, Result};

use super::document::Document;
use super::sheet::{CellBudget, MAX_COLUMNS, MAX_ROWS, Notes, Row, RowSource, place};
use super::shown::{Shown, shown_moment};
use super::xml::{Token, XmlReader, attribute, attribute_is_true, attribute_number, attribute_text, push_literal, push_text};
use crate::text::{DecodedInput, text_or_escaped};

type DocumentXml = XmlReader<DecodedInput>;

/// A document that is read.
pub(super) type XmlBook = Document<DocumentXml>;

/// A sheet as the document lists it.
#[derive(Debug, Clone)]
pub(super) struct XmlSheet {
    pub name: String,
    pub hidden: bool,
    /// Its position among the document's sheets.
    position: usize,
}

/// The document's XML from the beginning, and the encoding that it is in.
fn open_xml(book: &XmlBook) -> Result<(DocumentXml, String)> {
    let (input, encoding) = book.decoded(|head| {
        let end = memchr::memmem::find(head, b"?>")?;
        let declaration = head[..end].trim_ascii_start().strip_prefix(b"<?xml")?;
        attribute(declaration, b"encoding").map(text_or_escaped)
    })?;
    Ok((XmlReader::new(input, &book.name(), "the document", book.max_cell).decoded(), encoding))
}

/// The sheets of the document, and the encoding that it is in.
pub(super) fn list(book: &XmlBook, control: &dyn Control) -> Result<(Vec<XmlSheet>, String)> {
    let (mut xml, encoding) = open_xml(book)?;
    let mut sheets: Vec<XmlSheet> = Vec::new();
    let (mut n_rows, mut in_visible) = (0_u64, false);
    loop {
        match xml.next()? {
            Token::Open { name: b"Worksheet", attributes } => {
                let name = attribute_text(attributes, b"Name").unwrap_or_default().into_owned();
                sheets.push(XmlSheet { name, hidden: false, position: sheets.len() });
                if sheets.len() > book.limits.sheets {
                    return Err(xml.damaged(&format!("more than the {} sheets allowed (limit `sheets`)", book.limits.sheets)));
                }
            }
            Token::Open { name, .. } => {
                in_visible = name == b"Visible";
                if name == b"Row" {
                    n_rows += 1;
                    if n_rows.is_multiple_of(1024) {
                        control.check()?;
                    }
                }
            }
            Token::Text(text) if in_visible => {
                if let Some(sheet) = sheets.last_mut() {
                    sheet.hidden |= text.starts_with(b"SheetHidden") || text.starts_with(b"SheetVeryHidden");
                }
            }
            Token::End => return Ok((sheets, encoding)),
            _ => in_visible = false,
        }
    }
}

/// The rows of one sheet.
pub(super) struct XmlRows {
    book: Arc<XmlBook>,
    xml: DocumentXml,
    notes: Notes,
    budget: CellBudget,
    position: usize,
    /// Sheets that the reader has come to.
    n_seen: usize,
    in_sheet: bool,
    done: bool,
    next_row: u64,
}

/// Where a cell stands and what it spans.
struct Place {
    column: u64,
    across: u64,
    down: u64,
}

impl XmlRows {
    pub fn new(book: &Arc<XmlBook>, sheet: &XmlSheet) -> Result<Self> {
        let (n_seen, xml) = book.parked.reader(sheet.position, || Ok(open_xml(book)?.0))?;
        Ok(Self {
            book: book.clone(),
            xml,
            notes: Notes::default(),
            budget: CellBudget::new(&book.name(), &book.limits),
            position: sheet.position,
            n_seen,
            in_sheet: false,
            done: false,
            next_row: 1,
        })
    }

    /// Reads the cells of the row that was just opened.
    fn read_row(&mut self, row: &mut Row) -> Result<()> {
        let mut next = 0_u64;
        loop {
            let (attributes, has_content) = match self.xml.next()? {
                Token::Open { name: b"Cell", attributes } => (attributes, true),
                Token::Empty { name: b"Cell", attributes } => (attributes, false),
                Token::Close { name: b"Row" } | Token::End => return Ok(()),
                _ => continue,
            };
            let number = |name: &[u8]| attribute_number(attributes, name);
            let place = Place {
                column: number(b"Index").map_or(next, |index| index.saturating_sub(1)),
                across: number(b"MergeAcross").unwrap_or(0),
                down: number(b"MergeDown").unwrap_or(0),
            };
            next = place.column.saturating_add(place.across).saturating_add(1);
            if place.column >= u64::from(MAX_COLUMNS) {
                return Err(self.xml.damaged(&format!("row {} has more than {MAX_COLUMNS} columns", row.number)));
            }
            if has_content {
                self.read_cell(row, &place)?;
            }
            self.budget.check(row)?;
        }
    }

    fn read_cell(&mut self, row: &mut Row, cell: &Place) -> Result<()> {
        let column = cell.column as u32;
        let n_before = row.cells.len();
        loop {
            match self.xml.next()? {
                // Comments hold data of their own.
                Token::Open { name: b"Comment", .. } => self.xml.skip_element()?,
                Token::Open { name: b"Data", attributes } => {
                    let kind = attribute(attributes, b"Type").unwrap_or_default().to_vec();
                    let begin = row.text.len();
                    self.read_data(&mut row.text)?;
                    self.end_value(row, column, begin, &kind);
                }
                Token::Close { name: b"Cell" } | Token::End => break,
                _ => {}
            }
        }
        if row.cells.len() > n_before && (cell.across > 0 || cell.down > 0) {
            self.notes.merged.add(row.number, || place(row.number, column));
        }
        Ok(())
    }

    /// Appends the text up to the end of the element, whatever formats parts of it.
    fn read_data(&mut self, text: &mut String) -> Result<()> {
        loop {
            let pushed = match self.xml.next()? {
                Token::Text(raw) => push_text(text, raw),
                Token::Literal(raw) => push_literal(text, raw),
                Token::Close { name: b"Data" } | Token::End => return Ok(()),
                _ => Ok(()),
            };
            if let Err(reason) = pushed {
                return Err(self.xml.damaged(reason));
            }
        }
    }

    /// Makes of the text from `begin` on what a spreadsheet shows of a value of this kind.
    fn end_value(&mut self, row: &mut Row, column: u32, begin: usize, kind: &[u8]) {
        match kind {
            b"Number" => {
                if let Some(number) = row.text[begin..].trim().parse::<f64>().ok().filter(|number| number.is_finite()) {
                    row.text.truncate(begin);
                    self.notes.push_number(row, column, number, &Shown::General, false);
                    return;
                }
            }
            b"DateTime" => {
                let shown = shown_moment(row.text[begin..].trim()).to_owned();
                row.text.truncate(begin);
                row.text.push_str(&shown);
            }
            b"Boolean" => {
                let shown = if row.text[begin..].trim() == "1" { "TRUE" } else { "FALSE" };
                row.text.truncate(begin);
                row.text.push_str(shown);
            }
            b"Error" => self.notes.errors.add(|| place(row.number, column)),
            _ => self.notes.check_text(row, column, begin),
        }
        row.end_cell(column, begin);
    }
}

impl RowSource for XmlRows {
    fn next_row(&mut self, row: &mut Row, control: &dyn Control) -> Result<bool> {
        row.clear(self.next_row);
        while !self.done {
            match self.xml.next()? {
                Token::Open { name: b"Worksheet", .. } => {
                    self.in_sheet = self.n_seen == self.position;
                    self.n_seen += 1;
                    if !self.in_sheet {
                        self.xml.skip_element()?;
                        control.check()?;
                    }
                }
                Token::Close { name: b"Worksheet" } if self.in_sheet => self.done = true,
                Token::Empty { name: b"Row", attributes } if self.in_sheet => {
                    let index = attribute_number(attributes, b"Index").unwrap_or(self.next_row);
                    self.next_row = index.saturating_add(attribute_number(attributes, b"Span").unwrap_or(0)).saturating_add(1);
                }
                Token::Open { name: b"Row", attributes } if self.in_sheet => {
                    let number = attribute_number(attributes, b"Index").unwrap_or(self.next_row);
                    if number > MAX_ROWS {
                        return Err(self.xml.damaged(&format!("a row has the number {number}; sheets have {MAX_ROWS} rows")));
                    }
                    if attribute_is_true(attributes, b"Hidden") {
                        self.notes.hidden_rows.add(|| number.to_string());
                    }
                    self.next_row = number.saturating_add(1);
                    row.clear(number);
                    if number.is_multiple_of(1024) {
                        control.check()?;
                    }
                    self.read_row(row)?;
                    if !row.cells.is_empty() {
                        self.budget.spend(row)?;
                        return Ok(true);
                    }
                }
                Token::End => self.done = true,
                _ => {}
            }
        }
        Ok(false)
    }

    fn notes(&self) -> &Notes {
        &self.notes
    }

    fn close(self: Box<Self>) {
        self.book.parked.park(self.n_seen, self.xml);
    }
}
