//! Marketing consent in the words of exports.
mod words;

use crate::merge::canonical::iso_micros;
use crate::normalize::{fold_into, is_empty_like, is_placeholder, looks_like_date, parse_boolean};
use words::{ALWAYS_REFUSING, CONSENTING, CONSENTING_TOGETHER, NEGATIONS, NOT_ASKED, REFUSING, REFUSING_TOGETHER};

/// What a cell says of marketing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// It may be sent.
    Given,
    /// It may not.
    Refused,
    /// There is an answer, but not one that is known to mean yes: it counts against sending, and is kept as it is written.
    Unclear,
    /// Nobody asked: an empty cell, a dash, `n/a`.
    Silent,
}

/// Whether a column says who does *not* want marketing (`HasOptedOutOfEmail`, `Do not call`, `Отказ от рассылки`).
pub fn is_negated(column: &str) -> bool {
    let lower: String = column.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    const WORDS: &[&str] = &[
        "optout",
        "optedout",
        "unsubscrib",
        "donot",
        "dont",
        "blacklist",
        "отказ",
        "отпис",
        "небеспокоить",
        "неписать",
        "незвонить",
        "atteik",
        "nesūt",
        "nesut",
    ];
    WORDS.iter().any(|word| lower.contains(word))
}

/// `Some(true)` for consent, `Some(false)` for its refusal, `None` where the text says neither.
pub fn parse(text: &str, is_negated: bool) -> Option<bool> {
    match read(text, is_negated) {
        Consent::Given => Some(true),
        Consent::Refused => Some(false),
        Consent::Unclear | Consent::Silent => None,
    }
}

/// What a cell says; in a column that is `is_negated` a plain yes refuses.
///
/// Words of refusal and of consent speak for themselves whatever the column is called. Only what surely consents is taken for consent.
pub fn read(text: &str, is_negated: bool) -> Consent {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Consent::Silent;
    }
    // What most cells say needs no folding.
    if let "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "true" | "True" | "TRUE" | "false" | "False" | "FALSE" | "1" | "0" = trimmed {
        return parse_boolean(trimmed).map_or(Consent::Unclear, |yes| by_column(yes, is_negated));
    }
    if !trimmed.chars().any(char::is_alphanumeric) {
        // A dash fills an empty cell; ticks and crosses answer.
        return if is_empty_like(trimmed) {
            Consent::Silent
        } else {
            parse_boolean(trimmed).map_or(Consent::Unclear, |yes| by_column(yes, is_negated))
        };
    }
    let mut folded = String::new();
    fold_into(&words_apart(trimmed), &mut folded);
    if NOT_ASKED.iter().any(|beginning| folded.starts_with(beginning)) {
        return Consent::Silent;
    }
    let words: Vec<&str> = folded.split(' ').collect();
    if ALWAYS_REFUSING.iter().any(|text| words.concat().contains(text)) {
        return Consent::Refused;
    }
    let is_led_by_negation = NEGATIONS.contains(&words[0]);
    let rest = if is_led_by_negation { &words[1..] } else { &words[..] };
    let together = rest.concat();
    let says = |stems: &[&str], texts: &[&str]| {
        rest.iter().any(|word| stems.iter().any(|stem| word.starts_with(stem))) || texts.iter().any(|text| together.contains(text))
    };
    let has_negation = rest.iter().any(|word| NEGATIONS.contains(word));
    match (says(REFUSING, REFUSING_TOGETHER), says(CONSENTING, CONSENTING_TOGETHER), is_led_by_negation) {
        (true, false, false) => Consent::Refused,
        (false, true, true) if !has_negation => Consent::Refused,
        (false, true, false) if !has_negation => Consent::Given,
        // "Not unsubscribed", "agreed, later withdrawn".
        (true, ..) | (_, true, _) => Consent::Unclear,
        (false, false, _) if words.len() == 1 => read_word(trimmed, words[0], is_negated),
        _ if is_placeholder(trimmed) => Consent::Silent,
        // "No thanks", which says little where the question was who refuses.
        (false, false, true) => {
            if is_negated {
                Consent::Unclear
            } else {
                Consent::Refused
            }
        }
        (false, false, false) => match (parse_boolean(trimmed), parse_boolean(words[0])) {
            (Ok(yes), _) => by_column(yes, is_negated),
            (_, Ok(true)) if !has_negation && !words[0].starts_with(|c: char| c.is_ascii_digit()) => by_column(true, is_negated),
            _ => said_by_date(trimmed, is_negated),
        },
    }
}

fn read_word(text: &str, folded: &str, is_negated: bool) -> Consent {
    match (folded, parse_boolean(text)) {
        ("none", _) => Consent::Silent,
        // To the question who unsubscribed "never" is no refusal, and no consent.
        ("never" | "никогда" | "nekad" | "nunca" | "jamais" | "nie", _) => {
            if is_negated {
                Consent::Unclear
            } else {
                Consent::Refused
            }
        }
        (_, Ok(yes)) => by_column(yes, is_negated),
        _ if is_placeholder(text) => Consent::Silent,
        _ => said_by_date(text, is_negated),
    }
}

fn by_column(yes: bool, is_negated: bool) -> Consent {
    if yes != is_negated { Consent::Given } else { Consent::Refused }
}

/// `no` if any cell refuses, else the first answer that is unclear, else `yes` if any cell consents. Cells come with whether a yes in them refuses.
pub fn of_all<'a>(cells: impl Iterator<Item = (&'a str, bool)>) -> Option<&'a str> {
    let (mut unclear, mut given) = (None, None);
    for (text, is_negated) in cells {
        match read(text, is_negated) {
            Consent::Refused => return Some("no"),
            Consent::Unclear => unclear = unclear.or(Some(text.trim())),
            Consent::Given => given = Some("yes"),
            Consent::Silent => {}
        }
    }
    unclear.or(given)
}

/// The day of a consent, or of a refusal, says that it was given.
fn said_by_date(text: &str, is_negated: bool) -> Consent {
    match (iso_micros(text).is_some() || looks_like_date(text), is_negated) {
        (true, false) => Consent::Given,
        (true, true) => Consent::Refused,
        (false, _) => Consent::Unclear,
    }
}

/// `OptedOut` as `Opted Out`; `UnSubscribed` is one word.
fn words_apart(text: &str) -> String {
    let mut apart = String::with_capacity(text.len() + 4);
    let mut was_lower = false;
    for c in text.chars() {
        if was_lower && c.is_uppercase() && !apart.ends_with("Un") {
            apart.push(' ');
        }
        was_lower = c.is_lowercase();
        apart.push(c);
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_words_of_refusal_are_understood() {
        for (column, text, expected) in [
            ("marketing_consent", "Yes", Some(true)),
            ("Согласие на рассылку", "нет", Some(false)),
            ("HasOptedOutOfEmail", "true", Some(false)),
            ("HasOptedOutOfEmail", "0", Some(true)),
            ("Unsubscribed from all email", "unsubscribed", Some(false)),
            ("Do Not Call", "", None),
            ("consent", "perhaps", None),
            ("Opt-out date", "2024-05-01", Some(false)),
            ("Unsubscribed", "never", None),
            ("Do not call", "no thanks", None),
        ] {
            assert_eq!(parse(text, is_negated(column)), expected, "{column}: {text}");
        }
    }

    #[test]
    fn only_what_surely_consents_is_consent() {
        for refusal in [
            "opt_out",
            "OptedOut",
            "Opt-out",
            "opted out (2023)",
            "OPT OUT",
            "unsubscribe",
            "Unsubscribed",
            "UnSubscribed",
            "No thanks",
            "never",
            "no consent",
            "blocked",
            "stop",
            "STOP",
            "do not contact",
            "Don't call",
            "not subscribed",
            "denied",
            "withdrawn",
            "Revoked",
            "No",
            "0",
            "false",
            "off",
            "без согласия",
            "не согласен",
            "Не согласна",
            "не подписан",
            "отказался",
            "Отказ",
            "отписался",
            "не беспокоить",
            "нет, спасибо",
            "нет",
            "никогда",
            "запрещено",
            "nē",
            "nepiekrītu",
            "Atteicās",
            "atrakstījies",
            "nav piekritis",
            "bez piekrišanas",
            "✗",
            "nein",
            "non",
            "disagree",
            "spam complaint",
            "bounced",
            "rejected",
        ] {
            assert_eq!(read(refusal, false), Consent::Refused, "{refusal}");
        }
        for consent in [
            "yes",
            "Yes, by e-mail",
            "да",
            "jā",
            "1",
            "1.0",
            "TRUE",
            "x",
            "✓",
            "+",
            "on",
            "opt_in",
            "OptedIn",
            "double opt-in",
            "subscribed",
            "Subscriber",
            "granted",
            "agreed",
            "согласен",
            "Согласна",
            "подписан",
            "разрешено",
            "piekrīt",
            "piekrītu",
            "atļauts",
            "accepted",
            "2024-05-01",
            "01.05.2024",
            "ok",
            "есть",
            "enabled",
        ] {
            assert_eq!(read(consent, false), Consent::Given, "{consent}");
        }
        for unclear in [
            "perhaps",
            "not unsubscribed",
            "не отписан",
            "email; sms",
            "yes, but no calls",
            "pending",
            "agreed, later withdrawn",
            "2",
            "ask again",
        ] {
            assert_eq!(read(unclear, false), Consent::Unclear, "{unclear}");
        }
        for silent in ["", "  ", "-", "—", "n/a", "unknown", "None", "null", "не указано", "not asked", "never asked", "нет данных", "?"]
        {
            assert_eq!(read(silent, false), Consent::Silent, "{silent}");
        }
    }
}
