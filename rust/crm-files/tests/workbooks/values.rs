//! What stands in cells comes out as it was seen.
use crm_core::NoControl;
use crm_files::{ReadOptions, open_path};

use arrow_array::Array;
use arrow_array::cast::AsArray;

use crate::build::{Scratch, ods, xlsx_with};

/// Header, rows and warnings of every sheet, one line per row.
pub fn read(name: &str, bytes: &[u8], options: &ReadOptions) -> String {
    let file = Scratch::new(name, bytes);
    let mut text = String::new();
    for mut reader in open_path(&file.0, options, &NoControl).expect("it can be opened") {
        let names: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        text += &format!("# {}\n", names.join("|"));
        while let Some(batch) = reader.next_batch(&NoControl).expect("it can be read") {
            for row in 0..batch.batch.num_rows() {
                let cells: Vec<&str> = batch
                    .batch
                    .columns()
                    .iter()
                    .map(|column| if column.is_null(row) { "~" } else { column.as_string::<i32>().value(row) })
                    .collect();
                text += &format!("{} {}\n", batch.source_rows[row], cells.join("|"));
            }
            for reject in batch.rejects {
                text += &format!("reject {} {:?} {}\n", reject.row, reject.column, reject.reason);
            }
            for skipped in batch.skipped {
                text += &format!("skipped {} {} {}\n", skipped.row, skipped.reason, skipped.raw);
            }
        }
        for warning in &reader.report().warnings {
            text += &format!("! {warning}\n");
        }
    }
    text
}

fn check(bytes: &[u8], expected: &str) {
    let read = read(&format!("values-{}.xlsx", expected.len()), bytes, &ReadOptions::default());
    assert_eq!(read.trim(), expected.trim().lines().map(str::trim).collect::<Vec<_>>().join("\n"));
}

const STYLES: &str = r#"<styleSheet><numFmts><numFmt numFmtId="164" formatCode="00000"/><numFmt numFmtId="165" formatCode="+0 (000) 000-00-00"/>
<numFmt numFmtId="166" formatCode="dd.mm.yyyy\ hh:mm"/></numFmts><cellStyleXfs><xf numFmtId="9"/></cellStyleXfs>
<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="9"/><xf numFmtId="11"/><xf numFmtId="166"/></cellXfs></styleSheet>"#;
const STRINGS: &str = r#"<sst count="1"><si><t>name</t></si><si><r><t>An</t></r><r><rPr/><t xml:space="preserve">na </t></r><rPh><t>no</t></rPh></si><si><t>a_x000D_b&amp;&#65;</t></si></sst>"#;

#[test]
fn xlsx_values() {
    let sheet = r#"<x:worksheet xmlns:x="m"><x:cols><x:col min="2" max="3" hidden="1"/></x:cols><x:sheetData>
    <x:row r="1"><x:c r="A1" t="s"><x:v>0</x:v></x:c><x:c r="B1" t="inlineStr"><x:is><x:t>kind</x:t></x:is></x:c></x:row>
    <x:row r="2"><x:c r="A2" t="s"><x:v>1</x:v></x:c><x:c r="B2" s="1"><x:v>45000</x:v></x:c></x:row>
    <x:row r="3" hidden="1"><x:c r="A3" t="s"><x:v>2</x:v></x:c><x:c r="B3" s="2"><x:v>42</x:v></x:c></x:row>
    <x:row r="4"><x:c r="A4" t="b"><x:v>1</x:v></x:c><x:c r="B4" s="3"><x:v>79123456789</x:v></x:c></x:row>
    <x:row r="5"><x:c r="A5" t="e"><x:v>#N/A</x:v></x:c><x:c r="B5" s="4"><x:v>0.25</x:v></x:c></x:row>
    <x:row r="6"><x:c r="A6"><x:f>1+1</x:f></x:c><x:c r="B6"><x:v>79123456789</x:v></x:c></x:row>
    <x:row r="7"><x:c r="A7" t="str"><x:f>A1</x:f><x:v>text</x:v></x:c><x:c r="B7" s="5"><x:v>79123000000</x:v></x:c></x:row>
    <x:row r="8"><x:c r="A8" t="str"><x:v>7.9123E+10</x:v></x:c><x:c r="B8"><x:v>1234567890123456</x:v></x:c></x:row>
    <x:row r="9"><x:c r="A9" t="str"><x:v>007</x:v></x:c><x:c r="B9" s="6"><x:v>45000.75</x:v></x:c></x:row>
    <x:row r="10"><x:c r="A10" t="str"><x:v>z</x:v></x:c><x:c r="B10"><x:v>0.30000000000000004</x:v></x:c></x:row>
    </x:sheetData><x:mergeCells><x:mergeCell ref="A2:A3"/></x:mergeCells></x:worksheet>"#;
    let book = xlsx_with(sheet.as_bytes(), &[("xl/styles.xml", STYLES.as_bytes()), ("xl/sharedStrings.xml", STRINGS.as_bytes())]);
    check(
        &book,
        "# name|kind
        2 Anna |2023-03-15
        3 a\rb&A|00042
        4 TRUE|+7 (912) 345-67-89
        5 #N/A|25%
        6 ~|79123456789
        7 text|79123000000
        8 7.9123E+10|1234567890123456
        9 007|2023-03-15T18:00:00
        10 z|0.3
        ! sheet \"S\": 1 hidden row (row 3) were read like the others
        ! sheet \"S\": 2 hidden columns (the first column B) were read like the others
        ! sheet \"S\": 1 merged range (A2:A3) hold their value in the top left cell only
        ! sheet \"S\": 1 cell holds (A5) an error such as #N/A, kept as that text
        ! sheet \"S\": 1 formula (A6) without a stored result, read as empty: open and save the file in a spreadsheet
        ! sheet \"S\": 2 numbers (the first B7) in the form 7.9123E+10, digits are likely lost: phones and ids must be stored as text
        ! sheet \"S\": 1 number (B8) with more than 15 digits, of which the last are likely lost: ids must be stored as text",
    );
}

#[test]
fn the_1904_epoch_and_utf16() {
    let workbook = r#"<workbook><workbookPr date1904="1"/><sheets><sheet name="S" r:id="rId1"/></sheets></workbook>"#;
    let sheet = "<worksheet><sheetData><row r=\"1\"><c t=\"str\"><v>born</v></c></row><row r=\"2\"><c s=\"1\"><v>43538</v></c></row></sheetData></worksheet>";
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(sheet.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let book = xlsx_with(&wide, &[("xl/workbook.xml", workbook.as_bytes()), ("xl/styles.xml", STYLES.as_bytes())]);
    check(&book, "# born\n2 2023-03-15");
}

#[test]
fn titles_totals_and_stray_cells() {
    let row = |number: u32, cells: &[(&str, &str)]| {
        let cells: String = cells.iter().map(|(column, text)| format!("<c r=\"{column}{number}\" t=\"str\"><v>{text}</v></c>")).collect();
        format!("<row r=\"{number}\">{cells}</row>")
    };
    let mut rows = row(1, &[("B", "Clients of 2024")]) + &row(3, &[("B", "name"), ("C", "email"), ("D", "city")]);
    for number in 4..10 {
        rows += &row(number, &[("B", "Anna"), ("C", &format!("a{number}@x.test")), ("D", "Riga")]);
    }
    rows += &row(10, &[("B", "name"), ("C", "email"), ("D", "city")]);
    rows += &row(11, &[("B", "Total"), ("C", "6")]);
    let read = read("titles.xlsx", &crate::build::xlsx(&rows), &ReadOptions::default());
    assert!(read.starts_with("# name|email|city\n4 Anna|a4@x.test|Riga\n"), "{read}");
    assert!(read.contains("9 Anna|a9@x.test|Riga\nskipped 1 title \tClients of 2024\nskipped 10 repeated header \tname\temail\tcity\nskipped 11 total \tTotal\t6\n"), "{read}");
}

#[test]
fn a_value_beyond_the_header_is_rejected() {
    let mut rows = String::from("<row r=\"1\"><c t=\"str\"><v>name</v></c><c t=\"str\"><v>email</v></c></row>");
    for number in 2..=1200 {
        rows += &format!(
            "<row r=\"{number}\"><c r=\"A{number}\" t=\"str\"><v>n</v></c><c r=\"B{number}\" t=\"str\"><v>a{number}@x.test</v></c></row>"
        );
    }
    rows += "<row r=\"1300\"><c r=\"A1300\" t=\"str\"><v>n</v></c><c r=\"Z1300\"><v>5</v></c></row>";
    let read = read("stray.xlsx", &crate::build::xlsx(&rows), &ReadOptions::default());
    assert!(read.contains("reject 1300 Some(\"Z\") a value in column Z, which has no header and no value in the rows above"), "{read}");
    assert!(read.contains("1200 n|a1200@x.test"));
}

#[test]
fn sheets_hidden_and_named() {
    let workbook = r#"<workbook><sheets><sheet name="One" r:id="rId1"/><sheet name="Two" state="hidden" r:id="rId1"/></sheets></workbook>"#;
    let sheet = "<worksheet><sheetData><row r=\"1\"><c t=\"str\"><v>name</v></c></row><row r=\"2\"><c t=\"str\"><v>Anna</v></c></row></sheetData></worksheet>";
    let book = xlsx_with(sheet.as_bytes(), &[("xl/workbook.xml", workbook.as_bytes())]);
    let all = read("sheets.xlsx", &book, &ReadOptions::default());
    assert_eq!(all, "# name\n2 Anna\n! sheet \"Two\" is hidden and was left out; name it to read it\n");
    for wanted in ["Two", "two", "2"] {
        let options = ReadOptions { sheet: Some(wanted.to_owned()), ..ReadOptions::default() };
        assert_eq!(read(&format!("sheet-{wanted}.xlsx"), &book, &options), "# name\n2 Anna\n");
    }
    let file = Scratch::new("sheets-wrong.xlsx", &book);
    let options = ReadOptions { sheet: Some("Tow".to_owned()), ..ReadOptions::default() };
    let error = open_path(&file.0, &options, &NoControl).err().expect("there is no such sheet");
    assert!(error.message().ends_with("there is no sheet \"Tow\", only \"One\", \"Two\"; did you mean \"Two\"?"), "{error}");
}

#[test]
fn ods_values() {
    let cell = |attributes: &str, text: &str| format!("<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>");
    let row = |cells: String| format!("<table:table-row>{cells}</table:table-row>");
    let table = row(cell("office:value-type=\"string\"", "name") + &cell("office:value-type=\"string\"", "value"))
        + &row(cell("", "a<text:s text:c=\"2\"/>b</text:p><text:p>c")
            + &cell("office:value-type=\"float\" office:value=\"1234.5\"", "1,234.50"))
        + &row(cell("", "zip") + &cell("office:value-type=\"float\" office:value=\"42\"", "00042"))
        + &row(cell("", "day") + &cell("office:value-type=\"date\" office:date-value=\"2023-03-15T00:00:00\"", "15.03.23"))
        + &row(cell("", "share") + &cell("office:value-type=\"percentage\" office:value=\"0.25\"", "25 %"))
        + &row(cell("", "true") + &cell("office:value-type=\"boolean\" office:boolean-value=\"true\"", "TRUE"))
        + &row(cell("", "time") + &cell("office:value-type=\"time\" office:time-value=\"PT18H05M00S\"", "18:05"));
    let read = read("values.ods", &ods(&table), &ReadOptions::default());
    assert_eq!(read, "# name|value\n2 a  b\nc|1234.5\n3 zip|00042\n4 day|2023-03-15\n5 share|25%\n6 true|TRUE\n7 time|18:05:00\n");
}
