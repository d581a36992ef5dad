//! A full name taken apart.
use super::super::text::{FoldedWords, is_word_char};
use super::super::{Reason, fold_into, placeholder_reason, skeleton_into};
use super::endings::{looks_like_family_name, patronymic_gender};
use super::gender::Gender;
use super::nicknames::is_known_given_name;
use super::words::{Suffix, generation, is_child_of, is_degree, is_particle, title};

/// Longest cell that is taken for a person's name.
const MAX_LEN: usize = 160;
const MAX_WORDS: usize = 12;

/// How the order of a full name was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NameOrder {
    /// One word only: it stands in `family` unless it is a known given name.
    #[default]
    Single,
    /// `Family, Given`.
    Comma,
    /// Given name first, by evidence (a known name, a patronymic, an initial, a particle, capitals).
    GivenFirst,
    /// Family name first, by evidence.
    FamilyFirst,
    /// Given name first, for want of evidence: the other order should be tried as well.
    AssumedGivenFirst,
    /// Family name first, for want of evidence (Cyrillic): the other order should be tried as well.
    AssumedFamilyFirst,
}

impl NameOrder {
    /// Whether the order is only assumed.
    pub fn is_assumed(self) -> bool {
        matches!(self, NameOrder::AssumedGivenFirst | NameOrder::AssumedFamilyFirst | NameOrder::Single)
    }
}

/// The parts of a person's name as written (titles and punctuation off), in buffers that are used again for the next name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonName {
    /// First name or its initial.
    pub given: String,
    /// Middle names, initials or the patronymic.
    pub middle: String,
    /// Family name with its particles (`van Beethoven`); a double name keeps its hyphen.
    pub family: String,
    /// A name in brackets or quotes: a nickname or a maiden name.
    pub other: String,
    /// Jr, Sr, III.
    pub suffix: Option<Suffix>,
    /// What a title says (Mr, Frau, г-жа).
    pub title_gender: Option<Gender>,
    /// How the order was found.
    pub order: NameOrder,
    words: WordBuffers,
}

/// Scratch space for one name.
#[derive(Debug, Clone, Default)]
struct WordBuffers {
    folded: String,
    skeleton: String,
}

impl PartialEq for WordBuffers {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for WordBuffers {}

#[derive(Clone, Copy, Default)]
struct Word<'a> {
    text: &'a str,
    initial: bool,
    particle: bool,
    capitals: bool,
    cyrillic: bool,
    patronymic: bool,
    known_given: bool,
    family_like: bool,
}

impl PersonName {
    fn clear(&mut self) {
        self.given.clear();
        self.middle.clear();
        self.family.clear();
        self.other.clear();
        self.suffix = None;
        self.title_gender = None;
        self.order = NameOrder::Single;
    }
}

fn append(out: &mut String, words: &[Word<'_>]) {
    for word in words {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word.text);
    }
}

/// Takes a full name apart into `out`.
///
/// Understands `Family, Given Middle`, given-first and family-first order, the patronymic's slot, initials (`И.И. Иванов`, `Иванов ИИ`), titles, suffixes,
/// degrees, particles (`van`, `de la`, `bin`), Turkic `оглы`, nicknames in brackets or quotes, capitals (`SMITH John`). Where nothing tells the order it is
/// assumed, and [`PersonName::order`] says so.
///
/// ```
/// use crm_resolve::normalize::{PersonName, Suffix, parse_full_name};
/// let mut name = PersonName::default();
/// parse_full_name("Dr. Ludwig van Beethoven Jr.", &mut name).unwrap();
/// assert_eq!((name.given.as_str(), name.family.as_str(), name.suffix), ("Ludwig", "van Beethoven", Some(Suffix::Junior)));
/// parse_full_name("Иванова Анна Петровна", &mut name).unwrap();
/// assert_eq!((name.family.as_str(), name.given.as_str(), name.middle.as_str()), ("Иванова", "Анна", "Петровна"));
/// parse_full_name("И.И. Иванов", &mut name).unwrap();
/// assert_eq!((name.family.as_str(), name.given.as_str(), name.middle.as_str()), ("Иванов", "И", "И"));
/// ```
pub fn parse_full_name(raw: &str, out: &mut PersonName) -> Result<(), Reason> {
    out.clear();
    if let Some(reason) = placeholder_reason(raw) {
        return Err(reason);
    }
    if raw.len() > MAX_LEN {
        return Err(Reason::TooLong);
    }
    if !raw.chars().any(|c| is_word_char(c) && !c.is_ascii_digit()) {
        return Err(Reason::NoLetters);
    }
    let mut words = [Word::default(); MAX_WORDS];
    let mut n_words = 0;
    // Words before the first comma that is followed by a name; 0 without one.
    let mut n_before_comma = 0;
    let mut rest = raw;
    while let Some(start) = rest.find(|c: char| is_word_char(c) || matches!(c, '(' | '"' | '«' | '“' | '„' | ',')) {
        let text = &rest[start..];
        let first = text.chars().next().unwrap_or(' ');
        if first == ',' {
            if n_before_comma == 0 {
                n_before_comma = n_words;
            }
            rest = &text[1..];
            continue;
        }
        if !is_word_char(first) {
            let close = match first {
                '(' => ')',
                '«' => '»',
                '“' | '„' => '”',
                _ => '"',
            };
            let inner = &text[first.len_utf8()..];
            match inner.find(close) {
                Some(end) => {
                    if out.other.is_empty() {
                        out.other.push_str(inner[..end].trim());
                    }
                    rest = &inner[end + close.len_utf8()..];
                }
                None => rest = inner,
            }
            continue;
        }
        let end = text
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | '.' | '(' | ')' | '"' | '«' | '»' | '“' | '”' | ';' | '/' | '|'))
            .unwrap_or(text.len());
        let (token, following) = text.split_at(end);
        rest = following;
        let token = token.trim_matches(|c: char| !is_word_char(c));
        if token.is_empty() {
            rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or("");
            continue;
        }
        take_token(token, out, &mut words, &mut n_words, following.starts_with('.'));
    }
    let words = &words[..n_words];
    if n_words == 0 {
        return if out.other.is_empty() {
            Err(Reason::NoLetters)
        } else {
            out.family = std::mem::take(&mut out.other);
            Ok(())
        };
    }
    arrange(words, n_before_comma, out);
    Ok(())
}

fn take_token<'a>(token: &'a str, out: &mut PersonName, words: &mut [Word<'a>; MAX_WORDS], n_words: &mut usize, dotted: bool) {
    fold_into(token, &mut out.words.folded);
    let folded = out.words.folded.as_str();
    if *n_words == 0
        && let Some(gender) = title(folded)
        && (dotted || token.chars().count() > 1)
    {
        out.title_gender = match gender {
            'f' => Some(Gender::Female),
            'm' => Some(Gender::Male),
            _ => out.title_gender,
        };
        return;
    }
    if *n_words > 0 {
        if let Some(suffix) = generation(folded) {
            out.suffix = Some(suffix);
            return;
        }
        if *n_words > 1 && is_degree(folded) && (dotted || token.chars().all(char::is_uppercase) || matches!(folded, "phd" | "esq")) {
            return;
        }
        if is_child_of(folded).is_some() && words[*n_words - 1].text.len() > 2 {
            words[*n_words - 1].patronymic = true;
            return;
        }
    }
    if *n_words == MAX_WORDS {
        return;
    }
    skeleton_into(token, &mut out.words.skeleton);
    let skeleton = out.words.skeleton.as_str();
    let n_letters = token.chars().filter(|&c| is_word_char(c) && !c.is_ascii_digit()).count();
    let cyrillic = token.chars().any(|c| ('\u{400}'..='\u{52f}').contains(&c));
    let capitals = n_letters > 1 && token.chars().all(|c| !c.is_lowercase());
    // ИИ after a family name is two initials.
    if capitals && n_letters == 2 && cyrillic && *n_words == 1 {
        for (at, c) in token.char_indices() {
            if *n_words < MAX_WORDS {
                words[*n_words] = Word { text: &token[at..at + c.len_utf8()], initial: true, cyrillic, ..Word::default() };
                *n_words += 1;
            }
        }
        return;
    }
    words[*n_words] = Word {
        text: token,
        initial: n_letters == 1,
        particle: is_particle(folded) && n_letters > 1,
        capitals,
        cyrillic,
        patronymic: patronymic_gender(skeleton).is_some(),
        known_given: n_letters > 1 && is_known_given_name(skeleton),
        family_like: looks_like_family_name(skeleton),
    };
    *n_words += 1;
}

fn arrange(words: &[Word<'_>], n_before_comma: usize, out: &mut PersonName) {
    let n = words.len();
    if n_before_comma > 0 && n_before_comma < n {
        append(&mut out.family, &words[..n_before_comma]);
        split_given(&words[n_before_comma..], out);
        out.order = NameOrder::Comma;
        return;
    }
    if n == 1 {
        let part = if words[0].known_given && !words[0].family_like { &mut out.given } else { &mut out.family };
        append(part, words);
        return;
    }
    let (family_first, order) = family_first(words);
    out.order = order;
    if family_first {
        // Particles at the beginning belong to the family name.
        let mut end = words.iter().position(|word| !word.particle).map_or(1, |at| at + 1).min(n - 1);
        // Two family names before a given name and patronymic: Петрова Иванова Анна Сергеевна.
        if n >= 4 && words[n - 1].patronymic && words[n - 2].known_given {
            end = end.max(n - 2);
        }
        append(&mut out.family, &words[..end]);
        split_given(&words[end..], out);
    } else if n == 2 && words[1].patronymic && words[0].known_given && words[1].cyrillic {
        // Анна Петровна: no family name at all.
        append(&mut out.given, &words[..1]);
        append(&mut out.middle, &words[1..]);
    } else {
        let mut start = n - 1;
        while start > 1 && words[start - 1].particle {
            start -= 1;
        }
        append(&mut out.family, &words[start..]);
        split_given(&words[..start], out);
    }
}

fn split_given(words: &[Word<'_>], out: &mut PersonName) {
    append(&mut out.given, &words[..1.min(words.len())]);
    append(&mut out.middle, words.get(1..).unwrap_or(&[]));
}

/// Whether the family name comes first, and how that is known.
fn family_first(words: &[Word<'_>]) -> (bool, NameOrder) {
    let n = words.len();
    let (first, last) = (&words[0], &words[n - 1]);
    let yes = (true, NameOrder::FamilyFirst);
    let no = (false, NameOrder::GivenFirst);
    if first.initial && !last.initial {
        return no;
    }
    if last.initial && !first.initial {
        // `Smith J`, `Иванов И. И.`; but `John S` is a given name with an initial.
        return if n == 2 && first.known_given && !first.family_like { no } else { yes };
    }
    if n >= 3 {
        if words[n - 1].patronymic && !(first.known_given && !words[n - 2].known_given && !first.family_like) {
            return yes;
        }
        if words[1].patronymic && first.known_given {
            return no;
        }
        if words[1].patronymic {
            return no;
        }
    }
    if n == 2 && last.patronymic && first.known_given {
        return no;
    }
    if words[1..n - 1].iter().any(|word| word.particle) {
        return no;
    }
    if first.particle && n > 2 {
        return yes;
    }
    if words.iter().filter(|word| word.capitals).count() == 1 && words.iter().any(|word| !word.capitals && !word.initial) {
        if first.capitals {
            return yes;
        }
        if last.capitals {
            return no;
        }
    }
    let second = &words[1];
    let given_score = |word: &Word<'_>| i32::from(word.known_given) * 2 - i32::from(word.family_like);
    let (at_first, at_other) = (given_score(first), if n == 2 { given_score(last) } else { given_score(second).max(given_score(last)) });
    if n >= 3 && !first.cyrillic {
        // Three Latin words: family-first only when the first cannot be a given name and the second is one.
        return match (first.known_given, second.known_given, first.family_like) {
            (false, true, true) => yes,
            (true, ..) => no,
            _ => (false, NameOrder::AssumedGivenFirst),
        };
    }
    match at_first.cmp(&at_other) {
        std::cmp::Ordering::Greater => no,
        std::cmp::Ordering::Less => yes,
        std::cmp::Ordering::Equal if first.cyrillic => (true, NameOrder::AssumedFamilyFirst),
        std::cmp::Ordering::Equal => (false, NameOrder::AssumedGivenFirst),
    }
}

/// 0 to 1: how much a cell looks like a person's name: a known given name or a patronymic among two to four words is strong, digits are against it.
pub fn person_confidence(raw: &str) -> f32 {
    if raw.len() > MAX_LEN
        || placeholder_reason(raw).is_some()
        || raw.chars().any(|c| c.is_ascii_digit() || matches!(c, '@' | ':' | '&' | '%' | '_'))
    {
        return 0.0;
    }
    let (mut n, mut known, mut patronymic, mut family_like) = (0, 0, 0, 0);
    let mut skeleton = String::new();
    for word in FoldedWords::new(raw) {
        n += 1;
        skeleton_into(word, &mut skeleton);
        known += usize::from(is_known_given_name(&skeleton));
        patronymic += usize::from(patronymic_gender(&skeleton).is_some());
        family_like += usize::from(looks_like_family_name(&skeleton));
    }
    let strength = match n {
        0 => return 0.0,
        1 if known > 0 => 0.7,
        1 if family_like > 0 => 0.5,
        1 => 0.2,
        2..=4 if patronymic > 0 => 1.0,
        2..=4 if known > 0 => 0.95,
        2..=4 if family_like > 0 => 0.5,
        2..=4 => 0.3,
        _ if known > 0 => 0.4,
        _ => 0.1,
    };
    let company = super::super::company_confidence(raw);
    if company > 0.8 { strength * 0.2 } else { strength }
}
