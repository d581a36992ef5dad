//! The two sides of a resolved run: pairs, what differs in them, and the numbers of it.
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crm_core::{Control, Error, Result, Role};
use crm_resolve::merge::SourceLayout;
use crm_resolve::reconcile::{
    BY_DECISION, Compared, ComparedField, Comparer, Fate, FieldKind, KeyValues, Newer, Pair, PairComparison, Pairing, Twins, Verdict,
    compared_fields, key_fields, pair_sides,
};
use serde::{Deserialize, Serialize};

use super::Resolution;

/// Pairs whose rows are brought to hand at a time.
const CHUNK: usize = 65_536;

/// Keys are numbered in a byte.
const MOST_KEYS: usize = 100;

/// What the user says of the two sides.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ReconcileOptions {
    /// Tables of the left side; they come first.
    n_left_tables: usize,
    /// Exact keys: a role, a column, or `left=right`.
    keys: Vec<String>,
    /// Columns that are one under two names.
    twins: Vec<Twins>,
    /// Fields to compare to the letter.
    as_written: Vec<String>,
    /// (left record id, right record id, whether they are the same).
    decisions: Vec<(i64, i64, bool)>,
}

/// A run whose rows are known to be left or right.
pub struct Reconciled {
    pub(super) resolution: Arc<Resolution>,
    pub(super) n_left_tables: usize,
    pub(super) fields: Vec<ComparedField>,
    pub(super) keys: Vec<String>,
    pub(super) pairing: Pairing,
    /// Row-major: one verdict per pair and field.
    pub(super) verdicts: Vec<u8>,
    /// Per pair: which side says that it was changed later.
    pub(super) newer: Vec<Newer>,
    /// Rows of the table `matched`.
    pub(super) lines: Vec<Line>,
    /// Rows of the table `differences`: a pair and a field.
    pub(super) differences: Vec<(u32, u16)>,
    /// The records that the other side does not have.
    pub(super) only: [Vec<u32>; 2],
    /// Uncertain pairs of a left and a right record, the likeliest first.
    pub(super) to_review: Vec<Pair>,
    pub(super) review_verdicts: Vec<u8>,
    n_unknown_decisions: u64,
}

/// A row of the table `matched`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A left and a right record.
    Pair(u32),
    /// A record whose contact is matched by another one of its side: that one, and the record.
    Duplicate { of: u32, record: u32 },
}

/// The numbers of a reconciliation.
#[derive(Debug, Serialize)]
pub struct Counts {
    left_rows: u64,
    right_rows: u64,
    matched: u64,
    identical: u64,
    different: u64,
    differences: u64,
    left_duplicates: u64,
    right_duplicates: u64,
    only_left: u64,
    only_right: u64,
    to_review: u64,
    newer_left: u64,
    newer_right: u64,
    matched_by: Vec<(String, u64)>,
    unknown_decisions: u64,
    /// Rows that share a key with so many that nothing told which is whose.
    undecided: u64,
    fields: Vec<FieldCounts>,
}

/// What a field's values are to each other over all pairs.
#[derive(Debug, Serialize)]
struct FieldCounts {
    field: String,
    left_columns: Vec<String>,
    right_columns: Vec<String>,
    same: u64,
    different: u64,
    partly: u64,
    only_left: u64,
    only_right: u64,
    empty: u64,
}

impl Reconciled {
    /// Pairs and compares the two sides of a run.
    pub fn new(resolution: Arc<Resolution>, options: &str, control: &dyn Control) -> Result<Self> {
        let options: ReconcileOptions =
            serde_json::from_str(options).map_err(|error| Error::config(format!("options of the comparison: {error}")))?;
        if options.keys.len() > MOST_KEYS {
            return Err(Error::config(format!("{} exact keys are given; {MOST_KEYS} are the most", options.keys.len())));
        }
        let layouts = resolution.plan.layouts();
        let is_right_table: Vec<bool> = (0..layouts.len()).map(|table| table >= options.n_left_tables).collect();
        let fields = compared_fields(layouts, &is_right_table, &options.twins, &options.as_written)?;
        let key_columns = key_fields(layouts, &is_right_table, &options.keys)?;
        let is_right = sides(&resolution, options.n_left_tables);
        let mut known = key_values(&resolution, &key_columns, control)?;
        let n_unknown_decisions = add_decisions(&mut known, &options.decisions, &resolution.ids, &is_right);
        control.progress("pairing", 0, 1);
        let scorer = resolution.resolved.scorer()?;
        let pairing = pair_sides(&resolution.clusters.labels, &is_right, &known, &scorer, control)?;
        drop(scorer);
        let to_review = uncertain(&resolution, &pairing, &is_right, &known);
        let mut reconciled = Self {
            n_left_tables: options.n_left_tables,
            fields,
            keys: options.keys,
            verdicts: Vec::new(),
            newer: Vec::new(),
            lines: lines(&pairing),
            differences: Vec::new(),
            only: only(&pairing, &is_right),
            pairing,
            to_review,
            review_verdicts: Vec::new(),
            n_unknown_decisions,
            resolution,
        };
        Compared { verdicts: reconciled.verdicts, newer: reconciled.newer } = reconciled.compare(&reconciled.pairing.pairs, control)?;
        reconciled.review_verdicts = reconciled.compare(&reconciled.to_review, control)?.verdicts;
        reconciled.differences = reconciled.list_differences();
        Ok(reconciled)
    }

    fn compare(&self, pairs: &[Pair], control: &dyn Control) -> Result<Compared> {
        let comparison = PairComparison::new(&self.fields, self.resolution.plan.layouts(), &self.resolution.canonicalizer);
        let mut compared = Compared::default();
        for (number, chunk) in pairs.chunks(CHUNK).enumerate() {
            control.progress("comparing", (number * CHUNK) as u64, pairs.len() as u64);
            let originals = &self.resolution.originals;
            originals
                .with_records(&records_of(chunk), control, |rows, locate| comparison.add(chunk, rows, locate, &mut compared, control))?;
        }
        Ok(compared)
    }

    fn list_differences(&self) -> Vec<(u32, u16)> {
        let width = self.fields.len();
        let pairs = self.lines.iter().filter_map(|line| if let Line::Pair(pair) = line { Some(*pair) } else { None });
        let of_pair = |pair: u32| {
            let verdicts = &self.verdicts[pair as usize * width..(pair as usize + 1) * width];
            let differing = verdicts.iter().enumerate().filter(|(_, verdict)| Verdict::from_u8(**verdict).is_difference());
            differing.map(move |(field, _)| (pair, field as u16)).collect::<Vec<_>>()
        };
        pairs.flat_map(of_pair).collect()
    }

    /// The numbers.
    pub fn counts(&self) -> Counts {
        let width = self.fields.len().max(1);
        let different = self.verdicts.chunks(width).filter(|pair| pair.iter().any(|verdict| Verdict::from_u8(*verdict).is_difference()));
        let different = different.count() as u64;
        let n_left = sides(&self.resolution, self.n_left_tables).iter().filter(|right| !**right).count() as u64;
        let duplicates = |is_right: bool| {
            let of_side = |line: &&Line| matches!(line, Line::Duplicate { record, .. } if self.is_right(*record) == is_right);
            self.lines.iter().filter(of_side).count() as u64
        };
        let newer = |side: Newer| self.newer.iter().filter(|newer| **newer == side).count() as u64;
        let matched = self.pairing.pairs.len() as u64;
        Counts {
            left_rows: n_left,
            right_rows: self.resolution.ids.len() as u64 - n_left,
            matched,
            identical: matched - different,
            different,
            differences: self.differences.len() as u64,
            left_duplicates: duplicates(false),
            right_duplicates: duplicates(true),
            only_left: self.only[0].len() as u64,
            only_right: self.only[1].len() as u64,
            to_review: self.to_review.len() as u64,
            newer_left: newer(Newer::Left),
            newer_right: newer(Newer::Right),
            matched_by: self.matched_by(),
            unknown_decisions: self.n_unknown_decisions,
            undecided: self.pairing.n_undecided,
            fields: (0..self.fields.len()).map(|field| self.field_counts(field)).collect(),
        }
    }

    fn matched_by(&self) -> Vec<(String, u64)> {
        let mut counts: Vec<(String, u64)> = Vec::new();
        for pair in &self.pairing.pairs {
            let name = self.reason(*pair);
            match counts.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += 1,
                None => counts.push((name.to_owned(), 1)),
            }
        }
        counts.sort();
        counts
    }

    /// What made a pair: an exact key's name, a decision, or the evidence of all fields.
    pub(super) fn reason(&self, pair: Pair) -> &str {
        match pair.key {
            Some(BY_DECISION) => "decision",
            Some(key) => self.keys.get(usize::from(key) - 1).map_or("key", String::as_str),
            None => "evidence",
        }
    }

    fn field_counts(&self, field: usize) -> FieldCounts {
        let mut counts = [0u64; Verdict::NAMES.len()];
        for pair in self.verdicts.chunks(self.fields.len()) {
            counts[usize::from(pair[field])] += 1;
        }
        let columns = |side: bool| {
            let mut names: Vec<String> = Vec::new();
            for (table, layout) in
                self.resolution.plan.layouts().iter().enumerate().filter(|(table, _)| (*table >= self.n_left_tables) == side)
            {
                for place in &self.fields[field].places[table] {
                    if !names.contains(&layout.columns[*place].name) {
                        names.push(layout.columns[*place].name.clone());
                    }
                }
            }
            names
        };
        let [empty, same, different, partly, only_left, only_right] = counts;
        let (left_columns, right_columns) = (columns(false), columns(true));
        FieldCounts {
            field: self.fields[field].name.clone(),
            left_columns,
            right_columns,
            same,
            different,
            partly,
            only_left,
            only_right,
            empty,
        }
    }

    pub(super) fn is_right(&self, record: u32) -> bool {
        let batch = self.resolution.originals.locate(record).batch as usize;
        self.resolution.originals.layout(batch) >= self.n_left_tables
    }
}

/// The records of pairs, sorted.
pub(super) fn records_of(pairs: &[Pair]) -> Vec<u32> {
    let mut records: Vec<u32> = pairs.iter().flat_map(|pair| [pair.left, pair.right]).collect();
    records.sort_unstable();
    records.dedup();
    records
}

fn sides(resolution: &Resolution, n_left_tables: usize) -> Vec<bool> {
    let originals = &resolution.originals;
    let mut is_right = Vec::with_capacity(resolution.ids.len());
    while is_right.len() < resolution.ids.len() {
        let batch = originals.locate(is_right.len() as u32).batch as usize;
        is_right.resize(originals.records(batch).end as usize, originals.layout(batch) >= n_left_tables);
    }
    is_right
}

/// The values of the exact keys of all records.
fn key_values(resolution: &Resolution, keys: &[ComparedField], control: &dyn Control) -> Result<KeyValues> {
    let records = &resolution.resolved.records;
    let content = (0..resolution.ids.len() as u32).map(|record| records.content_hash(record)).collect();
    let mut known = KeyValues { content, ..KeyValues::default() };
    if keys.is_empty() {
        return Ok(known);
    }
    let mut comparer = Comparer::new(keys, &resolution.canonicalizer);
    let records: Vec<u32> = (0..resolution.ids.len() as u32).collect();
    let mut text = String::new();
    for chunk in records.chunks(CHUNK) {
        control.check()?;
        resolution.originals.with_records(chunk, control, |rows, locate| {
            for record in chunk {
                let at = locate(*record);
                for (number, key) in keys.iter().enumerate() {
                    key.text(rows, at, &mut text);
                    for value in comparer.key_values(number, rows.layout(at), &text) {
                        // The same number under two keys is two values.
                        let value = value ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                        known.values.push((value, *record));
                        known.key_of.insert(value, number as u8 + 1);
                    }
                }
            }
            Ok(())
        })?;
    }
    Ok(known)
}

/// Adds what people decided; returns how many decisions speak of records that are not here.
fn add_decisions(known: &mut KeyValues, decisions: &[(i64, i64, bool)], ids: &[i64], is_right: &[bool]) -> u64 {
    if decisions.is_empty() {
        return 0;
    }
    let wanted: HashSet<i64> = decisions.iter().flat_map(|(left, right, _)| [*left, *right]).collect();
    let place: HashMap<i64, u32> =
        ids.iter().enumerate().filter(|(_, id)| wanted.contains(*id)).map(|(place, id)| (*id, place as u32)).collect();
    let mut n_unknown = 0;
    for (left, right, is_same) in decisions {
        match (place.get(left), place.get(right)) {
            (Some(left), Some(right)) if !is_right[*left as usize] && is_right[*right as usize] => {
                if *is_same {
                    known.decide_same(*left, *right);
                } else {
                    known.different.insert((*left, *right));
                }
            }
            _ => n_unknown += 1,
        }
    }
    n_unknown
}

/// Pairs at or above the review threshold that are not made, where at least one of the two has no counterpart.
fn uncertain(resolution: &Resolution, pairing: &Pairing, is_right: &[bool], known: &KeyValues) -> Vec<Pair> {
    let is_open = |record: u32| pairing.fates[record as usize] == Fate::Only;
    let edges = resolution.pairs.iter().filter(|edge| is_right[edge.a as usize] != is_right[edge.b as usize]);
    let pairs = edges.map(|edge| {
        let (left, right) = if is_right[edge.b as usize] { (edge.a, edge.b) } else { (edge.b, edge.a) };
        Pair { left, right, weight: edge.weight, key: None }
    });
    pairs.filter(|pair| (is_open(pair.left) || is_open(pair.right)) && !known.different.contains(&(pair.left, pair.right))).collect()
}

/// Pairs in the order of the left side, each followed by the duplicates of its records.
fn lines(pairing: &Pairing) -> Vec<Line> {
    let mut lines: Vec<(u32, u32, Line)> =
        pairing.pairs.iter().enumerate().map(|(place, _)| (place as u32, 0, Line::Pair(place as u32))).collect();
    for (record, fate) in pairing.fates.iter().enumerate() {
        if let Fate::Duplicate(of) = fate
            && let Fate::Matched(pair) = pairing.fates[*of as usize]
        {
            lines.push((pair, record as u32 + 1, Line::Duplicate { of: *of, record: record as u32 }));
        }
    }
    lines.sort_unstable_by_key(|(pair, record, _)| (*pair, *record));
    lines.into_iter().map(|(_, _, line)| line).collect()
}

fn only(pairing: &Pairing, is_right: &[bool]) -> [Vec<u32>; 2] {
    let of_side = |side: bool| {
        let records = (0..pairing.fates.len() as u32).filter(|record| pairing.fates[*record as usize] == Fate::Only);
        records.filter(|record| is_right[*record as usize] == side).collect()
    };
    [of_side(false), of_side(true)]
}

/// What a field is called on a sheet of contacts.
pub(super) fn label_places(layouts: &[SourceLayout]) -> Vec<Vec<(FieldKind, Vec<usize>)>> {
    let of_layout = |layout: &SourceLayout| {
        let mut name = layout.places_of(Role::FullName);
        if name.is_empty() {
            name = [Role::GivenName, Role::FamilyName].iter().flat_map(|role| layout.places_of(*role)).collect();
        }
        let others = [Role::CompanyName, Role::Email, Role::Phone].map(|role| (FieldKind::Role(role), layout.places_of(role)));
        std::iter::once((FieldKind::Name, name)).chain(others).filter(|(_, places)| !places.is_empty()).collect()
    };
    layouts.iter().map(of_layout).collect()
}
