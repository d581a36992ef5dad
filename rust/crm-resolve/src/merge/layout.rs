use arrow_array::{Array, StringArray};
use crm_core::Role;

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
    /// The places of the columns with a role.
    pub fn places_of(&self, role: Role) -> Vec<usize> {
        self.columns.iter().enumerate().filter(|(_, column)| column.role == Some(role)).map(|(place, _)| place).collect()
    }
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
