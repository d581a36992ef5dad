//! The tables of one segment, read where they lie.
use arrow_buffer::{Buffer, ScalarBuffer};
use crm_core::Result;

use super::search::{find, lower_bound};
use super::section;
use crate::segment::{SectionId, Segment};

/// Columns of [`section::ROWS`], by their number.
pub(super) mod row_column {
    pub const RECORD_ID: u32 = 0;
    pub const VERSION: u32 = 1;
    pub const UPDATED_AT: u32 = 2;
    /// `first_run << 32 | run`.
    pub const RUNS: u32 = 3;
    pub const CONTENT: u32 = 4;
    pub const START: u32 = 5;
    /// `layout << 32 | length`; [`GONE`] for a record that is gone.
    pub const SHAPE: u32 = 6;
    pub const N: usize = 7;
    pub const GONE: u64 = u64::MAX;
}

/// The records of a segment, sorted by `record_id`.
#[derive(Debug)]
pub struct RowTable {
    ids: ScalarBuffer<i64>,
    columns: [ScalarBuffer<u64>; row_column::N - 1],
    cells: Buffer,
}

/// One record as the index holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
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
    /// The number of its layout among those of its segment.
    pub layout: u32,
    /// Its cells, encoded.
    pub cells: &'a [u8],
}

impl RowTable {
    pub(super) fn open(segment: &Segment) -> Result<Self> {
        let ids: ScalarBuffer<i64> = segment.values((section::ROWS, row_column::RECORD_ID))?;
        let column = |number: u32| -> Result<ScalarBuffer<u64>> {
            let values = segment.values((section::ROWS, number))?;
            if values.len() == ids.len() { Ok(values) } else { Err(segment.damaged("the rows' columns differ in length")) }
        };
        use row_column::{CONTENT, RUNS, SHAPE, START, UPDATED_AT, VERSION};
        let columns = [column(VERSION)?, column(UPDATED_AT)?, column(RUNS)?, column(CONTENT)?, column(START)?, column(SHAPE)?];
        Ok(Self { ids, columns, cells: segment.bytes((section::CELLS, 0)) })
    }

    /// Number of rows, those that say "gone" included.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The place of a record.
    pub fn find(&self, record_id: i64) -> Option<usize> {
        find(&self.ids, record_id)
    }

    /// The record at a place.
    pub fn record_id(&self, place: usize) -> Option<i64> {
        self.ids.get(place).copied()
    }

    fn column(&self, number: u32, place: usize) -> u64 {
        self.columns[number as usize - 1][place]
    }

    /// Whether the entry says that the record is gone.
    pub fn is_gone(&self, place: usize) -> bool {
        self.column(row_column::SHAPE, place) == row_column::GONE
    }

    /// The hash of the normalized content at a place, the run that first brought the record, and that of this version.
    pub fn facts(&self, place: usize) -> (u64, u32, u32) {
        let runs = self.column(row_column::RUNS, place);
        (self.column(row_column::CONTENT, place), (runs >> 32) as u32, runs as u32)
    }

    /// The row at a place; `None` where its cells lie outside of the file.
    pub fn get(&self, place: usize) -> Option<Row<'_>> {
        let record_id = *self.ids.get(place)?;
        let (runs, shape) = (self.column(row_column::RUNS, place), self.column(row_column::SHAPE, place));
        let is_gone = shape == row_column::GONE;
        let (start, len) = if is_gone { (0, 0) } else { (self.column(row_column::START, place) as usize, shape as u32 as usize) };
        Some(Row {
            record_id,
            version: self.column(row_column::VERSION, place),
            updated_at: self.column(row_column::UPDATED_AT, place) as i64,
            first_run: (runs >> 32) as u32,
            run: runs as u32,
            content: self.column(row_column::CONTENT, place),
            layout: if is_gone { 0 } else { (shape >> 32) as u32 },
            cells: self.cells.get(start..start.checked_add(len)?)?,
        })
    }

    pub(super) fn is_sorted(&self) -> bool {
        self.ids.windows(2).all(|pair| pair[0] < pair[1]) && (0..self.len()).all(|place| self.get(place).is_some())
    }
}

/// Lists of numbers by record or contact.
#[derive(Debug)]
pub struct ListTable {
    keys: ScalarBuffer<i64>,
    offsets: ScalarBuffer<u64>,
    values: ScalarBuffer<u64>,
}

impl ListTable {
    pub(super) fn open(segment: &Segment, number: u32) -> Result<Self> {
        let part = |part: u32| -> SectionId { (section::LISTS, 4 * number + part) };
        let (keys, offsets, values): (ScalarBuffer<i64>, ScalarBuffer<u64>, _) =
            (segment.values(part(0))?, segment.values(part(1))?, segment.values(part(2))?);
        if !keys.is_empty() && offsets.len() != keys.len() + 1 {
            return Err(segment.damaged("a list table's columns differ in length"));
        }
        Ok(Self { keys, offsets, values })
    }

    /// The keys, sorted.
    pub fn keys(&self) -> &[i64] {
        &self.keys
    }

    /// The place of a key.
    pub fn find(&self, key: i64) -> Option<usize> {
        find(&self.keys, key)
    }

    /// The list at a place; `None` where it is outside of the file.
    pub fn get(&self, place: usize) -> Option<&[u64]> {
        let (start, end) = (*self.offsets.get(place)?, *self.offsets.get(place + 1)?);
        self.values.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }

    pub(super) fn is_sorted(&self) -> bool {
        self.keys.windows(2).all(|pair| pair[0] < pair[1]) && (0..self.keys.len()).all(|place| self.get(place).is_some())
    }
}

/// Which rows bear a key.
#[derive(Debug)]
pub struct PostingTable(ScalarBuffer<u64>);

impl PostingTable {
    pub(super) fn open(segment: &Segment, id: SectionId) -> Result<Self> {
        Ok(Self(segment.values(id)?))
    }

    /// All entries.
    pub fn entries(&self) -> &[u64] {
        &self.0
    }

    /// The entries of a key, the row's place in the low half of each.
    pub fn of(&self, key: u32) -> &[u64] {
        let start = lower_bound(&self.0, u64::from(key) << 32);
        let rest = &self.0[start..];
        // Most keys are borne by few.
        let mut end = 0;
        while rest.get(end).is_some_and(|entry| (*entry >> 32) as u32 == key) {
            end += 1;
        }
        &rest[..end]
    }

    pub(super) fn is_sorted(&self) -> bool {
        self.0.windows(2).all(|pair| pair[0] <= pair[1])
    }
}
