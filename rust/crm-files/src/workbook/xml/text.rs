//! What stands in the tags and texts of XML.
use std::borrow::Cow;

use memchr::{memchr, memmem};

/// The raw value of an attribute, by its name without prefix.
pub(in super::super) fn attribute<'a>(attributes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = attributes;
    loop {
        rest = rest.trim_ascii_start();
        let equals = memchr(b'=', rest)?;
        let key = rest[..equals].trim_ascii_end();
        let local = memchr(b':', key).map_or(key, |colon| &key[colon + 1..]);
        let value = rest[equals + 1..].trim_ascii_start();
        let quote = *value.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
        let length = memchr(quote, &value[1..])?;
        if local == name {
            return Some(&value[1..=length]);
        }
        rest = &value[length + 2..];
    }
}

/// An attribute as text, entities resolved; `None` where it is missing or no text.
pub(in super::super) fn attribute_text<'a>(attributes: &'a [u8], name: &[u8]) -> Option<Cow<'a, str>> {
    let raw = attribute(attributes, name)?;
    if memchr(b'&', raw).is_none() {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let mut text = String::new();
    push_text(&mut text, raw).ok()?;
    Some(Cow::Owned(text))
}

/// An attribute as a number.
pub(in super::super) fn attribute_number(attributes: &[u8], name: &[u8]) -> Option<u64> {
    std::str::from_utf8(attribute(attributes, name)?).ok()?.trim().parse().ok()
}

/// Whether an attribute is `1` or `true`.
pub(in super::super) fn attribute_is_true(attributes: &[u8], name: &[u8]) -> bool {
    attribute(attributes, name).is_some_and(|value| matches!(value, b"1" | b"true" | b"on"))
}

const NOT_UTF8: &str = "it holds bytes that are not UTF-8";

/// Appends raw text, entities resolved and line ends made `\n` as XML asks.
pub(in super::super) fn push_text(text: &mut String, raw: &[u8]) -> Result<(), &'static str> {
    let mut rest = std::str::from_utf8(raw).map_err(|_| NOT_UTF8)?;
    while let Some(position) = memchr::memchr2(b'&', b'\r', rest.as_bytes()) {
        text.push_str(&rest[..position]);
        rest = &rest[position..];
        if let Some(after) = rest.strip_prefix('\r') {
            text.push('\n');
            rest = after.strip_prefix('\n').unwrap_or(after);
            continue;
        }
        let end = rest.bytes().take(12).position(|byte| byte == b';').ok_or("an & stands alone")?;
        text.push(entity(&rest[1..end]).ok_or("it uses an entity that it does not define, or a character that XML forbids")?);
        rest = &rest[end + 1..];
    }
    text.push_str(rest);
    Ok(())
}

/// Appends the text of a CDATA section.
pub(in super::super) fn push_literal(text: &mut String, raw: &[u8]) -> Result<(), &'static str> {
    text.push_str(std::str::from_utf8(raw).map_err(|_| NOT_UTF8)?);
    Ok(())
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

/// Turns `_xHHHH_`, with which workbooks write characters that XML cannot hold, into those characters, from `from` on.
pub(in super::super) fn unescape_controls(text: &mut String, from: usize) {
    if memmem::find(&text.as_bytes()[from..], b"_x").is_none() {
        return;
    }
    let source = text[from..].to_owned();
    text.truncate(from);
    let mut rest = source.as_str();
    // Halves of surrogate pairs stand as two escapes.
    let mut high: Option<u32> = None;
    while let Some(position) = rest.find("_x") {
        let (before, tail) = rest.split_at(position);
        let code = (tail.as_bytes().get(6) == Some(&b'_'))
            .then(|| tail.get(2..6).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())))
            .flatten()
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if !before.is_empty() {
            high = None;
        }
        text.push_str(before);
        match (code, high.take()) {
            (Some(low @ 0xdc00..=0xdfff), Some(high)) => {
                // The high half stands there as its escape: replace it.
                text.truncate(text.len() - 7);
                text.extend(char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)));
                rest = &tail[7..];
            }
            (Some(code), _) => {
                match char::from_u32(code) {
                    Some(character) => text.push(character),
                    None => {
                        text.push_str(&tail[..7]);
                        high = Some(code).filter(|code| *code < 0xdc00);
                    }
                }
                rest = &tail[7..];
            }
            (None, _) => {
                text.push_str("_x");
                rest = &tail[2..];
            }
        }
    }
    text.push_str(rest);
}
