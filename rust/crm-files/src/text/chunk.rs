//! A chunk of whole records to rows: by the fast scanner where the text is regular, by the careful parser where it is not.
use std::sync::Arc;

use encoding_rs::Encoding;

use super::columns::ColumnBuilder;
use super::dialect::{LineEnd, Syntax};
use super::layout::Layout;
use super::record::{Bounds, Parser, Quotes, Record, Step};
use super::rows::Rows;
use super::scan::{Marks, Scan, scan};
use crate::Limits;

/// In UTF-8; where a file begins, and where another was put behind it.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// Rows that are copied column by column at once: their cell ends stay in the cache.
const RUN_ROWS: usize = 512;
/// Cells of a chunk's rows, nulls included, at most.
pub(super) const MAX_CELLS: usize = 8 << 20;

/// Everything that turns text into rows; shared by the threads.
pub(super) struct Assembler {
    pub layout: Layout,
    pub limits: Limits,
    /// The encoding of lines that are not in UTF-8, where the sample had such.
    pub second_encoding: Option<&'static Encoding>,
    /// Whether lines that are no UTF-8 are looked at for another encoding: not where the caller named one.
    pub mends_encoding: bool,
    parser: Parser,
    other_quote: Option<Parser>,
    other_delimiters: Vec<Parser>,
    marks: Option<Marks>,
}

/// Where careful reading has come to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cursor {
    pub at: usize,
    pub line: u64,
    /// No quote that opens before this position closes: up to there records are lines.
    in_line_to: usize,
}

impl Cursor {
    pub(super) fn new(at: usize, line: u64) -> Self {
        Self { at, line, in_line_to: 0 }
    }
}

impl Assembler {
    pub(super) fn new(layout: Layout, limits: Limits, second_encoding: Option<&'static Encoding>, mends_encoding: bool) -> Arc<Self> {
        let bounds = Bounds { cell_bytes: limits.cell_bytes, cell_lines: limits.cell_lines as u64 };
        let syntax = &layout.syntax;
        let marks = syntax.is_plain().then(|| Marks {
            delimiter: syntax.delimiter[0],
            quote: syntax.quote.as_ref().map(|(open, _)| open[0]),
            line_end: syntax.line_end.byte(),
            carriage_return: syntax.line_end == LineEnd::CrLf,
        });
        // A row in another dialect, pasted from elsewhere.
        let other_quote = match &syntax.quote {
            Some((open, _)) if open == b"\"" => Some(b"'".to_vec()),
            Some((open, _)) if open == b"'" => Some(b"\"".to_vec()),
            _ => None,
        };
        let other_quote = other_quote.map(|quote| Parser::new(Syntax { quote: Some((quote.clone(), quote)), ..syntax.clone() }, bounds));
        let is_usual = [&b","[..], b";", b"\t", b"|"].contains(&syntax.delimiter.as_slice());
        let other_delimiters = [&b";"[..], b"\t", b",", b"|", b" "]
            .into_iter()
            .filter(|delimiter| is_usual && *delimiter != syntax.delimiter)
            .map(|delimiter| Parser::new(Syntax { delimiter: delimiter.to_vec(), ..syntax.clone() }, bounds))
            .collect();
        let parser = Parser::new(syntax.clone(), bounds);
        Arc::new(Self { parser, other_quote, other_delimiters, layout, limits, second_encoding, mends_encoding, marks })
    }

    /// Reads `text` as whole records by the fast way; `None` where only the careful way is sure.
    /// Cells of valid text are valid: delimiters are ASCII.
    pub(super) fn fast(&self, text: &[u8], is_valid: bool, cursor: &mut Cursor) -> Option<Rows> {
        let marks = self.marks?;
        if text.len() >= u32::MAX as usize {
            return None;
        }
        let body = &text[cursor.at..];
        let scan = scan(body, marks)?;
        // Short rows take more room than their text.
        let n_cells = scan.row_ends.len() * self.layout.n_columns();
        if n_cells > MAX_CELLS && n_cells > 2 * scan.cell_ends.len() {
            return None;
        }
        let mut rows = Rows::new(&self.layout, &self.limits, scan.row_ends.len());
        self.place_scanned(body, &scan, marks, cursor, &mut rows);
        cursor.at = text.len();
        (is_valid || rows.is_utf8()).then_some(rows)
    }

    fn place_scanned(&self, text: &[u8], scan: &Scan, marks: Marks, cursor: &mut Cursor, rows: &mut Rows) {
        let n_columns = self.layout.n_columns();
        let mut record = Record::default();
        // Rows of the run that waits to be copied: their number and first cell.
        let (mut run_first_cell, mut run_rows) = (0_usize, 0_usize);
        let (mut row_start, mut first_cell) = (0_usize, 0_usize);
        for &row_end in &scan.row_ends {
            let row_end = row_end as usize;
            let end = scan.cell_ends[row_end - 1] as usize;
            let mut text_end = end;
            while marks.carriage_return && text_end > row_start && text[text_end - 1] == b'\r' {
                text_end -= 1;
            }
            let raw = &text[row_start..text_end];
            if row_end - first_cell == n_columns && !rows.wants_care() && !self.needs_care(raw, n_columns) {
                if run_rows == 0 {
                    run_first_cell = first_cell;
                    rows.release_data(&self.layout);
                }
                run_rows += 1;
                rows.source_rows.push(cursor.line);
                if run_rows == RUN_ROWS {
                    copy_run(text, scan, marks, n_columns, run_first_cell, run_rows, &mut rows.columns);
                    run_rows = 0;
                }
            } else {
                copy_run(text, scan, marks, n_columns, run_first_cell, run_rows, &mut rows.columns);
                run_rows = 0;
                let raw = raw.strip_prefix(BYTE_ORDER_MARK).unwrap_or(raw);
                let step = self.parser.parse(raw, 0, true, Quotes::AtEdges, &mut record);
                if raw.len() > self.limits.record_bytes {
                    self.reject_long(raw, cursor.line, rows);
                } else if step == Step::Done {
                    self.place(raw, &mut Cursor::new(0, cursor.line), true, &mut record, rows);
                } else {
                    // An empty line has no record.
                    rows.skip_blank(cursor.line);
                }
            }
            cursor.line += 1;
            if scan.n_inner_line_ends > 0 {
                cursor.line += memchr::memchr_iter(marks.line_end, raw).count() as u64;
            }
            first_cell = row_end;
            row_start = end + 1;
        }
        copy_run(text, scan, marks, n_columns, run_first_cell, run_rows, &mut rows.columns);
    }

    /// Whether a row with the right number of cells may still be no data: blank, drawn, a comment, the header again, too long.
    fn needs_care(&self, raw: &[u8], n_columns: usize) -> bool {
        let Some(first) = raw.first() else { return true };
        if matches!(first, b'-' | b'=' | b'_' | b'+' | b'|' | b':') || *first == BYTE_ORDER_MARK[0] && raw.starts_with(BYTE_ORDER_MARK) {
            return true;
        }
        if raw.len() > self.limits.record_bytes
            || raw.len() < n_columns
            || (matches!(first, b' ' | b'\t') || self.layout.syntax.delimiter[0] == *first) && self.is_blank(raw)
        {
            return true;
        }
        self.layout.syntax.comment.as_ref().is_some_and(|comment| raw.starts_with(comment))
            || self.layout.header_starts.iter().any(|start| raw.starts_with(start))
    }

    fn is_blank(&self, raw: &[u8]) -> bool {
        let quote = self.marks.and_then(|marks| marks.quote);
        raw.iter().all(|byte| byte.is_ascii_whitespace() || *byte == self.layout.syntax.delimiter[0] || Some(*byte) == quote)
    }

    /// Reads records of `text` the careful way into `rows`, as many as are whole. `at_eof` says that nothing follows `text`.
    pub(super) fn careful(&self, text: &[u8], at_eof: bool, cursor: &mut Cursor, rows: &mut Rows, max_rows: usize) {
        let mut record = Record::default();
        for _ in 0..max_rows {
            if rows.context.in_long_line && !self.pass_line(text, cursor, rows) {
                return;
            }
            // Files that were put together keep the marks of their beginnings.
            if text[cursor.at..].starts_with(BYTE_ORDER_MARK) {
                cursor.at += BYTE_ORDER_MARK.len();
            }
            let is_beyond = |at: usize| text.len() - at > self.limits.record_bytes;
            let quotes = if cursor.at < cursor.in_line_to { Quotes::InLine } else { Quotes::AtEdges };
            let mut step = self.parser.parse(text, cursor.at, at_eof, quotes, &mut record);
            if step == Step::Runaway {
                cursor.in_line_to = record.runaway_end;
            }
            if step == Step::Runaway || step == Step::NeedMore && is_beyond(cursor.at) {
                step = self.parser.parse(text, cursor.at, at_eof, Quotes::InLine, &mut record);
                record.stray_quote = true;
                if step == Step::NeedMore && is_beyond(cursor.at) {
                    // One line beyond all bounds: it is rejected, and what follows of it passed over.
                    self.reject_long(&text[cursor.at..], cursor.line, rows);
                    cursor.at = text.len();
                    rows.context.in_long_line = true;
                    return;
                }
            }
            if step != Step::Done {
                return;
            }
            if record.end - cursor.at > self.limits.record_bytes {
                self.reject_long(&text[cursor.at..record.end], cursor.line, rows);
                cursor.line += record.n_lines;
                cursor.at = record.next;
                continue;
            }
            self.place(text, cursor, at_eof, &mut record, rows);
        }
    }

    fn reject_long(&self, raw: &[u8], line: u64, rows: &mut Rows) {
        let reason = format!("a row of more than the {} bytes allowed (limit `record_bytes`)", self.limits.record_bytes);
        rows.reject(line, None, reason, raw);
    }

    /// Passes over the rest of a line whose beginning was rejected; whether its end is there.
    fn pass_line(&self, text: &[u8], cursor: &mut Cursor, rows: &mut Rows) -> bool {
        let Some(offset) = memchr::memchr(self.layout.syntax.line_end.byte(), &text[cursor.at..]) else {
            cursor.at = text.len();
            return false;
        };
        cursor.at += offset + 1;
        cursor.line += 1;
        rows.context.in_long_line = false;
        true
    }

    /// Places the record just parsed at the cursor, read another way where that gives the right number of cells.
    fn place(&self, text: &[u8], cursor: &mut Cursor, at_eof: bool, record: &mut Record, rows: &mut Rows) {
        let row = cursor.line;
        let is_wrong = !self.layout.fits(text, record);
        if is_wrong || record.stray_quote && record.n_lines > 1 || record.n_lines > 1 && self.swallows_rows(text, cursor.at, at_eof) {
            self.try_other_readings(text, cursor.at, at_eof, record);
        }
        if let Some((inner, unwrapped)) = self.unwrapped(text, record) {
            rows.notes.stray_quote.add(row);
            rows.add(&self.layout, &inner, &unwrapped, &text[cursor.at..record.end], row);
            cursor.line += record.n_lines;
            cursor.at = record.next;
            return;
        }
        if record.stray_quote {
            rows.notes.stray_quote.add(row);
        }
        if record.other_delimiter {
            rows.notes.other_delimiter.add(row);
        }
        rows.add(&self.layout, text, record, &text[cursor.at..record.end], row);
        cursor.line += record.n_lines;
        cursor.at = record.next;
    }

    /// A row that stands in quotes as a whole, `"1,""Smith, J."",2"`, as its text and the cells within it.
    fn unwrapped(&self, text: &[u8], record: &Record) -> Option<(Vec<u8>, Record)> {
        if record.cells.len() != 1 || !record.cells[0].quoted || self.layout.n_columns() < 3 {
            return None;
        }
        let inner = record.cell(text, 0).to_vec();
        let mut unwrapped = Record::default();
        let is_done = self.parser.parse(&inner, 0, true, Quotes::AtEdges, &mut unwrapped) == Step::Done;
        (is_done && unwrapped.next >= inner.len() && self.layout.fits(&inner, &unwrapped)).then_some((inner, unwrapped))
    }

    /// Whether the first two lines of a record of several are whole rows by themselves: then a quote never closed.
    fn swallows_rows(&self, text: &[u8], at: usize, at_eof: bool) -> bool {
        let mut line = Record::default();
        let mut is_row = |at: usize| {
            let is_done = self.parser.parse(text, at, at_eof, Quotes::InLine, &mut line) == Step::Done;
            (is_done && self.layout.fits(text, &line)).then_some(line.next)
        };
        self.layout.n_columns() >= 3 && is_row(at).is_some_and(|next| is_row(next).is_some())
    }

    /// Reads the record at `at` in other ways until one gives the number of cells that the table has.
    fn try_other_readings(&self, text: &[u8], at: usize, at_eof: bool, record: &mut Record) {
        let first_reading = std::mem::take(record);
        let n_columns = self.layout.n_columns();
        let fits = |record: &Record| self.layout.fits(text, record);
        if self.layout.syntax.quote.is_some() {
            let line = memchr::memchr2(b'\n', b'\r', &text[at..]).map_or(text.len(), |offset| at + offset);
            let mut attempts = vec![Quotes::InLine];
            attempts.extend(self.parser.quotes_at_edges(&text[..line], at).into_iter().map(Quotes::LiteralAt));
            attempts.extend([Quotes::Anywhere, Quotes::Literal]);
            for (number, quotes) in attempts.into_iter().enumerate() {
                if self.parser.parse(text, at, at_eof, quotes, record) == Step::Done && fits(record) {
                    record.stray_quote = true;
                    if let Quotes::LiteralAt(quote_at) = quotes {
                        self.drop_open_quote(text, quote_at, record);
                    }
                    return;
                }
                if number == 0
                    && let Some(parser) = &self.other_quote
                    && parser.parse(text, at, at_eof, Quotes::InLine, record) == Step::Done
                    && fits(record)
                    && record.cells.iter().any(|cell| cell.quoted)
                {
                    record.stray_quote = true;
                    return;
                }
            }
        }
        if first_reading.cells.len() < n_columns && n_columns > 1 && first_reading.cells.len() * 2 <= n_columns {
            for parser in &self.other_delimiters {
                // Blanks divide words too: only values can tell.
                let is_certain = parser.syntax.delimiter != b" " || self.n_strict_columns() * 2 >= n_columns;
                if is_certain
                    && parser.parse(text, at, at_eof, Quotes::InLine, record) == Step::Done
                    && fits(record)
                    && record.iter(text).zip(&self.layout.columns).all(|(cell, looks)| looks.accepts(cell))
                {
                    record.other_delimiter = true;
                    return;
                }
            }
        }
        *record = first_reading;
    }

    fn n_strict_columns(&self) -> usize {
        self.layout.columns.iter().filter(|looks| looks.strict_kind().is_some()).count()
    }

    /// In a column whose cells all stand in quotes, a quote that opens and never closes is no part of the cell.
    fn drop_open_quote(&self, text: &[u8], quote_at: usize, record: &mut Record) {
        let Some(idx) = record.cell_from(quote_at) else { return };
        if self.layout.columns.get(idx).is_some_and(|looks| looks.is_always_quoted())
            && let Some((open, _)) = &self.layout.syntax.quote
        {
            record.skip_bytes(idx, open.len(), text);
        }
    }
}

/// Appends the cells of a run of regular rows to their columns.
fn copy_run(text: &[u8], scan: &Scan, marks: Marks, n_columns: usize, first_cell: usize, n_rows: usize, columns: &mut [ColumnBuilder]) {
    if n_rows == 0 {
        return;
    }
    let ends = &scan.cell_ends[first_cell..first_cell + n_rows * n_columns];
    let run_start = if first_cell == 0 { 0 } else { scan.cell_ends[first_cell - 1] as usize + 1 };
    for (idx, column) in columns.iter_mut().enumerate() {
        let is_last = idx + 1 == n_columns;
        // Room for the cells and for the blind copy of 16 bytes behind the last of them.
        let mut start = if idx == 0 { run_start } else { ends[idx - 1] as usize + 1 };
        let mut room = 0;
        for row in 0..n_rows {
            let cell = row * n_columns + idx;
            room += ends[cell] as usize - start;
            if let Some(before) = ends.get(cell + n_columns - 1) {
                start = *before as usize + 1;
            }
        }
        let mut at = column.values.len();
        column.values.resize(at + room + 16, 0);
        let values = column.values.as_mut_slice();
        start = if idx == 0 { run_start } else { ends[idx - 1] as usize + 1 };
        for row in 0..n_rows {
            let cell = row * n_columns + idx;
            let mut end = ends[cell] as usize;
            while is_last && marks.carriage_return && end > start && text[end - 1] == b'\r' {
                end -= 1;
            }
            if scan.has_quotes && end > start && Some(text[start]) == marks.quote {
                at += unquote(&text[start + 1..end - 1], text[start], &mut values[at..]);
            } else {
                let len = end - start;
                if len <= 16 && start + 16 <= text.len() {
                    let sixteen: [u8; 16] = text[start..start + 16].try_into().unwrap_or_default();
                    values[at..at + 16].copy_from_slice(&sixteen);
                } else {
                    values[at..at + len].copy_from_slice(&text[start..end]);
                }
                at += len;
            }
            column.offsets.push(at as i32);
            if let Some(before) = ends.get(cell + n_columns - 1) {
                start = *before as usize + 1;
            }
        }
        column.values.truncate(at);
        column.settle();
    }
}

/// Copies a quoted cell, doubled quotes as one; the number of bytes.
fn unquote(cell: &[u8], quote: u8, into: &mut [u8]) -> usize {
    let (mut from, mut at) = (0, 0);
    while let Some(offset) = memchr::memchr(quote, &cell[from..]) {
        // A strict scan leaves quotes within cells only in pairs.
        let end = from + offset + 1;
        into[at..at + end - from].copy_from_slice(&cell[from..end]);
        at += end - from;
        from = (end + 1).min(cell.len());
    }
    into[at..at + cell.len() - from].copy_from_slice(&cell[from..]);
    at + cell.len() - from
}
