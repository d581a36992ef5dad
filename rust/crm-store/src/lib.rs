//! The spool for what exceeds memory, and the key index of a base.
#![warn(missing_docs)]
