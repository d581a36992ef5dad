//! Rules to segment membership, with features over related tables.
#![warn(missing_docs)]
