//! Texts of all kinds of sheets, and what is told of them.
use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::{RecordBatch, StringArray};
use crm_core::NoControl;
use crm_files::output::BatchSource;
use crm_files::workbook::{SheetSource, SheetStyle, write_workbook};
use crm_files::{Format, ReadOptions, open_path};
use std::sync::Arc;

use crate::build::{Scratch, package};
use crate::values::read;

fn html_rows(rows: &[[&str; 2]]) -> String {
    rows.iter().fold(String::new(), |mut page, [left, right]| {
        let _ = write!(page, "<tr><td>{left}</td><td>{right}</td></tr>");
        page
    })
}

/// One rule for all formats: what stands around a text for spreadsheets is taken off once.
#[test]
fn texts_as_spreadsheets_are_told_them() {
    let rows = html_rows(&[["id", "'=note"], ["=\"001\"", "'=1+1"], ["=\"002\"", "'=\"7\""], ["=\"003\"", "'tis"], ["4", "fine"]]);
    let page = read("texts.xls", format!("<table>{rows}</table>").as_bytes(), &ReadOptions::default());
    let told = "3 cells stood there as =\"...\", which makes a spreadsheet show text: the text was taken";
    let guards = "2 cells: the apostrophe that guards against formulas was taken off";
    let expected =
        format!("# id|=note\n2 001|=1+1\n3 002|=\"7\"\n4 003|'tis\n5 4|fine\n! sheet \"table 1\": {told}\n! sheet \"table 1\": {guards}\n");
    assert_eq!(page, expected);
    let csv = "id,'=note\n=\"001\",'=1+1\n=\"002\",\"'=\"\"7\"\"\"\n=\"003\",'tis\n4,fine\n";
    assert_eq!(read("texts.csv", csv.as_bytes(), &ReadOptions::default()), expected.replace("sheet \"table 1\": ", ""));
}

/// Whatever text is written into a workbook is read back as it is.
#[test]
fn texts_survive_our_own_workbooks() {
    let texts = ["=1+1", "'=1+1", "''=1", "=\"001\"", "'=\"001\"", "'tis", "'", "+371 29", "-5", "'-5", "=\"a\"&\"b\"", "a"];
    let batch = RecordBatch::try_from_iter([
        ("'=1", Arc::new(StringArray::from(texts.to_vec())) as _),
        ("=\"2\"", Arc::new(StringArray::from(texts.to_vec())) as _),
    ]);
    let batch = batch.expect("a batch");
    let file = Scratch::new("ours.xlsx", b"");
    let source = BatchSource { schema: batch.schema(), batches: Box::new(std::iter::once(Ok(batch.clone()))) };
    let sheet = SheetSource { name: "S".to_owned(), style: SheetStyle::default(), source };
    write_workbook(vec![sheet], &file.0, &std::env::temp_dir(), &NoControl).expect("is written");
    let mut readers = open_path(&file.0, &ReadOptions { header_row: Some(1), ..ReadOptions::default() }, &NoControl).expect("opens");
    assert_eq!(readers[0].schema().field(0).name(), "'=1");
    assert_eq!(readers[0].schema().field(1).name(), "=\"2\"");
    let read = readers[0].next_batch(&NoControl).expect("reads").expect("a batch");
    assert_eq!(read.batch.column(0).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), texts);
}

#[test]
fn the_header_may_be_the_last_row() {
    let page = format!("<table>{}</table>", html_rows(&[["id", "name"]]));
    let told = |row| ReadOptions { header_row: Some(row), ..ReadOptions::default() };
    assert_eq!(read("header.xls", page.as_bytes(), &told(1)), "# id|name\n");
    let file = Scratch::new("header-missing.xls", page.as_bytes());
    let error = open_path(&file.0, &told(2), &NoControl).err().expect("there is no such row");
    assert!(error.to_string().contains("row 2 was named, and the last of sheet \"table 1\" is 1"), "{error}");
}

#[test]
fn a_cell_of_line_breaks_alone_is_bounded() {
    let mut options = ReadOptions::default();
    options.limits.cell_bytes = 1_000;
    let rows = html_rows(&[["id", "name"], ["1", "Anna"], ["2", &"<br>x".repeat(100_000)], ["3", &"<p>".repeat(100_000)], ["4", "Olga"]]);
    let page = read("breaks.xls", format!("<table>{rows}</table>").as_bytes(), &options);
    let reason = "a cell is longer than the 1000 bytes allowed (limit `cell_bytes`)";
    assert_eq!(page, format!("# id|name\n2 1|Anna\n4 3|~\n5 4|Olga\nreject 3 Some(\"B\") {reason}\n"));
}

#[test]
fn pages_and_xml_tell_their_encoding() {
    let encoding = |name: &str, bytes: &[u8]| {
        let file = Scratch::new(name, bytes);
        let readers = open_path(&file.0, &ReadOptions::default(), &NoControl).expect("opens");
        readers[0].report().encoding.clone().unwrap_or_default()
    };
    let page = format!("<meta charset=windows-1251><table>{}</table>", html_rows(&[["Имя", "Город"], ["Иван", "Пермь"]]));
    assert_eq!(encoding("cyrillic.xls", &encoding_rs::WINDOWS_1251.encode(&page).0), "windows-1251");
    let sheet = "<Worksheet ss:Name=\"S\"><Table><Row><Cell><Data ss:Type=\"String\">Имя</Data></Cell></Row></Table></Worksheet>";
    let book = format!("<?xml version=\"1.0\"?><Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\">{sheet}</Workbook>");
    assert_eq!(encoding("book.xls", book.as_bytes()), "utf-8");
}

#[test]
fn the_format_told_holds_within_a_zip_file_too() {
    let text = "{\"id\":1}\n{\"id\":2}\n";
    let zip = package(&[("rows.txt", text.as_bytes())]);
    let json = ReadOptions { format: Some(Format::Jsonl), ..ReadOptions::default() };
    assert_eq!(read("rows.zip", &zip, &json), "# id\n1 1\n2 2\n");
    assert!(read("rows.zip", &zip, &ReadOptions::default()).starts_with("# {\"id\":1}"));
    let file = Scratch::new("told.zip", &zip);
    let told = ReadOptions { format: Some(Format::Xlsx), ..ReadOptions::default() };
    assert!(open_path(&file.0, &told, &NoControl).is_err_and(|error| error.to_string().contains("holds no workbook")));
}
