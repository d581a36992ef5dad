//! Records to rows: which are data, which are left out and why, which are mended.
use super::columns::ColumnBuilder;
use super::escape::escape_decoded;
use super::layout::Layout;
use super::mend::{Mend, certain_mend, join};
use super::notes::Notes;
use super::pending::Pending;
use super::record::Record;
use crate::{Limits, Reject, Skipped};

pub(super) const OTHER_TABLE: &str = "a row of another table, which follows a blank line; cut the file there to read it";

/// Rows of a batch being built, and what was left out.
pub(super) struct Rows {
    pub columns: Vec<ColumnBuilder>,
    pub source_rows: Vec<u64>,
    pub rejects: Vec<Reject>,
    pub skipped: Vec<Skipped>,
    pub notes: Notes,
    pub context: Context,
    /// Whether the first record is a row like the others, by which whatever waited before it is decided.
    pub begins_regular: Option<bool>,
    raw_bytes: usize,
}

/// What rows leave open for those that follow them in the next chunk or batch.
#[derive(Default)]
pub(super) struct Context {
    /// Rows that ended early, the last of them.
    pub pending: Vec<Pending>,
    /// Blank rows behind the first of these, so that all that is left out stays in its order.
    pub blanks: Vec<Skipped>,
    /// Cells of rows that waited longer than they may turn out to be footers: rows like them are data.
    pub n_cells_of_data: Option<usize>,
    /// The row before was blank.
    after_blank: bool,
    /// Another table has begun; its rows are rejected until one fits the columns again.
    pub in_other_table: bool,
    /// A line has begun that is too long; what follows of it is no row.
    pub in_long_line: bool,
}

impl Context {
    /// Whether the rows that follow are read as if nothing preceded them.
    pub(super) fn is_neutral(&self) -> bool {
        self.pending.is_empty() && self.is_settled()
    }

    /// Whether nothing is open but what becomes of rows that ended early.
    pub(super) fn is_settled(&self) -> bool {
        !(self.after_blank || self.in_other_table || self.in_long_line)
    }
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
            begins_regular: None,
            raw_bytes: limits.raw_bytes,
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

    /// Rows that are left out so far.
    pub(super) fn n_left_out(&self) -> usize {
        self.rejects.len() + self.skipped.len() + self.context.blanks.len()
    }

    /// An empty line.
    pub(super) fn skip_blank(&mut self, row: u64) {
        self.begins_regular.get_or_insert(false);
        self.skip(row, "blank", String::new());
        self.context.after_blank = true;
    }

    fn skip(&mut self, row: u64, reason: &str, raw: String) {
        let skipped = Skipped { row, reason: reason.to_owned(), raw };
        if self.context.pending.is_empty() { self.skipped.push(skipped) } else { self.context.blanks.push(skipped) }
    }

    /// Adds `lines` to all row numbers: a chunk counts from 0 until it is known how many lines precede it.
    pub(super) fn shift(&mut self, lines: u64) {
        self.source_rows.iter_mut().for_each(|row| *row += lines);
        self.rejects.iter_mut().for_each(|reject| reject.row += lines);
        self.skipped.iter_mut().for_each(|skipped| skipped.row += lines);
        self.context.pending.iter_mut().for_each(|pending| pending.row += lines);
        self.context.blanks.iter_mut().for_each(|skipped| skipped.row += lines);
        self.notes.shift(lines);
    }

    /// Places one record; `raw` is its text as it stood.
    pub(super) fn add(&mut self, layout: &Layout, input: &[u8], record: &Record, raw: &[u8], row: u64) {
        let mut place = self.place(layout, input, record, raw);
        self.begins_regular.get_or_insert(matches!(place, Place::Row));
        match place {
            Place::Short | Place::Skip("blank") => {}
            // A row of this table directly behind them: they are none of another.
            Place::Row if !self.context.after_blank => self.release_data(layout),
            Place::Skip("repeated header") => {
                self.skip_page_titles(layout);
                self.release_pending_of(layout);
            }
            _ => self.release_pending_of(layout),
        }
        self.notice_other_table(layout, input, record, &mut place);
        let after_blank = std::mem::replace(&mut self.context.after_blank, matches!(place, Place::Skip("blank")));
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
                self.wait(layout, Pending { row, n_lines: record.n_lines, raw: self.raw(raw), cells, after_blank });
            }
            Place::Skip(reason) => {
                let raw = self.raw(raw);
                self.skip(row, reason, raw);
            }
            Place::Reject(column, reason) => {
                let column = column.and_then(|idx| layout.schema.fields().get(idx)).map(|field| field.name().clone());
                self.reject(row, column, reason, raw);
            }
        }
    }

    /// Rejects a row outright.
    pub(super) fn reject(&mut self, row: u64, column: Option<String>, reason: String, raw: &[u8]) {
        self.begins_regular.get_or_insert(false);
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
        if record.lacks_lead {
            return Place::Reject(
                None,
                "a value before the first delimiter, where no row above has one: there is no column for it".to_owned(),
            );
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

    /// Takes off what stands around texts for spreadsheets.
    pub(super) fn take_texts(&mut self) {
        for column in &mut self.columns {
            self.notes.taken_off.add(column.take_texts());
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

    pub(super) fn raw(&self, raw: &[u8]) -> String {
        escape_decoded(&raw[..raw.len().min(self.raw_bytes)])
    }
}

/// A line that is drawn: `---+------+---`.
pub(super) fn is_rule(raw: &[u8]) -> bool {
    is_box_rule(raw)
        || raw.iter().all(|byte| matches!(byte, b'-' | b'=' | b'_' | b'+' | b'|' | b':' | b' ' | b'\t' | b',' | b';'))
            && raw.iter().filter(|byte| matches!(byte, b'-' | b'=' | b'_')).count() >= 6
}

/// A line of characters that boxes are drawn with, `├──┼──┤`, and blanks.
fn is_box_rule(raw: &[u8]) -> bool {
    let Some(text) = raw.trim_ascii().first().filter(|byte| **byte == 0xE2).and_then(|_| std::str::from_utf8(raw).ok()) else {
        return false;
    };
    let is_drawn = |char: char| ('\u{2500}'..='\u{257F}').contains(&char);
    text.chars().all(|char| is_drawn(char) || char == ' ') && text.chars().filter(|char| matches!(char, '─' | '━' | '═')).count() >= 3
}

fn is_header_again(header: &[Vec<u8>], input: &[u8], record: &Record) -> bool {
    header.len() == record.cells.len() && header.iter().enumerate().all(|(idx, cell)| cell == record.cell(input, idx))
}
