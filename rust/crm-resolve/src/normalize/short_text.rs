use std::fmt;

/// A short ASCII text kept in place: 31 bytes and a length, `Copy`, never allocated. What does not fit is cut off.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ShortText {
    bytes: [u8; 31],
    len: u8,
}

impl ShortText {
    /// Most bytes that it holds.
    pub const CAPACITY: usize = 31;

    /// The ASCII characters of `text`.
    pub fn new(text: &str) -> Self {
        let mut short = Self::default();
        text.bytes().for_each(|byte| short.push(byte));
        short
    }

    /// Adds one ASCII character; others, and what does not fit, are dropped.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        if byte.is_ascii() && usize::from(self.len) < Self::CAPACITY {
            self.bytes[usize::from(self.len)] = byte;
            self.len += 1;
        }
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or("")
    }

    /// Its bytes, all ASCII.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
