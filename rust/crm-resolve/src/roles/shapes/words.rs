//! Job titles, companies, names.
use crate::normalize::company_confidence;

/// Whether it holds a word of a job title.
pub fn is_job_title(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "manager",
        "director",
        "engineer",
        "assistant",
        "officer",
        "ceo",
        "cto",
        "cfo",
        "coo",
        "analyst",
        "consultant",
        "accountant",
        "developer",
        "teacher",
        "nurse",
        "sales",
        "head",
        "president",
        "vp",
        "owner",
        "founder",
        "administrator",
        "specialist",
        "coordinator",
        "designer",
        "lawyer",
        "technician",
        "buyer",
        "secretary",
        "supervisor",
        "менеджер",
        "директор",
        "инженер",
        "бухгалтер",
        "руководитель",
        "специалист",
        "начальник",
        "заместитель",
        "юрист",
        "администратор",
        "продавец",
        "врач",
        "учитель",
        "водитель",
        "аналитик",
        "программист",
        "секретарь",
        "заведующий",
        "vadītājs",
        "vadītāja",
        "direktors",
        "direktore",
        "grāmatvedis",
        "grāmatvede",
        "inženieris",
        "speciālists",
        "speciāliste",
        "menedžeris",
        "pārdevējs",
        "jurists",
        "valdes",
        "geschäftsführer",
        "leiter",
        "leiterin",
        "ingenieur",
        "buchhalter",
        "gérant",
        "directeur",
        "comptable",
        "gerente",
        "kierownik",
        "dyrektor",
        "księgowa",
        "politician",
        "writer",
        "actor",
        "lawyer",
        "footballer",
        "painter",
        "architect",
        "historian",
        "physician",
        "cricketer",
        "poet",
        "musician",
        "composer",
        "clergyman",
        "executive",
        "clerk",
        "chief",
        "lead",
    ];
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).any(|word| WORDS.contains(&word))
}

/// Whether it is a form of address or a title before a name, as lists of people have it in a column of its own.
pub fn is_salutation(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "mr",
        "mrs",
        "ms",
        "miss",
        "mx",
        "dr",
        "prof",
        "sir",
        "madam",
        "herr",
        "hr",
        "frau",
        "fr",
        "m",
        "mme",
        "mlle",
        "monsieur",
        "madame",
        "sr",
        "sra",
        "srta",
        "senor",
        "senora",
        "sig",
        "pan",
        "pani",
        "kungs",
        "kundze",
        "k-gs",
        "k-dze",
        "г-н",
        "г-жа",
        "господин",
        "госпожа",
        "пан",
        "пані",
        "mgr",
        "inz",
        "ing",
        "mag",
        "dipl",
        "dott",
    ];
    let lower = text.to_lowercase();
    let mut words = lower.split([' ', '.', ',', '/']).filter(|word| !word.is_empty()).peekable();
    words.peek().is_some() && words.all(|word| WORDS.contains(&word))
}

/// Whether it carries a legal form of a company, or words of a trade.
pub fn has_legal_form(text: &str) -> bool {
    company_confidence(text.trim()) >= 0.5
}

/// The words of a text that is only letters (and `-'.`), as names are; `None` for anything else.
pub fn name_words(text: &str) -> Option<usize> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 60 {
        return None;
    }
    let name_like =
        text.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’' | '.' | ',' | '`' | '\u{300}'..='\u{36f}'));
    (name_like && text.chars().any(char::is_alphabetic)).then(|| text.split_whitespace().count())
}
