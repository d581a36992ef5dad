//! What a text may be divided by: line ends, delimiters, quotes and escapes worth trying, because they stand in it.
use super::dialect::LineEnd;
use super::lines::{Lines, lines};

pub(super) fn line_ends(text: &[u8]) -> Vec<LineEnd> {
    let (mut crlf, mut lf, mut cr) = (0_usize, 0_usize, 0_usize);
    for at in memchr::memchr2_iter(b'\n', b'\r', text) {
        match (text[at], text.get(at + 1)) {
            (b'\r', Some(b'\n')) => crlf += 1,
            (b'\r', _) if at + 1 < text.len() => cr += 1,
            (b'\n', _) if at == 0 || text[at - 1] != b'\r' => lf += 1,
            _ => {}
        }
    }
    match (crlf, lf, cr) {
        (0, 0, 0) if Lines::of(text) == Lines::Separated => vec![LineEnd::RecordSeparator],
        (0, 0, 0) => vec![if text.ends_with(b"\r") { LineEnd::Cr } else { LineEnd::Lf }],
        (0, _, 0) => vec![LineEnd::Lf],
        (_, _, 0) => vec![LineEnd::CrLf],
        (0, 0, _) => vec![LineEnd::Cr],
        (0, _, _) if cr > lf => vec![LineEnd::Cr, LineEnd::Mixed, LineEnd::Lf],
        (0, _, _) => vec![LineEnd::Lf, LineEnd::Mixed],
        (_, _, _) => vec![LineEnd::CrLf, LineEnd::Mixed],
    }
}

/// `#` where lines begin with it, though not most; whether one of them is the header shows with the rows.
pub(super) fn comment_prefix(text: &[u8]) -> Option<Vec<u8>> {
    let (mut n_comments, mut n_lines) = (0, 0);
    for line in lines(text).filter(|line| !line.trim_ascii().is_empty()).take(400) {
        n_lines += 1;
        n_comments += usize::from(line.starts_with(b"#"));
    }
    (n_comments > 0 && n_comments * 3 <= n_lines * 2).then(|| b"#".to_vec())
}

/// Candidates with the trust they have beforehand.
pub(super) fn delimiter_candidates(text: &[u8]) -> Vec<(Vec<u8>, f64)> {
    const SINGLE: [(&str, f64); 36] = [
        (",", 1.0),
        (";", 1.0),
        ("\t", 1.0),
        ("|", 1.0),
        ("\u{1}", 1.0),
        ("\u{1f}", 1.0),
        ("\u{1e}", 0.98),
        ("\u{1c}", 0.98),
        ("\u{1d}", 0.98),
        ("\u{2}", 0.98),
        ("\u{3}", 0.98),
        ("\u{4}", 0.98),
        ("\u{6}", 0.98),
        ("\u{7}", 0.98),
        ("\u{8}", 0.98),
        ("\u{b}", 0.98),
        ("~", 0.97),
        ("^", 0.97),
        ("§", 0.97),
        ("¦", 0.97),
        ("¬", 0.97),
        ("¶", 0.97),
        ("│", 1.0),
        ("║", 1.0),
        ("þ", 0.9),
        ("\0", 0.9),
        (":", 0.88),
        ("#", 0.9),
        ("!", 0.85),
        ("&", 0.85),
        ("*", 0.85),
        ("%", 0.85),
        ("$", 0.85),
        (" ", 0.8),
        ("=", 0.7),
        ("/", 0.55),
    ];
    let mut candidates: Vec<(Vec<u8>, f64)> = vec![(Vec::new(), 1.0)];
    for (delimiter, prior) in SINGLE {
        if memchr::memmem::find(text, delimiter.as_bytes()).is_some()
            && !is_always_doubled(text, delimiter.as_bytes())
            && !is_within_values(text, delimiter.as_bytes())
        {
            candidates.push((delimiter.as_bytes().to_vec(), prior));
        }
    }
    candidates.extend(long_delimiters(text).into_iter().map(|delimiter| (delimiter, 1.0)));
    candidates
}

/// Whether a character stands within times, dates, addresses and amounts nearly everywhere: `10:30`, `https://`, `1/2/2024`, `$5`.
fn is_within_values(text: &[u8], delimiter: &[u8]) -> bool {
    let [byte @ (b':' | b'/' | b' ' | b'$' | b'%')] = delimiter else { return false };
    let is_digit = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    let (mut n_all, mut n_within) = (0_usize, 0_usize);
    let head = text.trim_ascii_start();
    let first_line = text.len() - head.len() + memchr::memchr2(b'\n', b'\r', head).unwrap_or(head.len());
    for at in memchr::memchr_iter(*byte, text).take(2_000) {
        n_all += 1;
        let before = at.checked_sub(1);
        let is_within = match byte {
            b':' => {
                let is_time = is_digit(before) && is_digit(Some(at + 1)) && is_digit(Some(at + 2)) && !is_digit(Some(at + 3));
                is_time || text[at + 1..].starts_with(b"//")
            }
            b'/' => is_digit(before) && is_digit(Some(at + 1)) || text.get(at + 1) == Some(&b'/') || is_in_address(&text[..at]),
            b'$' => is_digit(Some(at + 1)),
            b'%' => is_digit(before),
            // Between a day and a time.
            _ => is_digit(before) && is_digit(Some(at + 1)) && text.get(at + 2..at + 4).is_some_and(|next| next.contains(&b':')),
        };
        if !is_within && at < first_line && *byte == b':' {
            // It divides names.
            return false;
        }
        n_within += usize::from(is_within);
    }
    n_within * 5 > n_all * 4
}

/// Whether the word that ends here has begun as an address does.
fn is_in_address(before: &[u8]) -> bool {
    let before = &before[before.len().saturating_sub(200)..];
    let start = before.iter().rposition(|byte| matches!(byte, b' ' | b'"' | b'\n' | b'\t' | b',' | b';')).map_or(0, |at| at + 1);
    memchr::memmem::find(&before[start..], b":/").is_some() || before[start..].starts_with(b"www.")
}

/// Whether a character stands in runs of the same even length everywhere: then the run is the delimiter.
fn is_always_doubled(text: &[u8], delimiter: &[u8]) -> bool {
    let [byte] = delimiter else { return false };
    let mut lengths = std::collections::HashSet::new();
    let mut at = 0;
    while let Some(offset) = memchr::memchr(*byte, &text[at..]) {
        let run = text[at + offset..].iter().take_while(|other| *other == byte).count();
        lengths.insert(run);
        at += offset + run;
    }
    // Runs of four are two of them around an empty cell.
    *byte != b' ' && lengths.contains(&2) && lengths.iter().all(|run| run.is_multiple_of(2))
}

/// Runs of two to four punctuation characters that recur on most lines.
fn long_delimiters(text: &[u8]) -> Vec<Vec<u8>> {
    let is_part =
        |byte: u8| byte.is_ascii_punctuation() && !matches!(byte, b'"' | b'\'' | b'.' | b'(' | b')' | b'-' | b'_') || byte == b'\t';
    let mut counts: std::collections::HashMap<&[u8], usize> = std::collections::HashMap::new();
    let mut n_lines = 0_usize;
    for line in lines(text).filter(|line| !line.trim_ascii().is_empty()).take(200) {
        n_lines += 1;
        let mut at = 0;
        while at < line.len() {
            let run = line[at..].iter().take_while(|byte| is_part(**byte)).count();
            // `="00123"` is a text as spreadsheets are told it, no delimiter.
            let is_formula = line[at..at + run].ends_with(b"=") && line.get(at + run) == Some(&b'"');
            if (2..=12).contains(&run) && &line[at..at + run] != b"://" && !is_formula {
                for len in 2..=run.min(4) {
                    for start in at..=at + run - len {
                        *counts.entry(&line[start..start + len]).or_default() += 1;
                    }
                }
            }
            at += run.max(1);
        }
    }
    let mut found: Vec<(&[u8], usize)> = counts.into_iter().filter(|(_, count)| *count * 10 >= n_lines * 8 && *count >= 2).collect();
    // Deterministic, longest first: "|~|" before its part "|~".
    found.sort_by(|left, right| right.0.len().cmp(&left.0.len()).then(right.1.cmp(&left.1)).then(left.0.cmp(right.0)));
    found.truncate(12);
    found.into_iter().map(|(delimiter, _)| delimiter.to_vec()).collect()
}

/// Opening and closing quote, `None` for a syntax without.
pub(super) type Quote = Option<(Vec<u8>, Vec<u8>)>;

pub(super) fn quote_candidates(text: &[u8]) -> Vec<Quote> {
    let pair = |open: &str, close: &str| Some((open.as_bytes().to_vec(), close.as_bytes().to_vec()));
    let mut candidates = Vec::new();
    if memchr::memchr(b'"', text).is_some() {
        candidates.push(pair("\"", "\""));
    }
    candidates.push(None);
    for (open, close) in [
        ("'", "'"),
        ("`", "`"),
        ("\u{201c}", "\u{201d}"),
        ("\u{201e}", "\u{201d}"),
        ("\u{201e}", "\u{201c}"),
        ("\u{ab}", "\u{bb}"),
        ("\u{2018}", "\u{2019}"),
    ] {
        if memchr::memmem::find_iter(text, open.as_bytes()).take(2).count() >= if open == close { 2 } else { 1 }
            && memchr::memmem::find(text, close.as_bytes()).is_some()
        {
            candidates.push(pair(open, close));
        }
    }
    candidates
}

/// Characters that stand before quotes or delimiters as escapes do.
pub(super) fn escape_candidates(text: &[u8], quote: Option<&(Vec<u8>, Vec<u8>)>, delimiter: &[u8]) -> Vec<Option<u8>> {
    let mut candidates = vec![None];
    for escape in [b'\\', b'^', b'~', b'/', b'`', b'\0'] {
        if delimiter.contains(&escape) {
            continue;
        }
        let before = |target: &[u8]| {
            let mut pattern = vec![escape];
            pattern.extend_from_slice(target);
            !target.is_empty() && memchr::memmem::find(text, &pattern).is_some()
        };
        if quote.is_some_and(|(_, close)| before(close)) || escape == b'\\' && before(delimiter) {
            candidates.push(Some(escape));
        }
    }
    candidates
}

/// Blanks around delimiters are worth trying away where most delimiters have one.
pub(super) fn trim_candidates(text: &[u8], delimiter: &[u8]) -> Vec<bool> {
    if delimiter.is_empty() || delimiter == b" " {
        return vec![false];
    }
    let (mut n_delimiters, mut n_blank) = (0_usize, 0_usize);
    for at in memchr::memmem::find_iter(text, delimiter).take(4000) {
        n_delimiters += 1;
        let after = text.get(at + delimiter.len());
        let before = at.checked_sub(1).map(|idx| text[idx]);
        let is_blank = |byte: u8| byte == b' ' || byte == b'\t' && !delimiter.contains(&b'\t');
        n_blank += usize::from(after.copied().is_some_and(is_blank) || before.is_some_and(is_blank));
    }
    vec![n_blank > 0 && (n_blank * 2 >= n_delimiters || is_aligned(text, delimiter))]
}

/// Whether the delimiters of all lines stand below each other: the cells were padded to columns.
fn is_aligned(text: &[u8], delimiter: &[u8]) -> bool {
    let places = |line: &[u8]| -> Vec<usize> {
        // In characters: bytes would not align beyond ASCII.
        let n_chars = |bytes: &[u8]| bytes.iter().filter(|byte| (**byte as i8) >= -0x40).count();
        memchr::memmem::find_iter(line, delimiter).map(|at| n_chars(&line[..at])).collect()
    };
    let mut filled = lines(text).filter(|line| !line.is_empty());
    let Some(first) = filled.next().map(places) else { return false };
    let mut others = filled.take(50).map(places).peekable();
    // The last line of the trial may be cut off.
    !first.is_empty() && others.peek().is_some() && others.filter(|other| *other != first).count() <= 1
}
