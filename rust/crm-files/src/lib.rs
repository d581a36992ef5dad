//! Untrusted files to Arrow batches of text, and Arrow batches to workbooks.
//!
//! - [`open_path`] and [`open_stream`] look at the first bytes, choose the format and return one [`TableReader`] per table
//!   (a text file is one table, a workbook one per sheet).
//! - A [`TableReader`] yields [`TextBatch`]es: an Arrow batch whose columns are all text, the row in the file that each row came
//!   from, and beside them what could not be read ([`Reject`]) and what is no data ([`Skipped`]). Nothing is lost without one of the two:
//!   rows in = yielded + rejected + skipped.
//! - [`FileReport`] says what was found out about the file and why: encoding, dialect, header row, warnings.
//! - [`ReadOptions`] overrides what would be found out; [`Limits`] bounds what an untrusted file may ask for.
//!
//! Everything is read as text first, so that leading zeros, long numbers and the word "NA" survive. A cell that is there and empty is
//! the empty text; a cell that is not there at all (a row that ends early) is null.
#![warn(missing_docs)]

mod format;
mod limits;
mod open;
mod options;
mod reader;
mod report;
mod spreadsheet_text;

pub mod output;
pub mod text;
pub mod workbook;

pub use format::{Compression, Format};
pub use limits::Limits;
pub use open::{open_path, open_stream};
pub use options::ReadOptions;
pub use reader::{Reject, Skipped, TableReader, TextBatch};
pub use report::{Dialect, FileReport, RowCounts};
