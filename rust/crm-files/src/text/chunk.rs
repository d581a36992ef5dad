//! A chunk of whole records to rows: by the fast scanner where the text is regular, by the careful parser where it is not.
use std::sync::Arc;

use super::columns::ColumnBuilder;
use super::dialect::{LineEnd, Syntax};
use super::layout::{ColumnLooks, Layout};
use super::lines::Lines;
use super::record::{Bounds, Parser, Quotes, Record, Step};
use super::rows::{Rows, is_rule};
use super::scan::{Marks, Scan, scan};
use crate::Limits;

mod readings;

/// In UTF-8; where a file begins, and where another was put behind it.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// Rows that are copied column by column at once: their cell ends stay in the cache.
const RUN_ROWS: usize = 512;
/// Cells of a chunk's rows, nulls included, at most.
pub(super) const MAX_CELLS: usize = 8 << 20;
/// Rows of a chunk or batch that are left out, at most: each takes more room than a blank line does.
pub(super) const MAX_LEFT_OUT: usize = 256 << 10;

/// Everything that turns text into rows; shared by the threads.
pub(super) struct Assembler {
    pub layout: Layout,
    pub limits: Limits,
    /// What one encoding is judged and told by.
    pub lines: Lines,
    parser: Parser,
    other_quote: Option<Parser>,
    other_quote_byte: Option<u8>,
    other_delimiters: Vec<Parser>,
    marks: Option<Marks>,
    /// Whether a row of which every cell begins with a blank was divided by a delimiter and a blank, unlike the others.
    blanks_are_odd: bool,
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

    /// The text before the cursor is dropped.
    pub(super) fn rebase(&mut self) {
        self.in_line_to = self.in_line_to.saturating_sub(self.at);
        self.at = 0;
    }
}

impl Assembler {
    pub(super) fn new(layout: Layout, limits: Limits, lines: Lines) -> Arc<Self> {
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
        let other_quote_byte = other_quote.as_ref().map(|quote| quote[0]);
        let other_quote = other_quote.map(|quote| Parser::new(Syntax { quote: Some((quote.clone(), quote)), ..syntax.clone() }, bounds));
        let is_usual = [&b","[..], b";", b"\t", b"|"].contains(&syntax.delimiter.as_slice());
        let other_delimiters = [&b";"[..], b"\t", b",", b"|", b" "]
            .into_iter()
            .filter(|delimiter| is_usual && *delimiter != syntax.delimiter)
            .map(|delimiter| Parser::new(Syntax { delimiter: delimiter.to_vec(), ..syntax.clone() }, bounds))
            .collect();
        let parser = Parser::new(syntax.clone(), bounds);
        let behind = layout.columns.get(1..).unwrap_or_default();
        let blanks_are_odd = is_usual
            && !syntax.trim
            && behind.len() >= 2
            && behind.iter().any(ColumnLooks::is_always_filled)
            && !behind.iter().any(ColumnLooks::often_begins_blank);
        Arc::new(Self { parser, other_quote, other_quote_byte, other_delimiters, layout, limits, lines, marks, blanks_are_odd })
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
        let is_sure = self.place_scanned(body, &scan, marks, cursor, &mut rows);
        cursor.at = text.len();
        (is_sure && (is_valid || rows.is_utf8())).then_some(rows)
    }

    /// Places the rows that were scanned; `false` where only the careful way tells what one is.
    fn place_scanned(&self, text: &[u8], scan: &Scan, marks: Marks, cursor: &mut Cursor, rows: &mut Rows) -> bool {
        let max_bytes = self.limits.record_bytes.min(self.limits.cell_bytes);
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
            let n_inner_lines = if scan.n_inner_line_ends > 0 { memchr::memchr_iter(marks.line_end, raw).count() } else { 0 };
            if end - row_start >= max_bytes || n_inner_lines > self.limits.cell_lines || rows.n_left_out() > MAX_LEFT_OUT {
                return false;
            }
            let is_spaced = self.blanks_are_odd && text.get(scan.cell_ends[first_cell] as usize + 1) == Some(&b' ');
            if row_end - first_cell == n_columns && !is_spaced && !rows.wants_care() && !self.needs_care(raw, n_columns) {
                if run_rows == 0 {
                    run_first_cell = first_cell;
                    rows.begins_regular.get_or_insert(true);
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
                let raw = &raw[n_mark_bytes(raw)..];
                let mut within = Cursor::new(0, cursor.line);
                match self.parser.parse(raw, 0, true, Quotes::AtEdges, &mut record) {
                    Step::Done => self.place(raw, &mut within, true, &mut record, rows),
                    // An empty line has no record.
                    Step::End => rows.skip_blank(cursor.line),
                    Step::NeedMore | Step::Runaway => return false,
                }
                // Of several lines only the first may be the row.
                if within.at < raw.len() {
                    return false;
                }
            }
            cursor.line += 1 + n_inner_lines as u64;
            first_cell = row_end;
            row_start = end + 1;
        }
        copy_run(text, scan, marks, n_columns, run_first_cell, run_rows, &mut rows.columns);
        true
    }

    /// Whether a row with the right number of cells may still be no data: blank, drawn, a comment, the header again.
    fn needs_care(&self, raw: &[u8], n_columns: usize) -> bool {
        let syntax = &self.layout.syntax;
        let Some(first) = raw.first() else { return true };
        let is_drawn = matches!(first, b'-' | b'=' | b'_' | b'+' | b'|' | b':' | b' ' | b'\t' | b',' | b';') && is_rule(raw);
        let is_quote = |byte: &u8| self.marks.is_some_and(|marks| marks.quote == Some(*byte));
        let is_edge = *first == syntax.delimiter[0] || is_quote(first);
        let unquoted = if is_quote(first) { &raw[1..] } else { raw };
        let is_header_start = |start: &Vec<u8>| if start.is_empty() { is_edge } else { unquoted.starts_with(start) };
        raw.len() < n_columns
            || is_drawn
            || n_mark_bytes(raw) > 0
            || self.other_quote_byte == Some(*first)
            || (is_edge || first.is_ascii_whitespace()) && self.is_blank(raw)
            || syntax.comment.as_ref().is_some_and(|comment| raw.starts_with(comment))
            || self.layout.header_starts.iter().any(is_header_start)
    }

    fn is_blank(&self, raw: &[u8]) -> bool {
        let quote = self.marks.and_then(|marks| marks.quote);
        raw.iter().all(|byte| byte.is_ascii_whitespace() || *byte == self.layout.syntax.delimiter[0] || Some(*byte) == quote)
    }

    /// Reads the record at the cursor the careful way into `rows`; `false` where `text` does not hold it whole. `at_eof` says that nothing
    /// follows `text`.
    pub(super) fn careful(&self, text: &[u8], at_eof: bool, cursor: &mut Cursor, record: &mut Record, rows: &mut Rows) -> bool {
        if rows.context.in_long_line {
            return self.pass_line(text, cursor, rows);
        }
        cursor.at += n_mark_bytes(&text[cursor.at..]);
        let quotes = if cursor.at < cursor.in_line_to { Quotes::InLine } else { Quotes::AtEdges };
        let mut step = self.parser.parse(text, cursor.at, at_eof, quotes, record);
        if step == Step::Runaway {
            cursor.in_line_to = record.runaway_end;
        }
        if quotes == Quotes::AtEdges && (step == Step::Runaway || self.is_long(text, cursor.at, step, record)) {
            step = self.parser.parse(text, cursor.at, at_eof, Quotes::InLine, record);
            record.stray_quote = true;
        }
        if self.is_long(text, cursor.at, step, record) {
            // One line beyond all bounds: it is rejected, and what follows of it passed over.
            let raw = &text[cursor.at..text.len().min(cursor.at + self.limits.record_bytes)];
            let reason = format!("a row of more than the {} bytes allowed (limit `record_bytes`)", self.limits.record_bytes);
            rows.release_pending_of(&self.layout);
            rows.reject(cursor.line, None, reason, raw);
            rows.context.in_long_line = true;
            (cursor.at, cursor.line) = match step {
                Step::Done => (record.end, cursor.line + record.n_lines - 1),
                _ => (text.len(), cursor.line),
            };
            return true;
        }
        if step == Step::Done {
            self.place(text, cursor, at_eof, record, rows);
        }
        step == Step::Done
    }

    /// Whether the record that was parsed from `at` on is longer than is allowed, whether or not its end is at hand.
    fn is_long(&self, text: &[u8], at: usize, step: Step, record: &Record) -> bool {
        match step {
            Step::Done => record.next - at > self.limits.record_bytes,
            Step::NeedMore => text.len() - at > self.limits.record_bytes,
            Step::End | Step::Runaway => false,
        }
    }

    /// Passes over the rest of a line whose beginning was rejected; whether its end is there.
    fn pass_line(&self, text: &[u8], cursor: &mut Cursor, rows: &mut Rows) -> bool {
        let Some(offset) = self.layout.syntax.line_end.next_line(&text[cursor.at..]) else {
            cursor.at = text.len();
            return false;
        };
        cursor.at += offset;
        cursor.line += 1;
        rows.context.in_long_line = false;
        true
    }
}

/// Bytes of the byte order marks that `text` begins with: files that were put together keep those of their beginnings.
pub(super) fn n_mark_bytes(text: &[u8]) -> usize {
    text.chunks(BYTE_ORDER_MARK.len()).take_while(|mark| *mark == BYTE_ORDER_MARK).count() * BYTE_ORDER_MARK.len()
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
