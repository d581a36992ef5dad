//! Where the table begins, which rows are its header, and how many columns it has.
use super::chunk::n_mark_bytes;
use super::dialect::Syntax;
use super::escape::escape_decoded;
use super::header::{find_header, header_titles, table_start, uncomment_header};
use super::header_words::names_kind;
use super::kind::{Kind, kind_of};
use super::layout::{ColumnLooks, Layout, column_names, text_schema};
use super::record::{Bounds, Parser, Quotes, Record, Step};
use super::rows::is_rule;
use super::sniff::{modal_width, table_width};
use crate::spreadsheet_text::shown_title;
use crate::{Limits, Reject, Skipped};

/// Records of the sample that the decision looks at.
const SAMPLE_RECORDS: usize = 1_000;

/// What the caller fixed beforehand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FixedShape {
    /// Line of the header, 0 for none.
    pub header_row: Option<u64>,
    pub skip_rows: Option<u64>,
    /// Whether a first column that is blank stays one: the cells have places of their own.
    pub keeps_columns: bool,
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

/// A record of the sample.
pub(super) struct SampleRow {
    pub line: u64,
    pub start: usize,
    pub next: usize,
    pub end: usize,
    pub n_lines: u64,
    pub cells: Vec<Vec<u8>>,
    pub quoted: Vec<bool>,
    pub is_comment: bool,
    /// Of a header that is written as a comment: its first cell as it stands.
    pub commented: Option<Vec<u8>>,
}

impl SampleRow {
    pub(super) fn n_filled(&self) -> usize {
        self.cells.iter().filter(|cell| !cell.trim_ascii().is_empty()).count()
    }

    fn cells_as_they_stand(&self) -> Vec<Vec<u8>> {
        let first = self.commented.iter().chain(&self.cells[..usize::from(self.commented.is_none())]);
        first.chain(&self.cells[1..]).cloned().collect()
    }

    /// Whether it is a line that is drawn, `| --- | --- |`.
    pub(super) fn is_rule(&self) -> bool {
        self.n_filled() > 0 && is_rule(&self.cells.join(&b'|'))
    }

    /// Cells without the blank ones at the end.
    pub(super) fn width(&self) -> usize {
        self.cells.iter().rposition(|cell| !cell.trim_ascii().is_empty()).map_or(0, |idx| idx + 1)
    }
}

/// Decides on the shape of `text`, read with `syntax`; `start` is where reading begins (after a `sep=` line, say), on `line`.
pub(super) fn shape(
    text: &[u8],
    start: usize,
    line: u64,
    is_whole: bool,
    mut syntax: Syntax,
    fixed: FixedShape,
    limits: &Limits,
) -> Shaped {
    let n_told = fixed.skip_rows.max(fixed.header_row).unwrap_or(0) as usize;
    let mut rows = sample_rows(text, start, line, is_whole, &syntax, SAMPLE_RECORDS.saturating_add(n_told), limits);
    if let Some(comment) = &syntax.comment {
        uncomment_header(&mut rows, comment);
        if !rows.iter().any(|row| row.is_comment) {
            syntax.comment = None;
        }
    }
    let mut reasons = Vec::new();
    let mut warnings = Vec::new();
    let widths: Vec<usize> = rows.iter().filter(|row| row.n_filled() > 0 && !row.is_comment).map(|row| row.cells.len()).collect();
    let n_cells = table_width(&widths);
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
    let titles = mend_titles(titles, n_body, &mut warnings);
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
    } else if let [header] = &rows[header.clone()]
        && header.cells.len() + 1 == n_body
        && title_width + 1 == body_width
        && lacks_first_name(header, body, n_body)
    {
        titles.insert(0, String::new());
        warnings.push(format!("the header names {title_width} columns and the rows have {body_width}: the first one has no name"));
    } else if !header.is_empty() && has_body && title_width < body_width {
        warnings.push(format!("the header names {title_width} columns and the rows have {body_width}"));
    }
    titles.resize(n_columns, String::new());
    let names = column_names(&titles.iter().map(|title| shown_title(title).to_owned()).collect::<Vec<_>>());
    let mut columns = vec![ColumnLooks::default(); n_columns];
    for row in first_block(body).iter().filter(|row| row.cells.len() == n_body && row.n_filled() > 0) {
        for (looks, (cell, quoted)) in columns.iter_mut().zip(row.cells.iter().zip(&row.quoted)) {
            looks.add(cell, *quoted);
        }
    }
    let leads = titles.len() > 1
        && titles[0].is_empty()
        && !header.is_empty()
        && !(syntax.leads || fixed.keeps_columns)
        && rows[header.start..].iter().all(|row| row.cells.len() < 2 || row.is_rule() || row.cells[0].trim_ascii().is_empty());
    if leads {
        return shape(text, start, line, is_whole, Syntax { leads, ..syntax }, fixed, limits);
    }
    let spare_cells = has_body && n_body > n_columns;
    let (mut skipped, mut rejects) = (Vec::new(), Vec::new());
    let above = &rows[..header.start.min(data)];
    // Several rows of values above the header are no titles.
    let is_data = |row: &&SampleRow| row.n_filled() >= 3 && row.cells.iter().any(|cell| kind_of(cell).is_value());
    let has_table_above = above.iter().filter(is_data).count() >= 3 && first_allowed == 0;
    for row in above {
        let raw = &text[row.start..row.end.min(row.start + limits.raw_bytes)];
        let raw = escape_decoded(raw);
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
    let header_cells: Vec<Vec<Vec<u8>>> =
        rows[header].iter().filter(|row| row.n_filled() > 0).map(SampleRow::cells_as_they_stand).collect();
    let header_starts = header_cells.iter().map(|cells| header_start(&cells[0], &syntax)).collect();
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
            row_cells: n_body,
        },
        skipped,
        rejects,
        header_row,
        reasons,
        warnings,
    }
}

/// What tells a row that may be the header again, whether its cells are in quotes or not.
fn header_start(cell: &[u8], syntax: &Syntax) -> Vec<u8> {
    let first_quote = syntax.quote.as_ref().and_then(|(open, _)| memchr::memmem::find(cell, open)).unwrap_or(cell.len());
    cell[..first_quote.min(8)].to_vec()
}

fn sample_rows(text: &[u8], start: usize, line: u64, is_whole: bool, syntax: &Syntax, n_records: usize, limits: &Limits) -> Vec<SampleRow> {
    let parser = Parser::new(syntax.clone(), Bounds { cell_bytes: limits.cell_bytes, cell_lines: limits.cell_lines as u64 });
    let read = |n_cells: Option<usize>| read_sample(&parser, text, (start, line), is_whole, n_records, n_cells);
    let rows = read(None);
    let widths: Vec<usize> = rows.iter().map(|row| row.cells.len()).collect();
    let n_cells = table_width(&widths);
    // A quote that opens and does not close swallows the lines below it.
    if n_cells >= 3 && rows.iter().any(|row| row.n_lines > 1 && row.cells.len() != n_cells) {
        return read(Some(n_cells));
    }
    rows
}

/// The records of the sample; with `n_cells` those of several lines end with the first where that has so many cells.
fn read_sample(
    parser: &Parser,
    text: &[u8],
    (start, line): (usize, u64),
    is_whole: bool,
    n_records: usize,
    n_cells: Option<usize>,
) -> Vec<SampleRow> {
    let mut record = Record::default();
    let (mut at, mut line, mut in_line_to) = (start, line, start);
    let mut rows = Vec::new();
    while rows.len() < n_records {
        at += n_mark_bytes(&text[at..]);
        let quotes = if at < in_line_to { Quotes::InLine } else { Quotes::AtEdges };
        let mut step = parser.parse(text, at, is_whole, quotes, &mut record);
        if step == Step::Runaway {
            in_line_to = record.runaway_end;
        }
        let swallows = step == Step::Done && record.n_lines > 1 && n_cells.is_some_and(|n_cells| record.cells.len() != n_cells);
        if step == Step::Runaway || swallows {
            step = parser.parse(text, at, is_whole, Quotes::InLine, &mut record);
            if swallows && Some(record.cells.len()) != n_cells {
                step = parser.parse(text, at, is_whole, Quotes::AtEdges, &mut record);
            }
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
            commented: None,
            is_comment: parser.syntax.comment.as_ref().is_some_and(|comment| raw.starts_with(comment)),
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

/// The rows before the first blank one, where they hold most of the values: what follows may be notes or another table.
fn first_block(body: &[SampleRow]) -> &[SampleRow] {
    let end = body.iter().position(|row| row.n_filled() == 0).unwrap_or(body.len());
    let n_values = |rows: &[SampleRow]| rows.iter().map(SampleRow::n_filled).sum::<usize>();
    if n_values(&body[..end]) > n_values(&body[end..]) { &body[..end] } else { body }
}

/// Titles of a header with more cells than every row has: an empty one is left out, and one cut in two is put together, where that
/// makes them as many as the cells and there is one way to do it.
fn mend_titles(mut titles: Vec<String>, n_cells: usize, warnings: &mut Vec<String>) -> Vec<String> {
    let width = titles.iter().rposition(|title| !title.is_empty()).map_or(0, |idx| idx + 1);
    let Some(n_extra @ 1..=2) = width.checked_sub(n_cells).filter(|_| n_cells >= 3) else { return titles };
    let empty: Vec<usize> = (0..width).filter(|idx| titles[*idx].is_empty()).collect();
    if empty.len() == n_extra {
        titles.truncate(width);
        titles.retain(|title| !title.is_empty());
        warnings.push("the header has more cells than the rows; the empty ones were left out".to_owned());
    }
    titles
}

/// Whether the header, which has one name less than the rows have cells, lacks that of the first column: its names say so, or it is written as
/// R writes tables with names of rows, all of them unlike each other and in quotes.
fn lacks_first_name(header: &SampleRow, body: &[SampleRow], n_cells: usize) -> bool {
    let rows: Vec<&SampleRow> = body.iter().filter(|row| row.cells.len() == n_cells).take(300).collect();
    let kind_below = |idx: usize| {
        let mut looks = ColumnLooks::default();
        rows.iter().for_each(|row| looks.add(&row.cells[idx], false));
        looks.strict_kind()
    };
    // Names that promise a kind of values, and where that kind stands.
    let n_kept = |shift: usize| {
        let promised = header.cells.iter().enumerate().filter_map(|(idx, name)| Some((idx, names_kind(std::str::from_utf8(name).ok()?)?)));
        promised
            .filter(|(idx, kind)| {
                kind_below(idx + shift).is_some_and(|below| below == *kind || *kind == Kind::Phone && below == Kind::Number)
            })
            .count()
    };
    let mut names: Vec<&[u8]> = rows.iter().map(|row| row.cells[0].as_slice()).collect();
    let n_rows = names.len();
    names.sort_unstable();
    names.dedup();
    let is_quoted = |idx: usize| rows.iter().all(|row| row.quoted[idx]);
    let is_from_r = n_rows >= 3
        && names.len() == n_rows
        && header.quoted.iter().all(|quoted| *quoted)
        && is_quoted(0)
        && (1..n_cells).any(|idx| rows.iter().all(|row| !row.quoted[idx]));
    n_kept(1) > n_kept(0) || is_from_r && n_kept(1) == n_kept(0)
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
