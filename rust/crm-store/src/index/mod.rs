//! The index of a base: what matching must know of all records, as an ordered set of immutable segments.
//!
//! Each segment holds what one run changed. For one record (or contact) the newest segment that has an entry for it says what holds; an
//! entry may say that there is nothing. [`RowTable`] holds records with their cells, [`ListTable`] lists of numbers by record or contact, and
//! [`PostingTable`] which records bear a key: a posting counts while its segment is the newest that has the record.
mod search;
mod table;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crm_core::{Error, Result};

use crate::segment::Segment;
pub use search::lower_bound;
pub use table::{ListTable, PostingTable, Row, RowTable};
pub use writer::{IndexWriter, RowFacts};

/// Kinds of sections. Numbers within [`section::POSTINGS`] are blocking rules.
pub mod section {
    /// JSON that describes the base: options, layouts.
    pub const ABOUT: u32 = 1;
    /// JSON of the model.
    pub const MODEL: u32 = 2;
    /// Parts of the row table.
    pub const ROWS: u32 = 3;
    /// Parts of the list tables: `number = 4 * table + part`.
    pub const LISTS: u32 = 4;
    /// Per rule the sorted `(key << 32) | place of the row`.
    pub const POSTINGS: u32 = 5;
    /// The same for keys that are not used for matching, only for finding.
    pub const WIDE_POSTINGS: u32 = 6;
    /// Hashes of normalized contents and the places of the rows.
    pub const CONTENTS: u32 = 7;
    /// The encoded cells of all rows.
    pub const CELLS: u32 = 8;
}

/// A segment with its tables at hand.
#[derive(Debug)]
pub struct IndexSegment {
    /// The file's name.
    pub name: String,
    segment: Segment,
    rows: RowTable,
    lists: Vec<ListTable>,
    postings: Vec<PostingTable>,
    wide_postings: Vec<PostingTable>,
    contents: (arrow_buffer::ScalarBuffer<u64>, arrow_buffer::ScalarBuffer<u32>),
}

/// Most kinds of lists that a base keeps.
pub const N_LISTS: u32 = 8;

impl IndexSegment {
    fn open(folder: &Path, name: &str) -> Result<Self> {
        let is_plain = !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "." && name != "..";
        if !is_plain {
            return Err(Error::store(format!("'{name}' is not the name of an index file")));
        }
        let segment = Segment::open(&folder.join(name))?;
        let rows = RowTable::open(&segment)?;
        let lists = (0..N_LISTS).map(|number| ListTable::open(&segment, number)).collect::<Result<_>>()?;
        let postings = |kind: u32| -> Result<Vec<PostingTable>> {
            let n = segment.numbers(kind).last().map_or(0, |last| last.saturating_add(1)).min(1 << 16);
            (0..n).map(|rule| PostingTable::open(&segment, (kind, rule))).collect()
        };
        let contents = (segment.values((section::CONTENTS, 0))?, segment.values((section::CONTENTS, 1))?);
        if contents.0.len() != contents.1.len() {
            return Err(segment.damaged("the contents' columns differ in length"));
        }
        let (postings, wide_postings) = (postings(section::POSTINGS)?, postings(section::WIDE_POSTINGS)?);
        Ok(Self { name: name.to_owned(), rows, lists, postings, wide_postings, contents, segment })
    }

    /// The rows of the segment.
    pub fn rows(&self) -> &RowTable {
        &self.rows
    }

    /// One of its list tables.
    pub fn list(&self, number: u32) -> Option<&ListTable> {
        self.lists.get(number as usize)
    }

    /// The postings of a rule, as they are; those of rows that a newer segment has count no more.
    pub fn postings(&self, rule: usize, is_wide: bool) -> &[u64] {
        let tables = if is_wide { &self.wide_postings } else { &self.postings };
        tables.get(rule).map_or(&[], PostingTable::entries)
    }

    /// Number of rules that it has postings of.
    pub fn n_rules(&self) -> usize {
        self.postings.len().max(self.wide_postings.len())
    }

    /// The bytes of a section as they are.
    pub fn bytes(&self, kind: u32) -> arrow_buffer::Buffer {
        self.segment.bytes((kind, 0))
    }
}

/// All registered segments of a base.
#[derive(Debug, Clone, Default)]
pub struct KeyIndex {
    /// Oldest first.
    segments: Vec<Arc<IndexSegment>>,
    folder: PathBuf,
}

/// Where a row is: its segment, and its place in that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowAt {
    segment: u32,
    place: u32,
}

impl RowAt {
    /// The place of its segment.
    pub fn segment(self) -> usize {
        self.segment as usize
    }

    /// The place of the row in its segment.
    pub fn place(self) -> usize {
        self.place as usize
    }
}

impl KeyIndex {
    /// Maps the named segments of a folder, oldest first. Nothing but their headers and tables is read.
    pub fn open(folder: &Path, names: &[String]) -> Result<Self> {
        let segments = names.iter().map(|name| IndexSegment::open(folder, name).map(Arc::new)).collect::<Result<_>>()?;
        Ok(Self { segments, folder: folder.to_owned() })
    }

    /// The same index with other segments; those that are open already are not opened again.
    pub fn with_segments(&self, names: &[String]) -> Result<Self> {
        let known = |name: &String| self.segments.iter().find(|segment| segment.name == *name).cloned();
        let segments = names
            .iter()
            .map(|name| known(name).map_or_else(|| IndexSegment::open(&self.folder, name).map(Arc::new), Ok))
            .collect::<Result<_>>()?;
        Ok(Self { segments, folder: self.folder.clone() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> &[Arc<IndexSegment>] {
        &self.segments
    }

    /// Where the record's current row is; `None` where there is none.
    pub fn find(&self, record_id: i64) -> Option<RowAt> {
        for (segment, index) in self.segments.iter().enumerate().rev() {
            if let Some(place) = index.rows.find(record_id) {
                return (!index.rows.is_gone(place)).then_some(RowAt { segment: segment as u32, place: place as u32 });
            }
        }
        None
    }

    /// What is known of a row.
    pub fn row(&self, at: RowAt) -> Result<Row<'_>> {
        let index = &self.segments[at.segment as usize];
        index.rows.get(at.place as usize).ok_or_else(|| index.segment.damaged("a row is out of bounds"))
    }

    /// Of a row the hash of its normalized content, the run that first brought the record, and that of this version.
    pub fn facts(&self, at: RowAt) -> (u64, u32, u32) {
        self.segments[at.segment as usize].rows.facts(at.place as usize)
    }

    /// Lets go of the memory that mirrors the files; what is read again comes from them.
    pub fn release(&self) {
        self.segments.iter().for_each(|index| index.segment.release());
    }

    /// Whether a row in a segment is its record's current one.
    fn is_current(&self, segment: usize, record_id: i64) -> bool {
        self.segments[segment + 1..].iter().all(|newer| newer.rows.find(record_id).is_none())
    }

    /// Calls `visit` with each record that bears a key under a rule.
    pub fn each_with_key(&self, rule: usize, key: u32, is_wide: bool, mut visit: impl FnMut(i64)) -> Result<()> {
        for (segment, index) in self.segments.iter().enumerate() {
            let tables = if is_wide { &index.wide_postings } else { &index.postings };
            let Some(table) = tables.get(rule) else { continue };
            for entry in table.of(key) {
                self.visit_current(segment, *entry as u32, &mut visit)?;
            }
        }
        Ok(())
    }

    /// Calls `visit` with each record of a normalized content.
    pub fn each_with_content(&self, content: u64, mut visit: impl FnMut(i64)) -> Result<()> {
        for (segment, index) in self.segments.iter().enumerate() {
            let (hashes, places) = &index.contents;
            let start = lower_bound(hashes, content);
            for (hash, place) in hashes[start..].iter().zip(&places[start..]) {
                if *hash != content {
                    break;
                }
                self.visit_current(segment, *place, &mut visit)?;
            }
        }
        Ok(())
    }

    fn visit_current(&self, segment: usize, place: u32, visit: &mut impl FnMut(i64)) -> Result<()> {
        let index = &self.segments[segment];
        let record_id = index.rows.record_id(place as usize).ok_or_else(|| index.segment.damaged("a posting points nowhere"))?;
        if self.is_current(segment, record_id) {
            visit(record_id);
        }
        Ok(())
    }

    /// The list that the newest segment has for a key; empty where none has.
    pub fn list(&self, number: u32, key: i64) -> Result<&[u64]> {
        for index in self.segments.iter().rev() {
            let Some(table) = index.lists.get(number as usize) else { continue };
            if let Some(place) = table.find(key) {
                return table.get(place).ok_or_else(|| index.segment.damaged("a list is out of bounds"));
            }
        }
        Ok(&[])
    }

    /// Calls `visit` with every current row, segment by segment.
    pub fn each_row(&self, mut visit: impl FnMut(RowAt, &Row<'_>) -> Result<()>) -> Result<()> {
        for (segment, index) in self.segments.iter().enumerate() {
            for place in 0..index.rows.len() {
                let row = index.rows.get(place).ok_or_else(|| index.segment.damaged("a row is out of bounds"))?;
                if !index.rows.is_gone(place) && self.is_current(segment, row.record_id) {
                    visit(RowAt { segment: segment as u32, place: place as u32 }, &row)?;
                }
            }
        }
        Ok(())
    }

    /// Calls `visit` with every key of a list table and its current list, in the order of the keys.
    pub fn each_list(&self, number: u32, mut visit: impl FnMut(i64, &[u64]) -> Result<()>) -> Result<()> {
        let mut keys: Vec<i64> =
            self.segments.iter().filter_map(|index| index.list(number)).flat_map(|table| table.keys().iter().copied()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let list = self.list(number, key)?;
            if !list.is_empty() {
                visit(key, list)?;
            }
        }
        Ok(())
    }

    /// The newest section of a kind that is not split into parts.
    pub fn newest(&self, kind: u32) -> Option<arrow_buffer::Buffer> {
        self.segments.iter().rev().map(|index| index.bytes(kind)).find(|bytes| !bytes.is_empty())
    }

    /// Compares all segments with their checksums, and their tables with what tables must be.
    pub fn verify(&self) -> Result<()> {
        for index in &self.segments {
            index.segment.verify()?;
            let sorted = index.rows.is_sorted()
                && index.lists.iter().all(ListTable::is_sorted)
                && index.postings.iter().chain(&index.wide_postings).all(PostingTable::is_sorted)
                && index.contents.0.windows(2).all(|pair| pair[0] <= pair[1]);
            if !sorted {
                return Err(index.segment.damaged("a table is out of order"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
