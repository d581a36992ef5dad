//! Workbooks: xlsx, xlsm, xlsb, xls and ods are read as streams of cells, xlsx is written as a stream of rows.
//!
//! Each format has a reader of its own that yields the rows of a sheet ([`sheet::RowSource`]): only cells with a value, whatever
//! size the file claims, so that a far cell costs nothing. [`grid::SheetReader`] makes a table of them. Nothing is allocated by
//! a number that the file states without being bounded first; see [`WorkbookLimits`].
mod binary;
#[cfg(test)]
mod byte_by_byte;
mod cell_value;
mod compound;
mod document;
mod grid;
mod html;
mod html_text;
mod html_tokens;
mod limits;
mod ods;
mod package;
mod parked;
mod shape;
mod sheet;
mod sheet_style;
mod shown;
mod strings;
mod write;
mod xls;
mod xlsb;
mod xlsx;
mod xml;
mod xml_2003;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crm_core::{Control, Error, Result, nearest_name};

use crate::{FileReport, Format, ReadOptions, TableReader};
use grid::{OpenRows, SheetReader};
use package::Package;
use parked::Parked;

pub use limits::WorkbookLimits;
pub use sheet_style::{ColumnStyle, SheetStyle};
pub use write::{SheetSource, WriteReport, write_workbook};

/// A sheet that can be opened.
struct Sheet {
    name: String,
    hidden: bool,
    /// Of a document of text.
    encoding: Option<String>,
    open: OpenRows,
}

/// A zip file, its directory read.
pub(crate) enum Zip {
    Workbook(ZipWorkbook),
    /// The one text file in it.
    Text {
        file: String,
        input: Box<dyn Read + Send>,
    },
}

/// A workbook of parts.
pub(crate) struct ZipWorkbook {
    package: Arc<Package>,
    /// That of the workbook itself; an OpenDocument has none.
    part: Option<String>,
}

/// Finds out what a zip file holds.
pub(crate) fn open_zip(path: &Path, options: &ReadOptions) -> Result<Zip> {
    let package = Arc::new(Package::open(path, &Arc::new(options.limits.workbook.clone()))?);
    let name = package.name();
    let part = xlsx::workbook_part(&package, options.limits.cell_bytes)?;
    let is_told = options.format.is_some_and(Format::is_workbook);
    if part.is_some() || ods::is_ods(&package) || package.has("[Content_Types].xml") {
        if options.format.is_some() && !is_told {
            return Err(Error::config(format!("{name}: is a workbook, whatever the format told; leave that out")));
        }
        return Ok(Zip::Workbook(ZipWorkbook { package, part }));
    }
    let refuse = |reason: String| Err(Error::file_format(name, format!("{name}: the zip file holds {reason}")));
    let files = package.files();
    match files.as_slice() {
        _ if is_told => refuse("no workbook".to_owned()),
        [file] if Format::from_name(file).is_some_and(Format::is_workbook) => refuse(format!("the workbook {file}; unpack it first")),
        [file] => match package.part(file)? {
            Some(input) => Ok(Zip::Text { file: file.clone(), input: Box::new(input) }),
            None => refuse("no files".to_owned()),
        },
        _ => refuse(format!("{} files and no workbook; unpack it and give those that are meant", files.len())),
    }
}

/// Opens a workbook in a zip file: one reader per sheet, as [`open`] does.
pub(crate) fn open_zip_workbook(zip: ZipWorkbook, options: &ReadOptions, control: &dyn Control) -> Result<Vec<Box<dyn TableReader>>> {
    let name = zip.package.name().to_owned();
    let (format, sheets) = list_package_sheets(zip, options, control)?;
    open_sheets(&name, format, sheets, options, control)
}

/// Opens a workbook that begins with `head`: one reader per sheet, or the one that `options.sheet` names.
///
/// Without `options.sheet` hidden and empty sheets are left out, which the report of the first sheet tells.
pub(crate) fn open(path: &Path, head: &[u8], options: &ReadOptions, control: &dyn Control) -> Result<Vec<Box<dyn TableReader>>> {
    let name = path.display().to_string();
    let (format, sheets) = if head.starts_with(compound::SIGNATURE) || matches!(head, [0x09, 0x00 | 0x02 | 0x04 | 0x08, ..]) {
        (Format::Xls, list_xls_sheets(path, options, control)?)
    } else {
        match Format::markup_from_content(head) {
            Some(Format::Html) => (Format::Html, list_html_tables(path, options, control)?),
            Some(Format::Xml) => (Format::Xml, list_xml_sheets(path, options, control)?),
            _ => {
                let reason = "it is not a workbook: its first bytes are those of no workbook format";
                return Err(Error::file_format(&*name, format!("{name}: {reason}")));
            }
        }
    };
    open_sheets(&name, format, sheets, options, control)
}

fn open_sheets(
    name: &str,
    format: Format,
    sheets: Vec<Sheet>,
    options: &ReadOptions,
    control: &dyn Control,
) -> Result<Vec<Box<dyn TableReader>>> {
    if sheets.is_empty() {
        return Err(Error::file_format(name, format!("{name}: the workbook has no sheet with cells")));
    }
    let mut warnings = Vec::new();
    let chosen = choose(sheets, options.sheet.as_deref(), name, &mut warnings)?;
    let several = chosen.len() > 1;
    let mut readers = Vec::new();
    for sheet in chosen {
        let mut report = FileReport::new(name, format);
        report.sheet = Some(sheet.name.clone());
        report.encoding = sheet.encoding;
        match SheetReader::open(sheet.open, report, options, control)? {
            None => warnings.push(format!("sheet {:?} is empty and was left out", sheet.name)),
            Some(mut reader) => {
                if several {
                    reader.rest();
                }
                readers.push(reader);
            }
        }
    }
    let Some(first) = readers.first_mut() else {
        return Err(Error::file_format(name, format!("{name}: no cell of the workbook has a value")));
    };
    for warning in warnings {
        first.report_mut().warn(warning);
    }
    Ok(readers.into_iter().map(|reader| Box::new(reader) as Box<dyn TableReader>).collect())
}

/// The sheets to read: the one that was asked for, or all that can be seen.
fn choose(sheets: Vec<Sheet>, wanted: Option<&str>, file: &str, warnings: &mut Vec<String>) -> Result<Vec<Sheet>> {
    let Some(wanted) = wanted else {
        if sheets.iter().all(|sheet| sheet.hidden) {
            warnings.push("all sheets are hidden; they were read".to_owned());
            return Ok(sheets);
        }
        let (visible, hidden): (Vec<_>, Vec<_>) = sheets.into_iter().partition(|sheet| !sheet.hidden);
        for sheet in hidden {
            warnings.push(format!("sheet {:?} is hidden and was left out; name it to read it", sheet.name));
        }
        return Ok(visible);
    };
    let names: Vec<String> = sheets.iter().map(|sheet| sheet.name.clone()).collect();
    let position = names
        .iter()
        .position(|name| name == wanted)
        .or_else(|| names.iter().position(|name| name.to_lowercase() == wanted.to_lowercase()))
        .or_else(|| wanted.parse::<usize>().ok()?.checked_sub(1).filter(|position| *position < names.len()));
    match position {
        Some(position) => Ok(sheets.into_iter().skip(position).take(1).collect()),
        None => {
            let hint =
                nearest_name(wanted, names.iter().map(String::as_str)).map_or(String::new(), |name| format!("; did you mean {name:?}?"));
            let list = names.iter().take(20).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
            Err(Error::config(format!("{file}: there is no sheet {wanted:?}, only {list}{hint}")))
        }
    }
}

fn list_package_sheets(zip: ZipWorkbook, options: &ReadOptions, control: &dyn Control) -> Result<(Format, Vec<Sheet>)> {
    let limits = Arc::new(options.limits.workbook.clone());
    let max_token = options.limits.cell_bytes;
    let ZipWorkbook { package, part } = zip;
    if part.is_none() && ods::is_ods(&package) {
        let parked = Arc::new(Parked::default());
        let sheets = ods::list(&package, &limits, max_token, control)?.into_iter().map(|entry| {
            let (package, limits, parked) = (package.clone(), limits.clone(), parked.clone());
            let (name, hidden) = (entry.name.clone(), entry.hidden);
            let open: OpenRows = Box::new(move |_| Ok(Box::new(ods::OdsRows::new(&package, &parked, &entry, &limits, max_token)?)));
            Sheet { name, hidden, encoding: None, open }
        });
        return Ok((Format::Ods, sheets.collect()));
    }
    let Some(part) = part else {
        return Err(Error::file_format(package.name(), format!("{}: the zip file holds no workbook", package.name())));
    };
    let is_binary = part.to_lowercase().ends_with(".bin");
    let book = Arc::new(if is_binary {
        xlsb::open_book(&package, &part, &limits, max_token, control)?
    } else {
        xlsx::Book::open(&package, &part, &limits, max_token, control)?
    });
    let sheets = book.sheets.clone().into_iter().map(|entry| {
        let (package, book, limits) = (package.clone(), book.clone(), limits.clone());
        let (name, hidden) = (entry.name.clone(), entry.hidden);
        let open: OpenRows = if is_binary {
            Box::new(move |_| Ok(Box::new(xlsb::XlsbRows::new(&package, &book, &entry, &limits, max_token)?)))
        } else {
            Box::new(move |_| Ok(Box::new(xlsx::XlsxRows::new(&package, &book, &entry, &limits, max_token)?)))
        };
        Sheet { name, hidden, encoding: None, open }
    });
    let told = options.format.or_else(|| Format::from_name(package.name()));
    let format = match told {
        _ if is_binary => Format::Xlsb,
        Some(Format::Xlsm) => Format::Xlsm,
        _ => Format::Xlsx,
    };
    Ok((format, sheets.collect()))
}

fn list_html_tables(path: &Path, options: &ReadOptions, control: &dyn Control) -> Result<Vec<Sheet>> {
    let page = Arc::new(html::HtmlPage::new(path, options));
    let (tables, encoding) = html::list(&page, control)?;
    let sheets = tables.into_iter().map(|table| {
        let page = page.clone();
        let (name, hidden, encoding) = (table.name.clone(), table.hidden, Some(encoding.clone()));
        Sheet { name, hidden, encoding, open: Box::new(move |_| Ok(Box::new(html::HtmlRows::new(&page, &table)?))) }
    });
    Ok(sheets.collect())
}

fn list_xml_sheets(path: &Path, options: &ReadOptions, control: &dyn Control) -> Result<Vec<Sheet>> {
    let book = Arc::new(xml_2003::XmlBook::new(path, options));
    let (sheets, encoding) = xml_2003::list(&book, control)?;
    let sheets = sheets.into_iter().map(|sheet| {
        let book = book.clone();
        let (name, hidden, encoding) = (sheet.name.clone(), sheet.hidden, Some(encoding.clone()));
        Sheet { name, hidden, encoding, open: Box::new(move |_| Ok(Box::new(xml_2003::XmlRows::new(&book, &sheet)?))) }
    });
    Ok(sheets.collect())
}

fn list_xls_sheets(path: &Path, options: &ReadOptions, control: &dyn Control) -> Result<Vec<Sheet>> {
    let limits = Arc::new(options.limits.workbook.clone());
    let book = Arc::new(xls::XlsBook::open(path, &limits, control)?);
    let sheets = book.sheets.clone().into_iter().map(|entry| {
        let (book, limits) = (book.clone(), limits.clone());
        let (name, hidden) = (entry.name.clone(), entry.hidden);
        let open: OpenRows = Box::new(move |control| Ok(Box::new(xls::XlsRows::new(&book, &entry, &limits, control)?)));
        Sheet { name, hidden, encoding: None, open }
    });
    Ok(sheets.collect())
}
