//! Bringing values to the types that operations need.
use super::{Compiled, Compiler, Scope, shorten};
use crate::calendar::{parse_date, parse_timestamp};
use crate::constant::Constant;
use crate::expr::{Expr, Position};
use crate::graph::{NodeId, Op};
use crate::kernels::{text_to_float, text_to_int};
use crate::schema::Type;

impl Compiler {
    pub(super) fn boolean(&mut self, node: NodeId, expr: &Expr, scope: Scope) -> Compiled {
        match self.type_of(node, scope) {
            Type::Bool => Some(node),
            Type::Null => {
                let value = self.constant(scope, Constant::Null);
                Some(self.op(scope, Op::Cast { from: Type::Null, to: Type::Bool }, vec![value], Type::Bool))
            }
            other => self.fail(expr.at, format!("a condition is needed here, and '{}' is {other}", shorten(&expr.to_sql()))),
        }
    }

    /// A condition within a condition.
    pub(super) fn test(&mut self, expr: &Expr, scope: Scope) -> Compiled {
        let node = self.expr(expr, scope)?;
        self.boolean(node, expr, scope)
    }

    /// Brings two values to one type in which they can be compared.
    pub(super) fn unify(&mut self, left: NodeId, right: NodeId, at: Position, scope: Scope) -> Option<(NodeId, NodeId)> {
        let (a, b) = (self.type_of(left, scope), self.type_of(right, scope));
        if a == b && a != Type::Other && a.item().is_none() {
            return Some((left, right));
        }
        match (a, b) {
            (Type::Null, other) | (other, Type::Null) if other.item().is_none() => Some((left, right)),
            (Type::Int, Type::Float) | (Type::Date, Type::Timestamp) => Some((self.convert(left, b, scope), right)),
            (Type::Float, Type::Int) | (Type::Timestamp, Type::Date) => Some((left, self.convert(right, a, scope))),
            (_, Type::Text) if self.is_text_constant(right, scope) => {
                let right = self.read_constant(right, a, at, scope)?;
                self.unify(left, right, at, scope)
            }
            (Type::Text, _) if self.is_text_constant(left, scope) => {
                let left = self.read_constant(left, b, at, scope)?;
                self.unify(left, right, at, scope)
            }
            (Type::Text, other) | (other, Type::Text) if other.item().is_none() && other != Type::Other => {
                self.fail(at, format!("a text cannot be compared with {other}; write cast(... as {other})"))
            }
            _ => self.fail(at, format!("{a} cannot be compared with {b}")),
        }
    }

    pub(super) fn is_text_constant(&mut self, node: NodeId, scope: Scope) -> bool {
        matches!(self.graph_of(scope).node(node).op, Op::Constant(Constant::Text(_)))
    }

    /// A text constant read as the type it is compared with.
    pub(super) fn read_constant(&mut self, node: NodeId, to: Type, at: Position, scope: Scope) -> Compiled {
        let Op::Constant(Constant::Text(text)) = self.graph_of(scope).node(node).op.clone() else { return Some(node) };
        let constant = match to {
            Type::Date => parse_date(&text).map(Constant::Date).or_else(|| parse_timestamp(&text).map(Constant::Timestamp)),
            Type::Timestamp => parse_timestamp(&text).map(Constant::Timestamp),
            Type::Int => text_to_int(&text).map(Constant::Int),
            Type::Float => text_to_float(&text).map(Constant::float),
            Type::Bool => match text.to_lowercase().as_str() {
                "true" => Some(Constant::Bool(true)),
                "false" => Some(Constant::Bool(false)),
                _ => None,
            },
            Type::Interval => crate::parse::parse_interval(&text).map(Constant::Interval),
            other => return self.fail(at, format!("{other} cannot be compared with varchar")),
        };
        match constant {
            Some(constant) => Some(self.constant(scope, constant)),
            None => self.fail(at, format!("'{}' is not a {to}", shorten(&text))),
        }
    }

    pub(super) fn convert(&mut self, node: NodeId, to: Type, scope: Scope) -> NodeId {
        let from = self.type_of(node, scope);
        if from == to || from == Type::Null { node } else { self.op(scope, Op::Cast { from, to }, vec![node], to) }
    }

    pub(super) fn cast(&mut self, node: NodeId, to: Type, at: Position, scope: Scope) -> Compiled {
        let from = self.type_of(node, scope);
        let possible = match (from, to) {
            (a, b) if a == b => return Some(node),
            (Type::Null | Type::Text, _) => true,
            (Type::Bool | Type::Int | Type::Float, Type::Bool | Type::Int | Type::Float | Type::Text) => true,
            (Type::Date, Type::Timestamp | Type::Text) | (Type::Timestamp, Type::Date | Type::Text) => true,
            _ => false,
        };
        if possible {
            Some(self.op(scope, Op::Cast { from, to }, vec![node], to))
        } else {
            self.fail(at, format!("{from} cannot be cast to {to}"))
        }
    }

    pub(super) fn text(&mut self, node: NodeId, at: Position, scope: Scope) -> Compiled {
        match self.type_of(node, scope) {
            Type::Text | Type::Null => Some(node),
            other => self.fail(at, format!("a text is needed here, and this is {other}; write cast(... as varchar)")),
        }
    }

    pub(super) fn moment(&mut self, node: NodeId, at: Position, scope: Scope) -> Compiled {
        match self.type_of(node, scope) {
            Type::Timestamp | Type::Null => Some(node),
            Type::Date => Some(self.convert(node, Type::Timestamp, scope)),
            Type::Text if self.is_text_constant(node, scope) => self.read_constant(node, Type::Timestamp, at, scope),
            other => self.fail(at, format!("a date or timestamp is needed here, and this is {other}")),
        }
    }

    /// Brings several values to one type.
    pub(super) fn common_type(&mut self, values: Vec<(NodeId, Position)>, scope: Scope) -> Option<(Vec<NodeId>, Type)> {
        let mut common = Type::Null;
        for (node, at) in &values {
            let kind = self.type_of(*node, scope);
            common = match (common, kind) {
                (Type::Null, kind) if kind.item().is_none() && kind != Type::Other => kind,
                (common, Type::Null) => common,
                (a, b) if a == b => a,
                (Type::Int, Type::Float) | (Type::Float, Type::Int) => Type::Float,
                (Type::Date, Type::Timestamp) | (Type::Timestamp, Type::Date) => Type::Timestamp,
                (common, kind) => return self.fail(*at, format!("the values must be of one type, and {kind} is not {common}")),
            };
        }
        let nodes = values.into_iter().map(|(node, _)| self.convert(node, common, scope)).collect();
        Some((nodes, common))
    }
}

/// A constant of a list in the type of its set.
pub(super) fn align(constant: Constant, kind: Type) -> Constant {
    match (constant, kind) {
        (Constant::Int(value), Type::Float) => Constant::float(value as f64),
        (Constant::Date(days), Type::Timestamp) => Constant::Timestamp(i64::from(days) * crate::calendar::DAY_MICROS),
        (constant, _) => constant,
    }
}
