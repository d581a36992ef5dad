//! The end of a table: rows that sum up the others, and notes below them.
use super::columns::ColumnBuilder;
use super::dialect::LineEnd;
use super::kind::{Kind, kind_of};
use super::layout::Layout;
use super::pending::Pending;
use super::rows::Rows;
use crate::Skipped;

/// Bytes at the end of a text in which full rows may be totals and notes.
pub(super) const TAIL_BYTES: usize = 64 << 10;

/// The end of a text.
pub(super) struct Tail<'a> {
    text: &'a [u8],
    line_end: LineEnd,
    first_line: u64,
}

impl<'a> Tail<'a> {
    /// The last `n_bytes` of `text`, from the beginning of a line on; `text` begins with line `line`.
    pub(super) fn new(text: &'a [u8], line: u64, line_end: LineEnd, n_bytes: usize) -> Self {
        let start = match text.len().checked_sub(n_bytes) {
            None | Some(0) => 0,
            // A line that begins just there belongs to it.
            Some(from) => line_end.next_line(&text[from - 1..]).map_or(text.len(), |offset| from - 1 + offset),
        };
        Self { text: &text[start..], line_end, first_line: line + line_end.count(&text[..start]) }
    }

    /// The lines from `line` to the one before `next`, without line ends behind them.
    fn lines(&self, line: u64, next: Option<u64>) -> &'a [u8] {
        let start_of = |line: u64| {
            (self.first_line..line).fold(0, |at, _| at + self.line_end.next_line(&self.text[at..]).unwrap_or(self.text.len() - at))
        };
        let end = next.map_or(self.text.len(), start_of);
        let lines = &self.text[start_of(line).min(end)..end];
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r') || *byte == self.line_end.byte();
        &lines[..lines.iter().rposition(|byte| !is_end(byte)).map_or(0, |at| at + 1)]
    }
}

impl Rows {
    /// At the end of the file: pending rows are footers where they look so, and the last full rows of `tail`, of which there may be
    /// `max_rows`, totals or notes. `is_all` says that no row precedes these.
    pub(super) fn finish(&mut self, layout: &Layout, tail: &Tail<'_>, max_rows: usize, is_all: bool) {
        self.finish_pending(layout);
        let first = self.source_rows.partition_point(|row| *row < tail.first_line);
        if self.source_rows.len() - first < max_rows {
            // A table of such rows alone is a table.
            self.finish_full_rows(layout, tail, first.max(usize::from(is_all)));
        }
        self.skipped.sort_by_key(|skipped| skipped.row);
    }

    fn finish_pending(&mut self, layout: &Layout) {
        let n_columns = layout.n_columns();
        if self.context.pending.len() > 1 && self.context.pending.iter().any(|pending| pending.cells.len() > 1) {
            let footers = self.context.pending.iter().rposition(|pending| pending.cells.len() > 1).map_or(0, |idx| idx + 1);
            let notes = self.context.pending.split_off(footers);
            self.release_if_other_table(layout);
            self.context.pending.extend(notes);
        }
        self.join_broken_rows(layout);
        let pending = std::mem::take(&mut self.context.pending);
        let n_cells_of_data = self.context.n_cells_of_data;
        // Footers come last: whatever precedes the first row that cannot be data is data.
        let is_footer = |row: &Pending| {
            if reaches_someone(layout, row.cells.iter().map(Vec::as_slice)) || n_cells_of_data == Some(row.cells.len()) {
                return false;
            }
            let n_filled = row.cells.iter().filter(|cell| !cell.trim_ascii().is_empty()).count();
            let is_foreign = || row.cells.first().zip(layout.columns.first()).is_some_and(|(cell, looks)| looks.refuses(cell));
            n_columns >= 3 && n_filled <= 2 && (n_filled * 2 < n_columns.max(4) || is_foreign())
                || is_total(row.cells.iter().map(Vec::as_slice))
        };
        let first_footer = pending.iter().rposition(|row| !is_footer(row)).map_or(0, |idx| idx + 1);
        for (idx, pending) in pending.into_iter().enumerate() {
            if idx >= first_footer {
                self.skipped.push(Skipped { row: pending.row, reason: "footer".to_owned(), raw: pending.raw });
            } else {
                self.push_short(&pending);
            }
        }
        self.settle();
    }

    fn finish_full_rows(&mut self, layout: &Layout, tail: &Tail<'_>, n_kept: usize) {
        while self.source_rows.len() > n_kept {
            let row = self.source_rows.len() - 1;
            let cells = || self.columns.iter().map(|column| column.get(row));
            let reason = if layout.n_columns() >= 2 && is_total(cells()) && !reaches_someone(layout, cells()) {
                "total"
            } else if self.is_note(layout, row) {
                "footer"
            } else {
                break;
            };
            for column in &mut self.columns {
                column.pop();
            }
            if let Some(row) = self.source_rows.pop() {
                let next = self.skipped.iter().map(|skipped| skipped.row).filter(|other| *other > row).min();
                let raw = self.raw(tail.lines(row, next));
                self.skipped.push(Skipped { row, reason: reason.to_owned(), raw });
            }
        }
    }

    /// Whether a full row at the end is a note padded with delimiters: only its first cell is filled, where others always are.
    fn is_note(&self, layout: &Layout, row: usize) -> bool {
        let is_filled = |column: &ColumnBuilder| !column.get(row).trim_ascii().is_empty();
        let Some((first, others)) = self.columns.split_first() else { return false };
        let n_missing = layout.columns[1..].iter().filter(|looks| looks.is_always_filled()).count();
        others.len() >= 2
            && is_filled(first)
            && !others.iter().any(is_filled)
            && n_missing > 0
            && (layout.columns[0].refuses(first.get(row))
                || layout.columns[0].has_no_other_words(first.get(row))
                || first.get(row).split(|byte| *byte == b' ').count() >= 3 && n_missing >= 2)
    }
}

/// Whether one of the cells is an e-mail address or a phone, in a column of such: then the row is a contact's, however short.
pub(super) fn reaches_someone<'a>(layout: &Layout, cells: impl Iterator<Item = &'a [u8]>) -> bool {
    layout.columns.iter().zip(cells).any(|(looks, cell)| {
        let kind = kind_of(cell);
        // Digits behind a plus are a number by their look.
        let is_phone = kind == Kind::Phone || cell.first() == Some(&b'+') && cell.len() > 7;
        (kind == Kind::Email || is_phone) && looks.strict_kind() == Some(kind)
    })
}

/// Whether a row sums up the others: its first filled cell says so, and the rest is empty or numbers.
pub(super) fn is_total<'a>(cells: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut filled = cells.filter(|cell| !cell.trim_ascii().is_empty());
    let Some(first) = filled.next().and_then(|cell| std::str::from_utf8(cell).ok()) else { return false };
    let word = first.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    TOTAL_WORDS.contains(&word.as_str())
        && filled.all(|cell| matches!(kind_of(cell), Kind::Number | Kind::Phone) && cell.first() != Some(&b'+'))
}

const TOTAL_WORDS: [&str; 32] = [
    "total",
    "totals",
    "grand total",
    "sum",
    "subtotal",
    "sub total",
    "sub-total",
    "count",
    "average",
    "итого",
    "всего",
    "итог",
    "сумма",
    "итого по странице",
    "общий итог",
    "всего записей",
    "kopā",
    "pavisam",
    "summa",
    "viso",
    "iš viso",
    "kokku",
    "summe",
    "gesamt",
    "gesamtsumme",
    "razem",
    "suma",
    "suma całkowita",
    "totale",
    "total général",
    "totaal",
    "yhteensä",
];
