//! From levels to match weights: the Fellegi-Sunter model, its fitting, and the stream of scored pairs.
mod em;
mod model;
mod scorer;
mod shared;
mod sketch;
mod stream;
mod train;
mod validate;
mod weights;

pub use model::{ComparisonModel, Model};
pub use scorer::{ExplainedComparison, Scorer};
pub(crate) use stream::Collapsed;
pub use stream::{PairStats, Prepared, room_for_blocking, score_pairs, score_prepared};
pub(crate) use train::Yield;
