//! Zip packages read defensively: the directory is checked before anything is inflated, and parts are streamed.
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crm_core::{Error, Result};
use flate2::{Crc, read::DeflateDecoder};

use super::WorkbookLimits;
use crate::text::text_or_escaped;

/// The largest comment that may follow the end record, and that record.
const TAIL_BYTES: u64 = 65_535 + 22 + 20;
/// Below this size no ratio is suspicious: a sheet of zeros compresses a thousandfold.
const RATIO_FREE_BYTES: u64 = 64 << 20;

/// A zip file whose directory has been read.
pub(super) struct Package {
    path: PathBuf,
    name: String,
    entries: HashMap<String, Entry>,
    limits: Arc<WorkbookLimits>,
}

#[derive(Debug, Clone)]
struct Entry {
    encrypted: bool,
    method: u16,
    crc: u32,
    packed: u64,
    header_offset: u64,
}

impl Package {
    pub fn open(path: &Path, limits: &Arc<WorkbookLimits>) -> Result<Self> {
        let name = path.display().to_string();
        let mut file = File::open(path).map_err(|error| Error::os(&error, &*name))?;
        let directory = Directory::find(&mut file).map_err(|error| failed(&name, error))?;
        let directory = directory
            .ok_or_else(|| Error::file_format(&*name, format!("{name}: the file is cut short or damaged: its zip directory is missing")))?;
        if directory.n_entries > limits.entries as u64 {
            return Err(Error::file_format(
                &*name,
                format!("{name}: {} parts are more than the {} allowed (limit `entries`)", directory.n_entries, limits.entries),
            ));
        }
        let entries = directory.entries(&mut file).map_err(|error| failed(&name, error))?;
        let entries = entries.ok_or_else(|| Error::file_format(&*name, format!("{name}: the zip directory is damaged")))?;
        Ok(Self { path: path.to_owned(), name, entries, limits: limits.clone() })
    }

    /// The file, as the caller named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a part is there; names do not differ by case.
    pub fn has(&self, part: &str) -> bool {
        self.entries.contains_key(&normal(part))
    }

    /// The files in it, without those that systems add on their own.
    pub fn files(&self) -> Vec<String> {
        let is_file = |name: &&String| !name.ends_with('/') && !name.starts_with("__macosx/") && !name.ends_with(".ds_store");
        let mut files: Vec<String> = self.entries.keys().filter(is_file).cloned().collect();
        files.sort_unstable();
        files
    }

    /// A part as a stream, `None` where it is missing.
    pub fn part(&self, part: &str) -> Result<Option<PartReader>> {
        let Some(entry) = self.entries.get(&normal(part)) else { return Ok(None) };
        if entry.encrypted {
            return Err(Error::file_format(
                &*self.name,
                format!("{}: the file is protected by a password; save it without one", self.name),
            ));
        }
        let mut file = File::open(&self.path).map_err(|error| Error::os(&error, &*self.name))?;
        let damaged = || Error::file_format(&*self.name, format!("{}: the zip entry of {part} is damaged", self.name));
        let mut header = [0_u8; 30];
        file.seek(SeekFrom::Start(entry.header_offset)).map_err(|error| failed(&self.name, error))?;
        file.read_exact(&mut header).map_err(|_| damaged())?;
        if header[..4] != *b"PK\x03\x04" {
            return Err(damaged());
        }
        let skip = i64::from(u16_at(&header, 26)) + i64::from(u16_at(&header, 28));
        file.seek(SeekFrom::Current(skip)).map_err(|error| failed(&self.name, error))?;
        let packed = BufReader::with_capacity(1 << 16, file).take(entry.packed);
        let inner = match entry.method {
            0 => Inner::Stored(packed),
            8 => Inner::Deflated(DeflateDecoder::new_with_buf(packed, vec![0; 1 << 16])),
            other => {
                return Err(Error::file_format(
                    &*self.name,
                    format!("{}: {part} is packed by a method ({other}) that workbooks do not use", self.name),
                ));
            }
        };
        let ratio_bytes = entry.packed.saturating_mul(self.limits.inflate_ratio).max(RATIO_FREE_BYTES);
        Ok(Some(PartReader {
            inner,
            crc: Crc::new(),
            expected_crc: entry.crc,
            inflated: 0,
            max_inflated: self.limits.inflated_bytes.min(ratio_bytes),
            failed: None,
            decided: false,
        }))
    }
}

/// `a\B.xml` and `/A/b.xml` are the same part.
fn normal(part: &str) -> String {
    part.trim_start_matches(['/', '\\']).replace('\\', "/").to_lowercase()
}

struct Directory {
    n_entries: u64,
    start: u64,
    size: u64,
    /// What stands before the archive, in files that have something before it.
    shift: u64,
}

impl Directory {
    fn find(file: &mut File) -> std::io::Result<Option<Self>> {
        let length = file.seek(SeekFrom::End(0))?;
        let tail_start = length.saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(tail_start))?;
        let mut tail = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut tail)?;
        let Some(position) = memchr::memmem::rfind(&tail, b"PK\x05\x06").filter(|position| tail.len() - position >= 22) else {
            return Ok(None);
        };
        let end = &tail[position..];
        let (mut n_entries, mut size, mut start) = (u64::from(u16_at(end, 10)), u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
        let mut directory_end = tail_start + position as u64;
        if (n_entries == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff)
            && let Some(locator) = position.checked_sub(20).map(|from| &tail[from..position])
            && locator.starts_with(b"PK\x06\x07")
        {
            let mut record = [0_u8; 56];
            let record_start = u64_at(locator, 8);
            file.seek(SeekFrom::Start(record_start))?;
            if file.read_exact(&mut record).is_err() || !record.starts_with(b"PK\x06\x06") {
                return Ok(None);
            }
            n_entries = u64_at(&record, 32);
            size = u64_at(&record, 40);
            start = u64_at(&record, 48);
            directory_end = record_start;
        }
        let shift = directory_end.checked_sub(size).and_then(|real| real.checked_sub(start)).unwrap_or(0);
        Ok((size <= length).then_some(Self { n_entries, start, size, shift }))
    }

    fn entries(&self, file: &mut File) -> std::io::Result<Option<HashMap<String, Entry>>> {
        file.seek(SeekFrom::Start(self.start.saturating_add(self.shift)))?;
        let mut bytes = Vec::new();
        file.take(self.size).read_to_end(&mut bytes)?;
        let mut entries = HashMap::new();
        let mut rest = bytes.as_slice();
        for _ in 0..self.n_entries {
            if rest.len() < 46 || !rest.starts_with(b"PK\x01\x02") {
                return Ok(None);
            }
            let (name_len, extra_len, comment_len) = (u16_at(rest, 28) as usize, u16_at(rest, 30) as usize, u16_at(rest, 32) as usize);
            let total = 46 + name_len + extra_len + comment_len;
            if rest.len() < total {
                return Ok(None);
            }
            let mut entry = Entry {
                encrypted: u16_at(rest, 8) & 1 == 1,
                method: u16_at(rest, 10),
                crc: u32_at(rest, 16),
                packed: u64::from(u32_at(rest, 20)),
                header_offset: u64::from(u32_at(rest, 42)),
            };
            let inflated_is_long = u32_at(rest, 24) == 0xffff_ffff;
            widen(&mut entry, inflated_is_long, &rest[46 + name_len..46 + name_len + extra_len]);
            entry.header_offset = entry.header_offset.saturating_add(self.shift);
            let name = normal(&text_or_escaped(&rest[46..46 + name_len]));
            // Of parts with one name the first counts, as in spreadsheets' own readers.
            entries.entry(name).or_insert(entry);
            rest = &rest[total..];
        }
        Ok(Some(entries))
    }
}

/// Takes 64-bit sizes from the extra field, where the 32-bit ones say that they stand there.
fn widen(entry: &mut Entry, inflated_is_long: bool, mut extra: &[u8]) {
    while extra.len() >= 4 {
        let (kind, length) = (u16_at(extra, 0), u16_at(extra, 2) as usize);
        let Some(field) = extra.get(4..4 + length) else { return };
        if kind == 1 {
            let mut values = field.chunks_exact(8).map(|value| u64_at(value, 0));
            if inflated_is_long {
                values.next();
            }
            if entry.packed == 0xffff_ffff {
                entry.packed = values.next().unwrap_or(entry.packed);
            }
            if entry.header_offset == 0xffff_ffff {
                entry.header_offset = values.next().unwrap_or(entry.header_offset);
            }
        }
        extra = &extra[4 + length..];
    }
}

fn failed(name: &str, error: std::io::Error) -> Error {
    // Seeking beyond what the system can address is the file's fault.
    if error.kind() == std::io::ErrorKind::InvalidInput {
        return Error::file_format(name, format!("{name}: the zip directory is damaged"));
    }
    Error::os(&error, name)
}

enum Inner {
    Stored(Take<BufReader<File>>),
    Deflated(DeflateDecoder<Take<BufReader<File>>>),
}

/// The bytes of one part, inflated within limits, their checksum compared at the end.
pub(super) struct PartReader {
    inner: Inner,
    crc: Crc,
    expected_crc: u32,
    inflated: u64,
    max_inflated: u64,
    failed: Option<&'static str>,
    decided: bool,
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if let Some(failed) = self.failed {
            return Err(std::io::Error::other(failed));
        }
        if buffer.is_empty() || self.decided {
            return Ok(0);
        }
        let read = match &mut self.inner {
            Inner::Stored(reader) => reader.read(buffer),
            Inner::Deflated(reader) => reader.read(buffer),
        };
        let n_bytes = match read {
            Ok(n_bytes) => n_bytes,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Err(error),
            Err(_) => return self.fail("the packed data is damaged or cut short"),
        };
        self.inflated += n_bytes as u64;
        if self.inflated > self.max_inflated {
            return self.fail("it inflates to more than is allowed (limits `inflated_bytes`, `inflate_ratio`): this looks like a zip bomb");
        }
        self.crc.update(&buffer[..n_bytes]);
        if n_bytes == 0 {
            self.decided = true;
            if self.crc.sum() != self.expected_crc {
                return self.fail("its checksum is wrong: the file is damaged");
            }
        }
        Ok(n_bytes)
    }
}

impl PartReader {
    fn fail(&mut self, reason: &'static str) -> std::io::Result<usize> {
        self.failed = Some(reason);
        Err(std::io::Error::other(reason))
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |pair| u16::from_le_bytes([pair[0], pair[1]]))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
