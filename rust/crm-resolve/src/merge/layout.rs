use std::collections::BTreeSet;

use arrow_array::{Array, StringArray};
use crm_core::{Role, content_hash};
use hashbrown::HashMap;

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

/// Names for columns of the input beside those of our own: one that is ours gets `_original` appended, and a number where the input has that name
/// too.
///
/// ```
/// use crm_resolve::merge::names_beside_own;
/// let names = names_beside_own(["contact_id", "contact_id_original", "city"], |name| name == "contact_id");
/// assert_eq!(names["contact_id"], "contact_id_original_2");
/// assert_eq!(names["contact_id_original"], "contact_id_original");
/// ```
pub fn names_beside_own<'a>(names: impl IntoIterator<Item = &'a str>, is_own: impl Fn(&str) -> bool) -> HashMap<&'a str, String> {
    let names: BTreeSet<&str> = names.into_iter().collect();
    let mut taken: BTreeSet<String> = names.iter().filter(|name| !is_own(name)).map(|name| (*name).to_owned()).collect();
    let mut renamed: HashMap<&str, String> = HashMap::with_capacity(names.len());
    for name in names {
        let mut beside = name.to_owned();
        let mut number = 1;
        while is_own(&beside) || (is_own(name) && taken.contains(&beside)) {
            beside = if number == 1 { format!("{name}_original") } else { format!("{name}_original_{number}") };
            number += 1;
        }
        taken.insert(beside.clone());
        renamed.insert(name, beside);
    }
    renamed
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
