//! What is asked of a graph, planned once for all batches.
use std::collections::HashMap;
use std::sync::Arc;

use crate::constant::Constant;
use crate::graph::{Graph, NodeId, Op};
use crate::schema::Type;

/// The conditions and values asked of a graph.
///
/// Three-valued logic becomes plain bits here: of each condition, the rows where it is true and those where it is false are two *signals*,
/// and only those are computed that a condition at the top depends on. `not` merely changes from one to the other.
#[derive(Debug, Clone)]
pub struct Program {
    pub(crate) graph: Arc<Graph>,
    pub(crate) signals: Vec<Signal>,
    pub(crate) conditions: Vec<SignalId>,
    pub(crate) values: Vec<NodeId>,
    /// Nodes that may fail and are below something asked for: always computed, so that what is reported as failed does not depend on
    /// what else was decided before.
    pub(crate) fallible: Vec<NodeId>,
}

pub(crate) type SignalId = u32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signal {
    Constant(bool),
    And(Vec<SignalId>),
    Or(Vec<SignalId>),
    /// The rows that are not in the other signal.
    Complement(SignalId),
    /// The rows where the node is true, or false.
    Leaf {
        node: NodeId,
        truth: bool,
    },
}

impl Program {
    /// Plans `conditions`, whose bits are wanted, and `values`, whose vectors are wanted.
    pub fn new(graph: Arc<Graph>, conditions: &[NodeId], values: &[NodeId]) -> Self {
        let mut planner = Planner { graph: &graph, signals: Vec::new(), known: HashMap::new() };
        let roots: Vec<SignalId> = conditions.iter().map(|node| planner.signal(*node, true)).collect();
        let signals = planner.signals;
        let fallible = fallible_below(&graph, conditions.iter().chain(values).copied());
        Self { signals, conditions: roots, values: values.to_vec(), fallible, graph }
    }

    /// The graph it was planned for.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Number of conditions.
    pub fn conditions(&self) -> usize {
        self.conditions.len()
    }
}

/// Those nodes that fail by themselves.
fn fallible_below(graph: &Graph, roots: impl Iterator<Item = NodeId>) -> Vec<NodeId> {
    let mut seen = vec![false; graph.len()];
    let mut open: Vec<NodeId> = roots.filter(|root| graph.fallible[root.index()]).collect();
    let mut found = Vec::new();
    while let Some(node) = open.pop() {
        if std::mem::replace(&mut seen[node.index()], true) {
            continue;
        }
        if graph.data_type(node) != Type::Bool || !graph.is_connective(node) {
            found.push(node);
        }
        open.extend(graph.children(node).iter().filter(|child| graph.fallible[child.index()]));
    }
    found.sort();
    found
}

struct Planner<'a> {
    graph: &'a Graph,
    signals: Vec<Signal>,
    known: HashMap<(NodeId, bool), SignalId>,
}

impl Planner<'_> {
    /// The rows where `node` is true, or where it is false.
    fn signal(&mut self, node: NodeId, truth: bool) -> SignalId {
        if let Some(&known) = self.known.get(&(node, truth)) {
            return known;
        }
        let inner = self.graph.node(node);
        let signal = match &inner.op {
            Op::Not => {
                let id = self.signal(inner.children[0], !truth);
                self.known.insert((node, truth), id);
                return id;
            }
            Op::IsTrue => {
                let id = self.signal(inner.children[0], true);
                if truth {
                    self.known.insert((node, truth), id);
                    return id;
                }
                Signal::Complement(id)
            }
            // By De Morgan, "and" is false where some part is false.
            Op::And | Op::Or => {
                let children: Vec<SignalId> = inner.children.iter().map(|child| self.signal(*child, truth)).collect();
                if (inner.op == Op::And) == truth { Signal::And(children) } else { Signal::Or(children) }
            }
            Op::Constant(Constant::Bool(value)) => Signal::Constant(*value == truth),
            Op::Constant(_) => Signal::Constant(false),
            _ => Signal::Leaf { node, truth },
        };
        let id = self.signals.len() as SignalId;
        self.signals.push(signal);
        self.known.insert((node, truth), id);
        id
    }
}
