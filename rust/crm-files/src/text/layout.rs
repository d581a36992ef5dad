//! What was decided about a text file before its rows are read.
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::dialect::Syntax;
use super::kind::{Kind, kind_of};
use super::record::Record;

/// Syntax, columns and where the data begins.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub syntax: Syntax,
    pub schema: SchemaRef,
    /// The header rows' cells, to know them again on later pages. Empty where there is no header.
    pub header: Vec<Vec<Vec<u8>>>,
    /// What the first cell of a row begins with that may be such a header; nothing where that cell is blank.
    pub header_starts: Vec<Vec<u8>>,
    /// Offset of the first data row in the decoded sample, and its line.
    pub data_start: usize,
    pub data_line: u64,
    pub columns: Vec<ColumnLooks>,
    /// Rows end with a delimiter as a rule.
    pub spare_cells: bool,
    /// Cells that rows have as a rule: more than columns where they end with delimiters.
    pub row_cells: usize,
}

impl Layout {
    pub(super) fn n_columns(&self) -> usize {
        self.schema.fields().len()
    }

    /// Whether a record has as many cells as rows have, those beyond the columns blank.
    pub(super) fn fits(&self, input: &[u8], record: &Record) -> bool {
        let (n_columns, n_cells) = (self.n_columns(), record.cells.len());
        n_cells == n_columns
            || self.spare_cells
                && n_cells == self.row_cells
                && (n_columns..n_cells).all(|idx| record.cell(input, idx).trim_ascii().is_empty())
    }
}

/// How the cells of a column look in the sample; tells which of several readings of a damaged row fits.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnLooks {
    counts: HashMap<Kind, usize>,
    n_filled: usize,
    n_empty: usize,
    n_quoted: usize,
    n_leading_blank: usize,
}

impl ColumnLooks {
    pub(super) fn add(&mut self, cell: &[u8], quoted: bool) {
        self.n_quoted += usize::from(quoted);
        match kind_of(cell) {
            Kind::Empty => self.n_empty += 1,
            kind => {
                *self.counts.entry(kind).or_default() += 1;
                self.n_filled += 1;
                self.n_leading_blank += usize::from(cell.first() == Some(&b' '));
            }
        }
    }

    /// The kind that nearly all filled cells share, where it is one that a misplaced cell would break.
    pub(super) fn strict_kind(&self) -> Option<Kind> {
        if self.n_filled < 3 { None } else { self.kind_of_share(0.95) }
    }

    /// The value kind that at least this share of the filled cells has.
    pub(super) fn kind_of_share(&self, share: f64) -> Option<Kind> {
        let enough = |count: usize| count as f64 >= self.n_filled as f64 * share;
        self.counts.iter().find(|(kind, count)| kind.is_value() && enough(**count)).map(|(kind, _)| *kind)
    }

    /// Whether `cell` could stand in this column.
    pub(super) fn accepts(&self, cell: &[u8]) -> bool {
        let kind = kind_of(cell);
        if self.n_filled < 3 {
            return true;
        }
        match (kind, self.strict_kind()) {
            (Kind::Empty, _) => self.n_empty > 0,
            (_, Some(strict)) => kind == strict,
            // A column of words would not hold a lone e-mail, date or URL, and no number where it never does.
            (Kind::Email | Kind::Url | Kind::Date, None) => self.has(kind),
            (Kind::Number | Kind::Phone, None) => {
                self.n_filled < 10 || self.has(Kind::Number) || self.has(Kind::Phone) || self.has(Kind::Code)
            }
            _ => true,
        }
    }

    fn has(&self, kind: Kind) -> bool {
        self.counts.contains_key(&kind)
    }

    /// Whether a cell that was cut in `parts` could stand in this column: as a whole, or every part for itself.
    pub(super) fn accepts_joined(&self, whole: &[u8], parts: &[&[u8]]) -> bool {
        self.accepts(whole) && kind_of(whole) != Kind::Other || self.strict_kind().is_none() && parts.iter().all(|part| self.accepts(part))
    }

    /// Whether filled cells of this column are of one kind that this cell is not.
    pub(super) fn refuses(&self, cell: &[u8]) -> bool {
        let kind = kind_of(cell);
        kind != Kind::Empty && self.strict_kind().is_some_and(|strict| strict != kind)
    }

    /// Whether this cell is words and no other cell of the column is.
    pub(super) fn has_no_other_words(&self, cell: &[u8]) -> bool {
        kind_of(cell) == Kind::Text && self.n_filled >= 5 && self.counts.get(&Kind::Text).is_none_or(|count| *count <= 1)
    }

    /// Whether cells of this column stand in quotes as a rule.
    pub(super) fn is_always_quoted(&self) -> bool {
        self.n_quoted * 10 >= (self.n_filled + self.n_empty) * 9 && self.n_quoted > 0
    }

    /// Whether (nearly) every row has something in this column.
    pub(super) fn is_always_filled(&self) -> bool {
        // One blank may be the very note that is judged by this.
        self.n_empty <= (self.n_filled / 20).max(1) && self.n_filled >= 3
    }

    /// Whether more than one cell in fifty begins with a blank.
    pub(super) fn often_begins_blank(&self) -> bool {
        self.n_leading_blank > (self.n_filled / 50).max(1)
    }

    /// Whether cells of this column begin with a blank as a habit.
    pub(super) fn may_begin_blank(&self) -> bool {
        self.n_leading_blank > 0
    }
}

/// A schema of text columns.
pub(super) fn text_schema(names: &[String]) -> SchemaRef {
    Arc::new(Schema::new(names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect::<Vec<_>>()))
}

/// Names that are unique and not empty, made of what the header says.
pub(super) fn column_names(header: &[String]) -> Vec<String> {
    let mut taken: HashMap<String, usize> = HashMap::new();
    let wanted: Vec<String> = header
        .iter()
        .enumerate()
        .map(|(idx, name)| {
            // Arrow's C interface ends names at a NUL; other control characters help nobody either.
            let name: String = name.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            if name.is_empty() { format!("column_{}", idx + 1) } else { name }
        })
        .collect();
    let all: HashSet<&String> = wanted.iter().collect();
    let mut names = Vec::with_capacity(wanted.len());
    for name in &wanted {
        let n_before = taken.get(name).copied().unwrap_or(0);
        let mut n = n_before + 1;
        let mut unique = if n == 1 { name.clone() } else { format!("{name}_{n}") };
        // "a", "a", "a_2": the name that a duplicate would take may stand in the header itself.
        while n > 1 && (all.contains(&unique) || taken.contains_key(&unique)) {
            n += 1;
            unique = format!("{name}_{n}");
        }
        taken.insert(name.clone(), n);
        taken.entry(unique.clone()).or_insert(1);
        names.push(unique);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_filled() {
        let header = ["a", "a", "", "a_2", " b  c ", "column_3"].map(str::to_owned);
        let names = column_names(&header);
        assert_eq!(names, ["a", "a_3", "column_3", "a_2", "b c", "column_3_2"]);
    }
}
