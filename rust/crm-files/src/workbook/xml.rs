//! A pull reader for the XML of workbook parts: byte slices out of one bounded buffer, no entities but the five, no DTD.
//!
//! A tag or a piece of text that does not fit the bound is an error, so a part of any size costs no more memory than that.
use std::io::Read;

use crm_core::{Error, Result};
use memchr::{memchr, memchr3, memmem};

use crate::text::text_or_escaped;

mod text;
mod utf8;

pub(super) use text::{attribute, attribute_is_true, attribute_number, attribute_text, push_literal, push_text, unescape_controls};
pub(super) use utf8::Utf8Input;

const CHUNK: usize = 1 << 16;

/// One piece of a document; names are without their prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `<name attributes>`
    Open { name: &'a [u8], attributes: &'a [u8] },
    /// `<name attributes/>`
    Empty { name: &'a [u8], attributes: &'a [u8] },
    /// `</name>`
    Close { name: &'a [u8] },
    /// Text between tags, entities unresolved.
    Text(&'a [u8]),
    /// Text of a CDATA section.
    Literal(&'a [u8]),
    /// The end of the document.
    End,
}

pub(super) struct XmlReader<R> {
    input: R,
    file: String,
    part: String,
    buffer: Vec<u8>,
    /// The unread bytes are `buffer[begin..end]`.
    begin: usize,
    end: usize,
    at_eof: bool,
    max_token: usize,
    depth: usize,
    seen_root: bool,
    /// The input is UTF-8, whatever the document says of its encoding.
    is_decoded: bool,
}

enum Span {
    Tag { name: (usize, usize), attributes: (usize, usize), kind: u8 },
    Text(usize, usize),
    Literal(usize, usize),
    End,
}

impl<R: Read> XmlReader<R> {
    /// Reads `part` of `file`, which both are for messages; `max_token` bounds the bytes of one tag or text.
    pub fn new(input: R, file: &str, part: &str, max_token: usize) -> Self {
        Self {
            input,
            file: file.to_owned(),
            part: part.to_owned(),
            buffer: vec![0; CHUNK],
            begin: 0,
            end: 0,
            at_eof: false,
            max_token: max_token.max(CHUNK),
            depth: 0,
            seen_root: false,
            is_decoded: false,
        }
    }

    /// The same for an input that was decoded as the document says.
    pub fn decoded(self) -> Self {
        Self { is_decoded: true, ..self }
    }

    /// The next piece; comments and processing instructions are passed over.
    #[inline]
    pub fn next(&mut self) -> Result<Token<'_>> {
        let span = self.advance()?;
        let bytes = &self.buffer;
        Ok(match span {
            Span::Tag { name, attributes, kind } => {
                let name = &bytes[name.0..name.1];
                let attributes = &bytes[attributes.0..attributes.1];
                match kind {
                    b'/' => Token::Close { name },
                    b'>' => Token::Open { name, attributes },
                    _ => Token::Empty { name, attributes },
                }
            }
            Span::Text(from, to) => Token::Text(&bytes[from..to]),
            Span::Literal(from, to) => Token::Literal(&bytes[from..to]),
            Span::End => Token::End,
        })
    }

    /// Elements that are open.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Passes over everything up to the end of the element that was just opened.
    pub fn skip_element(&mut self) -> Result<()> {
        self.skip_open(self.depth)
    }

    /// Passes over everything up to the end of the open element of this depth.
    pub fn skip_open(&mut self, depth: usize) -> Result<()> {
        while self.depth >= depth {
            if matches!(self.next()?, Token::End) {
                break;
            }
        }
        Ok(())
    }

    /// An error about this part.
    pub fn damaged(&self, reason: &str) -> Error {
        Error::file_format(&*self.file, format!("{}: {}: {reason}", self.file, self.part))
    }

    fn advance(&mut self) -> Result<Span> {
        loop {
            if self.begin == self.end && !self.fill()? {
                if self.depth > 0 {
                    return Err(self.damaged("the XML ends in the middle: the file is cut short"));
                }
                if !self.seen_root {
                    return Err(self.damaged("there is no XML in it"));
                }
                return Ok(Span::End);
            }
            if self.buffer[self.begin] != b'<' {
                let length = self.find(0, |bytes| memchr(b'<', bytes))?.unwrap_or(self.end - self.begin);
                let from = self.begin;
                self.begin += length;
                return Ok(Span::Text(from, from + length));
            }
            match self.byte(1)? {
                Some(b'!') => {
                    if let Some(span) = self.declaration()? {
                        return Ok(span);
                    }
                }
                Some(b'?') => self.instruction()?,
                Some(_) => return self.tag(),
                None => return Err(self.damaged("the XML ends in the middle: the file is cut short")),
            }
        }
    }

    fn tag(&mut self) -> Result<Span> {
        let length = self.find(1, tag_end)?.ok_or_else(|| self.damaged("a tag does not end: the file is cut short"))?;
        let from = self.begin;
        let close = from + length;
        self.begin = close + 1;
        self.seen_root = true;
        let bytes = &self.buffer;
        let is_close = bytes[from + 1] == b'/';
        let is_empty = !is_close && close > from + 1 && bytes[close - 1] == b'/';
        let name_from = from + 1 + usize::from(is_close);
        let inner_end = close - usize::from(is_empty);
        let name_to = bytes[name_from..inner_end].iter().position(u8::is_ascii_whitespace).map_or(inner_end, |offset| name_from + offset);
        let local = memchr(b':', &bytes[name_from..name_to]).map_or(name_from, |colon| name_from + colon + 1);
        if is_close {
            self.depth = self.depth.checked_sub(1).ok_or_else(|| self.damaged("an element is closed that was not open"))?;
        } else if !is_empty {
            self.depth += 1;
            if self.depth > 1000 {
                return Err(self.damaged("elements are nested too deeply"));
            }
        }
        let kind = if is_close {
            b'/'
        } else if is_empty {
            b'e'
        } else {
            b'>'
        };
        Ok(Span::Tag { name: (local, name_to), attributes: (name_to, inner_end), kind })
    }

    fn declaration(&mut self) -> Result<Option<Span>> {
        if self.starts_with(b"<!--")? {
            let length = self.find(4, |bytes| memmem::find(bytes, b"-->"))?.ok_or_else(|| self.damaged("a comment does not end"))?;
            self.begin += length + 3;
            return Ok(None);
        }
        if self.starts_with(b"<![CDATA[")? {
            let length = self.find(9, |bytes| memmem::find(bytes, b"]]>"))?.ok_or_else(|| self.damaged("a CDATA section does not end"))?;
            let from = self.begin;
            self.begin += length + 3;
            return Ok(Some(Span::Literal(from + 9, from + length)));
        }
        Err(self.damaged("it declares a document type (DTD), which workbooks must not: refused"))
    }

    fn instruction(&mut self) -> Result<()> {
        let length = self.find(2, |bytes| memmem::find(bytes, b"?>"))?.ok_or_else(|| self.damaged("an instruction does not end"))?;
        let text = &self.buffer[self.begin..self.begin + length];
        if !self.is_decoded
            && text.starts_with(b"<?xml ")
            && let Some(encoding) = attribute(&text[5..], b"encoding")
            && !matches!(encoding.to_ascii_lowercase().as_slice(), b"utf-8" | b"utf8" | b"us-ascii" | b"ascii" | b"utf-16")
        {
            let label = text_or_escaped(encoding);
            return Err(self.damaged(&format!("its encoding {label:?} is not one that workbooks use")));
        }
        self.begin += length + 2;
        Ok(())
    }

    fn starts_with(&mut self, prefix: &[u8]) -> Result<bool> {
        while self.end - self.begin < prefix.len() {
            if !self.fill()? {
                return Ok(false);
            }
        }
        Ok(self.buffer[self.begin..self.end].starts_with(prefix))
    }

    fn byte(&mut self, offset: usize) -> Result<Option<u8>> {
        while self.end - self.begin <= offset {
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(Some(self.buffer[self.begin + offset]))
    }

    /// Where `search` succeeds at or after `offset`, relative to the first unread byte; reads on as long as it does not.
    fn find(&mut self, offset: usize, search: impl Fn(&[u8]) -> Option<usize>) -> Result<Option<usize>> {
        loop {
            let unread = &self.buffer[self.begin..self.end];
            if let Some(found) = unread.get(offset..).and_then(&search) {
                return Ok(Some(offset + found));
            }
            // What is searched at least doubles each time: the whole stays linear.
            let wanted = unread.len() * 2;
            let mut grew = false;
            while self.end - self.begin <= wanted && self.fill()? {
                grew = true;
            }
            if !grew {
                return Ok(None);
            }
        }
    }

    /// Reads more behind the unread bytes; `false` at the end of the input.
    fn fill(&mut self) -> Result<bool> {
        if self.at_eof {
            return Ok(false);
        }
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        if self.buffer.len() - self.end < CHUNK / 2 {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
            if self.buffer.len() - self.end < CHUNK / 2 {
                if self.buffer.len() >= self.max_token {
                    return Err(
                        self.damaged(&format!("a cell or tag is longer than the {} bytes allowed (limit `cell_bytes`)", self.max_token))
                    );
                }
                let size = (self.buffer.len() * 2).min(self.max_token + CHUNK);
                self.buffer.resize(size, 0);
            }
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.at_eof = true;
                    return Ok(false);
                }
                Ok(n_bytes) => {
                    self.end += n_bytes;
                    return Ok(true);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.damaged(&error.to_string())),
            }
        }
    }
}

/// Where a tag's `>` is; one inside a quoted attribute value does not end it.
fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let found = from + memchr3(b'>', b'"', b'\'', &bytes[from..])?;
        if bytes[found] == b'>' {
            return Some(found);
        }
        from = found + 1 + memchr(bytes[found], &bytes[found + 1..])? + 1;
    }
}

#[cfg(test)]
mod tests;
