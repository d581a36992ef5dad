//! However many tables a file has, it is gone through from its beginning once for their heads and once for their rows.
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crm_core::NoControl;

use super::super::package::Package;
use super::super::sheet::{Row, RowSource};
use super::super::{WorkbookLimits, html, ods, xml_2003};
use super::*;
use crate::ReadOptions;

const N_TABLES: usize = 60;
const N_ROWS: usize = 9;

/// A file that is gone with the test.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("crm-files-{}-{name}", std::process::id()));
        std::fs::write(&path, content).expect("is written");
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("is removed");
    }
}

fn repeated(n: usize, one: impl Fn(usize) -> String) -> String {
    (0..n).map(one).collect()
}

/// Opens all tables, reads one row of each, and then all rows of each.
fn read_all<Reader>(parked: &Parked<Reader>, mut open: impl FnMut(usize) -> Box<dyn RowSource>) {
    let mut row = Row::default();
    for n_rows in [1, usize::MAX] {
        for table in 0..N_TABLES {
            let mut rows = open(table);
            let mut found = Vec::new();
            while found.len() < n_rows && rows.next_row(&mut row, &NoControl).expect("reads") {
                found.push(row.cell(0).1.to_owned());
            }
            let expected: Vec<String> = (0..N_ROWS.min(n_rows)).map(|number| format!("{table}-{number}")).collect();
            assert_eq!(found, expected);
            rows.close();
        }
    }
    assert_eq!(parked.n_begun(), 2);
}

fn options() -> ReadOptions {
    ReadOptions::default()
}

#[test]
fn web_pages() {
    let row = |table| repeated(N_ROWS, |row| format!("<tr><td>{table}-{row}<td>x"));
    let page = repeated(N_TABLES, |table| format!("<table>{}</table>", row(table)));
    let file = TemporaryFile::new("tables.html", page.as_bytes());
    let page = Arc::new(html::HtmlPage::new(&file.0, &options()));
    let (tables, _) = html::list(&page, &NoControl).expect("lists");
    read_all(&page.parked, |table| Box::new(html::HtmlRows::new(&page, &tables[table]).expect("opens")));
}

#[test]
fn xml_spreadsheets() {
    let cell = |table, row| format!("<Row><Cell><Data ss:Type=\"String\">{table}-{row}</Data></Cell></Row>");
    let sheet = |table| format!("<Worksheet ss:Name=\"{table}\"><Table>{}</Table></Worksheet>", repeated(N_ROWS, |row| cell(table, row)));
    let file = TemporaryFile::new("sheets.xml", format!("<Workbook>{}</Workbook>", repeated(N_TABLES, sheet)).as_bytes());
    let book = Arc::new(xml_2003::XmlBook::new(&file.0, &options()));
    let (sheets, _) = xml_2003::list(&book, &NoControl).expect("lists");
    read_all(&book.parked, |sheet| Box::new(xml_2003::XmlRows::new(&book, &sheets[sheet]).expect("opens")));
}

#[test]
fn open_documents() {
    let cell = |table, row| format!("<table-row><table-cell><p>{table}-{row}</p></table-cell></table-row>");
    let nested = "<shapes><table><table-row/></table></shapes>";
    let sheet = |table| format!("<table name=\"{table}\">{nested}{}</table>", repeated(N_ROWS, |row| cell(table, row)));
    let content = format!("<body><spreadsheet>{}</spreadsheet></body>", repeated(N_TABLES, sheet));
    let file = TemporaryFile::new("sheets.ods", &zipped("content.xml", content.as_bytes()));
    let limits = Arc::new(WorkbookLimits::default());
    let package = Package::open(&file.0, &limits).expect("opens");
    let sheets = ods::list(&package, &limits, 1 << 20, &NoControl).expect("lists");
    let parked = Arc::new(Parked::default());
    read_all(&parked, |sheet| Box::new(ods::OdsRows::new(&package, &parked, &sheets[sheet], &limits, 1 << 20).expect("opens")));
}

fn zipped(name: impl AsRef<Path>, content: &[u8]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = zip::ZipWriter::new(&mut bytes);
    let name = name.as_ref().display().to_string();
    writer.start_file(name, zip::write::SimpleFileOptions::default()).expect("begins");
    writer.write_all(content).expect("is written");
    writer.finish().expect("ends");
    bytes.into_inner()
}
