//! Conditions in the rule language: one program for all of them, so that what they share is evaluated once.
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use crm_core::{Error, Result};
use crm_rules::{BLOCK_ROWS, Batch, Compiler, Evaluator, NodeId, Program, Rule, Schema, problems_to_error};

use crate::events::Conditions;

/// The conditions that are no plain comparisons of a text column, and the filter.
pub struct Rules {
    program: Program,
    /// Which condition each but the filter is.
    numbers: Vec<usize>,
    has_filter: bool,
    failed: Mutex<BTreeSet<String>>,
}

/// Compiles one rule after another.
pub struct RulesBuilder {
    compiler: Compiler,
    roots: Vec<NodeId>,
    numbers: Vec<usize>,
}

impl RulesBuilder {
    /// Nothing yet; `today` is in days since 1970.
    pub fn new(schema: &SchemaRef, today: i32) -> Self {
        Self { compiler: Compiler::new(Schema::from_arrow(schema), today), roots: Vec::new(), numbers: Vec::new() }
    }

    /// Adds a condition by its number.
    pub fn add(&mut self, number: usize, text: &str) -> Result<()> {
        let root = self.root(text)?;
        self.roots.push(root);
        self.numbers.push(number);
        Ok(())
    }

    /// The rules with a filter, if any; `None` without any of both.
    pub fn finish(mut self, filter: Option<&str>) -> Result<Option<Rules>> {
        let filter = filter.map(|text| self.root(text)).transpose()?;
        self.roots.extend(filter);
        if self.roots.is_empty() {
            return Ok(None);
        }
        let program = Program::new(Arc::new(self.compiler.graph().clone()), &self.roots, &[]);
        Ok(Some(Rules { program, numbers: self.numbers, has_filter: filter.is_some(), failed: Mutex::default() }))
    }

    fn root(&mut self, text: &str) -> Result<NodeId> {
        match self.compiler.condition(Rule::parse(text)?.expr()) {
            Some(root) if self.compiler.rankings().is_empty() => Ok(root),
            Some(_) => Err(Error::config("rankings such as ntile go with segments, not with a rule by itself")),
            None => Err(problems_to_error(self.compiler.take_problems())),
        }
    }
}

impl Rules {
    /// Whether there is more than a filter.
    pub fn has_conditions(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// What evaluates them over some batches.
    pub fn evaluator(&self) -> RuleEvaluator<'_> {
        RuleEvaluator { rules: self, evaluator: Evaluator::new(&self.program) }
    }

    /// The expressions that could not be computed for some rows so far.
    pub fn failed(&self) -> Vec<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Evaluates rules over batches of their schema.
pub struct RuleEvaluator<'r> {
    rules: &'r Rules,
    evaluator: Evaluator<'r>,
}

impl RuleEvaluator<'_> {
    /// Adds the conditions that each row of `batch` fulfils, and calls `drop_row` for rows that the filter leaves out.
    pub fn evaluate(&mut self, batch: &RecordBatch, fulfilled: &mut [Conditions], mut drop_row: impl FnMut(usize)) -> Result<()> {
        let columns = Batch::new(self.rules.program.graph(), batch, |_| None)?;
        for from in (0..batch.num_rows()).step_by(BLOCK_ROWS) {
            let rows = BLOCK_ROWS.min(batch.num_rows() - from);
            self.evaluator.block(&columns, from, rows);
            for (index, number) in self.rules.numbers.iter().enumerate() {
                set_bits(self.evaluator.condition(index), rows).for_each(|row| fulfilled[from + row] |= 1 << number);
            }
            if self.rules.has_filter {
                let kept = self.evaluator.condition(self.rules.numbers.len());
                (0..rows).filter(|row| kept[row / 64] >> (row % 64) & 1 == 0).for_each(|row| drop_row(from + row));
            }
        }
        Ok(())
    }
}

impl Drop for RuleEvaluator<'_> {
    /// What could not be computed is told by the rules, whichever evaluator met it.
    fn drop(&mut self) {
        let failed = self.evaluator.failed();
        if !failed.is_empty() {
            self.rules.failed.lock().unwrap_or_else(PoisonError::into_inner).extend(failed);
        }
    }
}

fn set_bits(words: &[u64], rows: usize) -> impl Iterator<Item = usize> + '_ {
    let ones = words.iter().enumerate().flat_map(|(place, &word)| {
        std::iter::successors((word != 0).then_some(word), |word| {
            let rest = word & (word - 1);
            (rest != 0).then_some(rest)
        })
        .map(move |word| place * 64 + word.trailing_zeros() as usize)
    });
    ones.take_while(move |&row| row < rows)
}
