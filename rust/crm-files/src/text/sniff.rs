//! Finding the syntax: every plausible one is tried on the sample, and the one under which most rows have the same number of
//! cells, and the cells look like values, wins.
use super::dialect::{LineEnd, Syntax};
use super::kind::{Kind, kind_of};
use super::record::{Bounds, Parser, Quotes, Record, Step};

/// Bytes and records of the sample that candidates are tried on.
const TRIAL_BYTES: usize = 96 << 10;
const TRIAL_RECORDS: usize = 400;

/// What the caller fixed beforehand.
#[derive(Debug, Clone, Default)]
pub(super) struct Fixed {
    pub delimiter: Option<Vec<u8>>,
    /// `Some(None)`: there are no quotes.
    pub quote: Option<Option<(Vec<u8>, Vec<u8>)>>,
}

/// The syntax found, how good it is and why.
pub(super) struct Sniffed {
    pub syntax: Syntax,
    pub reasons: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Score {
    total: f64,
    n_cells: usize,
    consistency: f64,
}

/// Finds the syntax of `text`, which begins where the table or what precedes it begins.
pub(super) fn sniff(text: &[u8], is_whole: bool, fixed: &Fixed) -> Sniffed {
    let trial_len = text.len().min(TRIAL_BYTES);
    let is_whole = is_whole && trial_len == text.len();
    let text = &text[..trial_len];
    let line_ends = line_ends(text);
    let comment = comment_prefix(text);
    let delimiters = match &fixed.delimiter {
        Some(delimiter) => vec![(delimiter.clone(), 1.0)],
        None => delimiter_candidates(text),
    };
    let quotes = match &fixed.quote {
        Some(quote) => vec![quote.clone()],
        None => quote_candidates(text),
    };
    let mut best: Option<(Syntax, Score)> = None;
    for line_end in line_ends {
        for (delimiter, prior) in &delimiters {
            for quote in &quotes {
                for escape in escape_candidates(text, quote.as_ref(), delimiter) {
                    for trim in trim_candidates(text, delimiter) {
                        let syntax =
                            Syntax { delimiter: delimiter.clone(), quote: quote.clone(), escape, line_end, comment: comment.clone(), trim };
                        let mut score = score(text, is_whole, &syntax);
                        score.total *= prior;
                        // A later candidate assumes more: it has to be clearly better.
                        if best.as_ref().is_none_or(|(_, known)| score.total > known.total * 1.002 + 1e-9) {
                            best = Some((syntax, score));
                        }
                    }
                }
            }
        }
    }
    let (mut syntax, score) = best.unwrap_or_else(|| (Syntax::default(), Score { total: 0.0, n_cells: 1, consistency: 0.0 }));
    let mut reasons = Vec::new();
    if syntax.delimiter.is_empty() {
        reasons.push("no delimiter divides the lines evenly: one column".to_owned());
    } else {
        let shown = String::from_utf8_lossy(&syntax.delimiter).escape_debug().to_string();
        let share = (score.consistency * 100.0).round();
        let how = if fixed.delimiter.is_some() { "as told" } else { "the best of all tried" };
        reasons.push(format!("delimiter '{shown}' ({how}): {share} % of the sampled rows have {} cells", score.n_cells));
    }
    if syntax.quote.is_none() && fixed.quote.is_none() {
        // None in the sample: the usual one, for what comes later.
        syntax.quote = Some((b"\"".to_vec(), b"\"".to_vec())).filter(|_| memchr::memchr(b'"', text).is_none());
    }
    Sniffed { syntax, reasons }
}

fn line_ends(text: &[u8]) -> Vec<LineEnd> {
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
        (0, 0, 0) => vec![if text.ends_with(b"\r") { LineEnd::Cr } else { LineEnd::Lf }],
        (0, _, 0) => vec![LineEnd::Lf],
        (_, _, 0) => vec![LineEnd::CrLf],
        (0, 0, _) => vec![LineEnd::Cr],
        (0, _, _) if cr > lf => vec![LineEnd::Cr, LineEnd::Mixed, LineEnd::Lf],
        (0, _, _) => vec![LineEnd::Lf, LineEnd::Mixed],
        (_, _, _) => vec![LineEnd::CrLf, LineEnd::Mixed],
    }
}

/// `#` where lines begin with it and the line before the data does not look like a header that does.
fn comment_prefix(text: &[u8]) -> Option<Vec<u8>> {
    let mut n_comments = 0;
    let mut lines = text.split(|byte| *byte == b'\n' || *byte == b'\r').filter(|line| !line.trim_ascii().is_empty()).take(400).peekable();
    let mut n_lines = 0;
    let mut after_comment = None;
    while let Some(line) = lines.next() {
        n_lines += 1;
        if line.starts_with(b"#") {
            n_comments += 1;
            after_comment = lines.peek().copied();
        }
    }
    if n_comments == 0 || n_comments * 2 > n_lines {
        return None;
    }
    // "#id,name" above "1,Anna" is a header: as many delimiters as the line below.
    if n_comments == 1 && text.starts_with(b"#") {
        let first = text.split(|byte| *byte == b'\n' || *byte == b'\r').next().unwrap_or_default();
        let count = |line: &[u8], delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
        let below = after_comment.unwrap_or_default();
        if [b',', b';', b'\t', b'|']
            .iter()
            .any(|delimiter| count(first, *delimiter) > 0 && count(first, *delimiter) == count(below, *delimiter))
        {
            return None;
        }
    }
    Some(b"#".to_vec())
}

/// Candidates with the trust they have beforehand.
fn delimiter_candidates(text: &[u8]) -> Vec<(Vec<u8>, f64)> {
    const SINGLE: [(&str, f64); 26] = [
        (",", 1.0),
        (";", 1.0),
        ("\t", 1.0),
        ("|", 1.0),
        ("\u{1}", 1.0),
        ("\u{1f}", 1.0),
        ("\u{1e}", 0.98),
        ("\u{2}", 0.98),
        ("~", 0.97),
        ("^", 0.97),
        ("§", 0.97),
        ("¦", 0.97),
        ("¬", 0.97),
        ("¶", 0.97),
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
        if memchr::memmem::find(text, delimiter.as_bytes()).is_some() && !is_always_doubled(text, delimiter.as_bytes()) {
            candidates.push((delimiter.as_bytes().to_vec(), prior));
        }
    }
    candidates.extend(long_delimiters(text).into_iter().map(|delimiter| (delimiter, 1.0)));
    candidates
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
    *byte != b' ' && lengths.len() == 1 && lengths.iter().all(|run| *run == 2)
}

/// Runs of two to four punctuation characters that recur on most lines.
fn long_delimiters(text: &[u8]) -> Vec<Vec<u8>> {
    let is_part =
        |byte: u8| byte.is_ascii_punctuation() && !matches!(byte, b'"' | b'\'' | b'.' | b'(' | b')' | b'-' | b'_') || byte == b'\t';
    let mut counts: std::collections::HashMap<&[u8], usize> = std::collections::HashMap::new();
    let mut n_lines = 0_usize;
    for line in text.split(|byte| *byte == b'\n' || *byte == b'\r').filter(|line| !line.trim_ascii().is_empty()).take(200) {
        n_lines += 1;
        let mut at = 0;
        while at < line.len() {
            let run = line[at..].iter().take_while(|byte| is_part(**byte)).count();
            if (2..=12).contains(&run) {
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

type Quote = Option<(Vec<u8>, Vec<u8>)>;

fn quote_candidates(text: &[u8]) -> Vec<Quote> {
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
fn escape_candidates(text: &[u8], quote: Option<&(Vec<u8>, Vec<u8>)>, delimiter: &[u8]) -> Vec<Option<u8>> {
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
fn trim_candidates(text: &[u8], delimiter: &[u8]) -> Vec<bool> {
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
    let mut lines = text.split(|byte| *byte == b'\n' || *byte == b'\r').filter(|line| !line.is_empty());
    let Some(first) = lines.next().map(places) else { return false };
    let mut others = lines.take(50).map(places).peekable();
    // The last line of the trial may be cut off.
    !first.is_empty() && others.peek().is_some() && others.filter(|other| *other != first).count() <= 1
}

/// The records of the trial text: number of cells, and the looks of the cells.
fn score(text: &[u8], is_whole: bool, syntax: &Syntax) -> Score {
    let parser = Parser::new(syntax.clone(), Bounds { cell_bytes: TRIAL_BYTES, cell_lines: 200 });
    let mut record = Record::default();
    let mut at = 0;
    // Per record: cells, sum of cell weights, whether quotes were odd.
    let mut rows: Vec<(usize, f64)> = Vec::new();
    let (mut n_stray, mut n_quoted) = (0_usize, 0_usize);
    while rows.len() < TRIAL_RECORDS {
        let mut step = parser.parse(text, at, is_whole, Quotes::AtEdges, &mut record);
        let mut runaway = false;
        if step == Step::Runaway {
            runaway = true;
            step = parser.parse(text, at, is_whole, Quotes::InLine, &mut record);
        }
        match step {
            Step::Done => {}
            Step::NeedMore | Step::End | Step::Runaway => break,
        }
        let raw = &text[at..record.end];
        at = record.next;
        if raw.trim_ascii().is_empty() || syntax.comment.as_ref().is_some_and(|comment| raw.starts_with(comment)) {
            continue;
        }
        n_stray += usize::from(record.stray_quote || runaway);
        n_quoted += record.cells.iter().filter(|cell| cell.quoted).count();
        let n_cells = record.cells.len();
        let weights: f64 = (0..n_cells).take(200).map(|idx| cell_weight(record.cell(text, idx), record.cells[idx].quoted)).sum();
        rows.push((n_cells, weights / n_cells.min(200) as f64));
    }
    if rows.is_empty() {
        return Score { total: 0.0, n_cells: 1, consistency: 0.0 };
    }
    let n_cells = modal_width(rows.iter().map(|row| row.0));
    let n_modal = rows.iter().filter(|row| row.0 == n_cells).count();
    // Titles above the table and notes below it are narrower: they say little against a delimiter.
    let is_modal = |row: &(usize, f64)| row.0 == n_cells;
    let first = rows.iter().position(is_modal).unwrap_or(0);
    let last = rows.iter().rposition(is_modal).unwrap_or(0);
    let n_outside = rows[..first].iter().chain(&rows[last + 1..]).filter(|row| row.0 < n_cells).count();
    let consistency = n_modal as f64 / ((rows.len() - n_outside) as f64 + 0.3 * n_outside as f64);
    let looks = rows.iter().filter(|row| row.0 == n_cells).map(|row| row.1).sum::<f64>() / n_modal as f64;
    let stray = n_stray as f64 / rows.len() as f64;
    let gain = if n_cells == 1 { 0.45 } else { (n_cells - 1) as f64 / n_cells as f64 };
    // Quotes that quote something speak for themselves: without them the cells would carry them.
    let quoted = if n_quoted > 0 { 1.01 } else { 1.0 };
    Score { total: consistency.powf(1.5) * looks * gain * (1.0 - 0.5 * stray) * quoted, n_cells, consistency }
}

fn cell_weight(cell: &[u8], quoted: bool) -> f64 {
    let kind = kind_of(cell);
    if quoted && kind == Kind::Other { 0.6 } else { kind.weight() }
}

/// The most frequent width; among equals the widest.
pub(super) fn modal_width(widths: impl Iterator<Item = usize>) -> usize {
    let mut counts: std::collections::BTreeMap<usize, usize> = std::collections::BTreeMap::new();
    for width in widths {
        *counts.entry(width).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(width, count)| (*count, *width)).map_or(1, |(width, _)| width)
}
