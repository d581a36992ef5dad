//! Marketing consent in the words of exports.

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
    let lower = text.trim().to_lowercase();
    // The word of refusal itself speaks whatever the column is called.
    const REFUSED: &[&str] = &[
        "opt-out",
        "optout",
        "opt out",
        "opted out",
        "opted-out",
        "unsubscribed",
        "withdrawn",
        "revoked",
        "denied",
        "refused",
        "отказ",
        "отписан",
        "отписался",
        "отписана",
        "atteicies",
        "atteikusies",
    ];
    const GIVEN: &[&str] = &[
        "opt-in",
        "optin",
        "opt in",
        "opted in",
        "opted-in",
        "subscribed",
        "granted",
        "given",
        "подписан",
        "подписана",
        "согласен",
        "согласна",
        "piekrīt",
    ];
    const NO: &[&str] = &["no", "n", "false", "f", "0", "0.0", "off", "нет", "ложь", "н", "nē", "ne"];
    const YES: &[&str] = &["yes", "y", "true", "t", "1", "1.0", "on", "да", "истина", "д", "jā", "ja", "x", "✓", "✔", "+"];
    if REFUSED.contains(&lower.as_str()) {
        Some(false)
    } else if GIVEN.contains(&lower.as_str()) {
        Some(true)
    } else if NO.contains(&lower.as_str()) {
        Some(is_negated)
    } else if YES.contains(&lower.as_str()) {
        Some(!is_negated)
    } else {
        None
    }
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
        ] {
            assert_eq!(parse(text, is_negated(column)), expected, "{column}: {text}");
        }
    }
}
