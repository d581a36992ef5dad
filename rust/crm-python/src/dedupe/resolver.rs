//! The run's use of crm-resolve's matching in one place: rows to normalised records, records to scored pairs.
use std::sync::Arc;

use arrow_array::builder::Int8Builder;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use crm_core::{Control, Result, Role};
use crm_resolve::cluster::ClusterOptions;
use crm_resolve::merge::SourceLayout;
use crm_resolve::{Edge, EdgeBuffer, Mapping, Model, PairStats, Records, RecordsBuilder, ResolveConfig, Scorer, score_pairs};

/// Takes in rows of several sources as records of one shape.
pub struct Resolver {
    config: ResolveConfig,
    model: Option<Model>,
    builder: RecordsBuilder,
    schema: SchemaRef,
    /// Per column of `schema` and source its place in the source.
    places: Vec<Vec<Option<usize>>>,
    /// Place in `schema` of the column that says the source, where sources matter.
    source_place: Option<usize>,
    sources: Vec<String>,
}

/// Records, model and what pairs there are between them.
pub struct Resolved {
    pub records: Records,
    pub model: Model,
    pub config: ResolveConfig,
    pub stats: PairStats,
}

/// A column that all sources share, under the name that the first of them gives it.
struct SharedColumn {
    name: String,
    role: Option<Role>,
    /// The how-manieth column of its role it is in a source.
    ordinal: usize,
    places: Vec<Option<usize>>,
}

impl Resolver {
    pub fn new(layouts: &[SourceLayout], mut config: ResolveConfig, model: Option<Model>) -> Result<Self> {
        config.validate()?;
        let mut columns = share_columns(layouts);
        // Names as any source writes them are understood, and mean the column in all sources.
        let ignored: Vec<String> = config.ignore.drain(..).map(|name| shared_name(&columns, layouts, name)).collect();
        config.ignore = ignored;
        let source_place = (!config.unique_sources.is_empty()).then(|| {
            let at = columns.iter().position(|column| column.role == Some(Role::Source));
            at.unwrap_or_else(|| {
                columns.push(SharedColumn {
                    name: "source".to_owned(),
                    role: Some(Role::Source),
                    ordinal: 0,
                    places: vec![None; layouts.len()],
                });
                columns.len() - 1
            })
        });
        if source_place.is_none() {
            columns.retain(|column| column.role != Some(Role::Source));
        }
        let mapping = Mapping::new(columns.iter().map(|column| (column.name.clone(), column.role)))?;
        let fields: Vec<Field> = columns.iter().map(|column| Field::new(&column.name, DataType::Utf8, true)).collect();
        Ok(Self {
            builder: RecordsBuilder::new(&mapping, &config)?,
            config,
            model,
            schema: Arc::new(Schema::new(fields)),
            places: columns.into_iter().map(|column| column.places).collect(),
            source_place,
            sources: layouts.iter().map(|layout| layout.source.clone()).collect(),
        })
    }

    /// Adds rows of a source.
    pub fn push(&mut self, layout: usize, columns: &[StringArray], n_rows: usize) -> Result<()> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.places.len());
        for places in &self.places {
            arrays.push(match places[layout] {
                Some(place) => Arc::new(columns[place].clone()),
                None => new_null_array(&DataType::Utf8, n_rows),
            });
        }
        if let Some(place) = self.source_place {
            let named = &arrays[place];
            let named: &StringArray = arrow_array::cast::AsArray::as_string(named);
            let own = self.sources[layout].as_str();
            let filled: StringArray = (0..n_rows)
                .map(|row| Some(if named.is_valid(row) && !named.value(row).is_empty() { named.value(row) } else { own }))
                .collect();
            arrays[place] = Arc::new(filled);
        }
        self.builder.push(&RecordBatch::try_new(self.schema.clone(), arrays)?)
    }

    /// Fits the model, unless one was given, and scores all candidate pairs.
    pub fn resolve(self, control: &dyn Control) -> Result<(Resolved, Vec<Edge>)> {
        let Self { config, model, builder, .. } = self;
        let records = builder.finish();
        control.check()?;
        let model = match model {
            Some(model) => model,
            None => {
                control.progress("fitting", 0, 1);
                let model = Model::fit(&records, &config, control)?;
                control.progress("fitting", 1, 1);
                model
            }
        };
        let edges = EdgeBuffer::default();
        let stats = score_pairs(&records, &model, &config, control, &edges)?;
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

    /// Per comparison the level of each pair.
    pub fn levels(&self, pairs: &[Edge]) -> Result<Vec<ArrayRef>> {
        let scorer = self.scorer()?;
        let mut cache = crm_resolve::compare::LevelCache::default();
        let mut columns: Vec<Int8Builder> = scorer.comparison_names().iter().map(|_| Int8Builder::with_capacity(pairs.len())).collect();
        for pair in pairs {
            for (column, level) in columns.iter_mut().zip(scorer.agreement_pattern(pair.a, pair.b, &mut cache)) {
                column.append_value(level as i8);
            }
        }
        Ok(columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect())
    }
}

fn share_columns(layouts: &[SourceLayout]) -> Vec<SharedColumn> {
    let mut shared: Vec<SharedColumn> = Vec::new();
    for (index, layout) in layouts.iter().enumerate() {
        let mut n_of_role = std::collections::HashMap::new();
        for (place, column) in layout.columns.iter().enumerate() {
            let ordinal = match column.role {
                Some(role) => {
                    let n: &mut usize = n_of_role.entry(role).or_default();
                    *n += 1;
                    *n - 1
                }
                None => 0,
            };
            let is_same = |other: &&mut SharedColumn| match column.role {
                Some(_) => other.role == column.role && other.ordinal == ordinal,
                None => other.role.is_none() && other.name == column.name,
            };
            match shared.iter_mut().find(is_same) {
                Some(known) => known.places[index] = Some(place),
                None => {
                    let mut name = column.name.clone();
                    while shared.iter().any(|other| other.name == name) {
                        name.push('_');
                    }
                    let mut places = vec![None; layouts.len()];
                    places[index] = Some(place);
                    shared.push(SharedColumn { name, role: column.role, ordinal, places });
                }
            }
        }
    }
    shared
}

fn shared_name(columns: &[SharedColumn], layouts: &[SourceLayout], name: String) -> String {
    let is_meant = |column: &&SharedColumn| {
        let mut places = column.places.iter().zip(layouts);
        places.any(|(place, layout)| place.is_some_and(|place| layout.columns[place].name == name))
    };
    columns.iter().find(is_meant).map_or(name.clone(), |column| column.name.clone())
}
