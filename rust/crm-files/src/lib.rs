//! Untrusted files to Arrow batches of text, and Arrow batches to workbooks.
#![warn(missing_docs)]
