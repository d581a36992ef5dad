//! One condition over one table, for whoever needs no more than that.
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_buffer::{BooleanBuffer, Buffer};
use crm_core::{Error, Result};

use crate::column::Batch;
use crate::compile::Compiler;
use crate::evaluate::{BLOCK_ROWS, Evaluator};
use crate::expr::Expr;
use crate::parse::{Origin, parse_sql};
use crate::problem::problems_to_error;
use crate::program::Program;
use crate::schema::Schema;

/// A condition that was read and not yet compiled.
#[derive(Debug, Clone)]
pub struct Rule {
    expr: Expr,
}

/// A condition ready to run over tables of its schema.
#[derive(Debug, Clone)]
pub struct CompiledRule {
    program: Program,
}

impl Rule {
    /// Reads SQL.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_at(text, Origin::default())
    }

    /// Reads SQL that stands somewhere in a file.
    pub fn parse_at(text: &str, origin: Origin) -> Result<Self> {
        parse_sql(text, origin).map(|expr| Self { expr }).map_err(|problem| problems_to_error(vec![problem]))
    }

    /// The rule form.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Checks names and types; `today` is in days since 1970-01-01. Related tables are for segments, not for rules by themselves.
    pub fn compile(&self, schema: &Schema, today: i32) -> Result<CompiledRule> {
        let mut compiler = Compiler::new(Schema { columns: schema.columns.clone(), tables: Vec::new() }, today);
        match compiler.condition(&self.expr) {
            Some(root) if compiler.rankings().is_empty() => {
                Ok(CompiledRule { program: Program::new(Arc::new(compiler.graph().clone()), &[root], &[]) })
            }
            Some(_) => Err(Error::config("rankings such as ntile go with segments, not with a rule by itself")),
            None => Err(problems_to_error(compiler.take_problems())),
        }
    }
}

impl CompiledRule {
    /// Which rows are members; never null.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let columns = Batch::new(&self.program.graph, batch, |_| None)?;
        let mut evaluator = Evaluator::new(&self.program);
        let mut words: Vec<u64> = Vec::with_capacity(batch.num_rows().div_ceil(64));
        for offset in (0..batch.num_rows()).step_by(BLOCK_ROWS) {
            evaluator.block(&columns, offset, BLOCK_ROWS.min(batch.num_rows() - offset));
            words.extend_from_slice(evaluator.condition(0));
        }
        Ok(BooleanArray::new(BooleanBuffer::new(Buffer::from_vec(words), 0, batch.num_rows()), None))
    }
}
