//! SQL text to the rule form.
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::expr::{Expr, Position};
use crate::problem::Problem;

mod dialect;
mod literals;
mod reader;

use self::dialect::RuleDialect;
pub(crate) use self::literals::{parse_interval, type_named};
use self::reader::Reader;

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

fn shorten(text: &str) -> String {
    if text.chars().count() > 60 { text.chars().take(57).chain("...".chars()).collect() } else { text.to_owned() }
}
