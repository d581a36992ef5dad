//! xlsb: the parts of an xlsx package as binary records.
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use crm_core::{Control, Error, Result};

use super::WorkbookLimits;
use super::binary::{f64_at, push_boolean, push_error, push_utf16, rk_number, u16_at, u32_at};
use super::package::{Package, PartReader};
use super::sheet::{CellBudget, MAX_COLUMNS, MAX_ROWS, Notes, Row, RowSource, column_letters, place};
use super::shown::Shown;
use super::strings::SharedStrings;
use super::xlsx::{Book, SheetEntry, relations, rels_of};

/// Records of one part: kind and payload.
struct Records {
    input: PartReader,
    file: String,
    part: String,
    buffer: Vec<u8>,
    begin: usize,
    payload: Vec<u8>,
    max_record: usize,
}

impl Records {
    fn open(package: &Package, part: &str, max_record: usize) -> Result<Option<Self>> {
        Ok(package.part(part)?.map(|input| Self {
            input,
            file: package.name().to_owned(),
            part: part.to_owned(),
            buffer: Vec::new(),
            begin: 0,
            payload: Vec::new(),
            max_record,
        }))
    }

    /// Reads the next record into `payload` and returns its kind; `None` at the end.
    fn next(&mut self) -> Result<Option<u32>> {
        let Some(first) = self.byte()? else { return Ok(None) };
        let mut kind = u32::from(first);
        if first & 0x80 != 0 {
            kind = (kind & 0x7f) | u32::from(self.byte()?.unwrap_or(0) & 0x7f) << 7;
        }
        let mut size = 0_usize;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?.ok_or_else(|| self.damaged("it ends in the middle of a record: the file is cut short"))?;
            size |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        if size > self.max_record {
            return Err(self.damaged(&format!("a record of {size} bytes is longer than allowed (limit `cell_bytes`)")));
        }
        self.payload.clear();
        while self.payload.len() < size {
            if self.begin == self.buffer.len() && !self.fill()? {
                return Err(self.damaged("it ends in the middle of a record: the file is cut short"));
            }
            let n_bytes = (size - self.payload.len()).min(self.buffer.len() - self.begin);
            self.payload.extend_from_slice(&self.buffer[self.begin..self.begin + n_bytes]);
            self.begin += n_bytes;
        }
        Ok(Some(kind))
    }

    fn byte(&mut self) -> Result<Option<u8>> {
        if self.begin == self.buffer.len() && !self.fill()? {
            return Ok(None);
        }
        self.begin += 1;
        Ok(Some(self.buffer[self.begin - 1]))
    }

    fn fill(&mut self) -> Result<bool> {
        self.buffer.resize(1 << 16, 0);
        self.begin = 0;
        loop {
            match self.input.read(&mut self.buffer) {
                Ok(n_bytes) => {
                    self.buffer.truncate(n_bytes);
                    return Ok(n_bytes > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.clear();
                    return Err(self.damaged(&error.to_string()));
                }
            }
        }
    }

    fn damaged(&self, reason: &str) -> Error {
        Error::file_format(&*self.file, format!("{}: {}: {reason}", self.file, self.part))
    }

    /// The bytes of the text that begins at `at` of the payload, and where it ends.
    fn text_at(&self, at: usize) -> Result<(&[u8], usize)> {
        let n_units = u32_at(&self.payload, at) as usize;
        // A missing text is written as the largest length.
        if n_units == 0xffff_ffff {
            return Ok((&[], at + 4));
        }
        let end = n_units.checked_mul(2).and_then(|bytes| bytes.checked_add(at + 4)).filter(|end| *end <= self.payload.len());
        match end {
            Some(end) => Ok((&self.payload[at + 4..end], end)),
            None => Err(self.damaged("a text is longer than the record that holds it")),
        }
    }
}

/// Reads what all sheets of the workbook share.
pub(super) fn open_book(
    package: &Package,
    workbook_part: &str,
    limits: &WorkbookLimits,
    max_record: usize,
    control: &dyn Control,
) -> Result<Book> {
    let (folder, rels_part) = rels_of(workbook_part);
    let relations = relations(package, &rels_part, &folder, max_record)?;
    let mut records = Records::open(package, workbook_part, max_record)?
        .ok_or_else(|| Error::file_format(package.name(), format!("{}: the workbook part is missing", package.name())))?;
    let mut sheets = Vec::new();
    let mut from_1904 = false;
    while let Some(kind) = records.next()? {
        match kind {
            153 => from_1904 = u32_at(&records.payload, 0) & 1 == 1,
            156 => {
                let state = u32_at(&records.payload, 0);
                let (id, end) = records.text_at(8)?;
                let mut id_text = String::new();
                push_utf16(&mut id_text, id);
                let mut name = String::new();
                push_utf16(&mut name, records.text_at(end)?.0);
                let Some(relation) = relations.iter().find(|relation| relation.id == id_text) else { continue };
                if relation.kind.ends_with("/worksheet") {
                    sheets.push(SheetEntry { name, hidden: state != 0, part: relation.target.clone() });
                }
                if sheets.len() > limits.sheets {
                    return Err(records.damaged(&format!("more than the {} sheets allowed (limit `sheets`)", limits.sheets)));
                }
            }
            _ => {}
        }
    }
    let part_of = |kind: &str, usual: &str| {
        let related = relations.iter().find(|relation| relation.kind.ends_with(kind)).map(|relation| relation.target.clone());
        related.unwrap_or_else(|| format!("{folder}/{usual}"))
    };
    let strings = read_strings(package, &part_of("/sharedStrings", "sharedStrings.bin"), limits, max_record, control)?;
    let formats = read_formats(package, &part_of("/styles", "styles.bin"), max_record)?;
    Ok(Book { sheets, strings: Arc::new(strings), formats: Arc::new(formats), from_1904 })
}

fn read_strings(package: &Package, part: &str, limits: &WorkbookLimits, max_record: usize, control: &dyn Control) -> Result<SharedStrings> {
    let mut strings = SharedStrings::default();
    let Some(mut records) = Records::open(package, part, max_record)? else { return Ok(strings) };
    let mut n_strings = 0_u64;
    while let Some(kind) = records.next()? {
        if kind == 19 {
            push_utf16(strings.buffer(), records.text_at(1)?.0);
            strings.end_string(package.name(), limits)?;
            n_strings += 1;
            if n_strings.is_multiple_of(16_384) {
                control.check()?;
            }
        }
    }
    Ok(strings)
}

fn read_formats(package: &Package, part: &str, max_record: usize) -> Result<Vec<Shown>> {
    let mut formats = Vec::new();
    let Some(mut records) = Records::open(package, part, max_record)? else { return Ok(formats) };
    let mut own = HashMap::new();
    let mut in_cell_formats = false;
    while let Some(kind) = records.next()? {
        match kind {
            44 => {
                let mut code = String::new();
                push_utf16(&mut code, records.text_at(2)?.0);
                own.insert(u16_at(&records.payload, 0), Shown::of_code(&code));
            }
            617 => in_cell_formats = true,
            618 => in_cell_formats = false,
            47 if in_cell_formats => {
                let id = u16_at(&records.payload, 2);
                formats.push(own.get(&id).cloned().unwrap_or_else(|| Shown::of_builtin(id.into())));
            }
            _ => {}
        }
        if formats.len() > 100_000 {
            return Err(records.damaged("it has more number formats than a workbook can"));
        }
    }
    Ok(formats)
}

/// The rows of one sheet.
pub(super) struct XlsbRows {
    records: Records,
    strings: Arc<SharedStrings>,
    formats: Arc<Vec<Shown>>,
    from_1904: bool,
    notes: Notes,
    budget: CellBudget,
    /// Number of the row whose cells come next, and whether it is hidden.
    open_row: Option<(u64, bool)>,
    done: bool,
    n_records: u64,
}

impl XlsbRows {
    pub fn new(package: &Package, book: &Book, sheet: &SheetEntry, limits: &WorkbookLimits, max_record: usize) -> Result<Self> {
        let records = Records::open(package, &sheet.part, max_record)?.ok_or_else(|| {
            Error::file_format(
                package.name(),
                format!("{}: the data of sheet {:?} is missing ({})", package.name(), sheet.name, sheet.part),
            )
        })?;
        Ok(Self {
            records,
            strings: book.strings.clone(),
            formats: book.formats.clone(),
            from_1904: book.from_1904,
            notes: Notes::default(),
            budget: CellBudget::new(package.name(), limits),
            open_row: None,
            done: false,
            n_records: 0,
        })
    }

    fn read_cell(&mut self, row: &mut Row, kind: u32) -> Result<()> {
        let payload = &self.records.payload;
        let column = u32_at(payload, 0);
        if column >= MAX_COLUMNS || payload.len() < 8 {
            return Err(self.records.damaged(&format!("row {} has a cell beyond the last column", row.number)));
        }
        let style = (u32_at(payload, 4) & 0x00ff_ffff) as usize;
        let shown = self.formats.get(style).unwrap_or(&Shown::General);
        match kind {
            2 => self.notes.push_number(row, column, rk_number(u32_at(payload, 8)), shown, self.from_1904),
            3 | 11 => push_error(row, column, payload.get(8).copied().unwrap_or(0), &mut self.notes),
            4 | 10 => push_boolean(row, column, payload.get(8).copied().unwrap_or(0)),
            5 | 9 => self.notes.push_number(row, column, f64_at(payload, 8), shown, self.from_1904),
            6 | 8 | 62 => {
                let begin = row.text.len();
                push_utf16(&mut row.text, self.records.text_at(if kind == 62 { 9 } else { 8 })?.0);
                self.notes.check_text(row, column, begin);
                row.end_cell(column, begin);
            }
            7 => {
                let Some(text) = self.strings.get(u32_at(payload, 8) as usize) else {
                    let reason = format!("cell {} names a shared string that is not there", place(row.number, column));
                    return Err(self.records.damaged(&reason));
                };
                let begin = row.text.len();
                row.text.push_str(text);
                self.notes.check_text(row, column, begin);
                row.end_cell(column, begin);
            }
            _ => {}
        }
        self.budget.check(row)
    }

    /// Opens the row that the payload names and returns the one before it.
    fn begin_row(&mut self) -> Result<Option<(u64, bool)>> {
        let number = u64::from(u32_at(&self.records.payload, 0)) + 1;
        if number > MAX_ROWS {
            return Err(self.records.damaged(&format!("row {number} is beyond the last row that a sheet can have ({MAX_ROWS})")));
        }
        let is_hidden = self.records.payload.get(11).is_some_and(|flags| flags & 0x10 != 0);
        Ok(self.open_row.replace((number, is_hidden)))
    }
}

impl RowSource for XlsbRows {
    fn next_row(&mut self, row: &mut Row, control: &dyn Control) -> Result<bool> {
        row.clear(self.open_row.map_or(1, |(number, _)| number));
        while !self.done {
            self.n_records += 1;
            if self.n_records.is_multiple_of(4096) {
                control.check()?;
            }
            let ended = match self.records.next()? {
                Some(0) => self.begin_row()?,
                Some(kind @ (2..=11 | 62)) => {
                    self.read_cell(row, kind)?;
                    continue;
                }
                Some(146) | None => {
                    let ended = self.open_row.take();
                    self.tell_rest()?;
                    self.done = true;
                    ended
                }
                Some(60) => {
                    let payload = &self.records.payload;
                    if u16_at(payload, 16) & 1 == 1 {
                        for column in u32_at(payload, 0)..=u32_at(payload, 4).min(MAX_COLUMNS - 1) {
                            self.notes.hidden_columns.add(|| format!("column {}", column_letters(column)));
                        }
                    }
                    continue;
                }
                Some(_) => continue,
            };
            if !row.cells.is_empty() {
                if let Some((number, true)) = ended {
                    self.notes.hidden_rows.add(|| format!("row {number}"));
                }
                self.budget.spend(row)?;
                return Ok(true);
            }
            row.clear(self.open_row.map_or(1, |(number, _)| number));
        }
        Ok(false)
    }

    fn notes(&self) -> &Notes {
        &self.notes
    }
}

impl XlsbRows {
    /// Reads what follows the cells: the merged ranges.
    fn tell_rest(&mut self) -> Result<()> {
        while let Some(kind) = self.records.next()? {
            if kind == 176 {
                let payload = &self.records.payload;
                let (row, column) = (u64::from(u32_at(payload, 0)) + 1, u32_at(payload, 8));
                self.notes.merged.add(row, || place(row, column));
            }
        }
        Ok(())
    }
}
