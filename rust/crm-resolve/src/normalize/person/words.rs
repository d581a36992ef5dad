//! Words around a name: titles, generational suffixes, particles of family names.
use super::super::Reason;

/// A generational suffix: two people of one name and address are told apart by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Suffix {
    /// Jr, младший.
    Junior,
    /// Sr, старший.
    Senior,
    /// I.
    First,
    /// II.
    Second,
    /// III.
    Third,
    /// IV.
    Fourth,
    /// V.
    Fifth,
}

impl Suffix {
    /// As it is written in a golden record: `Jr`, `Sr`, `III`.
    pub fn as_str(self) -> &'static str {
        match self {
            Suffix::Junior => "Jr",
            Suffix::Senior => "Sr",
            Suffix::First => "I",
            Suffix::Second => "II",
            Suffix::Third => "III",
            Suffix::Fourth => "IV",
            Suffix::Fifth => "V",
        }
    }

    /// Whether the two cannot belong to one person. Jr and II may: both say "the second of the name".
    pub fn contradicts(self, other: Self) -> bool {
        let junior = |suffix| matches!(suffix, Suffix::Junior | Suffix::Second);
        let senior = |suffix| matches!(suffix, Suffix::Senior | Suffix::First);
        self != other && !(junior(self) && junior(other)) && !(senior(self) && senior(other))
    }
}

/// Reads a suffix cell. Degrees (`PhD`, `MD`) are [`Reason::Unknown`]: they do not tell people apart.
///
/// ```
/// use crm_resolve::normalize::{Suffix, parse_suffix};
/// assert_eq!(parse_suffix("Jr."), Ok(Suffix::Junior));
/// assert!(parse_suffix("jnr").unwrap().contradicts(Suffix::Senior));
/// ```
pub fn parse_suffix(raw: &str) -> Result<Suffix, Reason> {
    if let Some(reason) = super::super::placeholder_reason(raw) {
        return Err(reason);
    }
    let mut lower = String::with_capacity(raw.len());
    super::super::fold_into(raw, &mut lower);
    generation(&lower).ok_or(Reason::Unknown)
}

/// A folded word as a suffix. `i` and `v` alone are initials far more often and are not taken.
pub(super) fn generation(folded: &str) -> Option<Suffix> {
    Some(match folded {
        "jr" | "jnr" | "junior" | "мл" | "младший" | "младшая" | "jun" | "jaunakais" | "filho" | "fils" => Suffix::Junior,
        "sr" | "snr" | "senior" | "ст" | "старший" | "старшая" | "sen" | "vecakais" | "pere" => Suffix::Senior,
        "1st" => Suffix::First,
        "ii" | "2nd" => Suffix::Second,
        "iii" | "3rd" => Suffix::Third,
        "iv" | "4th" => Suffix::Fourth,
        "5th" => Suffix::Fifth,
        _ => return None,
    })
}

/// A folded word as a degree or order after a name.
pub(super) fn is_degree(folded: &str) -> bool {
    matches!(
        folded,
        "phd"
            | "md"
            | "dds"
            | "esq"
            | "esquire"
            | "cpa"
            | "jd"
            | "mba"
            | "msc"
            | "bsc"
            | "ma"
            | "ba"
            | "dvm"
            | "rn"
            | "pe"
            | "obe"
            | "mbe"
            | "cbe"
            | "kbe"
            | "kc"
            | "qc"
            | "mp"
            | "frs"
            | "llm"
            | "llb"
            | "edd"
            | "dphil"
            | "ret"
            | "кмн"
            | "дмн"
            | "ктн"
            | "дтн"
            | "кэн"
            | "ктхн"
            | "dmd"
            | "cfa"
            | "pmp"
            | "ccim"
            | "do"
            | "np"
            | "pa"
            | "pharmd"
            | "psyd"
            | "rev"
            | "bt"
            | "bart"
    )
}

/// A folded word as a title before a name, and the gender that it tells (`'f'`, `'m'`, or `' '`).
pub(super) fn title(folded: &str) -> Option<char> {
    Some(match folded {
        "mr" | "mister" | "sir" | "lord" | "herr" | "monsieur" | "signor" | "sig" | "senor" | "don" | "pan" | "kungs" | "kgs"
        | "господин" | "г н" | "гн" | "monsr" | "mons" | "hr" | "pane" | "sr" | "brother" | "fr" | "father" | "master" | "mstr" | "пан"
        | "ponas" | "harra" | "herra" => 'm',
        "mrs" | "ms" | "miss" | "missus" | "madam" | "madame" | "mme" | "mlle" | "mademoiselle" | "frau" | "fraulein" | "signora"
        | "sra" | "senora" | "srta" | "dona" | "pani" | "kundze" | "kdze" | "jaunkundze" | "госпожа" | "г жа" | "гжа" | "lady" | "dame"
        | "sister" | "mx_f" | "пани" | "rouva" | "proua" | "ponia" | "mevrouw" | "mevr" | "fru" => 'f',
        "dr" | "doctor" | "prof" | "professor" | "rev" | "reverend" | "hon" | "honorable" | "capt" | "captain" | "col" | "colonel"
        | "gen" | "general" | "lt" | "maj" | "major" | "sgt" | "sergeant" | "mx" | "dipl" | "ing" | "mag" | "др" | "доктор" | "д р"
        | "проф" | "профессор" | "acad" | "акад" | "академик" | "гр" | "гражданин" | "тов" | "товарищ" | "docteur" | "dott" | "dottssa"
        | "avv" | "lic" | "arq" | "datuk" | "dato" | "haji" | "hajji" | "sheikh" | "shaikh" | "maitre" | "dhr" | "atty" | "attorney"
        | "judge" | "amb" | "pastor" | "rabbi" | "shri" | "smt" | "ип" | "judr" | "mudr" | "phdr" | "rndr" | "mgr" | "bc" => ' ',
        _ => return None,
    })
}

/// A folded word as a particle that belongs to the family name after it.
pub(super) fn is_particle(folded: &str) -> bool {
    // Longer than any of them: most words.
    folded.len() <= 10
        && matches!(
            folded,
            "van"
                | "von"
                | "der"
                | "den"
                | "de"
                | "del"
                | "della"
                | "dela"
                | "di"
                | "da"
                | "dos"
                | "das"
                | "do"
                | "du"
                | "la"
                | "le"
                | "les"
                | "los"
                | "las"
                | "ter"
                | "ten"
                | "te"
                | "zu"
                | "zum"
                | "zur"
                | "vom"
                | "af"
                | "av"
                | "bin"
                | "ibn"
                | "bint"
                | "ben"
                | "bat"
                | "al"
                | "el"
                | "ul"
                | "abu"
                | "abd"
                | "san"
                | "santa"
                | "st"
                | "saint"
                | "mac"
                | "mc"
                | "o"
                | "op"
                | "t"
                | "ver"
                | "фон"
                | "ван"
                | "де"
                | "дер"
                | "ди"
                | "да"
                | "ла"
                | "ле"
                | "аль"
                | "эль"
                | "бен"
                | "ибн"
                | "бин"
                | "дю"
                | "дель"
                | "тер"
                | "dal"
                | "dalla"
                | "degli"
                | "lo"
                | "y"
                | "e"
        )
}

/// A word after a Turkic patronymic: son of, daughter of.
pub(super) fn is_child_of(folded: &str) -> Option<char> {
    Some(match folded {
        "оглы" | "оглу" | "ogly" | "oglu" | "oglou" | "угли" | "ugli" | "улы" | "уулу" | "ogli" => 'm',
        "кызы" | "гызы" | "kyzy" | "kizi" | "qizi" | "кизи" => 'f',
        _ => return None,
    })
}
