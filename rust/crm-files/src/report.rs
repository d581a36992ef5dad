use serde::Serialize;

use crate::{Compression, Format};

/// What was found out about a file, and why; `profile` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// The file, as the caller named it.
    pub file: String,
    /// What it is.
    pub format: Format,
    /// How it is compressed.
    pub compression: Option<Compression>,
    /// Its encoding, where it is text.
    pub encoding: Option<String>,
    /// How its cells are told apart, where it is delimited text.
    pub dialect: Option<Dialect>,
    /// The sheet, where it is a workbook.
    pub sheet: Option<String>,
    /// The (last) header row in the file or sheet, from 1; `None` where there is no header.
    pub header_row: Option<u64>,
    /// The columns.
    pub columns: Vec<String>,
    /// Why the above was decided so, one sentence each.
    pub reasons: Vec<String>,
    /// What the user should know: damage mended, encodings mixed, hidden rows, ...
    pub warnings: Vec<String>,
    /// Rows so far.
    pub counts: RowCounts,
}

impl FileReport {
    /// An empty report on a file.
    pub fn new(file: impl Into<String>, format: Format) -> Self {
        Self {
            file: file.into(),
            format,
            compression: None,
            encoding: None,
            dialect: None,
            sheet: None,
            header_row: None,
            columns: Vec::new(),
            reasons: Vec::new(),
            warnings: Vec::new(),
            counts: RowCounts::default(),
        }
    }

    /// Adds a warning once.
    pub fn warn(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// How the cells of a text file are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dialect {
    /// One or several characters; empty where the file has one column.
    pub delimiter: String,
    /// Opening quote, where quotes are used.
    pub quote: Option<String>,
    /// Closing quote, where it is not the opening one (typographic quotes).
    pub closing_quote: Option<String>,
    /// Escape character, where quotes are not doubled.
    pub escape: Option<String>,
    /// `\n`, `\r\n`, `\r` or `mixed`.
    pub line_end: String,
    /// What begins a comment line, where there are such.
    pub comment: Option<String>,
    /// Whether blanks around delimiters are no part of the cells.
    pub trim: bool,
}

/// The accounting of a file: `rows_in = yielded + rejected + skipped`; the header is none of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RowCounts {
    /// Rows that were there.
    pub rows_in: u64,
    /// Rows handed on in batches.
    pub yielded: u64,
    /// Rows that could not be read.
    pub rejected: u64,
    /// Rows that are no data.
    pub skipped: u64,
}
