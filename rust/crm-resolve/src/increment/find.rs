//! Finding contacts by what is known of somebody.
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use crm_core::{Error, Result, Role};
use hashbrown::HashMap;

use super::gather::Tables;
use super::{Cells, Known};
use crate::block::Keys;
use crate::merge::{SourceColumn, SourceLayout};
use crate::{ExplainedComparison, Model, PairScorer, RecordsBuilder, ResolveConfig, Scorer};

/// Records that are compared with a query at most; keys that fewer records bear come first.
const MOST_CANDIDATES: usize = 1_500;
/// Of the records that bear a key which matching leaves out, this many are looked at.
const MOST_OF_WIDE: usize = 300;

/// A contact that a query may mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The contact, by its founder.
    pub contact: i64,
    /// Its record that fits best.
    pub record: i64,
    /// Match weight of the query and the record, in 1/1024 bits.
    pub weight: i32,
    /// Why.
    pub comparisons: Vec<ExplainedComparison>,
}

/// What a query is asked under.
pub struct Asked<'a> {
    /// The pinned model.
    pub model: &'a Model,
    /// The options of the base.
    pub config: &'a ResolveConfig,
    /// The layouts of all tables.
    pub layouts: &'a [SourceLayout],
    /// What the base holds.
    pub known: &'a dyn Known,
    /// The cells of its records.
    pub cells: &'a dyn Cells,
}

/// The contacts that fit `query` best, best first: at most `limit`, and none that nothing speaks for.
pub fn find(asked: &Asked<'_>, query: &[(Role, String)], limit: usize) -> Result<Vec<Found>> {
    if query.iter().all(|(_, text)| text.trim().is_empty()) {
        return Err(Error::config("a search needs at least one value: a phone, an e-mail address, a name, ..."));
    }
    let columns = query.iter().map(|(role, _)| SourceColumn { name: role.name().to_owned(), role: Some(*role) }).collect();
    let mut layouts = asked.layouts.to_vec();
    layouts.push(SourceLayout { source: String::new(), columns });
    let tables = Tables::new(&layouts, asked.config)?;
    let fields: Vec<Field> = query.iter().map(|(role, _)| Field::new(role.name(), DataType::Utf8, true)).collect();
    let cells: Vec<ArrayRef> = query.iter().map(|(_, text)| Arc::new(StringArray::from(vec![text.as_str()])) as ArrayRef).collect();
    let columns: Vec<StringArray> = query.iter().map(|(_, text)| StringArray::from(vec![text.as_str()])).collect();
    // A role named twice is refused here.
    RecordBatch::try_new(Arc::new(Schema::new(fields)), cells)?;
    let row = tables.batch(layouts.len() - 1, &columns)?;
    let mut alone = RecordsBuilder::under_model(&tables.mappings(), &tables.config, asked.model)?;
    alone.push_mapped(layouts.len() - 1, &row)?;
    let alone = alone.finish();
    let candidates = candidates(asked, &alone)?;
    let mut builder = RecordsBuilder::under_model(&tables.mappings(), &tables.config, asked.model)?;
    builder.push_mapped(layouts.len() - 1, &row)?;
    let mut ids = vec![i64::MIN];
    asked.cells.read(&candidates, &mut |layout, some, columns| {
        ids.extend_from_slice(some);
        builder.push_mapped(layout, &tables.batch(layout, &columns)?)
    })?;
    let records = builder.finish();
    let scorer = Scorer::new(&records, asked.model, asked.config)?;
    let mut best: HashMap<i64, (i32, i64, u32)> = HashMap::new();
    for (place, record) in ids.iter().enumerate().skip(1) {
        let weight = scorer.weight(0, place as u32);
        let contact = asked.known.contact(*record)?;
        let entry = best.entry(contact).or_insert((weight, *record, place as u32));
        if (weight, std::cmp::Reverse(*record)) > (entry.0, std::cmp::Reverse(entry.1)) {
            *entry = (weight, *record, place as u32);
        }
    }
    let mut order: Vec<(i64, (i32, i64, u32))> = best.into_iter().collect();
    order.sort_unstable_by_key(|(contact, (weight, _, _))| (std::cmp::Reverse(*weight), *contact));
    order.truncate(limit);
    Ok(order
        .into_iter()
        .map(|(contact, (weight, record, place))| Found { contact, record, weight, comparisons: scorer.explain(0, place).1 })
        .collect())
}

/// Records that share a key with the query.
fn candidates(asked: &Asked<'_>, query: &crate::Records) -> Result<Vec<i64>> {
    let mut lists: Vec<Vec<i64>> = Vec::new();
    let mut failed = Ok(());
    let keys = Keys::new(query, &asked.model.rules);
    for rule in 0..asked.model.rules.len() {
        keys.each(0, rule, |key| {
            let mut found = Vec::new();
            if failed.is_ok() {
                failed = asked.known.with_key(rule, key, &mut found);
            }
            lists.push(found);
        });
    }
    let wide = wide_rules(asked.model);
    let keys = Keys::new(query, &wide.iter().map(|(_, rule)| rule.clone()).collect::<Vec<_>>());
    for (place, (rule, _)) in wide.iter().enumerate() {
        keys.each(0, place, |key| {
            let mut found = Vec::new();
            if failed.is_ok() {
                failed = asked.known.with_wide_key(*rule, key, MOST_OF_WIDE, &mut found);
            }
            lists.push(found);
        });
    }
    failed?;
    // Few bear a telling key.
    lists.sort_by_key(Vec::len);
    let mut candidates = Vec::new();
    for list in lists {
        if candidates.len() >= MOST_CANDIDATES {
            break;
        }
        candidates.extend(list.into_iter().take(MOST_CANDIDATES));
        candidates.sort_unstable();
        candidates.dedup();
    }
    Ok(candidates)
}

/// Rules whose keys are kept for finding also where matching leaves them out: what people search by.
pub(super) fn wide_rules(model: &Model) -> Vec<(usize, crate::block::Rule)> {
    const NAMES: [&str; 7] = ["tax_id", "email", "phone", "phone_ending", "names", "name", "company"];
    let is_narrowed = |rule: &crate::block::Rule| rule.depth > 0 || !rule.oversized.is_empty();
    let rules = model.rules.iter().enumerate().filter(|(_, rule)| NAMES.contains(&rule.name.as_str()) && is_narrowed(rule));
    let plain = |rule: &crate::block::Rule| crate::block::Rule {
        name: rule.name.clone(),
        parts: rule.parts.clone(),
        refine: Vec::new(),
        depth: 0,
        oversized: Default::default(),
        cap: rule.cap,
    };
    rules.map(|(place, rule)| (place, plain(rule))).collect()
}
