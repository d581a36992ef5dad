use arrow_array::{Array, StringArray};
use crm_core::{Role, content_hash};

/// A column of a source as merging sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    /// Its name in the file.
    pub name: String,
    /// What it means; `None` for a custom field.
    pub role: Option<Role>,
}

/// One table of the input: its columns, in the order in which its batches hold them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLayout {
    /// The source's name, where no column says it.
    pub source: String,
    /// All columns.
    pub columns: Vec<SourceColumn>,
}

impl SourceLayout {
    /// The columns as (hash of the name, place), in an order that does not depend on their place in the file.
    pub fn columns_by_name(&self) -> Vec<(u64, usize)> {
        let mut columns: Vec<(u64, usize)> =
            self.columns.iter().enumerate().map(|(place, column)| (content_hash(column.name.as_bytes()), place)).collect();
        columns.sort_unstable();
        columns
    }

    /// The places of the columns with a role.
    pub fn places_of(&self, role: Role) -> Vec<usize> {
        self.columns.iter().enumerate().filter(|(_, column)| column.role == Some(role)).map(|(place, _)| place).collect()
    }
}

/// A hash of a row's filled cells with their columns' names; `by_name` are [`SourceLayout::columns_by_name`], `bytes` a buffer to reuse.
pub fn row_hash(columns: &[StringArray], by_name: &[(u64, usize)], row: usize, bytes: &mut Vec<u8>) -> u64 {
    bytes.clear();
    for (name, place) in by_name {
        let column = &columns[*place];
        if column.is_valid(row) && !column.value(row).is_empty() {
            let value = column.value(row);
            bytes.extend_from_slice(&name.to_le_bytes());
            bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
            bytes.extend_from_slice(value.as_bytes());
        }
    }
    content_hash(bytes)
}

/// Where a record is to be found in [`Rows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRef {
    /// Place of its batch.
    pub batch: u32,
    /// Row in the batch.
    pub row: u32,
}

/// Batches of original values that are at hand.
#[derive(Debug, Default)]
pub struct Rows {
    /// Per batch the place of its [`SourceLayout`], and its columns in the layout's order.
    pub batches: Vec<(usize, Vec<StringArray>)>,
}

impl Rows {
    /// The text of a cell, `None` where it is null.
    #[inline]
    pub fn text(&self, at: RowRef, column: usize) -> Option<&str> {
        let array = &self.batches[at.batch as usize].1[column];
        array.is_valid(at.row as usize).then(|| array.value(at.row as usize))
    }

    /// The layout of the batch that a row is in.
    #[inline]
    pub fn layout(&self, at: RowRef) -> usize {
        self.batches[at.batch as usize].0
    }
}
