use serde::{Deserialize, Serialize};

/// What an untrusted file may ask for. Every number is documented in `docs/files.md`; exceeding one is a `FileFormatError`
/// or, where only a row is concerned, a reject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Columns of a table.
    pub columns: usize,
    /// Bytes of one cell.
    pub cell_bytes: usize,
    /// Bytes of one record of a text file; a longer one is rejected.
    pub record_bytes: usize,
    /// Lines that one quoted cell may span before its opening quote is held to be a stray character.
    pub cell_lines: usize,
    /// Bytes of a text file that are looked at before its encoding, dialect and header are decided.
    pub sample_bytes: usize,
    /// Bytes of raw text kept with a reject or a skipped row.
    pub raw_bytes: usize,
    /// What workbooks may ask for beyond that.
    pub workbook: crate::workbook::WorkbookLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            columns: 16_384,
            cell_bytes: 16 << 20,
            record_bytes: 32 << 20,
            cell_lines: 1_000,
            sample_bytes: 1 << 20,
            raw_bytes: 64 << 10,
            workbook: crate::workbook::WorkbookLimits::default(),
        }
    }
}
