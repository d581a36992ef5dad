//! Several telephone numbers in one cell.
use super::scan::digit_value;

/// Fewer digits than this are no number by themselves, but the area code or the extension of one.
const SHORTEST_LOCAL: usize = 5;
/// As many digits stand alone as a number whatever they begin with.
const SHORTEST_WHOLE: usize = 7;
/// More digits than E.164 allows are several numbers with blanks between them.
const LONGEST: usize = 15;
/// More digits than national numbers have; what is cut into parts is cut into such.
const LONGEST_NATIONAL: usize = 13;
/// Words for "and" and "or" between numbers.
const JOINING: [&str; 31] = [
    "or",
    "and",
    "или",
    "и",
    "vai",
    "un",
    "ou",
    "et",
    "oder",
    "und",
    "lub",
    "albo",
    "i",
    "o",
    "y",
    "e",
    "або",
    "чи",
    "та",
    "і",
    "ir",
    "arba",
    "ja",
    "või",
    "nebo",
    "a",
    "of",
    "en",
    "och",
    "eller",
    "немесе",
];

/// Digits in the 24 characters that follow.
pub(super) fn digits_follow(text: &str) -> usize {
    text.chars().take(24).filter(|&c| digit_value(c).is_some()).count()
}

/// Whether a slash stands between two numbers and not inside one: `0341/558291` has its area code before it, `+371 6712345/46` its last
/// line behind it. Both sides must be numbers by themselves: long enough with what each begins with, or equally long without an area code.
pub(super) fn slash_separates(before: &str, after: &str) -> bool {
    let n_before = before.chars().filter(|&c| digit_value(c).is_some()).count();
    if after.trim_start().starts_with('+') {
        return n_before >= SHORTEST_LOCAL;
    }
    let end = after.find([';', ',', '|', '\n']).unwrap_or(after.len());
    let n_after = digits_follow(&after[..end]);
    let shortest = match before.trim_start_matches(|c: char| !(c == '+' || digit_value(c).is_some())) {
        // A country code and an area code are no number yet.
        text if text.starts_with('+') => SHORTEST_WHOLE + 3,
        text if text.starts_with("00") => SHORTEST_WHOLE + 5,
        text if text.starts_with('0') => SHORTEST_WHOLE,
        _ if n_before == n_after => SHORTEST_LOCAL,
        _ => SHORTEST_WHOLE,
    };
    n_before >= shortest && (n_after >= SHORTEST_WHOLE || n_before == n_after)
}

/// The several numbers of one cell, each as written: `29123456; 67123456`, `(495) 123-45-67, 8 912 …`, one per line, joined by `/`, `|`,
/// `:::`, wide gaps, or a word (`or`, `или`, `vai`, `oder`, `ou`, `lub`, …); more digits than a number has are cut at blanks into numbers of
/// one length. A part that is no number by itself (an extension, an area code, `+371 6712345/46`) stays with the part beside it. The parts
/// borrow from the cell and are trimmed.
///
/// ```
/// use crm_resolve::normalize::split_phones;
/// let parts = |cell| split_phones(cell).collect::<Vec<&str>>();
/// assert_eq!(parts("+371 29123456; 67-223-344, доб. 5"), ["+371 29123456", "67-223-344, доб. 5"]);
/// assert_eq!(parts("0341/558291"), ["0341/558291"]);
/// assert_eq!(parts("0341/558291 / 0171/2345678"), ["0341/558291", "0171/2345678"]);
/// assert_eq!(parts("8 916 111 22 02 8 916 111 22 03"), ["8 916 111 22 02", "8 916 111 22 03"]);
/// ```
pub fn split_phones(cell: &str) -> impl Iterator<Item = &str> {
    let mut rest = cell;
    std::iter::from_fn(move || {
        loop {
            rest = without_joint(rest);
            if rest.is_empty() {
                return None;
            }
            let end = split_at(rest);
            let end = cut_of_equals(&rest[..end]).unwrap_or(end);
            let (part, following) = rest.split_at(end);
            rest = following;
            let part = part.trim();
            if !part.is_empty() {
                return Some(part);
            }
        }
    })
}

/// What follows the separators and words between two numbers.
fn without_joint(text: &str) -> &str {
    let is_separator = |c: char| matches!(c, ';' | ',' | '/' | '|' | '\\' | ':') || c.is_whitespace();
    let rest = text.trim_start_matches(is_separator);
    joining_word(rest).map_or(rest, |after| after.trim_start_matches(is_separator))
}

/// What follows the word for "and" or "or" that `text` begins with.
fn joining_word(text: &str) -> Option<&str> {
    let (word, after) = text.split_once(char::is_whitespace)?;
    // The longest of these words has six letters.
    (word.len() <= 12 && JOINING.contains(&word.to_lowercase().as_str())).then_some(after)
}

fn split_at(text: &str) -> usize {
    let mut digits = 0;
    for (at, c) in text.char_indices() {
        if digit_value(c).is_some() {
            digits += 1;
            continue;
        }
        if digits < SHORTEST_LOCAL && (c != '\n' || digits == 0) {
            continue;
        }
        let after = &text[at + c.len_utf8()..];
        let number_follows = || digits_follow(after) >= SHORTEST_LOCAL;
        let breaks = match c {
            ';' | ',' | '|' | '\n' => number_follows() && !after.trim_start().starts_with("ext"),
            ':' => after.starts_with("::") && number_follows(),
            '/' | '\\' => slash_separates(&text[..at], after),
            '+' => number_follows(),
            c if c.is_whitespace() => {
                joining_word(after).is_some_and(|after| digits_follow(after) >= SHORTEST_LOCAL) || is_gap(c, after, digits)
            }
            _ => false,
        };
        if breaks {
            return at;
        }
    }
    text.len()
}

/// A tab or several blanks between two whole numbers.
fn is_gap(c: char, after: &str, n_before: usize) -> bool {
    let is_wide = c == '\t' || after.starts_with(char::is_whitespace);
    is_wide && n_before >= SHORTEST_WHOLE && digits_follow(after.trim_start()) >= SHORTEST_WHOLE
}

/// Where to cut off the first number of digits that are too many for one: blanks stand after each of several runs of the same length.
fn cut_of_equals(text: &str) -> Option<usize> {
    if text.len() <= LONGEST || text.chars().any(char::is_alphabetic) {
        return None;
    }
    let n_digits = text.chars().filter(|&c| digit_value(c).is_some()).count();
    if n_digits <= LONGEST {
        return None;
    }
    // Places of blanks by how many digits stand before them.
    let mut blanks = Vec::new();
    let mut before = 0;
    for (at, c) in text.char_indices() {
        before += usize::from(digit_value(c).is_some());
        if c.is_whitespace() {
            blanks.push((before, at));
        }
    }
    (SHORTEST_WHOLE..=LONGEST_NATIONAL).rev().filter(|length| n_digits.is_multiple_of(*length)).find_map(|length| {
        let is_cut = |n_before: usize| blanks.iter().any(|(before, _)| *before == n_before);
        let cuts = (1..n_digits / length).all(|part| is_cut(part * length));
        let first = blanks.iter().find(|(before, _)| *before == length)?;
        cuts.then_some(first.1)
    })
}
