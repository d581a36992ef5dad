//! The rule form to typed, interned nodes: names, types, aggregates.
use std::collections::HashMap;

use crm_core::nearest_name;

use crate::calendar::{parse_date, parse_timestamp};
use crate::constant::Constant;
use crate::expr::{Arithmetic, Comparison, Expr, Kind, Over, Position};
use crate::functions::{self, DatePart, Function, Takes};
use crate::graph::{Graph, Input, MAX_NODE_DEPTH, NodeId, Op};
use crate::kernels::{text_to_float, text_to_int};
use crate::parse::problem;
use crate::pattern::Pattern;
use crate::problem::{LISTED, Problem};
use crate::schema::{Schema, TableSchema, Type, find_column};

mod aggregate;

pub use aggregate::{Aggregate, Feature, Period, PeriodSums, Ranking, RankingKind, TableGraph};

/// Compiles rules against one schema and one day, all into one graph.
///
/// Problems are collected, so that a user sees all of them at once.
#[derive(Debug)]
pub struct Compiler {
    schema: Schema,
    today: i32,
    graph: Graph,
    tables: Vec<TableGraph>,
    features: Vec<Feature>,
    /// The number of each feature, by what it computes.
    feature_numbers: HashMap<FeatureKey, usize>,
    rankings: Vec<Ranking>,
    named: HashMap<String, NodeId>,
    segments: HashMap<String, Option<NodeId>>,
    problems: Vec<Problem>,
}

/// Where names are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Contacts,
    Table(usize),
}

type Compiled = Option<NodeId>;

/// What makes two features one: table, aggregate, argument, filter and time.
type FeatureKey = (usize, Aggregate, Option<NodeId>, Option<NodeId>, Option<NodeId>);

impl Compiler {
    /// A compiler for rules over this schema, as of `today` (days since 1970-01-01).
    pub fn new(schema: Schema, today: i32) -> Self {
        let tables = schema.tables.iter().map(|_| TableGraph::default()).collect();
        Self {
            schema,
            today,
            graph: Graph::default(),
            tables,
            features: Vec::new(),
            feature_numbers: HashMap::new(),
            rankings: Vec::new(),
            named: HashMap::new(),
            segments: HashMap::new(),
            problems: Vec::new(),
        }
    }

    /// The graph over contacts.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The graphs over related tables, in the schema's order.
    pub fn tables(&self) -> &[TableGraph] {
        &self.tables
    }

    /// The features found so far; feature `n` is input `Input::Feature(n)` of the graph over contacts.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// The rankings found so far; each may depend on earlier ones.
    pub fn rankings(&self) -> &[Ranking] {
        &self.rankings
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What is wrong so far; empties the list.
    pub fn take_problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// Adds a problem that the caller found.
    pub fn add_problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Makes a compiled expression usable by name.
    pub fn name_feature(&mut self, name: &str, node: NodeId) {
        self.named.insert(name.to_owned(), node);
    }

    /// Makes a segment usable by `segment('name')`; `None` where it is declared but could not be compiled.
    pub fn name_segment(&mut self, name: &str, node: Option<NodeId>) {
        self.segments.insert(name.to_owned(), node);
    }

    /// Compiles a condition over contacts; on `None`, the problems say why.
    pub fn condition(&mut self, expr: &Expr) -> Option<NodeId> {
        let node = self.expr(expr, Scope::Contacts)?;
        self.boolean(node, expr, Scope::Contacts)
    }

    /// Compiles an expression of any type over contacts.
    pub fn value(&mut self, expr: &Expr) -> Option<NodeId> {
        self.expr(expr, Scope::Contacts)
    }

    fn graph_of(&mut self, scope: Scope) -> &mut Graph {
        match scope {
            Scope::Contacts => &mut self.graph,
            Scope::Table(table) => &mut self.tables[table].graph,
        }
    }

    fn type_of(&mut self, node: NodeId, scope: Scope) -> Type {
        self.graph_of(scope).data_type(node)
    }

    fn op(&mut self, scope: Scope, op: Op, children: Vec<NodeId>, data_type: Type) -> NodeId {
        self.graph_of(scope).op(op, children, data_type)
    }

    fn constant(&mut self, scope: Scope, constant: Constant) -> NodeId {
        self.graph_of(scope).constant(constant)
    }

    fn fail<T>(&mut self, at: Position, message: impl Into<String>) -> Option<T> {
        self.problems.push(problem(at, message));
        None
    }

    fn unknown<T>(&mut self, at: Position, message: String, name: &str, known: &[&str]) -> Option<T> {
        // Looking through all names takes its time, and further problems are counted but not listed.
        let listed = self.problems.len() < LISTED;
        let nearest = if listed { nearest_name(name, known.iter().copied()).map(str::to_owned) } else { None };
        self.problems.push(Problem { nearest, ..problem(at, message) });
        None
    }

    fn expr(&mut self, expr: &Expr, scope: Scope) -> Compiled {
        let node = self.kind(expr, scope)?;
        if self.graph_of(scope).depths[node.index()] > MAX_NODE_DEPTH {
            return self.fail(expr.at, format!("the rule is more than {MAX_NODE_DEPTH} levels deep, through features and segments"));
        }
        Some(node)
    }

    fn kind(&mut self, expr: &Expr, scope: Scope) -> Compiled {
        let at = expr.at;
        match &expr.kind {
            Kind::Literal(constant) => Some(self.constant(scope, constant.clone())),
            Kind::Name { table, name } => self.name(table.as_deref(), name, at, scope),
            Kind::Not(item) => {
                let item = self.test(item, scope)?;
                Some(self.op(scope, Op::Not, vec![item], Type::Bool))
            }
            Kind::And(items) => self.connective(Op::And, items, scope),
            Kind::Or(items) => self.connective(Op::Or, items, scope),
            Kind::Negate(item) => {
                let node = self.expr(item, scope)?;
                match self.type_of(node, scope) {
                    kind if kind.is_number() => Some(self.op(scope, Op::Negate, vec![node], kind)),
                    Type::Null => Some(node),
                    other => self.fail(item.at, format!("'-' needs a number, and this is {other}")),
                }
            }
            Kind::Compare(comparison, left, right) => {
                let (left, right, case, accents) = self.collated_pair(left, right, scope)?;
                let (left, right) = (self.folded(left, case, accents, scope), self.folded(right, case, accents, scope));
                let (left, right) = self.unify(left, right, at, scope)?;
                Some(self.compare(*comparison, left, right, scope))
            }
            Kind::Distinct { left, right, negated } => {
                let (left, right, case, accents) = self.collated_pair(left, right, scope)?;
                let (left, right) = (self.folded(left, case, accents, scope), self.folded(right, case, accents, scope));
                let (left, right) = self.unify(left, right, at, scope)?;
                let same = self.op(scope, Op::NotDistinct, vec![left.min(right), left.max(right)], Type::Bool);
                Some(if *negated { same } else { self.op(scope, Op::Not, vec![same], Type::Bool) })
            }
            Kind::Arithmetic(operator, left, right) => self.arithmetic(*operator, left, right, at, scope),
            Kind::Concat(left, right) => {
                let (left_node, right_node) = (self.expr(left, scope), self.expr(right, scope));
                let left = self.text(left_node?, left.at, scope)?;
                let right = self.text(right_node?, right.at, scope)?;
                Some(self.op(scope, Op::Call(Function::Concat), vec![left, right], Type::Text))
            }
            Kind::In { item, list, negated } => {
                let node = self.in_list(item, list, scope)?;
                Some(self.negated(node, *negated, scope))
            }
            Kind::Between { item, low, high, negated } => {
                let (case, accents) = collation(item);
                let (node, low_node, high_node) = (self.expr(item, scope), self.expr(low, scope), self.expr(high, scope));
                let [node, low_node, high_node] = [node?, low_node?, high_node?].map(|node| self.folded(node, case, accents, scope));
                let (a, low_node) = self.unify(node, low_node, low.at, scope)?;
                let (b, high_node) = self.unify(node, high_node, high.at, scope)?;
                let above = self.compare(Comparison::GreaterOrEqual, a, low_node, scope);
                let below = self.compare(Comparison::LessOrEqual, b, high_node, scope);
                let both = self.op(scope, Op::And, vec![above, below], Type::Bool);
                Some(self.negated(both, *negated, scope))
            }
            Kind::Like { item, pattern, escape, insensitive, negated } => {
                let (case, accents) = collation(item);
                let node = self.expr(item, scope)?;
                let node = self.text(node, item.at, scope)?;
                let mut text = match &pattern.kind {
                    Kind::Literal(Constant::Text(text)) => text.to_string(),
                    Kind::Literal(Constant::Null) => return Some(self.constant(scope, Constant::Null)),
                    _ => return self.fail(pattern.at, "the pattern of like is a constant text"),
                };
                if accents {
                    text = crate::fold::strip_accents(&text).into_owned();
                }
                let node = self.folded(node, false, accents, scope);
                match Pattern::like(&text, *escape, *insensitive || case) {
                    Ok(pattern) => {
                        let matched = self.matches(node, pattern, at, scope)?;
                        Some(self.negated(matched, *negated, scope))
                    }
                    Err(message) => self.fail(pattern.at, message),
                }
            }
            Kind::IsNull { item, negated } => {
                let node = self.expr(item, scope)?;
                let null = self.op(scope, Op::IsNull, vec![node], Type::Bool);
                Some(self.negated(null, *negated, scope))
            }
            Kind::Is { item, truth, negated } => {
                let node = self.test(item, scope)?;
                let node = match truth {
                    None => self.op(scope, Op::IsNull, vec![node], Type::Bool),
                    Some(true) => self.op(scope, Op::IsTrue, vec![node], Type::Bool),
                    Some(false) => {
                        let not = self.op(scope, Op::Not, vec![node], Type::Bool);
                        self.op(scope, Op::IsTrue, vec![not], Type::Bool)
                    }
                };
                Some(self.negated(node, *negated, scope))
            }
            Kind::Case { operand, branches, otherwise } => self.case(operand.as_deref(), branches, otherwise.as_deref(), at, scope),
            Kind::Cast { item, to } => {
                let node = self.expr(item, scope)?;
                self.cast(node, *to, item.at, scope)
            }
            Kind::Collate { item, .. } => {
                // A collation speaks to the comparison around it; by itself it changes nothing.
                let node = self.expr(item, scope)?;
                self.text(node, item.at, scope)
            }
            Kind::Call { name, distinct, args, filter, over } => {
                self.call(name, *distinct, args, filter.as_deref(), over.as_deref(), at, scope)
            }
            Kind::Any { item, comparison, list } => {
                let (node, list_node) = (self.expr(item, scope), self.expr(list, scope));
                self.any(node?, *comparison, list_node?, true, item.at, list.at, scope)
            }
            Kind::Segment(name) => self.segment(name, at, scope),
        }
    }

    fn negated(&mut self, node: NodeId, negated: bool, scope: Scope) -> NodeId {
        if negated { self.op(scope, Op::Not, vec![node], Type::Bool) } else { node }
    }

    fn segment(&mut self, name: &str, at: Position, scope: Scope) -> Compiled {
        if scope != Scope::Contacts {
            return self.fail(at, "segment(...) is about a contact; it does not stand inside an aggregate");
        }
        match self.segments.get(name) {
            Some(Some(node)) => {
                let node = *node;
                Some(self.op(scope, Op::IsTrue, vec![node], Type::Bool))
            }
            // Its own problems are reported where it is defined.
            Some(None) => None,
            None => {
                let names: Vec<String> = if self.problems.len() < LISTED { self.segments.keys().cloned().collect() } else { Vec::new() };
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                self.unknown(at, format!("there is no segment '{name}'"), name, &names)
            }
        }
    }

    fn name(&mut self, table: Option<&str>, name: &str, at: Position, scope: Scope) -> Compiled {
        match scope {
            Scope::Contacts => self.contact_name(table, name, at),
            Scope::Table(number) => {
                let schema = &self.schema.tables[number];
                if let Some(table) = table
                    && !table.eq_ignore_ascii_case(&schema.name)
                {
                    let message =
                        format!("inside an aggregate over '{}' only its own columns can be named, and '{table}' is not it", schema.name);
                    return self.fail(at, message);
                }
                if let Some(found) = find_column(&schema.columns, name) {
                    let (column, data_type) = schema.columns[found].clone();
                    return Some(self.graph_of(scope).input(Input::Column(column), data_type));
                }
                if is_today(name) && table.is_none() {
                    return Some(self.constant(scope, Constant::Date(self.today)));
                }
                let message = format!("the table '{}' has no column '{name}'", schema.name);
                let names: Vec<String> = schema.columns.iter().map(|(name, _)| name.clone()).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                self.unknown(at, message, name, &names)
            }
        }
    }

    fn contact_name(&mut self, table: Option<&str>, name: &str, at: Position) -> Compiled {
        if let Some(table) = table.filter(|table| !table.eq_ignore_ascii_case("contacts")) {
            if let Some(related) = self.table_named(table) {
                let related = self.schema.tables[related].name.clone();
                return self
                    .fail(at, format!("'{related}.{name}' has many values per contact; aggregate it, for example max({related}.{name})"));
            }
            let names: Vec<String> = self.schema.tables.iter().map(|table| table.name.clone()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            return self.unknown(at, format!("there is no related table '{table}'"), table, &names);
        }
        // A feature is the rules' own word, so it goes before a column of the same name.
        if let Some(&node) = self.named.get(name).filter(|_| table.is_none()) {
            return Some(node);
        }
        if let Some(found) = find_column(&self.schema.columns, name) {
            let (column, data_type) = self.schema.columns[found].clone();
            return Some(self.graph.input(Input::Column(column), data_type));
        }
        if is_today(name) && table.is_none() {
            return Some(self.constant(Scope::Contacts, Constant::Date(self.today)));
        }
        if self.problems.len() >= LISTED {
            return self.unknown(at, format!("there is no column or feature '{name}'"), name, &[]);
        }
        let names: Vec<String> = self.schema.columns.iter().map(|(name, _)| name.clone()).chain(self.named.keys().cloned()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.unknown(at, format!("there is no column or feature '{name}'"), name, &names)
    }

    fn table_named(&self, name: &str) -> Option<usize> {
        self.schema
            .tables
            .iter()
            .position(|table| table.name == name)
            .or_else(|| self.schema.tables.iter().position(|table| table.name.eq_ignore_ascii_case(name)))
    }

    fn table_schema(&self, table: usize) -> &TableSchema {
        &self.schema.tables[table]
    }

    fn connective(&mut self, op: Op, items: &[Expr], scope: Scope) -> Compiled {
        let nodes: Vec<Compiled> = items.iter().map(|item| self.test(item, scope)).collect();
        let nodes = nodes.into_iter().collect::<Option<Vec<_>>>()?;
        Some(self.op(scope, op, nodes, Type::Bool))
    }

    /// A condition within a condition.
    fn test(&mut self, expr: &Expr, scope: Scope) -> Compiled {
        let node = self.expr(expr, scope)?;
        self.boolean(node, expr, scope)
    }

    fn boolean(&mut self, node: NodeId, expr: &Expr, scope: Scope) -> Compiled {
        match self.type_of(node, scope) {
            Type::Bool => Some(node),
            Type::Null => {
                let value = self.constant(scope, Constant::Null);
                Some(self.op(scope, Op::Cast { from: Type::Null, to: Type::Bool }, vec![value], Type::Bool))
            }
            other => self.fail(expr.at, format!("a condition is needed here, and '{}' is {other}", shorten(&expr.to_sql()))),
        }
    }

    fn collated_pair(&mut self, left: &Expr, right: &Expr, scope: Scope) -> Option<(NodeId, NodeId, bool, bool)> {
        let (left_node, right_node) = (self.expr(left, scope), self.expr(right, scope));
        let ((case_a, accents_a), (case_b, accents_b)) = (collation(left), collation(right));
        Some((left_node?, right_node?, case_a || case_b, accents_a || accents_b))
    }

    /// The text as its collation sees it.
    fn folded(&mut self, node: NodeId, case: bool, accents: bool, scope: Scope) -> NodeId {
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

    fn compare(&mut self, comparison: Comparison, left: NodeId, right: NodeId, scope: Scope) -> NodeId {
        // The constant goes to the right, so that `5 < x` and `x > 5` are one node.
        let constant_left = matches!(self.graph_of(scope).node(left).op, Op::Constant(_));
        let swap = constant_left
            || (matches!(comparison, Comparison::Equal | Comparison::NotEqual)
                && left > right
                && !matches!(self.graph_of(scope).node(right).op, Op::Constant(_)));
        let (comparison, left, right) = if swap { (comparison.mirrored(), right, left) } else { (comparison, left, right) };
        self.op(scope, Op::Compare(comparison), vec![left, right], Type::Bool)
    }

    /// Brings two values to one type in which they can be compared.
    fn unify(&mut self, left: NodeId, right: NodeId, at: Position, scope: Scope) -> Option<(NodeId, NodeId)> {
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

    fn is_text_constant(&mut self, node: NodeId, scope: Scope) -> bool {
        matches!(self.graph_of(scope).node(node).op, Op::Constant(Constant::Text(_)))
    }

    /// A text constant read as the type it is compared with.
    fn read_constant(&mut self, node: NodeId, to: Type, at: Position, scope: Scope) -> Compiled {
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

    fn convert(&mut self, node: NodeId, to: Type, scope: Scope) -> NodeId {
        let from = self.type_of(node, scope);
        if from == to || from == Type::Null { node } else { self.op(scope, Op::Cast { from, to }, vec![node], to) }
    }

    fn cast(&mut self, node: NodeId, to: Type, at: Position, scope: Scope) -> Compiled {
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

    fn text(&mut self, node: NodeId, at: Position, scope: Scope) -> Compiled {
        match self.type_of(node, scope) {
            Type::Text | Type::Null => Some(node),
            other => self.fail(at, format!("a text is needed here, and this is {other}; write cast(... as varchar)")),
        }
    }

    fn matches(&mut self, node: NodeId, pattern: Pattern, at: Position, scope: Scope) -> Compiled {
        match pattern.matcher() {
            Ok(matcher) => {
                let id = self.op(scope, Op::Match(pattern), vec![node], Type::Bool);
                self.graph_of(scope).matchers.entry(id).or_insert(matcher);
                Some(id)
            }
            Err(message) => self.fail(at, message),
        }
    }

    fn in_list(&mut self, item: &Expr, list: &[Expr], scope: Scope) -> Compiled {
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

    fn case(
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

    /// Brings several values to one type.
    fn common_type(&mut self, values: Vec<(NodeId, Position)>, scope: Scope) -> Option<(Vec<NodeId>, Type)> {
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

    #[allow(clippy::too_many_arguments)] // Two operands with their places, and how they are compared.
    fn any(
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

    fn arithmetic(&mut self, operator: Arithmetic, left: &Expr, right: &Expr, at: Position, scope: Scope) -> Compiled {
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

    fn moved(&mut self, moment: NodeId, interval: NodeId, subtract: bool, at: Position, scope: Scope) -> Compiled {
        let Op::Constant(Constant::Interval(interval)) = self.graph_of(scope).node(interval).op.clone() else {
            return self.fail(at, "only a constant interval can be added to or taken from a date");
        };
        let Some(interval) = (if subtract { interval.negated() } else { Some(interval) }) else {
            return self.fail(at, "the interval is too long");
        };
        let moment = self.convert(moment, Type::Timestamp, scope);
        Some(self.op(scope, Op::AddInterval(interval), vec![moment], Type::Timestamp))
    }

    #[allow(clippy::too_many_arguments)] // A call has these parts.
    fn call(
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

    fn date_function(&mut self, name: &str, args: &[Expr], nodes: &[NodeId], at: Position, scope: Scope) -> Compiled {
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

    fn moment(&mut self, node: NodeId, at: Position, scope: Scope) -> Compiled {
        match self.type_of(node, scope) {
            Type::Timestamp | Type::Null => Some(node),
            Type::Date => Some(self.convert(node, Type::Timestamp, scope)),
            Type::Text if self.is_text_constant(node, scope) => self.read_constant(node, Type::Timestamp, at, scope),
            other => self.fail(at, format!("a date or timestamp is needed here, and this is {other}")),
        }
    }

    fn plain_call(&mut self, name: &str, args: &[Expr], nodes: Vec<NodeId>, at: Position, scope: Scope) -> Compiled {
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

fn is_today(name: &str) -> bool {
    name.eq_ignore_ascii_case("today") || name.eq_ignore_ascii_case("current_date")
}

fn collation(expr: &Expr) -> (bool, bool) {
    match &expr.kind {
        Kind::Collate { item, case, accents } => {
            let (inner_case, inner_accents) = collation(item);
            (*case || inner_case, *accents || inner_accents)
        }
        _ => (false, false),
    }
}

/// A constant of a list in the type of its set.
fn align(constant: Constant, kind: Type) -> Constant {
    match (constant, kind) {
        (Constant::Int(value), Type::Float) => Constant::float(value as f64),
        (Constant::Date(days), Type::Timestamp) => Constant::Timestamp(i64::from(days) * crate::calendar::DAY_MICROS),
        (constant, _) => constant,
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() > 60 { text.chars().take(57).chain("...".chars()).collect() } else { text.to_owned() }
}
