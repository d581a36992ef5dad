//! Tables of web pages: many systems name such a page `.xls` and call it an Excel export.
//!
//! Each `<table>` is a sheet, counted in the order of the page. A cell that spans several has its value in the first of them, as in workbooks;
//! a table within a cell is a sheet of its own. Tables that only place things on the page (those with tables in them, and small ones beside
//! a large one) are hidden sheets.
use std::sync::Arc;

use crm_core::{Control, Error, Result};

use super::document::Document;
use super::sheet::{CellBudget, MAX_COLUMNS, Notes, Row, RowSource, place};

mod walk;

use walk::{Cell, Event, Walk};

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

/// A page that is walked through.
pub(super) type HtmlPage = Document<Walk>;

/// What was found out about a table while listing.
#[derive(Default)]
struct Facts {
    n_rows: u64,
    last_row: u64,
    n_columns: u32,
    n_cells: u64,
    has_tables: bool,
}

/// The tables of a page that have text, and the encoding of the page.
pub(super) fn list(page: &HtmlPage, control: &dyn Control) -> Result<(Vec<HtmlTable>, String)> {
    let (mut walk, encoding) = Walk::new(page)?;
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

/// The rows of one table.
pub(super) struct HtmlRows {
    page: Arc<HtmlPage>,
    walk: Walk,
    table: usize,
    notes: Notes,
    budget: CellBudget,
    /// Per column the last row that a cell above or before takes up.
    taken_to: Vec<u64>,
    row: u64,
    next_column: usize,
    /// The first cell of the row after the one handed out.
    ahead: Option<Cell>,
    done: bool,
}

impl HtmlRows {
    pub fn new(page: &Arc<HtmlPage>, table: &HtmlTable) -> Result<Self> {
        let (_, walk) = page.parked.reader(table.number, || Ok(Walk::new(page)?.0))?;
        Ok(Self {
            page: page.clone(),
            walk,
            table: table.number,
            notes: Notes::default(),
            budget: CellBudget::new(&page.name(), &page.limits),
            taken_to: Vec::new(),
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
            (self.row, self.next_column) = (cell.row, 0);
        }
        while self.taken_to.get(self.next_column).is_some_and(|last| *last >= cell.row) {
            self.next_column += 1;
        }
        let (first, end) = (self.next_column, self.next_column + cell.columns as usize);
        if end > MAX_COLUMNS as usize {
            let file = self.page.name();
            return Err(Error::file_format(&*file, format!("{file}: row {} of the table has more than {MAX_COLUMNS} columns", cell.row)));
        }
        if self.taken_to.len() < end {
            self.taken_to.resize(end, 0);
        }
        let last_row = cell.row + u64::from(cell.rows) - 1;
        self.taken_to[first..end].iter_mut().for_each(|last| *last = (*last).max(last_row));
        self.next_column = end;
        if (cell.columns > 1 || cell.rows > 1) && !cell.text.is_empty() {
            self.notes.merged.add(cell.row, || place(cell.row, first as u32));
        }
        let begin = row.text.len();
        row.text.push_str(&cell.text);
        self.notes.check_text(row, first as u32, begin);
        row.end_cell(first as u32, begin);
        row.cut = row.cut.or(cell.is_cut.then_some(first as u32));
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

    fn close(self: Box<Self>) {
        self.page.parked.park(self.walk.n_tables, self.walk);
    }
}
