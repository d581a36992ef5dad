//! Cells of records from anywhere, normalized under the model.
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use crm_core::{Control, Error, Result, Role};
use hashbrown::HashMap;

use super::{Cells, Setting};
use crate::block::Keys;
use crate::merge::{ConventionSample, SourceLayout, settle_conventions};
use crate::{Mapping, Model, Records, RecordsBuilder, ResolveConfig};

/// Normalized records, by id.
pub struct Gathered {
    /// The records.
    pub records: Records,
    /// Their ids.
    pub ids: Vec<i64>,
    places: HashMap<i64, u32>,
    /// The blocking keys that fitting made on the way.
    pub(super) keys: Option<Keys>,
}

impl Gathered {
    /// Records with their ids, in the same order.
    pub fn new(records: Records, ids: Vec<i64>) -> Self {
        let places = ids.iter().enumerate().map(|(place, id)| (*id, place as u32)).collect();
        Self { records, ids, places, keys: None }
    }

    /// The place of a record.
    pub(super) fn place(&self, record: i64) -> Result<u32> {
        self.places.get(&record).copied().ok_or_else(|| Error::internal("a record's cells were not read"))
    }

    /// The place of a record, if it was read.
    pub(super) fn find(&self, record: i64) -> Option<u32> {
        self.places.get(&record).copied()
    }
}

/// Reads and normalizes records, under the setting's model.
pub fn normalize(setting: &Setting<'_>, records: &[i64], control: &dyn Control) -> Result<Gathered> {
    let tables = Tables::new(setting.layouts, setting.config)?;
    let mut builder = RecordsBuilder::under_model(&tables.mappings(), &tables.config, setting.model)?;
    let mut ids = Vec::with_capacity(records.len());
    setting.cells.read(records, &mut |layout, some, columns| {
        control.check()?;
        ids.extend_from_slice(some);
        builder.push_mapped(layout, &tables.batch(layout, &columns)?)
    })?;
    if ids.len() != records.len() {
        return Err(Error::internal("not all cells were read"));
    }
    Ok(Gathered::new(builder.finish(), ids))
}

/// Fits a model on all of `records`, which are normalized for that; `samples` show how each layout writes values.
pub fn fit(
    layouts: &[SourceLayout],
    config: &ResolveConfig,
    cells: &dyn Cells,
    records: &[i64],
    samples: &[ConventionSample],
    control: &dyn Control,
) -> Result<(Model, Gathered)> {
    let tables = Tables::new(layouts, config)?;
    let mut builder = RecordsBuilder::for_mappings(&tables.mappings(), &tables.config)?;
    let mut ids = Vec::with_capacity(records.len());
    cells.read(records, &mut |layout, some, columns| {
        control.check()?;
        ids.extend_from_slice(some);
        builder.push_mapped(layout, &tables.batch(layout, &columns)?)
    })?;
    let mut records = builder.finish();
    control.progress("fitting", 0, 1);
    let (mut model, prepared) = Model::fit_prepared(&mut records, &tables.config, control)?;
    let samples = layouts.iter().map(|layout| layout.source.as_str()).zip(samples);
    (model.reading.sources, model.reading.others) = settle_conventions(samples, &tables.config);
    control.progress("fitting", 1, 1);
    Ok((model, Gathered { keys: Some(prepared.into_keys()), ..Gathered::new(records, ids) }))
}

/// What matching sees of each layout.
pub struct Tables {
    tables: Vec<(Mapping, Table)>,
    /// The options, those that name columns of other layouts left out.
    pub config: ResolveConfig,
}

struct Table {
    schema: SchemaRef,
    /// Per column of `schema` its place in the layout; `None` for the source's own name.
    places: Vec<Option<usize>>,
    source: String,
}

/// Stands for the column that says the source; no header is named so.
const SOURCE_COLUMN: &str = "\u{1}source";

impl Tables {
    /// What matching sees of `layouts`.
    pub fn new(layouts: &[SourceLayout], config: &ResolveConfig) -> Result<Self> {
        // Where no source is free of duplicates, which one a record is of says nothing about who it is.
        let sources_matter = !config.unique_sources.is_empty();
        let tables: Vec<(Mapping, Table)> = layouts.iter().map(|layout| table(layout, sources_matter)).collect::<Result<_>>()?;
        let mut config = config.clone();
        // A base sees tables come and go: a name that none of them has now is no mistake.
        config.ignore.retain(|name| {
            name.parse::<Role>().is_ok() || layouts.iter().any(|layout| layout.columns.iter().any(|column| column.name == *name))
        });
        Ok(Self { tables, config })
    }

    /// The mappings, one per layout.
    pub fn mappings(&self) -> Vec<Mapping> {
        self.tables.iter().map(|(mapping, _)| mapping.clone()).collect()
    }

    /// The columns of a layout as its mapping names them.
    pub fn batch(&self, layout: usize, columns: &[StringArray]) -> Result<RecordBatch> {
        let (_, table) = self.tables.get(layout).ok_or_else(|| Error::internal(format!("there is no layout {layout}")))?;
        let n_rows = columns.first().map_or(0, Array::len);
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
