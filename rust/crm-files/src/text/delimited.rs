//! The reader of delimited text.
use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;

use crm_core::{Control, Error, Result};

use super::beginning::{check_told_lines, foreign_content, is_binary, read_sample, sep_line};
use super::chunk::{Assembler, Cursor, MAX_LEFT_OUT};
use super::columns::batch;
use super::encoding::{Foreign, TextEncoding, UNDECODABLE, detect, marked_lines};
use super::escape::escape_decoded;
use super::footers::Tail;
use super::input::decompressed;
use super::lines::Lines;
use super::notes::{ForeignLines, Notes};
use super::pending::MAX_PENDING;
use super::pipeline::{Chunks, Head, PieceSizes, ReadChunk, SecondEncoding, Splitter};
use super::record::Record;
use super::rows::{Context, Rows};
use super::shape::{FixedShape, shape};
use super::sniff::{Fixed, sniff};
use crate::{FileReport, Format, ReadOptions, Skipped, TableReader, TextBatch};

/// Bytes of cells in a batch, at most, give or take a row: far from what 32-bit offsets hold.
const BATCH_BYTES: usize = 64 << 20;
/// Cells of a batch that is read the careful way: short rows take more room than their text.
const BATCH_CELLS: usize = 4 << 20;
/// Rows read the careful way between two looks at whether the run was cancelled.
const CANCEL_CHECK_ROWS: usize = 4_096;

/// Delimited text, read chunk by chunk.
pub(super) struct DelimitedReader {
    report: FileReport,
    assembler: Arc<Assembler>,
    chunks: Chunks,
    sizes: PieceSizes,
    batch_rows: usize,
    /// Text of which no thread could tell the rows, and how far it is read: its line counts from the beginning of the file.
    carried: Vec<u8>,
    cursor: Cursor,
    /// The chunk that is being read the careful way was the last one.
    is_last: bool,
    /// Careful reading has come to a record that `carried` does not hold whole.
    stuck: bool,
    finished: bool,
    /// What is read and not handed out.
    ready: VecDeque<TextBatch>,
    /// What the rows handed out last left open.
    context: Context,
    notes: Notes,
    n_warnings: usize,
}

impl DelimitedReader {
    pub(super) fn open(name: &str, input: Box<dyn Read + Send>, options: &ReadOptions) -> Result<Self> {
        Self::open_in_pieces(name, input, options, PieceSizes::default())
    }

    fn open_in_pieces(name: &str, input: Box<dyn Read + Send>, options: &ReadOptions, sizes: PieceSizes) -> Result<Self> {
        let os_error = |error: &std::io::Error| input_error(name, error);
        let (mut input, compression) = decompressed(input).map_err(|error| os_error(&error))?;
        let (mut sample, is_whole) = read_sample(&mut *input, options).map_err(|error| os_error(&error))?;
        if let Some(reason) = foreign_content(&sample, compression.is_some()) {
            return Err(Error::file_format(name, format!("{name}: {reason}")));
        }
        let mut report = FileReport::new(name, Format::Csv);
        report.compression = compression;
        let mut detected = detect(&sample, is_whole);
        if let Some(label) = &options.encoding {
            detected = detected.overridden(label)?;
        }
        report.encoding = Some(detected.encoding.name());
        report.reasons.push(format!("encoding {}: {}", detected.encoding.name(), detected.reason));
        report.warnings.extend(detected.warning);
        sample.drain(..detected.bom_len);
        let lines = Lines::of(&sample);
        let mut decoder = detected.encoding.decoder();
        let text = if detected.encoding == TextEncoding::Utf8 {
            marked_lines(sample.clone(), detected.second.map(|encoding| Foreign { encoding, from: 0 }), lines).0
        } else {
            let mut text = Vec::new();
            decoder.decode(&sample, is_whole, &mut text);
            text
        };
        if is_binary(&text) {
            return Err(Error::file_format(name, format!("{name}: no text: many of its bytes are control characters")));
        }
        if is_whole && text.trim_ascii().is_empty() {
            report.warn("the file is empty");
        }
        let fixed = Fixed {
            delimiter: options.delimiter.as_deref().map(delimiter_from_option).transpose()?,
            quote: options.quote.as_ref().map(|quote| (!quote.is_empty()).then(|| (quote.as_bytes().to_vec(), quote.as_bytes().to_vec()))),
        };
        let (start, line, sep) = sep_line(&text);
        let fixed = Fixed { delimiter: fixed.delimiter.or(sep), ..fixed };
        check_told_lines(name, &text, is_whole, options)?;
        // What the caller passes over says nothing of the table.
        let passed =
            options.skip_rows.max(options.header_row.map(|row| row.saturating_sub(1))).map_or(0, |n| Lines::of(&text).start(&text, n));
        let sniffed = sniff(&text[start.max(passed)..], is_whole, &fixed);
        report.dialect = Some(sniffed.syntax.describe());
        report.reasons.extend(sniffed.reasons);
        let fixed = FixedShape { header_row: options.header_row, skip_rows: options.skip_rows, keeps_columns: false };
        let shaped = shape(&text, start, line, is_whole, sniffed.syntax, fixed, &options.limits);
        let layout = shaped.layout;
        if layout.n_columns() > options.limits.columns {
            return Err(Error::file_format(
                name,
                format!(
                    "{name}: {} columns, more than the limit of {}; raise it if this is meant",
                    layout.n_columns(),
                    options.limits.columns
                ),
            ));
        }
        report.header_row = shaped.header_row;
        report.columns = layout.schema.fields().iter().map(|field| field.name().clone()).collect();
        report.reasons.extend(shaped.reasons);
        report.warnings.extend(shaped.warnings);
        let mut skipped = shaped.skipped;
        if start > 0 {
            let raw = escape_decoded(text[..start].trim_ascii_end());
            skipped.insert(0, Skipped { row: 1, reason: "separator line".to_owned(), raw });
        }
        let n_warnings = report.warnings.len();
        let (line, data_start) = (layout.data_line, layout.data_start);
        let second = match detected.second {
            _ if detected.encoding != TextEncoding::Utf8 || options.encoding.is_some() => SecondEncoding::None,
            Some(encoding) => SecondEncoding::Known(encoding),
            // What the whole lines of the sample are in is decided.
            None => SecondEncoding::Unknown(lines.last_start(&sample)),
        };
        let head = if detected.encoding.is_ascii_based() {
            // Every byte is one character, so that the characters before the data are its bytes.
            let raw_start = match detected.encoding {
                TextEncoding::Utf8 => data_start,
                _ => text[..data_start].iter().filter(|byte| (**byte as i8) >= -0x40 && **byte != UNDECODABLE).count(),
            };
            Head { bytes: sample, data_start: raw_start, decoder: None, second, at_eof: is_whole }
        } else {
            Head { bytes: text, data_start, decoder: Some(decoder), second, at_eof: is_whole }
        };
        let assembler = Assembler::new(layout, options.limits.clone(), lines);
        let splitter = Splitter::new(input, detected.encoding, head, &assembler, sizes);
        let n_threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).min(8);
        let mut reader = Self {
            report,
            chunks: Chunks::new(splitter, Arc::clone(&assembler), n_threads),
            assembler,
            sizes,
            batch_rows: options.batch_rows.unwrap_or(65_536).max(1),
            carried: Vec::new(),
            cursor: Cursor::new(0, line),
            is_last: false,
            stuck: false,
            finished: false,
            ready: VecDeque::new(),
            context: Context::default(),
            notes: Notes::default(),
            n_warnings,
        };
        if !skipped.is_empty() || !shaped.rejects.is_empty() {
            let mut rows = Rows::new(&reader.assembler.layout, &reader.assembler.limits, 0);
            rows.skipped = skipped;
            rows.rejects = shaped.rejects;
            reader.hand_out(rows)?;
        }
        Ok(reader)
    }

    /// Reads the next chunk, or goes on with the one that has to be read the careful way.
    fn read_on(&mut self, control: &dyn Control) -> Result<()> {
        if !self.is_last && (self.cursor.at == self.carried.len() || self.stuck) {
            let Some(mut chunk) = self.chunks.next(&self.report.file, control)? else {
                self.finished = true;
                return Ok(());
            };
            self.is_last = chunk.is_last;
            self.note_foreign_lines(&chunk);
            if self.cursor.at == self.carried.len()
                && let Some((rows, n_lines)) = chunk.rows.take()
                && self.settle(&rows)?
            {
                return self.take_over(rows, n_lines, &chunk);
            }
            self.carried.drain(..self.cursor.at);
            self.cursor.rebase();
            self.carried.extend_from_slice(&chunk.text[chunk.start..]);
        }
        self.read_carefully(control)
    }

    fn note_foreign_lines(&mut self, chunk: &ReadChunk) {
        let Some(mended) = chunk.mended else { return };
        let line_end = self.assembler.layout.syntax.line_end;
        // The first chunk holds what stands above the data too.
        let line = if chunk.is_first { 1 } else { self.cursor.line + line_end.count(&self.carried[self.cursor.at..]) };
        let first_line = line + line_end.count(&chunk.text[..mended.first_at]);
        let foreign = self.notes.foreign.get_or_insert(ForeignLines { encoding: mended.encoding, n_lines: 0, first_line });
        foreign.n_lines += mended.n_lines;
    }

    /// Whether a chunk's rows, which were read as if nothing preceded them, can follow: what the rows before them left open is decided by the
    /// first of them.
    fn settle(&mut self, rows: &Rows) -> Result<bool> {
        if self.context.is_neutral() {
            return Ok(true);
        }
        if !self.context.is_settled() || rows.begins_regular != Some(true) {
            return Ok(false);
        }
        let mut before = Rows::new(&self.assembler.layout, &self.assembler.limits, 0);
        before.context = std::mem::take(&mut self.context);
        before.release_data(&self.assembler.layout);
        before.take_texts();
        self.hand_out(before)?;
        Ok(true)
    }

    fn take_over(&mut self, mut rows: Rows, n_lines: u64, chunk: &ReadChunk) -> Result<()> {
        rows.shift(self.cursor.line);
        if chunk.is_last {
            self.finish(&mut rows, &chunk.text[chunk.start..], self.cursor.line);
        }
        self.context = std::mem::take(&mut rows.context);
        self.cursor.line += n_lines;
        self.hand_out(rows)
    }

    /// Decides on what ends the file; `text` is what is left of it, from a record on.
    fn finish(&mut self, rows: &mut Rows, text: &[u8], line: u64) {
        let layout = &self.assembler.layout;
        let tail = Tail::new(text, line, layout.syntax.line_end, self.sizes.tail);
        rows.finish(layout, &tail, most_rows(layout.n_columns()), self.report.counts.yielded == 0);
        rows.take_texts();
        self.finished = true;
    }

    fn read_carefully(&mut self, control: &dyn Control) -> Result<()> {
        let assembler = Arc::clone(&self.assembler);
        let mut rows = Rows::new(&assembler.layout, &assembler.limits, 0);
        rows.context = std::mem::take(&mut self.context);
        let mut record = Record::default();
        let begin = self.cursor;
        // The end of the file is read in one piece: whether its rows are footers shows only there.
        let tail_start = if self.is_last { self.carried.len().saturating_sub(self.sizes.tail) } else { usize::MAX };
        let most_rows = most_rows(assembler.layout.n_columns());
        let (end, max_rows) = match begin.at >= tail_start {
            true => (usize::MAX, most_rows + 2 * MAX_PENDING),
            false => (tail_start, self.batch_rows.min(most_rows)),
        };
        self.stuck = false;
        for number in 0.. {
            if self.cursor.at >= end
                || rows.source_rows.len() >= max_rows
                || rows.n_left_out() >= MAX_LEFT_OUT
                || rows.n_bytes() >= BATCH_BYTES
            {
                break;
            }
            if number % CANCEL_CHECK_ROWS == 0 {
                control.check()?;
            }
            if !assembler.careful(&self.carried, self.is_last, &mut self.cursor, &mut record, &mut rows) {
                self.stuck = true;
                break;
            }
        }
        if self.is_last && self.stuck {
            let carried = std::mem::take(&mut self.carried);
            self.finish(&mut rows, &carried[begin.at..], begin.line);
        } else {
            rows.take_texts();
        }
        self.context = std::mem::take(&mut rows.context);
        self.hand_out(rows)
    }

    /// Counts rows and makes batches of them.
    fn hand_out(&mut self, rows: Rows) -> Result<()> {
        self.notes.merge(&rows.notes);
        self.report.warnings.truncate(self.n_warnings);
        self.report.warnings.extend(self.notes.warnings());
        let counts = &mut self.report.counts;
        counts.yielded += rows.source_rows.len() as u64;
        counts.rejected += rows.rejects.len() as u64;
        counts.skipped += rows.skipped.len() as u64;
        counts.rows_in = counts.yielded + counts.rejected + counts.skipped;
        let n_rows = rows.source_rows.len();
        if n_rows == 0 && rows.rejects.is_empty() && rows.skipped.is_empty() {
            return Ok(());
        }
        let columns = rows
            .columns
            .into_iter()
            .map(|column| column.finish().ok_or_else(|| Error::internal("a column of checked cells is no UTF-8")))
            .collect::<Result<Vec<_>>>()?;
        let whole = batch(&self.assembler.layout.schema, columns, n_rows)?;
        let (mut rejects, mut skipped) = (rows.rejects, rows.skipped);
        if n_rows <= self.batch_rows {
            self.ready.push_back(TextBatch { batch: whole, source_rows: rows.source_rows, rejects, skipped });
            return Ok(());
        }
        for start in (0..n_rows).step_by(self.batch_rows) {
            let n = self.batch_rows.min(n_rows - start);
            self.ready.push_back(TextBatch {
                batch: whole.slice(start, n),
                source_rows: rows.source_rows[start..start + n].to_vec(),
                rejects: std::mem::take(&mut rejects),
                skipped: std::mem::take(&mut skipped),
            });
        }
        Ok(())
    }
}

impl TableReader for DelimitedReader {
    fn report(&self) -> &FileReport {
        &self.report
    }

    fn schema(&self) -> arrow_schema::SchemaRef {
        Arc::clone(&self.assembler.layout.schema)
    }

    fn next_batch(&mut self, control: &dyn Control) -> Result<Option<TextBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            if self.finished {
                return Ok(None);
            }
            self.read_on(control)?;
        }
    }
}

/// An error of the operating system stays one; a broken archive is a file format error.
pub(super) fn input_error(name: &str, error: &std::io::Error) -> Error {
    if error.raw_os_error().is_some() {
        Error::os(error, name)
    } else {
        Error::file_format(name, format!("{name}: cannot be decompressed: {error}"))
    }
}

/// Rows of a batch that is read the careful way, at most.
fn most_rows(n_columns: usize) -> usize {
    (BATCH_CELLS / n_columns.max(1)).max(1)
}

/// `\t` and `tab` as people write them.
fn delimiter_from_option(text: &str) -> Result<Vec<u8>> {
    match text {
        "" => Err(Error::config("the delimiter is empty; leave the option out to have it found")),
        "\\t" | "tab" | "TAB" => Ok(b"\t".to_vec()),
        _ if text.contains(['\n', '\r']) => Err(Error::config("a line end cannot be the delimiter")),
        _ => Ok(text.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests;
