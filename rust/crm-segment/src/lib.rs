//! Rules to segment membership, with features over related tables.
//!
//! [`RuleSet`] is what a rules file says, compiled against the tables' schemas: segments in the order in which they depend on each other,
//! features, rankings and assignments, all in one graph. A [`Run`] then takes the data, each table once and batch by batch:
//!
//! 1. [`Run::index_contacts`] learns which contact stands in which row (only where there are features or rankings);
//! 2. [`Run::add_related`] adds the rows of one related table to all of its features at once;
//! 3. [`Run::rank`] and [`Run::finish_ranking`] see the contacts for rankings that compare them with each other, one ranking at a time;
//! 4. [`Run::evaluate`] decides every segment, and [`Run::finish`] gives the bits in an [`Outcome`].
//!
//! Under a memory limit contacts are taken a stretch at a time ([`Run::stretch`], [`Run::begin`]): steps 1 and 2 come again for each of them
//! before 3 and before 4.
#![warn(missing_docs)]

mod contact_index;
mod explain;
mod feature;
mod ledger;
mod memory;
mod outcome;
mod ranking;
mod rule_set;
mod run;
mod table_plan;

pub use outcome::{Explanation, Outcome, Predicate};
pub use rule_set::{RuleSet, Spec};
pub use run::Run;
