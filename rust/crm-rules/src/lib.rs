//! The rule language: parse, compile against a schema, evaluate per batch.
#![warn(missing_docs)]
