//! Workbooks made to break readers: each gives a result or a clear error, in 512 MiB and in time.
use crate::build::{Scratch, WORKBOOK, biff, biff_number, ods, package, xlsx, xlsx_with};
use crate::probe::{Outcome, probe};

/// `expected` is the beginning of the summary, or a part of the message.
fn check(name: &str, bytes: &[u8], expected: &str) {
    let file = Scratch::new(name, bytes);
    let (outcome, peak_kib) = match probe(&file.0) {
        Outcome::Read { summary, peak_kib } => (summary, peak_kib),
        Outcome::Refused { message, peak_kib } => (message, peak_kib),
        Outcome::Broken(reason) => panic!("{name}: {reason}"),
    };
    assert!(outcome.contains(expected), "{name}: {outcome}");
    assert!(peak_kib <= 512 << 10, "{name}: {peak_kib} KiB");
}

fn cell(place: &str, value: &str) -> String {
    format!("<c r=\"{place}\"><v>{value}</v></c>")
}

#[test]
fn places() {
    let row = |number: &str, cells: &str| format!("<row r=\"{number}\">{cells}</row>");
    check("far-cell.xlsx", &xlsx(&(row("1", &cell("A1", "1")) + &row("1048576", &cell("XFD1048576", "2")))), "[2x");
    check("far-row.xlsx", &xlsx(&row("1048577", &cell("A1048577", "1"))), "beyond the last row");
    check("huge-row-number.xlsx", &xlsx(&row("18446744073709551615", &cell("A1", "1"))), "beyond the last row");
    check("overflowing-row-number.xlsx", &xlsx(&row("99999999999999999999999", &cell("A1", "1"))), "[1x");
    check("negative-row.xlsx", &xlsx(&row("-5", &cell("A-5", "1"))), "[1x");
    check("column-beyond.xlsx", &xlsx(&row("1", &cell("XFE1", "1"))), "[1x");
    check("no-places.xlsx", &xlsx("<row><c><v>1</v></c><c><v>2</v></c></row><row><c><v>3</v></c></row>"), "[2x");
    check("backwards.xlsx", &xlsx(&(row("9", &cell("A9", "1")) + &row("2", &(cell("C2", "1") + &cell("A2", "2"))))), "[2x");
    check(
        "same-cell-twice.xlsx",
        &xlsx(&(row("1", "<c t=\"str\"><v>n</v></c>") + &row("2", &(cell("A2", "1") + &cell("A2", "2"))))),
        "[1x",
    );
    check("many-columns.xlsx", &xlsx(&row("1", &"<c><v>1</v></c>".repeat(10_000))), "[10000x");
    check("too-many-columns.xlsx", &xlsx(&row("1", &"<c><v>1</v></c>".repeat(16_385))), "more than 16384 columns");
    check("row-in-row.xlsx", &xlsx("<row r=\"1\"><row r=\"2\"><c><v>1</v></c></row></row>"), "[1x");
    check("cell-in-cell.xlsx", &xlsx("<row r=\"1\"><c><c><v>1</v></c><v>2</v></c></row>"), "");
}

#[test]
fn values() {
    let one = |cell: &str| xlsx(&format!("<row r=\"1\">{cell}</row>"));
    check("missing-string.xlsx", &one("<c r=\"A1\" t=\"s\"><v>4294967295</v></c>"), "shared string that is not there");
    check("negative-string.xlsx", &one("<c r=\"A1\" t=\"s\"><v>-1</v></c>"), "shared string that is not there");
    check("style-beyond.xlsx", &one("<c r=\"A1\" s=\"4294967295\"><v>1</v></c>"), "[1x");
    check("no-number.xlsx", &one("<c r=\"A1\"><v>abc</v></c>"), "[1x");
    check("infinite.xlsx", &one("<c r=\"A1\"><v>1e999</v></c><c r=\"B1\"><v>nan</v></c>"), "[2x");
    check("huge-number.xlsx", &one(&format!("<c r=\"A1\"><v>{}</v></c>", "9".repeat(100_000))), "[1x");
    check("nul.xlsx", &one("<c r=\"A1\" t=\"str\"><v>a\0b</v></c>"), "[1x");
    check("nul-entity.xlsx", &one("<c r=\"A1\" t=\"str\"><v>&#0;&#55296;</v></c>"), "");
    check("unknown-entity.xlsx", &one("<c r=\"A1\" t=\"str\"><v>&boom;</v></c>"), "entity");
    check("lone-ampersand.xlsx", &one("<c r=\"A1\" t=\"str\"><v>a & b</v></c>"), "&");
    check(
        "not-utf8.xlsx",
        &xlsx_with(b"<worksheet><sheetData><row><c t=\"str\"><v>\xff\xfe</v></c></row></sheetData></worksheet>", &[]),
        "not UTF-8",
    );
    check("unknown-type.xlsx", &one("<c r=\"A1\" t=\"zzz\"><v>1</v></c>"), "[1x");
    check("date-beyond.xlsx", &one("<c r=\"A1\" t=\"d\"><v>99999999-99-99T99:99:99</v></c>"), "[1x");
    check("long-cell.xlsx", &one(&format!("<c r=\"A1\" t=\"str\"><v>{}</v></c>", "x".repeat(100 << 20))), "limit `");
    check("long-tag.xlsx", &one(&format!("<c r=\"{}\"/>", "A".repeat(40 << 20))), "limit `cell_bytes`");
}

#[test]
fn xml() {
    let bomb = b"<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]><worksheet>&b;</worksheet>";
    check("entity-bomb.xlsx", &xlsx_with(bomb, &[]), "document type (DTD)");
    check("external-entity.xlsx", &xlsx_with(b"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><worksheet/>", &[]), "document type (DTD)");
    check(
        "dtd-in-workbook.xlsx",
        &xlsx_with(b"<worksheet/>", &[("xl/workbook.xml", b"<!DOCTYPE a []><workbook/>")]),
        "document type (DTD)",
    );
    check("dtd-in-strings.xlsx", &xlsx_with(b"<worksheet/>", &[("xl/sharedStrings.xml", b"<!DOCTYPE a []><sst/>")]), "document type (DTD)");
    check("deep.xlsx", &xlsx_with(&b"<a>".repeat(2_000_000), &[]), "nested too deeply");
    check("deep-in-cell.xlsx", &xlsx(&format!("<row><c>{}", "<is>".repeat(1_000_000))), "nested too deeply");
    check("cut-short.xlsx", &xlsx_with(b"<worksheet><sheetData><row r=\"1\"><c r=\"A1\"><v>1", &[]), "cut short");
    check("closed-twice.xlsx", &xlsx_with(b"<worksheet></worksheet></worksheet></worksheet>", &[]), "closed that was not open");
    check("empty-sheet-part.xlsx", &xlsx_with(b"", &[]), "no XML");
    check("binary-sheet.xlsx", &xlsx_with(&[0; 5000], &[]), "");
    check("endless-comment.xlsx", &xlsx_with(&[&b"<!--"[..], &b"-".repeat(100_000)].concat(), &[]), "comment does not end");
    check("other-encoding.xlsx", &xlsx_with(b"<?xml version=\"1.0\" encoding=\"utf-7\"?><worksheet/>", &[]), "encoding");
    check("many-attributes.xlsx", &xlsx(&format!("<row r=\"1\"><c {} r=\"A1\"><v>1</v></c></row>", "a=\"1\" ".repeat(100_000))), "[1x");
    check(
        "many-formats.xlsx",
        &xlsx_with(b"<worksheet/>", &[("xl/styles.xml", ("<s><cellXfs>".to_owned() + &"<xf/>".repeat(200_000)).as_bytes())]),
        "number formats",
    );
    check(
        "many-sheets.xlsx",
        &xlsx_with(
            b"<worksheet/>",
            &[("xl/workbook.xml", WORKBOOK.replace("<sheet ", &"<sheet name=\"S\" r:id=\"rId1\"/><sheet ".repeat(5000)).as_bytes())],
        ),
        "limit `sheets`",
    );
}

#[test]
fn packages() {
    let good = xlsx("<row r=\"1\"><c r=\"A1\" t=\"str\"><v>name</v></c></row><row r=\"2\"><c r=\"A2\"><v>1</v></c></row>");
    check("good.xlsx", &good, "[1x1+0+0]");
    check("tail-cut.xlsx", &good[..good.len() - 30], "zip directory");
    check("half.xlsx", &good[..good.len() / 2], "zip directory");
    check("head-only.xlsx", &good[..30], "zip directory");
    check("not-a-zip.xlsx", &[b"PK\x03\x04".to_vec(), vec![0; 1000]].concat(), "zip directory");
    check("prepended.xlsx", &[vec![b'P', b'K', 3, 4], vec![0; 996], good.clone()].concat(), "[1x1+0+0]");
    check("commented.xlsx", &[good.clone(), vec![0; 40_000]].concat(), "[1x1+0+0]");
    // One text in a zip file is read, whatever the file is called.
    check("no-workbook.xlsx", &package(&[("a/b/c/d/e.txt", b"x")]), "[1x0+0+0]");
    check(
        "nested-names.xlsx",
        &package(&[("../../../../etc/passwd", b"x"), ("C:\\windows\\x", b"y"), ("_rels/.rels", b"<a/>")]),
        "and no workbook",
    );
    check(
        "missing-sheet.xlsx",
        &xlsx_with(
            b"",
            &[("xl/_rels/workbook.xml.rels", b"<a><Relationship Id=\"rId1\" Type=\"x/worksheet\" Target=\"../../../nowhere.xml\"/></a>")],
        ),
        "is missing",
    );
    check(
        "own-relation.xlsx",
        &package(&[("_rels/.rels", b"<a><Relationship Id=\"1\" Type=\"x/officeDocument\" Target=\"_rels/.rels\"/></a>")]),
        "no sheet",
    );
    let mut wrong_crc = good.clone();
    let directory = memchr::memmem::rfind(&wrong_crc, b"PK\x01\x02").unwrap_or(0);
    wrong_crc[directory + 16] ^= 0xff;
    check("wrong-crc.xlsx", &wrong_crc, "checksum");
    let mut many = good.clone();
    let end = many.len() - 22;
    many[end + 10..end + 12].copy_from_slice(&60_000_u16.to_le_bytes());
    check("claims-entries.xlsx", &many, "limit `entries`");
    let mut lies = good.clone();
    let end = lies.len() - 22;
    lies[end + 16..end + 20].copy_from_slice(&0x7fff_fff0_u32.to_le_bytes());
    check("directory-elsewhere.xlsx", &lies, "");
    let mut encrypted = good.clone();
    for at in memchr::memmem::find_iter(&good, b"PK\x01\x02") {
        encrypted[at + 8] |= 1;
    }
    check("encrypted.xlsx", &encrypted, "password");
    let zeros = format!("<a>{}</a>", " ".repeat(50_000)).repeat(2_000).into_bytes();
    check("bomb.xlsx", &xlsx_with(&zeros, &[]), "zip bomb");
    check(
        "bomb-strings.xlsx",
        &xlsx_with(b"<worksheet/>", &[("xl/sharedStrings.xml", &[&b"<sst>"[..], &b"<si><t>aaaa</t></si>".repeat(20 << 20)].concat())]),
        "limit",
    );
    drop(zeros);
    let duplicate = {
        let first = package(&[("xl/a.xml", b"<a/>"), ("_rels/.rels", b"<a/>"), ("_rels/.relz", b"<b/>")]);
        let mut bytes = first.clone();
        for at in memchr::memmem::find_iter(&first, b".relz") {
            bytes[at + 4] = b's';
        }
        bytes
    };
    check("duplicate-entries.xlsx", &duplicate, "and no workbook");
}

#[test]
fn open_documents() {
    let text = "<table-row><table-cell value-type=\"string\"><p>name</p></table-cell></table-row>";
    let huge = |attribute: &str, value: &str| {
        format!("{text}<table-row {attribute}=\"{value}\"><table-cell value-type=\"float\" value=\"1\"><p>1</p></table-cell></table-row>")
    };
    check("repeated-rows.ods", &ods(&huge("number-rows-repeated", "4294967295")), "beyond the last one");
    check("repeated-rows-overflow.ods", &ods(&huge("number-rows-repeated", "18446744073709551615")), "beyond the last one");
    check("many-repeated-rows.ods", &ods(&huge("number-rows-repeated", "1000000")), "[1x1000000+0+0]");
    check(
        "repeated-empty.ods",
        &ods(&format!(
            "{text}<table-row number-rows-repeated=\"99999999999\"><table-cell number-columns-repeated=\"99999999999\"/></table-row>"
        )),
        "[1x",
    );
    check(
        "repeated-cells.ods",
        &ods("<table-row><table-cell number-columns-repeated=\"99999999\" value-type=\"string\"><p>x</p></table-cell></table-row>"),
        "more than 16384 columns",
    );
    check(
        "repeated-both.ods",
        &ods(
            "<table-row number-rows-repeated=\"1048576\"><table-cell number-columns-repeated=\"16384\" value-type=\"string\"><p>x</p></table-cell></table-row>",
        ),
        "limit `cells`",
    );
    check(
        "many-blanks.ods",
        &ods("<table-row><table-cell value-type=\"string\"><p>a<s c=\"99999999999\"/>b</p></table-cell></table-row>"),
        "limit `cell_bytes`",
    );
    check(
        "many-blanks-often.ods",
        &ods(&format!(
            "<table-row><table-cell value-type=\"string\"><p>{}</p></table-cell></table-row>",
            "<s c=\"16000000\"/>".repeat(1000)
        )),
        "limit `cell_bytes`",
    );
    check(
        "not-a-spreadsheet.ods",
        &package(&[("content.xml", b"<document-content><body><text/></body></document-content>")]),
        "no spreadsheet",
    );
    check("no-table.ods", &package(&[("content.xml", b"<d><body><spreadsheet/></body></d>")]), "no spreadsheet");
    check(
        "many-tables.ods",
        &package(&[("content.xml", format!("<d><spreadsheet>{}", "<table name=\"x\"></table>".repeat(100_000)).as_bytes())]),
        "limit `sheets`",
    );
    check("dtd.ods", &package(&[("content.xml", b"<!DOCTYPE a><d/>")]), "document type (DTD)");
}

#[test]
fn binary_sheets() {
    check("far-cell.xls", &biff(&[], &[biff_number(0, 0, 1.0), biff_number(65_535, 65_535, 2.0)]), "[1x1+1+0]");
    check("backwards.xls", &biff(&[], &[biff_number(9, 0, 1.0), biff_number(2, 1, 2.0), biff_number(9, 1, 3.0)]), "[2x");
    check("dimensions.xls", &biff(&[], &[(0x0200, vec![0xff; 14]), biff_number(0, 0, 1.0)]), "[1x");
    check("no-string.xls", &biff(&[], &[(0xfd, vec![0, 0, 0, 0, 0, 0, 9, 0, 0, 0])]), "shared string that is not there");
    check("string-count.xls", &biff(&[(0xfc, [&[0xff; 8][..], &[1, 0, 0, b'a']].concat())], &[(0xfd, vec![0; 10])]), "[1x");
    check(
        "string-length.xls",
        &biff(
            &[(0xfc, [&[1, 0, 0, 0, 1, 0, 0, 0][..], &[0xff, 0xff, 0x0d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b'a']].concat())],
            &[(0xfd, vec![0; 10])],
        ),
        "",
    );
    check(
        "short-records.xls",
        &biff(
            &[(0x22, vec![]), (0x42, vec![1]), (0x041e, vec![]), (0xe0, vec![])],
            &[(0x0203, vec![0]), (0xbd, vec![0; 7]), (0x06, vec![0; 8])],
        ),
        "",
    );
    check("formats.xls", &biff(&(0..20_000).map(|_| (0xe0, vec![0; 20])).collect::<Vec<_>>(), &[biff_number(0, 0, 1.0)]), "[1x");
    check("password.xls", &biff(&[(0x2f, vec![0; 6])], &[]), "password");
    check("cut.xls", &biff(&[], &[biff_number(0, 0, 1.0)])[..40], "");
    let header = |fields: &[(usize, u32)]| {
        let mut bytes = vec![0xff; 4096];
        bytes[..8].copy_from_slice(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1");
        bytes[30] = 9;
        bytes[31] = 0;
        for (at, value) in fields {
            bytes[*at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    };
    check("compound-empty.xls", &header(&[]), "holds no workbook");
    check("compound-circle.xls", &header(&[(76, 0), (512, 0), (48, 0), (68, 0)]), "holds no workbook");
    check("compound-sector-size.xls", &header(&[(30, 0x1f)]), "2^");
    check("compound-short.xls", &header(&[])[..100], "cut short");
    let record = |kind: &[u8], data: &[u8]| [kind, &[data.len() as u8], data].concat();
    let xlsb = |sheet: &[u8]| {
        let book = record(&[0x9c, 1], &[0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, b'r', 0, b'1', 0, 1, 0, 0, 0, b'S', 0]);
        let rels = b"<a><Relationship Id=\"r1\" Type=\"x/worksheet\" Target=\"sheet1.bin\"/></a>";
        let root = b"<a><Relationship Id=\"1\" Type=\"x/officeDocument\" Target=\"xl/workbook.bin\"/></a>";
        package(&[("_rels/.rels", root), ("xl/workbook.bin", &book), ("xl/_rels/workbook.bin.rels", rels), ("xl/sheet1.bin", sheet)])
    };
    let row = |number: u32| record(&[0], &[&number.to_le_bytes()[..], &[0; 13]].concat());
    let real = |column: u32| record(&[5], &[&column.to_le_bytes()[..], &[0; 4], &1.5_f64.to_le_bytes()].concat());
    check("good.xlsb", &xlsb(&[row(0), real(0), row(1), real(0)].concat()), "[1x");
    check("far-cell.xlsb", &xlsb(&[row(0), real(0), row(1_048_575), real(16_383)].concat()), "[2x");
    check("far-row.xlsb", &xlsb(&[row(u32::MAX), real(0)].concat()), "beyond the last row");
    check("far-column.xlsb", &xlsb(&[row(0), real(u32::MAX)].concat()), "beyond the last column");
    check("long-record.xlsb", &xlsb(&[0x01, 0xff, 0xff, 0xff, 0x7f]), "limit `cell_bytes`");
    check(
        "long-text.xlsb",
        &xlsb(&[row(0), record(&[6], &[0, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0x7f])].concat()),
        "longer than the record",
    );
    check("cut.xlsb", &xlsb(&[0x05, 0x10, 0]), "cut short");
}

/// Little on the disk, much in memory: cells that share a text.
#[test]
fn shared_texts() {
    let long = "x".repeat(16_000);
    let repeated = format!(
        "<table-row number-rows-repeated=\"100\"><table-cell number-columns-repeated=\"16384\" value-type=\"string\"><p>{long}</p></table-cell></table-row>"
    );
    check("repeated-long-cells.ods", &ods(&repeated), "limit `row_bytes`");
    let strings = format!("<sst><si><t>{}</t></si></sst>", "x".repeat(8 << 20));
    let rels = format!(
        "{}<Relationship Id=\"rId2\" Type=\"http://x/sharedStrings\" Target=\"sharedStrings.xml\"/></Relationships>",
        crate::build::WORKBOOK_RELS.trim_end_matches("</Relationships>")
    );
    let sheet = format!("<worksheet><sheetData><row r=\"1\">{}</row></sheetData></worksheet>", "<c t=\"s\"><v>0</v></c>".repeat(400));
    check(
        "shared-string-often.xlsx",
        &xlsx_with(sheet.as_bytes(), &[("xl/sharedStrings.xml", strings.as_bytes()), ("xl/_rels/workbook.xml.rels", rels.as_bytes())]),
        "limit `row_bytes`",
    );
    let label = |row: u16, column: u16| {
        let mut data = [row.to_le_bytes(), column.to_le_bytes(), [0, 0], 8_000_u16.to_le_bytes()].concat();
        data.push(0);
        data.extend(std::iter::repeat_n(b'x', 8_000));
        (0x0204, data)
    };
    let labels: Vec<(u16, Vec<u8>)> = (0..20_000).map(|number| label(0, number % 256)).collect();
    check("long-row.xls", &biff(&[], &labels), "limit `row_bytes`");
}
