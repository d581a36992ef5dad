//! Building records from batches of text.
use std::collections::{BTreeMap, BTreeSet};

use arrow_array::RecordBatch;
use crm_core::{Error, Result, Role, TextColumn};
use hashbrown::HashMap;
use rayon::prelude::*;

use super::columns::{self, Group};
use super::{Field, IS_LIST, Kind, Records};
use crate::{Mapping, Model, Reading, ResolveConfig};

/// Builds [`Records`] from batches of text.
pub struct RecordsBuilder {
    groups: Vec<Group>,
    source_columns: Vec<Option<String>>,
    source_numbers: HashMap<String, u16>,
    source_names: Vec<String>,
    sources: Vec<u16>,
    rows: Vec<u32>,
    hashes: Vec<u64>,
    width: usize,
    reading: Reading,
    /// The fields of the model that decides, if one does.
    known: Option<BTreeSet<(String, Kind)>>,
}

impl RecordsBuilder {
    /// A builder for batches that have the mapping's columns.
    pub fn new(mapping: &Mapping, config: &ResolveConfig) -> Result<Self> {
        Self::for_mappings(std::slice::from_ref(mapping), config)
    }

    /// A builder for tables with different columns: the columns of one role meet, whatever each table calls them, and so do custom
    /// columns of one name.
    pub fn for_mappings(mappings: &[Mapping], config: &ResolveConfig) -> Result<Self> {
        Self::with_reading(mappings, config, Reading::configured(config), None)
    }

    /// As [`RecordsBuilder::for_mappings`], for records that `model` decides on: cells are read as they were when it was fitted, and columns
    /// that it does not know are left out. So each record comes out as it would have among those.
    pub fn under_model(mappings: &[Mapping], config: &ResolveConfig, model: &Model) -> Result<Self> {
        model.reading.check(config)?;
        Self::with_reading(mappings, config, model.reading.clone(), Some(model.fields()))
    }

    fn with_reading(
        mappings: &[Mapping],
        config: &ResolveConfig,
        reading: Reading,
        known: Option<BTreeSet<(String, Kind)>>,
    ) -> Result<Self> {
        config.validate()?;
        let groups = columns::groups(mappings, config, &reading, known.as_ref())?;
        let width = groups.iter().map(|group| group.fields().len()).sum();
        Ok(Self {
            groups,
            source_columns: mappings.iter().map(|mapping| mapping.columns_of(Role::Source).next().map(str::to_owned)).collect(),
            source_numbers: HashMap::new(),
            source_names: Vec::new(),
            sources: Vec::new(),
            rows: Vec::new(),
            hashes: Vec::new(),
            width,
            reading,
            known,
        })
    }

    /// Number of records so far.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held, about.
    pub fn memory_bytes(&self) -> usize {
        let groups: usize = self.groups.iter().map(Group::memory_bytes).sum();
        self.rows.len() * 4 + self.hashes.len() * 8 + self.sources.len() * 2 + groups
    }

    /// Adds the rows of a batch. Every column that takes part must be text; a column that the mapping names must be there.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.push_mapped(0, batch)
    }

    /// Adds the rows of a batch that has the columns of the numbered mapping of [`RecordsBuilder::for_mappings`].
    pub fn push_mapped(&mut self, mapping: usize, batch: &RecordBatch) -> Result<()> {
        if mapping >= self.source_columns.len() {
            return Err(Error::internal(format!("there is no mapping {mapping}")));
        }
        let n_rows = batch.num_rows();
        if self.len() + n_rows >= IS_LIST as usize {
            return Err(Error::limit("more than 2,147,483,647 records in one run"));
        }
        if let Some(group) = self.groups.iter().find(|group| group.is_full()) {
            let names: Vec<&str> = group.fields().iter().map(|field| field.name.as_str()).collect();
            return Err(Error::limit(format!(
                "after {} rows '{}' has more different values than one run can hold (3 GiB of text): leave it out of matching (ignore), or import the rows into a base in parts",
                self.len(),
                names.join("', '")
            )));
        }
        self.groups.par_iter_mut().try_for_each(|group| group.push(mapping, batch))?;
        let first = self.rows.len();
        self.rows.resize(first + n_rows * self.width, 0);
        let rows = &mut self.rows[first..];
        let hashes_first = self.hashes.len();
        self.hashes.resize(hashes_first + n_rows, 0);
        let mut place = 0;
        for group in &mut self.groups {
            for column in group.take_numbers() {
                for (row, number) in column.iter().enumerate() {
                    rows[row * self.width + place] = *number;
                }
                place += 1;
            }
            for (hash, part) in self.hashes[hashes_first..].iter_mut().zip(group.take_hashes()) {
                *hash = hash.wrapping_add(part);
            }
        }
        self.push_sources(mapping, batch)
    }

    fn push_sources(&mut self, mapping: usize, batch: &RecordBatch) -> Result<()> {
        let column = self.source_columns[mapping].as_deref().map(|name| text_column(batch, name)).transpose()?;
        for row in 0..batch.num_rows() {
            let source = column.as_ref().and_then(|column| column.get(row)).unwrap_or("");
            let number = match self.source_numbers.get(source) {
                Some(number) => *number,
                None => {
                    let number = u16::try_from(self.source_names.len())
                        .ok()
                        .filter(|number| *number < u16::MAX)
                        .ok_or_else(|| Error::limit("more than 65,534 sources are named; is the source column one?"))?;
                    self.source_names.push(source.to_owned());
                    self.source_numbers.insert(source.to_owned(), number);
                    number
                }
            };
            self.sources.push(number);
        }
        Ok(())
    }

    /// The records.
    pub fn finish(self) -> Records {
        let mut records = Records {
            fields: Vec::new(),
            dictionaries: Vec::new(),
            lists: Vec::new(),
            rows: self.rows,
            hashes: self.hashes,
            sources: self.sources,
            source_names: self.source_names,
            tokens: HashMap::new(),
            reading: self.reading,
            doubts: BTreeMap::new(),
        };
        let mut renamed = Vec::new();
        for group in self.groups {
            let dictionary = records.dictionaries.len();
            let finished = group.finish();
            if finished.slashed_dates.is_some() {
                records.reading.slashed_dates = finished.slashed_dates;
                renamed.push((records.fields.len(), finished.renamed));
            }
            for (key, count) in finished.doubts {
                *records.doubts.entry(key).or_insert(0) += count;
            }
            records.fields.extend(finished.fields.into_iter().map(|field| Field { dictionary, ..field }));
            records.dictionaries.push(finished.dictionary);
            records.lists.push(finished.lists);
            records.tokens.extend(finished.tokens);
        }
        for (field, renamed) in renamed {
            records.rename(field, &renamed);
        }
        if let Some(known) = &self.known {
            records.keep_fields(known);
        }
        records
    }
}

/// A column of a batch as text.
pub(super) fn text_column(batch: &RecordBatch, name: &str) -> Result<TextColumn> {
    let array = batch.column_by_name(name).ok_or_else(|| {
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let nearest = crm_core::nearest_name(name, names.iter().copied());
        let hint = nearest.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
        Error::schema(format!("the input has no column '{name}'{hint}"))
    })?;
    TextColumn::new(name, array)
}
