//! Delimited text, read as users read it.
use std::io::Cursor;

use arrow_array::cast::AsArray;
use crm_core::NoControl;
use crm_files::{FileReport, ReadOptions, Reject, Skipped, open_stream};
use proptest::prelude::*;

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
    assert_eq!(table.names, ["b", "a", "c", "d"]);
    let cell = |text: &str| Some(text.to_owned());
    assert_eq!(table.rows[0], [cell("x\u{e9}"), cell("12345678901234567890"), None, None]);
    assert_eq!(table.rows[1], [None, None, cell("1; y"), None]);
    assert_eq!(table.rows[2], [None, None, None, cell("{\"e\":1.50}")]);
    assert_eq!((table.source_rows, table.rejects[0].row), (vec![1, 2, 5], 4));
    let table = read(" [ {\"a\": \"]},\\\"\"},\n {\"a\": 2}, 7 ]\n");
    assert_eq!(table.rows, some(&[&["]},\""], &["2"]]));
    assert_eq!(table.rejects.len(), 1);
    // Found by the mutations: a bracket that closes nothing was read for ever.
    assert_eq!(read("[{\"a\":1},}]").rejects.len(), 1);
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
