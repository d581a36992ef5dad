//! Arrow batches to delimited text and JSON lines, and what all written formats share: the formula [`guard`] and the [`Cell`] view.
mod cell;
mod csv;
mod guard;
mod json_lines;

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use crm_core::{Error, Result};

pub use cell::{Cell, CellColumn, iso_date, iso_date_time};
pub use csv::write_csv;
pub use guard::{guard, strip_guard};
pub use json_lines::write_json_lines;

/// Batches of one schema, read once.
pub struct BatchSource {
    /// The schema of every batch.
    pub schema: SchemaRef,
    /// The batches.
    pub batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send>,
}

/// An I/O failure while writing `path`.
pub(crate) fn write_error(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |error| Error::os(&error, path.display().to_string())
}
