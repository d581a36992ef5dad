//! Which row of a sheet is its header.
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::grid::raw;
use super::sheet::Row;
use crate::{ReadOptions, Skipped};

/// What was decided about a sheet.
pub(super) struct Shape {
    pub schema: SchemaRef,
    /// Physical row of the (last) header row.
    pub header_row: Option<u64>,
    /// The header rows' filled cells, to know them again.
    pub header: Vec<Vec<String>>,
    /// Position of the first data row in the sample.
    pub first_data: usize,
    pub skipped: Vec<Skipped>,
    pub reasons: Vec<String>,
    pub warnings: Vec<String>,
}

/// Decides from the sample; `columns` are those that have a value in it.
pub(super) fn shape_of(sample: &[Row], columns: &[u32], options: &ReadOptions) -> Shape {
    let first_allowed = options.skip_rows.map_or(0, |skip| sample.iter().position(|row| row.number > skip).unwrap_or(sample.len()));
    let mut reasons = Vec::new();
    let header_at = match options.header_row {
        Some(0) => None,
        Some(wanted) => sample.iter().position(|row| row.number >= wanted),
        None => {
            let mut filled: Vec<usize> = sample[first_allowed..].iter().map(|row| row.cells.len()).collect();
            filled.sort_unstable();
            let typical = filled.get(filled.len() / 2).copied().unwrap_or(1);
            sample[first_allowed..].iter().position(|row| row.cells.len() * 2 >= typical).map(|position| first_allowed + position)
        }
    };
    let names = match header_at {
        Some(at) => {
            reasons.push(format!("header on row {}", sample[at].number));
            columns.iter().map(|column| cell_at(&sample[at], *column).unwrap_or("").to_owned()).collect()
        }
        None => vec![String::new(); columns.len()],
    };
    let first_data = header_at.map_or(first_allowed, |at| at + 1);
    let skipped = sample[..header_at.unwrap_or(first_allowed)]
        .iter()
        .map(|row| Skipped { row: row.number, reason: "title".to_owned(), raw: raw(row, options.limits.raw_bytes) })
        .collect();
    let fields: Vec<Field> = unique(&names).into_iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let header =
        header_at.map(|at| (0..sample[at].cells.len()).map(|index| sample[at].cell(index).1.to_owned()).collect()).into_iter().collect();
    Shape {
        schema: Arc::new(Schema::new(fields)),
        header_row: header_at.map(|at| sample[at].number),
        header,
        first_data,
        skipped,
        reasons,
        warnings: Vec::new(),
    }
}

fn cell_at(row: &Row, column: u32) -> Option<&str> {
    (0..row.cells.len()).map(|index| row.cell(index)).find(|(at, _)| *at == column).map(|(_, text)| text)
}

fn unique(names: &[String]) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    // 16,384 columns may all have one name: where counting stopped is remembered.
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut unique = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        let base = if name.is_empty() { format!("column_{}", index + 1) } else { name };
        let mut candidate = base.clone();
        let number = numbers.entry(base.clone()).or_insert(1);
        while taken.contains(&candidate) {
            *number += 1;
            candidate = format!("{base}_{number}");
        }
        taken.insert(candidate.clone());
        unique.push(candidate);
    }
    unique
}

/// Whether a row sums up the others.
pub(super) fn is_total(row: &Row) -> bool {
    let mut filled = (0..row.cells.len()).map(|index| row.cell(index).1.trim()).filter(|text| !text.is_empty());
    let Some(first) = filled.next() else { return false };
    let word = first.trim_matches(|character: char| !character.is_alphanumeric()).to_lowercase();
    matches!(
        word.as_str(),
        "total" | "grand total" | "sum" | "subtotal" | "итого" | "всего" | "итог" | "kopā" | "pavisam" | "summe" | "gesamt"
    ) && filled.all(|text| text.parse::<f64>().is_ok())
}

/// Whether a row at the end of a sheet is a remark: one cell where the others have many.
pub(super) fn is_footer(row: &Row, n_columns: usize) -> bool {
    n_columns >= 3 && row.cells.len() == 1
}
