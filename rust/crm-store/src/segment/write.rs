//! Writing a segment: sections one after the other, then the table, then a name.
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use arrow_buffer::{ArrowNativeType, Buffer, ToByteSlice};
use crm_core::{Error, Result};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::private_file::create_private;

use super::{ALIGNMENT, ENTRY, FORMAT, HEADER, MAGIC, Section, SectionId, map};

/// Writes a segment under a temporary name; dropped before [`SegmentWriter::finish`], it leaves no file.
pub struct SegmentWriter {
    folder: PathBuf,
    path: PathBuf,
    file: Option<BufWriter<File>>,
    at: usize,
    sections: Vec<Section>,
    open: Option<(SectionId, usize, Box<Xxh3>)>,
}

impl std::fmt::Debug for SegmentWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentWriter").field("path", &self.path).field("at", &self.at).finish_non_exhaustive()
    }
}

impl SegmentWriter {
    /// A writer into `folder`, which must exist.
    pub fn create(folder: &Path) -> Result<Self> {
        let (path, file) = create_private(folder, ".writing")?;
        let file = Some(BufWriter::with_capacity(1 << 20, file));
        let mut writer = Self { folder: folder.to_owned(), path, file, at: 0, sections: Vec::new(), open: None };
        writer.put(&[0; HEADER])?;
        Ok(writer)
    }

    /// Bytes in the section that is open.
    pub fn len_open(&self) -> usize {
        self.open.as_ref().map_or(0, |(_, start, _)| self.at - start)
    }

    /// Begins a section; the one before must have ended.
    pub fn begin(&mut self, id: SectionId) -> Result<()> {
        if self.open.is_some() || self.sections.iter().any(|section| section.id == id) {
            return Err(Error::internal(format!("section {}.{} begins out of turn", id.0, id.1)));
        }
        let padding = self.at.next_multiple_of(ALIGNMENT) - self.at;
        self.put(&[0; ALIGNMENT][..padding])?;
        self.open = Some((id, self.at, Box::new(Xxh3::new())));
        Ok(())
    }

    /// Adds bytes to the open section.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let (_, _, hasher) = self.open.as_mut().ok_or_else(|| Error::internal("no section is open"))?;
        hasher.update(bytes);
        self.put(bytes)
    }

    /// Ends the open section.
    pub fn end(&mut self) -> Result<()> {
        let (id, offset, hasher) = self.open.take().ok_or_else(|| Error::internal("no section is open"))?;
        self.sections.push(Section { id, offset, len: self.at - offset, checksum: hasher.digest() });
        Ok(())
    }

    /// A whole section of numbers.
    pub fn section<T: ArrowNativeType>(&mut self, id: SectionId, values: &[T]) -> Result<()> {
        self.begin(id)?;
        self.write(values.to_byte_slice())?;
        self.end()
    }

    /// The whole file as it was written so far; more may be written afterwards.
    pub fn map_written(&mut self) -> Result<Buffer> {
        self.flush()?;
        Ok(map::map(&self.path)?.0)
    }

    /// Where the open section begins in the file.
    pub fn open_start(&self) -> usize {
        self.open.as_ref().map_or(self.at, |(_, start, _)| *start)
    }

    /// Writes the table and the header, makes all of it durable, and gives the file its name, which is returned:
    /// `prefix`, a checksum of the content, and `.idx`.
    pub fn finish(mut self, prefix: &str) -> Result<String> {
        if self.open.is_some() {
            return Err(Error::internal("a section is still open"));
        }
        let mut table = Vec::with_capacity(self.sections.len() * ENTRY);
        for section in &self.sections {
            table.extend_from_slice(&section.id.0.to_le_bytes());
            table.extend_from_slice(&section.id.1.to_le_bytes());
            for number in [section.offset as u64, section.len as u64, section.checksum, 0] {
                table.extend_from_slice(&number.to_le_bytes());
            }
        }
        let padding = self.at.next_multiple_of(ALIGNMENT) - self.at;
        self.put(&[0; ALIGNMENT][..padding])?;
        let table_at = self.at;
        self.put(&table)?;
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&FORMAT.to_le_bytes());
        header.extend_from_slice(&(self.sections.len() as u32).to_le_bytes());
        for number in [table_at as u64, xxh3_64(&table), self.at as u64, 0, 0] {
            header.extend_from_slice(&number.to_le_bytes());
        }
        header.extend_from_slice(&xxh3_64(&header).to_le_bytes());
        let name = format!("{prefix}-{:016x}.idx", xxh3_64(&table));
        let os = |error: std::io::Error| Error::os(&error, self.path.display().to_string());
        let Some(file) = self.file.take() else { return Err(Error::internal("the segment was finished before")) };
        let mut file = file.into_inner().map_err(|error| os(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(os)?;
        file.write_all(&header).map_err(os)?;
        file.sync_all().map_err(os)?;
        std::fs::rename(&self.path, self.folder.join(&name)).map_err(os)?;
        sync_folder(&self.folder)?;
        self.path = PathBuf::new();
        Ok(name)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(file) = &mut self.file else { return Err(Error::internal("the segment was finished before")) };
        file.write_all(bytes).map_err(|error| Error::os(&error, self.path.display().to_string()))?;
        self.at += bytes.len();
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.flush().map_err(|error| Error::os(&error, self.path.display().to_string()))
    }
}

impl Drop for SegmentWriter {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // Nobody waits for the answer; a name that is left over is removed by the next compaction.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Makes names in a folder durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| Error::os(&error, folder.display().to_string()))
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> Result<()> {
    Ok(())
}
