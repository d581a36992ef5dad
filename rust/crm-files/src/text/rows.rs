//! Records to rows: which are data, which are left out and why, which are mended.
use super::columns::ColumnBuilder;
use super::escape::{escape_bytes, escape_decoded};
use super::kind::{Kind, kind_of};
use super::layout::Layout;
use super::mend::{Mend, certain_mend, join};
use super::notes::Notes;
use super::record::Record;
use crate::{Limits, Reject, Skipped};

/// Rows that end early and may turn out to be footers, at most; more of them are data.
const MAX_PENDING: usize = 32;

const OTHER_TABLE: &str = "a row of another table, which follows a blank line; cut the file there to read it";

/// Rows of a batch being built, and what was left out.
pub(super) struct Rows {
    pub columns: Vec<ColumnBuilder>,
    pub source_rows: Vec<u64>,
    pub rejects: Vec<Reject>,
    pub skipped: Vec<Skipped>,
    pub notes: Notes,
    pub context: Context,
    raw_bytes: usize,
    /// The text was in another encoding than UTF-8.
    is_decoded: bool,
}

/// What rows leave open for those that follow them in the next chunk or batch.
#[derive(Default)]
pub(super) struct Context {
    /// Rows that ended early.
    pub pending: Vec<Pending>,
    /// The row before was blank.
    after_blank: bool,
    /// Another table has begun; its rows are rejected until one fits the columns again.
    in_other_table: bool,
    /// A line has begun that is too long; what follows of it is no row.
    pub in_long_line: bool,
}

impl Context {
    /// Whether the rows that follow are read as if nothing preceded them.
    pub(super) fn is_neutral(&self) -> bool {
        self.pending.is_empty() && !self.after_blank && !self.in_other_table && !self.in_long_line
    }
}

/// A row that ended early.
pub(super) struct Pending {
    pub row: u64,
    pub n_lines: u64,
    pub raw: String,
    pub cells: Vec<Vec<u8>>,
    after_blank: bool,
}

/// What becomes of a record.
enum Place {
    Row,
    /// Its first cells; what follows is blank.
    RowCutTo(usize),
    /// Put right in the one way that fits.
    RowMended(Mend),
    Short,
    Skip(&'static str),
    Reject(Option<usize>, String),
}

impl Rows {
    pub(super) fn new(layout: &Layout, limits: &Limits, n_rows: usize) -> Self {
        Self {
            columns: (0..layout.n_columns()).map(|_| ColumnBuilder::with_capacity(n_rows)).collect(),
            source_rows: Vec::with_capacity(n_rows),
            rejects: Vec::new(),
            skipped: Vec::new(),
            notes: Notes::default(),
            context: Context::default(),
            raw_bytes: limits.raw_bytes,
            is_decoded: layout.is_decoded,
        }
    }

    /// Bytes of the cells so far.
    pub(super) fn n_bytes(&self) -> usize {
        self.columns.iter().map(|column| column.values.len()).sum()
    }

    /// Whether all cells are text; rows that are pushed one by one are known to be.
    pub(super) fn is_utf8(&self) -> bool {
        self.columns.iter().all(ColumnBuilder::is_utf8)
    }

    /// An empty line.
    pub(super) fn skip_blank(&mut self, row: u64) {
        self.skipped.push(Skipped { row, reason: "blank".to_owned(), raw: String::new() });
        self.context.after_blank = true;
    }

    /// Adds `lines` to all row numbers: a chunk counts from 0 until it is known how many lines precede it.
    pub(super) fn shift(&mut self, lines: u64) {
        self.source_rows.iter_mut().for_each(|row| *row += lines);
        self.rejects.iter_mut().for_each(|reject| reject.row += lines);
        self.skipped.iter_mut().for_each(|skipped| skipped.row += lines);
        self.context.pending.iter_mut().for_each(|pending| pending.row += lines);
        for places in self.notes.all_mut() {
            places.first.iter_mut().for_each(|row| *row += lines);
        }
    }

    /// Places one record; `raw` is its text as it stood.
    pub(super) fn add(&mut self, layout: &Layout, input: &[u8], record: &Record, raw: &[u8], row: u64) {
        let mut place = self.place(layout, input, record, raw);
        self.notice_other_table(layout, input, record, &mut place);
        let after_blank = std::mem::replace(&mut self.context.after_blank, matches!(place, Place::Skip("blank")));
        if matches!(place, Place::Skip("repeated header")) {
            self.skip_page_titles(layout);
        }
        if !matches!(place, Place::Short | Place::Skip("blank")) {
            self.release_pending_of(layout);
        }
        match place {
            Place::Row => self.push((0..record.cells.len()).map(|idx| record.cell(input, idx)), row),
            Place::RowCutTo(n) => {
                self.push((0..n).map(|idx| record.cell(input, idx)), row);
                if !layout.spare_cells {
                    self.notes.spare_delimiter.add(row);
                }
            }
            Place::RowMended(Mend::Without(first, last)) => {
                let kept = (0..record.cells.len()).filter(|idx| !(first..=last).contains(idx));
                self.push(kept.map(|idx| record.cell(input, idx)), row);
                self.notes.spare_delimiter.add(row);
            }
            Place::RowMended(Mend::Joining(first, last)) => {
                let joined = join(layout, input, record, first, last);
                let cells: Vec<&[u8]> = (0..first)
                    .map(|idx| record.cell(input, idx))
                    .chain([joined.as_slice()])
                    .chain((last + 1..record.cells.len()).map(|idx| record.cell(input, idx)))
                    .collect();
                self.push(cells.into_iter().take(layout.n_columns()), row);
                self.notes.long_mended.add(row);
            }
            Place::Short => {
                let cells = record.iter(input).map(<[u8]>::to_vec).collect();
                self.context.pending.push(Pending { row, n_lines: record.n_lines, raw: self.raw(raw), cells, after_blank });
                if self.context.pending.len() > MAX_PENDING {
                    self.release_pending_of(layout);
                }
            }
            Place::Skip(reason) => {
                let raw = self.raw(raw);
                self.skipped.push(Skipped { row, reason: reason.to_owned(), raw });
            }
            Place::Reject(column, reason) => {
                let column = column.and_then(|idx| layout.schema.fields().get(idx)).map(|field| field.name().clone());
                self.reject(row, column, reason, raw);
            }
        }
    }

    /// Rejects a row outright.
    pub(super) fn reject(&mut self, row: u64, column: Option<String>, reason: String, raw: &[u8]) {
        let raw = self.raw(raw);
        self.rejects.push(Reject { row, column, reason, raw });
    }

    pub(super) fn push<'a>(&mut self, cells: impl Iterator<Item = &'a [u8]>, row: u64) {
        let mut n_filled = 0;
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.push(Some(cell));
            n_filled += 1;
        }
        for column in &mut self.columns[n_filled..] {
            column.push(None);
        }
        self.source_rows.push(row);
    }

    fn place(&self, layout: &Layout, input: &[u8], record: &Record, raw: &[u8]) -> Place {
        let n_columns = layout.n_columns();
        let n_cells = record.cells.len();
        if let Some(comment) = &layout.syntax.comment
            && raw.starts_with(comment)
        {
            return Place::Skip("comment");
        }
        if record.is_blank(input) && !(n_columns == 1 && record.cells.first().is_some_and(|cell| cell.quoted)) {
            return Place::Skip("blank");
        }
        if is_rule(raw) && (n_columns > 1 || n_cells > 1) {
            return Place::Skip("rule");
        }
        if std::str::from_utf8(raw).is_err() {
            let column = (0..n_cells).find(|idx| std::str::from_utf8(record.cell(input, *idx)).is_err());
            return Place::Reject(column, "bytes that are no text in the file's encoding".to_owned());
        }
        if layout.header.iter().any(|header| is_header_again(header, input, record)) {
            return Place::Skip("repeated header");
        }
        if n_cells == n_columns {
            return Place::Row;
        }
        if n_cells < n_columns {
            return Place::Short;
        }
        let fits = |idx: usize| layout.columns.get(idx).is_none_or(|looks| looks.accepts(record.cell(input, idx)));
        if (n_columns..n_cells).all(|idx| record.cell(input, idx).trim_ascii().is_empty())
            && (layout.spare_cells || (0..n_columns).all(fits))
        {
            return Place::RowCutTo(n_columns);
        }
        match certain_mend(layout, input, record) {
            Some(mend) => Place::RowMended(mend),
            None => Place::Reject(
                None,
                format!(
                    "{n_cells} cells where the header has {n_columns}: an unquoted delimiter stands within a cell, and which one is not certain"
                ),
            ),
        }
    }

    /// Takes the apostrophe off that our own exports put before what a spreadsheet might run.
    pub(super) fn strip_guards(&mut self) {
        for column in &mut self.columns {
            self.notes.n_unguarded += column.strip_guards();
            self.notes.n_formula_texts += column.strip_formula_texts();
        }
    }

    /// Whether the next row has to be placed one by one, though it has the right number of cells.
    pub(super) fn wants_care(&self) -> bool {
        self.context.after_blank || self.context.in_other_table
    }

    /// A blank row, and then rows that contradict the columns: another table, whose rows are none of this one's.
    fn notice_other_table(&mut self, layout: &Layout, input: &[u8], record: &Record, place: &mut Place) {
        let contradicts = || {
            let mut n_refusing = 0;
            let mut n_strict = 0;
            for (idx, looks) in layout.columns.iter().enumerate().take(record.cells.len()) {
                n_strict += usize::from(looks.strict_kind().is_some());
                n_refusing += usize::from(looks.refuses(record.cell(input, idx)));
            }
            (n_refusing, n_strict)
        };
        if self.context.in_other_table {
            match place {
                Place::Row | Place::RowCutTo(_) if contradicts().0 == 0 => self.context.in_other_table = false,
                Place::Row | Place::RowCutTo(_) | Place::RowMended(_) | Place::Short | Place::Reject(..) => {
                    *place = Place::Reject(None, OTHER_TABLE.to_owned());
                }
                Place::Skip(_) => {}
            }
        } else if self.context.after_blank && matches!(place, Place::Row) {
            let (n_refusing, n_strict) = contradicts();
            if n_strict >= 2 && n_refusing == n_strict {
                self.context.in_other_table = true;
                *place = Place::Reject(None, OTHER_TABLE.to_owned());
            }
        } else if self.context.after_blank && matches!(place, Place::RowMended(_) | Place::Reject(..)) && contradicts().1 < 2 {
            // A wider table; where values tell the columns apart, a row that can be mended is one of this table.
            self.context.in_other_table = true;
            *place = Place::Reject(None, OTHER_TABLE.to_owned());
        }
    }

    /// Decides on the pending rows: the first rows of another table, or data.
    fn release_pending_of(&mut self, layout: &Layout) {
        self.release_if_other_table(layout);
        self.join_broken_rows(layout);
        self.release_pending();
    }

    pub(super) fn push_short(&mut self, pending: &Pending) {
        self.notes.short.add(pending.row);
        self.push(pending.cells.iter().map(Vec::as_slice), pending.row);
    }

    fn release_if_other_table(&mut self, layout: &Layout) {
        if let Some(first) = self.context.pending.first().filter(|first| first.after_blank) {
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
            }
        }
    }

    /// Ends a chunk that something follows: what waits is data, unless it may be the beginning of another table.
    pub(super) fn end_chunk(&mut self) {
        if self.context.pending.first().is_some_and(|first| !first.after_blank) {
            self.release_pending();
        }
    }

    /// Rows that ended early are data after all, whole or in parts: a row of the table follows them.
    pub(super) fn release_data(&mut self, layout: &Layout) {
        if !self.context.pending.is_empty() {
            self.join_broken_rows(layout);
            self.release_pending();
        }
    }

    fn release_pending(&mut self) {
        for pending in std::mem::take(&mut self.context.pending) {
            self.push_short(&pending);
        }
    }

    /// At the end of the file: pending rows are footers where they look so, and the last full rows may be totals.
    pub(super) fn finish(&mut self, layout: &Layout) {
        let n_columns = layout.n_columns();
        if self.context.pending.len() > 1 && self.context.pending.iter().any(|pending| pending.cells.len() > 1) {
            let footers = self.context.pending.iter().rposition(|pending| pending.cells.len() > 1).map_or(0, |idx| idx + 1);
            let notes = self.context.pending.split_off(footers);
            self.release_if_other_table(layout);
            self.context.pending.extend(notes);
        }
        self.join_broken_rows(layout);
        let pending = std::mem::take(&mut self.context.pending);
        // Footers come last: whatever precedes the first row that cannot be data is data.
        let is_footer = |row: &Pending| {
            if reaches_someone(layout, row.cells.iter().map(Vec::as_slice)) {
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
        while self.source_rows.len() > 1 {
            let row = self.source_rows.len() - 1;
            let cells = || self.columns.iter().map(|column| column.get(row));
            let reason = if n_columns >= 2 && is_total(cells()) && !reaches_someone(layout, cells()) {
                "total"
            } else if self.is_note(layout, row) {
                "footer"
            } else {
                break;
            };
            let raw = self.written_anew(layout, row);
            for column in &mut self.columns {
                column.pop();
            }
            if let Some(row) = self.source_rows.pop() {
                self.skipped.push(Skipped { row, reason: reason.to_owned(), raw });
            }
        }
        self.skipped.sort_by_key(|skipped| skipped.row);
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

    /// A row that was taken for data, as text in the file's syntax.
    fn written_anew(&self, layout: &Layout, row: usize) -> String {
        let delimiter = layout.syntax.delimiter.as_slice();
        let needs_quotes = |cell: &[u8]| {
            cell.contains(&b'"')
                || cell.contains(&layout.syntax.line_end.byte())
                || !delimiter.is_empty() && memchr::memmem::find(cell, delimiter).is_some()
        };
        let written = |cell: &[u8]| {
            let text = escape_bytes(cell);
            if needs_quotes(cell) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
        };
        let cells: Vec<String> = self.columns.iter().map(|column| written(column.get(row))).collect();
        cells.join(&escape_bytes(delimiter))
    }

    fn raw(&self, raw: &[u8]) -> String {
        let raw = &raw[..raw.len().min(self.raw_bytes)];
        if self.is_decoded { escape_decoded(raw) } else { escape_bytes(raw) }
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

/// A line that is drawn: `---+------+---`.
pub(super) fn is_rule(raw: &[u8]) -> bool {
    let n_strokes = raw.iter().filter(|byte| matches!(byte, b'-' | b'=' | b'_')).count();
    n_strokes >= 6 && raw.iter().all(|byte| matches!(byte, b'-' | b'=' | b'_' | b'+' | b'|' | b':' | b' ' | b'\t' | b',' | b';'))
}

fn is_header_again(header: &[Vec<u8>], input: &[u8], record: &Record) -> bool {
    header.len() == record.cells.len() && header.iter().enumerate().all(|(idx, cell)| cell == record.cell(input, idx))
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
