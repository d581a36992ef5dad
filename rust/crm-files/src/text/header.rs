//! Which rows are the header: titles above it left out, rows of group titles and names joined.
use std::collections::HashMap;

use super::escape::decoded_text;
use super::header_words::is_header_word;
use super::kind::{Kind, kind_of};
use super::layout::ColumnLooks;
use super::shape::SampleRow;

/// Why a row is a header that nothing else makes one.
const BY_ITS_PLACE: &str = "the first row of the table; nothing below tells it from data, taken as its header";

/// Rows that a header has, at most.
const MAX_HEADER_ROWS: usize = 3;

/// The first row that can belong to the table: titles above it have fewer cells, or few filled ones.
pub(super) fn table_start(rows: &[SampleRow], first_allowed: usize, n_cells: usize) -> usize {
    let mut filled: Vec<usize> =
        rows.iter().filter(|row| row.cells.len() == n_cells && row.n_filled() > 0).map(SampleRow::n_filled).collect();
    filled.sort_unstable();
    // Half of all filled cells stand in rows of so many and more: padded titles and notes may be more rows than the table has.
    let n_all: usize = filled.iter().sum();
    let mut n_below = 0;
    let mut half = filled.iter().skip_while(|n_filled| {
        n_below += **n_filled;
        n_below * 2 < n_all
    });
    let typical = half.next().copied().unwrap_or(1);
    let enough = if n_cells <= 2 { typical.min(n_cells) } else { (typical / 2).max(2).min(typical) };
    let is_data_like = |row: &SampleRow| !row.is_comment && !row.is_rule() && row.n_filled() > 0;
    (first_allowed..rows.len())
        .find(|idx| is_data_like(&rows[*idx]) && rows[*idx].n_filled() >= enough && rows[*idx].cells.len() >= n_cells)
        .or_else(|| (first_allowed..rows.len()).find(|idx| is_data_like(&rows[*idx])))
        .unwrap_or(rows.len())
}

/// Whether the row above `first`, which has fewer cells than the table, names its columns all the same.
fn narrow_header(rows: &[SampleRow], first: usize, first_allowed: usize, n_cells: usize) -> bool {
    let Some(above) = first.checked_sub(1).filter(|above| *above >= first_allowed).map(|above| &rows[above]) else { return false };
    let n_above = above.cells.len();
    let is_named = !above.is_comment
        && (2..n_cells).contains(&n_above)
        && n_above + 2 >= n_cells
        && above.n_filled() == n_above
        && !above.cells.iter().any(|cell| kind_of(cell).is_value() || cell.len() > 60);
    if !is_named {
        return false;
    }
    let named = above.cells.iter().filter(|cell| std::str::from_utf8(cell).is_ok_and(is_header_word)).count();
    named * 2 >= n_above || rows[first].cells.iter().any(|cell| kind_of(cell).is_value())
}

pub(super) fn find_header(
    rows: &[SampleRow],
    first_allowed: usize,
    n_cells: usize,
    reasons: &mut Vec<String>,
) -> (std::ops::Range<usize>, usize) {
    let mut first = table_start(rows, first_allowed, n_cells);
    if narrow_header(rows, first, first_allowed, n_cells) {
        reasons.push(format!("header on row {}: names, fewer than the cells of the rows below it", rows[first - 1].line));
        return (first - 1..first, first);
    }
    // A title that was padded with delimiters: the row below names more columns.
    while first + 1 < rows.len()
        && rows[first + 1].n_filled() > rows[first].n_filled()
        && rows[first].n_filled() < rows[first].cells.len()
        && (rows[first].n_filled() == 1 || rows[first].cells.iter().any(|cell| kind_of(cell).is_value()))
        && continues_header(rows, first, first + 1)
    {
        first += 1;
    }
    let Some(row) = rows.get(first) else { return (first..first, first) };
    // The same row again is the header of the next page.
    let body: Vec<&SampleRow> =
        rows[first + 1..].iter().filter(|other| other.n_filled() > 0 && !other.is_comment && other.cells != row.cells).take(300).collect();
    // Nothing says that it is a header: then what stands twice in a row is data.
    let is_twice = rows.get(first + 1).is_some_and(|next| next.cells == row.cells && rows.len() > first + 2);
    let judged = match judge_header(row, &body) {
        Ok(reason) if is_twice && reason == BY_ITS_PLACE => Err(format!("row {} stands there twice in a row", row.line)),
        judged => judged,
    };
    match judged {
        Err(reason) => {
            reasons.push(format!("no header row: {reason}"));
            (first..first, first)
        }
        Ok(reason) => {
            reasons.push(format!("header on row {}: {reason}", row.line));
            let mut end = first + 1;
            while end < rows.len() && end - first < MAX_HEADER_ROWS && continues_header(rows, first, end) {
                end += 1;
            }
            // Titles of groups of columns, with gaps, directly above the names.
            let begin = if is_group_row(rows, first, first_allowed) { first - 1 } else { first };
            if end > begin + 1 {
                let first = begin;
                reasons.push(format!("the header has {} rows", end - first));
            }
            (begin..end, end)
        }
    }
}

fn is_group_row(rows: &[SampleRow], first: usize, first_allowed: usize) -> bool {
    let Some(above) = first.checked_sub(1).filter(|above| *above >= first_allowed).map(|above| &rows[above]) else { return false };
    let n_filled = above.n_filled();
    let is_filled = |cell: &[u8]| !cell.trim_ascii().is_empty();
    above.cells.len() == rows[first].cells.len()
        && above.cells.len() >= 4
        && n_filled >= 2
        && !above.is_comment
        && rows[first].cells.iter().zip(&above.cells).all(|(name, title)| is_filled(name) || is_filled(title))
        && above
            .cells
            .iter()
            .all(|cell| (matches!(kind_of(cell), Kind::Empty | Kind::Text | Kind::Code) || is_year(cell)) && cell.len() <= 80)
}

/// Whether `row` names the columns of `body`, and why.
fn judge_header(row: &SampleRow, body: &[&SampleRow]) -> Result<String, String> {
    let kinds: Vec<Kind> = row.cells.iter().map(|cell| kind_of(cell)).collect();
    if let Some(idx) = kinds.iter().position(|kind| matches!(kind, Kind::Email | Kind::Url | Kind::Phone | Kind::Date)) {
        // Months and years head columns of numbers; e-mails head nothing.
        if kinds[idx] != Kind::Date || kinds.iter().all(|kind| kind.is_value()) {
            return Err(format!("cell {} of row {} holds a value", idx + 1, row.line));
        }
    }
    let n_kinds = |wanted: &[Kind]| kinds.iter().filter(|kind| wanted.contains(kind)).count();
    let n_numbers = row.cells.iter().filter(|cell| kind_of(cell) == Kind::Number && !is_year(cell)).count();
    if n_kinds(&[Kind::Date]) > 0 && n_numbers > 0 && (n_kinds(&[Kind::Date]) + n_numbers) >= 3 {
        return Err(format!("row {} holds dates and numbers", row.line));
    }
    if names_itself(row, body) {
        return Err(format!("every cell says what it is, as in row {}", row.line));
    }
    let words = row.cells.iter().filter(|cell| std::str::from_utf8(cell).is_ok_and(is_header_word)).count();
    let (mut speaks_for, mut speaks_against) = (0_usize, 0_usize);
    let (mut n_new_words, mut n_words_below) = (0_usize, 0_usize);
    let mut repeated = 0_usize;
    for (idx, cell) in row.cells.iter().enumerate() {
        let mut looks = ColumnLooks::default();
        let mut n_digits = 0_usize;
        let mut n_filled = 0_usize;
        for other in body.iter().filter_map(|other| other.cells.get(idx)) {
            looks.add(other, false);
            n_filled += usize::from(!other.trim_ascii().is_empty());
            n_digits += usize::from(other.iter().any(u8::is_ascii_digit));
            repeated += usize::from(other == cell && !cell.trim_ascii().is_empty());
        }
        let has_digit = cell.iter().any(u8::is_ascii_digit);
        let strict = if n_filled >= 3 { looks.kind_of_share(0.7) } else { None }.or_else(|| {
            // Too few rows for a rule: what there is has to agree.
            let kinds: Vec<Kind> = body
                .iter()
                .filter_map(|other| other.cells.get(idx))
                .map(|cell| kind_of(cell))
                .filter(|kind| *kind != Kind::Empty)
                .collect();
            kinds.first().copied().filter(|first| first.is_value() && kinds.iter().all(|kind| kind == first))
        });
        match strict {
            Some(kind) if kinds[idx] == kind && !is_year(cell) => speaks_against += 1,
            Some(_) if is_year(cell) => {}
            Some(_) if kinds[idx] != Kind::Empty => speaks_for += 1,
            None if n_filled >= 3 && n_digits == n_filled && !has_digit && kinds[idx] == Kind::Text => speaks_for += 1,
            None => match vocabulary(body, idx) {
                // Once may be the header of another table.
                Some(words) if words.get(cell.as_slice()).is_some_and(|count| *count > 1) => n_words_below += 1,
                Some(words) if kinds[idx] != Kind::Empty && !words.contains_key(cell.as_slice()) => n_new_words += 1,
                _ => {}
            },
            _ => {}
        }
    }
    // Columns that say the same few words over and over tell less than values do.
    speaks_for += n_new_words / 2;
    if speaks_for == 0 {
        speaks_against += n_words_below;
    }
    if words * 3 >= row.cells.len().max(1) && words > 0 && repeated * 4 <= body.len() * row.cells.len().max(1) {
        return Ok(format!("{words} of its {} cells are words that name columns", row.cells.len()));
    }
    if speaks_for > speaks_against {
        let columns = if speaks_for == 1 { "1 column holds" } else { &format!("{speaks_for} columns hold") };
        return Ok(format!("{columns} values below it that it does not"));
    }
    if speaks_against > 0 {
        return Err(format!("row {} holds the same kinds of values as the rows below it", row.line));
    }
    if repeated > 0 && words == 0 {
        return Err(format!("words of row {} recur as values below it", row.line));
    }
    if heads_years(row) {
        return Ok("years, one after the other".to_owned());
    }
    if words == 0 && kinds.iter().all(|kind| matches!(kind, Kind::Number | Kind::Empty)) {
        return Err(format!("row {} is all numbers", row.line));
    }
    Ok(BY_ITS_PLACE.to_owned())
}

/// Whether all cells are a name and a value, `id=1`, and those below them begin with the same names.
fn names_itself(row: &SampleRow, body: &[&SampleRow]) -> bool {
    let name_of = |cell: &[u8]| cell.iter().position(|byte| *byte == b'=').filter(|at| *at > 0 && *at + 1 < cell.len());
    let names: Option<Vec<&[u8]>> = row.cells.iter().map(|cell| Some(&cell[..=name_of(cell)?])).collect();
    names.is_some_and(|names| {
        !body.is_empty()
            && body
                .iter()
                .all(|other| other.cells.len() == names.len() && other.cells.iter().zip(&names).all(|(cell, name)| cell.starts_with(name)))
    })
}

/// The words of a column that has few and repeats them, and how often.
fn vocabulary<'a>(body: &[&'a SampleRow], idx: usize) -> Option<HashMap<&'a [u8], usize>> {
    let filled = || body.iter().filter_map(|row| row.cells.get(idx)).filter(|cell| !cell.trim_ascii().is_empty());
    let n_filled = filled().count();
    if n_filled < 9 {
        return None;
    }
    let mut words: HashMap<&[u8], usize> = HashMap::new();
    filled().for_each(|cell| *words.entry(cell.as_slice()).or_default() += 1);
    (words.len() * 4 <= n_filled && words.len() <= 40).then_some(words)
}

/// Whether a row is blank at first and then holds years that follow each other.
fn heads_years(row: &SampleRow) -> bool {
    let Some((first, years)) = row.cells.split_first() else { return false };
    let year = |cell: &Vec<u8>| is_year(cell).then(|| std::str::from_utf8(cell).ok()?.trim().parse::<u32>().ok()).flatten();
    first.trim_ascii().is_empty()
        && years.len() >= 2
        && years.windows(2).all(|pair| year(&pair[0]).zip(year(&pair[1])).is_some_and(|(one, next)| next == one + 1))
}

/// A header that is written as a comment, `#id,name`, becomes one: the last comment above the table, as wide as the rows, where it names
/// every column and the row below has values that it has not, or where it is the only comment and begins the file.
pub(super) fn uncomment_header(rows: &mut [SampleRow], comment: &[u8]) {
    let Some(first) = rows.iter().position(|row| !row.is_comment && row.n_filled() > 0) else { return };
    let is_only = first == 1 && !rows[first..].iter().any(|row| row.is_comment);
    let (above, below) = rows.split_at_mut(first);
    let Some(header) = above.last_mut().filter(|row| row.is_comment && row.cells.len() >= 2) else { return };
    let has_values = |cells: &[Vec<u8>]| cells.iter().any(|cell| kind_of(cell).is_value());
    let names_all = header.cells.iter().skip(1).all(|cell| !cell.trim_ascii().is_empty());
    if header.cells.len() == below[0].cells.len() && (is_only || names_all && !has_values(&header.cells) && has_values(&below[0].cells)) {
        header.is_comment = false;
        let name = header.cells[0].strip_prefix(comment).map(|name| name.trim_ascii().to_vec()).filter(|name| !name.is_empty());
        if let Some(name) = name {
            header.commented = Some(std::mem::replace(&mut header.cells[0], name));
        }
    }
}

/// Years head columns of numbers.
fn is_year(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    cell.len() == 4 && cell.iter().all(u8::is_ascii_digit) && (cell.starts_with(b"19") || cell.starts_with(b"20"))
}

/// Whether row `at` goes on the header that begins at `first`.
fn continues_header(rows: &[SampleRow], first: usize, at: usize) -> bool {
    let (above, row) = (&rows[at - 1], &rows[at]);
    if row.is_comment || row.is_rule() || row.n_filled() == 0 || row.cells.iter().any(|cell| kind_of(cell).is_value()) {
        return false;
    }
    // Further header rows may follow: the rows below them judge better.
    let rows_from = |from: usize| {
        let rows = rows.get(from..).unwrap_or_default();
        rows.iter().filter(|row| row.n_filled() > 0 && !row.is_comment).take(300).collect::<Vec<_>>()
    };
    let mut body = rows_from(first + MAX_HEADER_ROWS);
    if body.len() < 3 {
        body = rows_from(at + 1);
    }
    if body.is_empty() {
        return false;
    }
    if completes_names(rows, first, at, &body) {
        return true;
    }
    let (mut n_typed, mut n_words, mut n_listed) = (0_usize, 0_usize, 0_usize);
    for idx in 0..row.cells.len() {
        let mut looks = ColumnLooks::default();
        for cell in body.iter().filter_map(|row| row.cells.get(idx)) {
            looks.add(cell, false);
        }
        if looks.strict_kind().is_some() {
            n_typed += 1;
            n_words += usize::from(kind_of(&row.cells[idx]) != Kind::Empty);
        } else if let Some(words) = vocabulary(&body, idx) {
            if words.contains_key(row.cells[idx].as_slice()) {
                return false;
            }
            n_listed += usize::from(kind_of(&row.cells[idx]) != Kind::Empty);
        }
    }
    // Group titles leave gaps above the names; otherwise values of two columns have to tell header from data.
    let has_gaps = above.n_filled() < row.n_filled() && at - 1 == first && above.n_filled() * 3 <= row.cells.len() * 2;
    let named = row.cells.iter().filter(|cell| std::str::from_utf8(cell).is_ok_and(is_header_word)).count();
    n_words == n_typed && (n_typed >= 2 || n_typed + n_listed >= 4) || (has_gaps && (n_words > 0 || named * 3 >= row.cells.len()))
}

/// Whether row `at` names what the row above leaves open, and is blank where rows always have a value: questions over their answers.
fn completes_names(rows: &[SampleRow], first: usize, at: usize, body: &[&SampleRow]) -> bool {
    let (above, row) = (&rows[at - 1], &rows[at]);
    let n_cells = above.cells.len();
    if at - 1 != first || row.cells.len() != n_cells || n_cells < 3 {
        return false;
    }
    let is_blank = |cells: &[Vec<u8>], idx: usize| cells[idx].trim_ascii().is_empty();
    let is_named = (0..n_cells).all(|idx| !is_blank(&above.cells, idx) || !is_blank(&row.cells, idx));
    let n_gaps = (0..n_cells).filter(|idx| is_blank(&above.cells, *idx)).count();
    let n_missing = (0..n_cells)
        .filter(|idx| is_blank(&row.cells, *idx) && body.iter().all(|other| other.cells.len() != n_cells || !is_blank(&other.cells, *idx)))
        .count();
    is_named && n_gaps > 0 && n_missing > 0
}

/// One title per column: the header rows' cells joined, group titles carried on to the columns they span.
pub(super) fn header_titles(header: &[SampleRow]) -> Vec<String> {
    let width = header.iter().map(SampleRow::width).max().unwrap_or(0);
    let mut titles = vec![String::new(); width];
    for (idx, row) in header.iter().enumerate() {
        let is_last = idx + 1 == header.len();
        let mut group = String::new();
        for (column, title) in titles.iter_mut().enumerate() {
            let text = row.cells.get(column).map(|cell| decoded_text(cell.trim_ascii()).into_owned()).unwrap_or_default();
            let text = if text.is_empty() && !is_last { group.clone() } else { text };
            if !is_last {
                group.clone_from(&text);
            }
            if !text.is_empty() && *title != text {
                if !title.is_empty() {
                    title.push(' ');
                }
                title.push_str(&text);
            }
        }
    }
    titles
}
