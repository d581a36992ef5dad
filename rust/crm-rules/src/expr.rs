use crate::constant::Constant;
use crate::schema::Type;

/// A place in a rule's source, both numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column, in characters.
    pub column: u32,
}

/// The one rule form: what SQL text, trees and `crm.field(...)` all become.
#[derive(Debug, Clone)]
pub struct Expr {
    pub(crate) kind: Kind,
    pub(crate) at: Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// The comparison that holds when the sides change places.
    pub(crate) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    pub(crate) fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    DivideWhole,
    Modulo,
}

impl Arithmetic {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::DivideWhole => "//",
            Self::Modulo => "%",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Literal(Constant),
    Name {
        table: Option<String>,
        name: String,
    },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    Distinct {
        left: Box<Expr>,
        right: Box<Expr>,
        negated: bool,
    },
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    Concat(Box<Expr>, Box<Expr>),
    In {
        item: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    Between {
        item: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    Like {
        item: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<char>,
        insensitive: bool,
        negated: bool,
    },
    IsNull {
        item: Box<Expr>,
        negated: bool,
    },
    /// `is true`, `is false`, and with `None` `is unknown`.
    Is {
        item: Box<Expr>,
        truth: Option<bool>,
        negated: bool,
    },
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast {
        item: Box<Expr>,
        to: Type,
    },
    Collate {
        item: Box<Expr>,
        case: bool,
        accents: bool,
    },
    Call {
        name: String,
        distinct: bool,
        args: Vec<Expr>,
        filter: Option<Box<Expr>>,
        over: Option<Box<Over>>,
    },
    /// `left = any(list)`.
    Any {
        item: Box<Expr>,
        comparison: Comparison,
        list: Box<Expr>,
    },
    Segment(String),
}

/// `over (order by key [desc])`.
#[derive(Debug, Clone)]
pub(crate) struct Over {
    pub(crate) key: Expr,
    pub(crate) descending: bool,
}

impl Expr {
    pub(crate) fn new(kind: Kind, at: Position) -> Self {
        Self { kind, at }
    }

    /// Where it starts.
    pub fn position(&self) -> Position {
        self.at
    }

    /// The expressions directly below.
    pub(crate) fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            Kind::Literal(_) | Kind::Name { .. } | Kind::Segment(_) => Vec::new(),
            Kind::Not(item) | Kind::Negate(item) => vec![item],
            Kind::And(items) | Kind::Or(items) => items.iter().collect(),
            Kind::Compare(_, left, right)
            | Kind::Distinct { left, right, .. }
            | Kind::Arithmetic(_, left, right)
            | Kind::Concat(left, right) => vec![left, right],
            Kind::In { item, list, .. } => std::iter::once(item.as_ref()).chain(list).collect(),
            Kind::Between { item, low, high, .. } => vec![item, low, high],
            Kind::Like { item, pattern, .. } => vec![item, pattern],
            Kind::IsNull { item, .. } | Kind::Is { item, .. } | Kind::Cast { item, .. } | Kind::Collate { item, .. } => vec![item],
            Kind::Case { operand, branches, otherwise } => operand
                .iter()
                .map(AsRef::as_ref)
                .chain(branches.iter().flat_map(|(when, then)| [when, then]))
                .chain(otherwise.iter().map(AsRef::as_ref))
                .collect(),
            Kind::Call { args, filter, over, .. } => {
                args.iter().chain(filter.iter().map(AsRef::as_ref)).chain(over.iter().map(|over| &over.key)).collect()
            }
            Kind::Any { item, list, .. } => vec![item, list],
        }
    }

    /// The segments it refers to, with the place of each reference.
    pub fn segments(&self) -> Vec<(&str, Position)> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(expr) = open.pop() {
            if let Kind::Segment(name) = &expr.kind {
                found.push((name.as_str(), expr.at));
            }
            open.extend(expr.children());
        }
        found
    }

    /// The unqualified names it uses, which may be features.
    pub fn names(&self) -> Vec<(&str, Position)> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(expr) = open.pop() {
            if let Kind::Name { table: None, name } = &expr.kind {
                found.push((name.as_str(), expr.at));
            }
            // Inside an aggregate, names are the related table's columns.
            if !matches!(&expr.kind, Kind::Call { name, .. } if crate::functions::AGGREGATES.contains(&name.as_str())) {
                open.extend(expr.children());
            }
        }
        found
    }
}
