use serde::{Deserialize, Serialize};

/// What a workbook may ask for; `docs/workbooks.md` explains each number. Exceeding one is a `FileFormatError`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkbookLimits {
    /// Entries of a zip package, or of the directory of a compound file.
    pub entries: usize,
    /// Bytes of one part of a package after inflating.
    pub inflated_bytes: u64,
    /// How many times larger than packed a part may become, once it is larger than 64 MiB.
    pub inflate_ratio: u64,
    /// Strings in the shared table.
    pub strings: usize,
    /// Bytes of all shared strings together.
    pub string_bytes: usize,
    /// Bytes of the cells of one row, which may share a text.
    pub row_bytes: usize,
    /// Cells with a value in one sheet.
    pub cells: u64,
    /// Sheets.
    pub sheets: usize,
    /// Bytes of the main stream of an xls file, which is held in memory.
    pub stream_bytes: usize,
}

impl Default for WorkbookLimits {
    fn default() -> Self {
        Self {
            entries: 10_000,
            inflated_bytes: 8 << 30,
            inflate_ratio: 250,
            strings: 16 << 20,
            string_bytes: 256 << 20,
            row_bytes: 64 << 20,
            cells: 1 << 27,
            sheets: 1_000,
            stream_bytes: 192 << 20,
        }
    }
}
