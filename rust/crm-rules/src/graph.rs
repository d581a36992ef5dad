//! Expressions as interned nodes: what occurs twice is one node.
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::constant::{Constant, Interval};
use crate::expr::{Arithmetic, Comparison};
use crate::functions::{Function, sql_name};
use crate::kernels;
use crate::pattern::{Matcher, Pattern};
use crate::schema::Type;
use crate::vector::Vector;

/// A node of a [`Graph`]. Children have smaller ids than their parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Constant(Constant),
    Input(u32),
    Not,
    And,
    Or,
    Compare(Comparison),
    NotDistinct,
    IsNull,
    IsTrue,
    /// The child is one of these, which are sorted and not null.
    InSet(Arc<[Constant]>),
    Arithmetic(Arithmetic),
    Negate,
    /// A date or timestamp moved; gives a timestamp.
    AddInterval(Interval),
    /// A date moved by a number of days.
    AddDays {
        subtract: bool,
    },
    /// Between dates in days, between timestamps as an interval.
    Difference,
    Cast {
        from: Type,
        to: Type,
    },
    /// Condition, value, condition, value, ..., else.
    Case,
    Coalesce,
    Match(Pattern),
    /// Some item of the list (second child) compares so with the first child; `sql_nulls`: null items make "no" unknown.
    Any {
        comparison: Comparison,
        sql_nulls: bool,
    },
    Call(Function),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) children: Vec<NodeId>,
    pub(crate) data_type: Type,
}

/// What an input of a graph is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// A column of the table.
    Column(String),
    /// A feature, by its number.
    Feature(usize),
    /// A ranking, by its number.
    Ranking(usize),
}

/// Interned expressions over one table.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<(Input, Type)>,
    pub(crate) depths: Vec<u32>,
    /// Whether computing the node or anything below can fail.
    pub(crate) fallible: Vec<bool>,
    pub(crate) matchers: HashMap<NodeId, Matcher>,
    known: HashMap<Node, NodeId>,
    input_ids: HashMap<Input, u32>,
    labels: HashMap<Input, String>,
}

/// Longest text that is computed at once instead of for each block, in bytes.
const MAX_FOLDED_TEXT: usize = 1 << 10;

/// Deepest chain of nodes, through features and segments.
pub(crate) const MAX_NODE_DEPTH: u32 = 1_000;

impl Graph {
    /// The inputs it reads: their kinds and types.
    pub fn inputs(&self) -> &[(Input, Type)] {
        &self.inputs
    }

    /// The type of a node.
    pub fn data_type(&self, id: NodeId) -> Type {
        self.nodes[id.index()].data_type
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it has no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The distinct nodes directly below.
    pub fn children(&self, id: NodeId) -> &[NodeId] {
        &self.nodes[id.index()].children
    }

    /// Whether the node is `and`, `or` or `not`: a combination of conditions, not a condition by itself.
    pub fn is_connective(&self, id: NodeId) -> bool {
        matches!(self.nodes[id.index()].op, Op::And | Op::Or | Op::Not | Op::IsTrue)
    }

    /// The distinct inputs that a node is computed from.
    pub fn inputs_below(&self, id: NodeId) -> Vec<NodeId> {
        let (mut found, mut open) = (Vec::new(), vec![id]);
        while let Some(node) = open.pop() {
            if matches!(self.node(node).op, Op::Input(_)) {
                if !found.contains(&node) {
                    found.push(node);
                }
            } else {
                open.extend(self.children(node).iter().rev());
            }
        }
        found
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// How an input that is no column is called in messages.
    pub(crate) fn label(&mut self, input: Input, label: String) {
        self.labels.insert(input, label);
    }

    pub(crate) fn constant(&mut self, constant: Constant) -> NodeId {
        let data_type = constant.data_type();
        self.add(Node { op: Op::Constant(constant), children: Vec::new(), data_type })
    }

    pub(crate) fn input(&mut self, input: Input, data_type: Type) -> NodeId {
        let next = self.inputs.len() as u32;
        let number = *self.input_ids.entry(input.clone()).or_insert(next);
        if number == next {
            self.inputs.push((input, data_type));
        }
        self.add(Node { op: Op::Input(number), children: Vec::new(), data_type })
    }

    /// Adds a node, or finds it; what has only constants below is computed at once.
    pub(crate) fn op(&mut self, op: Op, children: Vec<NodeId>, data_type: Type) -> NodeId {
        let id = match op {
            Op::And | Op::Or => return self.connective(op, children),
            Op::Not => match &self.nodes[children[0].index()] {
                Node { op: Op::Not, children: inner, .. } => return inner[0],
                _ => self.add(Node { op, children, data_type }),
            },
            op => self.add(Node { op, children, data_type }),
        };
        self.fold(id).unwrap_or(id)
    }

    /// `and` and `or` do not care for order and repetition, so `a and b` and `b and a` are one node.
    fn connective(&mut self, op: Op, mut children: Vec<NodeId>) -> NodeId {
        let neutral = Constant::Bool(op == Op::And);
        let decisive = Constant::Bool(op == Op::Or);
        children.sort();
        children.dedup();
        children.retain(|child| self.nodes[child.index()].op != Op::Constant(neutral.clone()));
        if children.iter().any(|child| self.nodes[child.index()].op == Op::Constant(decisive.clone())) {
            return self.constant(decisive);
        }
        match children.as_slice() {
            [] => self.constant(neutral),
            [one] if self.data_type(*one) == Type::Bool => *one,
            _ => self.add(Node { op, children, data_type: Type::Bool }),
        }
    }

    fn add(&mut self, node: Node) -> NodeId {
        if let Some(&id) = self.known.get(&node) {
            return id;
        }
        let id = NodeId(self.nodes.len() as u32);
        let depth = node.children.iter().map(|child| self.depths[child.index()] + 1).max().unwrap_or(0);
        let fallible = can_fail(&node.op, node.data_type) || node.children.iter().any(|child| self.fallible[child.index()]);
        self.depths.push(depth);
        self.fallible.push(fallible);
        self.known.insert(node.clone(), id);
        self.nodes.push(node);
        id
    }

    fn fold(&mut self, id: NodeId) -> Option<NodeId> {
        let node = &self.nodes[id.index()];
        let constants: Vec<Constant> = node
            .children
            .iter()
            .map(|child| if let Op::Constant(constant) = &self.nodes[child.index()].op { Some(constant.clone()) } else { None })
            .collect::<Option<_>>()?;
        if constants.is_empty() || matches!(node.op, Op::Match(_)) {
            return None;
        }
        let vectors: Vec<Vector<'_>> =
            constants.iter().zip(&node.children).map(|(constant, child)| Vector::constant(constant, self.data_type(*child), 1)).collect();
        let args: Vec<&Vector<'_>> = vectors.iter().collect();
        let (vector, failed) = kernels::apply(node, &args, None, 1);
        // What fails stays, so that the run can name it.
        let constant = if failed { None } else { vector.get_constant(0, node.data_type) }?;
        // A long text is made anew for each block rather than kept for each of very many rules.
        if matches!(&constant, Constant::Text(text) if text.len() > MAX_FOLDED_TEXT) {
            return None;
        }
        let same_type = constant.data_type() == node.data_type;
        if same_type { Some(self.constant(constant)) } else { None }
    }

    /// A node as SQL, for messages and explanations.
    pub fn describe(&self, id: NodeId) -> String {
        let mut text = String::new();
        self.write(&mut text, id, 0);
        text
    }

    fn write(&self, out: &mut String, id: NodeId, depth: usize) {
        // A message is for reading; beyond this it is not read, and shared nodes would be written exponentially often.
        if depth > 12 || out.len() > 300 {
            out.push_str("...");
            return;
        }
        let node = &self.nodes[id.index()];
        let child = |out: &mut String, index: usize| {
            let id = node.children[index];
            let simple = !matches!(
                self.nodes[id.index()].op,
                Op::And
                    | Op::Or
                    | Op::Compare(_)
                    | Op::Arithmetic(_)
                    | Op::InSet(_)
                    | Op::Match(_)
                    | Op::AddInterval(_)
                    | Op::AddDays { .. }
                    | Op::Difference
            );
            if !simple {
                out.push('(');
            }
            self.write(out, id, depth + 1);
            if !simple {
                out.push(')');
            }
        };
        let call = |out: &mut String, name: &str| {
            out.push_str(name);
            out.push('(');
            for (index, id) in node.children.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                self.write(out, *id, depth + 1);
            }
            out.push(')');
        };
        let infix = |out: &mut String, symbol: &str| {
            for index in 0..node.children.len() {
                if index > 0 {
                    let _ = write!(out, " {symbol} ");
                }
                child(out, index);
            }
        };
        match &node.op {
            Op::Constant(constant) => {
                let _ = write!(out, "{constant}");
            }
            Op::Input(number) => {
                let input = &self.inputs[*number as usize].0;
                match (input, self.labels.get(input)) {
                    (Input::Column(name), _) => out.push_str(name),
                    (_, label) => out.push_str(label.map_or("?", String::as_str)),
                }
            }
            Op::Not => {
                out.push_str("not ");
                child(out, 0);
            }
            Op::And => infix(out, "and"),
            Op::Or => infix(out, "or"),
            Op::Compare(comparison) => infix(out, comparison.symbol()),
            Op::NotDistinct => infix(out, "is not distinct from"),
            Op::Arithmetic(operator) => infix(out, operator.symbol()),
            Op::Difference => infix(out, "-"),
            Op::AddDays { subtract } => infix(out, if *subtract { "-" } else { "+" }),
            Op::IsNull => {
                child(out, 0);
                out.push_str(" is null");
            }
            Op::IsTrue => {
                child(out, 0);
                out.push_str(" is true");
            }
            Op::InSet(set) => {
                child(out, 0);
                let shown: Vec<String> = set.iter().take(8).map(ToString::to_string).collect();
                let _ = write!(out, " in ({}{})", shown.join(", "), if set.len() > 8 { ", ..." } else { "" });
            }
            Op::Negate => {
                out.push('-');
                child(out, 0);
            }
            Op::AddInterval(interval) => {
                child(out, 0);
                let _ = write!(out, " + {}", Constant::Interval(*interval));
            }
            Op::Cast { to, .. } => {
                out.push_str("cast(");
                self.write(out, node.children[0], depth + 1);
                let _ = write!(out, " as {to})");
            }
            Op::Case => call(out, "case"),
            Op::Coalesce => call(out, "coalesce"),
            Op::Match(pattern) => {
                child(out, 0);
                match pattern {
                    Pattern::Contains { needle, insensitive } => {
                        let _ = write!(out, " {} '%{needle}%'", if *insensitive { "ilike" } else { "like" });
                    }
                    Pattern::Prefix(prefix) => {
                        let _ = write!(out, " like '{prefix}%'");
                    }
                    Pattern::Suffix(suffix) => {
                        let _ = write!(out, " like '%{suffix}'");
                    }
                    Pattern::Like { tokens, insensitive } => {
                        let pattern: String = tokens
                            .iter()
                            .map(|token| match token {
                                crate::pattern::Token::Any => '%',
                                crate::pattern::Token::One => '_',
                                crate::pattern::Token::Char(c) => *c,
                            })
                            .collect();
                        let _ = write!(out, " {} '{pattern}'", if *insensitive { "ilike" } else { "like" });
                    }
                    Pattern::Regex(text) => {
                        let _ = write!(out, " matches '{text}'");
                    }
                }
            }
            Op::Any { comparison, .. } => {
                child(out, 0);
                let _ = write!(out, " {} any(", comparison.symbol());
                self.write(out, node.children[1], depth + 1);
                out.push(')');
            }
            Op::Call(Function::DatePart(part) | Function::DateTrunc(part) | Function::DateDiff(part) | Function::DateSub(part)) => {
                let Op::Call(function) = &node.op else { return };
                call(out, &format!("{}['{}']", sql_name(*function), part.name()));
            }
            Op::Call(function) => call(out, sql_name(*function)),
        }
    }
}

/// Whether an operation can fail on values that are not null.
fn can_fail(op: &Op, output: Type) -> bool {
    match op {
        Op::Arithmetic(Arithmetic::Divide | Arithmetic::DivideWhole | Arithmetic::Modulo) => true,
        Op::Arithmetic(_) | Op::Negate => output != Type::Float,
        Op::AddInterval(_) | Op::AddDays { .. } | Op::Difference => true,
        Op::Cast { from, to } => matches!((from, to), (Type::Text, _) | (Type::Float, Type::Int)) && *to != Type::Text,
        Op::Call(Function::Sqrt | Function::Ln | Function::Power | Function::Concat | Function::Replace) => true,
        Op::Call(Function::Abs | Function::Round) => output == Type::Int,
        Op::Call(Function::DateTrunc(_) | Function::DateSub(_) | Function::DateDiff(_)) => true,
        _ => false,
    }
}
