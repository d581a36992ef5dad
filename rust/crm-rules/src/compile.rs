//! The rule form to typed, interned nodes: names, types, aggregates.
use std::collections::HashMap;

use crm_core::nearest_name;

use crate::constant::Constant;
use crate::expr::{Comparison, Expr, Kind, Position};
use crate::functions::Function;
use crate::graph::{Graph, Input, MAX_NODE_DEPTH, NodeId, Op};
use crate::parse::problem;
use crate::pattern::Pattern;
use crate::problem::{LISTED, Problem};
use crate::schema::{Schema, TableSchema, Type, find_column};

mod aggregate;
mod calls;
mod operators;
mod types;

use self::operators::collation;

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
}

fn is_today(name: &str) -> bool {
    name.eq_ignore_ascii_case("today") || name.eq_ignore_ascii_case("current_date")
}

fn shorten(text: &str) -> String {
    if text.chars().count() > 60 { text.chars().take(57).chain("...".chars()).collect() } else { text.to_owned() }
}
