//! From a stored number and its number format to the text that a person saw, as far as it matters: dates, digits with leading
//! zeros, per cent. Amounts keep their value instead of their rounding.
use std::fmt::Write;

use crate::output::iso_date;

/// A date, a time or both in ISO 8601 as a spreadsheet shows it: no time of midnight, and no date where there is only a time.
pub(super) fn shown_moment(text: &str) -> &str {
    let text = text.strip_suffix(".000").unwrap_or(text);
    let text = text.strip_suffix("T00:00:00").unwrap_or(text);
    // What is before the first day that spreadsheets know is a time alone.
    text.strip_prefix("1899-12-31T").or_else(|| text.strip_prefix("1899-12-30T")).unwrap_or(text)
}

/// What a number format makes of a number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    /// The number at its shortest.
    General,
    /// As [`Self::General`], but the person saw `7.91E+10`.
    Scientific,
    Percent,
    Date,
    Time,
    /// Hours beyond 24, as of a stop watch.
    Duration,
    /// Digits in fixed places.
    Mask(Vec<MaskSection>),
}

/// One of the alternatives of a format such as `[<=9999999]###-####;(###) ###-####`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MaskSection {
    condition: Option<(Comparison, f64)>,
    parts: Vec<MaskPart>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    More,
    MoreOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum MaskPart {
    /// `0`: a digit, or a zero where there is none.
    Zero,
    /// `#` or `?`: a digit, if there is one.
    Digit,
    Literal(char),
}

impl Shown {
    /// Of a format that every workbook knows by number.
    pub fn of_builtin(id: u32) -> Self {
        match id {
            9 | 10 => Self::Percent,
            11 | 48 => Self::Scientific,
            14..=17 | 22 | 27..=31 | 36 | 50..=54 | 57 | 58 => Self::Date,
            18..=21 | 32..=35 | 45 | 47 | 55 | 56 => Self::Time,
            46 => Self::Duration,
            _ => Self::General,
        }
    }

    /// Of a format by its code.
    pub fn of_code(code: &str) -> Self {
        let sections = sections(code);
        let Some(first) = sections.first() else { return Self::General };
        if let Some(temporal) = temporal(first) {
            return temporal;
        }
        if first.tokens.iter().any(|token| matches!(token, Symbol('%'))) {
            return Self::Percent;
        }
        if first.tokens.windows(2).any(|pair| matches!(pair, [Symbol('E' | 'e'), Symbol('+' | '-')])) {
            return Self::Scientific;
        }
        let masks: Option<Vec<_>> = sections.iter().take(2).map(mask).collect();
        match masks {
            Some(mut masks) if masks.iter().any(is_meaningful) => {
                // Without conditions the second section is for negative numbers, which masks leave alone.
                if masks[0].condition.is_none() {
                    masks.truncate(1);
                }
                Self::Mask(masks)
            }
            _ => Self::General,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum FormatToken {
    /// A character that means something.
    Symbol(char),
    /// A character that is shown.
    Shown(char),
    /// `[h]`, `[mm]`, `[ss]`.
    Elapsed,
}
use FormatToken::{Elapsed, Symbol};

#[derive(Default)]
struct Section {
    condition: Option<(Comparison, f64)>,
    tokens: Vec<FormatToken>,
}

fn sections(code: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut characters = code.chars().take(1000);
    while let Some(character) = characters.next() {
        let Some(section) = sections.last_mut() else { break };
        match character {
            ';' => sections.push(Section::default()),
            '"' => section.tokens.extend(characters.by_ref().take_while(|character| *character != '"').map(FormatToken::Shown)),
            '\\' => section.tokens.extend(characters.next().map(FormatToken::Shown)),
            // `_x` is a blank as wide as x, `*x` fills the cell with x.
            '_' => {
                characters.next();
                section.tokens.push(FormatToken::Shown(' '));
            }
            '*' => {
                characters.next();
            }
            '[' => {
                let inside: String = characters.by_ref().take_while(|character| *character != ']').collect();
                let lower = inside.to_ascii_lowercase();
                if !lower.is_empty() && ["h", "m", "s"].iter().any(|unit| lower.chars().all(|character| unit.starts_with(character))) {
                    section.tokens.push(Elapsed);
                } else if let Some(currency) = inside.strip_prefix('$') {
                    let symbol = currency.split('-').next().unwrap_or("");
                    section.tokens.extend(symbol.chars().map(FormatToken::Shown));
                } else {
                    section.condition = condition(&inside).or(section.condition);
                }
            }
            _ => section.tokens.push(Symbol(character)),
        }
    }
    sections
}

fn condition(text: &str) -> Option<(Comparison, f64)> {
    let split = text.find(|character: char| !matches!(character, '<' | '>' | '='))?;
    let comparison = match &text[..split] {
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        "=" => Comparison::Equal,
        ">" => Comparison::More,
        ">=" => Comparison::MoreOrEqual,
        _ => return None,
    };
    Some((comparison, text[split..].trim().parse().ok()?))
}

fn temporal(section: &Section) -> Option<Shown> {
    if section.tokens.contains(&Elapsed) {
        return Some(Shown::Duration);
    }
    let mut letters = section.tokens.iter().filter_map(|token| match token {
        Symbol(character) => Some(character.to_ascii_lowercase()),
        _ => None,
    });
    // `General` and the colours have letters of dates in them.
    let text: String = letters.by_ref().collect();
    if text.contains("general")
        || text.contains("standard")
        || text.contains("основной")
        || text.contains(['0', '#', '?', '@']) && !text.contains(['y', 'd', 'h', 's'])
    {
        return None;
    }
    let has = |letters: &[char]| text.contains(letters);
    // г, д, ч: what Russian Excel writes for year, day and hour; g and e are years of an era, b Buddhist ones.
    let is_date = has(&['y', 'd', 'г', 'д']) || (has(&['m', 'м']) && !has(&['h', 's', 'ч', 'с']));
    let is_time = has(&['h', 's', 'ч', 'с']);
    match (is_date, is_time) {
        (true, _) => Some(Shown::Date),
        (false, true) => Some(Shown::Time),
        _ => None,
    }
}

fn mask(section: &Section) -> Option<MaskSection> {
    let mut parts = Vec::new();
    for token in &section.tokens {
        parts.push(match token {
            Symbol('0') => MaskPart::Zero,
            Symbol('#' | '?') => MaskPart::Digit,
            Symbol(character @ ('-' | '(' | ')' | ' ' | '+' | ':')) | FormatToken::Shown(character) => MaskPart::Literal(*character),
            _ => return None,
        });
    }
    Some(MaskSection { condition: section.condition, parts })
}

/// Whether a mask shows more than the bare number: leading zeros, or signs between the digits.
fn is_meaningful(section: &MaskSection) -> bool {
    let is_digit = |part: &MaskPart| matches!(part, MaskPart::Zero | MaskPart::Digit);
    let (Some(first), Some(last)) = (section.parts.iter().position(is_digit), section.parts.iter().rposition(is_digit)) else {
        return false;
    };
    let zeros = section.parts.iter().filter(|part| matches!(part, MaskPart::Zero)).count();
    zeros >= 2 || section.parts[first..=last].iter().any(|part| !is_digit(part))
}

impl MaskSection {
    fn applies(&self, value: f64) -> bool {
        match self.condition {
            None => true,
            Some((Comparison::Less, bound)) => value < bound,
            Some((Comparison::LessOrEqual, bound)) => value <= bound,
            Some((Comparison::Equal, bound)) => value == bound,
            Some((Comparison::More, bound)) => value > bound,
            Some((Comparison::MoreOrEqual, bound)) => value >= bound,
        }
    }

    fn push(&self, digits: &str, text: &mut String) {
        let n_places = self.parts.iter().filter(|part| !matches!(part, MaskPart::Literal(_))).count();
        let mut digits = digits.bytes().map(char::from).peekable();
        let mut surplus = digits.len().saturating_sub(n_places);
        let mut missing = n_places.saturating_sub(digits.len());
        let begin = text.len();
        for part in &self.parts {
            match part {
                MaskPart::Literal(character) => text.push(*character),
                // The first place takes all digits that have no place of their own.
                _ if surplus > 0 => {
                    text.extend(digits.by_ref().take(surplus + 1));
                    surplus = 0;
                }
                MaskPart::Zero if missing > 0 => {
                    missing -= 1;
                    text.push('0');
                }
                MaskPart::Digit if missing > 0 => missing -= 1,
                _ => text.extend(digits.next()),
            }
        }
        let trimmed = text[begin..].trim().to_owned();
        text.truncate(begin);
        text.push_str(&trimmed);
    }
}

/// Whether a number is likely not what was typed: spreadsheets keep 15 digits.
pub(super) fn is_beyond_digits(value: f64) -> bool {
    value.abs() >= 1e15 && value.fract() == 0.0 && value.abs() < 1e30
}

/// Whether a number was cut down to a few digits before it was stored: `7.9123E+10` is 79123000000.
pub(super) fn is_rounded_by_exponent(value: f64, shown: &Shown) -> bool {
    *shown == Shown::Scientific && value.fract() == 0.0 && value.abs() >= 1e9 && value % 1e4 == 0.0
}

/// Whether text is a number in the form that destroys phones and ids: `7.9123E+10`, `7,91E+10`.
pub(super) fn is_exponent_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 5 || bytes.len() > 24 || !bytes[0].is_ascii_digit() {
        return false;
    }
    let Some(split) = bytes.iter().position(|byte| matches!(byte, b'E' | b'e')) else { return false };
    let (mantissa, exponent) = (&bytes[..split], &bytes[split + 1..]);
    mantissa.len() <= 2 + 15
        && (mantissa.len() == 1 || matches!(mantissa[1], b'.' | b','))
        && mantissa.iter().enumerate().all(|(index, byte)| index == 1 || byte.is_ascii_digit())
        && exponent.first() == Some(&b'+')
        && (2..=3).contains(&exponent.len())
        && exponent[1..].iter().all(u8::is_ascii_digit)
}

/// Appends `value` as it is shown; `from_1904` says where the workbook counts days from.
pub(super) fn push_number(text: &mut String, value: f64, shown: &Shown, from_1904: bool) {
    match shown {
        Shown::General | Shown::Scientific => push_general(text, value),
        Shown::Percent => {
            push_general(text, value * 100.0);
            text.push('%');
        }
        Shown::Date | Shown::Time if push_moment(text, value, *shown == Shown::Time, from_1904) => {}
        Shown::Duration if (0.0..1e7).contains(&value) => {
            let seconds = (value * 86_400.0).round() as i64;
            let _ = write!(text, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        }
        Shown::Mask(sections) if (0.0..1e15).contains(&value) && value.fract() == 0.0 => {
            match sections.iter().find(|section| section.applies(value)) {
                Some(section) => section.push(&format!("{}", value as u64), text),
                None => push_general(text, value),
            }
        }
        _ => push_general(text, value),
    }
}

/// Appends a number at its shortest with the 15 digits that spreadsheets show.
pub(super) fn push_general(text: &mut String, value: f64) {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        // Adding zero turns -0 into 0.
        let _ = write!(text, "{}", (value + 0.0) as i64);
        return;
    }
    if !value.is_finite() {
        let _ = write!(text, "{value}");
        return;
    }
    let exponent = value.abs().log10().floor();
    if value.fract() == 0.0 && exponent < 21.0 {
        let _ = write!(text, "{value}");
        return;
    }
    // Rounded to 15 digits: 0.1 + 0.2 is 0.3 here as on the screen.
    let rounded: f64 = format!("{value:.14e}").parse().unwrap_or(value);
    if (1e-7..1e21).contains(&rounded.abs()) {
        let _ = write!(text, "{rounded}");
    } else {
        let _ = write!(text, "{rounded:e}");
    }
}

/// Appends a date or time in ISO 8601; `false` where the number is none.
fn push_moment(text: &mut String, value: f64, time_only: bool, from_1904: bool) -> bool {
    if !(0.0..2_958_466.0).contains(&value) {
        return false;
    }
    let mut day = value.floor() as i64;
    let mut millis = ((value - value.floor()) * 86_400_000.0).round() as i64;
    // Some milliseconds beside a whole second are the noise of the fraction: 23:59:59.9996 is midnight.
    if millis % 1000 < 4 || millis % 1000 > 996 {
        millis = (millis + 500) / 1000 * 1000;
    }
    if millis == 86_400_000 {
        day += 1;
        millis = 0;
    }
    let is_time = day == 0 && (time_only || millis != 0);
    if !is_time {
        let days_since_1970 = if from_1904 {
            day - 24_107
        } else if day >= 61 {
            day - 25_569
        } else if (1..=59).contains(&day) {
            // Before the 29th of February 1900 that never was.
            day - 25_568
        } else {
            return false;
        };
        text.push_str(&iso_date(days_since_1970));
        if millis == 0 {
            return true;
        }
        text.push('T');
    }
    let _ = write!(text, "{:02}:{:02}:{:02}", millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
    if millis % 1000 != 0 {
        let _ = write!(text, ".{:03}", millis % 1000);
    }
    true
}

#[cfg(test)]
mod tests;
