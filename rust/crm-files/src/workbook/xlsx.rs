//! xlsx and xlsm: sheets of XML, read as a stream of cells.
use std::sync::Arc;

use crm_core::{Control, Error, Result};

use super::WorkbookLimits;
use super::package::{Package, PartReader};
use super::sheet::{CellBudget, MAX_COLUMNS, MAX_ROWS, Notes, Row, RowSource, column_letters, parse_place, place};
use super::shown::Shown;
use super::strings::SharedStrings;
use super::xml::{
    Token, Utf8Input, XmlReader, attribute, attribute_is_true, attribute_number, attribute_text, push_literal, push_text, unescape_controls,
};

/// An XML part being read.
pub(super) type PartXml = XmlReader<Utf8Input<PartReader>>;

/// Opens a part as XML, `None` where it is missing.
pub(super) fn open_xml(package: &Package, part: &str, max_token: usize) -> Result<Option<PartXml>> {
    Ok(package.part(part)?.map(|input| XmlReader::new(Utf8Input::new(input), package.name(), part, max_token)))
}

/// A sheet as the workbook lists it.
#[derive(Debug, Clone)]
pub(super) struct SheetEntry {
    pub name: String,
    pub hidden: bool,
    pub part: String,
}

/// What all sheets of a workbook share.
pub(super) struct Book {
    pub sheets: Vec<SheetEntry>,
    pub strings: Arc<SharedStrings>,
    pub formats: Arc<Vec<Shown>>,
    pub from_1904: bool,
}

/// A relation of one part to others: id, target, type.
pub(super) struct Relation {
    pub id: String,
    pub target: String,
    pub kind: String,
}

/// The part that holds the workbook itself.
pub(super) fn workbook_part(package: &Package, max_token: usize) -> Result<Option<String>> {
    let relations = relations(package, "_rels/.rels", "", max_token)?;
    let named = relations.into_iter().find(|relation| relation.kind.ends_with("/officeDocument")).map(|relation| relation.target);
    let candidates = named.into_iter().chain(["xl/workbook.xml".to_owned(), "xl/workbook.bin".to_owned()]);
    Ok(candidates.into_iter().find(|part| package.has(part)))
}

/// The relations that `rels_part` lists, their targets resolved from `folder`.
pub(super) fn relations(package: &Package, rels_part: &str, folder: &str, max_token: usize) -> Result<Vec<Relation>> {
    let Some(mut xml) = open_xml(package, rels_part, max_token)? else { return Ok(Vec::new()) };
    let mut relations = Vec::new();
    loop {
        match xml.next()? {
            Token::Open { name: b"Relationship", attributes } | Token::Empty { name: b"Relationship", attributes } => {
                let text = |name| attribute_text(attributes, name).unwrap_or_default().into_owned();
                relations.push(Relation { id: text(b"Id"), target: resolved(folder, &text(b"Target")), kind: text(b"Type") });
            }
            Token::End => return Ok(relations),
            _ => {}
        }
    }
}

/// The part's folder and the name of its relations part.
pub(super) fn rels_of(part: &str) -> (String, String) {
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
    (folder.to_owned(), format!("{folder}{}_rels/{file}.rels", if folder.is_empty() { "" } else { "/" }))
}

fn resolved(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in target.split('/') {
        match step {
            "." | "" => {}
            ".." => {
                steps.pop();
            }
            other => steps.push(other),
        }
    }
    steps.join("/")
}

impl Book {
    pub fn open(package: &Package, workbook_part: &str, limits: &WorkbookLimits, max_token: usize, control: &dyn Control) -> Result<Self> {
        let (folder, rels_part) = rels_of(workbook_part);
        let relations = relations(package, &rels_part, &folder, max_token)?;
        let mut from_1904 = false;
        let mut sheets = Vec::new();
        let mut xml = open_xml(package, workbook_part, max_token)?
            .ok_or_else(|| Error::file_format(package.name(), format!("{}: the workbook part is missing", package.name())))?;
        loop {
            match xml.next()? {
                Token::Open { name: b"workbookPr", attributes } | Token::Empty { name: b"workbookPr", attributes } => {
                    from_1904 = attribute_is_true(attributes, b"date1904");
                }
                Token::Open { name: b"sheet", attributes } | Token::Empty { name: b"sheet", attributes } => {
                    let id = attribute_text(attributes, b"id").unwrap_or_default();
                    let Some(relation) = relations.iter().find(|relation| relation.id == id) else { continue };
                    // Charts, dialogs and macro sheets hold no table.
                    if relation.kind.ends_with("/worksheet") {
                        sheets.push(SheetEntry {
                            name: attribute_text(attributes, b"name").unwrap_or_default().into_owned(),
                            hidden: attribute(attributes, b"state").is_some_and(|state| state != b"visible"),
                            part: relation.target.clone(),
                        });
                    }
                    if sheets.len() > limits.sheets {
                        return Err(xml.damaged(&format!("more than the {} sheets allowed (limit `sheets`)", limits.sheets)));
                    }
                }
                Token::End => break,
                _ => {}
            }
        }
        let part_of = |kind: &str, usual: &str| {
            relations
                .iter()
                .find(|relation| relation.kind.ends_with(kind))
                .map_or_else(|| resolved(&folder, usual), |relation| relation.target.clone())
        };
        let strings = read_strings(package, &part_of("/sharedStrings", "sharedStrings.xml"), limits, max_token, control)?;
        let formats = read_formats(package, &part_of("/styles", "styles.xml"), max_token)?;
        Ok(Self { sheets, strings: Arc::new(strings), formats: Arc::new(formats), from_1904 })
    }
}

fn read_strings(package: &Package, part: &str, limits: &WorkbookLimits, max_token: usize, control: &dyn Control) -> Result<SharedStrings> {
    let mut strings = SharedStrings::default();
    let Some(mut xml) = open_xml(package, part, max_token)? else { return Ok(strings) };
    let mut in_text = false;
    let mut n_strings = 0_u64;
    loop {
        let failure = match xml.next()? {
            Token::Open { name: b"t", .. } => {
                in_text = true;
                None
            }
            Token::Close { name: b"t" } => {
                in_text = false;
                None
            }
            // How a word is pronounced stands beside it in Japanese workbooks.
            Token::Open { name: b"rPh", .. } => {
                xml.skip_element()?;
                None
            }
            Token::Text(raw) if in_text => push_text(strings.buffer(), raw).err(),
            Token::Literal(raw) if in_text => push_literal(strings.buffer(), raw).err(),
            Token::Close { name: b"si" } | Token::Empty { name: b"si", .. } => {
                let begin = strings.open_from();
                unescape_controls(strings.buffer(), begin);
                strings.end_string(package.name(), limits)?;
                n_strings += 1;
                if n_strings.is_multiple_of(16_384) {
                    control.check()?;
                }
                None
            }
            Token::End => return Ok(strings),
            _ => None,
        };
        if let Some(reason) = failure {
            return Err(xml.damaged(reason));
        }
    }
}

/// What the cells' style numbers make of numbers.
fn read_formats(package: &Package, part: &str, max_token: usize) -> Result<Vec<Shown>> {
    let mut formats = Vec::new();
    let Some(mut xml) = open_xml(package, part, max_token)? else { return Ok(formats) };
    let mut own: std::collections::HashMap<u32, Shown> = std::collections::HashMap::new();
    let mut in_cell_formats = false;
    loop {
        match xml.next()? {
            Token::Open { name: b"numFmt", attributes } | Token::Empty { name: b"numFmt", attributes } => {
                if let (Some(id), Some(code)) = (attribute_number(attributes, b"numFmtId"), attribute_text(attributes, b"formatCode")) {
                    own.insert(id as u32, Shown::of_code(&code));
                }
            }
            Token::Open { name: b"cellXfs", .. } => in_cell_formats = true,
            Token::Close { name: b"cellXfs" } => in_cell_formats = false,
            Token::Open { name: b"xf", attributes } | Token::Empty { name: b"xf", attributes } if in_cell_formats => {
                let id = attribute_number(attributes, b"numFmtId").unwrap_or(0) as u32;
                formats.push(own.get(&id).cloned().unwrap_or_else(|| Shown::of_builtin(id)));
            }
            // No workbook has more than 64,000 of them.
            Token::End => return Ok(formats),
            _ => {}
        }
        if formats.len() > 100_000 || own.len() > 100_000 {
            return Err(xml.damaged("it has more number formats than a workbook can"));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Shared,
    Inline,
    FormulaText,
    Boolean,
    Error,
    Date,
}

/// The rows of one sheet.
pub(super) struct XlsxRows {
    xml: PartXml,
    strings: Arc<SharedStrings>,
    formats: Arc<Vec<Shown>>,
    from_1904: bool,
    notes: Notes,
    budget: CellBudget,
    last_row: u64,
    in_data: bool,
    done: bool,
    n_rows: u64,
}

impl XlsxRows {
    pub fn new(package: &Package, book: &Book, sheet: &SheetEntry, limits: &WorkbookLimits, max_token: usize) -> Result<Self> {
        let xml = open_xml(package, &sheet.part, max_token)?.ok_or_else(|| {
            Error::file_format(
                package.name(),
                format!("{}: the data of sheet {:?} is missing ({})", package.name(), sheet.name, sheet.part),
            )
        })?;
        Ok(Self {
            xml,
            strings: book.strings.clone(),
            formats: book.formats.clone(),
            from_1904: book.from_1904,
            notes: Notes::default(),
            budget: CellBudget::new(package.name(), limits),
            last_row: 0,
            in_data: false,
            done: false,
            n_rows: 0,
        })
    }

    /// Reads the cells of the row whose tag was just opened.
    fn read_row(&mut self, row: &mut Row) -> Result<()> {
        let mut next_column = 0_u32;
        loop {
            let (column, kind, style, is_empty) = match self.xml.next()? {
                Token::Open { name: b"c", attributes } => cell_head(attributes, &mut next_column, row.number, &mut self.notes, false),
                Token::Empty { name: b"c", attributes } => cell_head(attributes, &mut next_column, row.number, &mut self.notes, true),
                Token::Close { name: b"row" } | Token::End => return Ok(()),
                _ => continue,
            };
            if column >= MAX_COLUMNS {
                return Err(self.xml.damaged(&format!("row {} has more than {MAX_COLUMNS} columns", row.number)));
            }
            if !is_empty {
                self.read_cell(row, column, kind, style)?;
            }
        }
    }

    fn read_cell(&mut self, row: &mut Row, column: u32, kind: Kind, style: usize) -> Result<()> {
        let begin = row.text.len();
        let mut in_value = false;
        let mut has_value = false;
        let mut has_formula = false;
        loop {
            let failure = match self.xml.next()? {
                Token::Open { name: b"v" | b"t", .. } => {
                    in_value = true;
                    has_value = true;
                    None
                }
                Token::Text(raw) if in_value => push_text(&mut row.text, raw).err(),
                Token::Literal(raw) if in_value => push_literal(&mut row.text, raw).err(),
                Token::Close { name: b"v" | b"t" } => {
                    in_value = false;
                    None
                }
                Token::Close { name: b"c" } => break,
                Token::Open { name: b"f", .. } => {
                    has_formula = true;
                    self.xml.skip_element()?;
                    None
                }
                Token::Empty { name: b"f", .. } => {
                    has_formula = true;
                    None
                }
                Token::Open { name: b"rPh" | b"extLst", .. } => {
                    self.xml.skip_element()?;
                    None
                }
                Token::End => break,
                _ => None,
            };
            if let Some(reason) = failure {
                return Err(self.xml.damaged(&format!("cell {}: {reason}", place(row.number, column))));
            }
        }
        self.budget.check(row)?;
        if !has_value || (begin == row.text.len() && matches!(kind, Kind::Number | Kind::Shared)) {
            if has_formula {
                self.notes.uncalculated.add(|| place(row.number, column));
            }
            return Ok(());
        }
        self.finish_cell(row, column, kind, style, begin)?;
        self.budget.check(row)
    }

    /// Turns the raw text from `begin` on into what was shown.
    fn finish_cell(&mut self, row: &mut Row, column: u32, kind: Kind, style: usize, begin: usize) -> Result<()> {
        match kind {
            Kind::Shared => {
                let index = row.text[begin..].trim().parse().ok().and_then(|index: usize| self.strings.get(index));
                let Some(text) = index else {
                    let reason = format!("cell {} names a shared string that is not there", place(row.number, column));
                    return Err(self.xml.damaged(&reason));
                };
                row.text.truncate(begin);
                row.text.push_str(text);
                self.notes.check_text(row, column, begin);
                row.end_cell(column, begin);
            }
            Kind::Number => {
                let shown = self.formats.get(style).unwrap_or(&Shown::General);
                // Most numbers are short and whole: their text is already what is shown.
                let raw = row.text.as_bytes().get(begin..).unwrap_or_default();
                if *shown == Shown::General && raw.len() <= 15 && raw[0] != b'0' && raw.iter().all(u8::is_ascii_digit) {
                    row.end_cell(column, begin);
                    return Ok(());
                }
                match row.text[begin..].trim().parse::<f64>() {
                    Ok(value) if value.is_finite() => {
                        row.text.truncate(begin);
                        self.notes.push_number(row, column, value, shown, self.from_1904);
                    }
                    // Not a number at all: what stands there is kept.
                    _ => row.end_cell(column, begin),
                }
            }
            Kind::Inline | Kind::FormulaText => {
                unescape_controls(&mut row.text, begin);
                self.notes.check_text(row, column, begin);
                row.end_cell(column, begin);
            }
            Kind::Boolean => {
                let is_true = matches!(row.text[begin..].trim(), "1" | "true" | "TRUE");
                row.text.truncate(begin);
                row.push(column, if is_true { "TRUE" } else { "FALSE" });
            }
            Kind::Error => {
                self.notes.errors.add(|| place(row.number, column));
                row.end_cell(column, begin);
            }
            Kind::Date => {
                if let Some(date) = row.text[begin..].strip_suffix("T00:00:00") {
                    let length = date.len();
                    row.text.truncate(begin + length);
                }
                row.end_cell(column, begin);
            }
        }
        Ok(())
    }

    fn note_hidden_columns(&mut self, attributes: HiddenColumns) {
        if let Some((first, last)) = attributes {
            for column in first..=last.min(u64::from(MAX_COLUMNS)) {
                self.notes.hidden_columns.add(|| format!("column {}", column_letters(column.saturating_sub(1) as u32)));
            }
        }
    }
}

type HiddenColumns = Option<(u64, u64)>;

/// Column, kind, style, and whether the cell is an empty element.
#[inline]
fn cell_head(attributes: &[u8], next_column: &mut u32, row: u64, notes: &mut Notes, is_empty: bool) -> (u32, Kind, usize, bool) {
    let column = match attribute(attributes, b"r") {
        Some(reference) => parse_place(reference).map(|(_, column)| column).unwrap_or_else(|| {
            notes.misplaced.add(|| place(row, *next_column));
            *next_column
        }),
        None => *next_column,
    };
    *next_column = column + 1;
    if is_empty {
        return (column, Kind::Number, 0, true);
    }
    let kind = match attribute(attributes, b"t") {
        None | Some(b"n") => Kind::Number,
        Some(b"s") => Kind::Shared,
        Some(b"inlineStr") => Kind::Inline,
        Some(b"b") => Kind::Boolean,
        Some(b"e") => Kind::Error,
        Some(b"d") => Kind::Date,
        Some(_) => Kind::FormulaText,
    };
    (column, kind, attribute_number(attributes, b"s").unwrap_or(0) as usize, false)
}

impl RowSource for XlsxRows {
    fn next_row(&mut self, row: &mut Row, control: &dyn Control) -> Result<bool> {
        while !self.done {
            let mut hidden_columns: HiddenColumns = None;
            let (number, is_empty, is_hidden) = match self.xml.next()? {
                Token::Open { name: b"row", attributes } if self.in_data => row_head(attributes, self.last_row, false),
                Token::Empty { name: b"row", attributes } if self.in_data => row_head(attributes, self.last_row, true),
                Token::Open { name: b"sheetData", .. } => {
                    self.in_data = true;
                    continue;
                }
                Token::Close { name: b"sheetData" } => {
                    self.in_data = false;
                    continue;
                }
                Token::Open { name: b"col", attributes } | Token::Empty { name: b"col", attributes } => {
                    if attribute_is_true(attributes, b"hidden") {
                        hidden_columns = attribute_number(attributes, b"min").zip(attribute_number(attributes, b"max"));
                    }
                    self.note_hidden_columns(hidden_columns);
                    continue;
                }
                Token::Open { name: b"mergeCell", attributes } | Token::Empty { name: b"mergeCell", attributes } => {
                    let range = attribute_text(attributes, b"ref").unwrap_or_default();
                    self.notes.merged.add(|| range.into_owned());
                    continue;
                }
                Token::End => {
                    self.done = true;
                    continue;
                }
                _ => continue,
            };
            if number > MAX_ROWS {
                return Err(self.xml.damaged(&format!("row {number} is beyond the last row that a sheet can have ({MAX_ROWS})")));
            }
            self.n_rows += 1;
            if self.n_rows.is_multiple_of(256) {
                control.check()?;
            }
            self.last_row = number;
            row.clear(number);
            if !is_empty {
                self.read_row(row)?;
            }
            if !row.cells.is_empty() {
                if is_hidden {
                    self.notes.hidden_rows.add(|| format!("row {number}"));
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

/// Number, whether the row is an empty element, whether it is hidden. A row without a readable number follows the last one.
fn row_head(attributes: &[u8], last_row: u64, is_empty: bool) -> (u64, bool, bool) {
    let number = attribute_number(attributes, b"r").filter(|number| *number > 0).unwrap_or(last_row + 1);
    (number, is_empty, attribute_is_true(attributes, b"hidden"))
}
