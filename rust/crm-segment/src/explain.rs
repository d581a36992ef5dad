//! What every predicate says of one contact.
use std::sync::Arc;

use arrow_array::RecordBatch;
use crm_core::Result;
use crm_rules::{Evaluator, Graph, NodeId, Program};

use crate::outcome::{Explanation, Predicate};
use crate::run::Run;

impl Run {
    /// What every predicate says of one contact: `batch` has its row, which is number `place` among all contacts and lies in the stretch
    /// whose features are known.
    pub fn explain(&mut self, batch: &RecordBatch, place: usize) -> Result<Vec<Explanation>> {
        self.close_features()?;
        let rules = Arc::clone(&self.rules);
        let graph = &rules.graph;
        let leaves: Vec<Vec<NodeId>> = rules.roots.iter().map(|root| leaves(graph, *root)).collect();
        let mut asked: Vec<NodeId> = rules.roots.clone();
        asked.extend(leaves.iter().flatten());
        let inputs: Vec<NodeId> = leaves.iter().flatten().flat_map(|leaf| graph.inputs_below(*leaf)).collect();
        asked.extend(&inputs);
        asked.sort();
        asked.dedup();
        let program = Program::new(Arc::clone(graph), &[], &asked);
        let mut evaluator = Evaluator::new(&program);
        let columns = self.columns(&program, batch, place.saturating_sub(self.first))?;
        let vectors = evaluator.block(&columns, 0, 1);
        let value = |node: NodeId| {
            let at = asked.binary_search(&node).unwrap_or_default();
            vectors[at].get_constant(0, graph.data_type(node))
        };
        let truth = |node: NodeId| match value(node) {
            Some(crm_rules::Constant::Bool(truth)) => Some(truth),
            _ => None,
        };
        let predicate = |leaf: &NodeId| Predicate {
            sql: graph.describe(*leaf),
            value: truth(*leaf),
            inputs: graph
                .inputs_below(*leaf)
                .iter()
                .map(|input| (graph.describe(*input), value(*input).map_or_else(|| "a list".to_owned(), |constant| constant.to_string())))
                .collect(),
        };
        Ok(rules
            .segments
            .iter()
            .zip(&rules.roots)
            .zip(&leaves)
            .map(|((segment, root), leaves)| Explanation {
                segment: segment.clone(),
                member: truth(*root) == Some(true),
                predicates: leaves.iter().map(predicate).collect(),
            })
            .collect())
    }
}

/// The conditions that a rule combines.
fn leaves(graph: &Graph, root: NodeId) -> Vec<NodeId> {
    let (mut found, mut open) = (Vec::new(), vec![root]);
    while let Some(node) = open.pop() {
        if graph.is_connective(node) {
            open.extend(graph.children(node).iter().rev());
        } else if !found.contains(&node) {
            found.push(node);
        }
    }
    found
}
