use serde::{Deserialize, Serialize};

/// What a file is, by its content first and its name second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Delimited text: `.csv`, `.tsv`, `.txt`.
    Csv,
    /// One JSON object per line, or one JSON array of objects.
    Jsonl,
    /// Office Open XML workbook.
    Xlsx,
    /// Office Open XML workbook with macros.
    Xlsm,
    /// Binary Office Open XML workbook.
    Xlsb,
    /// BIFF workbook.
    Xls,
    /// OpenDocument spreadsheet.
    Ods,
    /// Tables of a web page; often named `.xls`.
    Html,
    /// XML spreadsheet of 2003; often named `.xls`.
    Xml,
}

impl Format {
    /// Whether it is read by [`crate::workbook`].
    pub fn is_workbook(self) -> bool {
        matches!(self, Self::Xlsx | Self::Xlsm | Self::Xlsb | Self::Xls | Self::Ods | Self::Html | Self::Xml)
    }

    /// First bytes of a file that say what it is.
    pub const HEAD_BYTES: usize = 4096;

    /// Whether a file that begins with `head` is a web page or an XML spreadsheet, whatever its name says.
    pub fn markup_from_content(head: &[u8]) -> Option<Self> {
        let head = &head[..head.len().min(Self::HEAD_BYTES)];
        let is_wide = head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") || head.starts_with(b"<\0");
        // Wide characters that are ASCII are ASCII between zeros.
        let narrow: Vec<u8> =
            if is_wide { head.iter().copied().filter(u8::is_ascii).filter(|byte| *byte != 0).collect() } else { head.to_vec() };
        let text = narrow.to_ascii_lowercase();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text).trim_ascii_start();
        let begins = |tags: &[&str]| tags.iter().any(|tag| text.starts_with(tag.as_bytes()));
        let holds = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
        if begins(&["<!--", "<!doctype html"]) {
            // Comments may precede anything.
            return ["<html", "<table", "<head", "<body"].into_iter().any(holds).then_some(Self::Html);
        }
        let is_spreadsheet = holds("urn:schemas-microsoft-com:office:spreadsheet") && holds("workbook");
        if begins(&["<?xml", "<workbook", "<ss:workbook"]) && is_spreadsheet && !holds("<html") {
            return Some(Self::Xml);
        }
        let is_page = begins(&["<html", "<table", "<head", "<body", "<meta", "<style"]);
        (is_page || begins(&["<?xml"]) && holds("<html")).then_some(Self::Html)
    }

    /// Whether a text that begins with `head` is JSON: an object, or an array of objects, whose first key stands there.
    pub fn json_from_content(head: &[u8]) -> Option<Self> {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let inner = head.strip_prefix(b"[").unwrap_or(head).trim_ascii_start();
        let key = inner.strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"")?;
        let end = memchr::memchr2(b'"', b'\n', key).filter(|end| key[*end] == b'"')?;
        (key[end + 1..].trim_ascii_start().starts_with(b":") && stands_alone(inner)).then_some(Self::Jsonl)
    }

    /// The format that a file name claims.
    pub fn from_name(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let stem = lower.strip_suffix(".gz").or_else(|| lower.strip_suffix(".zst")).unwrap_or(&lower);
        Some(match stem.rsplit_once('.')?.1 {
            "csv" | "tsv" | "tab" | "txt" | "psv" => Self::Csv,
            "jsonl" | "ndjson" | "json" => Self::Jsonl,
            "xlsx" | "xltx" => Self::Xlsx,
            "xlsm" | "xltm" => Self::Xlsm,
            "xlsb" => Self::Xlsb,
            "xls" | "xlt" => Self::Xls,
            "ods" | "ots" => Self::Ods,
            _ => return None,
        })
    }

    /// The workbook format that the first bytes and the name together say, if it is one.
    ///
    /// Zip packages (`PK`) and compound files (`D0 CF 11 E0`) are workbooks whatever their name; the name then only chooses among them.
    /// A compound file named `.xlsx` is an encrypted one, which the workbook reader tells.
    pub fn workbook_from_content(head: &[u8], name: &str) -> Option<Self> {
        let named = Self::from_name(name).filter(|format| format.is_workbook());
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return Some(named.filter(|format| *format != Self::Xls).unwrap_or(Self::Xlsx));
        }
        if head.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
            return Some(named.unwrap_or(Self::Xls));
        }
        // BIFF2 to BIFF4 streams have no container; their first record is BOF.
        if named == Some(Self::Xls) && matches!(head, [0x09, 0x00 | 0x02 | 0x04 | 0x08, ..]) {
            return Some(Self::Xls);
        }
        None
    }
}

/// How the bytes of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// gzip, also of several members.
    Gzip,
    /// Zstandard, also of several frames.
    Zstd,
}

impl Compression {
    /// The compression that the first bytes say.
    pub fn from_content(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"\x1F\x8B") {
            Some(Self::Gzip)
        } else if head.starts_with(b"\x28\xB5\x2F\xFD") {
            Some(Self::Zstd)
        } else {
            None
        }
    }
}

/// Whether what follows the object is another, its list's end, or the end of the line: in a table of text other cells follow. An object
/// that goes on behind the head stands alone.
fn stands_alone(object: &[u8]) -> bool {
    let (mut depth, mut in_text, mut is_escaped) = (0u32, false, false);
    for (place, byte) in object.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    let behind = object[place + 1..].iter().find(|byte| **byte != b' ');
                    return matches!(behind, None | Some(b'\r' | b'\n' | b',' | b']' | b'{'));
                }
            }
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_objects_alone_are() {
        for head in ["{\"k\": 1}\n{\"k\": 2}", "[{\"k\": \"}\"}, {", "{\"a\": {\"b\": [1]", "{\"k\": 1}{\"k\": 2}", "[{\"k\":1}]"] {
            assert_eq!(Format::json_from_content(head.as_bytes()), Some(Format::Jsonl), "{head}");
        }
        for head in ["{\"k\": 1}\tAnna\n", "{\"k\": \"a\\\"}\"};Anna\n", "{name}\n", "name\n"] {
            assert_eq!(Format::json_from_content(head.as_bytes()), None, "{head}");
        }
    }
}
