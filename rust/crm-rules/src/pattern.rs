//! Patterns of text: `like`, substrings and regular expressions.
use memchr::memmem::Finder;
use regex::Regex;

use crate::fold::{lower, lower_char};

/// A constant pattern, as it is compared and hashed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// The text occurs; lower-cased where `insensitive`.
    Contains { needle: String, insensitive: bool },
    /// The text begins so.
    Prefix(String),
    /// The text ends so.
    Suffix(String),
    /// SQL's `like`, `%` and `_`.
    Like { tokens: Vec<Token>, insensitive: bool },
    /// A regular expression that matches somewhere in the text.
    Regex(String),
}

/// One piece of a `like` pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Token {
    /// `%`.
    Any,
    /// `_`.
    One,
    /// The character itself.
    Char(char),
}

impl Pattern {
    /// A `like` pattern in its simplest form.
    pub fn like(pattern: &str, escape: Option<char>, insensitive: bool) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let token = match c {
                c if Some(c) == escape => match chars.next() {
                    Some(escaped) => Token::Char(escaped),
                    None => return Err("the like pattern ends with its escape character".to_owned()),
                },
                '%' => Token::Any,
                '_' => Token::One,
                c => Token::Char(c),
            };
            let token = match token {
                Token::Char(c) if insensitive => Token::Char(lower_char(c)),
                token => token,
            };
            if !(token == Token::Any && tokens.last() == Some(&Token::Any)) {
                tokens.push(token);
            }
        }
        let text = |tokens: &[Token]| -> Option<String> {
            tokens.iter().map(|token| if let Token::Char(c) = token { Some(*c) } else { None }).collect()
        };
        if let [Token::Any, middle @ .., Token::Any] = tokens.as_slice()
            && let Some(needle) = text(middle)
        {
            return Ok(Self::Contains { needle, insensitive });
        }
        if !insensitive
            && let [first @ .., Token::Any] = tokens.as_slice()
            && let Some(prefix) = text(first)
        {
            return Ok(Self::Prefix(prefix));
        }
        if !insensitive
            && let [Token::Any, last @ ..] = tokens.as_slice()
            && let Some(suffix) = text(last)
        {
            return Ok(Self::Suffix(suffix));
        }
        Ok(Self::Like { tokens, insensitive })
    }

    /// Ready to match.
    pub fn matcher(&self) -> Result<Matcher, String> {
        Ok(match self {
            Self::Contains { needle, insensitive: false } => Matcher::Contains(Box::new(Finder::new(needle.as_bytes()).into_owned())),
            Self::Contains { needle, insensitive: true } => Matcher::ContainsFolded(Box::new(Finder::new(needle.as_bytes()).into_owned())),
            Self::Prefix(prefix) => Matcher::Prefix(prefix.clone()),
            Self::Suffix(suffix) => Matcher::Suffix(suffix.clone()),
            Self::Like { tokens, insensitive } => Matcher::Like(tokens.clone(), *insensitive),
            Self::Regex(text) => Matcher::Regex(Box::new(
                regex::RegexBuilder::new(text)
                    .size_limit(1 << 20)
                    .dfa_size_limit(1 << 20)
                    .nest_limit(100)
                    .build()
                    .map_err(|error| format!("the regular expression cannot be used: {}", last_line(&error.to_string())))?,
            )),
        })
    }
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// A pattern ready to match.
#[derive(Debug, Clone)]
pub enum Matcher {
    Contains(Box<Finder<'static>>),
    ContainsFolded(Box<Finder<'static>>),
    Prefix(String),
    Suffix(String),
    Like(Vec<Token>, bool),
    Regex(Box<Regex>),
}

impl Matcher {
    /// Whether the text fits.
    pub fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Contains(finder) => finder.find(text.as_bytes()).is_some(),
            Self::ContainsFolded(finder) => finder.find(lower(text).as_bytes()).is_some(),
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::Like(tokens, true) => is_like(&lower(text), tokens),
            Self::Like(tokens, false) => is_like(text, tokens),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// Greedy matching that goes back only to the last `%`: at most text length times pattern length steps.
fn is_like(text: &str, tokens: &[Token]) -> bool {
    let mut rest = text.chars();
    let mut at = 0;
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        match tokens.get(at) {
            Some(Token::Any) => {
                retry = Some((at + 1, rest.clone()));
                at += 1;
                continue;
            }
            None if rest.as_str().is_empty() => return true,
            Some(token) => {
                let mut ahead = rest.clone();
                let fits = match (token, ahead.next()) {
                    (Token::One, Some(_)) => true,
                    (Token::Char(wanted), Some(c)) => *wanted == c,
                    _ => false,
                };
                if fits {
                    rest = ahead;
                    at += 1;
                    continue;
                }
            }
            None => {}
        }
        let Some((after, from)) = &mut retry else { return false };
        if from.next().is_none() {
            return false;
        }
        at = *after;
        rest = from.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_follows_sql() {
        let fits = |text: &str, pattern: &str| Pattern::like(pattern, None, false).unwrap().matcher().unwrap().is_match(text);
        assert!(fits("", "") && fits("", "%") && !fits("", "_"));
        assert!(fits("abc", "a_c") && fits("abc", "a%") && fits("abc", "%c") && fits("abc", "%b%") && fits("abc", "%_%"));
        assert!(!fits("abc", "a_") && !fits("abc", "b%") && fits("aXbXc", "a%b%c") && !fits("aXbXd", "a%b%c"));
        assert!(fits("Рига", "Р__а"));
        let insensitive = Pattern::like("%СТРОЙ_", None, true).unwrap().matcher().unwrap();
        assert!(insensitive.is_match("ооо стройк") && !insensitive.is_match("строй"));
        assert!(Pattern::like("10!%%", Some('!'), false).unwrap().matcher().unwrap().is_match("10% off"));
    }
}
