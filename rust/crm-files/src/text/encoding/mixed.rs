//! Text that is in more than one encoding: lines that are no UTF-8 in a file that is, and UTF-8 that was decoded wrongly and encoded again.
use std::collections::HashSet;

use encoding_rs::Encoding;

use super::TextEncoding;
use super::letters::{Judged, judge};
use crate::text::lines::{Lines, lines};

/// Lines of a text that are no UTF-8, decoded on their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::text) struct Mended {
    pub encoding: &'static Encoding,
    pub n_lines: u64,
    /// Where the first of them begins in the decoded text.
    pub first_at: usize,
}

/// Another encoding than UTF-8, which lines are in from some place on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::text) struct Foreign {
    pub encoding: &'static Encoding,
    pub from: usize,
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
    judge(invalid).filter(Judged::is_text)
}

/// Whether a line is in another encoding rather than damaged UTF-8: it has fewer whole characters of UTF-8 than broken ones.
fn is_foreign(line: &[u8]) -> bool {
    if line.is_ascii() {
        return false;
    }
    let (mut n_whole, mut n_broken) = (0_usize, 0_usize);
    for chunk in line.utf8_chunks() {
        n_whole += chunk.valid().chars().filter(|char| !char.is_ascii()).count();
        n_broken += usize::from(!chunk.invalid().is_empty());
    }
    n_broken > n_whole
}

/// Looks for the first line of `text[from..end]` that is in another encoding, which `window` bytes from there on are judged by; where there
/// is none, the place from which to look on.
pub(in crate::text) fn first_foreign(text: &[u8], from: usize, end: usize, window: usize, by: Lines) -> Result<Foreign, usize> {
    let mut at = from;
    while at < end {
        let Some(line) = by.whole(&text[at..end]).next() else { break };
        if !is_foreign(line) {
            at += line.len();
            continue;
        }
        let judged = &text[at..text.len().min(at + window)];
        let judged = match by.last_start(judged) {
            0 => judged,
            last => &judged[..last],
        };
        if let Some(found) = judge_invalid_lines(judged) {
            return Ok(Foreign { encoding: found.encoding, from: at });
        }
        at += judged.len();
    }
    Err(at)
}

/// A stretch of whole lines, UTF-8 as a rule: those in another encoding are decoded, and elsewhere bytes that are no text are marked.
pub(in crate::text) fn marked_lines(text: Vec<u8>, foreign: Option<Foreign>, by: Lines) -> (Vec<u8>, Option<Mended>) {
    if std::str::from_utf8(&text).is_ok() {
        return (text, None);
    }
    let mut mended: Option<Mended> = None;
    let mut marked = Vec::with_capacity(text.len() + text.len() / 8);
    let mut at = 0;
    for line in by.whole(&text) {
        let other = foreign.filter(|foreign| foreign.from <= at && is_foreign(line));
        if let Some(Foreign { encoding, .. }) = other {
            mended.get_or_insert(Mended { encoding, n_lines: 0, first_at: marked.len() }).n_lines += 1;
        }
        let encoding = other.map_or(TextEncoding::Utf8, |foreign| TextEncoding::SingleByte(foreign.encoding));
        encoding.decoder().decode(line, true, &mut marked);
        at += line.len();
    }
    (marked, mended)
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
