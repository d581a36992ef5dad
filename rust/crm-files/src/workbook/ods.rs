//! OpenDocument spreadsheets: all sheets stand in one part, and repetition is written as a number that must not be believed.
use std::collections::HashSet;
use std::sync::Arc;

use crm_core::{Control, Error, Result};

use super::WorkbookLimits;
use super::package::Package;
use super::parked::Parked;
use super::sheet::{CellBudget, MAX_COLUMNS, MAX_ROWS, Notes, Row, RowSource, column_letters};
use super::xlsx::{PartXml, open_xml};
use super::xml::{Token, attribute, attribute_number, attribute_text, push_literal};

mod cell;

use cell::{CellHead, push_collapsed, repeat};

const CONTENT: &str = "content.xml";

/// A sheet as the document lists it.
#[derive(Debug, Clone)]
pub(super) struct OdsSheet {
    pub name: String,
    pub hidden: bool,
    /// Its position among the document's sheets.
    pub position: usize,
}

/// The part with the sheets, and the depth of the one that is being read.
pub(super) struct Content {
    xml: PartXml,
    open_table: Option<usize>,
}

/// Whether a package is an OpenDocument spreadsheet.
pub(super) fn is_ods(package: &Package) -> bool {
    package.has(CONTENT)
}

/// The sheets of the document.
pub(super) fn list(package: &Package, limits: &WorkbookLimits, max_token: usize, control: &dyn Control) -> Result<Vec<OdsSheet>> {
    refuse_encrypted(package, max_token)?;
    let mut xml = content(package, max_token)?;
    let mut hidden_styles = HashSet::new();
    let mut style = String::new();
    let mut sheets: Vec<OdsSheet> = Vec::new();
    let mut n_rows = 0_u64;
    let mut is_spreadsheet = false;
    let mut depth_in_table = 0_usize;
    loop {
        match xml.next()? {
            Token::Open { name: b"style", attributes } => style = attribute_text(attributes, b"name").unwrap_or_default().into_owned(),
            Token::Empty { name: b"table-properties", attributes } | Token::Open { name: b"table-properties", attributes }
                if attribute(attributes, b"display") == Some(b"false") && hidden_styles.len() < 10_000 =>
            {
                hidden_styles.insert(style.clone());
            }
            Token::Open { name: b"spreadsheet", .. } => is_spreadsheet = true,
            Token::Open { name: b"tracked-changes", .. } => xml.skip_element()?,
            Token::Open { name: b"table", attributes } => {
                depth_in_table += 1;
                if depth_in_table == 1 {
                    let hidden = attribute_text(attributes, b"style-name").is_some_and(|style| hidden_styles.contains(style.as_ref()));
                    let name = attribute_text(attributes, b"name").unwrap_or_default().into_owned();
                    sheets.push(OdsSheet { name, hidden, position: sheets.len() });
                    if sheets.len() > limits.sheets {
                        return Err(xml.damaged(&format!("more than the {} sheets allowed (limit `sheets`)", limits.sheets)));
                    }
                }
            }
            Token::Close { name: b"table" } => depth_in_table = depth_in_table.saturating_sub(1),
            Token::Open { name: b"table-row", .. } => {
                n_rows += 1;
                if n_rows.is_multiple_of(1024) {
                    control.check()?;
                }
            }
            Token::End => break,
            _ => {}
        }
    }
    if !is_spreadsheet {
        return Err(Error::file_format(package.name(), format!("{}: it is an OpenDocument file, but no spreadsheet", package.name())));
    }
    Ok(sheets)
}

fn content(package: &Package, max_token: usize) -> Result<PartXml> {
    open_xml(package, CONTENT, max_token)?
        .ok_or_else(|| Error::file_format(package.name(), format!("{}: its content is missing", package.name())))
}

fn refuse_encrypted(package: &Package, max_token: usize) -> Result<()> {
    let Some(mut xml) = open_xml(package, "META-INF/manifest.xml", max_token)? else { return Ok(()) };
    loop {
        match xml.next()? {
            Token::Open { name: b"encryption-data", .. } => {
                return Err(Error::file_format(
                    package.name(),
                    format!("{}: the file is protected by a password; save it without one", package.name()),
                ));
            }
            // A manifest that is damaged says nothing about passwords; the content decides.
            Token::End => return Ok(()),
            _ => {}
        }
    }
}

/// The rows of one sheet.
pub(super) struct OdsRows {
    content: Content,
    parked: Arc<Parked<Content>>,
    notes: Notes,
    budget: CellBudget,
    position: usize,
    /// Sheets that the reader has come to.
    n_seen: usize,
    in_table: bool,
    done: bool,
    next_row: u64,
    next_column_definition: u64,
    /// The row that is repeated, and how many times more.
    repeated: Option<(Row, u64)>,
    n_rows: u64,
    max_text: usize,
}

impl OdsRows {
    pub fn new(
        package: &Package,
        parked: &Arc<Parked<Content>>,
        sheet: &OdsSheet,
        limits: &WorkbookLimits,
        max_token: usize,
    ) -> Result<Self> {
        let (n_seen, content) = parked.reader(sheet.position, || Ok(Content { xml: content(package, max_token)?, open_table: None }))?;
        Ok(Self {
            content,
            parked: parked.clone(),
            notes: Notes::default(),
            budget: CellBudget::new(package.name(), limits),
            position: sheet.position,
            n_seen,
            in_table: false,
            done: false,
            next_row: 1,
            next_column_definition: 0,
            repeated: None,
            n_rows: 0,
            max_text: max_token,
        })
    }

    /// Passes over what stands before the sheet.
    fn find_table(&mut self, control: &dyn Control) -> Result<()> {
        if let Some(depth) = self.content.open_table.take() {
            self.content.xml.skip_open(depth)?;
        }
        loop {
            match self.content.xml.next()? {
                Token::Open { name: b"tracked-changes", .. } => self.content.xml.skip_element()?,
                Token::Open { name: b"table", .. } => {
                    self.n_seen += 1;
                    if self.n_seen > self.position {
                        self.in_table = true;
                        self.content.open_table = Some(self.content.xml.depth());
                        return Ok(());
                    }
                    self.content.xml.skip_element()?;
                    control.check()?;
                }
                Token::End => {
                    self.done = true;
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    fn read_row(&mut self, row: &mut Row) -> Result<()> {
        let mut column = 0_u64;
        loop {
            let (cell, has_content) = match self.content.xml.next()? {
                Token::Open { name: b"table-cell", attributes } => (CellHead::new(attributes), true),
                Token::Empty { name: b"table-cell" | b"covered-table-cell", attributes } => (CellHead::new(attributes), false),
                // What lies under a merged cell is not seen.
                Token::Open { name: b"covered-table-cell", attributes } => {
                    let repeat = repeat(attributes, b"number-columns-repeated");
                    self.content.xml.skip_element()?;
                    column = column.saturating_add(repeat);
                    continue;
                }
                Token::Close { name: b"table-row" } | Token::End => return Ok(()),
                _ => continue,
            };
            let begin = row.text.len();
            if has_content {
                self.read_text(&mut row.text)?;
            }
            let first = column;
            column = column.saturating_add(cell.repeat);
            cell.finish(row, begin, &mut self.notes, first);
            if begin == row.text.len() {
                continue;
            }
            if column > u64::from(MAX_COLUMNS) {
                return Err(self.content.xml.damaged(&format!("row {} has more than {MAX_COLUMNS} columns", row.number)));
            }
            for column in first..column {
                row.end_cell(column as u32, begin);
            }
            self.budget.check(row)?;
        }
    }

    /// Collects the paragraphs of the cell that was just opened, up to its end.
    fn read_text(&mut self, text: &mut String) -> Result<()> {
        let begin = text.len();
        let mut in_paragraph = 0_usize;
        let mut n_paragraphs = 0;
        loop {
            let failure = match self.content.xml.next()? {
                Token::Open { name: b"p" | b"h", .. } => {
                    in_paragraph += 1;
                    if n_paragraphs > 0 {
                        text.push('\n');
                    }
                    n_paragraphs += 1;
                    None
                }
                Token::Empty { name: b"p" | b"h", .. } => {
                    if n_paragraphs > 0 {
                        text.push('\n');
                    }
                    n_paragraphs += 1;
                    None
                }
                Token::Close { name: b"p" | b"h" } => {
                    in_paragraph = in_paragraph.saturating_sub(1);
                    None
                }
                Token::Empty { name: b"s", attributes } | Token::Open { name: b"s", attributes } if in_paragraph > 0 => {
                    let count = attribute_number(attributes, b"c").unwrap_or(1);
                    if count > self.max_text as u64 || text.len() - begin > self.max_text {
                        Some("a cell is longer than is allowed (limit `cell_bytes`)")
                    } else {
                        text.extend(std::iter::repeat_n(' ', count as usize));
                        None
                    }
                }
                Token::Empty { name: b"tab", .. } if in_paragraph > 0 => {
                    text.push('\t');
                    None
                }
                Token::Empty { name: b"line-break", .. } if in_paragraph > 0 => {
                    text.push('\n');
                    None
                }
                // Comments, drawings and nested tables are not the cell's value.
                Token::Open { name: b"annotation" | b"frame" | b"table" | b"custom-shape" | b"control" | b"ruby-text", .. } => {
                    self.content.xml.skip_element()?;
                    None
                }
                Token::Text(raw) if in_paragraph > 0 => push_collapsed(text, raw).err(),
                Token::Literal(raw) if in_paragraph > 0 => push_literal(text, raw).err(),
                Token::Close { name: b"table-cell" | b"covered-table-cell" } | Token::End => return Ok(()),
                _ => None,
            };
            if let Some(reason) = failure {
                return Err(self.content.xml.damaged(reason));
            }
        }
    }
}

impl RowSource for OdsRows {
    fn next_row(&mut self, row: &mut Row, control: &dyn Control) -> Result<bool> {
        if let Some((source, left)) = &mut self.repeated {
            row.clone_from(source);
            source.number += 1;
            *left -= 1;
            if *left == 0 {
                self.repeated = None;
            }
            self.n_rows += 1;
            if self.n_rows.is_multiple_of(256) {
                control.check()?;
            }
            self.budget.spend(row)?;
            return Ok(true);
        }
        if !self.in_table && !self.done {
            self.find_table(control)?;
        }
        while !self.done {
            let (repeat, is_hidden, is_empty) = match self.content.xml.next()? {
                Token::Open { name: b"table-row", attributes } => row_head(attributes, false),
                Token::Empty { name: b"table-row", attributes } => row_head(attributes, true),
                Token::Empty { name: b"table-column", attributes } | Token::Open { name: b"table-column", attributes } => {
                    let first = self.next_column_definition;
                    self.next_column_definition = first.saturating_add(repeat(attributes, b"number-columns-repeated"));
                    let is_hidden = attribute(attributes, b"visibility").is_some_and(|visibility| visibility != b"visible");
                    // Columns hidden up to the last possible one hold nothing.
                    if is_hidden && self.next_column_definition < u64::from(MAX_COLUMNS) {
                        for column in first..self.next_column_definition {
                            self.notes.hidden_columns.add(|| format!("column {}", column_letters(column as u32)));
                        }
                    }
                    continue;
                }
                // Shapes on the sheet may hold tables of their own.
                Token::Open { name: b"shapes" | b"forms" | b"table", .. } => {
                    self.content.xml.skip_element()?;
                    continue;
                }
                Token::Close { name: b"table" } | Token::End => {
                    self.done = true;
                    self.content.open_table = None;
                    continue;
                }
                _ => continue,
            };
            self.n_rows += 1;
            if self.n_rows.is_multiple_of(256) {
                control.check()?;
            }
            let number = self.next_row;
            self.next_row = number.saturating_add(repeat);
            row.clear(number);
            if !is_empty {
                self.read_row(row)?;
            }
            if row.cells.is_empty() {
                continue;
            }
            if self.next_row - 1 > MAX_ROWS {
                return Err(self.content.xml.damaged(&format!("a row is beyond the last one that a sheet can have ({MAX_ROWS})")));
            }
            if is_hidden {
                self.notes.hidden_rows.add(|| format!("row {number}"));
            }
            self.budget.spend(row)?;
            if repeat > 1 {
                let mut next = row.clone();
                next.number += 1;
                self.repeated = Some((next, repeat - 1));
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn notes(&self) -> &Notes {
        &self.notes
    }

    fn close(self: Box<Self>) {
        self.parked.park(self.n_seen, self.content);
    }
}

fn row_head(attributes: &[u8], is_empty: bool) -> (u64, bool, bool) {
    let is_hidden = attribute(attributes, b"visibility").is_some_and(|visibility| visibility != b"visible");
    (repeat(attributes, b"number-rows-repeated"), is_hidden, is_empty)
}
