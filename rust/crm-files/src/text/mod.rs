//! Delimited text and JSON lines.
use std::io::Read;

use crm_core::{Control, Error, Result};

use crate::{Format, ReadOptions, TableReader};

/// Opens a text file: one reader.
pub fn open(
    name: &str,
    format: Format,
    _input: Box<dyn Read + Send>,
    _options: &ReadOptions,
    _control: &dyn Control,
) -> Result<Vec<Box<dyn TableReader>>> {
    Err(Error::file_format(name, format!("{format:?} text cannot be read yet")))
}
