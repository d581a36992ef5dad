use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// A stable 64-bit hash of bytes (XXH3): the same on every machine, thread count and release.
#[inline]
pub fn content_hash(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// The id of a record: a non-negative int64 made from its `source` and `source_key`.
///
/// ```
/// let id = crm_core::record_id("hubspot", "42");
/// assert!(id >= 0);
/// assert_ne!(id, crm_core::record_id("hubspot4", "2"));
/// ```
pub fn record_id(source: &str, source_key: &str) -> i64 {
    let mut hasher = Hasher64::default();
    hasher.write_text(source);
    hasher.write_text(source_key);
    (hasher.finish() >> 1) as i64
}

/// A stable 64-bit hash over several fields; each field is length-prefixed, so that borders cannot shift.
#[derive(Default, Clone)]
pub struct Hasher64(Xxh3);

impl Hasher64 {
    /// Adds one field; `None` differs from the empty text.
    pub fn write_optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.write_text(text),
            None => self.0.update(&u64::MAX.to_le_bytes()),
        }
    }

    /// Adds one field.
    pub fn write_text(&mut self, text: &str) {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    /// Adds one number.
    pub fn write_u64(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    /// The hash of all that was added.
    pub fn finish(&self) -> u64 {
        self.0.digest()
    }
}
