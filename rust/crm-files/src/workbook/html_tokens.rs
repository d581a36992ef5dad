//! HTML in pieces, as browsers take it: nothing is an error, whatever does not end is text. In one bounded buffer.
use std::io::Read;

use crm_core::{Error, Result};
use memchr::{memchr, memmem};

const CHUNK: usize = 64 << 10;
/// A tag that does not end within so many bytes is none.
const MAX_TAG: usize = 256 << 10;

/// One piece; names are as they stand, in either case.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HtmlToken<'a> {
    Open {
        name: &'a [u8],
        attributes: &'a [u8],
    },
    Close {
        name: &'a [u8],
    },
    /// Text between tags, or a part of it; entities unresolved.
    Text(&'a [u8]),
    End,
}

/// Reads a document forward.
pub(super) struct HtmlTokens<R> {
    input: R,
    file: String,
    buffer: Vec<u8>,
    begin: usize,
    at_eof: bool,
    /// Where `buffer` begins in the document, and up to where no tag ends.
    offset: u64,
    endless_to: u64,
    /// The end tag before which everything is passed over: of a script or a style sheet.
    raw_end: Option<Vec<u8>>,
}

impl<R: Read> HtmlTokens<R> {
    pub fn new(input: R, file: &str) -> Self {
        Self { input, file: file.to_owned(), buffer: Vec::new(), begin: 0, at_eof: false, offset: 0, endless_to: 0, raw_end: None }
    }

    /// The next piece; comments, declarations, scripts and style sheets are passed over.
    pub fn next(&mut self) -> Result<HtmlToken<'_>> {
        loop {
            if let Some(end) = self.raw_end.take() {
                self.pass_to(&end, 0)?;
            }
            if self.unread().is_empty() && !self.fill()? {
                return Ok(HtmlToken::End);
            }
            if self.unread()[0] != b'<' {
                let length = memchr(b'<', self.unread()).unwrap_or(self.unread().len());
                return Ok(HtmlToken::Text(self.take(length)));
            }
            self.want(4)?;
            match self.unread() {
                [_, b'!', b'-', b'-', ..] => {
                    self.begin += 4;
                    self.pass_to(b"-->", 3)?;
                }
                [_, b'!' | b'?', ..] => self.pass_to(b">", 1)?,
                [_, letter, ..] if letter.is_ascii_alphabetic() => {
                    let Some(end) = self.tag_end()? else { return Ok(HtmlToken::Text(self.take(1))) };
                    let name_end = self.name_end(1, end);
                    let name = self.unread()[1..name_end].to_ascii_lowercase();
                    if matches!(name.as_slice(), b"script" | b"style") {
                        self.raw_end = Some([b"</", name.as_slice()].concat());
                    }
                    let tag = self.take(end + 1);
                    return Ok(HtmlToken::Open { name: &tag[1..name_end], attributes: &tag[name_end..end] });
                }
                [_, b'/', letter, ..] if letter.is_ascii_alphabetic() => {
                    let Some(end) = self.tag_end()? else { return Ok(HtmlToken::Text(self.take(1))) };
                    let name_end = self.name_end(2, end);
                    let tag = self.take(end + 1);
                    return Ok(HtmlToken::Close { name: &tag[2..name_end] });
                }
                _ => return Ok(HtmlToken::Text(self.take(1))),
            }
        }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.begin..]
    }

    fn take(&mut self, length: usize) -> &[u8] {
        let from = self.begin;
        self.begin += length;
        &self.buffer[from..from + length]
    }

    fn name_end(&self, from: usize, end: usize) -> usize {
        let name = &self.unread()[from..end];
        from + name.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'/').unwrap_or(name.len())
    }

    /// Where the tag's `>` is; one within a quoted value does not end it, unless the quote never closes.
    fn tag_end(&mut self) -> Result<Option<usize>> {
        let Some(first) = self.first_close()? else { return Ok(None) };
        let (mut at, mut quote, mut before) = (0, None, 0_u8);
        loop {
            for &byte in &self.unread()[at..] {
                match (quote, byte) {
                    (None, b'>') => return Ok(Some(at)),
                    (None, b'"' | b'\'') if before == b'=' => quote = Some(byte),
                    (Some(open), close) if open == close => quote = None,
                    _ => {}
                }
                if !byte.is_ascii_whitespace() {
                    before = byte;
                }
                at += 1;
            }
            if at >= MAX_TAG || !self.fill()? {
                return Ok(Some(first));
            }
        }
    }

    /// Where the first `>` is, however it stands. What was looked through in vain is not looked through again for the next tag.
    fn first_close(&mut self) -> Result<Option<usize>> {
        let begin = self.offset + self.begin as u64;
        let mut at = self.endless_to.saturating_sub(begin) as usize;
        loop {
            if let Some(found) = memchr(b'>', &self.unread()[at..]) {
                return Ok(Some(at + found));
            }
            at = self.unread().len();
            self.endless_to = begin + at as u64;
            if at >= MAX_TAG || !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Passes over everything up to `mark`, in either case, and `more` bytes of it; to the end where it does not come.
    fn pass_to(&mut self, mark: &[u8], more: usize) -> Result<()> {
        loop {
            let found = match mark {
                [b'<', ..] => self.unread().windows(mark.len()).position(|window| window.eq_ignore_ascii_case(mark)),
                _ => memmem::find(self.unread(), mark),
            };
            if let Some(at) = found {
                self.begin += at + more;
                return Ok(());
            }
            self.begin = self.buffer.len().saturating_sub(mark.len() - 1).max(self.begin);
            if !self.fill()? {
                self.begin = self.buffer.len();
                return Ok(());
            }
        }
    }

    fn want(&mut self, n_bytes: usize) -> Result<()> {
        while self.unread().len() < n_bytes && self.fill()? {}
        Ok(())
    }

    /// Reads more behind the unread bytes; `false` at the end.
    fn fill(&mut self) -> Result<bool> {
        if self.at_eof {
            return Ok(false);
        }
        self.buffer.drain(..self.begin);
        self.offset += self.begin as u64;
        self.begin = 0;
        let n_before = self.buffer.len();
        self.buffer.resize(n_before + CHUNK, 0);
        let n_read = loop {
            match self.input.read(&mut self.buffer[n_before..]) {
                Ok(n_read) => break n_read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::os(&error, &*self.file)),
            }
        };
        self.buffer.truncate(n_before + n_read);
        self.at_eof = n_read == 0;
        Ok(n_read > 0)
    }
}

/// The value of an attribute, in quotes or not; `None` where it is missing.
pub(super) fn html_attribute<'a>(attributes: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut rest = attributes;
    loop {
        let start = rest.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != b'/')?;
        rest = &rest[start..];
        let name_end = rest.iter().skip(1).position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'/'));
        let name_end = name_end.map_or(rest.len(), |at| at + 1);
        let name = &rest[..name_end];
        rest = rest[name_end..].trim_ascii_start();
        let value = match rest {
            [b'=', ..] => {
                rest = rest[1..].trim_ascii_start();
                match rest {
                    [quote @ (b'"' | b'\''), inner @ ..] => {
                        let end = memchr(*quote, inner).unwrap_or(inner.len());
                        rest = inner.get(end + 1..).unwrap_or_default();
                        &inner[..end]
                    }
                    _ => {
                        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                        let value = &rest[..end];
                        rest = &rest[end..];
                        value
                    }
                }
            }
            _ => &rest[..0],
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::byte_by_byte::ByteByByte;
    use super::*;

    fn pieces(html: &str) -> String {
        let mut tokens = HtmlTokens::new(ByteByByte(html.as_bytes()), "f");
        let mut told = String::new();
        loop {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            match tokens.next().unwrap() {
                HtmlToken::Open { name, .. } => told += &format!("[{}]", text(name)),
                HtmlToken::Close { name } => told += &format!("[/{}]", text(name)),
                HtmlToken::Text(bytes) => told += &text(bytes),
                HtmlToken::End => return told,
            }
        }
    }

    #[test]
    fn what_browsers_take_is_taken() {
        assert_eq!(pieces("<!DOCTYPE html><TABLE a=\"1>2\"><tr><td>x"), "[TABLE][tr][td]x");
        assert_eq!(pieces("<!-- <td> --><td>a<b<c>1 < 2</td >"), "[td]a[b]1 < 2[/td]".replace("a[b]", "a[b<c]"));
        assert_eq!(pieces("<style>td > p</style><script>'<td>'</SCRIPT>x"), "[style][/style][script][/SCRIPT]x");
        assert_eq!(pieces("<?xml version='1.0'?><br/>a<"), "[br]a<");
        assert_eq!(pieces("<!-- open"), "");
        assert_eq!(pieces("<td it's>x"), "[td]x");
        assert_eq!(pieces("<td a=\"open>x"), "[td]x");
    }

    /// With a search for the end of each that begins, these take hours.
    #[test]
    fn tags_that_never_end_take_no_square_of_the_page() {
        for hostile in ["<a", "<a b=\"", "</a", "<a b='\"", "<!-- <a ", "<style><"] {
            let page = format!("<td>x{}", hostile.repeat((16 << 20) / hostile.len()));
            let mut tokens = HtmlTokens::new(page.as_bytes(), "f");
            while tokens.next().unwrap() != HtmlToken::End {}
        }
        let page = format!("{}<td>x", "<a b='>".repeat(1 << 20));
        let mut tokens = HtmlTokens::new(page.as_bytes(), "f");
        while tokens.next().unwrap() != HtmlToken::End {}
    }

    #[test]
    fn attributes_in_quotes_or_not() {
        let raw = b" class=xl24 ColSpan = '2' rowspan=\"3\" nowrap x:str";
        assert_eq!(html_attribute(raw, b"colspan"), Some(&b"2"[..]));
        assert_eq!(html_attribute(raw, b"rowspan"), Some(&b"3"[..]));
        assert_eq!(html_attribute(raw, b"class"), Some(&b"xl24"[..]));
        assert_eq!(html_attribute(raw, b"nowrap"), Some(&b""[..]));
        assert_eq!(html_attribute(raw, b"style"), None);
    }
}
