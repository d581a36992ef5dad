//! The rule language: parse, compile against a schema, evaluate per batch.
//!
//! A rule is a SQL condition. It passes through four forms:
//!
//! 1. **text or tree → [`Expr`]**: [`parse_sql`] reads SQL (by the `sqlparser` crate), [`parse_tree`] reads the JSON tree that tools and
//!    `crm.field(...)` build. Both give the one rule form, which [`Expr::to_sql`] prints again.
//! 2. **[`Expr`] → [`Graph`]**: [`Compiler`] resolves names against a [`Schema`], checks types and interns every node: an expression that
//!    occurs in many rules is one node. Aggregates over related tables become [`Feature`]s, each related table having a graph of its own.
//! 3. **[`Graph`] → [`Program`]**: what is asked of a graph, planned: which conditions need their "true" rows, which their "false" rows,
//!    and which of them are functions of one column and can be read off a table of that column's values.
//! 4. **[`Program`] → bits**: an [`Evaluator`] takes a [`Batch`] block by block and gives one bitmap per rule.
//!
//! Logic is SQL's, three-valued; a row is a member where the condition is true. What cannot be computed (overflow, division by zero,
//! a text that is no number) is null, and the expression is named in [`Evaluator::failed`].
//!
//! [`Rule`] and [`CompiledRule`] are the short way for one condition over one table:
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::{Int64Array, RecordBatch, ArrayRef};
//! use crm_rules::{Rule, Schema};
//! let batch = RecordBatch::try_from_iter([("amount", Arc::new(Int64Array::from(vec![Some(5), None, Some(50)])) as ArrayRef)]).unwrap();
//! let rule = Rule::parse("amount > 10").unwrap().compile(&Schema::from_arrow(&batch.schema()), 20_000).unwrap();
//! let members = rule.evaluate(&batch).unwrap();
//! assert_eq!(members.iter().collect::<Vec<_>>(), [Some(false), Some(false), Some(true)]);
//! ```
#![warn(missing_docs)]

mod bits;
mod calendar;
mod column;
mod compile;
mod constant;
mod evaluate;
mod expr;
mod fold;
mod functions;
mod graph;
mod kernels;
mod lookup;
mod parse;
mod pattern;
mod print;
mod problem;
mod program;
mod rule;
mod scalar;
mod schema;
mod substrings;
mod tree;
mod vector;

pub use bits::{and_into, bit, count_ones, or_into, set_bit, words_for};
pub use calendar::{days_from_civil, parse_date};
pub use column::{Batch, Column, Texts};
pub use compile::{Aggregate, Compiler, Feature, Period, PeriodSums, Ranking, RankingKind, TableGraph};
pub use constant::{Constant, Interval};
pub use evaluate::{BLOCK_ROWS, Evaluator};
pub use expr::{Expr, Position};
pub use graph::{Graph, Input, NodeId};
pub use kernels::compare_floats;
pub use parse::{Origin, parse_sql};
pub use problem::{Problem, problems_to_error};
pub use program::Program;
pub use rule::{CompiledRule, Rule};
pub use schema::{Schema, TableSchema, Type};
pub use tree::parse_tree;
pub use vector::{Data, Vector};
