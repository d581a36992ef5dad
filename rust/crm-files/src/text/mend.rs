//! Rows with more cells than columns: the one place where they can be put right, if there is one.
use super::layout::Layout;
use super::record::Record;

pub(super) fn join(layout: &Layout, input: &[u8], record: &Record, first: usize, last: usize) -> Vec<u8> {
    let cells: Vec<&[u8]> = (first..=last).map(|idx| record.cell(input, idx)).collect();
    cells.join(layout.syntax.delimiter.as_slice())
}

/// How a row with too many cells is certainly put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mend {
    /// Cells `.0..=.1` are one: a delimiter stood within it.
    Joining(usize, usize),
    /// Cells `.0..=.1` are empty, and none of the table: a delimiter was written twice.
    Without(usize, usize),
}

/// The one way in which every cell fits its column; `None` where there are several, or none.
pub(super) fn certain_mend(layout: &Layout, input: &[u8], record: &Record) -> Option<Mend> {
    let n_columns = layout.n_columns();
    let n_extra = record.cells.len().checked_sub(n_columns)?;
    if n_columns < 2 || n_extra == 0 || n_extra > 8 {
        return None;
    }
    let fits = |idx: usize, cell: usize| layout.columns.get(idx).is_some_and(|looks| looks.accepts(record.cell(input, cell)));
    let is_empty = |idx: usize| record.cell(input, idx).trim_ascii().is_empty();
    // How many of the first cells fit, how many of the last columns their cells from behind, and where the last filled cell was.
    let n_before = (0..n_columns).take_while(|idx| fits(*idx, *idx)).count();
    let n_behind = (0..n_columns).rev().take_while(|idx| fits(*idx, idx + n_extra)).count();
    // Places where all other cells fit their columns, and whether the joined one does too.
    let mut joins = Vec::new();
    let mut drops: Vec<usize> = Vec::new();
    let mut n_empty = 0;
    for first in (0..=n_columns).take_while(|first| *first <= n_before) {
        let last = first + n_extra;
        // Left out: the cells from here on, before the one that then stands in this column.
        if (first..last).all(is_empty) && n_columns - first <= n_behind {
            // Which of several empty cells side by side is left out makes no difference.
            let is_same = drops.last().is_some_and(|known| first - known <= n_empty);
            if !is_same {
                drops.push(first);
            }
        }
        n_empty = if is_empty(first) { n_empty + 1 } else { 0 };
        if first == n_columns || n_columns - first - 1 > n_behind || (first..=last).any(|idx| record.cells[idx].quoted) {
            continue;
        }
        let parts: Vec<&[u8]> = (first..=last).map(|idx| record.cell(input, idx)).collect();
        joins.push((first, last, layout.columns[first].accepts_joined(&join(layout, input, record, first, last), &parts)));
    }
    // No text begins or ends with a delimiter where leaving out an empty cell explains it.
    if !drops.is_empty() {
        joins.retain(|(first, last, fits)| *fits && !is_empty(*first) && !is_empty(*last));
    }
    match (drops.as_slice(), joins.as_slice()) {
        ([only], []) => return Some(Mend::Without(*only, only + n_extra - 1)),
        ([_, ..], _) => return None,
        ([], [(first, last, _)]) => return Some(Mend::Joining(*first, *last)),
        ([], _) => {}
    }
    let found: Vec<(usize, usize)> = joins.into_iter().filter(|place| place.2).map(|place| (place.0, place.1)).collect();
    if let [(first, last)] = found.as_slice() {
        return Some(Mend::Joining(*first, *last));
    }
    // "Smith, John": among the places that fit, the only one where every later part begins with a blank.
    let mut spaced = found.iter().filter(|(first, last)| {
        !layout.columns[*first].may_begin_blank() && (first + 1..=*last).all(|idx| record.cell(input, idx).starts_with(b" "))
    });
    match (spaced.next(), spaced.next()) {
        (Some((first, last)), None) => Some(Mend::Joining(*first, *last)),
        _ => None,
    }
}
