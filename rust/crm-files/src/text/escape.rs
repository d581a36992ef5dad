//! Bytes that are no text, written so that they can be had back.
use std::borrow::Cow;

use super::encoding::UNDECODABLE;

/// Text as it is, bytes that are none as `\xNN`; what stands there as such an escape has its backslash escaped, so that every byte can be
/// had back.
fn escape_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut valid = chunk.valid();
        while let Some(at) = valid.find("\\x") {
            text.push_str(&valid[..at]);
            let is_escape = valid.as_bytes().get(at + 2..at + 4).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
            text.push_str(if is_escape { "\\x5Cx" } else { "\\x" });
            valid = &valid[at + 2..];
        }
        text.push_str(valid);
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}

/// Text as it is; where bytes are none, with escapes: for what is shown, and for names, which lossy decoding would make one.
pub(crate) fn text_or_escaped(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| escape_bytes(bytes), str::to_owned)
}

/// The raw text of what was decoded: the mark before each byte that has no character in its encoding is left out.
pub(crate) fn escape_decoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(UNDECODABLE, rest) {
        text.push_str(&escape_bytes(&rest[..at]));
        if let Some(byte) = rest.get(at + 1) {
            text.push_str(&format!("\\x{byte:02X}"));
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    text.push_str(&escape_bytes(rest));
    text
}

/// What was decoded, as it is; where there are bytes without a character, as raw text.
pub(crate) fn decoded_text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| Cow::Owned(escape_decoded(bytes)), Cow::Borrowed)
}
