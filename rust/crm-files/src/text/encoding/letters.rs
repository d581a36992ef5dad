//! Judging single-byte encodings by the words they give: every candidate decodes the words that bear non-ASCII bytes, and the pairs of
//! letters are held against those of the languages we know. See `benchmarks/make_bigrams.py` for where the pairs come from.
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use encoding_rs::Encoding;

use crate::text::header_words::is_header_word;

/// Rarity, in half bits, of a pair of letters that a language has but not side by side, and of a letter that it does not have.
const UNKNOWN_PAIR: i64 = 34;
const FOREIGN_LETTER: i64 = 48;
/// Half bits against a word: a byte without a character, a symbol within it, a capital after a small letter.
const NO_CHARACTER: i64 = 140;
const SYMBOL: i64 = 110;
const INNER_CAPITAL: i64 = 16;
/// Half bits against a word of another script beside words of ASCII letters: "Chaise longue а bascule".
const LATIN_PHRASE: i64 = 10;
/// Half bits against a letter of another script directly behind or before an ASCII letter.
const MIXED_SCRIPTS: i64 = 40;
/// Half bits for a word that names columns.
const HEADER_WORD: i64 = 24;
/// Distinct words that are judged, at most.
const MAX_WORDS: usize = 600;

/// Encodings that are tried, and half bits against them: what people use rarely needs better evidence.
const CANDIDATES: [(&Encoding, i64); 22] = [
    (encoding_rs::WINDOWS_1251, 0),
    (encoding_rs::WINDOWS_1252, 0),
    (encoding_rs::WINDOWS_1257, 0),
    (encoding_rs::WINDOWS_1250, 2),
    (encoding_rs::KOI8_R, 4),
    (encoding_rs::IBM866, 4),
    (encoding_rs::ISO_8859_15, 6),
    (encoding_rs::ISO_8859_2, 5),
    (encoding_rs::ISO_8859_13, 4),
    (encoding_rs::ISO_8859_4, 6),
    (encoding_rs::ISO_8859_5, 6),
    (encoding_rs::WINDOWS_1253, 6),
    (encoding_rs::WINDOWS_1254, 6),
    (encoding_rs::ISO_8859_7, 8),
    (encoding_rs::ISO_8859_10, 12),
    (encoding_rs::ISO_8859_16, 12),
    (encoding_rs::ISO_8859_3, 14),
    (encoding_rs::KOI8_U, 6),
    (encoding_rs::MACINTOSH, 24),
    (encoding_rs::X_MAC_CYRILLIC, 24),
    (encoding_rs::ISO_8859_14, 16),
    (encoding_rs::WINDOWS_1258, 16),
];

/// The best encoding, and whether another reads the same bytes differently and nearly as well.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub encoding: &'static Encoding,
    pub language: &'static str,
    pub rival: Option<&'static Encoding>,
    pub n_words: usize,
    /// Half bits per word by which the words fit no language: high where the bytes are no text at all.
    pub strangeness: i64,
    /// The same per letter, for long words.
    strangeness_of_letters: i64,
}

impl Judged {
    /// Whether the words are text in the encoding at all.
    pub(super) fn is_text(&self) -> bool {
        self.strangeness < 120 || self.strangeness_of_letters < 22
    }
}

struct Language {
    code: &'static str,
    pairs: HashMap<(char, char), i64>,
    /// Its letters beyond ASCII.
    letters: HashSet<char>,
}

fn languages() -> &'static [Language] {
    static LANGUAGES: OnceLock<Vec<Language>> = OnceLock::new();
    LANGUAGES.get_or_init(|| include_str!("letter_pairs.txt").lines().filter_map(parse_language).collect())
}

fn parse_language(line: &'static str) -> Option<Language> {
    let (code, table) = line.split_once(' ')?;
    let mut pairs = HashMap::new();
    let mut chars = table.chars().peekable();
    while let (Some(first), Some(second)) = (chars.next(), chars.next()) {
        let mut rarity = 0;
        while let Some(digit) = chars.peek().and_then(|char| char.to_digit(10)) {
            rarity = rarity * 10 + i64::from(digit);
            chars.next();
        }
        pairs.insert((first, second), rarity);
    }
    let letters = pairs.keys().flat_map(|(first, second)| [*first, *second]).filter(|char| !char.is_ascii()).collect();
    Some(Language { code, pairs, letters })
}

/// Judges the non-ASCII words of `text`. `None` where there are none.
pub(super) fn judge<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Judged> {
    let words = distinct_words(lines);
    if words.is_empty() {
        return None;
    }
    let mut results: Vec<(i64, &'static Encoding, &'static str, Vec<String>)> = CANDIDATES
        .iter()
        .map(|(encoding, prior)| {
            let decoded: Vec<String> = words.iter().map(|(word, _)| decode(encoding, word)).collect();
            let (against, language) = against(&decoded);
            let n_strange = decoded.iter().zip(&words).filter(|(text, (_, in_latin))| *in_latin && !is_latin(text)).count();
            (against + prior + LATIN_PHRASE * n_strange as i64, *encoding, language, decoded)
        })
        .collect();
    // Stable: among equals the one listed first.
    results.sort_by_key(|result| result.0);
    let (against, encoding, language, decoded) = results.first()?;
    let rival = results.iter().skip(1).find(|other| other.3 != *decoded).filter(|other| other.0 - against < 12).map(|other| other.1);
    let n_letters: usize = decoded.iter().map(|word| word.chars().count()).sum();
    Some(Judged {
        encoding,
        language,
        rival,
        n_words: words.len(),
        strangeness: against / words.len() as i64,
        strangeness_of_letters: against / n_letters.max(1) as i64,
    })
}

/// Runs of letters with at least one non-ASCII byte, each once, in order, and whether ASCII words stand beside it in its phrase.
fn distinct_words<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<(&'a [u8], bool)> {
    let mut seen = HashSet::new();
    let mut words = Vec::new();
    for line in lines {
        let is_letter = |at: Option<usize>| at.and_then(|at| line.get(at)).is_some_and(u8::is_ascii_alphabetic);
        let mut end = 0;
        for word in line.split(|byte| byte.is_ascii() && !byte.is_ascii_alphabetic()) {
            let start = end;
            // Past the byte that divides.
            end = start + word.len() + 1;
            if !word.is_ascii() && word.len() <= 64 && seen.insert(word) {
                let before = start >= 2 && line[start - 1] == b' ' && is_letter(start.checked_sub(2));
                let behind = line.get(end - 1) == Some(&b' ') && is_letter(Some(end));
                words.push((word, before || behind));
                if words.len() == MAX_WORDS {
                    return words;
                }
            }
        }
    }
    words
}

fn is_latin(text: &str) -> bool {
    text.chars().all(|char| !char.is_alphabetic() || char < '\u{370}' || ('\u{1e00}'..'\u{1f00}').contains(&char))
}

fn decode(encoding: &'static Encoding, word: &[u8]) -> String {
    encoding.decode_without_bom_handling(word).0.into_owned()
}

/// Half bits against these words being of the language that fits them best, and that language.
fn against(words: &[String]) -> (i64, &'static str) {
    let mut common = 0;
    let mut per_language = vec![0; languages().len()];
    for text in words {
        if is_header_word(text) {
            common -= HEADER_WORD;
        }
        let mut before: Option<char> = None;
        let mut before_lower = '^';
        let mut n_letters = 0;
        // The end of the word closes the last pair.
        let mut chars = text.chars().map(Some).chain([None]).peekable();
        while let Some(char) = chars.next() {
            let is_before_letter = matches!(chars.peek(), Some(Some(next)) if next.is_alphabetic());
            let Some(char) = char else {
                add_pair(before_lower, '$', &mut per_language);
                break;
            };
            if !char.is_alphabetic() {
                common += symbol_cost(char, n_letters, is_before_letter);
                n_letters = 0;
                add_pair(before_lower, '$', &mut per_language);
                before_lower = '^';
                before = None;
                continue;
            }
            if char.is_uppercase()
                && before.is_some_and(char::is_lowercase)
                && (!char.is_ascii() || before.is_some_and(|char| !char.is_ascii()))
            {
                common += INNER_CAPITAL;
            }
            if before.is_some_and(|before| before.is_ascii() != char.is_ascii() && (before >= '\u{370}' || char >= '\u{370}')) {
                common += MIXED_SCRIPTS;
            }
            let lower = char.to_lowercase().next().unwrap_or(char);
            add_pair(before_lower, lower, &mut per_language);
            before_lower = lower;
            before = Some(char);
            n_letters += 1;
        }
    }
    let best = per_language.iter().enumerate().min_by_key(|(_, score)| **score);
    best.map_or((common, ""), |(idx, score)| (common + score, languages()[idx].code))
}

/// Half bits against a character that is no letter, behind so many letters and perhaps before one: what stands around words, or only
/// between them, does not stand within.
fn symbol_cost(char: char, n_letters: usize, is_before_letter: bool) -> i64 {
    let is_inner = n_letters > 0 && is_before_letter;
    match char {
        '\u{FFFD}' | '\u{80}'..='\u{9f}' => NO_CHARACTER,
        // Between letters too: apostrophes, dashes, blanks that do not break, soft hyphens.
        '’' | '–' | '\u{a0}' | '\u{ad}' if is_inner => 8,
        '\u{a0}' => 8,
        _ if is_inner => SYMBOL,
        // Openings stand before words, closings behind them.
        '«' | '“' | '„' | '‘' | '¡' | '¿' if n_letters == 0 => 8,
        '»' | '”' | '“' | '’' | '‘' | '…' if !is_before_letter => 8,
        '»' if n_letters == 0 => 40,
        '’' | '”' | '…' => 40,
        // A dash before a word has a blank behind it.
        '–' | '—' => {
            if is_before_letter {
                40
            } else {
                8
            }
        }
        '№' | '°' | '§' | '•' | '·' => {
            if n_letters > 0 || is_before_letter {
                40
            } else {
                8
            }
        }
        '€' | '£' => {
            if n_letters > 0 || is_before_letter {
                60
            } else {
                12
            }
        }
        '©' | '®' | '™' => {
            if is_before_letter {
                SYMBOL
            } else {
                16
            }
        }
        // Square metres have a letter or two before them, words more.
        '²' | '³' => {
            if n_letters > 2 || is_before_letter {
                SYMBOL
            } else {
                16
            }
        }
        '±' | '½' => {
            if n_letters > 0 || is_before_letter {
                SYMBOL
            } else {
                24
            }
        }
        _ => SYMBOL,
    }
}

fn add_pair(first: char, second: char, per_language: &mut [i64]) {
    if first.is_ascii() && second.is_ascii() {
        return;
    }
    for (language, score) in languages().iter().zip(per_language) {
        *score += language.pairs.get(&(first, second)).copied().unwrap_or_else(|| {
            let is_known = |char: char| char.is_ascii() || language.letters.contains(&char);
            if is_known(first) && is_known(second) { UNKNOWN_PAIR } else { FOREIGN_LETTER }
        });
    }
}
