//! JSON lines, and one JSON array of objects: a row per object, a column per key.
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use crm_core::{Control, Error, Result};

use super::columns::{ColumnBuilder, batch};
use super::decoded::DecodedInput;
use super::delimited::input_error;
use super::escape::escape_decoded;
use super::input::{decompressed, fill};
use super::json_values::{ValueEnd, flat_object, list_within};
use super::layout::{column_names, text_schema};
use crate::{FileReport, Format, ReadOptions, Reject, Skipped, TableReader, TextBatch};

const BLOCK_BYTES: usize = 1 << 20;
/// Cells of a batch, nulls included.
const BATCH_CELLS: usize = 4 << 20;

/// Objects one after the other, read block by block.
pub(super) struct JsonLinesReader {
    report: FileReport,
    schema: SchemaRef,
    columns: HashMap<String, usize>,
    input: DecodedInput,
    text: Vec<u8>,
    at: usize,
    line: u64,
    at_eof: bool,
    finished: bool,
    in_array: bool,
    /// The list stands within an object: what follows its end is none of it.
    is_wrapped: bool,
    /// Where the search for the end of a value stands whose beginning was rejected as too long.
    too_long: Option<ValueEnd>,
    batch_rows: usize,
    limit_bytes: usize,
    raw_bytes: usize,
}

impl JsonLinesReader {
    pub(super) fn open(name: &str, input: Box<dyn Read + Send>, options: &ReadOptions) -> Result<Self> {
        let (input, compression) = decompressed(input).map_err(|error| input_error(name, &error))?;
        // Keys are columns, and columns are fixed by the sample: a generous one.
        let sample_bytes = options.limits.sample_bytes.max(4096) * 8;
        let (mut input, encoding) = DecodedInput::open(name, input, options.encoding.as_deref(), sample_bytes, |_| None)?;
        let mut text = vec![0; sample_bytes];
        let n_sample = fill(&mut input, &mut text).map_err(|error| input_error(name, &error))?;
        let is_whole = n_sample < sample_bytes;
        text.truncate(n_sample);
        let first = text.iter().find(|byte| !byte.is_ascii_whitespace()).copied();
        if !matches!(first, Some(b'{' | b'[')) {
            return Err(Error::file_format(name, format!("{name}: no JSON lines: neither an object nor an array of objects begins it")));
        }
        let mut report = FileReport::new(name, Format::Jsonl);
        report.compression = compression;
        report.encoding = Some(encoding);
        let wrapped = list_within(&text);
        let mut reader = Self {
            schema: text_schema(&[]),
            columns: HashMap::new(),
            input,
            text,
            at: 0,
            line: 1,
            at_eof: is_whole,
            finished: false,
            in_array: first == Some(b'[') || wrapped.is_some(),
            is_wrapped: wrapped.is_some(),
            too_long: None,
            batch_rows: options.batch_rows.unwrap_or(65_536).max(1),
            limit_bytes: options.limits.record_bytes,
            raw_bytes: options.limits.raw_bytes,
            report,
        };
        if let Some((key, at)) = wrapped {
            reader.report.warn(format!("the rows are the list under the key '{key}'; what else the file holds is not read"));
            reader.line += memchr::memchr_iter(b'\n', &reader.text[..at]).count() as u64;
            reader.text.drain(..at);
        }
        let keys = reader.sample_keys();
        if keys.len() > options.limits.columns {
            return Err(Error::file_format(
                name,
                format!("{name}: {} keys, more than the limit of {} columns", keys.len(), options.limits.columns),
            ));
        }
        let names = column_names(&keys);
        reader.schema = text_schema(&names);
        reader.columns = keys.into_iter().enumerate().map(|(idx, key)| (key, idx)).collect();
        reader.report.columns = names;
        let what = if reader.in_array { "a JSON array of objects" } else { "JSON lines" };
        let extent = if reader.at_eof { "all rows".to_owned() } else { format!("the first {} KiB", reader.text.len() / 1024) };
        reader.report.reasons.push(format!("{what}; the columns are the keys of {extent}, those within objects as outer.inner"));
        Ok(reader)
    }

    /// The keys of the sample in the order in which they first occur.
    fn sample_keys(&mut self) -> Vec<String> {
        let mut keys = Vec::new();
        let mut known = std::collections::HashSet::new();
        let first_line = self.line;
        while let Some((start, end)) = self.next_object() {
            for (key, _) in flat_object(&self.text[start..end]).unwrap_or_default() {
                if known.insert(key.clone()) {
                    keys.push(key);
                }
            }
        }
        (self.at, self.line, self.too_long, self.finished) = (0, first_line, None, false);
        keys
    }

    /// The next object (or line that should be one) of the text at hand, and moves behind it.
    fn next_object(&mut self) -> Option<(usize, usize)> {
        if !self.pass_too_long() {
            return None;
        }
        while let Some(byte) = self.text.get(self.at) {
            if self.is_wrapped && *byte == b']' {
                // What follows the list is none of its rows.
                self.finished = true;
                return None;
            }
            let is_separator = byte.is_ascii_whitespace() || self.in_array && matches!(byte, b',' | b'[' | b']');
            if !is_separator {
                break;
            }
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return None;
        }
        let mut end = ValueEnd::new(self.in_array);
        let len = match end.find(rest) {
            // A bracket that closes nothing is a value of its own, and no object.
            Some(len) => len.max(1),
            None if self.at_eof => rest.len(),
            None if rest.len() > self.limit_bytes => {
                self.too_long = Some(end);
                rest.len()
            }
            None => return None,
        };
        let start = self.at;
        self.at += len;
        Some((start, start + len))
    }

    /// Passes over the rest of a value that is too long; whether its end is behind us.
    fn pass_too_long(&mut self) -> bool {
        let Some(mut end) = self.too_long.take() else { return true };
        let rest = &self.text[self.at..];
        let found = end.find(rest);
        let len = found.unwrap_or(rest.len());
        self.line += memchr::memchr_iter(b'\n', &rest[..len]).count() as u64;
        self.at += len;
        self.too_long = if found.is_none() { Some(end) } else { None };
        found.is_some()
    }

    fn refill(&mut self) -> Result<()> {
        self.text.drain(..self.at);
        self.at = 0;
        let n_before = self.text.len();
        self.text.resize(n_before + BLOCK_BYTES, 0);
        let n_read = fill(&mut self.input, &mut self.text[n_before..]).map_err(|error| input_error(&self.report.file, &error))?;
        self.text.truncate(n_before + n_read);
        self.at_eof = n_read < BLOCK_BYTES;
        Ok(())
    }

    /// The cells of one object in column order.
    fn cells(&self, object: &[u8]) -> std::result::Result<Vec<Option<String>>, (Option<String>, String)> {
        if object.len() > self.limit_bytes {
            return Err((None, format!("a row of more than the {} bytes allowed (limit `record_bytes`)", self.limit_bytes)));
        }
        let mut cells = vec![None; self.columns.len()];
        let mut is_given = vec![false; self.columns.len()];
        for (key, text) in flat_object(object).map_err(|reason| (None, reason))? {
            match self.columns.get(&key) {
                Some(idx) if std::mem::replace(&mut is_given[*idx], true) => {
                    return Err((Some(key), "the key stands there twice".to_owned()));
                }
                Some(idx) => cells[*idx] = text,
                None => return Err((Some(key), "a key that the first rows do not have, so that there is no column for it".to_owned())),
            }
        }
        Ok(cells)
    }
}

impl TableReader for JsonLinesReader {
    fn report(&self) -> &FileReport {
        &self.report
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next_batch(&mut self, control: &dyn Control) -> Result<Option<TextBatch>> {
        if self.finished {
            return Ok(None);
        }
        let mut columns: Vec<ColumnBuilder> = self.schema.fields().iter().map(|_| ColumnBuilder::with_capacity(1024)).collect();
        let (mut source_rows, mut rejects, skipped) = (Vec::new(), Vec::new(), Vec::<Skipped>::new());
        let mut n_bytes = 0;
        // Objects of few keys take room for all columns.
        let most_rows = self.batch_rows.min((BATCH_CELLS / self.columns.len().max(1)).max(1));
        while source_rows.len() < most_rows && n_bytes < 64 << 20 {
            if (source_rows.len() + rejects.len()) % 4096 == 0 {
                control.check()?;
            }
            let Some((start, end)) = self.next_object() else {
                if self.at_eof || self.finished {
                    self.finished = true;
                    break;
                }
                self.refill()?;
                continue;
            };
            let object = &self.text[start..end];
            let row = self.line;
            self.line += memchr::memchr_iter(b'\n', object).count() as u64;
            match self.cells(object) {
                Ok(cells) => {
                    n_bytes += object.len();
                    for (column, cell) in columns.iter_mut().zip(&cells) {
                        column.push(cell.as_deref().map(str::as_bytes));
                    }
                    source_rows.push(row);
                }
                Err((column, reason)) => {
                    let raw = escape_decoded(&object[..object.len().min(self.raw_bytes)]);
                    rejects.push(Reject { row, column, reason, raw });
                }
            }
        }
        let counts = &mut self.report.counts;
        counts.yielded += source_rows.len() as u64;
        counts.rejected += rejects.len() as u64;
        counts.rows_in = counts.yielded + counts.rejected;
        let columns = columns
            .into_iter()
            .map(|column| column.finish().ok_or_else(|| Error::internal("a column of strings is no UTF-8")))
            .collect::<Result<Vec<_>>>()?;
        let batch = batch(&self.schema, columns, source_rows.len())?;
        Ok(Some(TextBatch { batch, source_rows, rejects, skipped }))
    }
}
