use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::{Array, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use crm_core::{Error, Result};

use crate::private_file::create_private;

/// Batches of text columns in a temporary file that nobody else can open and that vanishes with the process.
#[derive(Debug)]
pub struct Spool {
    file: File,
    /// The folder, for messages.
    folder: PathBuf,
    len: u64,
    batches: Vec<Vec<StoredColumn>>,
}

/// Where a column of a batch lies in the file.
#[derive(Debug, Clone, Copy)]
struct StoredColumn {
    offset: u64,
    n_rows: usize,
    n_bytes: usize,
    has_nulls: bool,
}

impl Spool {
    /// Makes a spool in `folder`, which must exist.
    pub fn create(folder: &Path) -> Result<Self> {
        let (path, file) = create_private(folder, ".crm-engine-spool")?;
        // Without a name the file is gone when the process is, however it ends.
        #[cfg(unix)]
        std::fs::remove_file(&path).map_err(|error| Error::os(&error, path.display().to_string()))?;
        Ok(Self { file, folder: folder.to_owned(), len: 0, batches: Vec::new() })
    }

    /// Bytes in the file.
    pub fn len_bytes(&self) -> u64 {
        self.len
    }

    /// Number of batches.
    pub fn n_batches(&self) -> usize {
        self.batches.len()
    }

    /// Adds a batch and returns its place.
    pub fn append(&mut self, columns: &[StringArray]) -> Result<usize> {
        let mut stored = Vec::with_capacity(columns.len());
        for column in columns {
            stored.push(self.append_column(column)?);
        }
        self.batches.push(stored);
        Ok(self.batches.len() - 1)
    }

    /// Reads one column of one batch.
    pub fn read(&self, batch: usize, column: usize) -> Result<StringArray> {
        let stored = *self
            .batches
            .get(batch)
            .and_then(|columns| columns.get(column))
            .ok_or_else(|| Error::internal(format!("the spool has no column {column} in batch {batch}")))?;
        let n_offsets = (stored.n_rows + 1) * 4;
        let offsets = ScalarBuffer::<i32>::from(self.read_bytes(stored.offset, n_offsets)?);
        let values = self.read_bytes(stored.offset + n_offsets as u64, stored.n_bytes)?;
        let nulls = if stored.has_nulls {
            let bits = self.read_bytes(stored.offset + (n_offsets + stored.n_bytes) as u64, stored.n_rows.div_ceil(8))?;
            Some(NullBuffer::new(BooleanBuffer::new(bits, 0, stored.n_rows)))
        } else {
            None
        };
        // Checked, as the file lies on a disk: a fault of the disk must not become invalid text.
        let damaged = |error| Error::store(format!("the spool in {} is damaged: {error}", self.folder.display()));
        let offsets_ok = offsets.windows(2).all(|pair| pair[0] <= pair[1]) && offsets.first() == Some(&0);
        if !offsets_ok {
            return Err(Error::store(format!("the spool in {} is damaged: offsets out of order", self.folder.display())));
        }
        StringArray::try_new(OffsetBuffer::new(offsets), values, nulls).map_err(damaged)
    }

    fn append_column(&mut self, column: &StringArray) -> Result<StoredColumn> {
        let offset = self.len;
        let first = column.value_offsets().first().copied().unwrap_or(0);
        let last = column.value_offsets().last().copied().unwrap_or(0);
        if first == 0 && !column.value_offsets().is_empty() {
            self.write(column.offsets().inner().inner().as_slice())?;
        } else {
            let moved: Vec<i32> = column.value_offsets().iter().map(|offset| offset - first).collect();
            self.write(if moved.is_empty() { Buffer::from_vec(vec![0i32]) } else { Buffer::from_vec(moved) }.as_slice())?;
        }
        self.write(&column.value_data()[first as usize..last as usize])?;
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
        if let Some(nulls) = nulls {
            self.write(nulls.inner().sliced().as_slice())?;
        }
        Ok(StoredColumn { offset, n_rows: column.len(), n_bytes: (last - first) as usize, has_nulls: nulls.is_some() })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        write_at(&self.file, bytes, self.len).map_err(|error| Error::os(&error, self.folder.display().to_string()))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn read_bytes(&self, offset: u64, len: usize) -> Result<Buffer> {
        let mut buffer = MutableBuffer::from_len_zeroed(len);
        read_at(&self.file, buffer.as_slice_mut(), offset).map_err(|error| Error::os(&error, self.folder.display().to_string()))?;
        Ok(buffer.into())
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        bytes = &bytes[n..];
        offset += n as u64;
    }
    Ok(())
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[n..];
        offset += n as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slices_nulls_and_empty_batches_come_back() {
        let mut spool = Spool::create(&std::env::temp_dir()).unwrap();
        let whole: StringArray = vec![Some("a"), None, Some("Ā"), Some(""), Some("end")].into();
        let batches = [whole.slice(1, 3), whole.slice(5, 0), whole.clone(), StringArray::new_null(3)];
        for batch in &batches {
            spool.append(&[batch.clone(), whole.slice(0, 1)]).unwrap();
        }
        for (place, batch) in batches.iter().enumerate() {
            assert_eq!(&spool.read(place, 0).unwrap(), batch);
            assert_eq!(spool.read(place, 1).unwrap(), whole.slice(0, 1));
        }
        assert!(spool.read(9, 0).is_err());
    }

    #[test]
    fn a_missing_folder_is_an_os_error() {
        let error = Spool::create(Path::new("no/such/folder")).unwrap_err();
        assert!(matches!(error.kind(), crm_core::ErrorKind::Os { errno: Some(2), .. }), "{error:?}");
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(cells in prop::collection::vec(prop::option::of(".{0,8}"), 0..40), cut in 0usize..40) {
            let whole: StringArray = cells.iter().map(Option::as_deref).collect();
            let cut = cut.min(whole.len());
            let mut spool = Spool::create(&std::env::temp_dir()).unwrap();
            spool.append(&[whole.slice(0, cut)]).unwrap();
            spool.append(&[whole.slice(cut, whole.len() - cut)]).unwrap();
            prop_assert_eq!(spool.read(0, 0).unwrap(), whole.slice(0, cut));
            prop_assert_eq!(spool.read(1, 0).unwrap(), whole.slice(cut, whole.len() - cut));
        }
    }
}
