//! What is asked of a graph, planned once for all batches.
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::constant::Constant;
use crate::graph::{Graph, NodeId, Op};
use crate::lookup::Group;
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
    /// Nodes that may fail and are below something asked for: always computed in the end, so that what is reported as failed does not depend on
    /// what else was decided before.
    pub(crate) fallible: Vec<NodeId>,
    pub(crate) groups: Vec<Group>,
    /// The group of each signal that has one.
    pub(crate) group_of: Vec<Option<u32>>,
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
        let mut planner = Planner { graph: &graph, only_input: only_inputs(&graph), signals: Vec::new(), known: HashMap::new() };
        let roots: Vec<SignalId> = conditions.iter().map(|node| planner.signal(*node, true)).collect();
        let signals = planner.signals;
        let fallible = fallible_below(&graph, conditions.iter().chain(values).copied());
        let (groups, group_of) = group(&graph, &signals);
        Self { signals, conditions: roots, values: values.to_vec(), fallible, groups, group_of, graph }
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
    /// The one input below a node, where there is just one and nothing can fail.
    only_input: Vec<Option<u32>>,
    signals: Vec<Signal>,
    known: HashMap<(NodeId, bool), SignalId>,
}

impl Planner<'_> {
    /// Whether a combination of conditions is best read off one table: numbers and dates are, texts are searched for each condition.
    fn is_one_lookup(&self, node: NodeId) -> bool {
        self.only_input[node.index()].is_some_and(|input| {
            matches!(self.graph.inputs()[input as usize].1, Type::Int | Type::Float | Type::Date | Type::Timestamp | Type::Interval)
        })
    }

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
            Op::And | Op::Or if self.is_one_lookup(node) => Signal::Leaf { node, truth },
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

/// Per node the one input below it, where there is just one and nothing below can fail.
fn only_inputs(graph: &Graph) -> Vec<Option<u32>> {
    let mut only: Vec<Result<Option<u32>, ()>> = Vec::with_capacity(graph.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let found = match node.op {
            _ if graph.fallible[index] => Err(()),
            Op::Input(number) => Ok(Some(number)),
            _ => node.children.iter().try_fold(None, |found, child| match (found, only[child.index()]) {
                (_, Err(())) => Err(()),
                (Some(a), Ok(Some(b))) if a != b => Err(()),
                (found, Ok(one)) => Ok(found.or(one)),
            }),
        };
        only.push(found);
    }
    only.into_iter().map(|found| found.unwrap_or_default()).collect()
}

/// What kind of group a signal goes to, so that what must be searched does not mix with what cannot.
fn family(graph: &Graph, node: NodeId) -> u8 {
    use crate::expr::Comparison;
    use crate::pattern::Pattern;
    let node = graph.node(node);
    let direct = node.children.iter().all(|child| matches!(graph.node(*child).op, Op::Input(_) | Op::Constant(_)));
    match &node.op {
        // A plain boolean column costs less than a table.
        Op::Input(_) => 9,
        _ if !direct => 1,
        Op::IsNull => 0,
        Op::Match(Pattern::Contains { .. }) => 0,
        Op::Compare(Comparison::Equal) | Op::InSet(_) | Op::Any { comparison: Comparison::Equal, .. } => 0,
        _ => 1,
    }
}

/// Signals that are functions of one input, in groups of at most 64.
fn group(graph: &Graph, signals: &[Signal]) -> (Vec<Group>, Vec<Option<u32>>) {
    let only = only_inputs(graph);
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of = vec![None; signals.len()];
    let mut open: HashMap<(u32, u8), usize> = HashMap::new();
    for (number, signal) in signals.iter().enumerate() {
        let Signal::Leaf { node, truth } = signal else { continue };
        let (Some(input), family) = (only[node.index()], family(graph, *node)) else { continue };
        if family == 9 {
            continue;
        }
        let texts = matches!(graph.inputs()[input as usize].1, Type::Text | Type::TextList);
        let at = *open.entry((input, if texts { family } else { 0 })).or_insert(usize::MAX);
        let at = if at == usize::MAX || groups[at].signals.len() == 64 {
            groups.push(Group { input, signals: Vec::new(), plan: OnceLock::new() });
            open.insert((input, if texts { family } else { 0 }), groups.len() - 1);
            groups.len() - 1
        } else {
            at
        };
        groups[at].signals.push((number as SignalId, *node, *truth));
        group_of[number] = Some(at as u32);
    }
    (groups, group_of)
}
