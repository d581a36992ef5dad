//! Going through a page from cell to cell.
use std::collections::VecDeque;

use crm_core::{Control, Error, Result};

use super::super::html_text::{BLOCK_EDGE, LINE_BREAK, seen_text};
use super::super::html_tokens::{HtmlToken, HtmlTokens, html_attribute};
use super::HtmlPage;
use crate::text::DecodedInput;

/// Tables within tables, at most.
const MAX_DEPTH: usize = 100;
/// Columns and rows that a cell can span, as in browsers.
const MAX_COLUMNS_SPANNED: u32 = 1_000;
const MAX_ROWS_SPANNED: u32 = 65_534;

/// A cell of a table.
pub(in super::super) struct Cell {
    pub table: usize,
    /// From 1.
    pub row: u64,
    /// Cells before it in its row, whatever they span.
    pub number_in_row: u32,
    pub columns: u32,
    pub rows: u32,
    pub text: String,
    /// It is longer than its text.
    pub is_cut: bool,
}

pub(in super::super) enum Event {
    Cell(Cell),
    /// A table has ended.
    Table {
        number: usize,
        has_tables: bool,
    },
}

struct OpenTable {
    number: usize,
    row: u64,
    in_row: bool,
    n_cells_in_row: u32,
    /// Columns and rows that the open cell spans.
    cell: Option<(u32, u32)>,
    text: Vec<u8>,
    /// The cell is longer than its text may be.
    is_cut: bool,
    has_tables: bool,
}

impl OpenTable {
    /// Adds to the text of the open cell, up to `max_cell` bytes of it; blanks and marks that it would begin with are not seen.
    fn add(&mut self, text: &[u8], max_cell: usize) {
        let is_unseen = |byte: &u8| byte.is_ascii_whitespace() || matches!(*byte, LINE_BREAK | BLOCK_EDGE);
        let text = match self.text.is_empty() {
            true => &text[text.iter().take_while(|byte| is_unseen(byte)).count()..],
            false => text,
        };
        self.is_cut |= self.cell.is_some() && self.text.len() + text.len() > max_cell;
        if self.cell.is_some() && !self.is_cut {
            self.text.extend_from_slice(text);
        }
    }
}

/// Goes through a page and yields the cells of all its tables, each when it ends.
pub(in super::super) struct Walk {
    tokens: HtmlTokens<DecodedInput>,
    file: String,
    max_cell: usize,
    max_tables: usize,
    stack: Vec<OpenTable>,
    /// Tables that have begun.
    pub n_tables: usize,
    events: VecDeque<Event>,
    n_steps: u64,
}

impl Walk {
    /// A walk from the beginning, and the encoding of the page.
    pub fn new(page: &HtmlPage) -> Result<(Self, String)> {
        let (input, encoding) = page.decoded(declared_charset)?;
        let file = page.name();
        let walk = Self {
            tokens: HtmlTokens::new(input, &file),
            file,
            max_cell: page.max_cell,
            max_tables: page.limits.sheets,
            stack: Vec::new(),
            n_tables: 0,
            events: VecDeque::new(),
            n_steps: 0,
        };
        Ok((walk, encoding))
    }

    /// The next event, `None` at the end of the page.
    pub fn next(&mut self, control: &dyn Control) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            self.n_steps += 1;
            if self.n_steps.is_multiple_of(4096) {
                control.check()?;
            }
            match self.tokens.next()? {
                HtmlToken::End => {
                    if self.stack.is_empty() {
                        return Ok(None);
                    }
                    self.end_table();
                }
                HtmlToken::Text(text) => {
                    if let Some(table) = self.stack.last_mut() {
                        table.add(text, self.max_cell);
                    }
                }
                HtmlToken::Open { name, attributes } => match name.to_ascii_lowercase().as_slice() {
                    b"table" => self.begin_table()?,
                    b"tr" => self.begin_row(),
                    b"td" | b"th" => {
                        let spans = (span(attributes, b"colspan", MAX_COLUMNS_SPANNED), span(attributes, b"rowspan", MAX_ROWS_SPANNED));
                        self.begin_cell(spans);
                    }
                    b"thead" | b"tbody" | b"tfoot" => self.end_row(),
                    b"br" => self.mark(LINE_BREAK),
                    name if is_block(name) => self.mark(BLOCK_EDGE),
                    _ => {}
                },
                HtmlToken::Close { name } => match name.to_ascii_lowercase().as_slice() {
                    b"table" => self.end_table(),
                    b"tr" | b"thead" | b"tbody" | b"tfoot" => self.end_row(),
                    b"td" | b"th" => self.end_cell(),
                    name if is_block(name) => self.mark(BLOCK_EDGE),
                    _ => {}
                },
            }
        }
    }

    fn mark(&mut self, mark: u8) {
        if let Some(table) = self.stack.last_mut() {
            table.add(&[mark], self.max_cell);
        }
    }

    fn begin_table(&mut self) -> Result<()> {
        let refuse = |reason: String| Err(Error::file_format(&*self.file, format!("{}: {reason}", self.file)));
        if self.stack.len() >= MAX_DEPTH {
            return refuse(format!("tables within tables, more than {MAX_DEPTH} deep"));
        }
        if self.n_tables >= self.max_tables {
            return refuse(format!("more than the {} tables allowed (limit `sheets`)", self.max_tables));
        }
        if let Some(outer) = self.stack.last_mut() {
            outer.has_tables = true;
        }
        let number = self.n_tables;
        self.n_tables += 1;
        self.stack.push(OpenTable {
            number,
            row: 0,
            in_row: false,
            n_cells_in_row: 0,
            cell: None,
            text: Vec::new(),
            is_cut: false,
            has_tables: false,
        });
        Ok(())
    }

    fn begin_row(&mut self) {
        self.end_row();
        if let Some(table) = self.stack.last_mut() {
            (table.in_row, table.n_cells_in_row) = (true, 0);
            table.row += 1;
        }
    }

    fn begin_cell(&mut self, spans: (u32, u32)) {
        self.end_cell();
        if self.stack.last().is_some_and(|table| !table.in_row) {
            self.begin_row();
        }
        if let Some(table) = self.stack.last_mut() {
            table.cell = Some(spans);
            table.text.clear();
            table.is_cut = false;
        }
    }

    fn end_cell(&mut self) {
        let Some(table) = self.stack.last_mut() else { return };
        let Some((columns, rows)) = table.cell.take() else { return };
        let mut text = seen_text(&table.text);
        if table.is_cut && text.is_empty() {
            // What is left out may not be blank.
            text.push_str("...");
        }
        self.events.push_back(Event::Cell(Cell {
            table: table.number,
            row: table.row,
            number_in_row: table.n_cells_in_row,
            columns,
            rows,
            text,
            is_cut: table.is_cut,
        }));
        table.n_cells_in_row += 1;
    }

    fn end_row(&mut self) {
        self.end_cell();
        if let Some(table) = self.stack.last_mut() {
            table.in_row = false;
        }
    }

    fn end_table(&mut self) {
        self.end_row();
        if let Some(table) = self.stack.pop() {
            self.events.push_back(Event::Table { number: table.number, has_tables: table.has_tables });
        }
    }
}

/// How many columns or rows a cell says that it spans.
fn span(attributes: &[u8], name: &[u8], most: u32) -> u32 {
    let number = html_attribute(attributes, name).and_then(|value| std::str::from_utf8(value).ok()?.trim().parse::<u32>().ok());
    match number {
        // To the end of the table, for rows.
        Some(0) if most == MAX_ROWS_SPANNED => most,
        Some(number) => number.clamp(1, most),
        None => 1,
    }
}

fn is_block(name: &[u8]) -> bool {
    matches!(name, b"p" | b"div" | b"li" | b"ul" | b"ol" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"hr" | b"option")
}

/// The encoding that a `<meta>` tag names.
fn declared_charset(head: &[u8]) -> Option<String> {
    let head = head[..head.len().min(16 << 10)].to_ascii_lowercase();
    let at = memchr::memmem::find(&head, b"charset=")? + 8;
    let label: Vec<u8> = head[at..]
        .iter()
        .copied()
        .skip_while(|byte| matches!(byte, b'"' | b'\'' | b' '))
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        .collect();
    String::from_utf8(label).ok().filter(|label| !label.is_empty())
}
