//! The run's use of crm-resolve's matching in one place: rows to normalised records, records to scored pairs.
use std::sync::Arc;

use arrow_array::builder::Int8Builder;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use crm_core::{Control, Result, Role};
use crm_resolve::cluster::ClusterOptions;
use crm_resolve::merge::{ConventionSample, SourceLayout, settle_conventions};
use crm_resolve::{Edge, EdgeBuffer, Mapping, Model, PairStats, Prepared, Records, RecordsBuilder, ResolveConfig, Scorer, score_prepared};

/// Takes in rows of several sources.
pub struct Resolver {
    config: ResolveConfig,
    model: Option<Model>,
    builder: RecordsBuilder,
    tables: Vec<Table>,
}

/// What matching sees of a source.
struct Table {
    schema: SchemaRef,
    /// Per column of `schema` its place in the source; `None` for the source's own name.
    places: Vec<Option<usize>>,
    source: String,
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
        // Where no source is free of duplicates, which one a record is of says nothing about who it is.
        let sources_matter = !config.unique_sources.is_empty();
        let tables: Vec<(Mapping, Table)> = layouts.iter().map(|layout| table(layout, sources_matter)).collect::<Result<_>>()?;
        let (mappings, tables): (Vec<Mapping>, Vec<Table>) = tables.into_iter().unzip();
        let builder = match &model {
            Some(model) => RecordsBuilder::under_model(&mappings, &config, model)?,
            None => RecordsBuilder::for_mappings(&mappings, &config)?,
        };
        Ok(Self { builder, config, model, tables })
    }

    /// Adds rows of a source.
    pub fn push(&mut self, layout: usize, columns: &[StringArray], n_rows: usize) -> Result<()> {
        let table = &self.tables[layout];
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
        self.builder.push_mapped(layout, &RecordBatch::try_new_with_options(table.schema.clone(), arrays.collect(), &options)?)
    }

    /// Bytes held, about.
    pub fn memory(&self) -> usize {
        self.builder.len() * self.tables.iter().map(|table| table.places.len()).max().unwrap_or(0) * 4
    }

    /// Fits the model, unless one was given, and scores all candidate pairs; `samples` show how each table writes values.
    pub fn resolve(self, samples: &[ConventionSample], control: &dyn Control) -> Result<(Resolved, Vec<Edge>)> {
        let Self { config, model, builder, tables } = self;
        let mut records = builder.finish();
        control.check()?;
        let (model, prepared) = match model {
            Some(model) => {
                let prepared = Prepared::new(&records, &model);
                (model, prepared)
            }
            None => {
                control.progress("fitting", 0, 1);
                let (mut model, prepared) = Model::fit_prepared(&mut records, &config, control)?;
                let samples = tables.iter().map(|table| table.source.as_str()).zip(samples);
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

/// Stands for the column that says the source; no header is named so.
const SOURCE_COLUMN: &str = "\u{1}source";

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
