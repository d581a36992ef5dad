//! JSON values: where one ends in a stream, and objects as flat pairs of keys and texts.
use std::collections::HashMap;
use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// Objects within objects are taken apart down to here; what lies deeper stays JSON.
const MAX_DEPTH: usize = 8;
/// Keys under which services wrap the list of rows that was asked for.
const WRAPPERS: [&str; 19] = [
    "data",
    "result",
    "results",
    "items",
    "contacts",
    "companies",
    "deals",
    "leads",
    "records",
    "rows",
    "value",
    "values",
    "response",
    "list",
    "objects",
    "entries",
    "elements",
    "hits",
    "content",
];

/// Searches for the end of a value piece by piece: of a line, or of a value in an array.
pub(super) struct ValueEnd {
    in_array: bool,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl ValueEnd {
    pub(super) fn new(in_array: bool) -> Self {
        Self { in_array, depth: 0, in_string: false, escaped: false }
    }

    /// Length of what of `text` belongs to the value, `None` where it goes on beyond.
    pub(super) fn find(&mut self, text: &[u8]) -> Option<usize> {
        if !self.in_array {
            return memchr::memchr(b'\n', text);
        }
        for (idx, byte) in text.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth <= 1 => return Some(idx + usize::from(self.depth == 1)),
                b'}' | b']' => self.depth -= 1,
                b',' if self.depth == 0 => return Some(idx),
                _ => {}
            }
        }
        None
    }
}

/// The list of objects that a response wraps (`{"result": [{...}], "total": 71}`, or `{"data": {"items": [{...}]}}`): its key, and where
/// its values begin.
pub(super) fn list_within(text: &[u8]) -> Option<(String, usize)> {
    let mut at = skip_blanks(text, 0);
    let mut path = String::new();
    // An object that fills a line is a row of JSON lines.
    let first_line = memchr::memchr(b'\n', text).map_or(text, |end| &text[..end]);
    let rest_is_blank = text[first_line.len()..].trim_ascii().is_empty();
    if !rest_is_blank && serde_json::from_slice::<&RawValue>(first_line).is_ok() {
        return None;
    }
    'object: for _ in 0..3 {
        if text.get(at) != Some(&b'{') {
            return None;
        }
        at += 1;
        loop {
            at = skip_blanks(text, at);
            if text.get(at) != Some(&b'"') {
                return None;
            }
            let key_end = string_end(text, at)?;
            let key = std::str::from_utf8(&text[at + 1..key_end - 1]).ok()?;
            at = skip_blanks(text, key_end);
            if text.get(at) != Some(&b':') {
                return None;
            }
            at = skip_blanks(text, at + 1);
            if WRAPPERS.contains(&key.to_lowercase().as_str()) {
                path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                match text.get(at)? {
                    b'[' if text.get(skip_blanks(text, at + 1)) == Some(&b'{') => return Some((path, at + 1)),
                    b'{' => continue 'object,
                    _ => return None,
                }
            }
            at += ValueEnd::new(true).find(&text[at..])?;
            at = skip_blanks(text, at);
            if text.get(at) != Some(&b',') {
                return None;
            }
            at += 1;
        }
    }
    None
}

fn skip_blanks(text: &[u8], at: usize) -> usize {
    at + text[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Behind the closing quote of the string that opens at `at`.
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut escaped = false;
    for (idx, byte) in text.iter().enumerate().skip(at + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(idx + 1),
            _ => {}
        }
    }
    None
}

type Pairs<'a> = Vec<(String, &'a RawValue)>;

/// The keys of an object and their texts. What stands within an object has the key `outer.inner`; of a list of objects the values of each
/// inner key are joined, as those of a list of scalars are.
pub(super) fn flat_object(object: &[u8]) -> Result<Vec<(String, Option<String>)>, String> {
    let mut flat = Vec::new();
    for (key, value) in parse_object(object)? {
        flatten(key, value, 1, &mut flat)?;
    }
    Ok(flat)
}

fn flatten(key: String, value: &RawValue, depth: usize, flat: &mut Vec<(String, Option<String>)>) -> Result<(), String> {
    let text = value.get();
    if depth < MAX_DEPTH && text.starts_with('{') {
        for (inner, value) in parse_object(text.as_bytes())? {
            flatten(format!("{key}.{inner}"), value, depth + 1, flat)?;
        }
        return Ok(());
    }
    if depth < MAX_DEPTH && text.starts_with('[') {
        let parts: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| BAD_TEXT.to_owned())?;
        if !parts.is_empty() && parts.iter().all(|part| part.get().starts_with('{')) {
            return flatten_list(&key, &parts, depth, flat);
        }
    }
    flat.push((key, cell_text(value)?));
    Ok(())
}

/// A list of objects: per inner key the texts of all of them, in the order in which the keys first stand there.
fn flatten_list(key: &str, parts: &[&RawValue], depth: usize, flat: &mut Vec<(String, Option<String>)>) -> Result<(), String> {
    let mut joined: Vec<(String, Option<String>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for part in parts {
        let mut inner = Vec::new();
        for (name, value) in parse_object(part.get().as_bytes())? {
            flatten(format!("{key}.{name}"), value, depth + 1, &mut inner)?;
        }
        for (name, text) in inner {
            let Some(place) = places.get(&name) else {
                places.insert(name.clone(), joined.len());
                joined.push((name, text));
                continue;
            };
            match (&mut joined[*place].1, text) {
                (Some(all), Some(text)) => {
                    all.push_str("; ");
                    all.push_str(&text);
                }
                (all @ None, text) => *all = text,
                (Some(_), None) => {}
            }
        }
    }
    flat.append(&mut joined);
    Ok(())
}

const BAD_TEXT: &str = "a text that is no valid JSON string";

/// Strings as they are, numbers as they are written, lists of scalars joined with `; `, other structures as JSON.
fn cell_text(value: &RawValue) -> Result<Option<String>, String> {
    let text = value.get();
    let bad = |_| BAD_TEXT.to_owned();
    Ok(match text.as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => Some(serde_json::from_str(text).map_err(bad)?),
        Some(b'[') => {
            let parts: Vec<&RawValue> = serde_json::from_str(text).map_err(bad)?;
            if parts.iter().any(|part| part.get().starts_with(['[', '{', 'n'])) {
                return Ok(Some(text.to_owned()));
            }
            let parts = parts.iter().map(|part| cell_text(part).map(Option::unwrap_or_default)).collect::<Result<Vec<_>, _>>()?;
            // Joined, such texts could not be told apart.
            if parts.len() > 1 && parts.iter().any(|part| part.contains("; ")) {
                return Ok(Some(text.to_owned()));
            }
            Some(parts.join("; "))
        }
        _ => Some(text.to_owned()),
    })
}

fn parse_object(object: &[u8]) -> Result<Pairs<'_>, String> {
    struct PairsVisitor;
    impl<'de> Visitor<'de> for PairsVisitor {
        type Value = Pairs<'de>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_slice(object);
    let pairs = deserializer.deserialize_map(PairsVisitor).and_then(|pairs| deserializer.end().map(|()| pairs));
    // serde's message may quote the value; its category does not.
    pairs.map_err(|error| format!("no JSON object ({:?} error at character {})", error.classify(), error.column()).to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(object: &str) -> Vec<(String, Option<String>)> {
        flat_object(object.as_bytes()).expect("an object")
    }

    #[test]
    fn what_stands_within_objects_is_flat() {
        let found = flat(r#"{"name":{"first":"Ivan","last":null},"phones":[{"n":"1"},{"n":"2","kind":"work"},{}],"tags":["a","b"]}"#);
        let expected = [
            ("name.first", Some("Ivan")),
            ("name.last", None),
            ("phones.n", Some("1; 2")),
            ("phones.kind", Some("work")),
            ("tags", Some("a; b")),
        ];
        assert_eq!(found, expected.map(|(key, text)| (key.to_owned(), text.map(str::to_owned))));
    }

    #[test]
    fn lists_that_would_not_come_apart_again_stay_json() {
        for list in [r#"["x",null,"y"]"#, r#"["a; b","c"]"#, "[[1],[2]]"] {
            assert_eq!(flat(&format!("{{\"a\":{list}}}")), [("a".to_owned(), Some(list.to_owned()))]);
        }
    }

    #[test]
    fn nesting_without_end_stays_json() {
        let deep = format!("{}1{}", "{\"a\":".repeat(60), "}".repeat(60));
        let found = flat(&deep);
        assert_eq!(found.len(), 1);
        assert!(found[0].0.starts_with("a.a.a") && found[0].1.as_ref().is_some_and(|text| text.starts_with('{')));
    }

    #[test]
    fn wrapped_lists() {
        let within = |text: &str| list_within(text.as_bytes()).map(|(key, at)| (key, text[at..].to_owned()));
        let rest = "{\"a\":1}],\"total\":1}";
        assert_eq!(within(&format!("{{\"page\":[1,{{}}],\"result\":[{rest}")), Some(("result".to_owned(), rest.to_owned())));
        assert_eq!(within(&format!("{{\n \"data\" : {{\"items\":[{rest}}}")), Some(("data.items".to_owned(), format!("{rest}}}"))));
        assert_eq!(within("{\"a\":1}\n{\"data\":[{}]}\n"), None);
        assert_eq!(within("{\"name\":\"x\",\"phones\":[{\"n\":1}]}"), None);
        for text in ["", "{", "{\"data\"", "{\"data\":", "[{}]", "{\"data\":[1,2]}"] {
            assert_eq!(within(text), None, "{text}");
        }
    }
}
