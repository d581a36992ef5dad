//! Cities and regions: one key for their spellings.
use std::sync::OnceLock;

use hashbrown::HashMap;

use super::super::{skeleton, skeleton_into};

/// `name | other spelling | …` per line.
const CITIES: &str = include_str!("cities.txt");
const REGIONS: &str = include_str!("regions.txt");

type Aliases = HashMap<String, String, foldhash::fast::FixedState>;

fn read(table: &str) -> Aliases {
    let mut aliases = Aliases::default();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut names = line.split('|').map(str::trim).filter(|name| !name.is_empty());
        let Some(first) = names.next().map(skeleton) else { continue };
        for name in names {
            aliases.entry(skeleton(name)).or_insert_with(|| first.clone());
        }
    }
    aliases
}

/// Replaces `out` with the key of a city: its skeleton without `г.`, `city of` and the like, abbreviations written out, and well-known other names
/// (СПб, Екб, NYC, LA, Kyiv and Kiev) made one. Empty for a cell without letters.
///
/// ```
/// use crm_resolve::normalize::city_key_into;
/// let key = |city: &str| { let mut out = String::new(); city_key_into(city, &mut out); out };
/// assert_eq!(key("г. Рига"), key("Rīga"));
/// assert_eq!(key("СПб"), key("Saint Petersburg"));
/// assert_eq!(key("NYC"), key("New York"));
/// ```
pub fn city_key_into(raw: &str, out: &mut String) {
    static ALIASES: OnceLock<Aliases> = OnceLock::new();
    let aliases = ALIASES.get_or_init(|| read(CITIES));
    skeleton_into(raw, out);
    if let Some(canonical) = aliases.get(out.as_str()) {
        out.clone_from(canonical);
        return;
    }
    // Words around the name, at either end.
    const BEFORE: [&str; 16] =
        ["g", "gor", "gorod", "city", "citi", "of", "town", "pos", "poselok", "pgt", "selo", "derevna", "s", "d", "misto", "der"];
    const AFTER: [&str; 6] = ["g", "city", "citi", "pilseta", "pils", "town"];
    let mut trimmed = out.as_str();
    while let Some((first, rest)) = trimmed.split_once(' ')
        && BEFORE.contains(&first)
    {
        trimmed = rest;
    }
    while let Some((rest, last)) = trimmed.rsplit_once(' ')
        && AFTER.contains(&last)
        && !aliases.contains_key(trimmed)
    {
        trimmed = rest;
    }
    if trimmed.split(' ').any(|word| matches!(word, "st" | "ft" | "mt" | "ste" | "n" | "s" | "e" | "w" | "sv" | "niz" | "niznii")) {
        let expanded: Vec<&str> = trimmed
            .split(' ')
            .map(|word| match word {
                "st" | "ste" => "saint",
                "ft" => "fort",
                "mt" => "mount",
                "n" => "nort",
                "s" => "sut",
                "e" => "east",
                "w" => "vest",
                "niz" => "nizni",
                word => word,
            })
            .collect();
        *out = expanded.join(" ");
    } else if trimmed.len() != out.len() {
        *out = trimmed.to_owned();
    }
    if let Some(canonical) = aliases.get(out.as_str()) {
        out.clone_from(canonical);
    }
}

/// Replaces `out` with the key of a state, region or county: its skeleton without the words for such (область, county, novads), and the codes of US, Canadian
/// and Australian states as their names.
///
/// ```
/// use crm_resolve::normalize::region_key_into;
/// let key = |region: &str| { let mut out = String::new(); region_key_into(region, &mut out); out };
/// assert_eq!(key("CA"), key("California"));
/// assert_eq!(key("Московская обл."), key("Московская область"));
/// ```
pub fn region_key_into(raw: &str, out: &mut String) {
    static ALIASES: OnceLock<Aliases> = OnceLock::new();
    let aliases = ALIASES.get_or_init(|| read(REGIONS));
    skeleton_into(raw, out);
    if let Some(canonical) = aliases.get(out.as_str()) {
        out.clone_from(canonical);
        return;
    }
    if out.contains(' ') {
        let kept: Vec<&str> = out
            .split(' ')
            .filter(|word| {
                !matches!(
                    *word,
                    "oblast"
                        | "obl"
                        | "krai"
                        | "respublika"
                        | "resp"
                        | "raion"
                        | "raiona"
                        | "okrug"
                        | "ao"
                        | "novads"
                        | "novada"
                        | "raions"
                        | "kounti"
                        | "kunti"
                        | "county"
                        | "state"
                        | "of"
                        | "stat"
                        | "province"
                        | "provincia"
                        | "voevodstvo"
                        | "regon"
                        | "region"
                        | "maakond"
                        | "apskritis"
                        | "land"
                )
            })
            .collect();
        if !kept.is_empty() {
            *out = kept.join(" ");
        }
    }
    if let Some(canonical) = aliases.get(out.as_str()) {
        out.clone_from(canonical);
    }
}
