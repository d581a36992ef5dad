//! Damage that was once read wrongly, and never may be without a word.
use super::*;

fn csv(bytes: &[u8]) -> Table {
    read_with(bytes, &ReadOptions::default()).0
}

fn first_cells(table: &Table) -> Vec<&str> {
    table.rows.iter().map(|row| row[0].as_deref().unwrap_or_default()).collect()
}

/// The bytes that a raw text says.
fn bytes_of(raw: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = raw;
    while let Some(at) = rest.find("\\x") {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        match rest.get(at + 2..at + 4).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[at + 4..];
            }
            None => {
                bytes.extend_from_slice(b"\\x");
                rest = &rest[at + 2..];
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// The quote of row 30 closes at the end of row 32, as if there were one row of two cells: its first line alone is the row, and the others
/// are rows too.
#[test]
fn rows_within_a_quote_that_closes_rows_later_are_kept() {
    let rows: String = (0..30).map(|number| format!("{number},\"Quoted, {number}\",x\n")).collect();
    let table = read(&format!("id,name,city\n{rows}30,\"open,x\n31,b,c\n32,d,e\"\n33,f,g\n"));
    assert_eq!(first_cells(&table)[29..], ["29", "30", "31", "32", "33"]);
    assert_eq!(table.rejects, []);
}

#[test]
fn lines_that_quotes_hold_together_stay_together_whatever_the_row_lacks() {
    let rows: String = (0..30).map(|number| format!("{number},\"Cable, {number}\",\"two\nlines\",x\n")).collect();
    let table = read(&format!("id,item,note,city\n{rows}30,\"Cable, black\",\"two boxes\nleft at the door\"\n31,b,c,d\n"));
    let cells = ["30", "Cable, black", "two boxes\nleft at the door"].map(|cell| Some(cell.to_owned()));
    assert_eq!(table.rows[30], cells.into_iter().chain([None]).collect::<Vec<_>>());
    assert_eq!(first_cells(&table)[31], "31");
}

#[test]
fn a_cell_of_too_many_lines_is_no_blank_line() {
    let rows: String = (0..30).map(|number| format!("{number},\"Quoted, {number}\",x\n")).collect();
    let table = read(&format!("id,name,city\n{rows}30,\"{}\",x,y,z\n31,b,c\n", "line\n".repeat(1_500)));
    assert_eq!(table.skipped, []);
    assert_eq!(table.rows.len() + table.rejects.len(), 30 + 1_501 + 1);
    // One that is regular otherwise is read the same way.
    let table = read(&format!("id,name,city\n{rows}30,\"{}\",x\n31,b,c\n", "line\n".repeat(1_500)));
    assert_eq!(table.rows.len() + table.rejects.len(), 30 + 1_501 + 1);
}

#[test]
fn rows_cut_by_line_breaks_are_put_together_however_many_follow_each_other() {
    let day = |number: usize| format!("2024-01-{:02}", 1 + number % 28);
    let whole: String = (0..20).map(|number| format!("{number}|Name {number}|fine|{}\n", day(number))).collect();
    let cut: String = (20..90).map(|number| format!("{number}|Name {number}|one\ntwo|{}\n", day(number))).collect();
    let table = read(&format!("id|name|note|since\n{whole}{cut}"));
    let expected: Vec<String> = (0..90).map(|number| number.to_string()).collect();
    assert_eq!(first_cells(&table), expected);
    assert!(table.rows[20..].iter().all(|row| row[2].as_deref() == Some("one\ntwo")));
}

#[test]
fn a_value_in_the_column_that_was_blank_is_rejected() {
    let blank: String = (0..1_200).map(|number| format!(",{number},Anna,Riga\n")).collect();
    let table = read(&format!(",id,name,city\n{blank}x,5000,Olga,Perm\n,5001,Ivan,Omsk\n"));
    assert_eq!(table.names, ["id", "name", "city"]);
    assert_eq!((table.rows.len(), table.rejects.len()), (1_201, 1));
    assert!(table.rejects[0].reason.contains("before the first delimiter"), "{:?}", table.rejects);
    assert_eq!(table.rejects[0].raw, "x,5000,Olga,Perm");
}

#[test]
fn the_blank_cell_of_lines_in_quotes_is_taken_off_once() {
    let rows: String = (0..20).map(|number| format!("\",{number},Anna,Riga\"\n")).collect();
    let table = read(&format!("\",id,name,city\"\n{rows}\",,Olga,Perm\"\n\",21,Ivan,Omsk\"\n"));
    assert_eq!(table.names, ["id", "name", "city"]);
    assert_eq!(table.rows[20], some(&[&["", "Olga", "Perm"]])[0]);
}

const CITIES: [&str; 8] = ["Пермь", "Казань", "Рига", "Омск", "Тверь", "Псков", "Уфа", "Самара"];
const NAMES: [&str; 8] = ["Иван", "Ольга", "Пётр", "Мария", "Юлия", "Сергей", "Борис", "Глеб"];

fn contacts(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("{number},{},{}\n", NAMES[number % 8], CITIES[number / 8 % 8])).collect()
}

#[test]
fn raw_text_says_the_bytes_of_lines_in_another_encoding_too() {
    let cp1253 = |text: &str| encoding_rs::WINDOWS_1253.encode(text).0.into_owned();
    let damaged = [cp1253("99,Ελ"), b"\xD2\xFF".to_vec(), cp1253("ένη,Πάτρα")].concat();
    let rows = |numbers: std::ops::Range<usize>| -> String {
        let names = ["Γιώργος Παπαδόπουλος", "Μαρία Νικολάου", "Ελένη Δημητρίου", "Κώστας Ιωάννου", "Άννα Γεωργίου"];
        numbers.map(|number| format!("{number},{},Αθήνα\n", names[number % 5])).collect()
    };
    let broken = "100,Jāņa sēta \u{101}\u{101}".as_bytes();
    let text = [b"id,name,city\n", rows(0..40).as_bytes(), &cp1253(&rows(40..80)), &damaged, b"\n", broken, b"\xFF\xC4,x\n"].concat();
    let table = csv(&text);
    assert_eq!(table.rows.len(), 80);
    assert_eq!(bytes_of(&table.rejects[0].raw), ["99,Ελ".as_bytes(), b"\xD2\xFF", "ένη,Πάτρα".as_bytes()].concat());
    assert_eq!(bytes_of(&table.rejects[1].raw), [broken, b"\xFF\xC4,x"].concat());
}

#[test]
fn raw_text_of_json_says_its_bytes() {
    let rows: String = (0..20).map(|number| format!("{{\"id\": {number}, \"name\": \"Jānis\"}}\n")).collect();
    let text = [&encoding_rs::WINDOWS_1257.encode(&rows).0[..], b"{\"id\": 21, \"name\": \"x\xA1\"}\n"].concat();
    let options = ReadOptions { format: Some(crm_files::Format::Jsonl), encoding: Some("cp1257".to_owned()), ..ReadOptions::default() };
    let (table, _) = read_with(&text, &options);
    assert_eq!(bytes_of(&table.rejects[0].raw), b"{\"id\": 21, \"name\": \"x\xA1\"}");
    let text = [b"{\"id\": 1}\n".repeat(3), b"{\"id\": \"\xFF\xC3\"}\n".to_vec()].concat();
    let (table, _) = read_with(&text, &ReadOptions { encoding: Some("utf-8".to_owned()), ..options });
    assert_eq!(bytes_of(&table.rejects[0].raw), b"{\"id\": \"\xFF\xC3\"}");
}

#[test]
fn raw_text_of_a_total_is_what_stands_there() {
    let rows: String = (0..9).map(|number| format!("{number},Anna,5\n")).collect();
    let table = read(&format!("id,name,sum\n{rows}\"Total\",\"\",\"45\"\n\"Sum\",  ,\"7\"\n\n"));
    let skipped: Vec<_> = table.skipped.iter().map(|skipped| (skipped.row, skipped.reason.as_str(), skipped.raw.as_str())).collect();
    assert_eq!(skipped, [(11, "total", "\"Total\",\"\",\"45\""), (12, "total", "\"Sum\",  ,\"7\""), (13, "blank", "")]);
}

#[test]
fn lost_halves_of_characters_are_no_other_encoding() {
    let mut units: Vec<u16> = format!("id,name,city\n{}", contacts(0..40)).encode_utf16().collect();
    units.extend("41,a".encode_utf16().chain([0xD800]).chain(",b\n42,x,y\n".encode_utf16()));
    let bytes: Vec<u8> = [0xFEFF].into_iter().chain(units).flat_map(u16::to_le_bytes).collect();
    let table = csv(&bytes);
    assert_eq!((table.rows.len(), table.rejects.len()), (41, 1));
    assert_eq!(bytes_of(&table.rejects[0].raw), b"41,a\x00\xD8,b");
}

#[test]
fn record_separators_are_lines() {
    let text = "a note\u{1e}id,name\u{1e}1,Anna\u{1e}2,\"Ivan\u{1e}II\"\u{1e}3,Olga\u{1e}";
    for options in
        [ReadOptions { skip_rows: Some(1), ..ReadOptions::default() }, ReadOptions { header_row: Some(2), ..ReadOptions::default() }]
    {
        let table = with_options(text.as_bytes(), options).expect("opens");
        assert_eq!((table.names, table.source_rows), (vec!["id".to_owned(), "name".to_owned()], vec![3, 4, 6]));
    }
    let message = with_options(text.as_bytes(), ReadOptions { skip_rows: Some(9), ..ReadOptions::default() }).expect_err("no such line");
    assert!(message.contains("the file has 6"), "{message}");
    assert_eq!(read(&text.replace("a note", "sep=,")).source_rows, [3, 4, 6]);
    // What ends the lines divides no cells, however many lines are short.
    let whole: String = (0..12).map(|number| format!("{number},Anna,p{number}@mail.test,2024-01-1{}\u{1e}", number % 10)).collect();
    let short: String = (0..20).map(|number| format!("{number},\u{1e}p{number}@mail.test\u{1e}")).collect();
    let table = read(&format!("id,name,mail,since\u{1e}{whole}{short}"));
    assert_eq!(table.rows.len() + table.skipped.len() + table.rejects.len(), 52);
}

#[test]
fn regular_files_are_judged_as_others_are() {
    let skipped = |line: &str| {
        let table = read(&format!("\"id\",\"name\",\"city\"\n1,a,b\n{line}\n2,c,d\n"));
        assert_eq!(first_cells(&table), ["1", "2"]);
        table.skipped.iter().map(|skipped| skipped.reason.clone()).collect::<Vec<_>>()
    };
    assert_eq!(skipped("\"\",\"\",\"\""), ["blank"]);
    assert_eq!(skipped("id,name,city"), ["repeated header"]);
    assert_eq!(skipped(",------,------"), ["rule"]);
}

#[test]
fn a_header_behind_a_hash_is_known_by_one_rule() {
    let names = |text: &str| read(text).names;
    assert_eq!(names("#id,name,city\n1,Anna,Riga\n2,Olga,Perm\n"), ["id", "name", "city"]);
    assert_eq!(names("# made\n#id,name,city\n1,Anna,Riga\n2,Olga,Perm\n"), ["id", "name", "city"]);
    assert_eq!(names("#name,city\nAnna,Riga\nOlga,Perm\n"), ["name", "city"]);
    assert_eq!(names("#,name,city\n1,Anna,Riga\n2,Olga,Perm\n"), ["#", "name", "city"]);
    let again = "#id,name,city\n1,Anna,Riga\n2,Olga,Perm\n#id,name,city\n#4,Ivan,Omsk\n";
    assert_eq!(read(again).rows.len(), 2);
}

/// Runs of returns, keys by the hundred thousand, cells too many in a wide table: each took the square of its length.
#[test]
fn no_damage_takes_the_square_of_its_length() {
    let rows: String = (0..50).map(|number| format!("{number},b,c\r\n")).collect();
    for hostile in [format!("51,{},c", "\r".repeat(8 << 20)), format!("51,\"a\" {},c", "\r".repeat(8 << 20))] {
        let table = read(&format!("id,name,city\r\n{rows}{hostile}\r\n60,d,e\r\n"));
        assert_eq!(first_cells(&table).last(), Some(&"60"));
    }
    let object: String = (0..300_000).map(|number| format!("{{\"k{number}\":1}},")).collect();
    let text = format!("{{\"id\":1}}\n{{\"list\":[{}]}}\n", object.trim_end_matches(','));
    let options = ReadOptions { format: Some(crm_files::Format::Jsonl), ..ReadOptions::default() };
    let opened = open_stream("t.jsonl", Box::new(Cursor::new(text.into_bytes())), &options, &NoControl);
    assert!(opened.is_err_and(|error| error.to_string().contains("columns")));
    let wide = |extra: &str| format!("{}{extra}\n", "ab,".repeat(16_000));
    let table = read(&format!("{}{}", wide("x").repeat(40), wide("x,y").repeat(200)));
    assert_eq!(table.rows.len() + table.rejects.len(), 240);
}
