//! What a rules file says, and compiling it.
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crm_core::{Control, Error, Result};
use crm_rules::{Compiler, Expr, Graph, Input, NodeId, Origin, Problem, Program, Schema, parse_sql, parse_tree, problems_to_error};
use serde::Deserialize;

/// A rules file as it crosses from whoever read it: names, texts and where they stood.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The day that `today` means, in days since 1970-01-01.
    pub today: i32,
    /// Named expressions.
    #[serde(default)]
    pub features: Vec<Definition>,
    /// Segments.
    pub segments: Vec<Definition>,
    /// Assignments: for each, the choices in order.
    #[serde(default)]
    pub assign: Vec<Assignment>,
}

/// A name and its rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The name.
    pub name: String,
    /// SQL as a text, or a tree; null for a choice without condition.
    pub rule: serde_json::Value,
    /// Where the rule stands: line, column, and the column of its further lines.
    #[serde(default = "beginning")]
    pub at: (u32, u32, u32),
}

fn beginning() -> (u32, u32, u32) {
    (1, 1, 1)
}

/// Distribution of contacts among choices: the first that fits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The name of the column it fills.
    pub name: String,
    /// The choices; the last may have no condition.
    pub choices: Vec<Definition>,
}

/// Most segments of one file.
const MAX_SEGMENTS: usize = 100_000;

/// A rules file compiled against the tables' schemas.
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) compiler: Compiler,
    pub(crate) graph: Arc<Graph>,
    pub(crate) segments: Vec<String>,
    pub(crate) roots: Vec<NodeId>,
    pub(crate) assignments: Vec<(String, Vec<String>)>,
    /// Segments, then the choices of every assignment.
    pub(crate) program: Program,
}

impl RuleSet {
    /// Reads and compiles; every problem of every rule is in the error.
    pub fn compile(spec: &Spec, schema: Schema, control: &dyn Control) -> Result<Self> {
        if spec.segments.len() > MAX_SEGMENTS {
            return Err(Error::limit(format!("the rules have {} segments, and {MAX_SEGMENTS} is the most", spec.segments.len())));
        }
        let mut problems = Vec::new();
        let features = read_all(&spec.features, "feature", &mut problems, control)?;
        let segments = read_all(&spec.segments, "segment", &mut problems, control)?;
        let mut compiler = Compiler::new(schema, spec.today);

        for name in ordered(&features, &mut problems, "feature", Expr::names) {
            control.check()?;
            if let Some(Some(expr)) = features.get(name)
                && let Some(node) = compiler.value(expr)
            {
                compiler.name_feature(name, node);
            }
        }
        for definition in &spec.segments {
            compiler.name_segment(&definition.name, None);
        }
        let mut compiled: HashMap<&str, NodeId> = HashMap::new();
        for name in ordered(&segments, &mut problems, "segment", Expr::segments) {
            control.check()?;
            if let Some(Some(expr)) = segments.get(name)
                && let Some(node) = compiler.condition(expr)
            {
                compiler.name_segment(name, Some(node));
                compiled.insert(name, node);
            }
        }
        let mut choices = Vec::new();
        for assignment in &spec.assign {
            for (place, choice) in assignment.choices.iter().enumerate() {
                let at = Origin { line: choice.at.0, column: choice.at.1, indent: choice.at.2 };
                let expr = if choice.rule.is_null() { parse_sql("true", at) } else { read(choice) };
                if choice.rule.is_null() && place + 1 < assignment.choices.len() {
                    let message = format!("'{}' takes everybody, so the choices after it can never be reached", choice.name);
                    problems.push(Problem { line: at.line, column: at.column, message, nearest: None });
                }
                match expr {
                    Ok(expr) => choices.extend(compiler.condition(&expr)),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        problems.extend(compiler.take_problems());
        if !problems.is_empty() {
            return Err(problems_to_error(problems));
        }
        let names: Vec<String> = spec.segments.iter().map(|definition| definition.name.clone()).collect();
        let roots = names.iter().filter_map(|name| compiled.get(name.as_str()).copied()).collect::<Vec<_>>();
        let conditions: Vec<NodeId> = roots.iter().copied().chain(choices).collect();
        let graph = Arc::new(compiler.graph().clone());
        let program = Program::new(Arc::clone(&graph), &conditions, &[]);
        let assignments = spec
            .assign
            .iter()
            .map(|group| (group.name.clone(), group.choices.iter().map(|choice| choice.name.clone()).collect()))
            .collect();
        Ok(Self { compiler, graph, segments: names, roots, assignments, program })
    }

    /// The segments' names, in the file's order.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// The assignments: their names and those of their choices.
    pub fn assignments(&self) -> &[(String, Vec<String>)] {
        &self.assignments
    }

    /// The columns of contacts that the rules read.
    pub fn contact_columns(&self) -> Vec<String> {
        columns(&self.graph)
    }

    /// The columns of a related table that the rules read, the one that refers to the contact included; empty where no rule asks.
    pub fn table_columns(&self, table: usize) -> Vec<String> {
        if !self.compiler.features().iter().any(|feature| feature.table == table) {
            return Vec::new();
        }
        let mut names: BTreeSet<String> = columns(&self.compiler.tables()[table].graph).into_iter().collect();
        names.insert(self.compiler.schema().tables[table].contact.clone());
        names.into_iter().collect()
    }

    /// Whether contacts must be known by row before they are evaluated.
    pub fn needs_index(&self) -> bool {
        !self.compiler.features().is_empty() || !self.compiler.rankings().is_empty()
    }

    /// How often the contacts must be seen for rankings.
    pub fn rankings(&self) -> usize {
        self.compiler.rankings().len()
    }
}

fn columns(graph: &Graph) -> Vec<String> {
    let columns = graph.inputs().iter().filter_map(|(input, _)| if let Input::Column(name) = input { Some(name.clone()) } else { None });
    columns.collect::<BTreeSet<_>>().into_iter().collect()
}

fn read(definition: &Definition) -> std::result::Result<Expr, Problem> {
    let (line, column, indent) = definition.at;
    let origin = Origin { line, column, indent };
    match &definition.rule {
        serde_json::Value::String(text) => parse_sql(text, origin),
        tree => parse_tree(tree, origin),
    }
}

/// Reads definitions by name; `None` where one cannot be read, which is then among the problems.
fn read_all<'a>(
    definitions: &'a [Definition],
    what: &str,
    problems: &mut Vec<Problem>,
    control: &dyn Control,
) -> Result<HashMap<&'a str, Option<Expr>>> {
    let mut found = HashMap::new();
    for definition in definitions {
        control.check()?;
        let expr = match read(definition) {
            Ok(expr) => Some(expr),
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        if found.insert(definition.name.as_str(), expr).is_some() {
            let message = format!("the {what} '{}' is defined twice", definition.name);
            problems.push(Problem { line: definition.at.0, column: definition.at.1, message, nearest: None });
        }
    }
    Ok(found)
}

/// The names, each after those it refers to. Cycles are reported, and what is on them is left out.
fn ordered<'a>(
    definitions: &HashMap<&'a str, Option<Expr>>,
    problems: &mut Vec<Problem>,
    what: &str,
    references: impl for<'e> Fn(&'e Expr) -> Vec<(&'e str, crm_rules::Position)>,
) -> Vec<&'a str> {
    let mut names: Vec<&'a str> = definitions.keys().copied().collect();
    names.sort_unstable();
    // Kahn's algorithm: no recursion, so a chain may be as long as it likes.
    let mut users: HashMap<&str, Vec<&'a str>> = HashMap::new();
    let mut open: HashMap<&'a str, usize> = HashMap::new();
    for name in &names {
        let wanted: BTreeSet<&str> = match &definitions[name] {
            Some(expr) => {
                references(expr).into_iter().map(|(wanted, _)| wanted).filter(|wanted| definitions.contains_key(wanted)).collect()
            }
            None => BTreeSet::new(),
        };
        open.insert(name, wanted.len());
        for wanted in wanted {
            if let Some((&key, _)) = definitions.get_key_value(wanted) {
                users.entry(key).or_default().push(name);
            }
        }
    }
    let mut ready: Vec<&'a str> = names.iter().copied().filter(|name| open[name] == 0).collect();
    let mut order = Vec::with_capacity(names.len());
    let mut at = 0;
    while at < ready.len() {
        let name = ready[at];
        at += 1;
        order.push(name);
        for user in users.get(name).into_iter().flatten() {
            if let Some(left) = open.get_mut(user) {
                *left -= 1;
                if *left == 0 {
                    ready.push(user);
                }
            }
        }
    }
    for name in names.iter().filter(|name| open[*name] > 0) {
        let Some(Some(expr)) = definitions.get(name) else { continue };
        let Some((through, position)) = references(expr).into_iter().find(|(wanted, _)| open.get(wanted).is_some_and(|left| *left > 0))
        else {
            continue;
        };
        let message = format!(
            "the {what} '{name}' refers to itself{}",
            if through == *name { String::new() } else { format!(" through '{through}'") }
        );
        problems.push(Problem { line: position.line, column: position.column, message, nearest: None });
    }
    order
}
