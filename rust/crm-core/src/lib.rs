//! The vocabulary that every crate of crm_engine shares.
//!
//! - [`Role`] says what a column means: `email`, `phone`, `family_name`, …
//! - [`Error`] is the one error type; its [`ErrorKind`] decides which Python exception and which exit code it becomes.
//! - [`Control`] is how a long run reports progress and learns that it was cancelled, without knowing who listens.
//! - [`TextColumn`] reads any Arrow text column (plain, large, view, dictionary) through one checked accessor.
//! - [`content_hash`] and [`record_id`] are the stable 64-bit hashes that ids rest on.
//!
//! Nothing here reads a clock, a file or the environment.
#![warn(missing_docs)]

mod control;
mod error;
mod hash;
mod memory;
mod nearest;
mod role;
mod text_column;

pub use control::{Control, NoControl};
pub use error::{Error, ErrorKind, Result};
pub use hash::{Hasher64, content_hash, record_id};
pub use memory::parse_byte_size;
pub use nearest::nearest_name;
pub use role::Role;
pub use text_column::TextColumn;
