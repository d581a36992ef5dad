//! Writing the segment of one run.
use std::path::Path;

use arrow_buffer::Buffer;
use crm_core::{Error, Result};

use super::section;
use super::table::row_column;
use crate::segment::SegmentWriter;

/// What is written of a record beside its cells.
#[derive(Debug, Clone, Copy)]
pub struct RowFacts {
    /// The record.
    pub record_id: i64,
    /// Hash of its cells.
    pub version: u64,
    /// Seconds since 1970; `i64::MIN` where the record says none.
    pub updated_at: i64,
    /// The run that first brought the record.
    pub first_run: u32,
    /// The run that brought this version.
    pub run: u32,
    /// Hash of its normalized content.
    pub content: u64,
    /// The number of its layout among those of the segment.
    pub layout: u32,
    /// Where its cells begin among those written, and their length.
    pub cells: (u64, u32),
}

/// A column of the row table: its number, its value for a row, and for a record that is gone.
type RowColumn = (u32, fn(&RowFacts) -> u64, u64);

/// Writes a segment: first the cells of rows as they come, then, with [`IndexWriter::rows`] and the others, the tables.
#[derive(Debug)]
pub struct IndexWriter {
    segment: SegmentWriter,
    len_cells: u64,
}

impl IndexWriter {
    /// Begins a segment in `folder`.
    pub fn create(folder: &Path) -> Result<Self> {
        let mut segment = SegmentWriter::create(folder)?;
        segment.begin((section::CELLS, 0))?;
        Ok(Self { segment, len_cells: 0 })
    }

    /// Adds the encoded cells of a row and says where they begin.
    pub fn push_cells(&mut self, bytes: &[u8]) -> Result<u64> {
        let start = self.len_cells;
        self.segment.write(bytes)?;
        self.len_cells += bytes.len() as u64;
        Ok(start)
    }

    /// Bytes of cells so far.
    pub fn len_cells(&self) -> u64 {
        self.len_cells
    }

    /// The cells written so far.
    pub fn map_cells(&mut self) -> Result<Buffer> {
        let start = self.segment.open_start();
        let whole = self.segment.map_written()?;
        let len = usize::try_from(self.len_cells).map_err(|_| Error::limit("more cells than memory can address"))?;
        if whole.len() < start + len {
            return Err(Error::store("what was just written to the index is not there"));
        }
        Ok(whole.slice_with_length(start, len))
    }

    /// Ends the cells; tables follow.
    pub fn end_cells(&mut self) -> Result<()> {
        self.segment.end()
    }

    /// The rows, which must be sorted by `record_id`, and the records that are gone, sorted too; no record is in both.
    pub fn rows(&mut self, rows: &[RowFacts], gone: &[i64]) -> Result<()> {
        const NONE: usize = usize::MAX;
        let mut order: Vec<usize> = Vec::with_capacity(rows.len() + gone.len());
        let mut ids: Vec<i64> = Vec::with_capacity(rows.len() + gone.len());
        let mut left = gone.iter().copied().peekable();
        for (place, row) in rows.iter().enumerate() {
            while let Some(id) = left.next_if(|id| *id < row.record_id) {
                ids.push(id);
                order.push(NONE);
            }
            ids.push(row.record_id);
            order.push(place);
        }
        for id in left {
            ids.push(id);
            order.push(NONE);
        }
        if ids.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(Error::internal("rows of the index are out of order"));
        }
        self.segment.section((section::ROWS, row_column::RECORD_ID), &ids)?;
        use row_column::{CONTENT, GONE, RUNS, SHAPE, START, UPDATED_AT, VERSION};
        let columns: [RowColumn; 6] = [
            (VERSION, |row| row.version, 0),
            (UPDATED_AT, |row| row.updated_at as u64, 0),
            (RUNS, |row| u64::from(row.first_run) << 32 | u64::from(row.run), 0),
            (CONTENT, |row| row.content, 0),
            (START, |row| row.cells.0, 0),
            (SHAPE, |row| u64::from(row.layout) << 32 | u64::from(row.cells.1), GONE),
        ];
        for (number, value, of_gone) in columns {
            self.segment.begin((section::ROWS, number))?;
            let mut buffer: Vec<u64> = Vec::with_capacity(1 << 16);
            for chunk in order.chunks(1 << 16) {
                buffer.clear();
                buffer.extend(chunk.iter().map(|place| if *place == NONE { of_gone } else { value(&rows[*place]) }));
                self.segment.write(arrow_buffer::ToByteSlice::to_byte_slice(buffer.as_slice()))?;
            }
            self.segment.end()?;
        }
        let mut contents: Vec<(u64, u32)> =
            order.iter().enumerate().filter(|(_, place)| **place != NONE).map(|(at, place)| (rows[*place].content, at as u32)).collect();
        contents.sort_unstable();
        self.segment.section((section::CONTENTS, 0), &contents.iter().map(|(hash, _)| *hash).collect::<Vec<_>>())?;
        self.segment.section((section::CONTENTS, 1), &contents.iter().map(|(_, place)| *place).collect::<Vec<_>>())
    }

    /// A list table: keys with their lists, sorted by key.
    pub fn lists(&mut self, number: u32, keys: &[i64], offsets: &[u64], values: &[u64]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        if offsets.len() != keys.len() + 1 || keys.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(Error::internal("lists of the index are out of order"));
        }
        self.segment.section((section::LISTS, 4 * number), keys)?;
        self.segment.section((section::LISTS, 4 * number + 1), offsets)?;
        self.segment.section((section::LISTS, 4 * number + 2), values)
    }

    /// The postings of a rule, `(key << 32) | place of the row`, sorted.
    pub fn postings(&mut self, rule: usize, is_wide: bool, entries: &[u64]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let kind = if is_wide { section::WIDE_POSTINGS } else { section::POSTINGS };
        self.segment.section((kind, rule as u32), entries)
    }

    /// A section of bytes.
    pub fn bytes(&mut self, kind: u32, bytes: &[u8]) -> Result<()> {
        self.segment.section((kind, 0), bytes)
    }

    /// Makes the file durable and gives it its name.
    pub fn finish(self, run: u32) -> Result<String> {
        self.segment.finish(&format!("{run:010}"))
    }
}
