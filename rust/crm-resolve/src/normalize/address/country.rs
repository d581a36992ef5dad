//! Countries by name or code.
use std::sync::OnceLock;

use hashbrown::HashMap;

use super::super::{Reason, fold_into, folded, placeholder_reason};

/// `ISO2|ISO3|name|name|…` per line.
const TABLE: &str = include_str!("countries.txt");

/// A country, as its ISO 3166 code of two letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country(pub [u8; 2]);

impl Country {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

fn names() -> &'static HashMap<String, Country, foldhash::fast::FixedState> {
    static NAMES: OnceLock<HashMap<String, Country, foldhash::fast::FixedState>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names = HashMap::default();
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let mut fields = line.split('|');
            let Some(&[a, b]) = fields.next().map(str::as_bytes) else { continue };
            for name in std::iter::once(&line[..2]).chain(fields) {
                names.entry(folded(name)).or_insert(Country([a, b]));
            }
        }
        names
    })
}

/// Reads a country: ISO codes of two and three letters, names in English, Russian, Latvian and seven more languages, usual abbreviations (USA, РФ, ASV, UK).
///
/// ```
/// use crm_resolve::normalize::parse_country;
/// for written in ["LV", "lva", "Latvia", "Латвия", "Latvijas Republika", "Lettland"] {
///     assert_eq!(parse_country(written).unwrap().as_str(), "LV");
/// }
/// ```
pub fn parse_country(raw: &str) -> Result<Country, Reason> {
    // Before the list of placeholders: NA is Namibia only where a country is asked for, and there too it mostly means "not available".
    if let Some(reason) = placeholder_reason(raw) {
        return Err(reason);
    }
    if raw.len() > 100 {
        return Err(Reason::TooLong);
    }
    let mut text = String::with_capacity(raw.len());
    fold_into(raw, &mut text);
    let names = names();
    names.get(text.as_str()).or_else(|| names.get(text.strip_prefix("the ")?)).copied().ok_or(Reason::Unknown)
}

/// 0 to 1: how much a cell looks like a country: a name is certain, a code of two letters weak (it may be a state or a language).
pub fn country_confidence(raw: &str) -> f32 {
    match parse_country(raw) {
        Ok(_) if raw.trim().len() <= 2 => 0.5,
        Ok(_) => 1.0,
        Err(_) => 0.0,
    }
}
