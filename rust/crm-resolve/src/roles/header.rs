//! What a column's header alone says about its role.
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use crm_core::Role;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What a header says: roles with how surely each, or that the column has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeaderEvidence {
    /// Roles the header names, with a probability each.
    pub roles: Vec<(Role, f64)>,
    /// The words that were recognised, for the reason.
    pub matched: String,
    /// Whether the whole header was understood, not only a part.
    pub whole: bool,
    /// Whether the header names something that is no role ("Number of employees", "Fax", "Phone type").
    pub no_role: bool,
    /// Whether those words only say in which form ("E-mail type"): values that leave no doubt then say more than the header.
    pub only_form: bool,
    /// Whether the header says that the column has all parts of an address ("Address 1 - Formatted").
    pub all_parts: bool,
    /// Whether the header says nothing (`col1`, `Поле 3`, `Unnamed: 0`).
    pub unhelpful: bool,
    /// What kind of address or channel a column belongs to (`billing`, `home`), where the header says so.
    pub group: String,
}

/// Words that narrow a meaning without changing the role.
const QUALIFIERS: &str = "work home mobile main primary secondary other business personal private contact contacts customer client person lead \
    user member guest patient student employee buyer billing shipping mailing delivery legal actual postal residential registered permanent \
    current my your default alternative alternate additional extra new direct general office value of no number nr field raw original the cell \
    subscriber account prospect attendee participant recipient individual people primary invoice bill ship st nd rd first1 second third \
    cust usr clnt acct normalized clean cleaned text str txt varchar s c b d f m x e from via hq head headquarter headquarters properties default preferred formatted in internet pref voice \
    рабочий рабочая рабочее рабоч домашний домашняя личный личная личн мобильный мобильная основной основная основное другой другая другое доп \
    дополнительный дополнительная дополнительное клиента контакта покупателя заказчика компании организации контактный контактное лица частный \
    частная юр юридический юридическое факт фактический почтовый для раб дом моб второй вторая первый первая главный контакт лида номер гл абонента \
    пользователя участника сотрудника гражданина представителя реквизит реквизиты доставки проживания регистрации плательщика контрагента \
    klienta klientu darba majas privatais mobilais galvenais otrs kontakta kontaktpersonas uznemuma juridiska faktiska pasta piegades pircēja personas cits papildu \
    kunden geschaftlich privat geschaeftlich dienstlich du de la le del di client cliente klienta trabajo personal professionnel domicile";

/// Words of which what remains is the meaning: "Address 1 - City", "Company phone".
const CONTEXTS: &str = "address company organization organisation org firm business adr addr employer1 адрес компания организация adrese uznemums \
    partner partnera venue store shop branch партнер partneris";

/// Words that turn the meaning into something else: "Phone type", "E-mail opt out", "Spouse first name".
const NEGATIVES: &str = "type types label count counts opt out unsubscribed bounced bounce clicked opened sent verified valid validity status flag preference \
    spouse mother father mothers fathers parent child children emergency assistant referrer referred supplier hash photo image picture format phonetic yomi kana \
    kin husband wife guardian beneficiary dependent employer accountant agent1 product order deal event campaign file driver login password \
    previous former old maiden expiry expires expiration issue issued last1 score rating rank extension ext fax domain deleted error invalid reason frequency \
    date1 length quality confidence consent1 marketing optin optout size range population tax1 device item pet brand manager1 sponsor witness doctor school \
    тип вид количество кол подтвержден проверен супруга супруг супруги мать отец матери отца родитель родителя ребенка помощник помощника ассистент факс \
    согласие отписан подписан статус сделка сделки товар товара заказ заказа договор договора счет счета девичья бывшая прежняя старый старая добавочный страхование банка банк \
    водителя поручителя врача школы руководителя директора бухгалтера продавца поставщика \
    tips veids fakss statuss skaits pasutijuma bankas banka vecais vadītāja direktora \
    typ type1 ehepartner conjoint conyuge";

/// Those of [`NEGATIVES`] that say in which form a value is given, and not whose it is.
const FORMS: &str =
    "type types label format preference verified valid validity status flag тип вид подтвержден проверен статус tips veids statuss typ";

/// Words for an address in one cell.
const ALL_PARTS: &str = "formatted full complete полный полностью pilna vollstandige complete completa pelny";

/// Words that tell the addresses of one contact apart.
const GROUPS: &str = "billing shipping mailing home work business other delivery legal actual residential registered permanent temporary secondary alternate \
    alternative invoice юр юридический юридическии факт фактический доставки проживания регистрации прописки домашний рабочий другой \
    juridiska juridiskā faktiska faktiskā piegades piegādes majas mājas darba geschaftlich privat livraison facturation";

/// Headers that say nothing: also `col1`, `Field 7`, `Столбец3`.
const UNHELPFUL: &str = "col column field unnamed untitled f c v var x поле столбец колонка графа kolonna lauks stulpelis spalte feld colonne champ columna campo kolumna pole a b d e";

fn words(list: &'static str) -> HashSet<String> {
    list.split_whitespace().map(|word| fold(word).concat()).collect()
}

/// What a phrase may mean, with how surely each; `None` is no role.
type Meanings = Vec<(Option<Role>, f64)>;

struct Lexicon {
    phrases: HashMap<String, Meanings>,
    qualifiers: HashSet<String>,
    contexts: HashSet<String>,
    negatives: HashSet<String>,
    unhelpful: HashSet<String>,
    groups: HashSet<String>,
    forms: HashSet<String>,
    all_parts: HashSet<String>,
}

fn lexicon() -> &'static Lexicon {
    static LEXICON: OnceLock<Lexicon> = OnceLock::new();
    LEXICON.get_or_init(|| {
        let mut phrases: HashMap<String, Meanings> = HashMap::new();
        let files =
            [include_str!("words/en.txt"), include_str!("words/ru.txt"), include_str!("words/lv.txt"), include_str!("words/other.txt")];
        for line in files.iter().flat_map(|file| file.lines()).filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let Some((head, list)) = line.split_once('|') else { continue };
            let mut head = head.split_whitespace();
            let role = head.next().and_then(|name| name.parse::<Role>().ok());
            let strength = head.next().and_then(|text| text.parse().ok()).unwrap_or(0.9);
            for phrase in list.split(',') {
                let tokens = fold(phrase);
                let without_numbers: Vec<String> = tokens.iter().filter(|token| !is_number(token)).cloned().collect();
                for key in [tokens.concat(), without_numbers.concat()] {
                    let entries = phrases.entry(key).or_default();
                    if !entries.iter().any(|(known, _)| *known == role) {
                        entries.push((role, strength));
                    }
                }
            }
        }
        phrases.remove("");
        Lexicon {
            phrases,
            qualifiers: words(QUALIFIERS),
            contexts: words(CONTEXTS),
            negatives: words(NEGATIVES),
            unhelpful: words(UNHELPFUL),
            groups: words(GROUPS),
            forms: words(FORMS),
            all_parts: words(ALL_PARTS),
        }
    })
}

fn is_number(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_digit())
}

/// The words of a header: lower case, without marks, camelCase and numbers split off.
pub fn fold(header: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut previous = ' ';
    for c in header.chars().take(300) {
        let splits = (previous.is_lowercase() && c.is_uppercase()) || (previous.is_numeric() != c.is_numeric());
        if (!c.is_alphanumeric() && !is_combining_mark(c)) || splits {
            push_word(&mut words, &mut word);
        }
        if c.is_alphanumeric() || is_combining_mark(c) {
            word.push(c);
        }
        previous = c;
    }
    push_word(&mut words, &mut word);
    words
}

fn push_word(words: &mut Vec<String>, word: &mut String) {
    if word.is_empty() {
        return;
    }
    let mut folded = String::with_capacity(word.len());
    for c in word.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            'ß' => folded.push_str("ss"),
            'ł' => folded.push('l'),
            'ø' => folded.push('o'),
            'đ' => folded.push('d'),
            'ı' => folded.push('i'),
            'æ' => folded.push_str("ae"),
            c if is_combining_mark(c) => {}
            c => folded.push(c),
        }
    }
    word.clear();
    if !folded.is_empty() {
        words.push(folded);
    }
}

/// A property of a vCard as words: `TEL;TYPE=CELL,VOICE` is a cell telephone; parameters other than the type say nothing of the meaning.
fn vcard_words(header: &str) -> Option<String> {
    let (property, parameters) = header.split_once(';')?;
    if !parameters.contains('=') || !property.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return None;
    }
    let types =
        parameters.split(';').filter_map(|parameter| parameter.split_once('=')).filter(|(name, _)| name.eq_ignore_ascii_case("type"));
    Some(types.fold(property.to_owned(), |words, (_, value)| words + " " + value))
}

/// What `header` says of its column.
pub fn header_evidence(header: &str) -> HeaderEvidence {
    let of_vcard = vcard_words(header);
    let mut evidence = evidence_of_words(of_vcard.as_deref().unwrap_or(header));
    let lexicon = lexicon();
    let tokens = fold(header);
    let negatives: Vec<&String> = tokens.iter().filter(|token| lexicon.negatives.contains(*token)).collect();
    evidence.only_form = evidence.no_role && !negatives.is_empty() && negatives.iter().all(|token| lexicon.forms.contains(*token));
    evidence.all_parts = tokens.iter().any(|token| lexicon.all_parts.contains(token));
    evidence
}

fn evidence_of_words(header: &str) -> HeaderEvidence {
    let lexicon = lexicon();
    let all = fold(header);
    let tokens: Vec<&str> = all.iter().map(String::as_str).filter(|token| !is_number(token)).collect();
    let group = || {
        let kept: Vec<&str> = all.iter().map(String::as_str).filter(|token| lexicon.groups.contains(*token)).collect();
        kept.join(" ")
    };
    if tokens.is_empty() || tokens.iter().all(|token| lexicon.unhelpful.contains(*token)) {
        let numbered_only = !header.contains(['№', '#']);
        return HeaderEvidence { unhelpful: numbered_only, no_role: !numbered_only, ..HeaderEvidence::default() };
    }
    let plain = all.concat();
    if let Some(found) = lexicon.look_up(&plain, &tokens.concat()) {
        return whole(found, header, 1.0, group());
    }
    if let Some((phrase, found)) = lexicon.qualified(&tokens) {
        return whole(found, &phrase, 0.96, group());
    }
    // Without the words that only narrow, and then without those that only say whose it is.
    let narrowed: Vec<&str> = tokens.iter().copied().filter(|token| !lexicon.qualifiers.contains(*token)).collect();
    let bare: Vec<&str> = narrowed.iter().copied().filter(|token| !lexicon.contexts.contains(*token)).collect();
    for (rest, share) in [(&narrowed, 0.97), (&bare, 0.93)] {
        if !rest.is_empty()
            && let Some(found) = lexicon.look_up(&rest.concat(), &rest.concat())
        {
            return whole(found, &rest.join(" "), share, group());
        }
    }
    if let Some(found) = lexicon.alternatives(header) {
        return whole(&found, header, 0.95, group());
    }
    if tokens.iter().any(|token| lexicon.negatives.contains(*token)) {
        return HeaderEvidence { no_role: true, matched: header.trim().to_owned(), ..HeaderEvidence::default() };
    }
    lexicon.part(&tokens, group())
}

impl Lexicon {
    fn look_up(&self, with_numbers: &str, without: &str) -> Option<&Meanings> {
        self.phrases.get(with_numbers).or_else(|| self.phrases.get(without))
    }

    /// The longest known run of words around which stand only words that narrow it: "Mailing postal code".
    fn qualified(&self, tokens: &[&str]) -> Option<(String, &Meanings)> {
        let narrows = |token: &&str| self.qualifiers.contains(*token) || self.contexts.contains(*token);
        (1..tokens.len()).rev().find_map(|length| {
            (0..=tokens.len() - length).rev().find_map(|start| {
                let around = tokens[..start].iter().chain(&tokens[start + length..]);
                let phrase = &tokens[start..start + length];
                let found = around.into_iter().all(narrows).then(|| self.phrases.get(&phrase.concat()))??;
                // A word that itself only narrows carries no meaning alone: "Contact organization".
                (length > 1 || !self.qualifiers.contains(phrase[0])).then(|| (phrase.join(" "), found))
            })
        })
    }

    /// What a header in several languages or for several things means ("Imię / Nome", "Фамилия (Surname)"), where each part is understood.
    fn alternatives(&self, header: &str) -> Option<Meanings> {
        let parts: Vec<String> = header.split(['/', '|', '\\', '\n', '(', ')', ';']).map(|part| fold(part).concat()).collect();
        let parts: Vec<&String> = parts.iter().filter(|part| !part.is_empty()).collect();
        if parts.len() < 2 {
            return None;
        }
        let mut found: Vec<(Option<Role>, f64, usize)> = Vec::new();
        for part in &parts {
            for (role, strength) in self.phrases.get(*part)? {
                match found.iter_mut().find(|(known, ..)| known == role) {
                    Some((_, best, n_parts)) => (*best, *n_parts) = (best.max(*strength), *n_parts + 1),
                    None => found.push((*role, *strength, 1)),
                }
            }
        }
        // What all parts say is surer than what one of them may mean.
        let weighed = |(role, best, n_parts): (Option<Role>, f64, usize)| (role, if n_parts == parts.len() { best } else { 0.8 * best });
        Some(found.into_iter().map(weighed).collect())
    }

    /// The longest run of words that is known; what stands around it is not, so it only hints.
    fn part(&self, tokens: &[&str], group: String) -> HeaderEvidence {
        for length in (1..tokens.len()).rev() {
            // The last words carry the meaning in English, the first in most other languages: both ends before the middle.
            let last = tokens.len() - length;
            let starts = [last, 0].into_iter().chain(1..last);
            for start in starts {
                let phrase = &tokens[start..start + length];
                let Some(found) = self.phrases.get(&phrase.concat()) else { continue };
                if phrase.concat().chars().count() < 3 {
                    continue;
                }
                let share = if start == last || start == 0 { 0.62 } else { 0.5 };
                let mut evidence = whole(found, &phrase.join(" "), share, group);
                evidence.whole = false;
                if evidence.no_role {
                    evidence.roles.clear();
                }
                return evidence;
            }
        }
        HeaderEvidence::default()
    }
}

fn whole(found: &[(Option<Role>, f64)], matched: &str, share: f64, group: String) -> HeaderEvidence {
    let roles: Vec<(Role, f64)> = found.iter().filter_map(|(role, strength)| role.map(|role| (role, strength * share))).collect();
    HeaderEvidence { no_role: roles.is_empty(), roles, matched: matched.trim().to_owned(), whole: true, group, ..HeaderEvidence::default() }
}
