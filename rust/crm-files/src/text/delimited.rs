//! The reader of delimited text.
use std::io::Read;

use crm_core::{Control, Error, Result};

use super::columns::batch;
use super::encoding::{StreamDecoder, TextEncoding, detect};
use super::input::{decompressed, fill};
use super::layout::Layout;
use super::record::{Bounds, Parser, Quotes, Record, Step};
use super::rows::{Notes, Rows};
use super::shape::{FixedShape, shape};
use super::sniff::{Fixed, sniff};
use crate::{FileReport, Format, Limits, ReadOptions, Skipped, TableReader, TextBatch};

/// Bytes read at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// Delimited text, read block by block.
pub(super) struct DelimitedReader {
    report: FileReport,
    layout: Layout,
    limits: Limits,
    batch_rows: usize,
    parser: Parser,
    input: Box<dyn Read + Send>,
    decoder: StreamDecoder,
    /// Decoded text that is not read yet, from `at` on.
    text: Vec<u8>,
    at: usize,
    line: u64,
    at_eof: bool,
    finished: bool,
    /// Rows above the data, handed out with the first batch.
    skipped_before: Vec<Skipped>,
    notes: Notes,
    n_warnings: usize,
}

impl DelimitedReader {
    pub(super) fn open(name: &str, input: Box<dyn Read + Send>, options: &ReadOptions) -> Result<Self> {
        let os_error = |error: &std::io::Error| input_error(name, error);
        let (mut input, compression) = decompressed(input).map_err(|error| os_error(&error))?;
        let mut sample = vec![0; options.limits.sample_bytes.max(4096)];
        let n_sample = fill(&mut *input, &mut sample).map_err(|error| os_error(&error))?;
        let is_whole = n_sample < sample.len();
        sample.truncate(n_sample);
        let mut report = FileReport::new(name, Format::Csv);
        report.compression = compression;
        let mut detected = detect(&sample, is_whole);
        if let Some(label) = &options.encoding {
            let encoding = TextEncoding::from_label(label)?;
            detected.bom_len = if detected.encoding == encoding { detected.bom_len } else { 0 };
            detected.encoding = encoding;
            detected.reason = "as told".to_owned();
        }
        report.encoding = Some(detected.encoding.name());
        report.reasons.push(format!("encoding {}: {}", detected.encoding.name(), detected.reason));
        report.warnings.extend(detected.warning);
        let mut decoder = detected.encoding.decoder();
        let mut text = Vec::new();
        decoder.decode(&sample[detected.bom_len..], is_whole, &mut text);
        let fixed = Fixed {
            delimiter: options.delimiter.as_deref().map(delimiter_from_option).transpose()?,
            quote: options.quote.as_ref().map(|quote| (!quote.is_empty()).then(|| (quote.as_bytes().to_vec(), quote.as_bytes().to_vec()))),
        };
        let (start, line, sep) = sep_line(&text);
        let fixed = Fixed { delimiter: fixed.delimiter.or(sep), ..fixed };
        let sniffed = sniff(&text[start..], is_whole, &fixed);
        report.dialect = Some(sniffed.syntax.describe());
        report.reasons.extend(sniffed.reasons);
        let fixed = FixedShape { header_row: options.header_row, skip_rows: options.skip_rows };
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
        let mut skipped_before = shaped.skipped;
        if start > 0 {
            let raw = String::from_utf8_lossy(text[..start].trim_ascii_end()).into_owned();
            skipped_before.insert(0, Skipped { row: 1, reason: "separator line".to_owned(), raw });
        }
        let parser = Parser::new(
            layout.syntax.clone(),
            Bounds { cell_bytes: options.limits.cell_bytes, cell_lines: options.limits.cell_lines as u64 },
        );
        let n_warnings = report.warnings.len();
        Ok(Self {
            at: layout.data_start,
            line: layout.data_line,
            report,
            layout,
            limits: options.limits.clone(),
            batch_rows: options.batch_rows.unwrap_or(65_536).max(1),
            parser,
            input,
            decoder,
            text,
            at_eof: is_whole,
            finished: false,
            skipped_before,
            notes: Notes::default(),
            n_warnings,
        })
    }

    /// Reads and decodes one more block.
    fn refill(&mut self) -> Result<()> {
        self.text.drain(..self.at);
        self.at = 0;
        let mut block = vec![0; BLOCK_BYTES];
        let n_read = fill(&mut *self.input, &mut block).map_err(|error| input_error(&self.report.file, &error))?;
        self.at_eof = n_read < block.len();
        self.decoder.decode(&block[..n_read], self.at_eof, &mut self.text);
        Ok(())
    }

    /// Parses and places records of the text at hand; false once more text is needed.
    fn read_record(&mut self, rows: &mut Rows, record: &mut Record) -> bool {
        let mut step = self.parser.parse(&self.text, self.at, self.at_eof, Quotes::AtEdges, record);
        if step == Step::NeedMore && self.text.len() - self.at > self.limits.record_bytes {
            step = Step::Runaway;
        }
        if step == Step::Runaway {
            step = self.parser.parse(&self.text, self.at, self.at_eof, Quotes::InLine, record);
            record.stray_quote = true;
        }
        if step != Step::Done {
            return false;
        }
        let row = self.line;
        let is_odd = record.stray_quote || record.n_lines > 1;
        if record.cells.len() != self.layout.n_columns()
            && self.layout.syntax.quote.is_some()
            && (is_odd || record.cells.len() > self.layout.n_columns())
        {
            self.try_other_readings(record);
        }
        if record.stray_quote {
            rows.notes.stray_quote.add(row);
        }
        let raw = &self.text[self.at..record.end];
        rows.add(&self.layout, &self.text, record, raw, row);
        self.line += record.n_lines;
        self.at = record.next;
        true
    }

    /// Another reading of the quotes, if one gives the number of cells that the table has.
    fn try_other_readings(&self, record: &mut Record) {
        let first_reading = std::mem::take(record);
        for quotes in [Quotes::InLine, Quotes::Anywhere, Quotes::Literal] {
            if self.parser.parse(&self.text, self.at, self.at_eof, quotes, record) == Step::Done
                && record.cells.len() == self.layout.n_columns()
            {
                record.stray_quote = true;
                return;
            }
        }
        *record = first_reading;
    }
}

impl TableReader for DelimitedReader {
    fn report(&self) -> &FileReport {
        &self.report
    }

    fn schema(&self) -> arrow_schema::SchemaRef {
        std::sync::Arc::clone(&self.layout.schema)
    }

    fn next_batch(&mut self, control: &dyn Control) -> Result<Option<TextBatch>> {
        if self.finished {
            return Ok(None);
        }
        let mut rows = Rows::new(&self.layout, &self.limits, self.batch_rows.min(65_536), BLOCK_BYTES);
        rows.skipped.append(&mut self.skipped_before);
        let mut record = Record::default();
        loop {
            control.check()?;
            let mut n_since_check = 0;
            while rows.source_rows.len() < self.batch_rows && rows.n_bytes() < 64 << 20 && n_since_check < 20_000 {
                n_since_check += 1;
                if !self.read_record(&mut rows, &mut record) {
                    if self.at_eof {
                        self.finished = true;
                        break;
                    }
                    self.refill()?;
                    break;
                }
            }
            if self.finished || rows.source_rows.len() >= self.batch_rows || rows.n_bytes() >= 64 << 20 {
                break;
            }
        }
        if self.finished {
            rows.finish(&self.layout);
        } else {
            rows.release_pending();
        }
        self.notes.merge(&rows.notes);
        self.report.warnings.truncate(self.n_warnings);
        self.report.warnings.extend(self.notes.warnings());
        let counts = &mut self.report.counts;
        counts.yielded += rows.source_rows.len() as u64;
        counts.rejected += rows.rejects.len() as u64;
        counts.skipped += rows.skipped.len() as u64;
        counts.rows_in = counts.yielded + counts.rejected + counts.skipped;
        let n_rows = rows.source_rows.len();
        let columns = rows
            .columns
            .into_iter()
            .map(|column| column.finish().ok_or_else(|| Error::internal("a column of checked cells is no UTF-8")))
            .collect::<Result<Vec<_>>>()?;
        let batch = batch(&self.layout.schema, columns, n_rows)?;
        Ok(Some(TextBatch { batch, source_rows: rows.source_rows, rejects: rows.rejects, skipped: rows.skipped }))
    }
}

/// An error of the operating system stays one; a broken archive is a file format error.
fn input_error(name: &str, error: &std::io::Error) -> Error {
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

/// Excel's first line `sep=;`: where the rest begins, on which line, and the delimiter.
fn sep_line(text: &[u8]) -> (usize, u64, Option<Vec<u8>>) {
    let line_end = memchr::memchr2(b'\n', b'\r', text).unwrap_or(text.len());
    let line = text[..line_end].trim_ascii_start();
    let line = line.strip_prefix(b"\"").map_or(line, |rest| rest.strip_suffix(b"\"").unwrap_or(rest));
    if line.len() < 5 || !line[..4].eq_ignore_ascii_case(b"sep=") || line.len() > 8 {
        return (0, 1, None);
    }
    let next = match &text[line_end..] {
        [b'\r', b'\n', ..] => line_end + 2,
        [] => line_end,
        _ => line_end + 1,
    };
    (next, 2, Some(line[4..].to_vec()))
}
