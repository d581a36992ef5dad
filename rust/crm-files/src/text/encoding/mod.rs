//! Bytes to UTF-8. Nothing is decoded lossily: what has no character becomes bytes that are no UTF-8, so that its row is rejected.
use crm_core::{Error, Result};
use encoding_rs::{DecoderResult, Encoding};

mod detect;
mod letters;
mod mixed;

pub(super) use detect::detect;
pub(super) use mixed::{Foreign, Mended, first_foreign, marked_lines};

/// Marks an undecodable byte, which follows it, in decoded text. `0xFF` occurs nowhere in UTF-8.
pub(super) const UNDECODABLE: u8 = 0xFF;

/// How bytes become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextEncoding {
    Utf8,
    Utf16 {
        big_endian: bool,
    },
    Utf32 {
        big_endian: bool,
    },
    /// One byte per character, ASCII below 128: can be decoded from any byte on.
    SingleByte(&'static Encoding),
    /// Several bytes per character: decoded from the start.
    MultiByte(&'static Encoding),
}

impl TextEncoding {
    /// The encoding that a label (`cp1251`, `latin1`, `utf-16le`) names.
    pub(super) fn from_label(label: &str) -> Result<Self> {
        let plain: String = label.trim().to_ascii_lowercase().chars().filter(|c| !matches!(c, '-' | '_' | ' ')).collect();
        Ok(match plain.as_str() {
            "utf8" | "utf8sig" | "utf8bom" | "ascii" | "usascii" => Self::Utf8,
            "utf16" | "utf16le" | "ucs2" => Self::Utf16 { big_endian: false },
            "utf16be" => Self::Utf16 { big_endian: true },
            "utf32" | "utf32le" | "ucs4" => Self::Utf32 { big_endian: false },
            "utf32be" => Self::Utf32 { big_endian: true },
            _ => {
                let alias = match plain.strip_prefix("cp").or_else(|| plain.strip_prefix("windows")) {
                    Some("866") => "ibm866".to_owned(),
                    Some("932") => "shift_jis".to_owned(),
                    Some("936") => "gbk".to_owned(),
                    Some("949") => "euc-kr".to_owned(),
                    Some("950") => "big5".to_owned(),
                    Some(number) => format!("windows-{number}"),
                    None => match plain.strip_prefix("iso8859") {
                        Some(part) => format!("iso-8859-{part}"),
                        None => match plain.as_str() {
                            "koi8r" => "koi8-r".to_owned(),
                            "koi8u" => "koi8-u".to_owned(),
                            "latin9" => "iso-8859-15".to_owned(),
                            "macroman" => "macintosh".to_owned(),
                            "maccyrillic" => "x-mac-cyrillic".to_owned(),
                            "eucjp" => "euc-jp".to_owned(),
                            "euckr" => "euc-kr".to_owned(),
                            "shiftjis" | "sjis" => "shift_jis".to_owned(),
                            "iso2022jp" => "iso-2022-jp".to_owned(),
                            _ => label.trim().to_owned(),
                        },
                    },
                };
                let encoding = Encoding::for_label_no_replacement(alias.as_bytes()).ok_or_else(|| {
                    Error::config(format!("unknown encoding '{label}'; known are utf-8, utf-16, utf-32, cp1250 to cp1258, cp866, koi8-r, iso-8859-1 to -16, and the labels of the WHATWG standard"))
                })?;
                Self::from_encoding(encoding)
            }
        })
    }

    pub(super) fn from_encoding(encoding: &'static Encoding) -> Self {
        if encoding == encoding_rs::UTF_8 {
            Self::Utf8
        } else if encoding.is_single_byte() {
            Self::SingleByte(encoding)
        } else {
            Self::MultiByte(encoding)
        }
    }

    /// The name that reports use.
    pub(super) fn name(self) -> String {
        match self {
            Self::Utf8 => "utf-8".to_owned(),
            Self::Utf16 { big_endian } => if big_endian { "utf-16be" } else { "utf-16le" }.to_owned(),
            Self::Utf32 { big_endian } => if big_endian { "utf-32be" } else { "utf-32le" }.to_owned(),
            Self::SingleByte(encoding) | Self::MultiByte(encoding) => encoding.name().to_ascii_lowercase(),
        }
    }

    /// Whether a stretch of whole lines can be decoded on its own, the line ends being found in the bytes.
    pub(super) fn is_ascii_based(self) -> bool {
        matches!(self, Self::Utf8 | Self::SingleByte(_))
    }

    pub(super) fn decoder(self) -> StreamDecoder {
        StreamDecoder {
            encoding: self,
            rest: Vec::new(),
            decoder: match self {
                Self::MultiByte(encoding) => Some(encoding.new_decoder_without_bom_handling()),
                _ => None,
            },
        }
    }
}

/// Decodes a stream piece by piece.
pub(super) struct StreamDecoder {
    encoding: TextEncoding,
    /// Bytes of a character that was cut off by the end of a piece.
    rest: Vec<u8>,
    decoder: Option<encoding_rs::Decoder>,
}

impl StreamDecoder {
    /// Appends the text of `bytes` to `text`; `last` says that no more will come.
    pub(super) fn decode(&mut self, bytes: &[u8], last: bool, text: &mut Vec<u8>) {
        match self.encoding {
            TextEncoding::Utf8 => self.decode_utf8(bytes, last, text),
            TextEncoding::SingleByte(encoding) => decode_with(&mut encoding.new_decoder_without_bom_handling(), bytes, true, text),
            TextEncoding::MultiByte(_) => {
                if let Some(decoder) = &mut self.decoder {
                    decode_with(decoder, bytes, last, text);
                }
            }
            TextEncoding::Utf16 { big_endian } => {
                self.decode_units::<2>(bytes, last, text, |units, text| utf16(units, big_endian, last, text))
            }
            TextEncoding::Utf32 { big_endian } => self.decode_units::<4>(bytes, last, text, |units, text| utf32(units, big_endian, text)),
        }
    }

    fn decode_utf8(&mut self, bytes: &[u8], last: bool, text: &mut Vec<u8>) {
        let joined;
        let mut rest = bytes;
        if !self.rest.is_empty() {
            joined = [std::mem::take(&mut self.rest).as_slice(), bytes].concat();
            rest = &joined;
        }
        while let Err(error) = std::str::from_utf8(rest) {
            text.extend_from_slice(&rest[..error.valid_up_to()]);
            rest = &rest[error.valid_up_to()..];
            let n_bad = match error.error_len() {
                Some(n_bad) => n_bad,
                None if last => rest.len(),
                None => {
                    self.rest.extend_from_slice(rest);
                    return;
                }
            };
            push_undecodable(&rest[..n_bad], text);
            rest = &rest[n_bad..];
        }
        text.extend_from_slice(rest);
    }

    fn decode_units<const SIZE: usize>(
        &mut self,
        bytes: &[u8],
        last: bool,
        text: &mut Vec<u8>,
        decode: impl Fn(&[[u8; SIZE]], &mut Vec<u8>) -> usize,
    ) {
        self.rest.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.rest);
        let (units, cut) = all.as_chunks::<SIZE>();
        let n_used = decode(units, text);
        self.rest.extend_from_slice(units[n_used..].as_flattened());
        self.rest.extend_from_slice(cut);
        if last {
            push_undecodable(&std::mem::take(&mut self.rest), text);
        }
    }
}

/// Bytes without a character, each behind its mark.
fn push_undecodable(bytes: &[u8], text: &mut Vec<u8>) {
    text.extend(bytes.iter().flat_map(|byte| [UNDECODABLE, *byte]));
}

fn utf16(units: &[[u8; 2]], big_endian: bool, last: bool, text: &mut Vec<u8>) -> usize {
    let unit = |idx: usize| if big_endian { u16::from_be_bytes(units[idx]) } else { u16::from_le_bytes(units[idx]) };
    let mut idx = 0;
    let mut buffer = [0; 4];
    while idx < units.len() {
        let first = unit(idx);
        if let Some(char) = char::from_u32(u32::from(first)) {
            text.extend_from_slice(char.encode_utf8(&mut buffer).as_bytes());
            idx += 1;
            continue;
        }
        if idx + 1 == units.len() && !last && first < 0xDC00 {
            break;
        }
        let pair = (idx + 1 < units.len()).then(|| [first, unit(idx + 1)]);
        match pair.and_then(|pair| char::decode_utf16(pair).next().and_then(Result::ok)) {
            Some(char) => {
                text.extend_from_slice(char.encode_utf8(&mut buffer).as_bytes());
                idx += 2;
            }
            None => {
                push_undecodable(&units[idx], text);
                idx += 1;
            }
        }
    }
    idx
}

fn utf32(units: &[[u8; 4]], big_endian: bool, text: &mut Vec<u8>) -> usize {
    let mut buffer = [0; 4];
    for unit in units {
        let code = if big_endian { u32::from_be_bytes(*unit) } else { u32::from_le_bytes(*unit) };
        match char::from_u32(code) {
            Some(char) => text.extend_from_slice(char.encode_utf8(&mut buffer).as_bytes()),
            None => push_undecodable(unit, text),
        }
    }
    units.len()
}

fn decode_with(decoder: &mut encoding_rs::Decoder, bytes: &[u8], last: bool, text: &mut Vec<u8>) {
    let mut at = 0;
    loop {
        let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len() - at).unwrap_or(bytes.len() * 3 + 16);
        let start = text.len();
        text.resize(start + room, 0);
        let (result, n_read, n_written) = decoder.decode_to_utf8_without_replacement(&bytes[at..], &mut text[start..], last);
        text.truncate(start + n_written);
        at += n_read;
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(bad, after) => {
                let end = at.saturating_sub(usize::from(after));
                push_undecodable(&bytes[end.saturating_sub(usize::from(bad))..end], text);
            }
        }
    }
}

/// Decodes a stretch of whole lines.
pub(super) fn decode_lines(encoding: TextEncoding, bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() * 2);
    encoding.decoder().decode(bytes, true, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_utf8_that_are_no_text_are_marked_wherever_pieces_end() {
        let bytes = b"a\xC4\x80\xFFb\xC4\xE2\x82c\xF0\x9F\x98\x80\xE2\x82";
        let expected = b"a\xC4\x80\xFF\xFFb\xFF\xC4\xFF\xE2\xFF\x82c\xF0\x9F\x98\x80\xFF\xE2\xFF\x82";
        for size in 1..=bytes.len() {
            let mut decoder = TextEncoding::Utf8.decoder();
            let mut text = Vec::new();
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            for (idx, piece) in pieces.iter().enumerate() {
                decoder.decode(piece, idx + 1 == pieces.len(), &mut text);
            }
            assert_eq!(text, expected, "pieces of {size}");
        }
    }
}
