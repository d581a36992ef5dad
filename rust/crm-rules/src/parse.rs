//! SQL text to the rule form.
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DateTimeField, Expr as Sql, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    InTarget, ObjectName, OrderBySort, UnaryOperator, Value, WindowType,
};
use sqlparser::dialect::{Dialect, DuckDbDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::calendar::{parse_date, parse_timestamp};
use crate::constant::{Constant, Interval};
use crate::expr::{Arithmetic, Comparison, Expr, Kind, Over, Position};
use crate::problem::Problem;
use crate::schema::Type;

/// Where a rule's text stands in its file, so that problems name the file's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Line of the text's first line, from 1.
    pub line: u32,
    /// Column of the text's first character, from 1.
    pub column: u32,
    /// Column at which the further lines of the text begin, from 1.
    pub indent: u32,
}

impl Default for Origin {
    fn default() -> Self {
        Self { line: 1, column: 1, indent: 1 }
    }
}

impl Origin {
    fn position(self, location: Location) -> Position {
        let (line, column) = (location.line.max(1) as u32, location.column.max(1) as u32);
        let first = if line == 1 { self.column } else { self.indent };
        Position { line: (self.line + line - 1), column: (first + column - 1) }
    }

    /// The text's beginning.
    pub fn start(self) -> Position {
        Position { line: self.line, column: self.column }
    }
}

/// DuckDB's grammar of expressions, but for `name = value` inside a call, which is a comparison here and no named argument.
#[derive(Debug)]
struct RuleDialect;

impl Dialect for RuleDialect {
    fn dialect(&self) -> std::any::TypeId {
        DuckDbDialect.dialect()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        DuckDbDialect.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        DuckDbDialect.is_identifier_part(ch)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        DuckDbDialect.identifier_quote_style(identifier)
    }

    fn supports_trailing_commas(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_comparison_in_between_low_bound(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }
}

/// Longest text of one rule.
const MAX_TEXT_BYTES: usize = 8 << 20;
/// Most operators in one rule: what is parsed becomes a tree whose depth may equal their number.
const MAX_OPERATORS: usize = 2_000;
/// Deepest nesting of parentheses, calls and operators other than `and` and `or`.
pub(crate) const MAX_DEPTH: usize = 100;

/// Reads a SQL condition or expression.
pub fn parse_sql(text: &str, origin: Origin) -> Result<Expr, Problem> {
    let dialect = RuleDialect;
    if text.len() > MAX_TEXT_BYTES {
        return Err(problem(origin.start(), format!("the rule has more than {MAX_TEXT_BYTES} bytes")));
    }
    let mut tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|error| problem(origin.position(error.location), decapitalise(&error.message)))?;
    check_operators(&tokens, origin)?;
    for token in &mut tokens {
        // exists(orders) is an aggregate here; SQL's exists would want a subquery.
        if let Token::Word(word) = &mut token.token
            && word.keyword == Keyword::EXISTS
        {
            word.keyword = Keyword::NoKeyword;
        }
    }
    let end = tokens.last().map_or(Location { line: 1, column: 1 }, |token| token.span.end);
    let mut parser = Parser::new(&dialect).with_recursion_limit(MAX_DEPTH).with_tokens_with_locations(tokens);
    let sql = parser.parse_expr().map_err(|error| parser_problem(&error, origin, end))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        return Err(problem(origin.position(rest.span.start), format!("'{}' was not expected here", rest.token)));
    }
    Reader { origin, last: origin.start() }.expr(&sql, 0)
}

fn check_operators(tokens: &[TokenWithSpan], origin: Origin) -> Result<(), Problem> {
    let mut operators = 0;
    let mut after_value = false;
    for token in tokens {
        let is_operator = match &token.token {
            Token::Whitespace(_) => continue,
            Token::Word(word) => matches!(
                word.value.to_ascii_lowercase().as_str(),
                "and" | "or" | "not" | "between" | "is" | "like" | "ilike" | "in" | "case" | "when" | "collate"
            ),
            Token::Minus | Token::Plus => after_value,
            Token::Comma
            | Token::LParen
            | Token::RParen
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Period
            | Token::EOF => false,
            _ => true,
        };
        operators += usize::from(is_operator);
        if operators > MAX_OPERATORS {
            let message = format!("the rule has more than {MAX_OPERATORS} operators; split it into segments");
            return Err(problem(origin.position(token.span.start), message));
        }
        after_value = !matches!(token.token, Token::Comma | Token::LParen);
    }
    Ok(())
}

fn parser_problem(error: &ParserError, origin: Origin, end: Location) -> Problem {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => {
            return problem(origin.start(), format!("the rule is nested more than {MAX_DEPTH} levels deep"));
        }
    };
    // sqlparser puts the place at the message's end: "Expected: ..., found: ... at Line: 1, Column: 7".
    let (message, place) = match text.rfind(" at Line: ") {
        Some(at) => (text[..at].to_owned(), read_place(&text[at..])),
        None => (text.clone(), None),
    };
    problem(
        origin.position(place.unwrap_or(end)),
        decapitalise(&message.replace("Expected: ", "expected ").replace(", found: ", ", found ")),
    )
}

fn read_place(text: &str) -> Option<Location> {
    let (line, column) = text.strip_prefix(" at Line: ")?.split_once(", Column: ")?;
    Some(Location { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? })
}

fn decapitalise(message: &str) -> String {
    let mut chars = message.trim_end_matches('.').chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

pub(crate) fn problem(at: Position, message: impl Into<String>) -> Problem {
    Problem { line: at.line, column: at.column, message: message.into(), nearest: None }
}

struct Reader {
    origin: Origin,
    /// The last place seen: for nodes that carry none themselves.
    last: Position,
}

type Read = Result<Expr, Problem>;

impl Reader {
    fn see(&mut self, location: Location) -> Position {
        // sqlparser marks what has no place with line 0.
        if location.line > 0 {
            self.last = self.origin.position(location);
        }
        self.last
    }

    fn expr(&mut self, sql: &Sql, depth: usize) -> Read {
        if depth > MAX_DEPTH {
            return Err(problem(self.last, format!("the rule is nested more than {MAX_DEPTH} levels deep")));
        }
        let depth = depth + 1;
        match sql {
            Sql::Nested(inner) => self.expr(inner, depth),
            Sql::Identifier(ident) => Ok(self.name(None, ident)),
            Sql::CompoundIdentifier(idents) => match idents.as_slice() {
                [table, name] => {
                    let at = self.see(table.span.start);
                    Ok(Expr::new(Kind::Name { table: Some(table.value.clone()), name: name.value.clone() }, at))
                }
                _ => Err(problem(self.last, "a name has at most a table and a column")),
            },
            Sql::Value(value) => {
                let at = self.see(value.span.start);
                Ok(Expr::new(Kind::Literal(literal(&value.value, at)?), at))
            }
            Sql::TypedString(typed) => {
                let at = self.see(typed.value.span.start);
                let Some(text) = typed.value.value.clone().into_string() else { return Err(problem(at, "a text was expected")) };
                let constant = match data_type(&typed.data_type) {
                    Some(Type::Date) => parse_date(&text).map(Constant::Date),
                    Some(Type::Timestamp) => parse_timestamp(&text).map(Constant::Timestamp),
                    _ => return Err(problem(at, format!("a constant of type {} cannot be written so; use cast", typed.data_type))),
                };
                constant
                    .map(|constant| Expr::new(Kind::Literal(constant), at))
                    .ok_or_else(|| problem(at, format!("'{text}' is not a {}", typed.data_type.to_string().to_lowercase())))
            }
            Sql::Interval(interval) => self.interval(interval),
            Sql::BinaryOp { op: BinaryOperator::And, .. } => {
                self.chain(sql, &BinaryOperator::And, depth).map(|(items, at)| Expr::new(Kind::And(items), at))
            }
            Sql::BinaryOp { op: BinaryOperator::Or, .. } => {
                self.chain(sql, &BinaryOperator::Or, depth).map(|(items, at)| Expr::new(Kind::Or(items), at))
            }
            Sql::BinaryOp { left, op, right } => self.binary(left, op, right, depth),
            Sql::UnaryOp { op, expr } => match op {
                UnaryOperator::Not => self.wrap(expr, depth, |item| Kind::Not(Box::new(item))),
                UnaryOperator::Plus => self.expr(expr, depth),
                UnaryOperator::Minus => self.minus(expr, depth),
                other => Err(problem(self.last, format!("the operator {other} is not part of the rule language"))),
            },
            Sql::IsNull(item) => self.wrap(item, depth, |item| Kind::IsNull { item: Box::new(item), negated: false }),
            Sql::IsNotNull(item) => self.wrap(item, depth, |item| Kind::IsNull { item: Box::new(item), negated: true }),
            Sql::IsTrue(item) => self.is(item, Some(true), false, depth),
            Sql::IsNotTrue(item) => self.is(item, Some(true), true, depth),
            Sql::IsFalse(item) => self.is(item, Some(false), false, depth),
            Sql::IsNotFalse(item) => self.is(item, Some(false), true, depth),
            Sql::IsUnknown(item) => self.is(item, None, false, depth),
            Sql::IsNotUnknown(item) => self.is(item, None, true, depth),
            Sql::IsDistinctFrom(left, right) => self.distinct(left, right, false, depth),
            Sql::IsNotDistinctFrom(left, right) => self.distinct(left, right, true, depth),
            Sql::In { expr, target: InTarget::List(list), negated, .. } => {
                let item = Box::new(self.expr(expr, depth)?);
                let at = item.at;
                let list = list.iter().map(|value| self.expr(value, depth)).collect::<Result<_, _>>()?;
                Ok(Expr::new(Kind::In { item, list, negated: *negated }, at))
            }
            Sql::Between { expr, negated, low, high } => {
                let item = Box::new(self.expr(expr, depth)?);
                let at = item.at;
                let (low, high) = (Box::new(self.expr(low, depth)?), Box::new(self.expr(high, depth)?));
                Ok(Expr::new(Kind::Between { item, low, high, negated: *negated }, at))
            }
            Sql::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), false, *negated, depth)
            }
            Sql::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), true, *negated, depth)
            }
            Sql::AnyOp { left, compare_op, right, .. } => {
                let item = Box::new(self.expr(left, depth)?);
                let at = item.at;
                let Some(comparison) = comparison(compare_op) else {
                    return Err(problem(at, "only a comparison goes with any(...)"));
                };
                Ok(Expr::new(Kind::Any { item, comparison, list: Box::new(self.expr(right, depth)?) }, at))
            }
            Sql::Cast {
                kind: CastKind::Cast | CastKind::TryCast | CastKind::DoubleColon | CastKind::SafeCast,
                expr,
                data_type: to,
                ..
            } => {
                let item = Box::new(self.expr(expr, depth)?);
                let at = item.at;
                let Some(to) = cast_type(to) else {
                    return Err(problem(
                        at,
                        format!("there is no cast to {to}; the types are boolean, bigint, double, varchar, date and timestamp"),
                    ));
                };
                Ok(Expr::new(Kind::Cast { item, to }, at))
            }
            Sql::Case { operand, conditions, else_result, case_token, .. } => {
                let at = self.see(case_token.0.span.start);
                let operand = operand.as_ref().map(|operand| self.expr(operand, depth).map(Box::new)).transpose()?;
                let branches = conditions
                    .iter()
                    .map(|branch| Ok((self.expr(&branch.condition, depth)?, self.expr(&branch.result, depth)?)))
                    .collect::<Result<_, Problem>>()?;
                let otherwise = else_result.as_ref().map(|otherwise| self.expr(otherwise, depth).map(Box::new)).transpose()?;
                Ok(Expr::new(Kind::Case { operand, branches, otherwise }, at))
            }
            Sql::Collate { expr, collation } => self.collate(expr, collation, depth),
            Sql::Extract { field, expr, .. } => {
                let item = self.expr(expr, depth)?;
                let at = item.at;
                let part = Expr::new(Kind::Literal(Constant::text(&field.to_string().to_lowercase())), at);
                Ok(call("date_part", vec![part, item], at))
            }
            Sql::Floor { expr, .. } => self.unary_call("floor", expr, depth),
            Sql::Ceil { expr, .. } => self.unary_call("ceil", expr, depth),
            Sql::Trim { expr, trim_where: None, trim_what: None, trim_characters: None } => self.unary_call("trim", expr, depth),
            Sql::Substring { expr, substring_from, substring_for, .. } => {
                let mut args = vec![self.expr(expr, depth)?];
                let at = args[0].at;
                args.push(match substring_from {
                    Some(from) => self.expr(from, depth)?,
                    None => Expr::new(Kind::Literal(Constant::Int(1)), at),
                });
                if let Some(length) = substring_for {
                    args.push(self.expr(length, depth)?);
                }
                Ok(call("substring", args, at))
            }
            Sql::Function(function) => self.function(function, depth),
            other => Err(problem(self.last, format!("'{}' is not part of the rule language", shorten(&other.to_string())))),
        }
    }

    /// `a and b and c` as one list. Such chains may be long, so they are walked, not recursed into.
    fn chain(&mut self, sql: &Sql, wanted: &BinaryOperator, depth: usize) -> Result<(Vec<Expr>, Position), Problem> {
        let mut rights = Vec::new();
        let mut rest = sql;
        while let Sql::BinaryOp { left, op, right } = rest {
            if op != wanted {
                break;
            }
            rights.push(right.as_ref());
            rest = left;
        }
        let mut items = vec![self.expr(rest, depth)?];
        for right in rights.into_iter().rev() {
            items.push(self.expr(right, depth)?);
        }
        let at = items[0].at;
        Ok((items, at))
    }

    fn name(&mut self, table: Option<String>, ident: &Ident) -> Expr {
        let at = self.see(ident.span.start);
        Expr::new(Kind::Name { table, name: ident.value.clone() }, at)
    }

    fn wrap(&mut self, item: &Sql, depth: usize, kind: impl FnOnce(Expr) -> Kind) -> Read {
        let item = self.expr(item, depth)?;
        let at = item.at;
        Ok(Expr::new(kind(item), at))
    }

    fn is(&mut self, item: &Sql, truth: Option<bool>, negated: bool, depth: usize) -> Read {
        self.wrap(item, depth, |item| Kind::Is { item: Box::new(item), truth, negated })
    }

    fn distinct(&mut self, left: &Sql, right: &Sql, negated: bool, depth: usize) -> Read {
        let left = Box::new(self.expr(left, depth)?);
        let at = left.at;
        Ok(Expr::new(Kind::Distinct { left, right: Box::new(self.expr(right, depth)?), negated }, at))
    }

    fn minus(&mut self, item: &Sql, depth: usize) -> Read {
        // A sign belongs to its number: the smallest integer has no positive counterpart.
        if let Sql::Value(value) = item
            && let Value::Number(digits, _) = &value.value
        {
            let at = self.see(value.span.start);
            return Ok(Expr::new(Kind::Literal(number(&format!("-{digits}"), at)?), at));
        }
        self.wrap(item, depth, |item| Kind::Negate(Box::new(item)))
    }

    fn binary(&mut self, left: &Sql, op: &BinaryOperator, right: &Sql, depth: usize) -> Read {
        let left = Box::new(self.expr(left, depth)?);
        let at = left.at;
        let right = Box::new(self.expr(right, depth)?);
        let kind = match op {
            BinaryOperator::Plus => Kind::Arithmetic(Arithmetic::Add, left, right),
            BinaryOperator::Minus => Kind::Arithmetic(Arithmetic::Subtract, left, right),
            BinaryOperator::Multiply => Kind::Arithmetic(Arithmetic::Multiply, left, right),
            BinaryOperator::Divide => Kind::Arithmetic(Arithmetic::Divide, left, right),
            BinaryOperator::DuckIntegerDivide => Kind::Arithmetic(Arithmetic::DivideWhole, left, right),
            BinaryOperator::Modulo => Kind::Arithmetic(Arithmetic::Modulo, left, right),
            BinaryOperator::StringConcat => Kind::Concat(left, right),
            other => match comparison(other) {
                Some(comparison) => Kind::Compare(comparison, left, right),
                None => return Err(problem(at, format!("the operator {other} is not part of the rule language"))),
            },
        };
        Ok(Expr::new(kind, at))
    }

    fn like(&mut self, item: &Sql, pattern: &Sql, escape: Option<&Sql>, insensitive: bool, negated: bool, depth: usize) -> Read {
        let item = Box::new(self.expr(item, depth)?);
        let at = item.at;
        let pattern = Box::new(self.expr(pattern, depth)?);
        let escape = match escape {
            None => None,
            Some(escape) => match self.expr(escape, depth)?.kind {
                Kind::Literal(Constant::Text(text)) if text.chars().count() == 1 => text.chars().next(),
                _ => return Err(problem(at, "escape needs a text of one character")),
            },
        };
        Ok(Expr::new(Kind::Like { item, pattern, escape, insensitive, negated }, at))
    }

    fn collate(&mut self, item: &Sql, collation: &ObjectName, depth: usize) -> Read {
        let item = Box::new(self.expr(item, depth)?);
        let at = item.at;
        let (mut case, mut accents) = (false, false);
        for part in collation.to_string().to_lowercase().split('.') {
            match part.trim_matches('"') {
                "nocase" => case = true,
                "noaccent" => accents = true,
                other => {
                    return Err(problem(
                        at,
                        format!("there is no collation '{other}'; the collations are nocase, noaccent and nocase.noaccent"),
                    ));
                }
            }
        }
        Ok(Expr::new(Kind::Collate { item, case, accents }, at))
    }

    fn unary_call(&mut self, name: &str, item: &Sql, depth: usize) -> Read {
        let item = self.expr(item, depth)?;
        let at = item.at;
        Ok(call(name, vec![item], at))
    }

    fn interval(&mut self, interval: &sqlparser::ast::Interval) -> Read {
        let value = self.expr(&interval.value, MAX_DEPTH - 1)?;
        let at = value.at;
        let text = match (&value.kind, &interval.leading_field) {
            (Kind::Literal(Constant::Text(text)), None) => text.to_string(),
            (Kind::Literal(Constant::Text(text)), Some(field)) => format!("{text} {}", unit_name(field)),
            (Kind::Literal(Constant::Int(amount)), Some(field)) => format!("{amount} {}", unit_name(field)),
            _ => return Err(problem(at, "an interval is written interval '90 days'")),
        };
        parse_interval(&text)
            .map(|interval| Expr::new(Kind::Literal(Constant::Interval(interval)), at))
            .ok_or_else(|| problem(at, format!("'{}' is not an interval; write for example interval '90 days'", shorten(&text))))
    }

    fn function(&mut self, function: &Function, depth: usize) -> Read {
        let mut at = self.last;
        if let Some(ident) = function.name.0.first().and_then(|part| part.as_ident()) {
            at = self.see(ident.span.start);
        }
        let name = function.name.to_string().to_lowercase();
        let (mut args, mut distinct) = (Vec::new(), false);
        match &function.args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(_) => return Err(problem(at, "subqueries are not part of the rule language")),
            FunctionArguments::List(list) => {
                distinct = list.duplicate_treatment.is_some_and(|treatment| treatment.to_string().eq_ignore_ascii_case("distinct"));
                for arg in &list.args {
                    match arg {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => args.push(self.expr(arg, depth)?),
                        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {
                            return Err(problem(at, format!("name the related table: {name}(orders) instead of {name}(*)")));
                        }
                        _ => return Err(problem(at, "arguments are given by position")),
                    }
                }
                if !list.clauses.is_empty() {
                    return Err(problem(at, "clauses inside a call are not part of the rule language; use filter (where ...) after it"));
                }
            }
        }
        let filter = function.filter.as_ref().map(|filter| self.expr(filter, depth).map(Box::new)).transpose()?;
        let over = match &function.over {
            None => None,
            Some(WindowType::WindowSpec(spec))
                if spec.partition_by.is_empty() && spec.order_by.len() == 1 && spec.window_frame.is_none() =>
            {
                let order = &spec.order_by[0];
                Some(Box::new(Over {
                    key: self.expr(&order.expr, depth)?,
                    descending: matches!(order.options.sort, Some(OrderBySort::Desc)),
                }))
            }
            Some(_) => return Err(problem(at, "over takes (order by one_value [desc]) here")),
        };
        if name == "segment" {
            return match args.as_slice() {
                [Expr { kind: Kind::Literal(Constant::Text(segment)), .. }] => Ok(Expr::new(Kind::Segment(segment.to_string()), at)),
                _ => Err(problem(at, "segment takes the name of a segment as a text: segment('vip')")),
            };
        }
        Ok(Expr::new(Kind::Call { name, distinct, args, filter, over }, at))
    }
}

fn call(name: &str, args: Vec<Expr>, at: Position) -> Expr {
    Expr::new(Kind::Call { name: name.to_owned(), distinct: false, args, filter: None, over: None }, at)
}

fn unit_name(field: &DateTimeField) -> String {
    field.to_string().to_lowercase()
}

fn shorten(text: &str) -> String {
    if text.chars().count() > 60 { text.chars().take(57).chain("...".chars()).collect() } else { text.to_owned() }
}

fn comparison(op: &BinaryOperator) -> Option<Comparison> {
    Some(match op {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn literal(value: &Value, at: Position) -> Result<Constant, Problem> {
    match value {
        Value::Number(digits, _) => number(digits, at),
        Value::SingleQuotedString(text) => Ok(Constant::text(text)),
        Value::Boolean(truth) => Ok(Constant::Bool(*truth)),
        Value::Null => Ok(Constant::Null),
        Value::EscapedStringLiteral(text) => Ok(Constant::text(text)),
        other => {
            Err(problem(at, format!("'{}' is not part of the rule language; texts stand in single quotes", shorten(&other.to_string()))))
        }
    }
}

fn number(digits: &str, at: Position) -> Result<Constant, Problem> {
    if let Ok(whole) = digits.parse::<i64>() {
        return Ok(Constant::Int(whole));
    }
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Constant::float(value)),
        _ => Err(problem(at, format!("'{}' is not a number", shorten(digits)))),
    }
}

/// The rule type of a cast. Types that would cut what does not fit (`tinyint`, `decimal(10, 2)`) are refused rather than read as wider ones.
fn cast_type(to: &DataType) -> Option<Type> {
    let name = to.to_string().to_lowercase();
    let found = type_named(name.split('(').next().unwrap_or_default().trim())?;
    let cuts = (found == Type::Float && name.contains('(')) || ["tinyint", "smallint", "int2"].contains(&name.as_str());
    (!cuts).then_some(found)
}

/// The rule type that a SQL type name stands for.
fn data_type(data_type: &DataType) -> Option<Type> {
    type_named(data_type.to_string().to_lowercase().split('(').next().unwrap_or_default().trim())
}

pub(crate) fn type_named(name: &str) -> Option<Type> {
    Some(match name {
        "bool" | "boolean" => Type::Bool,
        "bigint" | "int" | "integer" | "smallint" | "tinyint" | "int8" | "int4" | "int2" | "int64" | "long" => Type::Int,
        "double" | "float" | "real" | "decimal" | "numeric" | "double precision" | "float8" | "float4" | "float64" => Type::Float,
        "varchar" | "text" | "string" | "char" | "character varying" => Type::Text,
        "date" => Type::Date,
        "timestamp" | "datetime" | "timestamp without time zone" => Type::Timestamp,
        _ => return None,
    })
}

/// `90 days`, `1 year 6 months`, `-3 hours`.
pub(crate) fn parse_interval(text: &str) -> Option<Interval> {
    let mut interval = Interval::default();
    let mut words = text.split_whitespace();
    let mut any = false;
    while let Some(word) = words.next() {
        let split = word.find(|c: char| c.is_alphabetic()).unwrap_or(word.len());
        let amount: i64 = word[..split].parse().ok()?;
        let unit = if split < word.len() { &word[split..] } else { words.next()? };
        let unit = unit.to_lowercase();
        match unit.strip_suffix('s').filter(|unit| unit.len() > 1).unwrap_or(&unit) {
            "year" | "y" | "yr" => interval.months = add(interval.months, amount.checked_mul(12)?)?,
            "quarter" => interval.months = add(interval.months, amount.checked_mul(3)?)?,
            "month" | "mon" => interval.months = add(interval.months, amount)?,
            "week" | "w" => interval.days = add(interval.days, amount.checked_mul(7)?)?,
            "day" | "d" => interval.days = add(interval.days, amount)?,
            "hour" | "h" => interval.micros = interval.micros.checked_add(amount.checked_mul(3_600_000_000)?)?,
            "minute" | "min" => interval.micros = interval.micros.checked_add(amount.checked_mul(60_000_000)?)?,
            "second" | "sec" => interval.micros = interval.micros.checked_add(amount.checked_mul(1_000_000)?)?,
            "millisecond" => interval.micros = interval.micros.checked_add(amount.checked_mul(1_000)?)?,
            "microsecond" => interval.micros = interval.micros.checked_add(amount)?,
            _ => return None,
        }
        any = true;
    }
    any.then_some(interval)
}

fn add(sum: i32, amount: i64) -> Option<i32> {
    i32::try_from(i64::from(sum).checked_add(amount)?).ok()
}
