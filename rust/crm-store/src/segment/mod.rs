//! Immutable files of sections: how the index of a base lies on disk.
//!
//! ```text
//! header (64 bytes) | section, section, ... (each at a multiple of 64) | table of sections
//! ```
//! All numbers are little-endian. The header says where the table is and how long the file must be; header and table carry checksums that
//! are verified at opening, and each section's checksum stands in the table for [`Segment::verify`]. Whatever a file says is checked against
//! its borders before it is used, so that a damaged one gives an error and nothing else.
mod map;
mod write;

use std::path::{Path, PathBuf};

use arrow_buffer::{ArrowNativeType, Buffer, ScalarBuffer};
use crm_core::{Error, Result};
use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64;

pub use write::SegmentWriter;

const MAGIC: [u8; 8] = *b"CRMINDEX";
/// Version of the files' format.
const FORMAT: u32 = 1;
const HEADER: usize = 64;
const ENTRY: usize = 40;
/// Sections begin at multiples of it.
const ALIGNMENT: usize = 64;
/// More sections than any writer makes.
const MOST_SECTIONS: usize = 1 << 20;

/// What a section is: its kind, and a number among those of one kind.
pub type SectionId = (u32, u32);

/// Where a section lies.
#[derive(Debug, Clone, Copy)]
struct Section {
    id: SectionId,
    offset: usize,
    len: usize,
    checksum: u64,
}

/// A segment file, mapped.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    whole: Buffer,
    map: Option<std::sync::Arc<memmap2::Mmap>>,
    sections: HashMap<SectionId, Section>,
}

impl Segment {
    /// Maps a file and checks its header and its table.
    pub fn open(path: &Path) -> Result<Self> {
        let (whole, map) = map::map(path)?;
        let damaged = |what: &str| Error::store(format!("the index file {} is damaged: {what}; run verify --repair", path.display()));
        let header = whole.get(..HEADER).ok_or_else(|| damaged("it is too short"))?;
        if header[..8] != MAGIC {
            return Err(damaged("it does not begin as an index file does"));
        }
        let (format, n_sections) = (u32_at(header, 8), u32_at(header, 12) as usize);
        if format > FORMAT {
            return Err(Error::store(format!(
                "the index file {} has format {format}, and this version of crm_engine reads {FORMAT}: use a newer version",
                path.display()
            )));
        }
        if u64_at(header, 56) != xxh3_64(&header[..56]) {
            return Err(damaged("the header's checksum is wrong"));
        }
        if u64_at(header, 32) != whole.len() as u64 {
            return Err(damaged("it does not have the length that it says"));
        }
        let table_len = (n_sections <= MOST_SECTIONS).then_some(n_sections * ENTRY).ok_or_else(|| damaged("it has too many sections"))?;
        let table = slice(&whole, u64_at(header, 16), table_len as u64).ok_or_else(|| damaged("its table is out of bounds"))?;
        if u64_at(header, 24) != xxh3_64(table) {
            return Err(damaged("the table's checksum is wrong"));
        }
        let mut sections = HashMap::with_capacity(n_sections);
        for entry in table.chunks_exact(ENTRY) {
            let (offset, len) = (u64_at(entry, 8), u64_at(entry, 16));
            let is_inside = slice(&whole, offset, len).is_some() && offset.is_multiple_of(ALIGNMENT as u64);
            if !is_inside {
                return Err(damaged("a section is out of bounds"));
            }
            let id = (u32_at(entry, 0), u32_at(entry, 4));
            sections.insert(id, Section { id, offset: offset as usize, len: len as usize, checksum: u64_at(entry, 24) });
        }
        Ok(Self { path: path.to_owned(), whole, map, sections })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets go of the memory that mirrors the file; readers go on, and read it again.
    pub fn release(&self) {
        if let Some(map) = &self.map {
            map::release(map);
        }
    }

    /// Bytes of the file.
    pub fn len_bytes(&self) -> usize {
        self.whole.len()
    }

    /// The numbers of the sections of one kind, in order.
    pub fn numbers(&self, kind: u32) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.sections.keys().filter(|id| id.0 == kind).map(|id| id.1).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The bytes of a section; none where the file lacks it.
    pub fn bytes(&self, id: SectionId) -> Buffer {
        self.sections
            .get(&id)
            .map_or_else(|| Buffer::from_vec(Vec::<u8>::new()), |section| self.whole.slice_with_length(section.offset, section.len))
    }

    /// The numbers of a section; none where the file lacks it.
    pub fn values<T: ArrowNativeType>(&self, id: SectionId) -> Result<ScalarBuffer<T>> {
        let bytes = self.bytes(id);
        if bytes.is_empty() {
            return Ok(Vec::new().into());
        }
        if !bytes.len().is_multiple_of(size_of::<T>()) {
            return Err(self.damaged("a section does not hold whole numbers"));
        }
        let len = bytes.len() / size_of::<T>();
        Ok(ScalarBuffer::new(bytes, 0, len))
    }

    /// Compares every section with its checksum.
    pub fn verify(&self) -> Result<()> {
        let mut sections: Vec<&Section> = self.sections.values().collect();
        sections.sort_unstable_by_key(|section| section.offset);
        for section in sections {
            if xxh3_64(&self.whole[section.offset..section.offset + section.len]) != section.checksum {
                return Err(self.damaged(&format!("the checksum of section {}.{} is wrong", section.id.0, section.id.1)));
            }
        }
        Ok(())
    }

    /// The error for what cannot be in a whole file.
    pub fn damaged(&self, what: &str) -> Error {
        Error::store(format!("the index file {} is damaged: {what}; run verify --repair", self.path.display()))
    }
}

fn slice(whole: &[u8], offset: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    whole.get(start..start.checked_add(usize::try_from(len).ok()?)?)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests;
