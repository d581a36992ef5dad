//! Compound files (OLE2), the container of xls and of encrypted workbooks.
use super::WorkbookLimits;
use super::binary::{u16_at, u32_at};

pub(super) const SIGNATURE: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";
const END_OF_CHAIN: u32 = 0xffff_fffe;
const HEADER_BYTES: usize = 512;
const MINI_SECTOR: usize = 64;
const MINI_CUTOFF: u64 = 4096;

/// A compound file held in memory, its directory read.
pub(super) struct Compound<'a> {
    bytes: &'a [u8],
    sector_bytes: usize,
    table: Vec<u32>,
    mini_table: Vec<u32>,
    mini_stream: Vec<u8>,
    entries: Vec<DirectoryEntry>,
}

struct DirectoryEntry {
    name: String,
    is_stream: bool,
    first: u32,
    size: u64,
}

impl<'a> Compound<'a> {
    /// Reads the directory; the error is a reason for people.
    pub fn open(bytes: &'a [u8], limits: &WorkbookLimits) -> Result<Self, String> {
        if bytes.len() < HEADER_BYTES || !bytes.starts_with(SIGNATURE) {
            return Err("the file is cut short".to_owned());
        }
        let sector_bytes = match u16_at(bytes, 30) {
            9 => 512,
            12 => 4096,
            other => return Err(format!("the compound file states sectors of 2^{other} bytes, which none has")),
        };
        let mut compound =
            Self { bytes, sector_bytes, table: Vec::new(), mini_table: Vec::new(), mini_stream: Vec::new(), entries: Vec::new() };
        compound.table = compound.sector_table();
        compound.mini_table = compound.numbers(&compound.chain(u32_at(bytes, 60), limits.stream_bytes)?);
        let directory = compound.chain(u32_at(bytes, 48), limits.entries.saturating_mul(128))?;
        compound.entries = directory.chunks_exact(128).map(|entry| DirectoryEntry::new(entry, sector_bytes)).collect();
        if let Some(root) = compound.entries.first() {
            compound.mini_stream = compound.chain(root.first, limits.stream_bytes)?;
        }
        Ok(compound)
    }

    /// Whether a stream is there; names do not differ by case.
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.is_stream && entry.name.eq_ignore_ascii_case(name))
    }

    /// The bytes of a stream, `None` where it is missing.
    pub fn stream(&self, name: &str, max_bytes: usize) -> Result<Option<Vec<u8>>, String> {
        let Some(entry) = self.entries.iter().find(|entry| entry.is_stream && entry.name.eq_ignore_ascii_case(name)) else {
            return Ok(None);
        };
        let mut stream =
            if entry.size < MINI_CUTOFF { self.mini_chain(entry.first, entry.size as usize) } else { self.chain(entry.first, max_bytes)? };
        // A size beyond the chain is a lie; what is there may still be whole.
        stream.truncate(usize::try_from(entry.size).unwrap_or(usize::MAX));
        Ok(Some(stream))
    }

    fn sector(&self, number: u32) -> Option<&'a [u8]> {
        let begin = (number as usize).checked_add(1)?.checked_mul(self.sector_bytes)?;
        let end = begin.checked_add(self.sector_bytes)?.min(self.bytes.len());
        // The last sector of a file may be short.
        self.bytes.get(begin..end).filter(|sector| !sector.is_empty())
    }

    fn n_sectors(&self) -> usize {
        self.bytes.len() / self.sector_bytes + 1
    }

    /// The table that says which sector follows which.
    fn sector_table(&self) -> Vec<u32> {
        let mut places: Vec<u32> = (0..109).map(|index| u32_at(self.bytes, 76 + index * 4)).collect();
        let mut next = u32_at(self.bytes, 68);
        let per_sector = self.sector_bytes / 4;
        for _ in 0..self.n_sectors() {
            let Some(sector) = self.sector(next) else { break };
            places.extend((0..per_sector - 1).map(|index| u32_at(sector, index * 4)));
            next = u32_at(sector, (per_sector - 1) * 4);
        }
        let mut table = Vec::new();
        for place in places.into_iter().take(self.n_sectors()) {
            let Some(sector) = self.sector(place) else { continue };
            table.extend(self.numbers(sector));
        }
        table
    }

    fn numbers(&self, bytes: &[u8]) -> Vec<u32> {
        bytes.chunks_exact(4).map(|four| u32_at(four, 0)).collect()
    }

    /// The bytes of a chain of sectors. A chain that runs in circles ends where the file would be longer than it is.
    fn chain(&self, first: u32, max_bytes: usize) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let mut next = first;
        for _ in 0..self.n_sectors() {
            if next >= END_OF_CHAIN - 3 {
                break;
            }
            let Some(sector) = self.sector(next) else { break };
            bytes.extend_from_slice(sector);
            if bytes.len() > max_bytes.saturating_add(self.sector_bytes) {
                return Err(format!("a stream is longer than the {max_bytes} bytes allowed (limit `stream_bytes`)"));
            }
            next = self.table.get(next as usize).copied().unwrap_or(END_OF_CHAIN);
        }
        Ok(bytes)
    }

    fn mini_chain(&self, first: u32, size: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut next = first;
        while bytes.len() < size && next < END_OF_CHAIN - 3 {
            let begin = next as usize * MINI_SECTOR;
            let Some(sector) =
                self.mini_stream.get(begin..self.mini_stream.len().min(begin + MINI_SECTOR)).filter(|sector| !sector.is_empty())
            else {
                break;
            };
            bytes.extend_from_slice(sector);
            next = self.mini_table.get(next as usize).copied().unwrap_or(END_OF_CHAIN);
        }
        bytes
    }
}

impl DirectoryEntry {
    fn new(entry: &[u8], sector_bytes: usize) -> Self {
        let n_bytes = usize::from(u16_at(entry, 64)).clamp(2, 64) - 2;
        let mut name = String::new();
        super::binary::push_utf16(&mut name, &entry[..n_bytes]);
        let high = if sector_bytes == 512 { 0 } else { u64::from(u32_at(entry, 124)) << 32 };
        Self { name, is_stream: entry[66] == 2, first: u32_at(entry, 116), size: u64::from(u32_at(entry, 120)) | high }
    }
}
