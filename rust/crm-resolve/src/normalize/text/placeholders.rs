//! Words that stand for "no value".
use super::super::Reason;
use super::folded;

/// In folded form, sorted. What is a name somewhere (Nan, Nil, Test as surname) is listed only where it is far likelier a filler.
const WORDS: &[&str] = &[
    "",
    "0",
    "00",
    "000",
    "0000",
    "00000",
    "000000",
    "1 1 1900",
    "abc",
    "abcd",
    "anonim",
    "anonimno",
    "anonymous",
    "anonymus",
    "asd",
    "asdf",
    "asdfg",
    "asdfgh",
    "aaa",
    "bez datu",
    "bez imeni",
    "bez varda",
    "confidential",
    "datu nav",
    "default",
    "deleted",
    "do not call",
    "dummy",
    "empty",
    "example",
    "fake",
    "foo",
    "foobar",
    "hidden",
    "inapplicable",
    "invalid",
    "kein",
    "keine",
    "keine angabe",
    "k a",
    "leer",
    "missing",
    "n a",
    "n d",
    "na",
    "nan",
    "nav",
    "nav datu",
    "nav noradits",
    "nav zinams",
    "nenoradits",
    "nezinams",
    "no",
    "no company",
    "no data",
    "no email",
    "no last name",
    "no lastname",
    "no mail",
    "no name",
    "no phone",
    "no surname",
    "no value",
    "noemail",
    "nomail",
    "noname",
    "none",
    "none given",
    "not applicable",
    "not available",
    "not given",
    "not known",
    "not provided",
    "not set",
    "not specified",
    "not stated",
    "nothing",
    "null",
    "nulle",
    "prospect",
    "qqq",
    "qwe",
    "qwer",
    "qwerty",
    "redacted",
    "sin datos",
    "string",
    "tbc",
    "tba",
    "tbd",
    "test",
    "test test",
    "test user",
    "testing",
    "tukss",
    "unavailable",
    "undefined",
    "undisclosed",
    "unk",
    "unknown",
    "unknown unknown",
    "unnamed",
    "unspecified",
    "user",
    "withheld",
    "xx",
    "xxx",
    "xxxx",
    "xxxxx",
    "xxxxxx",
    "yyy",
    "zzz",
    "zzzz",
    "аноним",
    "анонимно",
    "без имени",
    "без названия",
    "без фамилии",
    "б и",
    "б н",
    "гость",
    "данных нет",
    "клиент",
    "не заполнено",
    "не знаю",
    "не известен",
    "не известна",
    "не известно",
    "не имеется",
    "не указан",
    "не указана",
    "не указано",
    "не указаны",
    "не задано",
    "не определено",
    "неизвестен",
    "неизвестна",
    "неизвестно",
    "неизвестный",
    "нет",
    "нет данных",
    "нет имени",
    "нет информации",
    "нет почты",
    "нет телефона",
    "ноунейм",
    "нету",
    "н д",
    "отсутствует",
    "пусто",
    "пример",
    "проверка",
    "прочерк",
    "тест",
    "тест тест",
    "тестов",
    "тестовый",
    "тестовый клиент",
    "удален",
    "удалено",
    "уточнить",
    "физлицо",
    "ффф",
    "ыыы",
    "ххх",
    "частное лицо",
    "физическое лицо",
    "йцукен",
    "фыва",
];

/// Why a cell holds no value: [`Reason::Empty`] when nothing but spaces and punctuation is in it, [`Reason::Placeholder`] for "n/a",
/// "none", "нет", "test", "-", "unknown", "xxx", "nav" and the like; `None` when it may be a value. Never allocates for cells longer
/// than the longest such word.
pub fn placeholder_reason(cell: &str) -> Option<Reason> {
    if cell.len() > 48 {
        return if cell.chars().any(char::is_alphanumeric) { None } else { Some(Reason::Empty) };
    }
    if begins_as_no_word(cell.as_bytes()) {
        return None;
    }
    // Folding into a small buffer: the words are short.
    let mut folded = [0u8; 64];
    let mut len = 0;
    let mut gap = false;
    let mut is_open = true;
    for c in cell.chars() {
        let is_word = match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | 'а'..='я' | 'А'..='Я' => true,
            c if c.is_ascii() => false,
            c => c.is_alphanumeric(),
        };
        if is_word {
            if gap && len > 0 {
                folded[len.min(63)] = b' ';
                len += 1;
            }
            gap = false;
            let lower = match c {
                'ё' | 'Ё' => 'е',
                'ā' | 'Ā' => 'a',
                'ē' | 'Ē' => 'e',
                'ī' | 'Ī' => 'i',
                'ū' | 'Ū' => 'u',
                'š' | 'Š' => 's',
                'ž' | 'Ž' => 'z',
                'ņ' | 'Ņ' => 'n',
                c if c.is_ascii() => c.to_ascii_lowercase(),
                'а'..='я' => c,
                'А'..='Я' => char::from_u32(c as u32 + 0x20).unwrap_or(c),
                c => c.to_lowercase().next().unwrap_or(c),
            };
            let mut utf8 = [0u8; 4];
            let bytes = lower.encode_utf8(&mut utf8).as_bytes();
            if len + bytes.len() > folded.len() {
                return None;
            }
            folded[len..len + bytes.len()].copy_from_slice(bytes);
            len += bytes.len();
            if len > 44 {
                return None;
            }
            // Few words begin as most cells do.
            if is_open && len >= 4 {
                is_open = false;
                if !begins_word([folded[0], folded[1], folded[2], folded[3]]) {
                    return None;
                }
            }
        } else {
            gap = true;
        }
    }
    if len == 0 {
        return Some(Reason::Empty);
    }
    let word = std::str::from_utf8(&folded[..len]).ok()?;
    is_word(word).then_some(Reason::Placeholder)
}

/// Whether the first few bytes show that the cell is no word, as those of most cells do.
fn begins_as_no_word(cell: &[u8]) -> bool {
    let unsigned = cell.strip_prefix(b"+").unwrap_or(cell);
    match unsigned {
        // Of the words that begin with a digit one begins with 1, and none with a greater one.
        [b'2'..=b'9', ..] | [b'1', b'0'..=b'9', ..] => true,
        [a, b, c, d, ..] if [a, b, c, d].iter().all(|byte| byte.is_ascii_alphanumeric()) => {
            !begins_word([*a, *b, *c, *d].map(|byte| byte.to_ascii_lowercase()))
        }
        [a, b, c, d, ..] => match (lower_cyrillic(*a, *b), lower_cyrillic(*c, *d)) {
            (Some([a, b]), Some([c, d])) => !begins_word([a, b, c, d]),
            _ => false,
        },
        _ => false,
    }
}

/// A Russian letter in UTF-8 as the words have it; `None` for all else.
fn lower_cyrillic(first: u8, second: u8) -> Option<[u8; 2]> {
    match (first, second) {
        (0xd0, 0xb0..=0xbf) | (0xd1, 0x80..=0x8f) => Some([first, second]),
        (0xd0, 0x90..=0x9f) => Some([0xd0, second + 0x20]),
        (0xd0, 0xa0..=0xaf) => Some([0xd1, second - 0x20]),
        _ => None,
    }
}

/// Whether any of the words begins with these four bytes; a few others pass for one.
fn begins_word(first: [u8; 4]) -> bool {
    use std::sync::OnceLock;
    static BEGINNINGS: OnceLock<Vec<u64>> = OnceLock::new();
    // Twelve bits of the product: some hundred words in 4096 places.
    let place = |first: [u8; 4]| (u32::from_le_bytes(first).wrapping_mul(0x9e37_79b1) >> 20) as usize;
    let beginnings = BEGINNINGS.get_or_init(|| {
        let mut bits = vec![0u64; 1 << 6];
        for place in WORDS.iter().filter_map(|word| word.as_bytes().first_chunk::<4>()).map(|first| place(*first)) {
            bits[place / 64] |= 1 << (place % 64);
        }
        bits
    });
    let place = place(first);
    beginnings[place / 64] >> (place % 64) & 1 == 1
}

fn is_word(word: &str) -> bool {
    use std::sync::OnceLock;
    static SET: OnceLock<hashbrown::HashSet<&'static str, foldhash::fast::FixedState>> = OnceLock::new();
    SET.get_or_init(|| WORDS.iter().copied().collect()).contains(word)
}

/// Whether a cell stands for "no value" (see [`placeholder_reason`]).
///
/// ```
/// use crm_resolve::normalize::is_placeholder;
/// assert!(is_placeholder("N/A") && is_placeholder(" - ") && is_placeholder("не указан"));
/// assert!(!is_placeholder("Noname Ltd"));
/// ```
pub fn is_placeholder(cell: &str) -> bool {
    placeholder_reason(cell).is_some()
}

/// Fillers that are surnames or given names too: Korean, Norwegian, Chinese, Dutch.
const ALSO_NAMES: &[&str] = &["na", "no", "nav", "nan", "foo", "leer"];

/// Whether a cell of a name stands for "no value": [`is_placeholder`], except what is a surname somewhere and is written like one.
///
/// ```
/// use crm_resolve::normalize::is_no_name;
/// assert!(is_no_name("n/a") && is_no_name("NA") && is_no_name("nav"));
/// assert!(!is_no_name("Na") && !is_no_name("Nav"));
/// ```
pub fn is_no_name(cell: &str) -> bool {
    is_placeholder(cell) && !is_written_as_name(cell.trim())
}

fn is_written_as_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(char::is_uppercase) && letters.all(char::is_lowercase) && ALSO_NAMES.contains(&text.to_lowercase().as_str())
}

/// Of the words, those that say nothing in any column: a status may well be `deleted`, a language `no`.
const EMPTY_LIKE: &[&str] = &[
    "n a",
    "n d",
    "nan",
    "null",
    "none",
    "undefined",
    "empty",
    "no data",
    "no value",
    "not applicable",
    "not available",
    "not given",
    "not provided",
    "not set",
    "not specified",
    "not stated",
    "unspecified",
    "keine angabe",
    "k a",
    "bez datu",
    "datu nav",
    "nav datu",
    "nav noradits",
    "nenoradits",
    "tukss",
    "sin datos",
    "данных нет",
    "нет данных",
    "н д",
    "не заполнено",
    "не указан",
    "не указана",
    "не указано",
    "не указаны",
    "не задано",
    "пусто",
    "прочерк",
];

/// Whether a cell of any column is as good as empty: blank, a dash, `n/a`, `null`, `не указано`. Signs that may mean something
/// (`+`, `★★★`) and words that are values somewhere (`NA`, `no`, `deleted`, `test`) are not.
///
/// ```
/// use crm_resolve::normalize::is_empty_like;
/// assert!(is_empty_like(" - ") && is_empty_like("N/A") && is_empty_like("null"));
/// assert!(!is_empty_like("NA") && !is_empty_like("no") && !is_empty_like("+"));
/// ```
pub fn is_empty_like(cell: &str) -> bool {
    let is_filling = |c: char| c.is_whitespace() || matches!(c, '-' | '–' | '—' | '_' | '.' | ',' | '?' | '/' | '\\' | '\'' | '"');
    match placeholder_reason(cell) {
        None => false,
        Some(Reason::Empty) => cell.chars().all(is_filling),
        Some(_) => EMPTY_LIKE.contains(&folded(cell).as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_however_it_is_written() {
        for word in WORDS.iter().filter(|word| !word.is_empty()) {
            for written in [(*word).to_owned(), word.to_uppercase(), format!(" {} ", word.replace(' ', "-")), format!("<{word}>")] {
                assert_eq!(placeholder_reason(&written), Some(Reason::Placeholder), "{written}");
            }
            assert_eq!(placeholder_reason(&format!("{word}q")), None, "{word}q");
        }
    }

    #[test]
    fn the_first_bytes_never_rule_a_word_out() {
        for word in WORDS.iter().filter(|word| !word.is_empty()) {
            let upper = word.to_uppercase();
            for written in [(*word).to_owned(), upper.replace('Е', "Ё"), format!("+{word}"), upper, word.replace(' ', ".")] {
                assert!(!begins_as_no_word(written.as_bytes()), "{written}");
            }
        }
        for value in ["8 (912) 345-67-89", "+7912", "15.09.1950", "Kungu iela", "Щербаков", "ИВАНОВ"] {
            assert!(begins_as_no_word(value.as_bytes()), "{value}");
        }
    }
}
