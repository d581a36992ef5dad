//! The reader of delimited text.
use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;

use crm_core::{Control, Error, Result};

use super::beginning::{check_told_lines, foreign_content, is_binary, line_start, read_sample, sep_line};
use super::chunk::{Assembler, Cursor};
use super::columns::batch;
use super::encoding::{Mended, TextEncoding, UNDECODABLE, detect, mend_lines};
use super::escape::escape_bytes;
use super::input::decompressed;
use super::notes::Notes;
use super::pipeline::{Chunks, Head, Splitter};
use super::rows::{Context, Rows};
use super::shape::{FixedShape, shape};
use super::sniff::{Fixed, sniff};
use crate::{FileReport, Format, ReadOptions, Skipped, TableReader, TextBatch};

/// Bytes of cells in a batch, at most, give or take a row: far from what 32-bit offsets hold.
const BATCH_BYTES: usize = 64 << 20;
/// Cells of a batch that is read the careful way: short rows take more room than their text.
const BATCH_CELLS: usize = 4 << 20;
/// What is left of the text when its end is read in one piece.
const TAIL_BYTES: usize = 64 << 10;
/// Rows read the careful way between two looks at whether the run was cancelled.
const CAREFUL_ROWS: usize = 4_096;

/// Delimited text, read chunk by chunk.
pub(super) struct DelimitedReader {
    report: FileReport,
    assembler: Arc<Assembler>,
    chunks: Chunks,
    batch_rows: usize,
    /// Lines before what is read next.
    line: u64,
    /// Text that begins with a record which its chunk did not hold whole, and where it begins.
    carried: Vec<u8>,
    carried_at: usize,
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
        let mut decoder = detected.encoding.decoder();
        let mut text = Vec::new();
        decoder.decode(&sample[detected.bom_len..], is_whole, &mut text);
        if detected.encoding == TextEncoding::Utf8 && options.encoding.is_none() {
            (text, _) = mend_lines(text, detected.second);
        }
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
        let passed = options.skip_rows.max(options.header_row.map(|row| row.saturating_sub(1))).map_or(0, |n| line_start(&text, n));
        let sniffed = sniff(&text[start.max(passed)..], is_whole, &fixed);
        report.dialect = Some(sniffed.syntax.describe());
        report.reasons.extend(sniffed.reasons);
        let is_decoded = detected.encoding != TextEncoding::Utf8;
        let fixed = FixedShape { header_row: options.header_row, skip_rows: options.skip_rows, keeps_columns: false, is_decoded };
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
            let raw = escape_bytes(text[..start].trim_ascii_end());
            skipped.insert(0, Skipped { row: 1, reason: "separator line".to_owned(), raw });
        }
        let n_warnings = report.warnings.len();
        let (line, data_start) = (layout.data_line, layout.data_start);
        let head = if detected.encoding.is_ascii_based() {
            sample.drain(..detected.bom_len);
            // Every byte is one character, so that the characters before the data are its bytes.
            let raw_start = match detected.encoding {
                TextEncoding::Utf8 => data_start,
                _ => text[..data_start].iter().filter(|byte| (**byte as i8) >= -0x40 && **byte != UNDECODABLE).count(),
            };
            Head { bytes: sample, data_start: raw_start, decoder: None, at_eof: is_whole }
        } else {
            Head { bytes: text, data_start, decoder: Some(decoder), at_eof: is_whole }
        };
        let assembler = Assembler::new(layout, options.limits.clone(), detected.second, options.encoding.is_none());
        let splitter = Splitter::new(input, detected.encoding, head, &assembler);
        let n_threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).min(8);
        let mut reader = Self {
            report,
            chunks: Chunks::new(splitter, Arc::clone(&assembler), n_threads),
            assembler,
            batch_rows: options.batch_rows.unwrap_or(65_536).max(1),
            line,
            carried: Vec::new(),
            carried_at: 0,
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
        if self.carried_at == self.carried.len() || self.stuck {
            let Some(chunk) = self.chunks.next(&self.report.file, control)? else {
                self.finished = true;
                return Ok(());
            };
            self.is_last = chunk.is_last;
            if let Some(mended) = &chunk.mended {
                // The first chunk holds what stands above the data too.
                let first = if chunk.start > 0 { 1 } else { self.line } + mended.first_line;
                self.tell_mended(mended, first);
            }
            // Its rows were read as if nothing preceded them.
            if self.carried_at == self.carried.len()
                && self.context.is_neutral()
                && let Some((mut rows, n_lines)) = chunk.rows
            {
                rows.shift(self.line);
                self.context = std::mem::take(&mut rows.context);
                self.line += n_lines;
                self.finished = chunk.is_last;
                return self.hand_out(rows);
            }
            self.carried.drain(..self.carried_at);
            self.carried.extend_from_slice(&chunk.text[chunk.start..]);
            self.carried_at = 0;
        }
        self.read_carefully(control)
    }

    fn tell_mended(&mut self, mended: &Mended, first: u64) {
        self.report.warnings.truncate(self.n_warnings);
        self.report.warn(format!(
            "from line {first} on {} lines are no UTF-8 and were read as {}: the encoding changes within the file",
            mended.n_lines,
            mended.encoding.name().to_ascii_lowercase()
        ));
        self.n_warnings = self.report.warnings.len();
    }

    fn read_carefully(&mut self, control: &dyn Control) -> Result<()> {
        let assembler = Arc::clone(&self.assembler);
        let mut rows = Rows::new(&assembler.layout, &assembler.limits, 0);
        rows.context = std::mem::take(&mut self.context);
        let mut cursor = Cursor::new(self.carried_at, self.line);
        self.stuck = false;
        let most_rows = (BATCH_CELLS / assembler.layout.n_columns().max(1)).max(1);
        let max_rows = self.batch_rows.min(most_rows);
        // The end of the file is read in one piece: whether its rows are footers shows only there.
        let is_near_end = |at: usize| self.is_last && self.carried.len() - at < TAIL_BYTES;
        while rows.source_rows.len() < if is_near_end(cursor.at) { most_rows } else { max_rows } && rows.n_bytes() < BATCH_BYTES {
            control.check()?;
            let before = cursor.at;
            assembler.careful(&self.carried, self.is_last, &mut cursor, &mut rows, CAREFUL_ROWS.min(max_rows));
            if cursor.at == before {
                self.stuck = true;
                break;
            }
        }
        self.carried_at = cursor.at;
        self.line = cursor.line;
        if self.is_last && self.stuck {
            rows.finish(&assembler.layout);
            self.finished = true;
        } else {
            rows.end_chunk();
        }
        self.context = std::mem::take(&mut rows.context);
        rows.strip_guards();
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

/// `\t` and `tab` as people write them.
fn delimiter_from_option(text: &str) -> Result<Vec<u8>> {
    match text {
        "" => Err(Error::config("the delimiter is empty; leave the option out to have it found")),
        "\\t" | "tab" | "TAB" => Ok(b"\t".to_vec()),
        _ if text.contains(['\n', '\r']) => Err(Error::config("a line end cannot be the delimiter")),
        _ => Ok(text.as_bytes().to_vec()),
    }
}
