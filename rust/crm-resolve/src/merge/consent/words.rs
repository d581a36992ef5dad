//! Words of refusal and of consent, folded: case and marks are off.

/// Beginnings of words that refuse, folded, in any place of the text.
#[rustfmt::skip]
pub const REFUSING: &[&str] = &[
    "unsub", "refus", "declin", "denied", "denies", "withdr", "revok", "reject", "block", "blacklist", "stop", "bounce", "suppress",
    "spam", "complain", "object", "disagre", "dissent", "forbid", "forbidden", "prohibit", "отпис", "отказ", "отклон", "отозва", "отзыв",
    "запре", "заблок", "возра", "жалоб", "несоглас", "atteik", "atteic", "atsak", "atrakst", "atsauc", "nepiekr", "negrib", "nevel",
    "nesut", "aizlie", "liegt", "nesutink", "abgemeld", "abgelehnt", "widerruf", "widersp", "desinscri", "desabon", "rechaz",
];
/// The same, of text without its spaces: `opt out`, `OptedOut`, `opting_out`.
#[rustfmt::skip]
pub const REFUSING_TOGETHER: &[&str] = &[
    "optout", "optedout", "optingout", "optsout",
];
/// Refusals whose negation is a part of them, of text without its spaces.
#[rustfmt::skip]
pub const ALWAYS_REFUSING: &[&str] = &[
    "donot", "dontcontact", "dontcall", "dontmail", "небеспоко", "незвон", "неписа",
];
/// Beginnings of words that consent.
#[rustfmt::skip]
pub const CONSENTING: &[&str] = &[
    "subscrib", "consent", "grant", "given", "agree", "accept", "allow", "approv", "permit", "confirm", "optin", "подпис", "соглас",
    "разреш", "дано", "piekr", "atlau", "pierakst", "sutink", "angemeldet", "zugestimm", "einverstanden", "abonn",
];
#[rustfmt::skip]
pub const CONSENTING_TOGETHER: &[&str] = &[
    "optin", "optedin",
];
/// Words that turn the ones around them into their opposite.
#[rustfmt::skip]
pub const NEGATIONS: &[&str] = &[
    "no", "not", "non", "never", "without", "dont", "doesnt", "didnt", "cannot", "cant", "wont", "не", "нет", "ни", "без", "никогда",
    "ne", "nav", "bez", "nekad", "nein", "nicht", "kein", "keine", "nie", "nunca", "jamais",
];
/// Beginnings of texts that say that nobody asked.
#[rustfmt::skip]
pub const NOT_ASKED: &[&str] = &[
    "not asked", "never asked", "not yet asked", "no answer", "no response", "no reply", "не спрашив", "не спрошен", "нет ответа",
    "nav jautats", "nav atbildes",
];
