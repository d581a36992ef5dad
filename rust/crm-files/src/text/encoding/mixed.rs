//! Text that is in more than one encoding: lines that are no UTF-8 in a file that is, and UTF-8 that was decoded wrongly and encoded again.
use std::collections::HashSet;

use encoding_rs::Encoding;

use super::letters::{Judged, judge};
use super::{TextEncoding, decode_lines};

/// Lines of a text that are no UTF-8, decoded on their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::text) struct Mended {
    pub encoding: &'static Encoding,
    /// Numbers of the lines within the text, from 0: how many, and the first.
    pub n_lines: u64,
    pub first_line: u64,
}

/// Whether the non-ASCII lines of a text are in UTF-8, none of them, or some.
pub(super) enum Purity {
    Utf8,
    /// Lines that are valid, and lines that are not.
    Mixed {
        n_valid: usize,
        n_invalid: usize,
    },
}

pub(super) fn purity(text: &[u8]) -> Purity {
    let (mut n_valid, mut n_invalid) = (0, 0);
    for line in lines(text).filter(|line| !line.is_ascii()) {
        match std::str::from_utf8(line) {
            Ok(_) => n_valid += 1,
            Err(_) => n_invalid += 1,
        }
    }
    if n_invalid > 0 && n_valid > 0 && is_valid_by_chance(text) {
        n_valid = 0;
    }
    if n_invalid == 0 { Purity::Utf8 } else { Purity::Mixed { n_valid, n_invalid } }
}

/// Whether the words that are valid UTF-8 are so few, against those that are not, that two letters of another encoding made them.
fn is_valid_by_chance(text: &[u8]) -> bool {
    let mut seen = HashSet::new();
    let (mut n_valid_chars, mut n_invalid) = (0_usize, 0_usize);
    for word in text.split(|byte| byte.is_ascii() && !byte.is_ascii_alphabetic()).filter(|word| !word.is_ascii()) {
        if seen.len() < 2_000 && seen.insert(word) {
            match std::str::from_utf8(word) {
                Ok(valid) => n_valid_chars += valid.chars().filter(|char| !char.is_ascii()).count(),
                Err(_) => n_invalid += 1,
            }
        }
    }
    n_valid_chars < 3 && n_invalid > 2 * n_valid_chars
}

/// The encoding of the lines of `text` that are no UTF-8, where they are text in one.
pub(super) fn judge_invalid_lines(text: &[u8]) -> Option<Judged> {
    let invalid = lines(text).filter(|line| is_foreign(line));
    judge(invalid).filter(|judged| judged.strangeness < 120)
}

/// Whether a line is in another encoding rather than damaged UTF-8: it has fewer whole characters of UTF-8 than broken ones.
fn is_foreign(line: &[u8]) -> bool {
    let (mut n_whole, mut n_broken) = (0_usize, 0_usize);
    for chunk in line.utf8_chunks() {
        n_whole += chunk.valid().chars().filter(|char| !char.is_ascii()).count();
        n_broken += usize::from(!chunk.invalid().is_empty());
    }
    n_broken > n_whole
}

/// Decodes the lines of `text` that are no UTF-8 with `encoding` (or the one they are found to be in); damaged lines stay as they are.
pub(in crate::text) fn mend_lines(text: Vec<u8>, encoding: Option<&'static Encoding>) -> (Vec<u8>, Option<Mended>) {
    if std::str::from_utf8(&text).is_ok() {
        return (text, None);
    }
    let Some(encoding) = encoding.or_else(|| judge_invalid_lines(&text).map(|judged| judged.encoding)) else { return (text, None) };
    let mut mended = Mended { encoding, n_lines: 0, first_line: 0 };
    let mut whole = Vec::with_capacity(text.len() + text.len() / 8);
    let mut start = 0;
    let mut number = 0;
    while start < text.len() {
        let end = memchr::memchr2(b'\n', b'\r', &text[start..]).map_or(text.len(), |at| start + at + 1);
        let line = &text[start..end];
        if !line.is_ascii() && std::str::from_utf8(line).is_err() && is_foreign(line) {
            whole.extend_from_slice(&decode_lines(TextEncoding::SingleByte(encoding), line.to_vec()));
            mended.first_line = if mended.n_lines == 0 { number } else { mended.first_line };
            mended.n_lines += 1;
        } else {
            whole.extend_from_slice(line);
        }
        number += u64::from(line.last() == Some(&b'\n') || line.last() == Some(&b'\r') && text.get(end) != Some(&b'\n'));
        start = end;
    }
    (whole, (mended.n_lines > 0).then_some(mended))
}

/// Whether most non-ASCII words of `text` are UTF-8 that was read as a single-byte encoding and written as UTF-8 again.
pub(super) fn is_encoded_twice(text: &str) -> Option<&'static str> {
    for (encoding, name) in [
        (encoding_rs::WINDOWS_1252, "windows-1252"),
        (encoding_rs::WINDOWS_1251, "windows-1251"),
        (encoding_rs::WINDOWS_1257, "windows-1257"),
    ] {
        let (mut n_words, mut n_twice) = (0_usize, 0_usize);
        let words = text.split(|char: char| char.is_ascii() && !char.is_ascii_alphanumeric()).filter(|word| !word.is_ascii()).take(500);
        for word in words {
            n_words += 1;
            let (bytes, _, unmappable) = encoding.encode(word);
            n_twice +=
                usize::from(!unmappable && std::str::from_utf8(&bytes).is_ok_and(|once| once.chars().count() < word.chars().count()));
        }
        if n_twice > 0 && n_twice * 2 > n_words {
            return Some(name);
        }
    }
    None
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n' || *byte == b'\r')
}
