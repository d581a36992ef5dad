//! Documents of text that hold their tables one after the other: web pages and XML spreadsheets.
use std::fs::File;
use std::path::{Path, PathBuf};

use crm_core::{Error, Result};

use super::WorkbookLimits;
use super::parked::Parked;
use crate::ReadOptions;
use crate::text::{DecodedInput, SAMPLE_BYTES};

/// A document, and what is told and allowed of it; `Reader` goes through it from table to table.
pub(super) struct Document<Reader> {
    path: PathBuf,
    /// As the caller told it.
    encoding: Option<String>,
    pub limits: WorkbookLimits,
    /// Bytes of a cell.
    pub max_cell: usize,
    pub parked: Parked<Reader>,
}

impl<Reader> Document<Reader> {
    pub fn new(path: &Path, options: &ReadOptions) -> Self {
        Self {
            path: path.to_owned(),
            encoding: options.encoding.clone(),
            limits: options.limits.workbook.clone(),
            max_cell: options.limits.cell_bytes,
            parked: Parked::default(),
        }
    }

    /// The file, as the caller named it.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Its text from the beginning, and the encoding that it is in; `declared` finds the one that the document itself names.
    pub fn decoded(&self, declared: impl Fn(&[u8]) -> Option<String>) -> Result<(DecodedInput, String)> {
        let name = self.name();
        let file = File::open(&self.path).map_err(|error| Error::os(&error, &*name))?;
        DecodedInput::open(&name, Box::new(file), self.encoding.as_deref(), SAMPLE_BYTES, declared)
    }
}
