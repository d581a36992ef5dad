//! Finding the syntax: every plausible one is tried on the sample, and the one under which most rows have the same number of
//! cells, and the cells look like values, wins.
use super::candidates::{comment_prefix, delimiter_candidates, escape_candidates, line_ends, quote_candidates, trim_candidates};
use super::dialect::Syntax;
use super::escape::text_or_escaped;
use super::kind::{Kind, kind_of};
use super::lines::lines;
use super::record::{Bounds, Parser, Quotes, Record, Step};
use super::rows::is_rule;

/// Bytes and records of the sample that candidates are tried on.
const TRIAL_BYTES: usize = 96 << 10;
const TRIAL_RECORDS: usize = 400;
/// What a line counts that is narrower than the table and stands above or below it.
const OUTSIDE_WEIGHT: f64 = 0.3;

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
    /// The share of the rows that have so many cells.
    share: f64,
    /// Rows with quotes where the syntax has none, also those that are pardoned.
    n_stray: usize,
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
    let mut delimiters: Vec<(Vec<u8>, Option<usize>, f64)> =
        delimiters.into_iter().map(|(delimiter, prior)| (delimiter, None, prior)).collect();
    if memchr::memmem::find(text, b"  ").is_some() && fixed.delimiter.as_ref().is_none_or(|delimiter| delimiter == b" ") {
        // Two blanks divide cells that hold single ones.
        delimiters.extend([(b" ".to_vec(), Some(1), 0.82), (b" ".to_vec(), Some(2), 0.9)]);
    }
    if memchr::memmem::find(text, b"\t\t").is_some() && fixed.delimiter.is_none() {
        // Tabs that bring cells below each other: as many as it takes.
        delimiters.push((b"\t".to_vec(), Some(1), 0.9));
    }
    let quotes = match &fixed.quote {
        Some(quote) => vec![quote.clone()],
        None => quote_candidates(text),
    };
    let mut best: Option<(Syntax, Score)> = None;
    for line_end in line_ends {
        for (delimiter, run, prior) in delimiters.iter().filter(|(delimiter, ..)| !delimiter.contains(&line_end.byte())) {
            for quote in &quotes {
                for escape in escape_candidates(text, quote.as_ref(), delimiter) {
                    for trim in trim_candidates(text, delimiter) {
                        let syntax = Syntax {
                            delimiter: delimiter.clone(),
                            run: *run,
                            wrapped: false,
                            quote: quote.clone(),
                            escape,
                            line_end,
                            comment: comment.clone(),
                            trim,
                            leads: false,
                        };
                        let mut score = score(text, is_whole, &syntax);
                        score.total *= prior;
                        // A later candidate assumes more: it has to be clearly better, or to explain quotes that are odd without it.
                        let is_better = |(other, known): &(Syntax, Score)| {
                            score.total > known.total * 1.002 + 1e-9
                                || (escape == Some(b'\\') || escape.is_some() && score.n_stray == 0 && known.n_stray > 1)
                                    && (Syntax { escape: None, ..syntax.clone() }) == *other
                                    && score.n_stray < known.n_stray
                                    && score.total > known.total * 0.99
                        };
                        if best.as_ref().is_none_or(is_better) {
                            best = Some((syntax, score));
                        }
                    }
                }
            }
        }
    }
    let (mut syntax, score) = best.unwrap_or_else(|| (Syntax::default(), Score { total: 0.0, n_cells: 1, share: 0.0, n_stray: 0 }));
    if (score.n_cells == 1 || syntax.quote.is_none())
        && fixed.delimiter.is_none()
        && let Some(inner) = unwrapped_lines(text)
    {
        let mut sniffed = sniff(&inner, is_whole, fixed);
        if !sniffed.syntax.delimiter.is_empty()
            && !sniffed.syntax.wrapped
            && sniffed.syntax.quote.as_ref().is_none_or(|quote| quote.0 == b"\"")
        {
            let quote = Some((b"\"".to_vec(), b"\"".to_vec()));
            sniffed.syntax = Syntax { wrapped: true, quote, line_end: syntax.line_end, ..sniffed.syntax };
            sniffed.reasons.push("every line stands in quotes as a whole: they were taken off".to_owned());
            return sniffed;
        }
    }
    let mut reasons = Vec::new();
    if syntax.delimiter.is_empty() {
        reasons.push("no delimiter divides the lines evenly: one column".to_owned());
    } else {
        let shown = text_or_escaped(&syntax.delimiter).escape_debug().to_string();
        let share = (score.share * 100.0).round();
        let how = if fixed.delimiter.is_some() { "as told" } else { "the best of all tried" };
        let runs = if syntax.run.is_some() { ", as many as there are" } else { "" };
        reasons.push(format!("delimiter '{shown}'{runs} ({how}): {share} % of the sampled rows have {} cells", score.n_cells));
    }
    if syntax.quote.is_none() && fixed.quote.is_none() {
        // None in the sample: the usual one, for what comes later.
        syntax.quote = Some((b"\"".to_vec(), b"\"".to_vec())).filter(|_| memchr::memchr(b'"', text).is_none());
    }
    Sniffed { syntax, reasons }
}

/// The lines without the quotes around each, where all have them and the first holds several cells.
fn unwrapped_lines(text: &[u8]) -> Option<Vec<u8>> {
    let mut inner = Vec::with_capacity(text.len());
    let mut filled = lines(text).filter(|line| !line.trim_ascii().is_empty()).take(TRIAL_RECORDS).peekable();
    let mut n_lines = 0;
    while let Some(line) = filled.next() {
        let Some(body) = line.trim_ascii().strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
            // The last line of the trial may be cut off.
            if filled.peek().is_none() && n_lines > 1 {
                break;
            }
            return None;
        };
        let undoubled = body.split(|byte| *byte == b'"').collect::<Vec<_>>();
        // Quotes within stand in pairs: nothing between the two of a pair.
        if undoubled.len().is_multiple_of(2) || undoubled.iter().skip(1).step_by(2).any(|between| !between.is_empty()) {
            return None;
        }
        inner.extend(undoubled.iter().step_by(2).copied().collect::<Vec<_>>().join(&b'"'));
        inner.push(b'\n');
        n_lines += 1;
    }
    // The first line has its delimiters too, or it is a column of phrases in quotes.
    let first = inner.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let n_delimiters = first.iter().filter(|byte| matches!(byte, b',' | b';' | b'\t' | b'|')).count();
    (n_lines >= 2 && n_delimiters >= 2).then_some(inner)
}

/// Whether a record has quotes where the syntax has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stray {
    None,
    InLine,
    /// It may have swallowed rows.
    OverLines,
}

/// The records of the trial text: number of cells, and the looks of the cells.
fn score(text: &[u8], is_whole: bool, syntax: &Syntax) -> Score {
    let parser = Parser::new(syntax.clone(), Bounds { cell_bytes: TRIAL_BYTES, cell_lines: 200 });
    let mut record = Record::default();
    let (mut at, mut in_line_to) = (0, 0);
    // Per record: cells, mean weight of the cells, whether quotes were odd.
    let mut rows: Vec<(usize, f64, Stray)> = Vec::new();
    let (mut n_quoted, mut n_values) = (0_usize, 0_usize);
    let (mut n_texts, mut is_needed) = (0_usize, false);
    while rows.len() < TRIAL_RECORDS {
        let quotes = if at < in_line_to { Quotes::InLine } else { Quotes::AtEdges };
        let mut step = parser.parse(text, at, is_whole, quotes, &mut record);
        let mut runaway = false;
        if step == Step::Runaway {
            runaway = true;
            // No quote closes before that end: looking again from each line would find none either.
            in_line_to = record.runaway_end;
            step = parser.parse(text, at, is_whole, Quotes::InLine, &mut record);
        }
        match step {
            Step::Done => {}
            Step::NeedMore | Step::End | Step::Runaway => break,
        }
        let raw = &text[at..record.end];
        at = record.next;
        if raw.trim_ascii().is_empty() || is_rule(raw) || syntax.comment.as_ref().is_some_and(|comment| raw.starts_with(comment)) {
            continue;
        }
        n_quoted += record.cells.iter().filter(|cell| cell.quoted).count();
        n_texts += record.iter(text).filter(|cell| kind_of(cell) >= Kind::Code).count();
        is_needed |= (0..record.cells.len()).any(|idx| record.cells[idx].quoted && needs_quotes(record.cell(text, idx), syntax));
        let n_cells = record.cells.len();
        let stray = match record.stray_quote || runaway {
            false => Stray::None,
            true if record.n_lines > 1 => Stray::OverLines,
            true => Stray::InLine,
        };
        n_values += usize::from(n_cells == 1 && matches!(kind_of(record.cell(text, 0)), Kind::Date | Kind::Email | Kind::Url));
        let weights: f64 = (0..n_cells).take(200).map(|idx| cell_weight(record.cell(text, idx), record.cells[idx].quoted)).sum();
        rows.push((n_cells, weights / n_cells.min(200) as f64, stray));
    }
    if rows.is_empty() {
        return Score { total: 0.0, n_cells: 1, share: 0.0, n_stray: 0 };
    }
    let widths: Vec<usize> = rows.iter().map(|row| row.0).collect();
    let n_cells = table_width(&widths);
    let consistency = consistency(&widths, n_cells);
    let share = widths.iter().filter(|width| **width == n_cells).count() as f64 / widths.len() as f64;
    // Lines that the delimiter does not divide count as well: a title does not look like several cells in one.
    let weight_of = |row: &(usize, f64, Stray)| if row.0 == n_cells { 1.0 } else { OUTSIDE_WEIGHT };
    let n_weighed: f64 = rows.iter().map(weight_of).sum();
    let looks = rows.iter().map(|row| row.1 * weight_of(row)).sum::<f64>() / n_weighed;
    // A quote within quotes that nobody doubled says nothing against the usual quote where the row has the right number of cells.
    let is_usual = syntax.quote.as_ref().is_some_and(|(open, _)| open == b"\"") && n_quoted > 0;
    let is_pardoned = |row: &(usize, f64, Stray)| is_usual && row.0 == n_cells && row.2 == Stray::InLine;
    let n_stray = rows.iter().filter(|row| row.2 != Stray::None).count();
    let n_blamed = rows.iter().filter(|row| row.2 != Stray::None && !is_pardoned(row)).count();
    let stray = n_blamed as f64 / rows.len() as f64;
    // One column of dates is one, though their parts are even.
    let gain = if n_cells == 1 && n_values * 10 >= rows.len() * 7 { 0.95 } else { gain(n_cells) };
    // Quotes that quote something speak for themselves: without them the cells would carry them.
    let quoted = if n_quoted > 0 { 1.01 } else { 1.0 };
    // Typographic ones are marks of the text itself, unless they hold a delimiter or nearly every text stands in them.
    if n_quoted > 0 && is_typographic(syntax) && !is_needed && n_quoted * 5 < n_texts * 4 {
        return Score { total: 0.0, n_cells, share, n_stray };
    }
    Score { total: consistency.powf(1.5) * looks * gain * (1.0 - 0.5 * stray) * quoted, n_cells, share, n_stray }
}

fn is_typographic(syntax: &Syntax) -> bool {
    syntax.quote.as_ref().is_some_and(|(open, _)| open.len() > 1)
}

/// Whether a cell would come apart without the quotes around it.
fn needs_quotes(cell: &[u8], syntax: &Syntax) -> bool {
    !syntax.delimiter.is_empty() && memchr::memmem::find(cell, &syntax.delimiter).is_some() || memchr::memchr2(b'\n', b'\r', cell).is_some()
}

/// What dividing lines into so many cells is worth.
fn gain(n_cells: usize) -> f64 {
    if n_cells == 1 { 0.45 } else { (n_cells - 1) as f64 / n_cells as f64 }
}

/// The share of rows with this many cells. Titles above the table and notes below it are narrower: they say little against it.
fn consistency(widths: &[usize], n_cells: usize) -> f64 {
    let n_modal = widths.iter().filter(|width| **width == n_cells).count();
    let first = widths.iter().position(|width| *width == n_cells).unwrap_or(0);
    let last = widths.iter().rposition(|width| *width == n_cells).unwrap_or(0);
    let n_outside = widths[..first].iter().chain(&widths[(last + 1).min(widths.len())..]).filter(|width| **width < n_cells).count();
    n_modal as f64 / ((widths.len() - n_outside) as f64 + OUTSIDE_WEIGHT * n_outside as f64).max(1.0)
}

/// Cells of the rows of the table: the most frequent width, or one that a run of rows has below a long preamble.
pub(super) fn table_width(widths: &[usize]) -> usize {
    let mut counts: std::collections::BTreeMap<usize, usize> = std::collections::BTreeMap::new();
    for width in widths {
        *counts.entry(*width).or_default() += 1;
    }
    let mut frequent: Vec<(usize, usize)> = counts.into_iter().map(|(width, count)| (count, width)).collect();
    frequent.sort_unstable_by(|left, right| right.cmp(left));
    let worth = |width: usize| consistency(widths, width).powf(1.5) * gain(width);
    let Some(&(modal_count, modal)) = frequent.first() else { return 1 };
    // Titles and notes have one cell, or a name and a value; what is wider is a table of its own.
    let is_wider = |(count, width): &&(usize, usize)| modal <= 2 && *width > modal && *count >= 3 && *count * 3 >= modal_count;
    let others = frequent.iter().skip(1).take(3).filter(is_wider);
    others.map(|(_, width)| *width).fold(modal, |best, width| if worth(width) > worth(best) { width } else { best })
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
