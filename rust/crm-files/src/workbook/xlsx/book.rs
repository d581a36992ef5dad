//! What the sheets of a workbook share: their list, strings and number formats.
use std::sync::Arc;

use crm_core::{Control, Error, Result};

use super::super::WorkbookLimits;
use super::super::package::{Package, PartReader};
use super::super::shown::Shown;
use super::super::strings::SharedStrings;
use super::super::xml::{
    Token, Utf8Input, XmlReader, attribute, attribute_is_true, attribute_number, attribute_text, push_literal, push_text, unescape_controls,
};

/// An XML part being read.
pub(in super::super) type PartXml = XmlReader<Utf8Input<PartReader>>;

/// Opens a part as XML, `None` where it is missing.
pub(in super::super) fn open_xml(package: &Package, part: &str, max_token: usize) -> Result<Option<PartXml>> {
    Ok(package.part(part)?.map(|input| XmlReader::new(Utf8Input::new(input), package.name(), part, max_token)))
}

/// A sheet as the workbook lists it.
#[derive(Debug, Clone)]
pub(in super::super) struct SheetEntry {
    pub name: String,
    pub hidden: bool,
    pub part: String,
}

/// What all sheets of a workbook share.
pub(in super::super) struct Book {
    pub sheets: Vec<SheetEntry>,
    pub strings: Arc<SharedStrings>,
    pub formats: Arc<Vec<Shown>>,
    pub from_1904: bool,
}

/// A relation of one part to others: id, target, type.
pub(in super::super) struct Relation {
    pub id: String,
    pub target: String,
    pub kind: String,
}

/// The part that holds the workbook itself.
pub(in super::super) fn workbook_part(package: &Package, max_token: usize) -> Result<Option<String>> {
    let relations = relations(package, "_rels/.rels", "", max_token)?;
    let named = relations.into_iter().find(|relation| relation.kind.ends_with("/officeDocument")).map(|relation| relation.target);
    let candidates = named.into_iter().chain(["xl/workbook.xml".to_owned(), "xl/workbook.bin".to_owned()]);
    Ok(candidates.into_iter().find(|part| package.has(part)))
}

/// The relations that `rels_part` lists, their targets resolved from `folder`.
pub(in super::super) fn relations(package: &Package, rels_part: &str, folder: &str, max_token: usize) -> Result<Vec<Relation>> {
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
pub(in super::super) fn rels_of(part: &str) -> (String, String) {
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
