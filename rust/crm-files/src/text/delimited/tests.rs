//! What is read depends on the text alone: not on where chunks and batches end, nor on which way a chunk is read.
use std::io::Cursor;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use crm_core::NoControl;
use proptest::prelude::*;

use super::*;
use crate::Reject;

/// A whole file: rows (missing cells as `None`), and what was left out.
#[derive(Debug, Default, PartialEq)]
struct Table {
    rows: Vec<(u64, Vec<Option<String>>)>,
    rejects: Vec<Reject>,
    skipped: Vec<Skipped>,
    warnings: Vec<String>,
}

fn read(text: &[u8], options: &ReadOptions, chunk: usize) -> Table {
    let sizes = PieceSizes { chunk, tail: 96 };
    let mut reader = DelimitedReader::open_in_pieces("t.csv", Box::new(Cursor::new(text.to_vec())), options, sizes).expect("opens");
    let mut table = Table::default();
    while let Some(text) = reader.next_batch(&NoControl).expect("reads") {
        for (idx, source_row) in text.source_rows.iter().enumerate() {
            let columns = text.batch.columns().iter().map(|column| column.as_string::<i32>());
            let cells = columns.map(|column| column.is_valid(idx).then(|| column.value(idx).to_owned()));
            table.rows.push((*source_row, cells.collect()));
        }
        table.rejects.extend(text.rejects);
        table.skipped.extend(text.skipped);
    }
    table.warnings.clone_from(&reader.report.warnings);
    table
}

fn options(batch_rows: usize, threads: usize, limits: &crate::Limits) -> ReadOptions {
    ReadOptions { batch_rows: Some(batch_rows), threads: Some(threads), limits: limits.clone(), ..ReadOptions::default() }
}

/// Reads a text in pieces of many sizes, which must make no difference.
fn check_pieces(text: &[u8], limits: &crate::Limits) -> Result<Table, TestCaseError> {
    let whole = read(text, &options(65_536, 1, limits), 4 << 20);
    for (chunk, batch_rows, threads) in [(4 << 20, 1, 1), (1, 65_536, 1), (37, 1, 1), (150, 3, 2), (900, 2, 1), (3_000, 65_536, 2)] {
        let parts = read(text, &options(batch_rows, threads, limits), chunk);
        prop_assert_eq!(&whole, &parts, "chunks of {} bytes, batches of {} rows", chunk, batch_rows);
    }
    let lines: Vec<u64> = whole.rows.iter().map(|row| row.0).collect();
    prop_assert!(lines.is_sorted(), "rows in the order of the file: {:?}", lines);
    Ok(whole)
}

const HEADER: &str = "id,name,mail,since\n";

/// One or a few lines of a table of contacts, of which most are as they should be.
fn piece(kind: usize, number: usize) -> Vec<u8> {
    let (mail, day) = (format!("p{number}@mail.test"), format!("2024-0{}-1{}", 1 + number % 9, number % 10));
    let text = match kind {
        0 => format!("{number},\"Quoted, {number}\",{mail},{day}\n"),
        1 => format!("{number},\"two\nlines\",{mail},{day}\n"),
        2 => format!("{number},Short\n"),
        3 => format!("{number},Broken\nrow {number},{mail},{day}\n"),
        4 => "\n".to_owned(),
        5 => HEADER.to_owned(),
        6 => format!("Page {number}\n"),
        7 => format!("Total,,,{number}\n"),
        8 => format!("{number},\"open {number},{mail},{day}\n"),
        9 => format!("{number},one,cell,{mail},{day}\n"),
        10 => ",,,\n".to_owned(),
        11 => format!("{number},in\"ner,{mail},{day}\n"),
        12 => format!("A{number},of another\nB{number},table\nC{number},here\n"),
        13 => "----,----,----,----\n".to_owned(),
        14 => format!("{number},'=1+{number},{mail},{day}\n"),
        15 => format!("\"{number},\"\"Whole, row\"\",{mail},{day}\"\n"),
        16 => format!("{number};Other;{mail};{day}\n"),
        17 => format!("\u{feff}{number},Mark,{mail},{day}\n"),
        18 => "\"id\",\"name\",\"mail\",\"since\"\n".to_owned(),
        19 => "\"\",\"\",\"\",\"\"\n".to_owned(),
        20 => format!("{number},\"x,{mail},{day}\n{number},y,{mail},{day}\n{number},z\",{mail},{day}\n"),
        21 => format!("{number},\"{}\",{mail},{day}\n", "many\n".repeat(12)),
        22 => format!("{number},{},{mail},{day}\n", "long ".repeat(60)),
        23 => format!("{number},returns\r\r\r,{mail},{day}\n"),
        24 => format!("{number},closed\",{mail},{day}\n"),
        25 => ",-----,-----,-----\n".to_owned(),
        26 => format!("{number},\n{mail}\n"),
        27 => {
            return [format!("{number},").as_bytes(), b"\xC8\xE2\xE0\xED \xCF\xE5\xF2\xF0\xEE\xE2", format!(",{mail},{day}\n").as_bytes()]
                .concat();
        }
        28 => return [format!("{number},J\u{101}nis ").as_bytes(), b"\xC4\xFF", format!(",{mail},{day}\n").as_bytes()].concat(),
        29 => format!("{number},Я\u{301}на,{mail},{day}\n"),
        30 => format!("{number}, Spaced {number}, {mail}, {day}\n"),
        31 => format!("{number}, \"Spaced, {number}\", {mail}, {day}\n"),
        32 => format!("{number},\"Half\", {mail}, {day}\n"),
        33 => format!("'{number}','Single {number}','{mail}','{day}'\n"),
        34 => format!("{number} \"Blank \"\"{number}\"\"\" {mail} {day}\n"),
        35 => format!("{number} \"Blank, \"\"{number}\"\" x\" {mail} {day}\n"),
        36 => format!("{number},\"Kept, {number}\",{mail}{day}\n"),
        _ => format!("{number},Name {number},{mail},{day}\n"),
    };
    text.into_bytes()
}

fn table(kinds: &[usize], line_end: &str) -> Vec<u8> {
    let clean = (0..12).map(|number| piece(99, number));
    let damaged = kinds.iter().enumerate().map(|(number, kind)| piece(*kind, 100 + number));
    let lines = [HEADER.as_bytes().to_vec()].into_iter().chain(clean).chain(damaged);
    let text = lines.collect::<Vec<_>>().concat();
    let parts: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    parts.join(line_end.as_bytes())
}

fn kinds() -> impl Strategy<Value = Vec<usize>> {
    // Of one kind there may be many in a row; half of the others are rows as they should be.
    proptest::collection::vec((0_usize..60, prop_oneof![8 => 1_usize..3, 1 => 20_usize..50]), 0..40)
        .prop_map(|runs| runs.into_iter().flat_map(|(kind, n)| std::iter::repeat_n(kind, n)).collect())
}

fn small_limits() -> crate::Limits {
    crate::Limits { cell_bytes: 120, record_bytes: 220, cell_lines: 8, sample_bytes: 4096, raw_bytes: 80, ..crate::Limits::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn pieces_make_no_difference(kinds in kinds(), end in proptest::sample::select(vec!["\n", "\r\n", "\r", "\x1e"])) {
        check_pieces(&table(&kinds, end), &crate::Limits::default())?;
    }

    #[test]
    fn pieces_make_no_difference_to_what_is_too_long(kinds in kinds(), end in proptest::sample::select(vec!["\n", "\r\n"])) {
        check_pieces(&table(&kinds, end), &small_limits())?;
    }

    #[test]
    fn pieces_make_no_difference_to_any_text(text in "([a-c1-3,;\"'\n\r \t]|\"[a,\n\"]*\"|x,y\n|,){0,120}") {
        check_pieces(text.as_bytes(), &crate::Limits::default())?;
    }
}
