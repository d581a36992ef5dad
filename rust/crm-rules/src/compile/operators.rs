//! Conditions, comparisons, lists, case and arithmetic.
use super::types::align;
use super::{Compiled, Compiler, Scope};
use crate::constant::Constant;
use crate::expr::{Arithmetic, Comparison, Expr, Kind, Position};
use crate::functions::Function;
use crate::graph::{NodeId, Op};
use crate::pattern::Pattern;
use crate::schema::Type;

impl Compiler {
    pub(super) fn connective(&mut self, op: Op, items: &[Expr], scope: Scope) -> Compiled {
        let nodes: Vec<Compiled> = items.iter().map(|item| self.test(item, scope)).collect();
        let nodes = nodes.into_iter().collect::<Option<Vec<_>>>()?;
        Some(self.op(scope, op, nodes, Type::Bool))
    }

    pub(super) fn collated_pair(&mut self, left: &Expr, right: &Expr, scope: Scope) -> Option<(NodeId, NodeId, bool, bool)> {
        let (left_node, right_node) = (self.expr(left, scope), self.expr(right, scope));
        let ((case_a, accents_a), (case_b, accents_b)) = (collation(left), collation(right));
        Some((left_node?, right_node?, case_a || case_b, accents_a || accents_b))
    }

    /// The text as its collation sees it.
    pub(super) fn folded(&mut self, node: NodeId, case: bool, accents: bool, scope: Scope) -> NodeId {
        let mut node = node;
        if self.type_of(node, scope) != Type::Text {
            return node;
        }
        if accents {
            node = self.op(scope, Op::Call(Function::StripAccents), vec![node], Type::Text);
        }
        if case {
            node = self.op(scope, Op::Call(Function::Lower), vec![node], Type::Text);
        }
        node
    }

    pub(super) fn compare(&mut self, comparison: Comparison, left: NodeId, right: NodeId, scope: Scope) -> NodeId {
        // The constant goes to the right, so that `5 < x` and `x > 5` are one node.
        let constant_left = matches!(self.graph_of(scope).node(left).op, Op::Constant(_));
        let swap = constant_left
            || (matches!(comparison, Comparison::Equal | Comparison::NotEqual)
                && left > right
                && !matches!(self.graph_of(scope).node(right).op, Op::Constant(_)));
        let (comparison, left, right) = if swap { (comparison.mirrored(), right, left) } else { (comparison, left, right) };
        self.op(scope, Op::Compare(comparison), vec![left, right], Type::Bool)
    }

    pub(super) fn matches(&mut self, node: NodeId, pattern: Pattern, at: Position, scope: Scope) -> Compiled {
        match pattern.matcher() {
            Ok(matcher) => {
                let id = self.op(scope, Op::Match(pattern), vec![node], Type::Bool);
                self.graph_of(scope).matchers.entry(id).or_insert(matcher);
                Some(id)
            }
            Err(message) => self.fail(at, message),
        }
    }

    pub(super) fn in_list(&mut self, item: &Expr, list: &[Expr], scope: Scope) -> Compiled {
        let (case, accents) = collation(item);
        let node = self.expr(item, scope)?;
        let node = self.folded(node, case, accents, scope);
        let mut constants = Vec::new();
        let mut tests = Vec::new();
        let mut set_item = node;
        let mut failed = false;
        for value in list {
            let Some(value_node) = self.expr(value, scope) else {
                failed = true;
                continue;
            };
            let value_node = self.folded(value_node, case, accents, scope);
            let Some((left, right)) = self.unify(node, value_node, value.at, scope) else {
                failed = true;
                continue;
            };
            match self.graph_of(scope).node(right).op.clone() {
                Op::Constant(Constant::Null) => tests.push(self.compare(Comparison::Equal, left, right, scope)),
                // An integer among floats: the set is then of floats.
                Op::Constant(constant) => {
                    if left != node {
                        set_item = left;
                    }
                    constants.push(constant);
                }
                _ => tests.push(self.compare(Comparison::Equal, left, right, scope)),
            }
        }
        if failed {
            return None;
        }
        if !constants.is_empty() {
            let kind = self.type_of(set_item, scope);
            let mut set: Vec<Constant> = constants.into_iter().map(|constant| align(constant, kind)).collect();
            set.sort();
            set.dedup();
            let item = if kind == Type::Null { node } else { set_item };
            tests.push(match set.as_slice() {
                [one] => {
                    let one = self.constant(scope, one.clone());
                    self.compare(Comparison::Equal, item, one, scope)
                }
                _ => self.op(scope, Op::InSet(set.into()), vec![item], Type::Bool),
            });
        }
        Some(self.op(scope, Op::Or, tests, Type::Bool))
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
        at: Position,
        scope: Scope,
    ) -> Compiled {
        let operand = match operand {
            Some(operand) => Some(self.expr(operand, scope)?),
            None => None,
        };
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        for (when, then) in branches {
            let condition = match operand {
                None => self.test(when, scope),
                Some(operand) => self
                    .expr(when, scope)
                    .and_then(|value| self.unify(operand, value, when.at, scope))
                    .map(|(a, b)| self.compare(Comparison::Equal, a, b, scope)),
            };
            conditions.push(condition);
            values.push(self.expr(then, scope).map(|node| (node, then.at)));
        }
        values.push(match otherwise {
            Some(otherwise) => self.expr(otherwise, scope).map(|node| (node, otherwise.at)),
            None => Some((self.constant(scope, Constant::Null), at)),
        });
        let conditions = conditions.into_iter().collect::<Option<Vec<_>>>()?;
        let values = values.into_iter().collect::<Option<Vec<_>>>()?;
        let (values, data_type) = self.common_type(values, scope)?;
        let mut children: Vec<NodeId> = conditions.into_iter().zip(&values).flat_map(|(condition, value)| [condition, *value]).collect();
        children.extend(values.last());
        Some(self.op(scope, Op::Case, children, data_type))
    }

    #[allow(clippy::too_many_arguments)] // Two operands with their places, and how they are compared.
    pub(super) fn any(
        &mut self,
        item: NodeId,
        comparison: Comparison,
        list: NodeId,
        sql_nulls: bool,
        item_at: Position,
        list_at: Position,
        scope: Scope,
    ) -> Compiled {
        let list_type = self.type_of(list, scope);
        if list_type == Type::Null {
            return Some(self.constant(scope, Constant::Null));
        }
        let Some(wanted) = list_type.item() else { return self.fail(list_at, format!("a list is needed here, and this is {list_type}")) };
        let kind = self.type_of(item, scope);
        let item = match (kind, wanted) {
            (a, b) if a == b || a == Type::Null => item,
            (Type::Int, Type::Float) => self.convert(item, Type::Float, scope),
            (Type::Text, wanted) if self.is_text_constant(item, scope) => self.read_constant(item, wanted, item_at, scope)?,
            _ => return self.fail(item_at, format!("the list holds {wanted}, and this is {kind}")),
        };
        Some(self.op(scope, Op::Any { comparison, sql_nulls }, vec![item, list], Type::Bool))
    }

    pub(super) fn arithmetic(&mut self, operator: Arithmetic, left: &Expr, right: &Expr, at: Position, scope: Scope) -> Compiled {
        let (left_node, right_node) = (self.expr(left, scope), self.expr(right, scope));
        let (a, b) = (left_node?, right_node?);
        let (kind_a, kind_b) = (self.type_of(a, scope), self.type_of(b, scope));
        let subtract = operator == Arithmetic::Subtract;
        let moves = subtract || operator == Arithmetic::Add;
        match (kind_a, kind_b) {
            (Type::Null, _) | (_, Type::Null) => {
                let data_type = if kind_a == Type::Null { kind_b } else { kind_a };
                let null = self.constant(scope, Constant::Null);
                let to = if data_type == Type::Interval { Type::Timestamp } else { data_type };
                Some(if to == Type::Null { null } else { self.op(scope, Op::Cast { from: Type::Null, to }, vec![null], to) })
            }
            (a_kind, b_kind) if a_kind.is_number() && b_kind.is_number() => {
                // `/` is division of real numbers, `//` of whole ones, as in DuckDB.
                let float = a_kind == Type::Float || b_kind == Type::Float || operator == Arithmetic::Divide;
                let data_type = if float { Type::Float } else { Type::Int };
                let (a, b) = (self.convert(a, data_type, scope), self.convert(b, data_type, scope));
                Some(self.op(scope, Op::Arithmetic(operator), vec![a, b], data_type))
            }
            (Type::Date | Type::Timestamp, Type::Interval) if moves => self.moved(a, b, subtract, right.at, scope),
            (Type::Interval, Type::Date | Type::Timestamp) if operator == Arithmetic::Add => self.moved(b, a, false, left.at, scope),
            (Type::Date, Type::Int) if moves => Some(self.op(scope, Op::AddDays { subtract }, vec![a, b], Type::Date)),
            (Type::Int, Type::Date) if operator == Arithmetic::Add => {
                Some(self.op(scope, Op::AddDays { subtract }, vec![b, a], Type::Date))
            }
            (Type::Date, Type::Date) if subtract => Some(self.op(scope, Op::Difference, vec![a, b], Type::Int)),
            (Type::Date | Type::Timestamp, Type::Date | Type::Timestamp) if subtract => {
                let (a, b) = (self.convert(a, Type::Timestamp, scope), self.convert(b, Type::Timestamp, scope));
                Some(self.op(scope, Op::Difference, vec![a, b], Type::Interval))
            }
            _ => self.fail(at, format!("'{}' does not go between {kind_a} and {kind_b}", operator.symbol())),
        }
    }

    pub(super) fn moved(&mut self, moment: NodeId, interval: NodeId, subtract: bool, at: Position, scope: Scope) -> Compiled {
        let Op::Constant(Constant::Interval(interval)) = self.graph_of(scope).node(interval).op.clone() else {
            return self.fail(at, "only a constant interval can be added to or taken from a date");
        };
        let Some(interval) = (if subtract { interval.negated() } else { Some(interval) }) else {
            return self.fail(at, "the interval is too long");
        };
        let moment = self.convert(moment, Type::Timestamp, scope);
        Some(self.op(scope, Op::AddInterval(interval), vec![moment], Type::Timestamp))
    }
}

pub(super) fn collation(expr: &Expr) -> (bool, bool) {
    match &expr.kind {
        Kind::Collate { item, case, accents } => {
            let (inner_case, inner_accents) = collation(item);
            (*case || inner_case, *accents || inner_accents)
        }
        _ => (false, false),
    }
}
