//! xls: records of BIFF2 to BIFF8 in one stream, which is held in memory; nothing is allocated by what a record states.
mod rows;
mod text;

use std::collections::HashMap;
use std::path::Path;

use crm_core::{Control, Error, Result};
use encoding_rs::Encoding;

use super::WorkbookLimits;
use super::binary::{u16_at, u32_at};
use super::compound::{Compound, SIGNATURE};
use super::shown::Shown;
use super::strings::SharedStrings;
pub(super) use rows::XlsRows;
use text::{Pieces, encoding_of, push_units};

const CONTINUE: u16 = 0x3c;
const END: u16 = 0x0a;

/// What all sheets of an xls file share.
pub(super) struct XlsBook {
    file: String,
    stream: Vec<u8>,
    pub sheets: Vec<XlsSheet>,
    strings: SharedStrings,
    formats: Vec<Shown>,
    from_1904: bool,
    version: u8,
    encoding: &'static Encoding,
}

/// A sheet: its name, whether it is hidden, and where its records begin.
#[derive(Debug, Clone)]
pub(super) struct XlsSheet {
    pub name: String,
    pub hidden: bool,
    start: usize,
}

#[derive(Clone, Copy)]
struct Record<'a> {
    kind: u16,
    data: &'a [u8],
    next: usize,
}

/// The record at `at`; one that is cut short has what there is.
fn record_at(stream: &[u8], at: usize) -> Option<Record<'_>> {
    let head = stream.get(at..at.checked_add(4)?)?;
    let length = usize::from(u16_at(head, 2));
    let end = (at + 4 + length).min(stream.len());
    Some(Record { kind: u16_at(head, 0), data: &stream[at + 4..end], next: end })
}

impl XlsBook {
    pub fn open(path: &Path, limits: &WorkbookLimits, control: &dyn Control) -> Result<Self> {
        let file = path.display().to_string();
        let length = std::fs::metadata(path).map_err(|error| Error::os(&error, &*file))?.len();
        if length > limits.stream_bytes as u64 {
            return Err(Error::file_format(
                &*file,
                format!("{file}: {length} bytes are more than the {} allowed (limit `stream_bytes`)", limits.stream_bytes),
            ));
        }
        let bytes = std::fs::read(path).map_err(|error| Error::os(&error, &*file))?;
        control.check()?;
        let stream = if bytes.starts_with(SIGNATURE) { workbook_stream(&bytes, &file, limits)? } else { bytes };
        let mut book = Self {
            file,
            stream,
            sheets: Vec::new(),
            strings: SharedStrings::default(),
            formats: Vec::new(),
            from_1904: false,
            version: 8,
            encoding: encoding_rs::WINDOWS_1252,
        };
        book.read_globals(limits, control)?;
        Ok(book)
    }

    fn damaged(&self, reason: &str) -> Error {
        Error::file_format(&*self.file, format!("{}: {reason}", self.file))
    }

    fn read_globals(&mut self, limits: &WorkbookLimits, control: &dyn Control) -> Result<()> {
        let stream = std::mem::take(&mut self.stream);
        let outcome = self.read_globals_of(&stream, limits, control);
        self.stream = stream;
        outcome
    }

    fn read_globals_of(&mut self, stream: &[u8], limits: &WorkbookLimits, control: &dyn Control) -> Result<()> {
        let Some(first) = record_at(stream, 0) else { return Err(self.damaged("the workbook stream is empty")) };
        self.version = match first.kind {
            0x0009 => 2,
            0x0209 => 3,
            0x0409 => 4,
            0x0809 => match u16_at(first.data, 0) {
                0x0500 => 5,
                0x0600 => 8,
                0x0200 => 2,
                0x0300 => 3,
                0x0400 => 4,
                _ => 8,
            },
            _ => return Err(self.damaged("the workbook does not begin as an xls workbook does")),
        };
        // Before BIFF5 a file is one sheet, its globals among the cells.
        let is_single = self.version < 5 || u16_at(first.data, 2) == 0x10;
        if is_single {
            self.sheets.push(XlsSheet { name: "Sheet1".to_owned(), hidden: false, start: 0 });
        }
        let mut own = HashMap::new();
        let mut format_ids = Vec::new();
        let mut n_early_formats = 0_u16;
        let mut bound = Vec::new();
        let mut at = first.next;
        let mut n_records = 0_u64;
        while let Some(record) = record_at(stream, at) {
            n_records += 1;
            if n_records.is_multiple_of(65_536) {
                control.check()?;
            }
            at = record.next;
            let data = record.data;
            match record.kind {
                END if !is_single => break,
                0x2f => return Err(self.damaged("the file is protected by a password; save it without one")),
                0x22 => self.from_1904 = u16_at(data, 0) == 1,
                0x42 => self.encoding = encoding_of(u16_at(data, 0)),
                // Formats: BIFF4 and later number them, BIFF2 and 3 count them.
                0x041e if self.version >= 5 => {
                    let code = if self.version == 8 {
                        self.wide_text(&data[2.min(data.len())..], true)
                    } else {
                        self.narrow_text(data.get(2..).unwrap_or_default())
                    };
                    own.insert(u16_at(data, 0), Shown::of_code(&code));
                }
                0x001e | 0x041e => {
                    let text = if record.kind == 0x041e { data.get(2..).unwrap_or_default() } else { data };
                    own.insert(n_early_formats, Shown::of_code(&self.narrow_text(text)));
                    n_early_formats = n_early_formats.saturating_add(1);
                }
                0x00e0 => format_ids.push(u16_at(data, 2)),
                0x0043 => format_ids.push(u16::from(data.get(2).copied().unwrap_or(0) & 0x3f)),
                0x0243 | 0x0443 => format_ids.push(u16::from(data.get(1).copied().unwrap_or(0))),
                0x0085 if !is_single && data.len() > 6 => {
                    let name = if self.version == 8 { self.wide_text(&data[6..], false) } else { self.narrow_text(&data[6..]) };
                    bound.push((u32_at(data, 0) as usize, data[4] & 3 != 0, data[5], name));
                    if bound.len() > limits.sheets {
                        return Err(self.damaged(&format!("more than the {} sheets allowed (limit `sheets`)", limits.sheets)));
                    }
                }
                0x00fc => at = self.read_strings(stream, record, limits)?,
                _ => {}
            }
            if format_ids.len() > 100_000 {
                return Err(self.damaged("it has more number formats than a workbook can"));
            }
        }
        for (start, hidden, kind, name) in bound {
            // Charts and macro sheets hold no table; a place without the beginning of a sheet is damage.
            let begins = record_at(stream, start).filter(|record| matches!(record.kind, 0x0809 | 0x0409 | 0x0209 | 0x0009));
            match begins {
                Some(record) if kind == 0 && u16_at(record.data, 2) != 0x20 => self.sheets.push(XlsSheet { name, hidden, start }),
                None if kind == 0 => return Err(self.damaged(&format!("the data of sheet {name:?} is missing"))),
                _ => {}
            }
        }
        self.formats = format_ids.iter().map(|id| own.get(id).cloned().unwrap_or_else(|| Shown::of_builtin((*id).into()))).collect();
        Ok(())
    }

    /// Text with its length in one or two bytes, and a byte that says whether its characters have one or two.
    fn wide_text(&self, data: &[u8], long_length: bool) -> String {
        let (n_units, rest) = if long_length {
            (usize::from(u16_at(data, 0)), data.get(2..).unwrap_or_default())
        } else {
            (usize::from(data.first().copied().unwrap_or(0)), data.get(1..).unwrap_or_default())
        };
        let mut text = String::new();
        let Some((flags, rest)) = rest.split_first() else { return text };
        push_units(&mut text, &rest[..rest.len().min(n_units * if flags & 1 == 1 { 2 } else { 1 })], flags & 1 == 1);
        text
    }

    /// Text with its length in one byte, in the file's own encoding.
    fn narrow_text(&self, data: &[u8]) -> String {
        let Some((length, rest)) = data.split_first() else { return String::new() };
        let bytes = &rest[..rest.len().min(usize::from(*length))];
        self.encoding.decode_without_bom_handling(bytes).0.into_owned()
    }

    /// Reads the shared strings, which go on in further records; returns where those end.
    fn read_strings(&mut self, stream: &[u8], first: Record<'_>, limits: &WorkbookLimits) -> Result<usize> {
        let mut pieces = Pieces { stream, data: first.data, next: first.next };
        let n_strings = u32_at(first.data, 4);
        pieces.skip(8);
        for _ in 0..n_strings {
            if pieces.is_at_end() || !pieces.push_text(self.strings.buffer()) {
                break;
            }
            self.strings.end_string(&self.file, limits)?;
        }
        Ok(pieces.end())
    }
}

/// The stream inside a compound file.
fn workbook_stream(bytes: &[u8], file: &str, limits: &WorkbookLimits) -> Result<Vec<u8>> {
    let damaged = |reason: String| Error::file_format(file, format!("{file}: {reason}"));
    let compound = Compound::open(bytes, limits).map_err(damaged)?;
    if compound.has("EncryptedPackage") || compound.has("EncryptionInfo") {
        return Err(damaged("the file is protected by a password; save it without one".to_owned()));
    }
    for name in ["Workbook", "Book"] {
        if let Some(stream) = compound.stream(name, limits.stream_bytes).map_err(damaged)? {
            return Ok(stream);
        }
    }
    Err(damaged("the compound file holds no workbook".to_owned()))
}
