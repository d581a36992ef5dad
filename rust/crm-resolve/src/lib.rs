//! Records to golden contacts: normalize, block, compare, score, cluster, merge.
#![warn(missing_docs)]
