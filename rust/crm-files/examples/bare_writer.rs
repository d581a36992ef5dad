//! What `rust_xlsxwriter` alone takes: the floor for writing workbooks.
//!
//! `cargo run --release -p crm-files --example bare_writer -- 500000 bare.xlsx` writes the rows of `benchmarks/workbook_speed.py`;
//! `... -- list.tsv bare.xlsx` the cells of a file without quotes, as `benchmarks/reconcile_speed.py` makes it.

use std::fs::File;
use std::io::{BufRead, BufReader};

use rust_xlsxwriter::{Workbook, Worksheet, XlsxError};

const HEADER: [&str; 12] =
    ["record_id", "family_name", "given_name", "email", "phone", "company_name", "city", "street", "postcode", "amount", "orders", "score"];

fn main() -> Result<(), XlsxError> {
    let mut arguments = std::env::args().skip(1);
    let rows = arguments.next().unwrap_or_else(|| "500000".to_owned());
    let path = arguments.next().unwrap_or_else(|| "bare.xlsx".to_owned());
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet_with_constant_memory()?;
    match rows.parse() {
        Ok(n_rows) => write_made(sheet, n_rows)?,
        Err(_) => write_file(sheet, &rows)?,
    }
    workbook.save(path)
}

fn write_file(sheet: &mut Worksheet, path: &str) -> Result<(), XlsxError> {
    for (row, line) in (0..).zip(BufReader::new(File::open(path)?).lines()) {
        for (column, text) in (0..).zip(line?.split('\t')) {
            sheet.write_string(row, column, text)?;
        }
    }
    Ok(())
}

fn write_made(sheet: &mut Worksheet, n_rows: u32) -> Result<(), XlsxError> {
    for (column, title) in (0..).zip(HEADER) {
        sheet.write_string(0, column, title)?;
    }
    for row in 0..n_rows {
        for (column, text) in (0..).zip(texts(row)) {
            sheet.write_string(row + 1, column, text)?;
        }
        sheet.write_number(row + 1, 9, f64::from(row) * 1.25)?;
        sheet.write_number(row + 1, 10, row % 40)?;
        sheet.write_number(row + 1, 11, row % 1000 * 7919 % 1000)?;
    }
    Ok(())
}

fn texts(row: u32) -> [String; 9] {
    [
        row.to_string(),
        format!("Family{}", row % 20_000),
        format!("Given{}", row % 3_000),
        format!("person{row}@example{}.test", row % 500),
        format!("+7912{:07}", row % 10_000_000),
        format!("Company {} Ltd", row % 50_000),
        format!("City{}", row % 700),
        format!("Street {}, {}", row % 9_000, row % 200),
        format!("{:05}", row % 100_000),
    ]
}
