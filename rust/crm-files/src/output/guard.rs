//! The guard against formula injection: an apostrophe before text that a spreadsheet would run, and its exact removal.
//!
//! A spreadsheet that opens a CSV evaluates cells that begin with `=`, `+`, `-`, `@`, some also after blanks or in full width.
//! [`guard`] puts one apostrophe before such text; [`strip_guard`] takes one away from text of exactly that shape. Text that
//! already is apostrophes before a trigger gets one more, so that for every text `strip_guard(guard(text)) == text`.
use std::borrow::Cow;

/// What a spreadsheet, or a program behind it (DDE), may take for the beginning of a formula.
const TRIGGERS: [char; 15] = ['=', '+', '-', '@', '|', '%', '＝', '＋', '－', '＠', '｜', '％', '−', '﹢', '﹦'];

/// Puts an apostrophe before `text` if a spreadsheet might run it; phones and plain numbers stay as they are.
///
/// ```
/// use crm_files::output::guard;
/// assert_eq!(guard("=1+1"), "'=1+1");
/// assert_eq!(guard("+7 (912) 345-67-89"), "+7 (912) 345-67-89");
/// assert_eq!(guard("-5"), "-5");
/// ```
pub fn guard(text: &str) -> Cow<'_, str> {
    if is_guarded_shape(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// Takes away the apostrophe that [`guard`] put there, and no other.
///
/// ```
/// use crm_files::output::strip_guard;
/// assert_eq!(strip_guard("'=1+1"), "=1+1");
/// assert_eq!(strip_guard("'s-Hertogenbosch"), "'s-Hertogenbosch");
/// ```
pub fn strip_guard(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_guarded_shape(rest) => rest,
        _ => text,
    }
}

/// Whether `text`, after any apostrophes of its own, is dangerous. Both directions use this one test: that makes them exact.
fn is_guarded_shape(text: &str) -> bool {
    // Nearly every cell begins with a letter or a digit: decided by one byte.
    match text.as_bytes().first() {
        None => return false,
        Some(byte) if byte.is_ascii_alphanumeric() => return false,
        Some(_) => {}
    }
    is_dangerous(text.trim_start_matches('\''))
}

fn is_dangerous(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    if matches!(first, '\t' | '\r' | '\n') {
        return true;
    }
    let visible = text.trim_start_matches(is_blank);
    visible.starts_with(TRIGGERS) && !is_phone(visible) && !is_plain_number(visible)
}

/// Blanks that a spreadsheet trims or does not show.
fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        )
}

/// A plus and then digits, blanks, brackets, hyphens and dots: nothing in it can name a function, a cell or a file.
/// Several such phones in one cell, joined by `;` or `,`, are phones too.
fn is_phone(text: &str) -> bool {
    text.split([';', ',']).all(|part| {
        let part = part.trim_matches([' ', '\u{a0}']);
        let part = part.strip_prefix('+').unwrap_or(part);
        part.bytes().filter(u8::is_ascii_digit).count() >= 3
            && part.starts_with(|character: char| character.is_ascii_digit() || character == '(' || character == ' ')
            && part.chars().all(|character| character.is_ascii_digit() || matches!(character, ' ' | '\u{a0}' | '(' | ')' | '-' | '.'))
    }) && text.starts_with('+')
}

/// An optional sign, digits with separators, an optional exponent and per cent sign.
fn is_plain_number(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let text = text.strip_suffix('%').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    mantissa.starts_with(|character: char| character.is_ascii_digit() || matches!(character, '.' | ','))
        && mantissa.bytes().any(|byte| byte.is_ascii_digit())
        && mantissa.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b' '))
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_guarded() {
        for payload in [
            "=cmd|' /C calc'!A0",
            "+cmd|' /C calc'!A0",
            "-2+3+cmd|' /C calc'!A0",
            "@SUM(1+1)*cmd|' /C calc'!A0",
            "\t=1+1",
            "\r=1+1",
            "\n=1+1",
            "|calc",
            "%0A=1+1",
            "＝1+1",
            "＋1+A1",
            "－1+A1",
            "＠SUM(A1)",
            "  =1+1",
            "\u{200b}=1+1",
            "\u{feff}@A1",
            "\u{a0}=1",
            "\u{0}=1",
            "'=1+1",
            "''=1+1",
            "+7912;=1",
            "-",
            "+A1",
            "-1-A1",
        ] {
            assert_eq!(guard(payload), format!("'{payload}"), "{payload:?}");
        }
    }

    #[test]
    fn phones_numbers_and_words_stay() {
        for text in [
            "+79123456789",
            "+7 (912) 345-67-89",
            "+371 2912 3456; +371 2912 3457",
            "-5",
            "-5.25",
            "+5",
            "-1,234.5",
            "-1.5E-7",
            "-5%",
            "",
            "Anna",
            "'s-Hertogenbosch",
            "O'Neil",
            "a=b",
            "2024-01-01",
            "'",
            " Anna",
            "100%",
        ] {
            assert_eq!(guard(text), text);
            assert_eq!(strip_guard(text), text);
        }
    }

    proptest! {
        #[test]
        fn stripping_undoes_guarding(text in "[ '=+\\-@|%＝a1\t\r\u{200b}]{0,6}|.{0,12}") {
            let guarded = guard(&text);
            prop_assert_eq!(strip_guard(&guarded), text.as_str());
        }
    }
}
