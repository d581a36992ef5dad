//! xls: records of BIFF2 to BIFF8 in one stream, which is held in memory; nothing is allocated by what a record states.
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crm_core::{Control, Error, Result};
use encoding_rs::Encoding;

use super::WorkbookLimits;
use super::binary::{f64_at, push_boolean, push_error, push_utf16, rk_number, u16_at, u32_at};
use super::compound::{Compound, SIGNATURE};
use super::sheet::{CellBudget, Notes, Row, RowSource, column_letters, place};
use super::shown::Shown;
use super::strings::SharedStrings;

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

fn push_units(text: &mut String, bytes: &[u8], is_wide: bool) {
    if is_wide {
        push_utf16(text, bytes);
    } else {
        text.extend(bytes.iter().map(|byte| char::from(*byte)));
    }
}

/// A record's data and that of the `CONTINUE` records behind it.
struct Pieces<'a> {
    stream: &'a [u8],
    data: &'a [u8],
    next: usize,
}

impl<'a> Pieces<'a> {
    /// Goes on in the next `CONTINUE` record; `false` where there is none.
    fn go_on(&mut self) -> bool {
        match record_at(self.stream, self.next).filter(|record| record.kind == CONTINUE) {
            Some(record) => {
                self.data = record.data;
                self.next = record.next;
                true
            }
            None => false,
        }
    }

    fn is_at_end(&mut self) -> bool {
        while self.data.is_empty() {
            if !self.go_on() {
                return true;
            }
        }
        false
    }

    fn skip(&mut self, mut n_bytes: usize) {
        while n_bytes > 0 && !self.is_at_end() {
            let step = n_bytes.min(self.data.len());
            self.data = &self.data[step..];
            n_bytes -= step;
        }
    }

    fn byte(&mut self) -> Option<u8> {
        if self.is_at_end() {
            return None;
        }
        let (first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(*first)
    }

    fn number(&mut self, n_bytes: usize) -> Option<u32> {
        (0..n_bytes).try_fold(0, |number, index| Some(number | u32::from(self.byte()?) << (8 * index)))
    }

    /// Appends one string; where it is cut between records, the next one begins with a byte that says how wide the rest is.
    fn push_text(&mut self, text: &mut String) -> bool {
        let (Some(n_units), Some(flags)) = (self.number(2), self.byte()) else { return false };
        let n_runs = if flags & 8 != 0 { self.number(2).unwrap_or(0) as usize } else { 0 };
        let n_more = if flags & 4 != 0 { self.number(4).unwrap_or(0) as usize } else { 0 };
        self.push_units(text, n_units as usize, flags & 1 == 1);
        self.skip(n_runs.saturating_mul(4).saturating_add(n_more));
        true
    }

    fn push_units(&mut self, text: &mut String, mut n_units: usize, mut is_wide: bool) {
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
    fn end(mut self) -> usize {
        while self.go_on() {}
        self.next
    }
}

fn encoding_of(code_page: u16) -> &'static Encoding {
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

/// The rows of one sheet.
pub(super) struct XlsRows {
    book: Arc<XlsBook>,
    /// Where the next cell record begins.
    at: usize,
    /// Places of all cell records by row, where the file does not have them so.
    sorted: Option<std::vec::IntoIter<(u32, u32)>>,
    end: usize,
    hidden: HashSet<u32>,
    notes: Notes,
    budget: CellBudget,
    n_rows: u64,
}

/// Row of a cell record, `None` for other records.
fn cell_row(record: Record<'_>) -> Option<u32> {
    match record.kind {
        // BIFF2 has its own numbers for the same records.
        0x02..=0x05 | 0x06 | 0x0206 | 0x0406 | 0x0203 | 0x0204 | 0x0205 | 0xd6 | 0xbd | 0xfd | 0x027e if record.data.len() >= 7 => {
            Some(u16_at(record.data, 0).into())
        }
        _ => None,
    }
}

impl XlsRows {
    /// Looks through the sheet once: whether its cells stand by rows, what is hidden, what is merged.
    pub fn new(book: &Arc<XlsBook>, sheet: &XlsSheet, limits: &WorkbookLimits, control: &dyn Control) -> Result<Self> {
        let mut rows = Self {
            book: book.clone(),
            at: 0,
            sorted: None,
            end: 0,
            hidden: HashSet::new(),
            notes: Notes::default(),
            budget: CellBudget::new(&book.file, limits),
            n_rows: 0,
        };
        let stream = &book.stream;
        rows.at = record_at(stream, sheet.start).map_or(stream.len(), |record| record.next);
        let mut at = rows.at;
        let mut depth = 1;
        let mut last_row = 0;
        let mut is_sorted = true;
        let mut n_records = 0_u64;
        while let Some(record) = record_at(stream, at) {
            n_records += 1;
            if n_records.is_multiple_of(65_536) {
                control.check()?;
            }
            match record.kind {
                END => depth -= 1,
                // A chart within the sheet.
                0x0809 | 0x0409 | 0x0209 => depth += 1,
                _ if depth > 1 => {}
                0x0208 if u16_at(record.data, 12) & 0x20 != 0 => {
                    rows.hidden.insert(u16_at(record.data, 0).into());
                }
                0x7d if u16_at(record.data, 8) & 1 == 1 => {
                    for column in u16_at(record.data, 0)..=u16_at(record.data, 2).min(255) {
                        rows.notes.hidden_columns.add(|| format!("column {}", column_letters(column.into())));
                    }
                }
                0xe5 => {
                    for range in record.data.get(2..).unwrap_or_default().chunks_exact(8) {
                        rows.notes.merged.add(|| place(u64::from(u16_at(range, 0)) + 1, u16_at(range, 4).into()));
                    }
                }
                _ => {
                    if let Some(row) = cell_row(record) {
                        is_sorted &= row >= last_row;
                        last_row = row;
                    }
                }
            }
            if depth == 0 {
                break;
            }
            at = record.next;
        }
        rows.end = at;
        if !is_sorted {
            rows.sorted = Some(rows.sort().into_iter());
        }
        Ok(rows)
    }

    fn sort(&self) -> Vec<(u32, u32)> {
        let mut places = Vec::new();
        let mut at = self.at;
        let mut depth = 1;
        while at < self.end
            && let Some(record) = record_at(&self.book.stream, at)
        {
            match record.kind {
                END => depth -= 1,
                0x0809 | 0x0409 | 0x0209 => depth += 1,
                _ if depth == 1 => places.extend(cell_row(record).map(|row| (row, at as u32))),
                _ => {}
            }
            at = record.next;
        }
        places.sort_by_key(|(row, _)| *row);
        places
    }

    /// The place of the next cell record and its row, without going on.
    fn peek(&mut self) -> Option<(u32, usize)> {
        if let Some(sorted) = &self.sorted {
            return sorted.as_slice().first().map(|(row, at)| (*row, *at as usize));
        }
        let mut depth = 1;
        while self.at < self.end {
            let record = record_at(&self.book.stream, self.at)?;
            match record.kind {
                END => depth -= 1,
                0x0809 | 0x0409 | 0x0209 => depth += 1,
                _ if depth == 1 => {
                    if let Some(row) = cell_row(record) {
                        return Some((row, self.at));
                    }
                }
                _ => {}
            }
            self.at = record.next;
        }
        None
    }

    fn pass(&mut self, at: usize) {
        match &mut self.sorted {
            Some(sorted) => {
                sorted.next();
            }
            None => self.at = record_at(&self.book.stream, at).map_or(self.end, |record| record.next),
        }
    }

    fn push_number(&mut self, row: &mut Row, column: u16, style: usize, value: f64) {
        let shown = self.book.formats.get(style).unwrap_or(&Shown::General);
        self.notes.push_number(row, column.into(), value, shown, self.book.from_1904);
    }

    fn end_text(&mut self, row: &mut Row, column: u16, begin: usize) {
        self.notes.check_text(row, column.into(), begin);
        row.end_cell(column.into(), begin);
    }

    fn read_cell(&mut self, row: &mut Row, at: usize) -> Result<()> {
        let book = self.book.clone();
        let Some(record) = record_at(&book.stream, at) else { return Ok(()) };
        let data = record.data;
        let column = u16_at(data, 2);
        // BIFF2 cells have three bytes of attributes where later ones have the number of their style.
        let is_early = record.kind <= 5 || (record.kind == 6 && book.version == 2);
        let (style, value) =
            if is_early { (usize::from(data.get(4).copied().unwrap_or(0) & 0x3f), 7) } else { (usize::from(u16_at(data, 4)), 6) };
        let begin = row.text.len();
        match record.kind {
            0x02 => self.push_number(row, column, style, u16_at(data, 7).into()),
            0x03 | 0x0203 => self.push_number(row, column, style, f64_at(data, value)),
            0x04 => {
                row.text.push_str(&book.narrow_text(&data[7..]));
                self.end_text(row, column, begin);
            }
            0x05 | 0x0205 => self.push_boolean_or_error(row, column, data.get(value..).unwrap_or_default()),
            0x027e => self.push_number(row, column, style, rk_number(u32_at(data, 6))),
            0xbd => {
                for (index, pair) in data[4..].chunks_exact(6).enumerate() {
                    self.push_number(row, column.saturating_add(index as u16), u16_at(pair, 0).into(), rk_number(u32_at(pair, 2)));
                }
            }
            0xfd => {
                let Some(text) = book.strings.get(u32_at(data, 6) as usize) else {
                    return Err(book.damaged(&format!("cell {} names a shared string that is not there", place(row.number, column.into()))));
                };
                row.text.push_str(text);
                self.end_text(row, column, begin);
            }
            0x0204 | 0xd6 => {
                push_long_text(&book, &mut row.text, record);
                self.end_text(row, column, begin);
            }
            0x06 | 0x0206 | 0x0406 => self.read_formula(row, column, style, data.get(value..).unwrap_or_default(), record),
            _ => {}
        }
        Ok(())
    }

    fn push_boolean_or_error(&mut self, row: &mut Row, column: u16, value: &[u8]) {
        match value {
            [code, 1, ..] => push_error(row, column.into(), *code, &mut self.notes),
            [truth, ..] => push_boolean(row, column.into(), *truth),
            [] => {}
        }
    }

    /// The stored result of a formula; a text follows in a record of its own.
    fn read_formula(&mut self, row: &mut Row, column: u16, style: usize, result: &[u8], record: Record<'_>) {
        if u16_at(result, 6) != 0xffff || result.len() < 8 {
            return self.push_number(row, column, style, f64_at(result, 0));
        }
        match result[0] {
            0 => {
                let book = self.book.clone();
                let mut at = record.next;
                let begin = row.text.len();
                while let Some(next) = record_at(&book.stream, at) {
                    match next.kind {
                        0x0207 | 0x07 => {
                            push_long_text(&book, &mut row.text, Record { data: next.data, ..next });
                            self.end_text(row, column, begin);
                            return;
                        }
                        // Shared formulas, arrays and tables stand in between.
                        0x04bc | 0x0221 | 0x0021 | 0x0236 | 0x0036 => at = next.next,
                        _ => break,
                    }
                }
                self.notes.uncalculated.add(|| place(row.number, column.into()));
            }
            1 => push_boolean(row, column.into(), result[2]),
            2 => push_error(row, column.into(), result[2], &mut self.notes),
            _ => {}
        }
    }
}

/// Appends the text of a label, or of a formula's result: that one has no place and style before it.
fn push_long_text(book: &XlsBook, text: &mut String, record: Record<'_>) {
    let is_result = matches!(record.kind, 0x0207 | 0x07);
    let data = record.data.get(if is_result { 0 } else { 6 }..).unwrap_or_default();
    if book.version < 8 {
        let (length, rest) = if record.kind == 0x07 {
            (usize::from(data.first().copied().unwrap_or(0)), data.get(1..).unwrap_or_default())
        } else {
            (usize::from(u16_at(data, 0)), data.get(2..).unwrap_or_default())
        };
        text.push_str(&book.encoding.decode_without_bom_handling(&rest[..rest.len().min(length)]).0);
        return;
    }
    let mut pieces = Pieces { stream: &book.stream, data, next: record.next };
    if let (Some(n_units), Some(flags)) = (pieces.number(2), pieces.byte()) {
        pieces.push_units(text, n_units as usize, flags & 1 == 1);
    }
}

impl RowSource for XlsRows {
    fn next_row(&mut self, row: &mut Row, control: &dyn Control) -> Result<bool> {
        while let Some((number, _)) = self.peek() {
            self.n_rows += 1;
            if self.n_rows.is_multiple_of(256) {
                control.check()?;
            }
            row.clear(u64::from(number) + 1);
            while let Some((next, at)) = self.peek() {
                if next != number {
                    break;
                }
                self.read_cell(row, at)?;
                self.budget.check(row)?;
                self.pass(at);
            }
            if !row.cells.is_empty() {
                if self.hidden.contains(&number) {
                    self.notes.hidden_rows.add(|| format!("row {}", number + 1));
                }
                self.budget.spend(row)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn notes(&self) -> &Notes {
        &self.notes
    }
}
