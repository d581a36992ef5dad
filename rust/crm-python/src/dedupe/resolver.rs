//! The run's use of crm-resolve's matching in one place: rows to normalised records, records to scored pairs.
use std::sync::Arc;

use arrow_array::builder::Int8Builder;
use arrow_array::{ArrayRef, StringArray};
use crm_core::{Control, Result};
use crm_resolve::cluster::ClusterOptions;
use crm_resolve::merge::{ConventionSample, SourceLayout, settle_conventions};
use crm_resolve::{
    Edge, EdgeBuffer, MatchedTables, Model, PairStats, Prepared, Records, RecordsBuilder, ResolveConfig, Scorer, room_for_blocking,
    score_prepared,
};

/// Takes in rows of several sources.
pub struct Resolver {
    config: ResolveConfig,
    model: Option<Model>,
    builder: RecordsBuilder,
    tables: MatchedTables,
}

/// Records, model and what pairs there are between them.
pub struct Resolved {
    pub records: Records,
    pub model: Model,
    pub config: ResolveConfig,
    pub stats: PairStats,
}

impl Resolver {
    pub fn new(layouts: &[SourceLayout], config: ResolveConfig, model: Option<Model>) -> Result<Self> {
        let tables = MatchedTables::new(layouts, !config.unique_sources.is_empty())?;
        let mappings = tables.mappings();
        let builder = match &model {
            Some(model) => RecordsBuilder::under_model(&mappings, &config, model)?,
            None => RecordsBuilder::for_mappings(&mappings, &config)?,
        };
        Ok(Self { builder, config, model, tables })
    }

    /// Adds rows of a source.
    pub fn push(&mut self, layout: usize, columns: &[StringArray], n_rows: usize) -> Result<()> {
        self.builder.push_mapped(layout, &self.tables.batch(layout, columns, n_rows)?)
    }

    /// Bytes held, about.
    pub fn memory(&self) -> usize {
        self.builder.memory_bytes()
    }

    /// Fits the model, unless one was given, and scores all candidate pairs; `samples` show how each table writes values.
    ///
    /// `limit` are bytes that the run may take, of which `held` are taken already.
    pub fn resolve(
        self,
        samples: &[ConventionSample],
        limit: Option<u64>,
        held: u64,
        control: &dyn Control,
    ) -> Result<(Resolved, Vec<Edge>)> {
        let Self { mut config, model, builder, tables } = self;
        let mut records = builder.finish();
        config.room = limit.map(|limit| room_for_blocking(&records, limit, held)).transpose()?;
        control.check()?;
        let (model, prepared) = match model {
            Some(model) => {
                let prepared = Prepared::within(&records, &model, &config);
                (model, prepared)
            }
            None => {
                control.progress("fitting", 0, 1);
                let (mut model, prepared) = Model::fit_prepared(&mut records, &config, control)?;
                let samples = tables.sources().zip(samples);
                (model.reading.sources, model.reading.others) = settle_conventions(samples, &config);
                control.progress("fitting", 1, 1);
                (model, prepared)
            }
        };
        let edges = EdgeBuffer::default();
        let stats = score_prepared(&records, &model, prepared, &config, control, &edges)?;
        Ok((Resolved { records, model, config, stats }, edges.into_edges()))
    }
}

impl Resolved {
    pub fn cluster_options(&self) -> ClusterOptions {
        ClusterOptions { match_threshold: self.config.match_weight(), ..ClusterOptions::default() }
    }

    pub fn scorer(&self) -> Result<Scorer<'_>> {
        Scorer::new(&self.records, &self.model, &self.config)
    }

    /// The names of the comparisons.
    pub fn comparison_names(&self) -> Vec<String> {
        self.model.comparer(&self.records).comparisons().iter().map(|comparison| comparison.name.clone()).collect()
    }

    /// Per comparison the level of each pair.
    pub fn levels(&self, pairs: &[Edge]) -> Vec<ArrayRef> {
        let comparer = self.model.comparer(&self.records);
        let mut cache = crm_resolve::compare::LevelCache::default();
        let mut columns: Vec<Int8Builder> = comparer.comparisons().iter().map(|_| Int8Builder::with_capacity(pairs.len())).collect();
        for pair in pairs {
            for (column, level) in columns.iter_mut().zip(comparer.levels(pair.a, pair.b, &mut cache)) {
                column.append_value(level as i8);
            }
        }
        columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect()
    }
}
