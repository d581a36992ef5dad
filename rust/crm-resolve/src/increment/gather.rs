//! Cells of records from anywhere, normalized under the model.
use arrow_array::{Array, RecordBatch, StringArray};
use crm_core::{Control, Error, Result, Role};
use hashbrown::HashMap;

use super::{Cells, Setting};
use crate::block::Keys;
use crate::merge::{ConventionSample, SourceLayout, settle_conventions};
use crate::{Mapping, MatchedTables, Model, Records, RecordsBuilder, ResolveConfig};

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

/// What matching sees of each layout, under options that fit them.
pub struct Tables {
    matched: MatchedTables,
    /// The options, those that name columns of other layouts left out.
    pub config: ResolveConfig,
}

impl Tables {
    /// What matching sees of `layouts`.
    pub fn new(layouts: &[SourceLayout], config: &ResolveConfig) -> Result<Self> {
        let matched = MatchedTables::new(layouts, !config.unique_sources.is_empty())?;
        let mut config = config.clone();
        // A base sees tables come and go: a name that none of them has now is no mistake.
        config.ignore.retain(|name| {
            name.parse::<Role>().is_ok() || layouts.iter().any(|layout| layout.columns.iter().any(|column| column.name == *name))
        });
        Ok(Self { matched, config })
    }

    /// The mappings, one per layout.
    pub fn mappings(&self) -> Vec<Mapping> {
        self.matched.mappings()
    }

    /// The columns of a layout as its mapping names them.
    pub fn batch(&self, layout: usize, columns: &[StringArray]) -> Result<RecordBatch> {
        self.matched.batch(layout, columns, columns.first().map_or(0, Array::len))
    }
}
