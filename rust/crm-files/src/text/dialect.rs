//! How the cells of delimited text are told apart.
use super::escape::text_or_escaped;
use crate::Dialect;

/// What ends a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// `\n`; a `\r` elsewhere is content.
    Lf,
    /// `\r\n`, and a lone `\n` too.
    CrLf,
    /// `\r` alone.
    Cr,
    /// Any of the three.
    Mixed,
    /// The record separator of ASCII, `\x1E`; other line ends are content.
    RecordSeparator,
}

impl LineEnd {
    /// The byte that every line ends with.
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Lf | Self::CrLf | Self::Mixed => b'\n',
            Self::Cr => b'\r',
            Self::RecordSeparator => RECORD_SEPARATOR,
        }
    }
}

impl LineEnd {
    /// Line ends in `text`.
    pub(super) fn count(self, text: &[u8]) -> u64 {
        let n_ends = memchr::memchr_iter(self.byte(), text).count();
        let n_alone = match self {
            Self::Mixed => memchr::memchr_iter(b'\r', text).filter(|at| text.get(at + 1) != Some(&b'\n')).count(),
            _ => 0,
        };
        (n_ends + n_alone) as u64
    }

    /// Behind the first line end of `text`.
    pub(super) fn next_line(self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Mixed => memchr::memchr2(b'\n', b'\r', text).map(|at| at + if text[at..].starts_with(b"\r\n") { 2 } else { 1 }),
            _ => memchr::memchr(self.byte(), text).map(|at| at + 1),
        }
    }
}

/// What ends records where neither `\n` nor `\r` does.
pub(super) const RECORD_SEPARATOR: u8 = 0x1E;

/// The syntax that the record parser follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Syntax {
    /// Empty where the file has one column.
    pub delimiter: Vec<u8>,
    /// Whether so many delimiters and more in a row are one, and those at the ends of a line none: columns aligned with blanks.
    pub run: Option<usize>,
    /// Whether every line stands in quotes as a whole, those within it doubled.
    pub wrapped: bool,
    /// Opening and closing quote, the same in most files.
    pub quote: Option<(Vec<u8>, Vec<u8>)>,
    pub escape: Option<u8>,
    pub line_end: LineEnd,
    pub comment: Option<Vec<u8>>,
    /// Whether blanks around delimiters are no part of the cells.
    pub trim: bool,
    /// Whether every line begins with a delimiter that divides nothing.
    pub leads: bool,
}

impl Default for Syntax {
    fn default() -> Self {
        Self {
            delimiter: b",".to_vec(),
            run: None,
            wrapped: false,
            quote: Some((b"\"".to_vec(), b"\"".to_vec())),
            escape: None,
            line_end: LineEnd::Lf,
            comment: None,
            trim: false,
            leads: false,
        }
    }
}

impl Syntax {
    /// The same for the report.
    pub(super) fn describe(&self) -> Dialect {
        let closing = self.quote.as_ref().filter(|(open, close)| open != close);
        Dialect {
            delimiter: text_or_escaped(&self.delimiter),
            quote: self.quote.as_ref().map(|(open, _)| text_or_escaped(open)),
            closing_quote: closing.map(|(_, close)| text_or_escaped(close)),
            escape: self.escape.map(|byte| text_or_escaped(&[byte])),
            line_end: match self.line_end {
                LineEnd::Lf => "\\n",
                LineEnd::CrLf => "\\r\\n",
                LineEnd::Cr => "\\r",
                LineEnd::Mixed => "mixed",
                LineEnd::RecordSeparator => "\\x1E",
            }
            .to_owned(),
            comment: self.comment.as_deref().map(text_or_escaped),
            trim: self.trim,
        }
    }

    /// Whether the fast scanner can follow it: one byte each for delimiter, quote and line end, nothing else.
    pub(super) fn is_plain(&self) -> bool {
        let one_byte = |quote: &(Vec<u8>, Vec<u8>)| quote.0 == quote.1 && quote.0.len() == 1;
        self.delimiter.len() == 1
            && self.run.is_none()
            && !self.wrapped
            && self.quote.as_ref().is_none_or(one_byte)
            && self.escape.is_none()
            && !self.trim
            && !self.leads
            && self.line_end != LineEnd::Mixed
    }
}
