//! Which encoding a text is in.
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};

use super::TextEncoding;

/// What was found.
#[derive(Debug, Clone)]
pub(in crate::text) struct Detected {
    pub encoding: TextEncoding,
    /// Bytes of the byte order mark.
    pub bom_len: usize,
    pub reason: String,
    pub warning: Option<String>,
}

/// Judges the first bytes of a file. `is_whole` says that there are no more.
pub(in crate::text) fn detect(sample: &[u8], is_whole: bool) -> Detected {
    let found = |encoding, bom_len, reason: &str| Detected { encoding, bom_len, reason: reason.to_owned(), warning: None };
    if let Some((encoding, bom_len)) = byte_order_mark(sample) {
        return found(encoding, bom_len, "its byte order mark");
    }
    if let Some((encoding, reason)) = wide(sample) {
        return found(encoding, 0, reason);
    }
    match std::str::from_utf8(sample) {
        Ok(text) if text.is_ascii() => return found(TextEncoding::Utf8, 0, "the sample is ASCII"),
        Ok(_) => return found(TextEncoding::Utf8, 0, "all non-ASCII bytes of the sample are valid UTF-8"),
        Err(error) if !is_whole && error.error_len().is_none() => {
            return found(TextEncoding::Utf8, 0, "all non-ASCII bytes of the sample are valid UTF-8");
        }
        Err(_) => {}
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, is_whole);
    found(TextEncoding::from_encoding(detector.guess(None, Utf8Detection::Deny)), 0, "letter frequencies")
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
