//! Workbooks built part by part, right or wrong.
use std::io::{Cursor, Write};
use std::path::PathBuf;

use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

pub const XLSX_RELS: &str =
    r#"<Relationships><Relationship Id="r1" Type="http://x/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
pub const WORKBOOK: &str = r#"<workbook><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
pub const WORKBOOK_RELS: &str =
    r#"<Relationships><Relationship Id="rId1" Type="http://x/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;

/// A zip package of these parts.
pub fn package(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in parts {
        zip.start_file(*name, options).expect("a part can be begun");
        zip.write_all(bytes).expect("memory can be written");
    }
    zip.finish().expect("a package can be ended").into_inner()
}

/// An xlsx of one sheet, whose XML this is, and further parts.
pub fn xlsx_with(sheet: &[u8], more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut parts: Vec<(&str, &[u8])> = vec![
        ("_rels/.rels", XLSX_RELS.as_bytes()),
        ("xl/workbook.xml", WORKBOOK.as_bytes()),
        ("xl/_rels/workbook.xml.rels", WORKBOOK_RELS.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet),
    ];
    parts.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    parts.extend(more);
    package(&parts)
}

/// An xlsx of one sheet with these rows.
pub fn xlsx(rows: &str) -> Vec<u8> {
    xlsx_with(format!("<worksheet><sheetData>{rows}</sheetData></worksheet>").as_bytes(), &[])
}

/// An ods with this table content.
pub fn ods(table: &str) -> Vec<u8> {
    let content = format!("<document-content><body><spreadsheet><table name=\"S\">{table}</table></spreadsheet></body></document-content>");
    package(&[("content.xml", content.as_bytes())])
}

/// A BIFF8 stream without a container, of these records after its globals.
pub fn biff(globals: &[(u16, Vec<u8>)], records: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let record = |out: &mut Vec<u8>, kind: u16, data: &[u8]| {
        out.extend(kind.to_le_bytes());
        out.extend((data.len() as u16).to_le_bytes());
        out.extend(data);
    };
    let mut stream = Vec::new();
    record(&mut stream, 0x0809, &[0, 6, 5, 0, 0, 0, 0, 0]);
    for (kind, data) in globals {
        record(&mut stream, *kind, data);
    }
    let start = stream.len() + 4 + 9 + 4;
    let mut bound = (start as u32).to_le_bytes().to_vec();
    bound.extend([0, 0, 1, 0, b'S']);
    record(&mut stream, 0x85, &bound);
    record(&mut stream, 0x0a, &[]);
    record(&mut stream, 0x0809, &[0, 6, 0x10, 0, 0, 0, 0, 0]);
    for (kind, data) in records {
        record(&mut stream, *kind, data);
    }
    record(&mut stream, 0x0a, &[]);
    stream
}

/// A NUMBER record.
pub fn biff_number(row: u16, column: u16, value: f64) -> (u16, Vec<u8>) {
    let mut data = [row.to_le_bytes(), column.to_le_bytes(), [0, 0]].concat();
    data.extend(value.to_le_bytes());
    (0x0203, data)
}

/// A file that goes with the value.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        let directory = std::env::temp_dir().join(format!("crm-workbooks-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a scratch directory can be made");
        let path = directory.join(name);
        std::fs::write(&path, bytes).expect("a scratch file can be written");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
        if let Some(directory) = self.0.parent() {
            let _ = std::fs::remove_dir(directory);
        }
    }
}
