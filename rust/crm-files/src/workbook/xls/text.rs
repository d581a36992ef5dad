//! Texts of xls files: they go on from record to record, and before BIFF8 in a code page.
use encoding_rs::Encoding;

use super::super::binary::push_utf16;
use super::{CONTINUE, record_at};

pub(super) fn push_units(text: &mut String, bytes: &[u8], is_wide: bool) {
    if is_wide {
        push_utf16(text, bytes);
    } else {
        text.extend(bytes.iter().map(|byte| char::from(*byte)));
    }
}

/// A record's data and that of the `CONTINUE` records behind it.
pub(super) struct Pieces<'a> {
    pub stream: &'a [u8],
    pub data: &'a [u8],
    pub next: usize,
}

impl<'a> Pieces<'a> {
    /// Goes on in the next `CONTINUE` record; `false` where there is none.
    pub(super) fn go_on(&mut self) -> bool {
        match record_at(self.stream, self.next).filter(|record| record.kind == CONTINUE) {
            Some(record) => {
                self.data = record.data;
                self.next = record.next;
                true
            }
            None => false,
        }
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        while self.data.is_empty() {
            if !self.go_on() {
                return true;
            }
        }
        false
    }

    pub(super) fn skip(&mut self, mut n_bytes: usize) {
        while n_bytes > 0 && !self.is_at_end() {
            let step = n_bytes.min(self.data.len());
            self.data = &self.data[step..];
            n_bytes -= step;
        }
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        if self.is_at_end() {
            return None;
        }
        let (first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(*first)
    }

    pub(super) fn number(&mut self, n_bytes: usize) -> Option<u32> {
        (0..n_bytes).try_fold(0, |number, index| Some(number | u32::from(self.byte()?) << (8 * index)))
    }

    /// Appends one string; where it is cut between records, the next one begins with a byte that says how wide the rest is.
    pub(super) fn push_text(&mut self, text: &mut String) -> bool {
        let (Some(n_units), Some(flags)) = (self.number(2), self.byte()) else { return false };
        let n_runs = if flags & 8 != 0 { self.number(2).unwrap_or(0) as usize } else { 0 };
        let n_more = if flags & 4 != 0 { self.number(4).unwrap_or(0) as usize } else { 0 };
        self.push_units(text, n_units as usize, flags & 1 == 1);
        self.skip(n_runs.saturating_mul(4).saturating_add(n_more));
        true
    }

    pub(super) fn push_units(&mut self, text: &mut String, mut n_units: usize, mut is_wide: bool) {
        // A pair of halves may be cut in two as well.
        let mut wide: Vec<u8> = Vec::new();
        loop {
            let width = if is_wide { 2 } else { 1 };
            let n_bytes = (self.data.len() / width * width).min(n_units * width);
            let (bytes, rest) = self.data.split_at(n_bytes);
            if is_wide {
                wide.extend_from_slice(bytes);
            } else {
                push_utf16(text, &wide);
                wide.clear();
                push_units(text, bytes, false);
            }
            self.data = rest;
            n_units -= n_bytes / width;
            if n_units == 0 || !self.go_on() {
                break;
            }
            let Some((flags, rest)) = self.data.split_first() else { break };
            is_wide = flags & 1 == 1;
            self.data = rest;
        }
        push_utf16(text, &wide);
    }

    /// Where the records end.
    pub(super) fn end(mut self) -> usize {
        while self.go_on() {}
        self.next
    }
}

pub(super) fn encoding_of(code_page: u16) -> &'static Encoding {
    match code_page {
        874 => encoding_rs::WINDOWS_874,
        866 => encoding_rs::IBM866,
        932 => encoding_rs::SHIFT_JIS,
        936 => encoding_rs::GBK,
        949 => encoding_rs::EUC_KR,
        950 => encoding_rs::BIG5,
        1200 => encoding_rs::UTF_16LE,
        1250 => encoding_rs::WINDOWS_1250,
        1251 => encoding_rs::WINDOWS_1251,
        1253 => encoding_rs::WINDOWS_1253,
        1254 => encoding_rs::WINDOWS_1254,
        1255 => encoding_rs::WINDOWS_1255,
        1256 => encoding_rs::WINDOWS_1256,
        1257 => encoding_rs::WINDOWS_1257,
        1258 => encoding_rs::WINDOWS_1258,
        10_000 | 32_768 => encoding_rs::MACINTOSH,
        10_007 => encoding_rs::X_MAC_CYRILLIC,
        _ => encoding_rs::WINDOWS_1252,
    }
}
