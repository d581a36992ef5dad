//! Delimited text, read as users read it.
use std::io::Cursor;

use arrow_array::cast::AsArray;
use crm_core::NoControl;
use crm_files::{FileReport, ReadOptions, Reject, Skipped, open_stream};
use proptest::prelude::*;

mod damage;

/// A whole file: names, rows (missing cells as `None`), and what was left out.
#[derive(Debug, Default, PartialEq)]
struct Table {
    names: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
    source_rows: Vec<u64>,
    rejects: Vec<Reject>,
    skipped: Vec<Skipped>,
}

fn read_with(bytes: &[u8], options: &ReadOptions) -> (Table, FileReport) {
    let mut readers = open_stream("t.csv", Box::new(Cursor::new(bytes.to_vec())), options, &NoControl).expect("opens");
    let reader = &mut readers[0];
    let mut table = Table { names: reader.schema().fields().iter().map(|field| field.name().clone()).collect(), ..Table::default() };
    while let Some(text) = reader.next_batch(&NoControl).expect("reads") {
        for row in 0..text.batch.num_rows() {
            let cell = |column: &arrow_array::ArrayRef| {
                let column = column.as_string::<i32>();
                arrow_array::Array::is_valid(column, row).then(|| column.value(row).to_owned())
            };
            table.rows.push(text.batch.columns().iter().map(cell).collect());
        }
        table.source_rows.extend(text.source_rows);
        table.rejects.extend(text.rejects);
        table.skipped.extend(text.skipped);
    }
    let report = reader.report().clone();
    let counts = report.counts;
    assert_eq!(counts.rows_in, counts.yielded + counts.rejected + counts.skipped);
    assert_eq!(
        (counts.yielded, counts.rejected, counts.skipped),
        (table.rows.len() as u64, table.rejects.len() as u64, table.skipped.len() as u64)
    );
    assert_eq!(table.rows.len(), table.source_rows.len());
    (table, report)
}

fn read(text: &str) -> Table {
    read_with(text.as_bytes(), &ReadOptions::default()).0
}

fn some(rows: &[&[&str]]) -> Vec<Vec<Option<String>>> {
    rows.iter().map(|row| row.iter().map(|cell| Some((*cell).to_owned())).collect()).collect()
}

#[track_caller]
fn check(text: &str, names: &[&str], rows: &[&[&str]]) {
    let table = read(text);
    assert_eq!(table.names, names, "{text:?}");
    assert_eq!(table.rows, some(rows), "{text:?}");
    assert_eq!(table.rejects, [], "{text:?}");
}

#[test]
fn plain() {
    check("id,name\n1,Anna\n2,Ivan\n", &["id", "name"], &[&["1", "Anna"], &["2", "Ivan"]]);
    check("id;sum\r\n1;2,5\r\n2;3,5", &["id", "sum"], &[&["1", "2,5"], &["2", "3,5"]]);
    check("id\tname\r1\tAnna\r", &["id", "name"], &[&["1", "Anna"]]);
    check("sep=|\nid|name\n1|Anna\n", &["id", "name"], &[&["1", "Anna"]]);
    check(
        "id|~|name|~|city\n1|~|Anna|~|Riga\n2|~|Ivan|~|Perm\n",
        &["id", "name", "city"],
        &[&["1", "Anna", "Riga"], &["2", "Ivan", "Perm"]],
    );
    check("email\na@b.lv\nc@d.lv\n", &["email"], &[&["a@b.lv"], &["c@d.lv"]]);
    check(
        "id, name, city\n1, Anna, \"Riga, LV\"\n2, Ivan, Perm\n",
        &["id", "name", "city"],
        &[&["1", "Anna", "Riga, LV"], &["2", "Ivan", "Perm"]],
    );
}

#[test]
fn quotes() {
    check("id,name\n1,\"a \"\"b\"\", c\"\n2,\"x\ny\"\n", &["id", "name"], &[&["1", "a \"b\", c"], &["2", "x\ny"]]);
    check("id,name\n1,'a, b'\n2,'c, d'\n3,e\n", &["id", "name"], &[&["1", "a, b"], &["2", "c, d"], &["3", "e"]]);
    check("id,name\n1,\"a \\\"b\\\", c\"\n2,\"d\"\n", &["id", "name"], &[&["1", "a \"b\", c"], &["2", "d"]]);
    check("id,name,n\n1,5\" pipe,1\n2,x,2\n3,y,3\n", &["id", "name", "n"], &[&["1", "5\" pipe", "1"], &["2", "x", "2"], &["3", "y", "3"]]);
    check("id,name,n\n1,\"open,1\n2,x,2\n3,y,3\n", &["id", "name", "n"], &[&["1", "\"open", "1"], &["2", "x", "2"], &["3", "y", "3"]]);
    check(
        "id,name,n\n1,ab \"c, d\" e,1\n2,x,2\n3,y,3\n",
        &["id", "name", "n"],
        &[&["1", "ab \"c, d\" e", "1"], &["2", "x", "2"], &["3", "y", "3"]],
    );
}

#[test]
fn shape() {
    let table = read("Report 2024\n\nid,name,sum\n1,Anna,5\n2,Ivan,6\n\nid,name,sum\n3,Olga,7\nTotal,,18\nprinted by X\n");
    assert_eq!(table.names, ["id", "name", "sum"]);
    assert_eq!(table.rows, some(&[&["1", "Anna", "5"], &["2", "Ivan", "6"], &["3", "Olga", "7"]]));
    assert_eq!(table.source_rows, [4, 5, 8]);
    let reasons: Vec<_> = table.skipped.iter().map(|skipped| (skipped.row, skipped.reason.as_str())).collect();
    assert_eq!(reasons, [(1, "title"), (2, "blank"), (6, "blank"), (7, "repeated header"), (9, "total"), (10, "footer")]);
    let table = read("id,name,sum\n1,Anna\n2,Ivan,6\n3,Olga,7,8,9\n");
    assert_eq!(table.rows[0], [Some("1".to_owned()), Some("Anna".to_owned()), None]);
    assert_eq!(table.rejects.len(), 1);
}

#[test]
fn json() {
    let options = ReadOptions { format: Some(crm_files::Format::Jsonl), ..ReadOptions::default() };
    let read = |text: &str| read_with(text.as_bytes(), &options).0;
    let table = read("{\"b\":\"x\\u00e9\",\"a\":12345678901234567890}\n{\"a\":null,\"c\":[1,\"y\"]}\n\n{broken\n{\"d\":{\"e\":1.50}}\n");
    assert_eq!(table.names, ["b", "a", "c", "d.e"]);
    let cell = |text: &str| Some(text.to_owned());
    assert_eq!(table.rows[0], [cell("x\u{e9}"), cell("12345678901234567890"), None, None]);
    assert_eq!(table.rows[1], [None, None, cell("1; y"), None]);
    assert_eq!(table.rows[2], [None, None, None, cell("1.50")]);
    assert_eq!((table.source_rows, table.rejects[0].row), (vec![1, 2, 5], 4));
    let table = read(" [ {\"a\": \"]},\\\"\"},\n {\"a\": 2}, 7 ]\n");
    assert_eq!(table.rows, some(&[&["]},\""], &["2"]]));
    assert_eq!(table.rejects.len(), 1);
    // Found by the mutations: a bracket that closes nothing was read for ever.
    assert_eq!(read("[{\"a\":1},}]").rejects.len(), 1);
}

/// Found by the test of any bytes.
#[test]
fn a_control_character_is_no_text() {
    assert!(with_options(b"\x03", ReadOptions::default()).is_err_and(|reason| reason.contains("control characters")));
}

/// Small files with all that may go wrong.
fn messy() -> impl Strategy<Value = String> {
    "([a-c1-3,;\"'\n\r \t]|\"[a,\n\"]*\"|x,y\n|,){0,120}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Nothing panics, every row is accounted for, and neither batches nor threads change what is read.
    #[test]
    fn reads_anything_the_same_way(text in messy(), batch_rows in 1_usize..5) {
        let whole = read(&text);
        let (parts, _) = read_with(text.as_bytes(), &ReadOptions { batch_rows: Some(batch_rows), threads: Some(1), ..ReadOptions::default() });
        prop_assert_eq!(whole, parts);
    }

    #[test]
    fn reads_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if open_stream("t.csv", Box::new(Cursor::new(bytes.clone())), &ReadOptions::default(), &NoControl).is_ok() {
            read_with(&bytes, &ReadOptions::default());
        }
    }
}

fn with_options(text: &[u8], options: ReadOptions) -> Result<Table, String> {
    match open_stream("t.csv", Box::new(Cursor::new(text.to_vec())), &options, &NoControl) {
        Ok(_) => Ok(read_with(text, &options).0),
        Err(error) => Err(error.to_string()),
    }
}

/// Lines of nothing but opening quotes: with a search of the rest of the line from each of them they take minutes.
#[test]
fn quotes_that_never_close_take_no_square_of_the_line() {
    let rows: String = (0..50).map(|number| format!("{number},b,c\n")).collect();
    let hostile = [
        "\"a,".repeat(200_000),
        "\"a\n".repeat(100_000),
        "\"\"a,\"".repeat(100_000),
        "a\"b, ".repeat(100_000),
        "\"a".repeat(2_000_000),
        "a\"b\"c,".repeat(300_000),
    ];
    for hostile in hostile {
        let table = read(&format!("id,name,city\n{rows}{hostile}\n60,d,e\n"));
        assert!(table.rows.len() + table.rejects.len() >= 51);
        assert!(table.rows.contains(&vec![Some("60".to_owned()), Some("d".to_owned()), Some("e".to_owned())]));
    }
}

#[test]
fn a_second_table_is_told_however_long_it_is() {
    let contacts: String = (0..3_000).map(|number| format!("{number},Person {number},p{number}@mail.test\n")).collect();
    let orders: String = (0..400_000).map(|number| format!("A{number:07},{:04}-01-02,{}.50\n", 2000 + number % 20, number % 97)).collect();
    let text = format!("id,name,email\n{contacts}\norder,placed,amount\n{orders}");
    for options in [ReadOptions::default(), ReadOptions { threads: Some(1), batch_rows: Some(1_000), ..ReadOptions::default() }] {
        let (table, report) = read_with(text.as_bytes(), &options);
        assert_eq!(report.counts.yielded, 3_000);
        assert_eq!(table.rejects.len(), 400_001);
        assert_eq!(table.rejects.last().map(|reject| reject.row), Some(403_003));
    }
}

#[test]
fn a_row_beyond_the_limit_is_one_reject() {
    let long = format!("4{},Evil,Town", "x".repeat(9 << 20));
    for (name, long) in [("unquoted", long.clone()), ("quoted", format!("4,\"{}\",Town", "y ".repeat(5 << 20)))] {
        let text = format!("id,name,city\n1,a,b\n2,c,d\n3,e,f\n{long}\n5,g,h\n6,i,j\n");
        let mut options = ReadOptions::default();
        options.limits.record_bytes = 2 << 20;
        options.limits.cell_bytes = 2 << 20;
        let (table, _) = read_with(text.as_bytes(), &options);
        let ids: Vec<_> = table.rows.iter().map(|row| row[0].clone().unwrap_or_default()).collect();
        assert_eq!(ids, ["1", "2", "3", "5", "6"], "{name}");
        assert_eq!(table.rejects.iter().map(|reject| reject.row).collect::<Vec<_>>(), [5], "{name}");
        assert_eq!(table.source_rows, [2, 3, 4, 6, 7], "{name}");
        assert!(table.rejects[0].reason.contains("record_bytes"), "{name}");
    }
}

#[test]
fn short_rows_of_wide_tables_take_bounded_batches() {
    let header: Vec<String> = (0..16_000).map(|number| format!("c{number}")).collect();
    let csv = format!("{}\n{}", header.join(","), "1\n".repeat(5_000));
    let mut object: String = header.iter().map(|name| format!("\"{name}\":1,")).collect();
    object.pop();
    let json = format!("{{{object}}}\n{}", "{\"c1\":1}\n".repeat(5_000));
    for text in [csv, json] {
        let name = if text.starts_with('{') { "t.jsonl" } else { "t.csv" };
        let told = ReadOptions { delimiter: Some(",".to_owned()), header_row: Some(1), ..ReadOptions::default() };
        let options = if name == "t.csv" { told } else { ReadOptions::default() };
        let mut readers = open_stream(name, Box::new(Cursor::new(text.into_bytes())), &options, &NoControl).expect("opens");
        assert_eq!(readers[0].schema().fields().len(), 16_000);
        let mut n_rows = 0;
        while let Some(batch) = readers[0].next_batch(&NoControl).expect("reads") {
            assert!(batch.batch.num_rows() * 16_000 <= 9 << 20, "{name}: {} rows at once", batch.batch.num_rows());
            n_rows += batch.batch.num_rows() + batch.rejects.len();
        }
        assert!(n_rows >= 5_000, "{name}: {n_rows}");
    }
}

#[test]
fn told_rows_may_be_far_down() {
    let notes: String = (0..5_000).map(|number| format!("note {number}, of no meaning\n")).collect();
    let text = format!("{notes}id;name\n1;Anna\n2;Ivan\n");
    let expected = some(&[&["1", "Anna"], &["2", "Ivan"]]);
    for options in [
        ReadOptions { skip_rows: Some(5_000), ..ReadOptions::default() },
        ReadOptions { header_row: Some(5_001), ..ReadOptions::default() },
    ] {
        let table = with_options(text.as_bytes(), options).expect("opens");
        assert_eq!((table.names, table.rows), (vec!["id".to_owned(), "name".to_owned()], expected.clone()));
        assert_eq!(table.skipped.len() + table.rejects.len(), 5_000);
    }
    for options in
        [ReadOptions { skip_rows: Some(99), ..ReadOptions::default() }, ReadOptions { header_row: Some(99), ..ReadOptions::default() }]
    {
        let message = with_options(b"id,name\n1,Anna\n", options).expect_err("no such line");
        assert!(message.contains("names line 99, and the file has 2"), "{message}");
    }
}

#[test]
fn contacts_at_the_end_are_no_footers() {
    let rows: String = (0..9).map(|number| format!("Person {number},+3712912345{number},p{number}@mail.test,Riga,x\n")).collect();
    let ending = |last: &str| {
        let table = read(&format!("name,phone,email,city,note\n{rows}{last}"));
        (table.rows.len(), table.skipped.iter().map(|skipped| skipped.reason.clone()).collect::<Vec<_>>())
    };
    assert_eq!(ending("Ivan Petrov,+37129123459\n"), (10, vec![]));
    assert_eq!(ending("Sum,+37129123459,,,\n"), (10, vec![]));
    assert_eq!(ending("Total,10,,,\n"), (9, vec!["total".to_owned()]));
    assert_eq!(ending("Printed on Monday\n"), (9, vec!["footer".to_owned()]));
}

#[test]
fn drawn_lines_are_rules_in_regular_files_too() {
    let rows: String = (0..9).map(|number| format!("{number},b,c\n")).collect();
    let reasons = |text: &str| read(text).skipped.iter().map(|skipped| skipped.reason.clone()).collect::<Vec<_>>();
    assert_eq!(reasons(&format!("id,name,city\n{rows}----,----,----\n{rows}")), ["rule"]);
    assert_eq!(reasons(&format!("id,name,city\n{rows}----,----,----\n9,a \"b,c\n{rows}")), ["rule"]);
}

#[test]
fn utf16_without_an_end_named_follows_the_file() {
    let big = |text: &str| -> Vec<u8> { [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect() };
    let bytes = big("id,name\n1,Анна\n");
    let told = |label: &str| with_options(&bytes, ReadOptions { encoding: Some(label.to_owned()), ..ReadOptions::default() });
    for label in ["utf-16", "UTF16", "utf-16be"] {
        assert_eq!(told(label).expect("opens").rows, some(&[&["1", "Анна"]]), "{label}");
    }
    let options = ReadOptions { encoding: Some("utf-16le".to_owned()), ..ReadOptions::default() };
    assert!(read_with(&bytes, &options).1.warnings.iter().any(|warning| warning.contains("byte order mark")));
}

#[test]
fn what_is_no_table_is_refused() {
    let refused = |bytes: &[u8]| with_options(bytes, ReadOptions::default()).expect_err("no table");
    assert!(refused(b"\x89PNG\r\n\x1a\n0000").contains("PNG image"));
    assert!(refused(b"<html><table><tr><td>1</td></tr></table></html>").contains("web page"));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, b"PK\x03\x04 and so on").expect("writes");
    assert!(refused(&packed.finish().expect("ends")).contains("unpack it first"));
}

#[test]
fn json_that_is_wrapped_nested_or_too_long() {
    let json = |text: &str, record_bytes: usize| {
        let mut options = ReadOptions::default();
        options.limits.record_bytes = record_bytes;
        let mut readers = open_stream("t.json", Box::new(Cursor::new(text.as_bytes().to_vec())), &options, &NoControl).expect("opens");
        let mut found = (Vec::new(), Vec::new());
        while let Some(text) = readers[0].next_batch(&NoControl).expect("reads") {
            let column = text.batch.column(0).as_string::<i32>().clone();
            found.0.extend(column.iter().map(|cell| cell.unwrap_or_default().to_owned()));
            found.1.extend(text.rejects.into_iter().map(|reject| (reject.row, reject.reason)));
        }
        (readers[0].schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>(), found.0, found.1)
    };
    let (names, cells, rejects) =
        json("{\"result\": [\n{\"name\":{\"first\":\"Ivan\"}},\n{\"name\":{\"first\":\"Anna\"}}], \"total\": 2}\n", 1 << 20);
    assert_eq!((names, cells, rejects), (vec!["name.first".to_owned()], vec!["Ivan".to_owned(), "Anna".to_owned()], vec![]));
    let (_, cells, rejects) = json("{\"a\":\"1\",\"a\":\"2\"}\n{\"a\":\"3\"}\n", 1 << 20);
    assert_eq!((cells, rejects), (vec!["3".to_owned()], vec![(1, "the key stands there twice".to_owned())]));
    let long = "{},\n\"b\":".repeat(2 << 20);
    let (_, cells, rejects) = json(&format!("[{{\"a\":\"1\"}},\n{{\"a\":\"{}\"}},\n{{\"a\":\"3\"}}]", long.replace('"', "'")), 1 << 20);
    assert_eq!(cells, ["1", "3"]);
    assert_eq!(rejects.len(), 1);
}
