//! The one place that maps files.
use std::fs::File;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_buffer::Buffer;
use crm_core::{Error, Result};
use memmap2::Mmap;

// Numbers are read where they lie.
#[cfg(not(target_endian = "little"))]
compile_error!("index files are little-endian and are read without conversion");

/// A file's bytes as a buffer that keeps the mapping alive.
#[allow(unsafe_code)]
pub fn map(path: &Path) -> Result<Buffer> {
    let os = |error: std::io::Error| Error::os(&error, path.display().to_string());
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::store(format!("the index file {} is missing; run verify --repair", path.display())),
        _ => os(error),
    })?;
    if file.metadata().map_err(os)?.len() == 0 {
        return Ok(Buffer::from_vec(Vec::<u8>::new()));
    }
    // SAFETY: index files are written under another name, renamed when whole, and never changed afterwards: whoever deletes one only takes
    // its name. Somebody who truncates one while it is mapped kills the process (SIGBUS); nothing can be read past the map's end.
    let map = unsafe { Mmap::map(&file) }.map_err(os)?;
    let len = map.len();
    let Some(start) = NonNull::new(map.as_ptr().cast_mut()) else { return Ok(Buffer::from_vec(Vec::<u8>::new())) };
    // SAFETY: `start` and `len` are those of the map, which the buffer owns and which does not move.
    Ok(unsafe { Buffer::from_custom_allocation(start, len, Arc::new(map)) })
}
