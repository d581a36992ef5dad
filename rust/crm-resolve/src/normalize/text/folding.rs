//! One pass over text: words of letters and digits, lower case, marks off, look-alikes mended.
use super::latin::LATIN;
use super::scripts::{cyrillic_as_latin, hangul, latin_as_cyrillic, latin_sound};

/// What a character is to folding.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Word,
    /// Vanishes inside a word: apostrophes, soft hyphens, zero-width characters, combining marks.
    Nothing,
    Gap,
}

#[inline]
fn kind(c: char) -> Kind {
    if c.is_ascii() {
        return match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => Kind::Word,
            '\'' | '`' => Kind::Nothing,
            _ => Kind::Gap,
        };
    }
    // The letters that nearly all text is made of, without Unicode tables.
    if matches!(c, '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}' | '\u{400}'..='\u{481}' | '\u{48a}'..='\u{52f}') {
        return Kind::Word;
    }
    match c {
        '\u{300}'..='\u{36f}'
        | '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}'
        | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{2018}'
        | '\u{2019}'
        | '\u{201b}'
        | '\u{2032}'
        | '\u{2bc}'
        | '\u{2b9}'
        | '\u{b4}'
        | '\u{5b0}'..='\u{5c7}'
        | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' => Kind::Nothing,
        c if c.is_alphanumeric() => Kind::Word,
        // Vowel signs of Indic and Thai scripts belong to their word.
        '\u{900}'..='\u{dff}' | '\u{e00}'..='\u{e7f}' => Kind::Word,
        _ => Kind::Gap,
    }
}

/// `char::is_alphanumeric`, without Unicode tables for the letters that nearly all text is made of.
#[inline]
pub(in super::super) fn is_word_char(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    matches!(c, '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}' | '\u{400}'..='\u{481}' | '\u{48a}'..='\u{52f}')
        || c.is_alphanumeric()
}

/// The raw words of a text: runs of letters and digits, with apostrophes and invisible characters still inside.
pub(in super::super) struct FoldedWords<'a> {
    rest: &'a str,
}

impl<'a> FoldedWords<'a> {
    pub(in super::super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }
}

/// The first place of a character of a wanted kind; ASCII is looked at byte by byte.
#[inline]
fn place_of(text: &str, wanted: impl Fn(Kind) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] < 128 {
            if wanted(kind(char::from(bytes[at]))) {
                return Some(at);
            }
            at += 1;
        } else {
            let c = text[at..].chars().next()?;
            if wanted(kind(c)) {
                return Some(at);
            }
            at += c.len_utf8();
        }
    }
    None
}

impl<'a> Iterator for FoldedWords<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        let start = place_of(self.rest, |kind| kind == Kind::Word)?;
        let text = &self.rest[start..];
        let end = place_of(text, |kind| kind == Kind::Gap).unwrap_or(text.len());
        self.rest = &text[end..];
        Some(&text[..end])
    }
}

/// How the letters of a word that mixes Latin and Cyrillic are to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mend {
    Keep,
    ToCyrillic,
    ToLatin,
}

fn mend_of(word: &str) -> Mend {
    let (mut latin, mut cyrillic, mut latin_only, mut cyrillic_only) = (0, 0, 0, 0);
    for c in word.chars().map(narrow) {
        match c {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => {
                latin += 1;
                latin_only += usize::from(latin_as_cyrillic(c).is_none());
            }
            '\u{400}'..='\u{52f}' => {
                cyrillic += 1;
                cyrillic_only += usize::from(cyrillic_as_latin(c).is_none());
            }
            _ => {}
        }
    }
    if latin == 0 || cyrillic == 0 {
        Mend::Keep
    } else if latin_only == 0 && (cyrillic_only > 0 || cyrillic >= latin) {
        Mend::ToCyrillic
    } else if cyrillic_only == 0 {
        Mend::ToLatin
    } else {
        Mend::Keep
    }
}

/// Full-width forms (U+FF01 to U+FF5E) as ASCII.
#[inline]
pub(in super::super) fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from((c as u32 - 0xfee0) as u8),
        _ => c,
    }
}

/// Appends a folded word; `true` when a character came apart into others, which may have to be folded in turn.
fn push_folded(word: &str, out: &mut String) -> bool {
    if word.is_ascii() {
        out.extend(word.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| char::from(byte.to_ascii_lowercase())));
        return false;
    }
    let mut apart = false;
    let mend = mend_of(word);
    for c in word.chars() {
        let c = narrow(c);
        let c = match mend {
            Mend::Keep => c,
            Mend::ToCyrillic => latin_as_cyrillic(c).unwrap_or(c),
            Mend::ToLatin => cyrillic_as_latin(c).unwrap_or(c),
        };
        if kind(c) == Kind::Nothing {
            continue;
        }
        match c {
            'a'..='z' | '0'..='9' => out.push(c),
            'A'..='Z' => out.push(c.to_ascii_lowercase()),
            '\u{c0}'..='\u{24f}' => {
                let base = LATIN[c as usize - 0xC0];
                out.push_str(base);
                apart |= base.len() != 1;
            }
            'ё' | 'Ё' => out.push('е'),
            'А'..='Я' => out.push(char::from_u32(c as u32 + 0x20).unwrap_or(c)),
            'а'..='я' => out.push(c),
            'ά' | 'Ά' => out.push('α'),
            'έ' | 'Έ' => out.push('ε'),
            'ή' | 'Ή' => out.push('η'),
            'ί' | 'Ί' | 'ϊ' | 'ΐ' => out.push('ι'),
            'ό' | 'Ό' => out.push('ο'),
            'ύ' | 'Ύ' | 'ϋ' | 'ΰ' => out.push('υ'),
            'ώ' | 'Ώ' => out.push('ω'),
            'ς' => out.push('σ'),
            '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => out.push(c),
            _ => match super::super::phone_digit(c) {
                Some(digit) => out.push(char::from(b'0' + digit)),
                None => {
                    let start = out.len();
                    unicode_normalization::char::decompose_compatible(c, |part| {
                        if kind(part) != Kind::Nothing {
                            out.extend(part.to_lowercase().filter(|&lower| kind(lower) == Kind::Word));
                        }
                    });
                    apart |= out[start..].chars().ne([c]);
                }
            },
        }
    }
    apart
}

/// Replaces `out` with the comparable form of `text`: words of letters and digits, lower case, joined by single spaces; marks
/// off Latin and Greek letters (`ß` is `ss`), ё as е (й stays), full-width and compatibility forms narrowed, apostrophes and
/// invisible characters dropped, all other punctuation a gap, and letters of the wrong alphabet in a mixed word mended. The
/// script is kept. Idempotent.
///
/// ```
/// let mut out = String::new();
/// crm_resolve::normalize::fold_into("  O\u{2019}BRIEN-Müller,\u{a0}Артём ", &mut out);
/// assert_eq!(out, "obrien muller артем");
/// crm_resolve::normalize::fold_into("Cepгeй", &mut out); // C, e, p are Latin
/// assert_eq!(out, "сергей");
/// ```
pub fn fold_into(text: &str, out: &mut String) {
    out.clear();
    for word in FoldedWords::new(text) {
        let len = out.len();
        if len > 0 {
            out.push(' ');
        }
        let start = out.len();
        if push_folded(word, out) {
            // Mathematical and modifier letters are letters of a script only once apart: mend that script's mixtures then.
            for _ in 0..3 {
                let apart = out[start..].to_owned();
                out.truncate(start);
                if !push_folded(&apart, out) {
                    break;
                }
            }
        }
        if out.len() == start {
            out.truncate(len);
        }
    }
}

/// [`fold_into`] into a new text.
pub fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_into(text, &mut out);
    out
}

/// Bytes of a word that are kept together; longer words come in pieces, which still compare equal to themselves.
pub(in super::super) const MAX_WORD: usize = 96;

/// Calls `visit` with every word as lower-case ASCII sound letters and digits. Words in scripts that have no Latin sound here
/// (Chinese) are passed as their UTF-8 bytes.
pub(in super::super) fn for_each_latin_word(text: &str, mut visit: impl FnMut(&[u8])) {
    for word in FoldedWords::new(text) {
        let mut latin = [0u8; MAX_WORD];
        let mut len = 0;
        let mut push = |bytes: &[u8]| {
            for &byte in bytes {
                if len < MAX_WORD {
                    latin[len] = byte;
                    len += 1;
                }
            }
        };
        if word.is_ascii() {
            for &byte in word.as_bytes() {
                if byte.is_ascii_alphanumeric() {
                    push(&[byte.to_ascii_lowercase()]);
                }
            }
        } else {
            push_latin(word, &mut push);
        }
        if len > 0 {
            visit(&latin[..len]);
        }
    }
}

fn push_latin(word: &str, push: &mut impl FnMut(&[u8])) {
    let mend = mend_of(word);
    let mut buffer = [0u8; 4];
    for c in word.chars() {
        let c = narrow(c);
        let c = match mend {
            Mend::Keep => c,
            Mend::ToCyrillic => latin_as_cyrillic(c).unwrap_or(c),
            Mend::ToLatin => cyrillic_as_latin(c).unwrap_or(c),
        };
        if c.is_ascii_alphanumeric() {
            push(&[c.to_ascii_lowercase() as u8]);
        } else if kind(c) == Kind::Nothing {
        } else if let Some(sound) = latin_sound(c) {
            push(sound.as_bytes());
        } else if let Some(parts) = hangul(c) {
            parts.iter().for_each(|part| push(part.as_bytes()));
        } else if let Some(digit) = super::super::phone_digit(c) {
            push(&[b'0' + digit]);
        } else {
            unicode_normalization::char::decompose_compatible(c, |part| {
                if part.is_ascii_alphanumeric() {
                    push(&[part.to_ascii_lowercase() as u8]);
                } else if kind(part) == Kind::Word {
                    match latin_sound(part) {
                        Some(sound) => push(sound.as_bytes()),
                        None => push(part.encode_utf8(&mut buffer).as_bytes()),
                    }
                }
            });
        }
    }
}

/// Replaces `out` with the words of `text` in Latin letters (Cyrillic, Greek, Armenian, Georgian, Hebrew, Arabic, kana and
/// Hangul by sound; other scripts stay). For comparing and keys, not for display.
///
/// ```
/// let mut out = String::new();
/// crm_resolve::normalize::latin_into("Щербаков Юлий", &mut out);
/// assert_eq!(out, "shcherbakov iulii");
/// ```
pub fn latin_into(text: &str, out: &mut String) {
    out.clear();
    for_each_latin_word(text, |word| {
        if !out.is_empty() {
            out.push(' ');
        }
        push_bytes(word, out);
    });
}

/// Appends bytes that are text except where a long word was cut inside a character.
pub(in super::super) fn push_bytes(bytes: &[u8], out: &mut String) {
    if bytes.is_ascii() {
        out.push_str(std::str::from_utf8(bytes).unwrap_or(""));
    } else {
        out.push_str(&String::from_utf8_lossy(bytes));
    }
}
