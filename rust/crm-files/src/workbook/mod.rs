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
mod grid;
mod html;
mod html_text;
mod html_tokens;
mod limits;
mod ods;
mod package;
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

pub use limits::WorkbookLimits;
pub use sheet_style::{ColumnStyle, SheetStyle};
pub use write::{SheetSource, WriteReport, write_workbook};

/// A sheet that can be opened.
struct Sheet {
    name: String,
    hidden: bool,
    open: OpenRows,
}

/// Opens a workbook: one reader per sheet, or the one that `options.sheet` names.
///
/// Without `options.sheet` hidden and empty sheets are left out, which the report of the first sheet tells.
pub fn open(path: &Path, format: Format, options: &ReadOptions, control: &dyn Control) -> Result<Vec<Box<dyn TableReader>>> {
    let name = path.display().to_string();
    let (format, sheets) = list_sheets(path, &name, format, options, control)?;
    if sheets.is_empty() {
        return Err(Error::file_format(&*name, format!("{name}: the workbook has no sheet with cells")));
    }
    let mut warnings = Vec::new();
    let chosen = choose(sheets, options.sheet.as_deref(), &name, &mut warnings)?;
    let several = chosen.len() > 1;
    let mut readers = Vec::new();
    for sheet in chosen {
        let mut report = FileReport::new(&*name, format);
        report.sheet = Some(sheet.name.clone());
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
        return Err(Error::file_format(&*name, format!("{name}: no cell of the workbook has a value")));
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

/// Finds out what the file is by its content and lists its sheets.
fn list_sheets(path: &Path, name: &str, format: Format, options: &ReadOptions, control: &dyn Control) -> Result<(Format, Vec<Sheet>)> {
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| Error::os(&error, name))?;
    file.take(Format::HEAD_BYTES as u64).read_to_end(&mut head).map_err(|error| Error::os(&error, name))?;
    let head = head.as_slice();
    if head.starts_with(b"PK") {
        return list_package_sheets(path, format, options, control);
    }
    if head.starts_with(compound::SIGNATURE) || matches!(head, [0x09, 0x00 | 0x02 | 0x04 | 0x08, ..]) {
        return list_xls_sheets(path, options, control);
    }
    match Format::markup_from_content(head) {
        Some(Format::Html) => return list_html_tables(path, options, control),
        Some(Format::Xml) => return list_xml_sheets(path, options, control),
        _ => {}
    }
    Err(Error::file_format(name, format!("{name}: it is not a workbook: its first bytes are those of no workbook format")))
}

fn list_package_sheets(path: &Path, format: Format, options: &ReadOptions, control: &dyn Control) -> Result<(Format, Vec<Sheet>)> {
    let limits = Arc::new(options.limits.workbook.clone());
    let max_token = options.limits.cell_bytes;
    let package = Arc::new(Package::open(path, &limits)?);
    let part = xlsx::workbook_part(&package, max_token)?;
    if part.is_none() && ods::is_ods(&package) {
        let sheets = ods::list(&package, &limits, max_token, control)?
            .into_iter()
            .map(|entry| {
                let (package, limits, entry) = (package.clone(), limits.clone(), entry);
                Sheet {
                    name: entry.name.clone(),
                    hidden: entry.hidden,
                    open: Box::new(move |_| {
                        Ok(Box::new(ods::OdsRows::new(&package, &entry, &limits, max_token)?) as Box<dyn sheet::RowSource>)
                    }),
                }
            })
            .collect();
        return Ok((Format::Ods, sheets));
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
    let book_sheets = book.sheets.clone();
    let open = move |entry: &xlsx::SheetEntry| -> OpenRows {
        let (package, book, limits, entry) = (package.clone(), book.clone(), limits.clone(), entry.clone());
        if is_binary {
            Box::new(move |_| Ok(Box::new(xlsb::XlsbRows::new(&package, &book, &entry, &limits, max_token)?)))
        } else {
            Box::new(move |_| Ok(Box::new(xlsx::XlsxRows::new(&package, &book, &entry, &limits, max_token)?)))
        }
    };
    let sheets = book_sheets.iter().map(|entry| Sheet { name: entry.name.clone(), hidden: entry.hidden, open: open(entry) }).collect();
    if is_binary {
        return Ok((Format::Xlsb, sheets));
    }
    Ok((if format == Format::Xlsm { format } else { Format::Xlsx }, sheets))
}

fn list_html_tables(path: &Path, options: &ReadOptions, control: &dyn Control) -> Result<(Format, Vec<Sheet>)> {
    let page = html::HtmlPage {
        path: path.to_owned(),
        encoding: options.encoding.clone(),
        limits: options.limits.workbook.clone(),
        max_cell: options.limits.cell_bytes,
    };
    let (tables, _) = html::list(&page, control)?;
    let sheets = tables.into_iter().map(|table| {
        let page = page.clone();
        Sheet { name: table.name.clone(), hidden: table.hidden, open: Box::new(move |_| Ok(Box::new(html::HtmlRows::new(&page, &table)?))) }
    });
    Ok((Format::Html, sheets.collect()))
}

fn list_xml_sheets(path: &Path, options: &ReadOptions, control: &dyn Control) -> Result<(Format, Vec<Sheet>)> {
    let book = xml_2003::XmlBook {
        path: path.to_owned(),
        encoding: options.encoding.clone(),
        limits: options.limits.workbook.clone(),
        max_token: options.limits.cell_bytes,
    };
    let sheets = book.list(control)?.into_iter().map(|sheet| {
        let book = book.clone();
        Sheet {
            name: sheet.name.clone(),
            hidden: sheet.hidden,
            open: Box::new(move |_| Ok(Box::new(xml_2003::XmlRows::new(&book, &sheet)?))),
        }
    });
    Ok((Format::Xml, sheets.collect()))
}

/// The one text file that a zip file holds, as a stream, and its name; `None` where it holds a workbook.
pub fn packed_text(path: &Path, options: &ReadOptions) -> Result<Option<(String, Box<dyn Read + Send>)>> {
    let package = Package::open(path, &Arc::new(options.limits.workbook.clone()))?;
    if package.has("[Content_Types].xml") || xlsx::workbook_part(&package, options.limits.cell_bytes)?.is_some() || ods::is_ods(&package) {
        return Ok(None);
    }
    let name = package.name();
    let files = package.files();
    let [file] = files.as_slice() else {
        return Err(Error::file_format(
            name,
            format!("{name}: the zip file holds {} files and no workbook; unpack it and give those that are meant", files.len()),
        ));
    };
    if Format::from_name(file).is_some_and(Format::is_workbook) {
        return Err(Error::file_format(name, format!("{name}: the zip file holds the workbook {file}; unpack it first")));
    }
    let Some(part) = package.part(file)? else { return Ok(None) };
    Ok(Some((file.clone(), Box::new(part))))
}

fn list_xls_sheets(path: &Path, options: &ReadOptions, control: &dyn Control) -> Result<(Format, Vec<Sheet>)> {
    let limits = Arc::new(options.limits.workbook.clone());
    let book = Arc::new(xls::XlsBook::open(path, &limits, control)?);
    let sheets = book
        .sheets
        .iter()
        .map(|entry| {
            let (book, limits, entry) = (book.clone(), limits.clone(), entry.clone());
            Sheet {
                name: entry.name.clone(),
                hidden: entry.hidden,
                open: Box::new(move |control| Ok(Box::new(xls::XlsRows::new(&book, &entry, &limits, control)?))),
            }
        })
        .collect();
    Ok((Format::Xls, sheets))
}
