//! Rows that end early: titles of pages, and parts of a row that a line break cut.
use super::footers::reaches_someone;
use super::layout::Layout;
use super::rows::{OTHER_TABLE, Rows};
use crate::{Reject, Skipped};

/// Rows that wait, at most: the lines of one row, the titles of a page, the footers of the table.
pub(super) const MAX_PENDING: usize = 32;

/// A row that ended early.
pub(super) struct Pending {
    pub row: u64,
    pub n_lines: u64,
    pub raw: String,
    pub cells: Vec<Vec<u8>>,
    pub after_blank: bool,
}

impl Rows {
    /// Takes in one more; of too many the first one is decided on.
    pub(super) fn wait(&mut self, layout: &Layout, pending: Pending) {
        self.context.pending.push(pending);
        if self.context.pending.len() > MAX_PENDING {
            self.release_if_other_table(layout);
            if !self.context.pending.is_empty() && !self.join_first_rows(layout) {
                let first = self.context.pending.remove(0);
                self.context.n_cells_of_data = Some(first.cells.len());
                self.push_short(&first);
            }
        }
    }

    /// Decides on the pending rows: the first rows of another table, or data.
    pub(super) fn release_pending_of(&mut self, layout: &Layout) {
        self.release_if_other_table(layout);
        self.release_data(layout);
    }

    /// Rows that ended early are data after all, whole or in parts.
    pub(super) fn release_data(&mut self, layout: &Layout) {
        self.join_broken_rows(layout);
        for pending in std::mem::take(&mut self.context.pending) {
            self.push_short(&pending);
        }
        self.settle();
    }

    /// Nothing waits any more.
    pub(super) fn settle(&mut self) {
        self.context.n_cells_of_data = None;
        self.skipped.append(&mut self.context.blanks);
    }

    pub(super) fn push_short(&mut self, pending: &Pending) {
        self.notes.short.add(pending.row);
        self.push(pending.cells.iter().map(Vec::as_slice), pending.row);
    }

    pub(super) fn release_if_other_table(&mut self, layout: &Layout) {
        let Some(first) = self.context.pending.first().filter(|first| first.after_blank) else { return };
        // It may have a title of one cell.
        let table = &self.context.pending[usize::from(first.cells.len() == 1)..];
        let n_cells = table.first().map_or(0, |row| row.cells.len());
        let is_even = n_cells >= 2 && table.iter().all(|pending| pending.cells.len() == n_cells);
        let refused = |row: &Pending| row.cells.iter().zip(&layout.columns).any(|(cell, looks)| looks.refuses(cell));
        if is_even && (table.len() >= 3 || table.len() == 2 && table.first().is_some_and(refused)) {
            self.context.in_other_table = true;
            for pending in std::mem::take(&mut self.context.pending) {
                self.rejects.push(Reject { row: pending.row, column: None, reason: OTHER_TABLE.to_owned(), raw: pending.raw });
            }
            self.settle();
        }
    }

    /// Lines of one cell above a repeated header belong to the page that begins: `Page 2`.
    pub(super) fn skip_page_titles(&mut self, layout: &Layout) {
        if layout.n_columns() < 3 {
            return;
        }
        let is_title = |row: &Pending| {
            row.cells.iter().filter(|cell| !cell.trim_ascii().is_empty()).count() == 1
                && !reaches_someone(layout, row.cells.iter().map(Vec::as_slice))
        };
        let n_data = self.context.pending.iter().rposition(|row| !is_title(row)).map_or(0, |idx| idx + 1);
        let titles = self.context.pending.split_off(n_data);
        self.context.blanks.extend(titles.into_iter().map(|title| Skipped { row: title.row, reason: "title".to_owned(), raw: title.raw }));
        self.context.blanks.sort_by_key(|skipped| skipped.row);
    }

    /// Short rows that follow each other and are one row together: a line break stood within a cell that has no quotes. Put together
    /// where every cell then fits its column, and the parts for themselves do not. What stands before such rows is data.
    pub(super) fn join_broken_rows(&mut self, layout: &Layout) {
        while !self.context.pending.is_empty() {
            let n_pending = self.context.pending.len();
            let Some(at) = (0..n_pending).find(|at| joined_at(layout, &self.context.pending[*at..]).is_some()) else { return };
            for pending in self.context.pending.drain(..at).collect::<Vec<_>>() {
                self.push_short(&pending);
            }
            self.join_first_rows(layout);
        }
    }

    /// Puts the first of the pending rows together, if they are one.
    fn join_first_rows(&mut self, layout: &Layout) -> bool {
        let Some((n_parts, joined)) = joined_at(layout, &self.context.pending) else { return false };
        let row = self.context.pending[0].row;
        self.context.pending.drain(..n_parts);
        self.notes.broken_line.add(row);
        self.push(joined.iter().map(Vec::as_slice), row);
        true
    }
}

/// How many of the first pending rows are one row together, and that row.
fn joined_at(layout: &Layout, pending: &[Pending]) -> Option<(usize, Vec<Vec<u8>>)> {
    let n_columns = layout.n_columns();
    let mut n_cells = pending.first().filter(|_| n_columns >= 3)?.cells.len();
    let mut end = 1;
    while n_cells < n_columns {
        let (last, next) = (&pending[end - 1], pending.get(end)?);
        if next.row != last.row + last.n_lines {
            return None;
        }
        n_cells += next.cells.len() - 1;
        end += 1;
    }
    if n_cells > n_columns {
        return None;
    }
    joined_row(layout, &pending[..end]).map(|joined| (end, joined))
}

/// The row that short ones are together, where that is certain.
fn joined_row(layout: &Layout, parts: &[Pending]) -> Option<Vec<Vec<u8>>> {
    let mut joined: Vec<Vec<u8>> = Vec::with_capacity(layout.n_columns());
    for part in parts {
        let mut cells = part.cells.iter();
        if let (Some(open), Some(first)) = (joined.last_mut(), cells.as_slice().first()) {
            open.push(b'\n');
            open.extend_from_slice(first);
            cells.next();
        }
        joined.extend(cells.cloned());
    }
    let fits = |cells: &[Vec<u8>]| cells.iter().zip(&layout.columns).all(|(cell, looks)| looks.accepts(cell));
    (fits(&joined) && parts[1..].iter().any(|part| !fits(&part.cells))).then_some(joined)
}
