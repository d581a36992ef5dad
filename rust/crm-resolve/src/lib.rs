//! Records to golden contacts: normalize, block, compare, score, cluster, merge.
#![warn(missing_docs)]

pub mod cluster;
mod edge;
pub mod merge;
pub mod roles;

pub use edge::{Edge, EdgeBuffer, EdgeSink, PairScorer, WEIGHT_ONE, weight_to_probability};
