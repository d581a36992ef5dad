//! Rows that end early: titles of pages, and parts of a row that a line break cut.
use super::layout::Layout;
use super::rows::{Pending, Rows, reaches_someone};
use crate::Skipped;

impl Rows {
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
        for title in self.context.pending.split_off(n_data) {
            self.skipped.push(Skipped { row: title.row, reason: "title".to_owned(), raw: title.raw });
        }
    }

    /// Short rows that follow each other and are one row together: a line break stood within a cell that has no quotes. Put together
    /// where every cell then fits its column, and the parts for themselves do not.
    pub(super) fn join_broken_rows(&mut self, layout: &Layout) {
        let n_columns = layout.n_columns();
        let mut at = 0;
        while at + 1 < self.context.pending.len() && n_columns >= 3 {
            let mut n_cells = self.context.pending[at].cells.len();
            let mut end = at + 1;
            while n_cells < n_columns
                && let Some(next) = self.context.pending.get(end)
                && next.row == self.context.pending[end - 1].row + self.context.pending[end - 1].n_lines
            {
                n_cells += next.cells.len() - 1;
                end += 1;
            }
            if n_cells == n_columns
                && end > at + 1
                && let Some(joined) = joined_row(layout, &self.context.pending[at..end])
            {
                let row = self.context.pending[at].row;
                // In their order: what waits before it is data, or the beginning of another row.
                let before: Vec<Pending> = self.context.pending.drain(..end).take(at).collect();
                before.into_iter().for_each(|pending| self.push_short(&pending));
                self.notes.broken_line.add(row);
                self.push(joined.iter().map(Vec::as_slice), row);
                at = 0;
            } else {
                at += 1;
            }
        }
    }
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
