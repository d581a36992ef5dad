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

/// A file's bytes as a buffer that keeps the mapping alive, and the mapping.
#[allow(unsafe_code)]
pub fn map(path: &Path) -> Result<(Buffer, Option<Arc<Mmap>>)> {
    let os = |error: std::io::Error| Error::os(&error, path.display().to_string());
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::store(format!("the index file {} is missing; run verify --repair", path.display())),
        _ => os(error),
    })?;
    if file.metadata().map_err(os)?.len() == 0 {
        return Ok((Buffer::from_vec(Vec::<u8>::new()), None));
    }
    // SAFETY: index files are written under another name, renamed when whole, and never changed afterwards: whoever deletes one only takes
    // its name. Somebody who truncates one while it is mapped kills the process (SIGBUS); nothing can be read past the map's end.
    let map = unsafe { Mmap::map(&file) }.map_err(os)?;
    let len = map.len();
    let map = Arc::new(map);
    let Some(start) = NonNull::new(map.as_ptr().cast_mut()) else { return Ok((Buffer::from_vec(Vec::<u8>::new()), None)) };
    // SAFETY: `start` and `len` are those of the map, which the buffer owns and which does not move.
    let buffer = unsafe { Buffer::from_custom_allocation(start, len, map.clone()) };
    Ok((buffer, Some(map)))
}

/// Lets go of the memory that mirrors a file; what is read again comes from the file.
#[allow(unsafe_code)]
pub fn release(map: &Mmap) {
    // SAFETY: the map is shared and read-only, so no page of it holds anything but what the file has.
    #[cfg(target_os = "linux")]
    // A hint: where it is not taken, memory stays as it was.
    let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    #[cfg(not(target_os = "linux"))]
    let _ = map;
}
