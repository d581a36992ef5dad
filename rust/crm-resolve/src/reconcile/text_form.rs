//! Columns of no known meaning: what may be a number, a date or a yes is compared as one, the rest as folded text.
use super::form::Item;
use crate::merge::iso_micros;
use crate::normalize::{DateOptions, DateValue, clock_seconds, fold_into, is_placeholder, looks_like_date, parse_boolean, parse_date};

const MICROS: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS;

/// Makes items of texts; holds the buffer.
#[derive(Debug, Default)]
pub(super) struct TextForms {
    folded: String,
}

impl TextForms {
    /// Case, marks and spaces aside.
    pub fn folded(&mut self, text: &str, items: &mut Vec<Item>) {
        if is_placeholder(text) {
            return;
        }
        fold_into(text, &mut self.folded);
        if !self.folded.is_empty() {
            items.push(Item::new(self.folded.as_bytes()));
        } else if !text.trim().is_empty() {
            // Signs only: they fold to nothing, and are a value all the same.
            items.push(Item::new(text.trim().as_bytes()));
        }
    }

    /// All readings of a date, or the text.
    pub fn date_or_text(&mut self, text: &str, items: &mut Vec<Item>) {
        if !dates(text, items) {
            self.folded(text, items);
        }
    }

    /// All that the text may mean.
    pub fn any(&mut self, text: &str, items: &mut Vec<Item>) {
        let text = text.trim();
        if text.is_empty() || is_placeholder(text) {
            return;
        }
        if looks_like_date(text) || iso_micros(text).is_some() {
            dates(text, items);
        }
        numbers(text, items);
        // A tick or a dash may be anything.
        if text.chars().any(char::is_alphanumeric)
            && let Ok(value) = parse_boolean(text)
        {
            items.push(Item::new(if value { b"\x01yes" } else { b"\x01no" }));
        }
        self.folded(text, items);
    }
}

/// Adds the moments that a date may mean; whether there is one.
fn dates(text: &str, items: &mut Vec<Item>) -> bool {
    let mut push = |micros: i64| items.push(Item::new(format!("\u{1}t{micros}").as_bytes()));
    if let Some(micros) = iso_micros(text) {
        push(micros);
        return true;
    }
    let clock = clock_seconds(text).unwrap_or(0) * MICROS;
    match parse_date(text, &DateOptions::default()) {
        Ok(DateValue::Day(day)) => push(i64::from(day.0) * MICROS_PER_DAY + clock),
        Ok(DateValue::Ambiguous { day_first, month_first }) => {
            push(i64::from(day_first.0) * MICROS_PER_DAY + clock);
            push(i64::from(month_first.0) * MICROS_PER_DAY + clock);
        }
        _ => return false,
    }
    true
}

/// Adds the numbers that a text may mean: `1,234` is one and a bit, or a thousand and more.
fn numbers(text: &str, items: &mut Vec<Item>) {
    let compact: String = text.chars().filter(|c| !c.is_whitespace() && *c != '\'' && *c != '\u{2019}').collect();
    let (percent, body) = compact.strip_suffix('%').map_or((false, compact.as_str()), |body| (true, body));
    let body = body.trim_end_matches(['€', '$', '₽', '£']).trim_start_matches(['€', '$', '₽', '£']);
    let digits = body.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 || !body.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b'-' | b'+')) {
        return;
    }
    let mut seen: Vec<String> = Vec::new();
    let mut push = |plain: String| {
        if let Some(canonical) = plain_number(&plain)
            && !seen.contains(&canonical)
        {
            items.push(Item::new(format!("\u{1}n{canonical}{}", if percent { "%" } else { "" }).as_bytes()));
            seen.push(canonical);
        }
    };
    let last = body.rfind(['.', ',']);
    match last {
        None => push(body.to_owned()),
        Some(at) => {
            let mark = body.as_bytes()[at];
            let n_marks = body.bytes().filter(|byte| *byte == mark).count();
            let groups = |text: &str| text.replace(['.', ','], "");
            if n_marks == 1 {
                push(format!("{}.{}", groups(&body[..at]), &body[at + 1..]));
            }
            let is_grouped = body.split(char::from(mark)).skip(1).all(|group| group.len() == 3);
            if is_grouped {
                push(groups(body));
            }
        }
    }
}

/// Sign, digits without leading zeros, decimals without trailing ones; `None` where it is no number. By text, for long numbers keep
/// every digit.
fn plain_number(text: &str) -> Option<String> {
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if (whole.is_empty() && decimals.is_empty()) || !whole.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let decimals = decimals.trim_end_matches('0');
    let mut number = String::new();
    if negative && !(whole.is_empty() && decimals.is_empty()) {
        number.push('-');
    }
    number.push_str(if whole.is_empty() { "0" } else { whole });
    if !decimals.is_empty() {
        number.push('.');
        number.push_str(decimals);
    }
    Some(number)
}
