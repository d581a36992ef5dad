use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use crm_core::{Control, Result};
use serde::Serialize;

use crate::FileReport;

/// One table of a file, read forward batch by batch in bounded memory.
///
/// Readers are implemented per format; whoever consumes them knows only this trait.
pub trait TableReader: Send {
    /// What is known of the file by now. Warnings and counts grow while batches are read.
    fn report(&self) -> &FileReport;

    /// The columns: all `Utf8`, names unique and not empty, the same for every batch.
    fn schema(&self) -> SchemaRef;

    /// The next batch, `None` at the end. A batch may have no row and still carry rejects or skipped rows.
    fn next_batch(&mut self, control: &dyn Control) -> Result<Option<TextBatch>>;
}

/// A batch of text and what was left out on the way to it.
#[derive(Debug, Clone)]
pub struct TextBatch {
    /// The rows, every column `Utf8`.
    pub batch: RecordBatch,
    /// Per row of `batch` the row in the file or sheet, from 1: for text the line on which the record begins.
    pub source_rows: Vec<u64>,
    /// Rows that could not be read.
    pub rejects: Vec<Reject>,
    /// Rows that are no data: titles, totals, repeated headers, blank lines.
    pub skipped: Vec<Skipped>,
}

/// A row that could not be read, with what stood there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// Row in the file or sheet, from 1.
    pub row: u64,
    /// The column at fault, where one is.
    pub column: Option<String>,
    /// Why, in a sentence.
    pub reason: String,
    /// The row as it stood; bytes that are no text are written `\xNN`.
    pub raw: String,
}

/// A row that was left out because it is no data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Row in the file or sheet, from 1.
    pub row: u64,
    /// Why: "blank", "title", "total", "repeated header", ...
    pub reason: String,
    /// The row as it stood.
    pub raw: String,
}
