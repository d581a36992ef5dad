//! Pipeline and event funnels over plain columns.
//!
//! - [`grouping`] brings rows of one contact or deal together without sorting everything: partition into cache-sized pieces first.
//! - [`events`] finds how far each contact gets through ordered steps; a step's condition arrives as a code per row, so that any
//!   rule language can stand before it.
//! - [`pipeline`] follows deals through stages: reached, lost, time in stage, moves, forecast.
//! - [`Attributes`] and [`Groups`] tell contacts and deals apart, [`Durations`] gives exact quantiles of many cells in one sweep.
//!
//! Nothing here reads a clock, a file or the environment; results do not depend on threads or batches.
#![warn(missing_docs)]

mod breakdown;
mod condition;
mod durations;
mod event_request;
pub mod events;
pub mod grouping;
pub mod pipeline;
mod pipeline_request;
mod rules;

pub use breakdown::{Attributes, Groups};
pub use condition::{CodeWorker, Coder, Condition};
pub use durations::{CellDurations, Durations, SortedDurations};
pub use event_request::{EventOutcome, EventRequest};
pub use pipeline_request::{DealColumns, PipelineOutcome, PipelineRequest, amounts, check_key_columns};
pub use rules::{RuleEvaluator, Rules, RulesBuilder};
