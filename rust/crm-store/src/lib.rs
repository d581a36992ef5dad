//! The spool for what exceeds memory, and the key index of a base.
//!
//! A [`Spool`] keeps batches of text columns in an unnamed temporary file and reads single columns of single batches back. Its bytes are
//! Arrow buffers as they are, uncompressed: on a local disk that costs little more than copying memory, and what the system's page cache
//! holds of it is given back under pressure instead of counting against the process.
#![warn(missing_docs)]

pub mod cells;
pub mod index;
mod private_file;
pub mod segment;
mod spool;

pub use spool::Spool;
