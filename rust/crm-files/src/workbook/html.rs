//! Tables of web pages: many systems name such a page `.xls` and call it an Excel export.
//!
//! Each `<table>` is a sheet, counted in the order of the page. A cell that spans several has its value in the first of them, as in workbooks;
//! a table within a cell is a sheet of its own. Tables that only place things on the page (those with tables in them, and small ones beside
//! a large one) are hidden sheets.
use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;

use crm_core::{Control, Error, Result};

use super::WorkbookLimits;
use super::html_text::{BLOCK_EDGE, LINE_BREAK, seen_text};
use super::html_tokens::{HtmlToken, HtmlTokens, html_attribute};
use super::sheet::{CellBudget, MAX_COLUMNS, Notes, Row, RowSource, place};
use crate::text::DecodedInput;

/// Tables within tables, at most.
const MAX_DEPTH: usize = 100;
/// Columns and rows that a cell can span, as in browsers.
const MAX_COLUMNS_SPANNED: u32 = 1_000;
const MAX_ROWS_SPANNED: u32 = 65_534;
/// A table of so many rows and columns is one of data, however large others are.
const DATA_ROWS: u64 = 3;
const DATA_COLUMNS: u32 = 2;

/// A table as the page lists it.
#[derive(Debug, Clone)]
pub(super) struct HtmlTable {
    pub name: String,
    pub hidden: bool,
    /// Its number in the page, tables without text counted.
    number: usize,
}

/// The page, the limits for it, and the encoding where the caller told it.
#[derive(Clone)]
pub(super) struct HtmlPage {
    pub path: std::path::PathBuf,
    pub encoding: Option<String>,
    pub limits: WorkbookLimits,
    pub max_cell: usize,
}

impl HtmlPage {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn walk(&self) -> Result<Walk> {
        let name = self.name();
        let (input, _) = decoded(&self.path, self.encoding.as_deref())?;
        Ok(Walk {
            tokens: HtmlTokens::new(input, &name),
            file: name,
            max_cell: self.max_cell,
            max_tables: self.limits.sheets,
            stack: Vec::new(),
            n_tables: 0,
            events: VecDeque::new(),
            n_steps: 0,
        })
    }
}

fn decoded(path: &Path, encoding: Option<&str>) -> Result<(DecodedInput, String)> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Error::os(&error, &*name))?;
    DecodedInput::open(&name, Box::new(file), encoding, declared_charset)
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

/// What was found out about a table while listing.
#[derive(Default)]
struct Facts {
    n_rows: u64,
    last_row: u64,
    n_columns: u32,
    n_cells: u64,
    has_tables: bool,
}

/// The tables of a page that have text.
pub(super) fn list(page: &HtmlPage, control: &dyn Control) -> Result<(Vec<HtmlTable>, String)> {
    let encoding = decoded(&page.path, page.encoding.as_deref())?.1;
    let mut walk = page.walk()?;
    let mut facts: Vec<Facts> = Vec::new();
    while let Some(event) = walk.next(control)? {
        if facts.len() < walk.n_tables {
            facts.resize_with(walk.n_tables, Facts::default);
        }
        match event {
            Event::Cell(cell) if !cell.text.is_empty() => {
                let facts = &mut facts[cell.table];
                facts.n_cells += 1;
                facts.n_rows += u64::from(facts.last_row != cell.row);
                facts.last_row = cell.row;
                facts.n_columns = facts.n_columns.max(cell.number_in_row + 1);
            }
            Event::Cell(_) => {}
            Event::Table { number, has_tables } => facts[number].has_tables = has_tables,
        }
    }
    let largest = facts.iter().filter(|facts| !facts.has_tables).map(|facts| facts.n_cells).max().unwrap_or(0);
    let is_data =
        |facts: &Facts| !facts.has_tables && (facts.n_cells == largest || facts.n_rows >= DATA_ROWS && facts.n_columns >= DATA_COLUMNS);
    let tables = facts.iter().enumerate().filter(|(_, facts)| facts.n_cells > 0);
    let tables = tables.map(|(number, facts)| HtmlTable { name: format!("table {}", number + 1), hidden: !is_data(facts), number });
    let tables: Vec<HtmlTable> = tables.collect();
    if tables.is_empty() {
        let name = page.name();
        return Err(Error::file_format(
            &*name,
            format!("{name}: is a web page (HTML) without a table, whatever its name says; export the table as XLSX or CSV"),
        ));
    }
    Ok((tables, encoding))
}

/// A cell of a table.
struct Cell {
    table: usize,
    /// From 1.
    row: u64,
    /// Cells before it in its row, whatever they span.
    number_in_row: u32,
    columns: u32,
    rows: u32,
    text: String,
}

enum Event {
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
    has_tables: bool,
}

/// Goes through a page and yields the cells of all its tables, each when it ends.
struct Walk {
    tokens: HtmlTokens<DecodedInput>,
    file: String,
    max_cell: usize,
    max_tables: usize,
    stack: Vec<OpenTable>,
    n_tables: usize,
    events: VecDeque<Event>,
    n_steps: u64,
}

impl Walk {
    fn next(&mut self, control: &dyn Control) -> Result<Option<Event>> {
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
                    if let Some(table) = self.stack.last_mut().filter(|table| table.cell.is_some() && table.text.len() <= self.max_cell) {
                        table.text.extend_from_slice(text);
                    }
                }
                HtmlToken::Open { name, attributes } => {
                    let span = |name: &[u8], most: u32| {
                        let number =
                            html_attribute(attributes, name).and_then(|value| std::str::from_utf8(value).ok()?.trim().parse::<u32>().ok());
                        match number {
                            // To the end of the table, for rows.
                            Some(0) if most == MAX_ROWS_SPANNED => most,
                            Some(number) => number.clamp(1, most),
                            None => 1,
                        }
                    };
                    let spans = (span(b"colspan", MAX_COLUMNS_SPANNED), span(b"rowspan", MAX_ROWS_SPANNED));
                    match name.to_ascii_lowercase().as_slice() {
                        b"table" => self.begin_table()?,
                        b"tr" => self.begin_row(),
                        b"td" | b"th" => self.begin_cell(spans),
                        b"thead" | b"tbody" | b"tfoot" => self.end_row(),
                        b"br" => self.mark(LINE_BREAK),
                        name if is_block(name) => self.mark(BLOCK_EDGE),
                        _ => {}
                    }
                }
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
        if let Some(table) = self.stack.last_mut().filter(|table| table.cell.is_some()) {
            table.text.push(mark);
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
        self.stack.push(OpenTable { number, row: 0, in_row: false, n_cells_in_row: 0, cell: None, text: Vec::new(), has_tables: false });
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
        }
    }

    fn end_cell(&mut self) {
        let Some(table) = self.stack.last_mut() else { return };
        let Some((columns, rows)) = table.cell.take() else { return };
        let text = seen_text(&table.text);
        self.events.push_back(Event::Cell(Cell {
            table: table.number,
            row: table.row,
            number_in_row: table.n_cells_in_row,
            columns,
            rows,
            text,
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

fn is_block(name: &[u8]) -> bool {
    matches!(name, b"p" | b"div" | b"li" | b"ul" | b"ol" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"hr" | b"option")
}

/// The rows of one table.
pub(super) struct HtmlRows {
    walk: Walk,
    table: usize,
    notes: Notes,
    budget: CellBudget,
    /// Per column the rows, from the present one on, that a cell above or before takes up.
    taken: Vec<u32>,
    row: u64,
    next_column: usize,
    /// The first cell of the row after the one handed out.
    ahead: Option<Cell>,
    done: bool,
}

impl HtmlRows {
    pub fn new(page: &HtmlPage, table: &HtmlTable) -> Result<Self> {
        Ok(Self {
            walk: page.walk()?,
            table: table.number,
            notes: Notes::default(),
            budget: CellBudget::new(&page.name(), &page.limits),
            taken: Vec::new(),
            row: 0,
            next_column: 0,
            ahead: None,
            done: false,
        })
    }

    fn next_cell(&mut self, control: &dyn Control) -> Result<Option<Cell>> {
        if let Some(cell) = self.ahead.take() {
            return Ok(Some(cell));
        }
        while !self.done {
            match self.walk.next(control)? {
                Some(Event::Cell(cell)) if cell.table == self.table => return Ok(Some(cell)),
                Some(Event::Table { number, .. }) if number == self.table => self.done = true,
                Some(_) => {}
                None => self.done = true,
            }
        }
        Ok(None)
    }

    /// Puts a cell where the page shows it.
    fn put(&mut self, cell: &Cell, row: &mut Row) -> Result<()> {
        if cell.row != self.row {
            let n_rows = u32::try_from(cell.row - self.row).unwrap_or(u32::MAX);
            self.taken.iter_mut().for_each(|taken| *taken = taken.saturating_sub(n_rows));
            (self.row, self.next_column) = (cell.row, 0);
        }
        while self.taken.get(self.next_column).is_some_and(|taken| *taken > 0) {
            self.next_column += 1;
        }
        let (first, end) = (self.next_column, self.next_column + cell.columns as usize);
        if end > MAX_COLUMNS as usize {
            let file = &self.walk.file;
            return Err(Error::file_format(&**file, format!("{file}: row {} of the table has more than {MAX_COLUMNS} columns", cell.row)));
        }
        if self.taken.len() < end {
            self.taken.resize(end, 0);
        }
        self.taken[first..end].iter_mut().for_each(|taken| *taken = (*taken).max(cell.rows));
        self.next_column = end;
        if (cell.columns > 1 || cell.rows > 1) && !cell.text.is_empty() {
            self.notes.merged.add(|| place(cell.row, first as u32));
        }
        let begin = row.text.len();
        row.text.push_str(&cell.text);
        self.notes.check_text(row, first as u32, begin);
        row.end_cell(first as u32, begin);
        self.budget.check(row)
    }
}

impl RowSource for HtmlRows {
    fn next_row(&mut self, row: &mut Row, control: &dyn Control) -> Result<bool> {
        row.clear(0);
        while let Some(cell) = self.next_cell(control)? {
            if cell.row != row.number && !row.cells.is_empty() {
                self.ahead = Some(cell);
                break;
            }
            if cell.row != row.number {
                row.clear(cell.row);
            }
            self.put(&cell, row)?;
        }
        self.budget.spend(row)?;
        Ok(!row.cells.is_empty())
    }

    fn notes(&self) -> &Notes {
        &self.notes
    }
}
