//! The cells of OpenDocument sheets: a value, and beside it the text that was shown.
use super::super::sheet::{MAX_COLUMNS, Notes, Row, place};
use super::super::shown::{Shown, push_general, shown_moment};
use super::super::xml::{attribute, attribute_number, attribute_text, push_text};

/// Appends text whose runs of white space mean one blank; more are written as `<text:s/>`.
pub(super) fn push_collapsed(text: &mut String, raw: &[u8]) -> Result<(), &'static str> {
    if !raw.iter().any(|byte| matches!(byte, b'\n' | b'\r' | b'\t')) {
        return push_text(text, raw);
    }
    let mut whole = String::new();
    push_text(&mut whole, raw)?;
    let mut blank = false;
    for character in whole.chars() {
        let is_blank = matches!(character, ' ' | '\n' | '\t');
        if !is_blank {
            text.push(character);
        } else if !blank {
            text.push(' ');
        }
        blank = is_blank;
    }
    Ok(())
}

/// What a cell's tag says of its value.
pub(super) struct CellHead {
    pub repeat: u64,
    kind: Option<Vec<u8>>,
    value: Option<String>,
    is_merged: bool,
    is_error: bool,
    has_formula: bool,
}

impl CellHead {
    pub fn new(attributes: &[u8]) -> Self {
        let text = |name| attribute_text(attributes, name).map(std::borrow::Cow::into_owned);
        let kind = value_type(attributes);
        let value = match kind.as_deref() {
            Some(b"float" | b"percentage" | b"currency") => text(b"value"),
            Some(b"date") => text(b"date-value"),
            Some(b"time") => text(b"time-value"),
            Some(b"boolean") => text(b"boolean-value"),
            Some(b"string") => text(b"string-value"),
            _ => None,
        };
        Self {
            repeat: repeat(attributes, b"number-columns-repeated"),
            is_error: kind.as_deref() == Some(b"error"),
            kind,
            value,
            is_merged: [&b"number-columns-spanned"[..], b"number-rows-spanned"]
                .iter()
                .any(|name| attribute_number(attributes, name).is_some_and(|spanned| spanned > 1)),
            has_formula: attribute(attributes, b"formula").is_some(),
        }
    }

    /// Makes the cell's value of the shown text from `begin` on.
    pub fn finish(&self, row: &mut Row, begin: usize, notes: &mut Notes, column: u64) {
        let number = row.number;
        let column = column.min(u64::from(MAX_COLUMNS)) as u32;
        if self.is_merged {
            notes.merged.add(number, || place(number, column));
        }
        let shown = row.text[begin..].trim().to_owned();
        let replace = |row: &mut Row, text: &str| {
            row.text.truncate(begin);
            row.text.push_str(text);
        };
        match (self.kind.as_deref(), self.value.as_deref()) {
            _ if self.is_error
                || shown.starts_with('#')
                    && matches!(shown.as_str(), "#N/A" | "#REF!" | "#VALUE!" | "#DIV/0!" | "#NAME?" | "#NUM!" | "#NULL!") =>
            {
                notes.errors.add(|| place(number, column));
            }
            (Some(b"float" | b"currency" | b"percentage"), Some(value)) => {
                let Ok(parsed) = value.trim().parse::<f64>() else { return };
                if is_mask_of(&shown, parsed) {
                    return;
                }
                row.text.truncate(begin);
                let shown = match self.kind.as_deref() {
                    Some(b"percentage") => Shown::Percent,
                    _ if shown.contains("E+") => Shown::Scientific,
                    _ => Shown::General,
                };
                notes.push_number(row, column, parsed, &shown, false);
                // The caller ends the cell, once per column that it is repeated in.
                row.pop_cell();
            }
            (Some(b"date"), Some(value)) => replace(row, shown_moment(value)),
            (Some(b"time"), Some(value)) => match clock(value) {
                Some(time) => replace(row, &time),
                None => replace(row, value),
            },
            (Some(b"boolean"), Some(value)) => replace(row, if value == "true" { "TRUE" } else { "FALSE" }),
            (Some(b"string"), Some(value)) if shown.is_empty() => replace(row, value),
            _ => {}
        }
        if begin == row.text.len() {
            if self.has_formula && self.kind.is_none() {
                notes.uncalculated.add(|| place(number, column));
            }
            return;
        }
        if matches!(self.kind.as_deref(), Some(b"string") | None) {
            notes.check_text(row, column, begin);
        }
    }
}

/// The value's type; of two that differ (`office:` and `calcext:`) an error is the truth.
fn value_type(attributes: &[u8]) -> Option<Vec<u8>> {
    let kind = attribute(attributes, b"value-type")?.to_vec();
    if memchr::memmem::find(attributes, b"calcext:value-type=\"error\"").is_some() {
        return Some(b"error".to_vec());
    }
    Some(kind)
}

pub(super) fn repeat(attributes: &[u8], name: &[u8]) -> u64 {
    attribute_number(attributes, name).unwrap_or(1).max(1)
}

/// Whether `shown` is the digits of a whole number in fixed places: leading zeros, or signs as in phones.
fn is_mask_of(shown: &str, value: f64) -> bool {
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    let is_plain = shown.chars().all(|character| character.is_ascii_digit() || matches!(character, ' ' | '(' | ')' | '+' | '-'));
    if !is_plain || digits.is_empty() || digits.len() > 15 || shown.starts_with('-') || digits.parse::<f64>() != Ok(value) {
        return false;
    }
    let mut plain = String::new();
    push_general(&mut plain, value);
    // A blank between thousands is no phone.
    plain != shown && (digits.starts_with('0') || shown.contains(['(', '+', '-']))
}

/// `PT10H20M30S` as `10:20:30`.
fn clock(duration: &str) -> Option<String> {
    let rest = duration.strip_prefix("PT")?;
    let (hours, rest) = rest.split_once('H')?;
    let (minutes, rest) = rest.split_once('M')?;
    let seconds = rest.strip_suffix('S')?;
    let whole: u64 = seconds.split(['.', ',']).next()?.parse().ok()?;
    Some(format!("{:02}:{:02}:{whole:02}", hours.parse::<u64>().ok()?, minutes.parse::<u64>().ok()?))
}
