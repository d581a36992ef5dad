//! Which encoding a text is in.
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use crm_core::Result;
use encoding_rs::Encoding;

use super::TextEncoding;
use super::letters::judge;
use super::mixed::{Purity, is_encoded_twice, judge_invalid_lines, purity};
use crate::text::lines::{Lines, lines};

/// What was found.
#[derive(Debug, Clone)]
pub(in crate::text) struct Detected {
    pub encoding: TextEncoding,
    /// Bytes of the byte order mark.
    pub bom_len: usize,
    /// The encoding of lines that are not in UTF-8, where the file has both.
    pub second: Option<&'static Encoding>,
    pub reason: String,
    pub warning: Option<String>,
}

impl Detected {
    /// The encoding that the caller names, in place of what was found. Which end comes first the file says where the label does not.
    pub(in super::super) fn overridden(self, label: &str) -> Result<Self> {
        let told = TextEncoding::from_label(label)?;
        // `utf-16le` and `utf-16be` say it.
        let leaves_end_open = !label.trim().to_ascii_lowercase().ends_with('e');
        let is_kin = matches!(
            (told, self.encoding),
            (TextEncoding::Utf16 { .. }, TextEncoding::Utf16 { .. }) | (TextEncoding::Utf32 { .. }, TextEncoding::Utf32 { .. })
        );
        let encoding = if is_kin && leaves_end_open { self.encoding } else { told };
        let is_as_found = encoding == self.encoding;
        let warning = (self.bom_len > 0 && !is_as_found)
            .then(|| format!("the byte order mark says {}, and {} was told", self.encoding.name(), encoding.name()));
        Ok(Self { encoding, bom_len: if is_as_found { self.bom_len } else { 0 }, second: None, reason: "as told".to_owned(), warning })
    }
}

/// Judges the first bytes of a file. `is_whole` says that there are no more.
pub(in crate::text) fn detect(sample: &[u8], is_whole: bool) -> Detected {
    let found = |encoding, bom_len, reason: &str| Detected { encoding, bom_len, second: None, reason: reason.to_owned(), warning: None };
    if let Some((encoding, bom_len)) = byte_order_mark(sample) {
        return found(encoding, bom_len, "its byte order mark");
    }
    if let Some((encoding, reason)) = wide(sample) {
        return found(encoding, 0, reason);
    }
    // The last line may be cut off within a character.
    let end = match Lines::of(sample).last_start(sample) {
        last if last > 0 && !is_whole => last,
        _ => sample.len(),
    };
    let sample = &sample[..end];
    if let Ok(text) = std::str::from_utf8(sample) {
        if text.is_ascii() {
            return found(TextEncoding::Utf8, 0, "the sample is ASCII");
        }
        let warning = is_encoded_twice(text).map(|name| {
            format!("most words beyond ASCII look as if UTF-8 had been read as {name} and written anew; they are left as they are")
        });
        return Detected { warning, ..found(TextEncoding::Utf8, 0, "all non-ASCII bytes of the sample are valid UTF-8") };
    }
    if let Purity::Mixed { n_valid, n_invalid } = purity(sample) {
        // A line of a single-byte encoding is hardly ever valid UTF-8.
        if n_valid * 10 >= n_invalid && n_valid > 0 {
            let second = judge_invalid_lines(sample).map(|judged| judged.encoding);
            let reason = format!("{n_valid} lines beyond ASCII are valid UTF-8, {n_invalid} are not");
            return Detected { second, ..found(TextEncoding::Utf8, 0, &reason) };
        }
    }
    single_byte(sample, is_whole)
}

/// An encoding of one byte per character, or of East Asia.
fn single_byte(sample: &[u8], is_whole: bool) -> Detected {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, is_whole);
    let guess = detector.guess(None, Utf8Detection::Deny);
    let judged = judge(lines(sample).filter(|line| !line.is_ascii()));
    // Letters of languages we know outweigh the general judgement, which knows more scripts.
    let known = judged.filter(|judged| guess.is_single_byte() || judged.strangeness < 60);
    let Some(judged) = known else {
        let encoding = TextEncoding::from_encoding(guess);
        return Detected { encoding, bom_len: 0, second: None, reason: "frequencies of its bytes".to_owned(), warning: None };
    };
    let reason = format!("{} words beyond ASCII look most like '{}' in it", judged.n_words, judged.language);
    let warning = judged.rival.map(|rival| {
        format!(
            "the encoding is not certain: {} fits nearly as well as {}; give it with the option if names look wrong",
            rival.name().to_ascii_lowercase(),
            judged.encoding.name().to_ascii_lowercase()
        )
    });
    Detected { encoding: TextEncoding::SingleByte(judged.encoding), bom_len: 0, second: None, reason, warning }
}

fn byte_order_mark(sample: &[u8]) -> Option<(TextEncoding, usize)> {
    Some(match sample {
        [0xEF, 0xBB, 0xBF, ..] => (TextEncoding::Utf8, 3),
        [0xFF, 0xFE, 0, 0, ..] => (TextEncoding::Utf32 { big_endian: false }, 4),
        [0, 0, 0xFE, 0xFF, ..] => (TextEncoding::Utf32 { big_endian: true }, 4),
        [0xFF, 0xFE, ..] => (TextEncoding::Utf16 { big_endian: false }, 2),
        [0xFE, 0xFF, ..] => (TextEncoding::Utf16 { big_endian: true }, 2),
        _ => return None,
    })
}

/// UTF-16 and UTF-32 without a mark: zero bytes at regular places.
fn wide(sample: &[u8]) -> Option<(TextEncoding, &'static str)> {
    let sample = &sample[..sample.len().min(64 << 10)];
    if sample.len() < 8 {
        return None;
    }
    let mut zeros = [0_usize; 4];
    for (idx, byte) in sample.iter().enumerate() {
        zeros[idx % 4] += usize::from(*byte == 0);
    }
    let quarter = sample.len() / 4;
    let most = |idx: usize| zeros[idx] * 10 > quarter * 9;
    let few = |idx: usize| zeros[idx] * 10 < quarter;
    if most(0) && most(1) && zeros[2] * 10 > quarter * 5 && few(3) {
        return Some((TextEncoding::Utf32 { big_endian: true }, "zero bytes as UTF-32 has them"));
    }
    if most(3) && most(2) && zeros[1] * 10 > quarter * 5 && few(0) {
        return Some((TextEncoding::Utf32 { big_endian: false }, "zero bytes as UTF-32 has them"));
    }
    // Delimiters, digits and line ends are ASCII also where the letters are not: some zeros on one side, none on the other.
    let (even, odd) = (zeros[0] + zeros[2], zeros[1] + zeros[3]);
    let half = sample.len() / 2;
    if odd * 10 > half && even * 50 < odd {
        return Some((TextEncoding::Utf16 { big_endian: false }, "zero bytes as UTF-16 has them"));
    }
    if even * 10 > half && odd * 50 < even {
        return Some((TextEncoding::Utf16 { big_endian: true }, "zero bytes as UTF-16 has them"));
    }
    None
}
