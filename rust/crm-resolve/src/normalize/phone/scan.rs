//! From written text to digits: labels, punctuation, extensions, vanity letters.
use super::super::Reason;
use super::metadata::Digits;
use super::split::{digits_follow, slash_separates};

/// Longest text that is looked at, as in libphonenumber.
const MAX_TEXT: usize = 250;
/// Words before an extension, longest first where one begins another.
const LABELS: [&str; 37] = [
    "extensión",
    "extension",
    "extn",
    "ext",
    "xtn",
    "ex",
    "anexo",
    "ramal",
    "доп",
    "доб",
    "дод",
    "внутр",
    "вн",
    "ішкі",
    "iekšējais",
    "iekš",
    "papildu",
    "sise",
    "interno",
    "int",
    "poste",
    "wewnętrzny",
    "wewnetrzny",
    "wewn",
    "wew",
    "durchwahl",
    "nebenstelle",
    "nst",
    "dw",
    "apparat",
    "app",
    "toestel",
    "linka",
    "klapka",
    "kl",
    "w",
    "x",
];
/// Labels of one letter or two may be other words: what follows them must be as short as an extension is.
const LONGEST_AFTER_SHORT_LABEL: u32 = 99_999;

pub(super) struct Scan {
    pub plus: bool,
    pub digits: Digits,
    /// The digits with letters read off a keypad, when there are three letters or more.
    pub vanity: Option<Digits>,
    pub extension: u32,
}

impl Scan {
    pub(super) fn read(raw: &str) -> Result<Self, Reason> {
        let mut text = raw;
        let mut scan = Scan { plus: false, digits: Digits::default(), vanity: None, extension: 0 };
        if memchr::memchr(b';', text.as_bytes()).is_some()
            && let Some(at) = text.find(";phone-context=")
        {
            let context = &text[at + ";phone-context=".len()..];
            let context = context.split(';').next().unwrap_or("");
            if context.starts_with('+') {
                scan.plus = true;
                context.bytes().filter(u8::is_ascii_digit).for_each(|digit| scan.digits.push(digit - b'0'));
            }
            text = &text[..at];
        }
        if text.len() > MAX_TEXT {
            return Err(Reason::TooLong);
        }
        let mut letters = 0;
        let mut vanity = scan.digits;
        let mut started = scan.digits.len > 0;
        let first_digits = scan.digits.len;
        let mut after_letter = false;
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            if byte.is_ascii_digit() {
                scan.digits.push(byte - b'0');
                vanity.push(byte - b'0');
                started = true;
                after_letter = false;
                at += 1;
                continue;
            }
            let c = if byte < 128 { char::from(byte) } else { text[at..].chars().next().unwrap_or(' ') };
            let width = c.len_utf8();
            if let Some(digit) = digit_value(c) {
                scan.digits.push(digit);
                vanity.push(digit);
                started = true;
            } else if matches!(c, '+' | '＋') {
                if scan.digits.len > first_digits {
                    // A second plus begins a second number.
                    break;
                }
                scan.plus = true;
                started = true;
            } else if !started {
                // Anything before the first digit is a label.
            } else if matches!(c, ';' | '\n' | '|')
                || (c == ',' && digits_follow(&text[at + width..]) >= 5)
                || (matches!(c, '/' | '\\') && slash_separates(&text[..at], &text[at + width..]))
            {
                if let Some(extension) = text[at..].strip_prefix(";ext=").and_then(extension_digits) {
                    scan.extension = extension;
                } else if c == ';'
                    && let Some(extension) = extension_digits(&text[at + 1..])
                    && digits_follow(&text[at + 1..]) < 5
                {
                    scan.extension = extension;
                }
                break;
            } else if c == ',' || c == '#' || c == '~' {
                let rest = text[at..].trim_start_matches([',', '#', '~']);
                if let Some(extension) = extension_digits(rest) {
                    scan.extension = extension;
                    break;
                }
            } else if c.is_alphabetic() {
                if !after_letter
                    && scan.digits.len >= 4
                    && let Some(extension) = labelled_extension(&text[at..])
                {
                    scan.extension = extension;
                    break;
                }
                if let Some(digit) = keypad(c) {
                    letters += 1;
                    vanity.push(digit);
                }
                after_letter = true;
                at += width;
                continue;
            }
            after_letter = false;
            at += width;
        }
        if letters >= 3 {
            scan.vanity = Some(vanity);
        }
        Ok(scan)
    }
}

/// The value of a decimal digit in any of the scripts that phones are written in.
#[inline]
pub(in super::super) fn digit_value(c: char) -> Option<u8> {
    let zero = match c {
        '0'..='9' => '0',
        '\u{660}'..='\u{669}' => '\u{660}',
        '\u{6f0}'..='\u{6f9}' => '\u{6f0}',
        '\u{966}'..='\u{96f}' => '\u{966}',
        '\u{9e6}'..='\u{9ef}' => '\u{9e6}',
        '\u{e50}'..='\u{e59}' => '\u{e50}',
        '\u{ff10}'..='\u{ff19}' => '\u{ff10}',
        _ => return None,
    };
    Some((c as u32 - zero as u32) as u8)
}

fn keypad(c: char) -> Option<u8> {
    Some(match c.to_ascii_lowercase() {
        'a'..='c' => 2,
        'd'..='f' => 3,
        'g'..='i' => 4,
        'j'..='l' => 5,
        'm'..='o' => 6,
        'p'..='s' => 7,
        't'..='v' => 8,
        'w'..='z' => 9,
        _ => return None,
    })
}

/// The extension behind one of [`LABELS`] at the beginning of `text`.
fn labelled_extension(text: &str) -> Option<u32> {
    LABELS.iter().find_map(|label| {
        let mut rest = text.chars();
        let is_label = label
            .chars()
            .all(|expected| rest.next().is_some_and(|found| found == expected || found.to_lowercase().next() == Some(expected)));
        let extension = if is_label { extension_digits(rest.as_str()) } else { None };
        extension.filter(|extension| label.len() > 2 || *label == "x" || *label == "ex" || *extension <= LONGEST_AFTER_SHORT_LABEL)
    })
}

/// One to nine digits after punctuation, and nothing but punctuation after them.
fn extension_digits(text: &str) -> Option<u32> {
    let text = text.trim_start_matches(|c: char| matches!(c, '.' | ':' | ',' | '-' | '#' | '№' | '(' | ')') || c.is_whitespace());
    let text = text.trim_start_matches("tel").trim_start_matches(['.', ' ']);
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if !(1..=9).contains(&end) || text[end..].chars().any(char::is_alphanumeric) {
        return None;
    }
    text[..end].parse().ok()
}
