//! Records to golden contacts: normalize, block, compare, score, cluster, merge.
#![warn(missing_docs)]

pub mod block;
pub mod cluster;
pub mod compare;
mod config;
mod edge;
pub mod increment;
mod mapping;
mod matched;
pub mod merge;
pub mod normalize;
mod reading;
pub mod reconcile;
pub mod records;
pub mod roles;
mod score;

pub use config::{DateOrder, ResolveConfig, probability_to_weight};
pub use edge::{Edge, EdgeBuffer, EdgeSink, PairScorer, WEIGHT_ONE, weight_to_probability};
pub use mapping::{MappedColumn, Mapping};
pub use matched::MatchedTables;
pub use reading::{Conventions, Reading};
pub use records::{Records, RecordsBuilder};
pub use score::{ComparisonModel, ExplainedComparison, Model, PairStats, Prepared, Scorer, room_for_blocking, score_pairs, score_prepared};
