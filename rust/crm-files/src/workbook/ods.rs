//! OpenDocument spreadsheets: all sheets stand in one part, and repetition is written as a number that must not be believed.
use std::collections::HashSet;

use crm_core::{Control, Error, Result};

use super::WorkbookLimits;
use super::package::Package;
use super::sheet::{CellBudget, MAX_COLUMNS, MAX_ROWS, Notes, Row, RowSource, column_letters, place};
use super::shown::{Shown, push_general};
use super::xlsx::{PartXml, open_xml};
use super::xml::{Token, attribute, attribute_number, attribute_text, push_literal, push_text};

const CONTENT: &str = "content.xml";

/// A sheet as the document lists it.
#[derive(Debug, Clone)]
pub(super) struct OdsSheet {
    pub name: String,
    pub hidden: bool,
    /// Its position among the document's sheets.
    pub position: usize,
}

/// Whether a package is an OpenDocument spreadsheet.
pub(super) fn is_ods(package: &Package) -> bool {
    package.has(CONTENT)
}

/// The sheets of the document.
pub(super) fn list(package: &Package, limits: &WorkbookLimits, max_token: usize, control: &dyn Control) -> Result<Vec<OdsSheet>> {
    refuse_encrypted(package, max_token)?;
    let mut xml = content(package, max_token)?;
    let mut hidden_styles = HashSet::new();
    let mut style = String::new();
    let mut sheets: Vec<OdsSheet> = Vec::new();
    let mut n_rows = 0_u64;
    let mut is_spreadsheet = false;
    let mut depth_in_table = 0_usize;
    loop {
        match xml.next()? {
            Token::Open { name: b"style", attributes } => style = attribute_text(attributes, b"name").unwrap_or_default().into_owned(),
            Token::Empty { name: b"table-properties", attributes } | Token::Open { name: b"table-properties", attributes }
                if attribute(attributes, b"display") == Some(b"false") && hidden_styles.len() < 10_000 =>
            {
                hidden_styles.insert(style.clone());
            }
            Token::Open { name: b"spreadsheet", .. } => is_spreadsheet = true,
            Token::Open { name: b"tracked-changes", .. } => xml.skip_element()?,
            Token::Open { name: b"table", attributes } => {
                depth_in_table += 1;
                if depth_in_table == 1 {
                    let hidden = attribute_text(attributes, b"style-name").is_some_and(|style| hidden_styles.contains(style.as_ref()));
                    let name = attribute_text(attributes, b"name").unwrap_or_default().into_owned();
                    sheets.push(OdsSheet { name, hidden, position: sheets.len() });
                    if sheets.len() > limits.sheets {
                        return Err(xml.damaged(&format!("more than the {} sheets allowed (limit `sheets`)", limits.sheets)));
                    }
                }
            }
            Token::Close { name: b"table" } => depth_in_table = depth_in_table.saturating_sub(1),
            Token::Open { name: b"table-row", .. } => {
                n_rows += 1;
                if n_rows.is_multiple_of(1024) {
                    control.check()?;
                }
            }
            Token::End => break,
            _ => {}
        }
    }
    if !is_spreadsheet {
        return Err(Error::file_format(package.name(), format!("{}: it is an OpenDocument file, but no spreadsheet", package.name())));
    }
    let n_bytes = package.part(CONTENT)?.map_or(0, |mut part| std::io::copy(&mut part, &mut std::io::sink()).unwrap_or(0));
    if n_bytes.saturating_mul(sheets.len() as u64) > limits.inflated_bytes {
        return Err(Error::file_format(
            package.name(),
            format!("{}: {} sheets in {n_bytes} bytes are more than is allowed (limit `inflated_bytes`)", package.name(), sheets.len()),
        ));
    }
    Ok(sheets)
}

fn content(package: &Package, max_token: usize) -> Result<PartXml> {
    open_xml(package, CONTENT, max_token)?
        .ok_or_else(|| Error::file_format(package.name(), format!("{}: its content is missing", package.name())))
}

fn refuse_encrypted(package: &Package, max_token: usize) -> Result<()> {
    let Some(mut xml) = open_xml(package, "META-INF/manifest.xml", max_token)? else { return Ok(()) };
    loop {
        match xml.next()? {
            Token::Open { name: b"encryption-data", .. } => {
                return Err(Error::file_format(
                    package.name(),
                    format!("{}: the file is protected by a password; save it without one", package.name()),
                ));
            }
            // A manifest that is damaged says nothing about passwords; the content decides.
            Token::End => return Ok(()),
            _ => {}
        }
    }
}

/// The rows of one sheet.
pub(super) struct OdsRows {
    xml: PartXml,
    notes: Notes,
    budget: CellBudget,
    /// Sheets still to pass over before ours.
    n_before: usize,
    in_table: bool,
    done: bool,
    next_row: u64,
    next_column_definition: u64,
    /// The row that is repeated, and how many times more.
    repeated: Option<(Row, u64)>,
    n_rows: u64,
    max_text: usize,
}

impl OdsRows {
    pub fn new(package: &Package, sheet: &OdsSheet, limits: &WorkbookLimits, max_token: usize) -> Result<Self> {
        Ok(Self {
            xml: content(package, max_token)?,
            notes: Notes::default(),
            budget: CellBudget::new(package.name(), limits),
            n_before: sheet.position,
            in_table: false,
            done: false,
            next_row: 1,
            next_column_definition: 0,
            repeated: None,
            n_rows: 0,
            max_text: max_token,
        })
    }

    /// Passes over what stands before the sheet.
    fn find_table(&mut self, control: &dyn Control) -> Result<()> {
        loop {
            match self.xml.next()? {
                Token::Open { name: b"tracked-changes", .. } => self.xml.skip_element()?,
                Token::Open { name: b"table", .. } => {
                    if self.n_before == 0 {
                        self.in_table = true;
                        return Ok(());
                    }
                    self.n_before -= 1;
                    self.xml.skip_element()?;
                    control.check()?;
                }
                Token::End => {
                    self.done = true;
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    fn read_row(&mut self, row: &mut Row) -> Result<()> {
        let mut column = 0_u64;
        loop {
            let (cell, has_content) = match self.xml.next()? {
                Token::Open { name: b"table-cell", attributes } => (CellHead::new(attributes), true),
                Token::Empty { name: b"table-cell" | b"covered-table-cell", attributes } => (CellHead::new(attributes), false),
                // What lies under a merged cell is not seen.
                Token::Open { name: b"covered-table-cell", attributes } => {
                    let repeat = repeat(attributes, b"number-columns-repeated");
                    self.xml.skip_element()?;
                    column = column.saturating_add(repeat);
                    continue;
                }
                Token::Close { name: b"table-row" } | Token::End => return Ok(()),
                _ => continue,
            };
            let begin = row.text.len();
            if has_content {
                self.read_text(&mut row.text)?;
            }
            let first = column;
            column = column.saturating_add(cell.repeat);
            cell.finish(row, begin, &mut self.notes, first);
            if begin == row.text.len() {
                continue;
            }
            if column > u64::from(MAX_COLUMNS) {
                return Err(self.xml.damaged(&format!("row {} has more than {MAX_COLUMNS} columns", row.number)));
            }
            for column in first..column {
                row.end_cell(column as u32, begin);
            }
            self.budget.check(row)?;
        }
    }

    /// Collects the paragraphs of the cell that was just opened, up to its end.
    fn read_text(&mut self, text: &mut String) -> Result<()> {
        let begin = text.len();
        let mut in_paragraph = 0_usize;
        let mut n_paragraphs = 0;
        loop {
            let failure = match self.xml.next()? {
                Token::Open { name: b"p" | b"h", .. } => {
                    in_paragraph += 1;
                    if n_paragraphs > 0 {
                        text.push('\n');
                    }
                    n_paragraphs += 1;
                    None
                }
                Token::Empty { name: b"p" | b"h", .. } => {
                    if n_paragraphs > 0 {
                        text.push('\n');
                    }
                    n_paragraphs += 1;
                    None
                }
                Token::Close { name: b"p" | b"h" } => {
                    in_paragraph = in_paragraph.saturating_sub(1);
                    None
                }
                Token::Empty { name: b"s", attributes } | Token::Open { name: b"s", attributes } if in_paragraph > 0 => {
                    let count = attribute_number(attributes, b"c").unwrap_or(1);
                    if count > self.max_text as u64 || text.len() - begin > self.max_text {
                        Some("a cell is longer than is allowed (limit `cell_bytes`)")
                    } else {
                        text.extend(std::iter::repeat_n(' ', count as usize));
                        None
                    }
                }
                Token::Empty { name: b"tab", .. } if in_paragraph > 0 => {
                    text.push('\t');
                    None
                }
                Token::Empty { name: b"line-break", .. } if in_paragraph > 0 => {
                    text.push('\n');
                    None
                }
                // Comments, drawings and nested tables are not the cell's value.
                Token::Open { name: b"annotation" | b"frame" | b"table" | b"custom-shape" | b"control" | b"ruby-text", .. } => {
                    self.xml.skip_element()?;
                    None
                }
                Token::Text(raw) if in_paragraph > 0 => push_collapsed(text, raw).err(),
                Token::Literal(raw) if in_paragraph > 0 => push_literal(text, raw).err(),
                Token::Close { name: b"table-cell" | b"covered-table-cell" } | Token::End => return Ok(()),
                _ => None,
            };
            if let Some(reason) = failure {
                return Err(self.xml.damaged(reason));
            }
        }
    }
}

/// Appends text whose runs of white space mean one blank; more are written as `<text:s/>`.
fn push_collapsed(text: &mut String, raw: &[u8]) -> Result<(), &'static str> {
    if !raw.iter().any(|byte| matches!(byte, b'\n' | b'\r' | b'\t')) {
        return push_text(text, raw);
    }
    let mut whole = String::new();
    push_text(&mut whole, raw)?;
    let mut blank = false;
    for character in whole.chars() {
        let is_blank = matches!(character, ' ' | '\n' | '\t');
        if !is_blank {
            text.push(character);
        } else if !blank {
            text.push(' ');
        }
        blank = is_blank;
    }
    Ok(())
}

/// What a cell's tag says of its value.
struct CellHead {
    repeat: u64,
    kind: Option<Vec<u8>>,
    value: Option<String>,
    is_merged: bool,
    is_error: bool,
    has_formula: bool,
}

impl CellHead {
    fn new(attributes: &[u8]) -> Self {
        let text = |name| attribute_text(attributes, name).map(std::borrow::Cow::into_owned);
        let kind = value_type(attributes);
        let value = match kind.as_deref() {
            Some(b"float" | b"percentage" | b"currency") => text(b"value"),
            Some(b"date") => text(b"date-value"),
            Some(b"time") => text(b"time-value"),
            Some(b"boolean") => text(b"boolean-value"),
            Some(b"string") => text(b"string-value"),
            _ => None,
        };
        Self {
            repeat: repeat(attributes, b"number-columns-repeated"),
            is_error: kind.as_deref() == Some(b"error"),
            kind,
            value,
            is_merged: [&b"number-columns-spanned"[..], b"number-rows-spanned"]
                .iter()
                .any(|name| attribute_number(attributes, name).is_some_and(|spanned| spanned > 1)),
            has_formula: attribute(attributes, b"formula").is_some(),
        }
    }

    /// Makes the cell's value of the shown text from `begin` on.
    fn finish(&self, row: &mut Row, begin: usize, notes: &mut Notes, column: u64) {
        let number = row.number;
        let column = column.min(u64::from(MAX_COLUMNS)) as u32;
        if self.is_merged {
            notes.merged.add(|| place(number, column));
        }
        let shown = row.text[begin..].trim().to_owned();
        let replace = |row: &mut Row, text: &str| {
            row.text.truncate(begin);
            row.text.push_str(text);
        };
        match (self.kind.as_deref(), self.value.as_deref()) {
            _ if self.is_error
                || shown.starts_with('#')
                    && matches!(shown.as_str(), "#N/A" | "#REF!" | "#VALUE!" | "#DIV/0!" | "#NAME?" | "#NUM!" | "#NULL!") =>
            {
                notes.errors.add(|| place(number, column));
            }
            (Some(b"float" | b"currency" | b"percentage"), Some(value)) => {
                let Ok(parsed) = value.trim().parse::<f64>() else { return };
                if is_mask_of(&shown, parsed) {
                    return;
                }
                row.text.truncate(begin);
                let shown = match self.kind.as_deref() {
                    Some(b"percentage") => Shown::Percent,
                    _ if shown.contains("E+") => Shown::Scientific,
                    _ => Shown::General,
                };
                notes.push_number(row, column, parsed, &shown, false);
                // The caller ends the cell, once per column that it is repeated in.
                row.pop_cell();
            }
            (Some(b"date"), Some(value)) => replace(row, value.strip_suffix("T00:00:00").unwrap_or(value)),
            (Some(b"time"), Some(value)) => match clock(value) {
                Some(time) => replace(row, &time),
                None => replace(row, value),
            },
            (Some(b"boolean"), Some(value)) => replace(row, if value == "true" { "TRUE" } else { "FALSE" }),
            (Some(b"string"), Some(value)) if shown.is_empty() => replace(row, value),
            _ => {}
        }
        if begin == row.text.len() {
            if self.has_formula && self.kind.is_none() {
                notes.uncalculated.add(|| place(number, column));
            }
            return;
        }
        if matches!(self.kind.as_deref(), Some(b"string") | None) {
            notes.check_text(row, column, begin);
        }
    }
}

/// The value's type; of two that differ (`office:` and `calcext:`) an error is the truth.
fn value_type(attributes: &[u8]) -> Option<Vec<u8>> {
    let kind = attribute(attributes, b"value-type")?.to_vec();
    if memchr::memmem::find(attributes, b"calcext:value-type=\"error\"").is_some() {
        return Some(b"error".to_vec());
    }
    Some(kind)
}

fn repeat(attributes: &[u8], name: &[u8]) -> u64 {
    attribute_number(attributes, name).unwrap_or(1).max(1)
}

/// Whether `shown` is the digits of a whole number in fixed places: leading zeros, or signs as in phones.
fn is_mask_of(shown: &str, value: f64) -> bool {
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    let is_plain = shown.chars().all(|character| character.is_ascii_digit() || matches!(character, ' ' | '(' | ')' | '+' | '-'));
    if !is_plain || digits.is_empty() || digits.len() > 15 || shown.starts_with('-') || digits.parse::<f64>() != Ok(value) {
        return false;
    }
    let mut plain = String::new();
    push_general(&mut plain, value);
    // A blank between thousands is no phone.
    plain != shown && (digits.starts_with('0') || shown.contains(['(', '+', '-']))
}

/// `PT10H20M30S` as `10:20:30`.
fn clock(duration: &str) -> Option<String> {
    let rest = duration.strip_prefix("PT")?;
    let (hours, rest) = rest.split_once('H')?;
    let (minutes, rest) = rest.split_once('M')?;
    let seconds = rest.strip_suffix('S')?;
    let whole: u64 = seconds.split(['.', ',']).next()?.parse().ok()?;
    Some(format!("{:02}:{:02}:{whole:02}", hours.parse::<u64>().ok()?, minutes.parse::<u64>().ok()?))
}

impl RowSource for OdsRows {
    fn next_row(&mut self, row: &mut Row, control: &dyn Control) -> Result<bool> {
        if let Some((source, left)) = &mut self.repeated {
            row.clone_from(source);
            source.number += 1;
            *left -= 1;
            if *left == 0 {
                self.repeated = None;
            }
            self.n_rows += 1;
            if self.n_rows.is_multiple_of(256) {
                control.check()?;
            }
            self.budget.spend(row)?;
            return Ok(true);
        }
        if !self.in_table && !self.done {
            self.find_table(control)?;
        }
        while !self.done {
            let (repeat, is_hidden, is_empty) = match self.xml.next()? {
                Token::Open { name: b"table-row", attributes } => row_head(attributes, false),
                Token::Empty { name: b"table-row", attributes } => row_head(attributes, true),
                Token::Empty { name: b"table-column", attributes } | Token::Open { name: b"table-column", attributes } => {
                    let first = self.next_column_definition;
                    self.next_column_definition = first.saturating_add(repeat(attributes, b"number-columns-repeated"));
                    let is_hidden = attribute(attributes, b"visibility").is_some_and(|visibility| visibility != b"visible");
                    // Columns hidden up to the last possible one hold nothing.
                    if is_hidden && self.next_column_definition < u64::from(MAX_COLUMNS) {
                        for column in first..self.next_column_definition {
                            self.notes.hidden_columns.add(|| format!("column {}", column_letters(column as u32)));
                        }
                    }
                    continue;
                }
                // Shapes on the sheet may hold tables of their own.
                Token::Open { name: b"shapes" | b"forms" | b"table", .. } => {
                    self.xml.skip_element()?;
                    continue;
                }
                Token::Close { name: b"table" } | Token::End => {
                    self.done = true;
                    continue;
                }
                _ => continue,
            };
            self.n_rows += 1;
            if self.n_rows.is_multiple_of(256) {
                control.check()?;
            }
            let number = self.next_row;
            self.next_row = number.saturating_add(repeat);
            row.clear(number);
            if !is_empty {
                self.read_row(row)?;
            }
            if row.cells.is_empty() {
                continue;
            }
            if self.next_row - 1 > MAX_ROWS {
                return Err(self.xml.damaged(&format!("a row is beyond the last one that a sheet can have ({MAX_ROWS})")));
            }
            if is_hidden {
                self.notes.hidden_rows.add(|| format!("row {number}"));
            }
            self.budget.spend(row)?;
            if repeat > 1 {
                let mut next = row.clone();
                next.number += 1;
                self.repeated = Some((next, repeat - 1));
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn notes(&self) -> &Notes {
        &self.notes
    }
}

fn row_head(attributes: &[u8], is_empty: bool) -> (u64, bool, bool) {
    let is_hidden = attribute(attributes, b"visibility").is_some_and(|visibility| visibility != b"visible");
    (repeat(attributes, b"number-rows-repeated"), is_hidden, is_empty)
}
