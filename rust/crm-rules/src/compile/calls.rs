//! Calls of functions.
use super::{Compiled, Compiler, Scope, aggregate};
use crate::constant::Constant;
use crate::expr::{Comparison, Expr, Over, Position};
use crate::functions::{self, DatePart, Function, Takes};
use crate::graph::{NodeId, Op};
use crate::pattern::Pattern;
use crate::schema::Type;

impl Compiler {
    #[allow(clippy::too_many_arguments)] // A call has these parts.
    pub(super) fn call(
        &mut self,
        name: &str,
        distinct: bool,
        args: &[Expr],
        filter: Option<&Expr>,
        over: Option<&Over>,
        at: Position,
        scope: Scope,
    ) -> Compiled {
        if aggregate::is_ranking(name) {
            return self.ranking(name, args, over, at, scope);
        }
        if over.is_some() {
            return self.fail(at, "over (...) goes with ntile, cumulative_share and percent_rank");
        }
        if functions::AGGREGATES.contains(&name) {
            return self.aggregate(name, distinct, args, filter, at, scope);
        }
        if filter.is_some() || distinct {
            return self.fail(at, format!("filter and distinct go with aggregates, and '{name}' is none"));
        }
        let nodes: Vec<Compiled> = args.iter().map(|arg| self.expr(arg, scope)).collect();
        let nodes = nodes.into_iter().collect::<Option<Vec<_>>>()?;
        let count = |compiler: &mut Self, allowed: std::ops::RangeInclusive<usize>| {
            if allowed.contains(&nodes.len()) {
                return Some(());
            }
            let wanted =
                if allowed.start() == allowed.end() { allowed.start().to_string() } else { format!("{} or more", allowed.start()) };
            compiler
                .fail(at, format!("{name} takes {wanted} argument{}, and {} are given", if wanted == "1" { "" } else { "s" }, nodes.len()))
        };
        match name {
            "today" | "current_date" => {
                count(self, 0..=0)?;
                Some(self.constant(scope, Constant::Date(self.today)))
            }
            "coalesce" | "greatest" | "least" => {
                count(self, 1..=1_000)?;
                let values = nodes.iter().zip(args).map(|(node, arg)| (*node, arg.at)).collect();
                let (values, data_type) = self.common_type(values, scope)?;
                let op = match name {
                    "coalesce" => Op::Coalesce,
                    "greatest" => Op::Call(Function::Greatest),
                    _ => Op::Call(Function::Least),
                };
                Some(self.op(scope, op, values, data_type))
            }
            "nullif" => {
                count(self, 2..=2)?;
                let data_type = self.type_of(nodes[0], scope);
                let (a, b) = self.unify(nodes[0], nodes[1], at, scope)?;
                let same = self.compare(Comparison::Equal, a, b, scope);
                let null = self.constant(scope, Constant::Null);
                Some(self.op(scope, Op::Case, vec![same, null, nodes[0]], data_type))
            }
            "contains" | "list_contains" | "array_contains" => {
                count(self, 2..=2)?;
                if self.type_of(nodes[0], scope).item().is_some() {
                    return self.any(nodes[1], Comparison::Equal, nodes[0], false, args[1].at, args[0].at, scope);
                }
                let text = self.text(nodes[0], args[0].at, scope)?;
                self.text(nodes[1], args[1].at, scope)?;
                match self.graph_of(scope).node(nodes[1]).op.clone() {
                    Op::Constant(Constant::Text(needle)) => {
                        self.matches(text, Pattern::Contains { needle: needle.to_string(), insensitive: false }, at, scope)
                    }
                    _ => Some(self.op(scope, Op::Call(Function::Contains), vec![text, nodes[1]], Type::Bool)),
                }
            }
            "regexp_like" | "regexp_matches" => {
                count(self, 2..=2)?;
                let text = self.text(nodes[0], args[0].at, scope)?;
                match self.graph_of(scope).node(nodes[1]).op.clone() {
                    Op::Constant(Constant::Text(pattern)) => self.matches(text, Pattern::Regex(pattern.to_string()), args[1].at, scope),
                    _ => self.fail(args[1].at, "the regular expression is a constant text"),
                }
            }
            "fold" => {
                count(self, 1..=1)?;
                let text = self.text(nodes[0], args[0].at, scope)?;
                Some(self.folded(text, true, true, scope))
            }
            "length" | "len" => {
                count(self, 1..=1)?;
                if self.type_of(nodes[0], scope).item().is_some() {
                    return Some(self.op(scope, Op::Call(Function::ListLength), nodes, Type::Int));
                }
                let text = self.text(nodes[0], args[0].at, scope)?;
                Some(self.op(scope, Op::Call(Function::Length), vec![text], Type::Int))
            }
            "concat" => {
                count(self, 1..=100)?;
                let empty = self.constant(scope, Constant::text(""));
                let mut texts = Vec::new();
                for (node, arg) in nodes.iter().zip(args) {
                    let text = self.cast(*node, Type::Text, arg.at, scope)?;
                    texts.push(self.op(scope, Op::Coalesce, vec![text, empty], Type::Text));
                }
                Some(self.op(scope, Op::Call(Function::Concat), texts, Type::Text))
            }
            "date_part" | "datepart" | "date_trunc" | "datetrunc" | "date_diff" | "datediff" | "date_sub" | "datesub" => {
                self.date_function(name, args, &nodes, at, scope)
            }
            _ => self.plain_call(name, args, nodes, at, scope),
        }
    }

    pub(super) fn date_function(&mut self, name: &str, args: &[Expr], nodes: &[NodeId], at: Position, scope: Scope) -> Compiled {
        let wanted = if name.contains("diff") || name.contains("sub") { 3 } else { 2 };
        if nodes.len() != wanted {
            return self.fail(at, format!("{name} takes {wanted} arguments, and {} are given", nodes.len()));
        }
        let part = match self.graph_of(scope).node(nodes[0]).op.clone() {
            Op::Constant(Constant::Text(text)) => DatePart::named(&text),
            _ => None,
        };
        let Some(part) = part else {
            return self
                .fail(args[0].at, "the part of a date is a text: 'year', 'quarter', 'month', 'week', 'day', 'hour', 'minute' or 'second'");
        };
        let mut moments = Vec::new();
        for (node, arg) in nodes[1..].iter().zip(&args[1..]) {
            moments.push(self.moment(*node, arg.at, scope)?);
        }
        let (function, data_type) = match name {
            "date_part" | "datepart" => (Function::DatePart(part), Type::Int),
            "date_trunc" | "datetrunc" => (Function::DateTrunc(part), Type::Timestamp),
            "date_diff" | "datediff" => (Function::DateDiff(part), Type::Int),
            _ => (Function::DateSub(part), Type::Int),
        };
        Some(self.op(scope, Op::Call(function), moments, data_type))
    }

    pub(super) fn plain_call(&mut self, name: &str, args: &[Expr], nodes: Vec<NodeId>, at: Position, scope: Scope) -> Compiled {
        let Some((function, takes, needed)) = functions::signature(name) else {
            let known: Vec<&str> =
                functions::SCALARS.iter().chain(functions::AGGREGATES).chain(aggregate::RANKINGS).copied().chain(["segment"]).collect();
            return self.unknown(at, format!("there is no function '{name}'"), name, &known);
        };
        if !(needed..=takes.len()).contains(&nodes.len()) {
            let wanted = if needed == takes.len() { needed.to_string() } else { format!("{needed} to {}", takes.len()) };
            return self.fail(
                at,
                format!("{name} takes {wanted} argument{}, and {} are given", if wanted == "1" { "" } else { "s" }, nodes.len()),
            );
        }
        let mut children = Vec::new();
        let mut kinds = Vec::new();
        for ((node, takes), arg) in nodes.into_iter().zip(takes).zip(args) {
            let kind = self.type_of(node, scope);
            let child = match (takes, kind) {
                (_, Type::Null) => Some(node),
                (Takes::Text, _) => self.text(node, arg.at, scope),
                (Takes::Int, Type::Int) | (Takes::Number, Type::Int | Type::Float) | (Takes::Float, Type::Float) => Some(node),
                (Takes::Float, Type::Int) => Some(self.convert(node, Type::Float, scope)),
                (Takes::Moment, _) => self.moment(node, arg.at, scope),
                (_, other) => self.fail(arg.at, format!("a number is needed here, and this is {other}")),
            }?;
            children.push(child);
            kinds.push(self.type_of(child, scope));
        }
        let data_type = functions::output(function, &kinds);
        Some(self.op(scope, Op::Call(function), children, data_type))
    }
}
