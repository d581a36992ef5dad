//! Rules to segment membership, with features over related tables.
//!
//! [`RuleSet`] is what a rules file says, compiled against the tables' schemas: segments in the order in which they depend on each other,
//! features, rankings and assignments, all in one graph. A [`Run`] then takes the data, each table once and batch by batch:
//!
//! 1. [`Run::index_contacts`] learns which contact stands in which row (only where there are features or rankings);
//! 2. [`Run::add_related`] adds the rows of one related table to all of its features at once;
//! 3. [`Run::rank`] sees the contacts for rankings that compare them with each other;
//! 4. [`Run::evaluate`] gives the bits of every segment, in an [`Outcome`].
#![warn(missing_docs)]

mod contact_index;
mod feature;
mod ledger;
mod outcome;
mod ranking;
mod rule_set;
mod run;

pub use outcome::{Explanation, Outcome, Predicate};
pub use rule_set::{RuleSet, Spec};
pub use run::Run;
