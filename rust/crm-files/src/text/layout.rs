//! What was decided about a text file before its rows are read.
use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::dialect::Syntax;
use super::kind::{Kind, kind_of};

/// Syntax, columns and where the data begins.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub syntax: Syntax,
    pub schema: SchemaRef,
    /// The header rows' cells, to know them again on later pages. Empty where there is no header.
    pub header: Vec<Vec<Vec<u8>>>,
    /// What a row begins with that may be such a header.
    pub header_starts: Vec<Vec<u8>>,
    /// Offset of the first data row in the decoded sample, and its line.
    pub data_start: usize,
    pub data_line: u64,
    pub columns: Vec<ColumnLooks>,
}

impl Layout {
    pub(super) fn n_columns(&self) -> usize {
        self.schema.fields().len()
    }
}

/// How the cells of a column look in the sample; tells which of several readings of a damaged row fits.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnLooks {
    counts: HashMap<Kind, usize>,
    n_filled: usize,
    n_empty: usize,
    n_leading_blank: usize,
}

impl ColumnLooks {
    pub(super) fn add(&mut self, cell: &[u8]) {
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
        if self.n_filled < 3 {
            return None;
        }
        self.counts.iter().find(|(kind, count)| kind.is_value() && **count * 20 >= self.n_filled * 19).map(|(kind, _)| *kind)
    }

    /// Whether `cell` could stand in this column.
    pub(super) fn accepts(&self, cell: &[u8]) -> bool {
        let kind = kind_of(cell);
        if kind == Kind::Empty {
            return self.n_empty > 0 || self.n_filled < 3;
        }
        match self.strict_kind() {
            Some(strict) => kind == strict,
            // A text column would not hold a lone e-mail, date or URL.
            None => {
                self.n_filled < 3
                    || !matches!(kind, Kind::Email | Kind::Url | Kind::Date)
                    || self.counts.get(&kind).is_some_and(|count| *count > 0)
            }
        }
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
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            if name.is_empty() { format!("column_{}", idx + 1) } else { name }
        })
        .collect();
    let mut names = Vec::with_capacity(wanted.len());
    for name in &wanted {
        let n_before = taken.get(name).copied().unwrap_or(0);
        let mut n = n_before + 1;
        let mut unique = if n == 1 { name.clone() } else { format!("{name}_{n}") };
        // "a", "a", "a_2": the name that a duplicate would take may stand in the header itself.
        while n > 1 && (wanted.contains(&unique) || taken.contains_key(&unique)) {
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
