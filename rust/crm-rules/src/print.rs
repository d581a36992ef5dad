//! The rule form as SQL.
use std::fmt::{self, Write};

use crate::expr::{Expr, Kind};

impl Expr {
    /// The rule as SQL; reading it again gives the same rule.
    pub fn to_sql(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_expr(f, self, 0)
    }
}

/// How tightly a form binds; what binds less than its surroundings stands in parentheses.
fn binding(kind: &Kind) -> u8 {
    match kind {
        Kind::Or(items) | Kind::And(items) if items.len() < 2 => 0,
        Kind::Or(_) => 1,
        Kind::And(_) => 2,
        Kind::Not(_) => 3,
        Kind::Compare(..)
        | Kind::Distinct { .. }
        | Kind::In { .. }
        | Kind::Between { .. }
        | Kind::Like { .. }
        | Kind::IsNull { .. }
        | Kind::Is { .. }
        | Kind::Any { .. } => 4,
        Kind::Concat(..) | Kind::Arithmetic(..) | Kind::Negate(_) | Kind::Collate { .. } => 5,
        _ => 9,
    }
}

fn write_expr(f: &mut fmt::Formatter<'_>, expr: &Expr, outer: u8) -> fmt::Result {
    if let Kind::And(items) | Kind::Or(items) = &expr.kind
        && let [one] = items.as_slice()
    {
        return write_expr(f, one, outer);
    }
    let own = binding(&expr.kind);
    // Operators of one level are not mixed without parentheses: nobody should have to know which binds first.
    let parenthesised = own < outer || (own == outer && (4..9).contains(&own));
    if parenthesised {
        f.write_char('(')?;
    }
    write_kind(f, &expr.kind, own)?;
    if parenthesised {
        f.write_char(')')?;
    }
    Ok(())
}

fn write_kind(f: &mut fmt::Formatter<'_>, kind: &Kind, own: u8) -> fmt::Result {
    let not = |negated: bool| if negated { "not " } else { "" };
    match kind {
        Kind::Literal(constant) => write!(f, "{constant}"),
        Kind::Name { table: None, name } => f.write_str(&quoted(name)),
        Kind::Name { table: Some(table), name } => write!(f, "{}.{}", quoted(table), quoted(name)),
        Kind::Not(item) => {
            f.write_str("not ")?;
            write_expr(f, item, own)
        }
        Kind::Negate(item) => {
            // Two signs beside each other would begin a comment.
            let signed = match &item.kind {
                Kind::Negate(_) => true,
                Kind::Literal(constant) => constant.to_string().starts_with('-'),
                _ => false,
            };
            f.write_str(if signed { "-(" } else { "-" })?;
            write_expr(f, item, if signed { 0 } else { 9 })?;
            f.write_str(if signed { ")" } else { "" })
        }
        Kind::And(items) => write_list(f, items, " and ", "true", 3),
        Kind::Or(items) => write_list(f, items, " or ", "false", 2),
        Kind::Compare(comparison, left, right) => write_pair(f, left, comparison.symbol(), right, own),
        Kind::Arithmetic(operator, left, right) => write_pair(f, left, operator.symbol(), right, own),
        Kind::Concat(left, right) => write_pair(f, left, "||", right, own),
        Kind::Distinct { left, right, negated } => {
            write_pair(f, left, if *negated { "is not distinct from" } else { "is distinct from" }, right, own)
        }
        // SQL has no empty list; nothing is in it.
        Kind::In { list, negated, .. } if list.is_empty() => f.write_str(if *negated { "true" } else { "false" }),
        Kind::In { item, list, negated } => {
            write_expr(f, item, own)?;
            write!(f, " {}in (", not(*negated))?;
            write_list(f, list, ", ", "", 0)?;
            f.write_char(')')
        }
        Kind::Between { item, low, high, negated } => {
            write_expr(f, item, own)?;
            write!(f, " {}between ", not(*negated))?;
            write_expr(f, low, own)?;
            f.write_str(" and ")?;
            write_expr(f, high, own)
        }
        Kind::Like { item, pattern, escape, insensitive, negated } => {
            write_expr(f, item, own)?;
            write!(f, " {}{} ", not(*negated), if *insensitive { "ilike" } else { "like" })?;
            write_expr(f, pattern, own)?;
            match escape {
                Some(escape) => write!(f, " escape '{}'", if *escape == '\'' { "''".to_owned() } else { escape.to_string() }),
                None => Ok(()),
            }
        }
        Kind::IsNull { item, negated } => {
            write_expr(f, item, own)?;
            write!(f, " is {}null", not(*negated))
        }
        Kind::Is { item, truth, negated } => {
            write_expr(f, item, own)?;
            write!(f, " is {}{}", not(*negated), truth.map_or("unknown", |truth| if truth { "true" } else { "false" }))
        }
        Kind::Case { operand, branches, otherwise } => {
            f.write_str("case")?;
            if let Some(operand) = operand {
                f.write_char(' ')?;
                write_expr(f, operand, 0)?;
            }
            for (when, then) in branches {
                write!(f, " when {when} then {then}")?;
            }
            if let Some(otherwise) = otherwise {
                write!(f, " else {otherwise}")?;
            }
            f.write_str(" end")
        }
        Kind::Cast { item, to } => write!(f, "cast({item} as {to})"),
        Kind::Collate { item, case, accents } => {
            write_expr(f, item, 9)?;
            f.write_str(match (case, accents) {
                (true, true) => " collate nocase.noaccent",
                (true, false) => " collate nocase",
                _ => " collate noaccent",
            })
        }
        Kind::Call { name, distinct, args, filter, over } => {
            write!(f, "{name}({}", if *distinct { "distinct " } else { "" })?;
            write_list(f, args, ", ", "", 0)?;
            f.write_char(')')?;
            if let Some(filter) = filter {
                write!(f, " filter (where {filter})")?;
            }
            if let Some(over) = over {
                write!(f, " over (order by {}{})", over.key, if over.descending { " desc" } else { "" })?;
            }
            Ok(())
        }
        Kind::Any { item, comparison, list } => {
            write_expr(f, item, own)?;
            write!(f, " {} any({list})", comparison.symbol())
        }
        Kind::Segment(name) => write!(f, "segment('{}')", name.replace('\'', "''")),
    }
}

fn write_pair(f: &mut fmt::Formatter<'_>, left: &Expr, symbol: &str, right: &Expr, own: u8) -> fmt::Result {
    write_expr(f, left, own)?;
    write!(f, " {symbol} ")?;
    write_expr(f, right, own)
}

fn write_list(f: &mut fmt::Formatter<'_>, items: &[Expr], separator: &str, empty: &str, outer: u8) -> fmt::Result {
    if items.is_empty() {
        return f.write_str(empty);
    }
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write_expr(f, item, outer)?;
    }
    Ok(())
}

/// A name as it stands in SQL: bare where that is certain to be read as a name.
fn quoted(name: &str) -> String {
    let mut chars = name.chars();
    let bare = chars.next().is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !RESERVED.contains(&name)
        && matches!(crate::parse_sql(name, crate::Origin::default()), Ok(Expr { kind: Kind::Name { table: None, name: read }, .. }) if read == name);
    if bare { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "collate",
    "date",
    "desc",
    "distinct",
    "else",
    "end",
    "escape",
    "except",
    "exists",
    "extract",
    "false",
    "filter",
    "from",
    "group",
    "having",
    "ilike",
    "in",
    "intersect",
    "interval",
    "is",
    "join",
    "like",
    "limit",
    "not",
    "null",
    "on",
    "or",
    "order",
    "over",
    "select",
    "some",
    "then",
    "time",
    "timestamp",
    "to",
    "true",
    "union",
    "unique",
    "using",
    "when",
    "where",
    "with",
];
