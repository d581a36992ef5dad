use crm_core::{Error, ErrorKind};

/// One thing that is wrong with a rule, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// What is wrong, without a trailing dot.
    pub message: String,
    /// The nearest valid name, where a name was unknown.
    pub nearest: Option<String>,
}

/// How many problems one message lists; more would not be read.
pub(crate) const LISTED: usize = 50;

/// All problems as one `RuleError`, in the order of their places; line, column and nearest name are the first one's.
pub fn problems_to_error(mut problems: Vec<Problem>) -> Error {
    problems.sort();
    problems.dedup();
    let Some(first) = problems.first().cloned() else { return Error::internal("a rule failed without saying why") };
    let mut lines: Vec<String> = problems.iter().take(LISTED).map(describe).collect();
    if problems.len() > LISTED {
        lines.push(format!("and {} more", problems.len() - LISTED));
    }
    let kind = ErrorKind::Rule { line: u64::from(first.line), column: u64::from(first.column), nearest: first.nearest };
    Error::new(kind, lines.join("\n"))
}

fn describe(problem: &Problem) -> String {
    let nearest = problem.nearest.as_ref().map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
    format!("line {}, column {}: {}{nearest}", problem.line, problem.column, problem.message)
}
