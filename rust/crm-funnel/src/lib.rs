//! Pipeline and event funnels over plain columns.
//!
//! - [`grouping`] brings rows of one contact or deal together without sorting everything: partition into cache-sized pieces first.
//! - [`events`] finds how far each contact gets through ordered steps; a step's condition arrives as a code per row, so that any
//!   rule language can stand before it.
//! - [`pipeline`] follows deals through stages: reached, lost, time in stage, moves, forecast.
//! - [`quantile()`] and [`Durations`] give exact quantiles of many cells at once.
//!
//! Nothing here reads a clock, a file or the environment; results do not depend on threads or batches.
#![warn(missing_docs)]

mod condition;
pub mod events;
pub mod grouping;
pub mod pipeline;
mod quantile;
mod request;

pub use condition::{Coder, Condition, Evaluate};
pub use quantile::{CellDurations, Durations, quantile};
pub use request::{EventOutcome, EventRequest, amounts, check_key_columns, follow};
