//! Names of companies: legal forms, quotes and punctuation off, a skeleton and an acronym to compare by.
mod legal_forms;
mod words;

pub use legal_forms::LegalForm;
use legal_forms::{match_end, match_start};
use words::{is_industry_word, is_stop_word};

use super::Reason;
use super::text::{fold_into, placeholder_reason, skeleton_into};

/// Longest cell that is taken for a company's name.
const MAX_LEN: usize = 300;

/// One company name, in buffers that are used again for the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompanyName {
    /// The folded words without legal form and quotes, `and` for `&`: `ромашка`, `johnson and johnson`.
    pub core: String,
    /// The skeleton of `core`: meets its transliterations.
    pub skeleton: String,
    /// The skeleton without words that tell companies apart badly (group, trade, the): never empty when `skeleton` is not.
    pub key: String,
    /// First letters of the skeleton's words (`ibm`), when there are at least three words; else empty.
    pub acronym: String,
    /// The legal form.
    pub legal_form: Option<LegalForm>,
    folded: String,
}

/// Takes a company name apart into `out`.
///
/// ```
/// use crm_resolve::normalize::{CompanyName, LegalForm, parse_company};
/// let mut company = CompanyName::default();
/// parse_company("ООО «Ромашка»", &mut company).unwrap();
/// assert_eq!((company.core.as_str(), company.legal_form), ("ромашка", Some(LegalForm::Limited)));
/// parse_company("\"Romashka\", SIA", &mut company).unwrap();
/// assert_eq!((company.skeleton.as_str(), company.legal_form), ("romaska", Some(LegalForm::Limited)));
/// parse_company("International Business Machines Corp.", &mut company).unwrap();
/// assert_eq!((company.core.as_str(), company.acronym.as_str()), ("international business machines", "ibm"));
/// ```
pub fn parse_company(raw: &str, out: &mut CompanyName) -> Result<(), Reason> {
    let CompanyName { core, skeleton, key, acronym, legal_form, folded } = out;
    core.clear();
    skeleton.clear();
    key.clear();
    acronym.clear();
    *legal_form = None;
    if let Some(reason) = placeholder_reason(raw) {
        return Err(reason);
    }
    if raw.len() > MAX_LEN {
        return Err(Reason::TooLong);
    }
    fold_into(raw, folded);
    // A trading name after "dba" stands for the company; what is in front of it is the owner's paper name.
    let maybe_trading_name = folded.split(' ').any(|word| matches!(word, "dba" | "doing" | "trading" | "d" | "t"));
    let folded_text = if maybe_trading_name { trading_name(folded) } else { folded };
    let words = |text: &str| text.split(' ').filter(|word| !word.is_empty()).count();
    let mut name = folded_text;
    // Forms may stand at both ends (`SIA Alfa Ltd`), and two in a row (`GmbH & Co KG`).
    for _ in 0..3 {
        if let Some((rest, form)) = match_end(name).filter(|(rest, _)| !rest.is_empty()) {
            name = rest;
            *legal_form = Some(legal_form.map_or(form, |other: LegalForm| other.stronger(form)));
            continue;
        }
        if let Some((rest, form)) = match_start(name).filter(|(rest, _)| !rest.is_empty()) {
            name = rest;
            *legal_form = Some(legal_form.map_or(form, |other: LegalForm| other.stronger(form)));
            continue;
        }
        break;
    }
    for (place, part) in raw_ampersands(raw, name).enumerate() {
        if place > 0 {
            core.push_str(" and ");
        }
        core.push_str(part);
    }
    skeleton_into(core, skeleton);
    for word in skeleton.split(' ').filter(|word| !is_stop_word(word)) {
        if !key.is_empty() {
            key.push(' ');
        }
        key.push_str(word);
    }
    if key.is_empty() {
        key.push_str(skeleton);
    }
    let significant = || skeleton.split(' ').filter(|word| !matches!(*word, "and" | "un" | "i" | "of" | "te" | "de" | "und" | "et"));
    if words(skeleton) >= 3 && significant().count() >= 3 {
        acronym.extend(significant().filter_map(|word| word.chars().next()));
    }
    Ok(())
}

/// What stands after "doing business as" in a folded name, else the name.
fn trading_name(folded: &str) -> &str {
    ["doing business as ", "trading as ", "d b a ", " dba ", " t a "]
        .iter()
        .find_map(|mark| folded.find(mark).map(|at| &folded[at + mark.len()..]).filter(|rest| !rest.is_empty()))
        .unwrap_or(folded)
}

/// Folding makes a gap of `&`; where the raw name has one between two words of `name`, the parts are given apart.
fn raw_ampersands<'a>(raw: &str, name: &'a str) -> impl Iterator<Item = &'a str> {
    // One `&` with exactly one word boundary after the folded left part: cut there. More are rare and read as gaps.
    let mut cut = None;
    if let Some(at) = memchr::memchr2(b'&', b'+', raw.as_bytes()).filter(|_| raw.matches(['&', '+']).count() == 1) {
        let mut left = String::new();
        fold_into(raw.get(..at).unwrap_or(""), &mut left);
        // The legal form may have been taken off the left end.
        for (place, _) in name.match_indices(' ') {
            if left.ends_with(&name[..place]) && (left.len() == place || left.as_bytes()[left.len() - place - 1] == b' ') {
                cut = Some(place);
            }
        }
    }
    let (first, second) = match cut {
        Some(place) => (&name[..place], Some(&name[place + 1..])),
        None => (name, None),
    };
    std::iter::once(first).chain(second)
}

/// Whether a name is a company's rather than a person's.
///
/// ```
/// use crm_resolve::normalize::looks_like_company;
/// assert!(looks_like_company("ООО Ромашка") && looks_like_company("Riga Trade Group") && looks_like_company("АО \"Вектор\""));
/// assert!(!looks_like_company("John Smith") && !looks_like_company("Иванова Анна"));
/// ```
pub fn looks_like_company(raw: &str) -> bool {
    company_confidence(raw) >= 0.5
}

/// 0 to 1: how much a cell looks like a company's name: a legal form is certain, a word of a trade or quotes are strong, digits and ampersands weak.
pub fn company_confidence(raw: &str) -> f32 {
    if raw.len() > MAX_LEN || placeholder_reason(raw).is_some() || raw.contains('@') {
        return 0.0;
    }
    let mut folded = String::with_capacity(raw.len());
    fold_into(raw, &mut folded);
    if !folded.contains(char::is_alphabetic) {
        return 0.0;
    }
    let form = match_end(&folded).or_else(|| match_start(&folded)).filter(|(rest, _)| !rest.is_empty());
    if let Some((_, form)) = form {
        // A sole trader's form stands before a person's name.
        return if form == LegalForm::SoleTrader { 0.7 } else { 1.0 };
    }
    let n_industry = folded.split(' ').filter(|word| is_industry_word(word)).count();
    let quoted = raw.contains(['«', '»', '„', '“', '"']);
    match (n_industry, quoted) {
        (0, false) => {
            if raw.contains('&') {
                0.5
            } else if raw.chars().any(|c| c.is_ascii_digit()) {
                0.3
            } else {
                0.1
            }
        }
        (0, true) => 0.5,
        (1, _) => 0.75,
        _ => 0.9,
    }
}
