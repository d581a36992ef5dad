//! How one related table is read for all of its features at once.
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crm_core::Result;
use crm_rules::{BLOCK_ROWS, Batch, Evaluator, NodeId, Program, Vector, and_into, or_into, words_for};

use crate::contact_index::{ContactIndex, NONE};
use crate::feature::{BlockRows, FeatureState};
use crate::ledger::{Entry, Ledger, LedgerRows};
use crate::rule_set::RuleSet;

/// What is computed of a table's rows, and for which features.
pub(crate) struct TablePlan {
    pub(crate) table: usize,
    pub(crate) program: Program,
    /// The features with a state of their own, in their order.
    pub(crate) parts: Vec<Part>,
    /// The features that go to a ledger.
    pub(crate) entries: Vec<Entry>,
}

/// Where a feature's filter, argument and time stand among what the program computes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    filter: Option<usize>,
    argument: Option<usize>,
    time: Option<usize>,
}

/// One block of a related table, evaluated.
pub(crate) struct Block<'b> {
    filters: Vec<Vec<u64>>,
    /// Rows that belong to a contact.
    owned: Vec<u64>,
    contacts: Vec<u32>,
    pub(crate) vectors: Vec<Vector<'b>>,
    pub(crate) ledgers: Vec<LedgerRows>,
}

impl TablePlan {
    pub(crate) fn new(rules: &RuleSet, table: usize) -> Self {
        let graph = &rules.compiler.tables()[table].graph;
        let (mut filters, mut values) = (Places::default(), Places::default());
        let (mut parts, mut entries) = (Vec::new(), Vec::new());
        for (number, feature) in rules.compiler.features().iter().enumerate().filter(|(_, feature)| feature.table == table) {
            let (filter, argument) = (filters.of(feature.filter), values.of(feature.argument));
            match Entry::new(number, feature, filter, argument) {
                Some(entry) => entries.push(entry),
                None => parts.push(Part { filter, argument, time: values.of(feature.time) }),
            }
        }
        Self { table, program: Program::new(Arc::new(graph.clone()), &filters.nodes, &values.nodes), parts, entries }
    }

    pub(crate) fn block<'p: 'b, 'b>(
        &'p self,
        evaluator: &mut Evaluator<'p>,
        columns: &'b Batch,
        (keys, name): (&arrow_array::ArrayRef, &str),
        index: &ContactIndex,
        ledgers: &[Ledger],
        offset: usize,
    ) -> Result<Block<'b>> {
        let rows = BLOCK_ROWS.min(columns.rows() - offset);
        let vectors: Vec<Vector<'b>> = evaluator.block(columns, offset, rows).into_iter().map(Rc::unwrap_or_clone).collect();
        let filters: Vec<Vec<u64>> = (0..self.program.conditions()).map(|filter| evaluator.condition(filter).to_vec()).collect();
        let everything = self.parts.iter().any(|part| part.filter.is_none());
        let mut wanted = vec![if everything { u64::MAX } else { 0 }; words_for(rows)];
        for filter in self.parts.iter().filter_map(|part| part.filter) {
            or_into(&mut wanted, &filters[filter]);
        }
        let of_ledgers: Vec<(Vec<Vec<u64>>, Vec<u64>)> = ledgers.iter().map(|ledger| ledger.wanted(&filters, &vectors, rows)).collect();
        for (_, any) in &of_ledgers {
            or_into(&mut wanted, any);
        }
        if everything && !rows.is_multiple_of(64) {
            let last = wanted.len() - 1;
            wanted[last] &= (1 << (rows % 64)) - 1;
        }
        let mut contacts = Vec::new();
        index.rows(name, &keys.slice(offset, rows), &wanted, &mut contacts)?;
        let owned = if self.parts.is_empty() { Vec::new() } else { owned(&contacts, rows) };
        let ledgers = ledgers.iter().zip(&of_ledgers).map(|(ledger, (each, any))| ledger.rows(each, any, &contacts, &vectors)).collect();
        Ok(Block { filters, owned, contacts, vectors, ledgers })
    }
}

/// Nodes that are asked for, each once.
#[derive(Default)]
struct Places {
    nodes: Vec<NodeId>,
    known: HashMap<NodeId, usize>,
}

impl Places {
    fn of(&mut self, node: Option<NodeId>) -> Option<usize> {
        let node = node?;
        Some(*self.known.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        }))
    }
}

/// The rows that belong to a contact.
fn owned(contacts: &[u32], rows: usize) -> Vec<u64> {
    (0..words_for(rows))
        .map(|word| {
            let slots = &contacts[word * 64..rows.min(word * 64 + 64)];
            slots.iter().enumerate().fold(0, |bits, (place, contact)| bits | u64::from(*contact != NONE) << place)
        })
        .collect()
}

impl Block<'_> {
    /// Adds the block's rows to one feature.
    pub(crate) fn add_to(&self, state: &mut FeatureState, part: &Part) {
        let mut rows = self.owned.clone();
        if let Some(filter) = part.filter {
            and_into(&mut rows, &self.filters[filter]);
        }
        state.add(&BlockRows {
            rows: &rows,
            contacts: &self.contacts,
            argument: part.argument.map(|argument| &self.vectors[argument]),
            time: part.time.map(|time| &self.vectors[time]),
        });
    }
}
