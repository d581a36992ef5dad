//! What matching sees of each table of the input.
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use crm_core::{Error, Result, Role};

use crate::Mapping;
use crate::merge::SourceLayout;

/// The columns of layouts that take part in matching, and the source's name where it matters.
pub struct MatchedTables(Vec<(Mapping, Table)>);

struct Table {
    schema: SchemaRef,
    /// Per column of `schema` its place in the layout; `None` for the source's own name.
    places: Vec<Option<usize>>,
    source: String,
}

/// Stands for the column that says the source; no header is named so.
const SOURCE_COLUMN: &str = "\u{1}source";

impl MatchedTables {
    /// What matching sees of `layouts`; where no source is free of duplicates, which one a record is of says nothing about who it is.
    pub fn new(layouts: &[SourceLayout], sources_matter: bool) -> Result<Self> {
        layouts.iter().map(|layout| table(layout, sources_matter)).collect::<Result<_>>().map(Self)
    }

    /// The mappings, one per layout.
    pub fn mappings(&self) -> Vec<Mapping> {
        self.0.iter().map(|(mapping, _)| mapping.clone()).collect()
    }

    /// The sources' own names, one per layout.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, table)| table.source.as_str())
    }

    /// `n_rows` rows of a layout's `columns`, as its mapping names them.
    pub fn batch(&self, layout: usize, columns: &[StringArray], n_rows: usize) -> Result<RecordBatch> {
        let (_, table) = self.0.get(layout).ok_or_else(|| Error::internal(format!("there is no layout {layout}")))?;
        let arrays = table.places.iter().zip(table.schema.fields()).map(|(place, field)| -> ArrayRef {
            match place {
                Some(place) if field.name() == SOURCE_COLUMN => {
                    let named = &columns[*place];
                    let name = |row: usize| if named.is_valid(row) { named.value(row).trim() } else { "" };
                    let own = table.source.as_str();
                    Arc::new((0..n_rows).map(|row| Some(if name(row).is_empty() { own } else { name(row) })).collect::<StringArray>())
                }
                Some(place) => Arc::new(columns[*place].clone()),
                None => Arc::new((0..n_rows).map(|_| Some(table.source.as_str())).collect::<StringArray>()),
            }
        });
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        Ok(RecordBatch::try_new_with_options(table.schema.clone(), arrays.collect(), &options)?)
    }
}

fn table(layout: &SourceLayout, sources_matter: bool) -> Result<(Mapping, Table)> {
    let mut columns: Vec<(String, Option<Role>, Option<usize>)> = Vec::new();
    for (place, column) in layout.columns.iter().enumerate().filter(|(_, column)| column.role != Some(Role::Source)) {
        columns.push((column.name.clone(), column.role, Some(place)));
    }
    if sources_matter {
        columns.push((SOURCE_COLUMN.to_owned(), Some(Role::Source), layout.places_of(Role::Source).first().copied()));
    }
    let mapping = Mapping::new(columns.iter().map(|(name, role, _)| (name.clone(), *role)))?;
    let fields: Vec<Field> = columns.iter().map(|(name, _, _)| Field::new(name, DataType::Utf8, true)).collect();
    let places = columns.into_iter().map(|(_, _, place)| place).collect();
    Ok((mapping, Table { schema: Arc::new(Schema::new(fields)), places, source: layout.source.clone() }))
}
