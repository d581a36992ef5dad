use super::super::byte_by_byte::ByteByByte;
use super::*;

fn check(xml: &str, expected: &str) {
    let mut reader = XmlReader::new(ByteByByte(xml.as_bytes()), "f", "p", 0);
    let mut text = String::new();
    let outcome = loop {
        match reader.next() {
            Ok(Token::Open { name, attributes }) => {
                text += &format!("<{}{}>", String::from_utf8_lossy(name), String::from_utf8_lossy(attributes));
            }
            Ok(Token::Empty { name, .. }) => text += &format!("<{}/>", String::from_utf8_lossy(name)),
            Ok(Token::Close { name }) => text += &format!("</{}>", String::from_utf8_lossy(name)),
            Ok(Token::Text(raw)) => push_text(&mut text, raw).unwrap(),
            Ok(Token::Literal(raw)) => push_literal(&mut text, raw).unwrap(),
            Ok(Token::End) => break "end".to_owned(),
            Err(error) => break error.message().to_owned(),
        }
    };
    assert_eq!(format!("{text} {outcome}"), expected);
}

#[test]
fn documents() {
    check("<?xml version='1.0'?><a:b c=\"1>2\"><d/>x&amp;&#65;<![CDATA[<y>]]><!-- > --></a:b>", "<b c=\"1>2\"><d/>x&A<y></b> end");
    check("<a>", "<a> f: p: the XML ends in the middle: the file is cut short");
    check("<a></a></a>", "<a></a> f: p: an element is closed that was not open");
    check("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", " f: p: it declares a document type (DTD), which workbooks must not: refused");
    check("", " f: p: there is no XML in it");
    check("<a", " f: p: a tag does not end: the file is cut short");
}

#[test]
fn attributes() {
    let raw = br#" r="A1" s = '2' x:t="a&lt;b""#;
    assert_eq!(attribute(raw, b"r"), Some(&b"A1"[..]));
    assert_eq!(attribute_number(raw, b"s"), Some(2));
    assert_eq!(attribute_text(raw, b"t").as_deref(), Some("a<b"));
    assert_eq!(attribute(raw, b"u"), None);
}

#[test]
fn control_escapes() {
    for (escaped, plain) in [
        ("a_x0000_b", "a\0b"),
        ("_x005F_x0041_", "_x0041_"),
        ("_x005F_x0041_x005F_x0042_", "_x0041_x0042_"),
        ("_xD83D__xDE00_", "😀"),
        ("_xD83D_", "_xD83D_"),
        ("_x12", "_x12"),
        ("_xé000_", "_xé000_"),
    ] {
        let mut text = format!("_x0041_{escaped}");
        unescape_controls(&mut text, 7);
        assert_eq!(text, format!("_x0041_{plain}"));
    }
}

#[test]
fn a_token_is_bounded() {
    let endless = std::io::Cursor::new(b"<a>".to_vec()).chain(std::io::repeat(b'x'));
    let mut reader = XmlReader::new(endless, "f", "p", 1 << 18);
    assert!(matches!(reader.next(), Ok(Token::Open { .. })));
    assert!(reader.next().unwrap_err().message().contains("limit `cell_bytes`"));
}
