//! For tests of readers: every piece of a text meets the end of their buffers everywhere.
use std::io::Read;

/// Gives one byte at a time.
pub(super) struct ByteByByte<'a>(pub &'a [u8]);

impl Read for ByteByByte<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n_bytes = usize::from(!self.0.is_empty()).min(buffer.len());
        buffer[..n_bytes].copy_from_slice(&self.0[..n_bytes]);
        self.0 = &self.0[n_bytes..];
        Ok(n_bytes)
    }
}
