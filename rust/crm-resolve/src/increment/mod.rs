//! Resolving a change against what a base holds, without looking at all of it.
//!
//! The partition of a base into contacts is a pure function of its records, decisions and model. [`resolve`] derives it again where a change
//! touches it, and nowhere else:
//!
//! 1. [`contents`]: records that say the same have one representative, the one with the lowest `record_id`; a change makes some
//!    representatives and unmakes others.
//! 2. [`candidates`]: the blocking keys of new representatives find others, known and new; pairs are scored as in a batch.
//! 3. [`closure`]: every component of the graph that gains or loses a record, an edge or a decision is taken whole.
//! 4. [`partition`]: those components are clustered anew, and compared with the contacts that were.
//!
//! What is known is asked for through [`Known`] and [`Cells`], so nothing here knows files. Whether two records become an edge depends on the
//! two and the model alone, and clusters are a function of their component; so any split of records into changes, in any order, and any
//! removal ends in the partition that one change with the records that are left would have made.
mod candidates;
mod closure;
mod contents;
mod find;
mod gather;
mod golden;
mod partition;
#[cfg(test)]
mod tests;

use arrow_array::StringArray;
use crm_core::{Control, Result};
use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;
use serde::Serialize;

use crate::block::{Keys, Rule};
use crate::merge::SourceLayout;
use crate::{Model, ResolveConfig};
pub use find::{Asked, Found, find};
pub use gather::{Gathered, fit, normalize};
pub use golden::{Edit, GoldenMaker};

/// What a person said of two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// They are one contact.
    Same,
    /// They are not.
    Different,
}

/// What is known of a record beside its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownFacts {
    /// Hash of its normalized content ([`content_of`]).
    pub content: u64,
    /// The run that first brought the record.
    pub first_run: u32,
    /// The run that brought its current version.
    pub run: u32,
}

/// What a base holds before a change. All records that it names are current ones.
pub trait Known: Sync {
    /// What is known of a record; `None` where the base does not have it.
    fn facts(&self, record: i64) -> Result<Option<KnownFacts>>;
    /// The records of a normalized content.
    fn with_content(&self, content: u64, found: &mut Vec<i64>) -> Result<()>;
    /// The records that bear a key under a rule.
    fn with_key(&self, rule: usize, key: u32, found: &mut Vec<i64>) -> Result<()>;
    /// Some records that bear a key which matching leaves out under a rule, `most` at most: what finding goes by.
    fn with_wide_key(&self, rule: usize, key: u32, most: usize, found: &mut Vec<i64>) -> Result<()>;
    /// The edges of a record, with their match weights.
    fn edges(&self, record: i64, found: &mut Vec<(i64, i32)>) -> Result<()>;
    /// The decisions on pairs of which the record is one, whether the base has the other or not.
    fn decisions(&self, record: i64, found: &mut Vec<(i64, Verdict)>) -> Result<()>;
    /// The contact of a record, by its founder.
    fn contact(&self, record: i64) -> Result<i64>;
    /// The records of a contact.
    fn members(&self, contact: i64, found: &mut Vec<i64>) -> Result<()>;
    /// Whether it holds nothing.
    fn is_empty(&self) -> bool;
    /// What was read so far will not be needed soon: memory that only mirrors files may go.
    fn release(&self) {}
}

/// Takes columns of records: the layout, the records, and per column of the layout their cells.
pub type TakeCells<'a> = dyn FnMut(usize, &[i64], Vec<StringArray>) -> Result<()> + 'a;

/// Reads the original cells of records, those of the change included.
pub trait Cells: Sync {
    /// Calls `take` with all of `records`, in batches of one layout, in any order.
    fn read(&self, records: &[i64], take: &mut TakeCells<'_>) -> Result<()>;
}

/// A record that a change brings: a new one, or a new version of a known one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// The record.
    pub record: i64,
    /// The run that first brought it.
    pub first_run: u32,
    /// The run that brought this version.
    pub run: u32,
}

/// What a change brings and takes away.
#[derive(Debug, Default)]
pub struct Change {
    /// Records that come, or come in another version; each once.
    pub added: Vec<Added>,
    /// Known records that are gone afterwards; none of `added`.
    pub removed: Vec<i64>,
    /// Decisions on pairs; `None` takes one back. Each pair once.
    pub decisions: Vec<(i64, i64, Option<Verdict>)>,
    /// Records whose edits changed.
    pub edited: Vec<i64>,
}

/// What a change is resolved under.
pub struct Setting<'a> {
    /// The pinned model.
    pub model: &'a Model,
    /// The options of the base.
    pub config: &'a ResolveConfig,
    /// The layouts of all tables, the change's included.
    pub layouts: &'a [SourceLayout],
    /// What the base holds.
    pub known: &'a dyn Known,
    /// The cells of all records.
    pub cells: &'a dyn Cells,
}

/// A pair of records with its match weight; `a < b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordEdge {
    /// The lower record.
    pub a: i64,
    /// The higher record.
    pub b: i64,
    /// Match weight in 1/1024 bits.
    pub weight: i32,
}

impl RecordEdge {
    fn new(one: i64, other: i64, weight: i32) -> Self {
        Self { a: one.min(other), b: one.max(other), weight }
    }
}

/// Contacts with their records, in compressed rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contacts {
    /// Per contact its founder: the record of the earliest run, of those the one with the lowest id. Sorted.
    pub founders: Vec<i64>,
    /// Per contact where its records begin in `members`, and the end of the last.
    pub offsets: Vec<u32>,
    /// The records, contact by contact, sorted in each.
    pub members: Vec<i64>,
}

impl Default for Contacts {
    fn default() -> Self {
        Self { founders: Vec::new(), offsets: vec![0], members: Vec::new() }
    }
}

impl Contacts {
    /// Number of contacts.
    pub fn len(&self) -> usize {
        self.founders.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.founders.is_empty()
    }

    /// The records of the contact at a place.
    pub fn members(&self, contact: usize) -> &[i64] {
        &self.members[self.offsets[contact] as usize..self.offsets[contact + 1] as usize]
    }

    /// Founders and records.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &[i64])> {
        self.founders.iter().enumerate().map(|(contact, founder)| (*founder, self.members(contact)))
    }

    /// Adds a contact; founders come in order.
    pub fn push(&mut self, founder: i64, members: &[i64]) {
        self.founders.push(founder);
        self.members.extend_from_slice(members);
        self.offsets.push(self.members.len() as u32);
    }
}

/// What a change does, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChangeCounts {
    /// Contacts that no known record is in.
    pub new_contacts: u64,
    /// New records that joined contacts that were there.
    pub joined: u64,
    /// Contacts that several former contacts went into.
    pub merged_contacts: u64,
    /// Former contacts whose records are now in several.
    pub split_contacts: u64,
    /// Contacts that are no more.
    pub gone_contacts: u64,
    /// Contacts whose golden records were derived anew.
    pub touched_contacts: u64,
    /// Records clustered anew.
    pub clustered_records: u64,
    /// Records in the largest contact touched.
    pub largest_contact: u64,
    /// Candidate pairs compared.
    pub pairs_compared: u64,
    /// New pairs at or above the match threshold.
    pub pairs_matched: u64,
    /// New pairs below it that ask for review.
    pub pairs_to_review: u64,
}

/// A record with the other record and the weight of each of its edges.
pub type EdgesOf = (i64, Vec<(i64, i32)>);

/// A record with the other record of each decision on it, and what was said.
pub type DecisionsOf = (i64, Vec<(i64, Verdict)>);

/// What a change does.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Per added record, in their order, the hash of its normalized content.
    pub contents: Vec<u64>,
    /// Pairs that are edges now and were not, or with another weight.
    pub edges_added: Vec<RecordEdge>,
    /// Pairs that were edges, or had another weight.
    pub edges_removed: Vec<RecordEdge>,
    /// All edges of each record whose edges changed.
    pub edges_of: Vec<EdgesOf>,
    /// All decisions of each record whose decisions changed.
    pub decisions_of: Vec<DecisionsOf>,
    /// Contacts whose golden record must be derived, by founder.
    pub contacts: Contacts,
    /// Records whose contact changed, or that are new, with the contact's founder.
    pub moved: Vec<(i64, i64)>,
    /// Contacts that are no more, and the contact that holds most of their records, if any.
    pub gone_contacts: Vec<(i64, Option<i64>)>,
    /// Ids that now stand for a contact of another id.
    pub aliases_added: Vec<(i64, i64)>,
    /// Ids that no longer do.
    pub aliases_removed: Vec<i64>,
    /// The blocking keys of the added records.
    pub keys: AddedKeys,
    /// In numbers.
    pub counts: ChangeCounts,
}

/// The blocking keys of added records.
#[derive(Debug, Default)]
pub struct AddedKeys {
    keys: Option<Keys>,
    /// The rules whose oversized keys are kept for finding, and the keys.
    wide: Option<WideKeys>,
    /// Per added record its place among the normalized ones.
    places: Vec<u32>,
}

/// Keys that matching leaves out.
#[derive(Debug)]
struct WideKeys {
    /// The rules by their place in the model, as the model has them.
    rules: Vec<(usize, Rule)>,
    /// Under the same rules with nothing left out.
    keys: Keys,
}

impl AddedKeys {
    fn new(setting: &Setting<'_>, change: &Change, normalized: &Gathered, keys: Keys) -> Result<Self> {
        let places = change.added.iter().map(|added| normalized.place(added.record)).collect::<Result<_>>()?;
        let rules = &setting.model.rules;
        let wide = find::wide_rules(setting.model);
        let plain: Vec<Rule> = wide.iter().map(|(_, rule)| rule.clone()).collect();
        let wide = WideKeys {
            keys: Keys::new(&normalized.records, &plain),
            rules: wide.into_iter().map(|(rule, _)| (rule, rules[rule].clone())).collect(),
        };
        Ok(Self { keys: Some(keys), wide: Some(wide), places })
    }

    /// Number of rules.
    pub fn n_rules(&self) -> usize {
        self.keys.as_ref().map_or(0, Keys::n_rules)
    }

    /// The keys under a rule, `(key << 32) | place of the added record`, sorted.
    pub fn entries(&self, rule: usize) -> Vec<u64> {
        let Some(keys) = &self.keys else { return Vec::new() };
        let mut entries = Vec::with_capacity(self.places.len());
        for (place, record) in self.places.iter().enumerate() {
            keys.each(*record, rule, |key| entries.push(u64::from(key) << 32 | place as u64));
        }
        entries.par_sort_unstable();
        entries.dedup();
        entries
    }

    /// The same for the keys that matching leaves out under the rule and finding goes by.
    pub fn wide_entries(&self, rule: usize) -> Vec<u64> {
        let Some(WideKeys { rules, keys }) = &self.wide else { return Vec::new() };
        let Some(at) = rules.iter().position(|(place, _)| *place == rule) else { return Vec::new() };
        let Rule { oversized, depth, .. } = &rules[at].1;
        let mut entries = Vec::new();
        for (place, record) in self.places.iter().enumerate() {
            keys.each(*record, at, |key| {
                if *depth > 0 || oversized.contains(&key) {
                    entries.push(u64::from(key) << 32 | place as u64);
                }
            });
        }
        entries.par_sort_unstable();
        entries.dedup();
        entries
    }
}

/// A hash of what resolving sees of a record: its normalized content, and its source where that matters.
pub fn content_of(records: &crate::Records, record: u32) -> u64 {
    let content = records.content_hash(record);
    match records.source(record).filter(|source| !source.is_empty()) {
        Some(source) => content ^ crm_core::content_hash(source.as_bytes()).rotate_left(23),
        None => content,
    }
}

/// Records that are gone or changed, and decisions, as they will be.
struct After<'a> {
    setting: &'a Setting<'a>,
    added: HashMap<i64, Added>,
    /// Known records whose former version is gone.
    gone: HashSet<i64>,
    decisions: HashMap<i64, Vec<(i64, Option<Verdict>)>>,
}

impl<'a> After<'a> {
    fn new(setting: &'a Setting<'a>, change: &Change) -> Result<Self> {
        let mut gone: HashSet<i64> = change.removed.iter().copied().collect();
        let mut added = HashMap::with_capacity(change.added.len());
        for record in &change.added {
            if setting.known.facts(record.record)?.is_some() {
                gone.insert(record.record);
            }
            added.insert(record.record, *record);
        }
        let mut decisions: HashMap<i64, Vec<(i64, Option<Verdict>)>> = HashMap::new();
        for (a, b, verdict) in &change.decisions {
            decisions.entry(*a).or_default().push((*b, *verdict));
            decisions.entry(*b).or_default().push((*a, *verdict));
        }
        Ok(Self { setting, added, gone, decisions })
    }

    /// Whether the base has the record after the change.
    fn has(&self, record: i64) -> Result<bool> {
        Ok(self.added.contains_key(&record) || (!self.gone.contains(&record) && self.setting.known.facts(record)?.is_some()))
    }

    /// The runs of a record: the first, and that of its version.
    fn runs(&self, record: i64) -> Result<Option<(u32, u32)>> {
        match self.added.get(&record) {
            Some(added) => Ok(Some((added.first_run, added.run))),
            None => Ok(self.setting.known.facts(record)?.map(|facts| (facts.first_run, facts.run))),
        }
    }

    /// The decisions of a record after the change, sorted.
    fn decisions_of(&self, record: i64) -> Result<Vec<(i64, Verdict)>> {
        let mut found = Vec::new();
        self.setting.known.decisions(record, &mut found)?;
        if let Some(changed) = self.decisions.get(&record) {
            found.retain(|(other, _)| !changed.iter().any(|(named, _)| named == other));
            found.extend(changed.iter().filter_map(|(other, verdict)| Some((*other, (*verdict)?))));
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// Derives what a change does.
///
/// `normalized` are the added records ([`normalize`]), where the caller has them already.
pub fn resolve(setting: &Setting<'_>, change: &Change, normalized: Option<Gathered>, control: &dyn Control) -> Result<Outcome> {
    setting.config.validate()?;
    let after = After::new(setting, change)?;
    let mut normalized = match normalized {
        Some(normalized) => normalized,
        None => {
            let ids: Vec<i64> = change.added.iter().map(|added| added.record).collect();
            normalize(setting, &ids, control)?
        }
    };
    control.check()?;
    let mut outcome = Outcome::default();
    for added in &change.added {
        let place = normalized.place(added.record)?;
        outcome.contents.push(content_of(&normalized.records, place));
    }
    let keys = normalized.keys.take().unwrap_or_else(|| Keys::new(&normalized.records, &setting.model.rules));
    outcome.keys = AddedKeys::new(setting, change, &normalized, keys.clone())?;
    if setting.known.is_empty() {
        let (edges, compared) = candidates::among_all(setting, &normalized, keys, control)?;
        outcome.counts.pairs_compared = compared;
        let graph = closure::whole(&after, change, edges)?;
        partition::derive(&after, change, graph, Some(normalized), &mut outcome, control)?;
        return Ok(outcome);
    }
    let contents = contents::settle(&after, change, &outcome.contents)?;
    let (edges, compared) = candidates::find(&after, &contents, &normalized, &keys, control)?;
    outcome.counts.pairs_compared = compared;
    drop(normalized);
    let graph = closure::close(&after, change, &contents, edges, control)?;
    partition::derive(&after, change, graph, None, &mut outcome, control)?;
    Ok(outcome)
}
