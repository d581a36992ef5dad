//! What `profile` tells of a column: how full it is, how many different values, how many invalid ones and why, damage, examples.
use std::collections::{BTreeMap, BTreeSet};

use arrow_array::RecordBatch;
use crm_core::{Control, Result, Role, TextColumn, content_hash};
use hashbrown::HashMap;
use rayon::prelude::*;
use serde::Serialize;

use crate::normalize::Region;

use super::validity::{Damage, check_value, damage_of, date_reading, is_without_value};

/// Examples kept per column.
const EXAMPLES: usize = 5;

/// The facts of one column.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ColumnFacts {
    /// All rows.
    pub rows: u64,
    /// Rows with a value.
    pub filled: u64,
    /// Rows whose value is a word for "no value".
    pub placeholders: u64,
    /// Different values.
    pub distinct: u64,
    /// Per reason the rows whose value is invalid for the role.
    pub invalid: BTreeMap<&'static str, u64>,
    /// Values as they stand: those with the lowest hash, so that they do not depend on the order of rows.
    pub examples: Vec<String>,
    /// Invalid values as they stand.
    pub invalid_examples: Vec<String>,
    /// Rows of the value that most rows share.
    pub most_shared: u64,
    /// Values that eight rows and more share.
    pub shared_values: u64,
    /// Dates that can only be read with the day first, only with the month first, and in both ways.
    pub dates: DateOrders,
    /// Per kind of damage the rows that show it.
    pub damage: BTreeMap<&'static str, u64>,
    /// The longest value, in characters.
    pub longest: u64,
}

/// How the dates of a column can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DateOrders {
    /// 31.12.1999
    pub day_first: u64,
    /// 12/31/1999
    pub month_first: u64,
    /// 1999-12-31
    pub year_first: u64,
    /// 05.06.1999
    pub ambiguous: u64,
}

/// Gathers the facts of all columns, batch by batch.
#[derive(Debug)]
pub struct FactsBuilder {
    columns: Vec<ColumnBuilder>,
    phone_region: Option<Region>,
}

#[derive(Debug, Default)]
struct ColumnBuilder {
    role: Option<Role>,
    facts: ColumnFacts,
    counts: HashMap<u64, u32, foldhash::fast::FixedState>,
    examples: BTreeSet<(u64, String)>,
    invalid_examples: BTreeSet<(u64, String)>,
}

impl FactsBuilder {
    /// Columns are known by their roles, in the order of the batches' columns; telephone numbers without a country code are of `phone_region`.
    pub fn new(roles: impl IntoIterator<Item = Option<Role>>, phone_region: Option<Region>) -> Self {
        Self { columns: roles.into_iter().map(|role| ColumnBuilder { role, ..ColumnBuilder::default() }).collect(), phone_region }
    }

    /// Adds rows: columns are looked at side by side.
    pub fn push(&mut self, batch: &RecordBatch, control: &dyn Control) -> Result<()> {
        control.check()?;
        let schema = batch.schema();
        let region = self.phone_region;
        self.columns.par_iter_mut().enumerate().try_for_each(|(place, column)| {
            let cells = TextColumn::new(schema.field(place).name(), batch.column(place))?;
            for start in (0..cells.len()).step_by(8_192) {
                control.check()?;
                (start..cells.len().min(start + 8_192)).for_each(|row| column.add(cells.get(row).unwrap_or(""), region));
            }
            Ok(())
        })
    }

    /// The facts, one per column.
    pub fn finish(self) -> Vec<ColumnFacts> {
        self.columns.into_iter().map(ColumnBuilder::finish).collect()
    }
}

impl ColumnBuilder {
    fn add(&mut self, cell: &str, phone_region: Option<Region>) {
        self.facts.rows += 1;
        let value = cell.trim();
        if value.is_empty() {
            return;
        }
        if is_without_value(self.role, value) {
            self.facts.placeholders += 1;
            return;
        }
        self.facts.filled += 1;
        self.facts.longest = self.facts.longest.max(value.chars().count() as u64);
        let hash = content_hash(value.as_bytes());
        *self.counts.entry(hash).or_insert(0) += 1;
        if let Some(damage) = damage_of(self.role, value) {
            *self.facts.damage.entry(Damage::name(damage)).or_insert(0) += 1;
        }
        match self.role.map_or(Ok(()), |role| check_value(role, value, phone_region)) {
            Ok(()) => keep(&mut self.examples, hash, value),
            Err(reason) => {
                *self.facts.invalid.entry(reason).or_insert(0) += 1;
                keep(&mut self.invalid_examples, hash, value);
            }
        }
        if matches!(self.role, Some(Role::BirthDate | Role::CreatedAt | Role::UpdatedAt)) {
            date_reading(value, &mut self.facts.dates);
        }
    }

    fn finish(mut self) -> ColumnFacts {
        self.facts.distinct = self.counts.len() as u64;
        self.facts.most_shared = self.counts.values().copied().max().unwrap_or(0).into();
        self.facts.shared_values = self.counts.values().filter(|count| **count >= 8).count() as u64;
        let texts = |set: BTreeSet<(u64, String)>| set.into_iter().map(|(_, text)| text).collect();
        self.facts.examples = texts(self.examples);
        self.facts.invalid_examples = texts(self.invalid_examples);
        self.facts
    }
}

/// Keeps the values of the lowest hashes.
fn keep(examples: &mut BTreeSet<(u64, String)>, hash: u64, value: &str) {
    if examples.len() == EXAMPLES && examples.last().is_some_and(|last| hash >= last.0) {
        return;
    }
    examples.insert((hash, value.chars().take(120).collect()));
    if examples.len() > EXAMPLES {
        examples.pop_last();
    }
}
