//! Where the table begins, which rows are its header, and how many columns it has.
use super::dialect::Syntax;
use super::header_words::is_header_word;
use super::kind::{Kind, kind_of};
use super::layout::{ColumnLooks, Layout, column_names, text_schema};
use super::record::{Bounds, Parser, Quotes, Record, Step};
use super::rows::escape_bytes;
use super::sniff::modal_width;
use crate::output::strip_guard;
use crate::{Limits, Reject, Skipped};

/// Records of the sample that the decision looks at.
const SAMPLE_RECORDS: usize = 1_000;
/// Rows that a header has, at most.
const MAX_HEADER_ROWS: usize = 3;

/// What the caller fixed beforehand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FixedShape {
    /// Line of the header, 0 for none.
    pub header_row: Option<u64>,
    pub skip_rows: Option<u64>,
}

/// The layout, and what stood above the data.
pub(super) struct Shaped {
    pub layout: Layout,
    pub skipped: Vec<Skipped>,
    pub rejects: Vec<Reject>,
    /// Line of the last header row.
    pub header_row: Option<u64>,
    pub reasons: Vec<String>,
    pub warnings: Vec<String>,
}

struct SampleRow {
    line: u64,
    start: usize,
    next: usize,
    end: usize,
    n_lines: u64,
    cells: Vec<Vec<u8>>,
    quoted: Vec<bool>,
    is_comment: bool,
}

impl SampleRow {
    fn n_filled(&self) -> usize {
        self.cells.iter().filter(|cell| !cell.trim_ascii().is_empty()).count()
    }

    /// Cells without the blank ones at the end.
    fn width(&self) -> usize {
        self.cells.iter().rposition(|cell| !cell.trim_ascii().is_empty()).map_or(0, |idx| idx + 1)
    }
}

/// Decides on the shape of `text`, read with `syntax`; `start` is where reading begins (after a `sep=` line, say), on `line`.
pub(super) fn shape(text: &[u8], start: usize, line: u64, is_whole: bool, syntax: Syntax, fixed: FixedShape, limits: &Limits) -> Shaped {
    let rows = sample_rows(text, start, line, is_whole, &syntax, limits);
    let mut reasons = Vec::new();
    let mut warnings = Vec::new();
    let n_cells = modal_width(rows.iter().filter(|row| row.n_filled() > 0 && !row.is_comment).map(|row| row.cells.len()));
    let first_allowed = fixed.skip_rows.map_or(0, |n_skipped| rows.iter().position(|row| row.line > n_skipped).unwrap_or(rows.len()));
    // The rows of the header, or where the data begins without one.
    let (header, data) = match fixed.header_row {
        Some(0) => {
            reasons.push("no header row, as told".to_owned());
            let first = table_start(&rows, first_allowed, n_cells);
            (first..first, first)
        }
        Some(wanted) => {
            let at = rows.iter().position(|row| row.line + row.n_lines > wanted).unwrap_or(rows.len());
            reasons.push(format!("header on row {wanted}, as told"));
            (at..(at + 1).min(rows.len()), (at + 1).min(rows.len()))
        }
        None => find_header(&rows, first_allowed, n_cells, &mut reasons),
    };
    let titles = header_titles(&rows[header.clone()]);
    let body = &rows[data..];
    let n_body = body_cells(body, rows[header.clone()].last().map(|row| row.cells.len()));
    let body_width = body.iter().filter(|row| row.cells.len() == n_body).map(SampleRow::width).max().unwrap_or(0);
    let has_body = body.iter().any(|row| row.n_filled() > 0);
    let title_width = titles.iter().rposition(|title| !title.is_empty()).map_or(0, |idx| idx + 1);
    // A trailing delimiter makes a column that nobody named and nobody filled.
    let n_columns = if header.is_empty() {
        if has_body { body_width.max(1) } else { n_cells }
    } else {
        title_width.max(if has_body { body_width } else { 0 }).max(1)
    };
    let mut titles = titles;
    let header_cells_n = rows[header.clone()].last().map_or(0, |row| row.cells.len());
    if !header.is_empty() && has_body && header_cells_n + 1 == body_width && is_row_numbers(body, n_body) {
        titles.insert(0, String::new());
        reasons.push("the first column holds row numbers that the header does not name".to_owned());
    } else if !header.is_empty() && has_body && title_width < body_width {
        warnings.push(format!("the header names {title_width} columns and the rows have {body_width}"));
    }
    titles.resize(n_columns, String::new());
    let titles: Vec<String> = titles.iter().map(|title| strip_guard(title).to_owned()).collect();
    let names = column_names(&titles);
    let mut columns = vec![ColumnLooks::default(); n_columns];
    for row in body.iter().filter(|row| row.cells.len() == n_body) {
        for (looks, (cell, quoted)) in columns.iter_mut().zip(row.cells.iter().zip(&row.quoted)) {
            looks.add(cell, *quoted);
        }
    }
    let spare_cells = has_body && n_body > n_columns;
    let (mut skipped, mut rejects) = (Vec::new(), Vec::new());
    let above = &rows[..header.start.min(data)];
    // Several rows of values above the header are no titles.
    let is_data = |row: &&SampleRow| row.n_filled() >= 3 && row.cells.iter().any(|cell| kind_of(cell).is_value());
    let has_table_above = above.iter().filter(is_data).count() >= 3 && first_allowed == 0;
    for row in above {
        let raw = escape_bytes(&text[row.start..row.end.min(row.start + limits.raw_bytes)]);
        let reason = match row {
            row if row.n_filled() == 0 => "blank",
            row if row.is_comment => "comment",
            row if has_table_above && row.n_filled() >= 3 => {
                rejects.push(Reject {
                    row: row.line,
                    column: None,
                    reason: "a row of another table, which stands above this one".to_owned(),
                    raw,
                });
                continue;
            }
            _ => "title",
        };
        skipped.push(Skipped { row: row.line, reason: reason.to_owned(), raw });
    }
    let header_row = rows[header.clone()].last().map(|row| row.line);
    let (data_start, data_line) = match rows.get(data) {
        Some(row) => (row.start, row.line),
        None => rows.last().map_or((start, line), |row| (row.next, row.line + row.n_lines)),
    };
    let header_cells = rows[header.clone()].iter().filter(|row| row.n_filled() > 0).map(|row| row.cells.clone()).collect();
    let header_starts =
        rows[header].iter().map(|row| text[row.start..row.end.min(row.start + 8)].to_vec()).filter(|start| !start.is_empty()).collect();
    Shaped {
        layout: Layout {
            syntax,
            schema: text_schema(&names),
            header: header_cells,
            header_starts,
            data_start,
            data_line,
            columns,
            spare_cells,
        },
        skipped,
        rejects,
        header_row,
        reasons,
        warnings,
    }
}

fn sample_rows(text: &[u8], start: usize, line: u64, is_whole: bool, syntax: &Syntax, limits: &Limits) -> Vec<SampleRow> {
    let parser = Parser::new(syntax.clone(), Bounds { cell_bytes: limits.cell_bytes, cell_lines: limits.cell_lines as u64 });
    let mut record = Record::default();
    let (mut at, mut line) = (start, line);
    let mut rows = Vec::new();
    while rows.len() < SAMPLE_RECORDS {
        let mut step = parser.parse(text, at, is_whole, Quotes::AtEdges, &mut record);
        if step == Step::Runaway {
            step = parser.parse(text, at, is_whole, Quotes::InLine, &mut record);
        }
        if step != Step::Done {
            break;
        }
        let raw = &text[at..record.end];
        rows.push(SampleRow {
            line,
            start: at,
            next: record.next,
            end: record.end,
            n_lines: record.n_lines,
            cells: record.iter(text).map(<[u8]>::to_vec).collect(),
            quoted: record.cells.iter().map(|cell| cell.quoted).collect(),
            is_comment: syntax.comment.as_ref().is_some_and(|comment| raw.starts_with(comment)),
        });
        line += record.n_lines;
        at = record.next;
    }
    rows
}

/// Cells of most rows below the header; rows as wide as the header decide where they are as many.
fn body_cells(body: &[SampleRow], header_cells: Option<usize>) -> usize {
    let widths = || body.iter().filter(|row| row.n_filled() > 0 && !row.is_comment).map(|row| row.cells.len());
    let modal = modal_width(widths());
    let count = |wanted: usize| widths().filter(|width| *width == wanted).count();
    header_cells.filter(|width| count(*width) > 0 && count(*width) * 2 >= count(modal)).unwrap_or(modal)
}

/// The first row that can belong to the table: titles above it have fewer cells, or few filled ones.
fn table_start(rows: &[SampleRow], first_allowed: usize, n_cells: usize) -> usize {
    let mut filled: Vec<usize> =
        rows.iter().filter(|row| row.cells.len() == n_cells && row.n_filled() > 0).map(SampleRow::n_filled).collect();
    filled.sort_unstable();
    let typical = filled.get(filled.len() / 2).copied().unwrap_or(1);
    let enough = if n_cells <= 2 { typical.min(n_cells) } else { (typical / 2).max(2).min(typical) };
    let is_data_like = |row: &SampleRow| !row.is_comment && row.n_filled() > 0;
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

fn find_header(rows: &[SampleRow], first_allowed: usize, n_cells: usize, reasons: &mut Vec<String>) -> (std::ops::Range<usize>, usize) {
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
    match judge_header(row, &body) {
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
    above.cells.len() == rows[first].cells.len()
        && above.cells.len() >= 4
        && n_filled >= 2
        && !above.is_comment
        && rows[first].n_filled() == rows[first].cells.len()
        && above.cells.iter().all(|cell| matches!(kind_of(cell), Kind::Empty | Kind::Text) && cell.len() <= 40)
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
    let words = row.cells.iter().filter(|cell| std::str::from_utf8(cell).is_ok_and(is_header_word)).count();
    let (mut speaks_for, mut speaks_against) = (0_usize, 0_usize);
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
            _ => {}
        }
    }
    if words * 3 >= row.cells.len().max(1) && words > 0 && repeated * 4 <= body.len() * row.cells.len().max(1) {
        return Ok(format!("{words} of its {} cells are words that name columns", row.cells.len()));
    }
    if speaks_for > speaks_against {
        return Ok(format!("{speaks_for} columns hold values below it that it does not"));
    }
    if speaks_against > 0 {
        return Err(format!("row {} holds the same kinds of values as the rows below it", row.line));
    }
    if repeated > 0 && words == 0 {
        return Err(format!("words of row {} recur as values below it", row.line));
    }
    if words == 0 && kinds.iter().all(|kind| matches!(kind, Kind::Number | Kind::Empty)) {
        return Err(format!("row {} is all numbers", row.line));
    }
    Ok("the first row of the table; nothing below tells it from data, taken as its header".to_owned())
}

/// Years head columns of numbers.
fn is_year(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    cell.len() == 4 && cell.iter().all(u8::is_ascii_digit) && (cell.starts_with(b"19") || cell.starts_with(b"20"))
}

/// Whether row `at` goes on the header that begins at `first`.
fn continues_header(rows: &[SampleRow], first: usize, at: usize) -> bool {
    let (above, row) = (&rows[at - 1], &rows[at]);
    if row.is_comment || row.n_filled() == 0 || row.cells.iter().any(|cell| kind_of(cell).is_value()) {
        return false;
    }
    let body: Vec<&SampleRow> = rows[at + 1..].iter().filter(|row| row.n_filled() > 0 && !row.is_comment).take(300).collect();
    if body.is_empty() {
        return false;
    }
    let (mut n_typed, mut n_words) = (0_usize, 0_usize);
    for idx in 0..row.cells.len() {
        let mut looks = ColumnLooks::default();
        for cell in body.iter().filter_map(|row| row.cells.get(idx)) {
            looks.add(cell, false);
        }
        if looks.strict_kind().is_some() {
            n_typed += 1;
            n_words += usize::from(kind_of(&row.cells[idx]) != Kind::Empty);
        }
    }
    // Group titles leave gaps above the names; otherwise values of two columns have to tell header from data.
    let has_gaps = above.n_filled() < row.n_filled() && at - 1 == first && above.n_filled() * 3 <= row.cells.len() * 2;
    let named = row.cells.iter().filter(|cell| std::str::from_utf8(cell).is_ok_and(is_header_word)).count();
    (n_typed >= 2 && n_words == n_typed) || (has_gaps && (n_words > 0 || named * 3 >= row.cells.len()))
}

/// One title per column: the header rows' cells joined, group titles carried on to the columns they span.
fn header_titles(header: &[SampleRow]) -> Vec<String> {
    let width = header.iter().map(SampleRow::width).max().unwrap_or(0);
    let mut titles = vec![String::new(); width];
    for (idx, row) in header.iter().enumerate() {
        let is_last = idx + 1 == header.len();
        let mut group = String::new();
        for (column, title) in titles.iter_mut().enumerate() {
            let text = row.cells.get(column).map(|cell| escape_bytes(cell.trim_ascii())).unwrap_or_default();
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

/// Whether the first column counts 1, 2, 3.
fn is_row_numbers(body: &[SampleRow], n_cells: usize) -> bool {
    let numbers: Vec<Option<u64>> = body
        .iter()
        .filter(|row| row.cells.len() == n_cells)
        .take(50)
        .map(|row| std::str::from_utf8(&row.cells[0]).ok().and_then(|cell| cell.trim().parse().ok()))
        .collect();
    numbers.len() >= 2
        && numbers.iter().all(Option::is_some)
        && numbers.windows(2).all(|pair| pair[1].zip(pair[0]).is_some_and(|(next, before)| next == before + 1))
}
