//! The beginning of a text file: enough of it to decide how the rest is read, or the reason why it is no text.
use std::io::{self, Read};

use crm_core::{Error, Result};

use super::encoding::UNDECODABLE;
use super::input::fill;
use super::lines::{Lines, lines};
use crate::{Format, ReadOptions};

/// Lines that are wanted below those that the caller told to pass over.
const LINES_BELOW: usize = 1_000;
/// No more than this is read ahead for that.
const MOST_BYTES: usize = 1 << 30;

/// Reads the sample, as much more as the lines told by `skip_rows` and `header_row` take, and whether that is the whole file.
pub(super) fn read_sample(input: &mut dyn Read, options: &ReadOptions) -> io::Result<(Vec<u8>, bool)> {
    let wanted = told_lines(options).map_or(0, |told| (told as usize).saturating_add(LINES_BELOW));
    let mut sample = Vec::new();
    let mut size = options.limits.sample_bytes.max(4096);
    loop {
        let n_before = sample.len();
        sample.resize(size, 0);
        let n_read = fill(input, &mut sample[n_before..])?;
        sample.truncate(n_before + n_read);
        let is_whole = sample.len() < size;
        if is_whole || Lines::of(&sample).count_bytes(&sample) >= wanted || size >= MOST_BYTES {
            return Ok((sample, is_whole));
        }
        size *= 2;
    }
}

/// The furthest line that the caller named.
pub(super) fn told_lines(options: &ReadOptions) -> Option<u64> {
    options.skip_rows.max(options.header_row)
}

/// Refuses a line to pass over, or a header, that the file does not have.
pub(super) fn check_told_lines(name: &str, text: &[u8], is_whole: bool, options: &ReadOptions) -> Result<()> {
    let n_lines = Lines::of(text).whole(text).count() as u64;
    for (what, told) in [("skip_rows", options.skip_rows), ("header_row", options.header_row)] {
        if let Some(told) = told.filter(|told| *told > n_lines) {
            let has = if is_whole { format!("the file has {n_lines}") } else { format!("only the first {n_lines} can be passed over") };
            return Err(Error::config(format!("{name}: {what} names line {told}, and {has}")));
        }
    }
    Ok(())
}

/// What a file is whose first bytes say that it is no delimited text, and what to do about it.
pub(super) fn foreign_content(head: &[u8], is_packed: bool) -> Option<String> {
    let (what, remedy) = match head {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [0xD0, 0xCF, 0x11, 0xE0, ..] if is_packed => {
            ("a workbook or archive within a compressed file", "unpack it first")
        }
        [0x89, b'P', b'N', b'G', ..] => ("a PNG image", NO_TABLE),
        [0xFF, 0xD8, 0xFF, ..] => ("a JPEG image", NO_TABLE),
        [b'G', b'I', b'F', b'8', ..] => ("a GIF image", NO_TABLE),
        [b'%', b'P', b'D', b'F', b'-', ..] => ("a PDF document", "export the table as CSV or XLSX"),
        [b'R', b'a', b'r', b'!', 0x1A, ..]
        | [b'7', b'z', 0xBC, 0xAF, ..]
        | [0xFD, b'7', b'z', b'X', b'Z', ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', b'1', ..] => ("an archive of a kind that is not read", "unpack it first"),
        [0x7F, b'E', b'L', b'F', ..] => ("a program", NO_TABLE),
        _ if head.starts_with(b"SQLite format 3\0") => ("an SQLite database", "export the table as CSV"),
        _ if head.starts_with(b"{\\rtf") => ("an RTF document", "save the table as CSV or XLSX"),
        _ => match written_for_programs(head) {
            Some(told) => told,
            None => return markup(head),
        },
    };
    Some(format!("is {what}, no table; {remedy}"))
}

/// Text that holds records, but not as rows and columns: by the words that it has to begin with.
fn written_for_programs(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let begins = |words: &[u8]| head.len() >= words.len() && head[..words.len()].eq_ignore_ascii_case(words);
    let is_one_line = |words: &[u8]| begins(words) && matches!(head.get(words.len()), Some(b'\r' | b'\n'));
    if begins(b"MIME-Version:") {
        Some(("a web archive (MHTML) or a mail", "open it in a spreadsheet and save it as XLSX or CSV"))
    } else if begins(b"ID;P") && is_sylk(head) {
        Some(("a SYLK file", "open it in a spreadsheet and save it as XLSX or CSV"))
    } else if is_one_line(b"TABLE") && lines(head).nth(1).is_some_and(|line| line.trim_ascii() == b"0,1") {
        Some(("a DIF file", "open it in a spreadsheet and save it as XLSX or CSV"))
    } else if is_one_line(b"BEGIN:VCARD") {
        Some(("a file of vCards", "export the contacts as CSV"))
    } else if is_one_line(b"BEGIN:VCALENDAR") {
        Some(("a calendar", "export it as CSV"))
    } else if (begins(b"INSERT INTO ") || begins(b"CREATE TABLE ")) && is_statement(head) {
        Some(("a list of SQL statements", "export the table as CSV"))
    } else {
        None
    }
}

/// Whether a bracket opens before any cell could end: a column may well be called `Insert into list`.
fn is_statement(head: &[u8]) -> bool {
    head.iter().take(1_000).find(|byte| matches!(byte, b'(' | b',' | b';' | b'\t' | b'|')) == Some(&b'(')
}

/// Whether the lines below the first are records of SYLK: a letter or two and fields behind semicolons.
fn is_sylk(head: &[u8]) -> bool {
    let mut records = lines(head).skip(1).filter(|line| !line.is_empty()).take(5).peekable();
    records.peek().is_some()
        && records.all(|line| {
            let kind = line.split(|byte| *byte == b';').next().unwrap_or_default();
            (1..=2).contains(&kind.len()) && kind.iter().all(u8::is_ascii_uppercase)
        })
}

const NO_TABLE: &str = "give the export as CSV, XLSX, Parquet or JSON lines";

/// Web pages and XML that are named as tables: many systems call such files `.xls`.
fn markup(head: &[u8]) -> Option<String> {
    let what = match Format::markup_from_content(head) {
        Some(Format::Xml) => "an XML spreadsheet of 2003",
        Some(_) => "a web page (HTML)",
        None if head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start().starts_with(b"<?xml") => "an XML document",
        None => return None,
    };
    Some(format!("is {what}, whatever its name says; open it in a spreadsheet and save it as XLSX or CSV"))
}

/// Whether a text is none: a third of it are characters that text does not have (delimiters such as `\x1F` aside), or many kinds of them
/// stand here and there.
pub(super) fn is_binary(text: &[u8]) -> bool {
    let is_odd = |byte: u8| matches!(byte, 0 | 3..=8 | 14..=25 | 27 | 0x7F | UNDECODABLE);
    let head = &text[..text.len().min(64 << 10)];
    let mut counts = [0_usize; 256];
    head.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let odd = (0..=255_u8).filter(|byte| is_odd(*byte)).map(|byte| counts[usize::from(byte)]);
    let (n_odd, n_kinds) = odd.fold((0, 0), |(sum, kinds), count| (sum + count, kinds + usize::from(count > 0)));
    n_odd * 3 > head.len() || n_kinds >= 6 && n_odd * 50 > head.len()
}

/// Excel's first line `sep=;`: where the rest begins, on which line, and the delimiter.
pub(super) fn sep_line(text: &[u8]) -> (usize, u64, Option<Vec<u8>>) {
    let Some(line) = lines(text).next() else { return (0, 1, None) };
    let line = line.trim_ascii_start();
    let line = line.strip_prefix(b"\"").map_or(line, |rest| rest.strip_suffix(b"\"").unwrap_or(rest));
    if line.len() < 5 || !line[..4].eq_ignore_ascii_case(b"sep=") || line.len() > 8 {
        return (0, 1, None);
    }
    (Lines::of(text).start(text, 1), 2, Some(line[4..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_table_is_told() {
        for (head, what) in [
            (&b"\x89PNG\r\n\x1a\n"[..], "PNG"),
            (b"%PDF-1.7", "PDF"),
            (b"\xef\xbb\xbf <HTML><table>", "web page"),
            (b"<table border=1>", "web page"),
            (b"MIME-Version: 1.0\nContent-Type: multipart/related", "MHTML"),
            (b"ID;PWXL;N;E\r\nP;PGeneral\r\nC;Y1;X1;K1\r\nE\r\n", "SYLK"),
            (b"TABLE\r\n0,1\r\n\"EXCEL\"", "DIF"),
            (b"BEGIN:VCARD\r\nVERSION:3.0", "vCards"),
            (b"insert into clients values (1)", "SQL"),
            (b"<?xml version=\"1.0\"?><Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\">", "XML spreadsheet"),
        ] {
            assert!(foreign_content(head, false).is_some_and(|told| told.contains(what)), "{what}");
        }
        for head in [
            &b"name,phone\n"[..],
            b"ID;PLACE\n1;Riga\n",
            b"TABLE\n12\n",
            b"<id>,name\n",
            b"PK,name\n",
            b"BZh,x\n",
            b"Create table date,name\n",
            b"",
        ] {
            assert_eq!(foreign_content(head, false), None);
        }
        assert!(foreign_content(b"PK\x03\x04", true).is_some());
    }

    #[test]
    fn bytes_of_all_kinds_are_no_text() {
        let noise: Vec<u8> = (0..4000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert!(is_binary(&noise));
        assert!(!is_binary("name;phone\nИван;+7\0\0\n".repeat(50).as_bytes()));
    }
}
