//! Gender: as a column says it, and as names hint it.
use super::super::{Reason, placeholder_reason};
use super::endings::{PatronymicGender, patronymic_gender};
use super::nicknames::given_name_gender;

/// A person's gender as the data says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Gender {
    /// Female.
    Female,
    /// Male.
    Male,
    /// Said to be neither or another; never a contradiction.
    Other,
}

impl Gender {
    /// `female`, `male`, `other`.
    pub fn as_str(self) -> &'static str {
        match self {
            Gender::Female => "female",
            Gender::Male => "male",
            Gender::Other => "other",
        }
    }
}

/// Reads a gender cell: words and letters in English, Russian, Latvian, German, French, Spanish, and ISO 5218 codes (1 male, 2 female, 9 not applicable).
///
/// ```
/// use crm_resolve::normalize::{Gender, parse_gender};
/// assert_eq!(parse_gender("Жен."), Ok(Gender::Female));
/// assert_eq!(parse_gender("vīrietis"), Ok(Gender::Male));
/// assert!(parse_gender("?").is_err());
/// ```
pub fn parse_gender(raw: &str) -> Result<Gender, Reason> {
    let text = raw.trim();
    // The common codes without folding.
    match text {
        "f" | "F" | "female" | "Female" | "FEMALE" => return Ok(Gender::Female),
        "m" | "M" | "male" | "Male" | "MALE" => return Ok(Gender::Male),
        "0" => return Err(Reason::Placeholder),
        _ => {}
    }
    if let Some(reason) = placeholder_reason(text) {
        return Err(reason);
    }
    if text.len() > 40 {
        return Err(Reason::Unknown);
    }
    Ok(match super::super::folded(text).as_str() {
        "f" | "fem" | "female" | "w" | "woman" | "girl" | "2" | "ж" | "жен" | "женский" | "женщина" | "женск" | "дама" | "siev"
        | "sieviete" | "s" | "sieviesu" | "weiblich" | "frau" | "femme" | "feminin" | "mujer" | "femenino" | "kobieta" | "k" | "mrs"
        | "ms" | "miss" | "naine" | "moteris" => Gender::Female,
        "m" | "male" | "man" | "boy" | "1" | "м" | "муж" | "мужской" | "мужчина" | "мужск" | "vir" | "virietis" | "v" | "viriesu"
        | "mannlich" | "herr" | "homme" | "masculin" | "hombre" | "masculino" | "mezczyzna" | "mr" | "mees" | "vyras" => Gender::Male,
        "x" | "o" | "other" | "non binary" | "nonbinary" | "diverse" | "divers" | "d" | "другой" | "другое" | "cits" | "9" | "nb" => {
            Gender::Other
        }
        "u" | "?" | "not applicable" => return Err(Reason::Placeholder),
        _ => return Err(Reason::Unknown),
    })
}

/// The gender that the parts of a name hint, over skeletons; empty texts say nothing. The patronymic is the surest, then the
/// given name's table, then a Slavic or Latvian family name's ending. `None` when they say nothing.
///
/// ```
/// use crm_resolve::normalize::{Gender, gender_hint, skeleton};
/// assert_eq!(gender_hint("", "", &skeleton("Петровна")), Some(Gender::Female));
/// assert_eq!(gender_hint(&skeleton("Саша"), &skeleton("Иванова"), ""), Some(Gender::Female));
/// ```
pub fn gender_hint(given_skeleton: &str, family_skeleton: &str, middle_skeleton: &str) -> Option<Gender> {
    match patronymic_gender(middle_skeleton) {
        Some(PatronymicGender::Female) => return Some(Gender::Female),
        Some(PatronymicGender::Male) => return Some(Gender::Male),
        None => {}
    }
    if let Some(gender) = given_name_gender(given_skeleton) {
        return Some(gender);
    }
    let ends = |ends: &[&str]| family_skeleton.len() >= 5 && ends.iter().any(|end| family_skeleton.ends_with(end));
    if ends(&["ova", "eva", "skaia", "ckaia", "aia"]) {
        return Some(Gender::Female);
    }
    if ends(&["ov", "ev", "ski", "cki", "ovs", "evs", "skis"]) {
        return Some(Gender::Male);
    }
    None
}
