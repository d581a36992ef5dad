//! What the end of a word says: patronymics and family names, over skeletons, so that all transliterations are one case.

/// Whose patronymic it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PatronymicGender {
    /// -ovich, -evich, -ich.
    Male,
    /// -ovna, -evna, -ichna, -inichna.
    Female,
}

/// Whether a skeleton's word is an East Slavic patronymic, and whose.
///
/// ```
/// use crm_resolve::normalize::{PatronymicGender, patronymic_gender, skeleton};
/// assert_eq!(patronymic_gender(&skeleton("Сергеевна")), Some(PatronymicGender::Female));
/// assert_eq!(patronymic_gender(&skeleton("Ilyich")), Some(PatronymicGender::Male));
/// assert_eq!(patronymic_gender(&skeleton("Абрамович")), Some(PatronymicGender::Male)); // a surname as well: the slot decides
/// assert_eq!(patronymic_gender(&skeleton("Ivanov")), None);
/// ```
pub fn patronymic_gender(skeleton: &str) -> Option<PatronymicGender> {
    if skeleton.len() < 4 || skeleton.contains(' ') {
        return None;
    }
    const FEMALE: [&str; 5] = ["ovna", "evna", "avna", "icna", "ivna"];
    const MALE: [&str; 7] = ["ovic", "evic", "avic", "uvic", "ovics", "evics", "avics"];
    if FEMALE.iter().any(|end| skeleton.ends_with(end)) {
        return Some(PatronymicGender::Female);
    }
    if MALE.iter().any(|end| skeleton.ends_with(end)) {
        return Some(PatronymicGender::Male);
    }
    matches!(skeleton, "ilic" | "kuzmic" | "nikitic" | "fomic" | "lukic" | "savic" | "ilinic" | "samuilic" | "savvic" | "ionic")
        .then_some(PatronymicGender::Male)
}

/// Whether a skeleton's word ends as family names do in East Slavic languages, Latvian, Lithuanian, Polish, Armenian, Georgian, Greek, Serbian or
/// Scandinavian: a hint for the order of a full name, not a verdict.
pub fn looks_like_family_name(skeleton: &str) -> bool {
    const ENDS: [&str; 58] = [
        "ov", "ova", "ev", "eva", "ovs", "evs", "ski", "skaia", "skis", "ska", "cki", "ckaia", "enko", "cuk", "iuk", "uk", "ak", "ian",
        "ianc", "svili", "dze", "adze", "ia", "ins", "insh", "inia", "itis", "ite", "onis", "son", "sen", "ovic", "evic", "ic", "opulos",
        "idis", "akis", "ko", "in", "ina", "ih", "ovh", "ago", "ovo", "auskas", "auskene", "aite", "iene", "as", "uniene", "sons", "sone",
        "nieks", "nece", "oglu", "berg", "man", "stein",
    ];
    let last = skeleton.as_bytes().last();
    skeleton.len() >= 5 && ENDS.iter().any(|end| end.as_bytes().last() == last && skeleton.ends_with(end))
}
