//! A resolved change: its tables, its golden records, and its segment.
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow_schema::{Field, Schema};
use crm_core::{Control, Error, Result};
use crm_resolve::increment::{self, Added, Change, ChangeCounts, Edit, GoldenMaker, Known, Outcome, RecordEdge, Setting, Verdict};
use crm_resolve::merge::{Golden, contact_id};
use crm_resolve::{Model, WEIGHT_ONE, weight_to_probability};
use crm_store::index::{IndexWriter, RowFacts, section};
use hashbrown::HashMap;
use serde::Serialize;

use super::about::{About, LayoutAbout};
use super::differences::{Former, n_between_contacts};
use super::known::{KnownIndex, encode_edits, list};
use super::pending::{ChangeCells, Pending, PendingParts, PendingRow};

/// Golden records of one portion.
const PORTION: usize = 65_536;

/// The change, derived.
pub struct Derived {
    known: Arc<KnownIndex>,
    cells: Arc<ChangeCells>,
    outcome: Outcome,
    parts: PendingParts,
    model: Arc<Model>,
    is_fitted: bool,
    is_empty: bool,
    maker: GoldenMaker,
    former: Former,
    edits: HashMap<i64, Vec<Edit>>,
    about: About,
    to_review: u64,
    /// The next contact whose golden record nobody took yet.
    next: usize,
}

/// The numbers of a change.
#[derive(Debug, Serialize)]
pub struct Counts<'a> {
    records_added: u64,
    records_removed: u64,
    records: u64,
    contacts: u64,
    edges_added: u64,
    edges_removed: u64,
    model_fitted: bool,
    /// New edges between two contacts, for people to decide on.
    to_review: u64,
    #[serde(flatten)]
    change: &'a ChangeCounts,
}

impl Derived {
    pub fn new(pending: Pending, control: &dyn Control) -> Result<Self> {
        let known = pending.known.clone();
        let is_empty = pending.is_empty();
        let (cells, parts) = pending.close()?;
        let config = &known.about.options.resolve;
        let ids: Vec<i64> = cells.rows.iter().map(|row| row.record).collect();
        let (model, normalized, is_fitted) = match known.model()? {
            Some(model) => (model, None, false),
            None if ids.is_empty() => return Err(Error::config("the base has no model yet: the first change must bring records")),
            None => {
                let (model, normalized) = increment::fit(&cells.layouts, config, cells.as_ref(), &ids, &parts.samples, control)?;
                (Arc::new(model), Some(normalized), true)
            }
        };
        let mut removed: Vec<i64> = parts.removed.iter().copied().collect();
        removed.sort_unstable();
        let change = Change {
            added: cells.rows.iter().map(|row| Added { record: row.record, first_run: row.first_run, run: row.run }).collect(),
            removed,
            decisions: parts.decisions.iter().map(|((a, b), verdict)| (*a, *b, *verdict)).collect(),
            edited: parts.edits.keys().copied().collect(),
        };
        let setting = Setting { model: &model, config, layouts: &cells.layouts, known: known.as_ref(), cells: cells.as_ref() };
        let outcome = increment::resolve(&setting, &change, normalized, control)?;
        let about = about_after(&known, &cells, &parts, &change, &outcome)?;
        let edits = edits_of(&known, &parts, &about, &outcome)?;
        let used: Vec<bool> = about.layouts.iter().map(|layout| layout.n_records > 0).collect();
        let maker = GoldenMaker::new(&cells.layouts, &used, &about.edited_columns(), &model, &about.options.survivorship)?;
        let former = Former::new(known.clone())?;
        let pairs = outcome.edges_added.iter().map(|edge| (edge.a, edge.b));
        let to_review = n_between_contacts(&known, &outcome.moved, pairs)?;
        Ok(Self { known, cells, outcome, parts, model, is_fitted, is_empty, maker, former, edits, about, to_review, next: 0 })
    }

    pub fn counts(&self) -> Counts<'_> {
        Counts {
            records_added: self.cells.rows.len() as u64,
            records_removed: self.parts.removed.len() as u64,
            records: self.about.n_records,
            contacts: self.about.n_contacts,
            edges_added: self.outcome.edges_added.len() as u64,
            edges_removed: self.outcome.edges_removed.len() as u64,
            model_fitted: self.is_fitted,
            to_review: self.to_review,
            change: &self.outcome.counts,
        }
    }

    /// The next golden records, and what differs from before; the first portion comes even where it is empty, for its columns.
    pub fn next_golden(&mut self, control: &dyn Control) -> Result<Option<(Golden, RecordBatch)>> {
        let n = self.outcome.contacts.len();
        if self.next >= n {
            let is_first = n == 0 && self.next == 0;
            self.next = self.next.max(1);
            if !is_first {
                return Ok(None);
            }
            let golden = self.maker.empty();
            let told = self.former.compare(&golden.contacts, &[], control)?;
            return Ok(Some((golden, told)));
        }
        let range = self.next..(self.next + PORTION).min(n);
        self.next = range.end;
        control.progress("merging", range.start as u64, n as u64);
        let golden = self.maker.make(&self.outcome.contacts, range.clone(), &self.edits, self.cells.as_ref(), control)?;
        let told = self.former.compare(&golden.contacts, &self.outcome.contacts.founders[range], control)?;
        Ok(Some((golden, told)))
    }

    pub fn table(&self, name: &str) -> Result<RecordBatch> {
        let outcome = &self.outcome;
        let ids = |ids: &mut dyn Iterator<Item = i64>| -> ArrayRef { Arc::new(ids.collect::<Int64Array>()) };
        let contacts = |ids: &mut dyn Iterator<Item = Option<i64>>| -> ArrayRef {
            let mut texts = StringBuilder::new();
            ids.for_each(|id| texts.append_option(id.map(|id| contact_id(id).as_str().to_owned())));
            Arc::new(texts.finish())
        };
        let columns: Vec<(&str, ArrayRef)> = match name {
            "record_contact" => vec![
                ("record_id", ids(&mut outcome.moved.iter().map(|(record, _)| *record))),
                ("contact_id", contacts(&mut outcome.moved.iter().map(|(_, contact)| Some(*contact)))),
            ],
            "gone_records" => {
                let mut gone: Vec<i64> = self.parts.removed.iter().copied().collect();
                gone.sort_unstable();
                vec![("record_id", ids(&mut gone.into_iter()))]
            }
            "gone_contacts" => vec![
                ("contact_id", contacts(&mut outcome.gone_contacts.iter().map(|(contact, _)| Some(*contact)))),
                ("into", contacts(&mut outcome.gone_contacts.iter().map(|(_, heir)| *heir))),
            ],
            "edges_added" => edge_columns(&outcome.edges_added),
            "edges_removed" => edge_columns(&outcome.edges_removed),
            "aliases_added" => vec![
                ("alias", contacts(&mut outcome.aliases_added.iter().map(|(alias, _)| Some(*alias)))),
                ("contact_id", contacts(&mut outcome.aliases_added.iter().map(|(_, contact)| Some(*contact)))),
            ],
            "aliases_removed" => vec![("alias", contacts(&mut outcome.aliases_removed.iter().map(|alias| Some(*alias))))],
            _ => return Err(Error::internal(format!("a change has no table '{name}'"))),
        };
        let fields: Vec<Field> =
            columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), *name == "into")).collect();
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect())?)
    }

    /// Writes the segment; `None` where the change changes nothing.
    pub fn write(&mut self, control: &dyn Control) -> Result<Option<String>> {
        let mut writer = self.parts.writer.take().ok_or_else(|| Error::internal("the change was written before"))?;
        if self.is_empty {
            return Ok(None);
        }
        writer.end_cells()?;
        let mut gone: Vec<i64> = self.parts.removed.iter().copied().collect();
        gone.sort_unstable();
        let facts: Vec<RowFacts> =
            self.cells.rows.iter().zip(&self.outcome.contents).map(|(row, content)| row_facts(row, *content)).collect();
        writer.rows(&facts, &gone)?;
        control.check()?;
        let places = places_among(&facts, &gone);
        for rule in 0..self.outcome.keys.n_rules() {
            control.check()?;
            for (is_wide, mut entries) in [(false, self.outcome.keys.entries(rule)), (true, self.outcome.keys.wide_entries(rule))] {
                if !gone.is_empty() {
                    entries.iter_mut().for_each(|entry| *entry = *entry & !0xffff_ffff | u64::from(places[*entry as u32 as usize]));
                }
                writer.postings(rule, is_wide, &entries)?;
            }
        }
        let edits = self.parts.edits.iter().map(|(record, edits)| Ok((*record, encode_edits(edits)?))).collect::<Result<_>>()?;
        for (number, lists) in [
            (list::CONTACT, self.contact_lists()?),
            (list::MEMBERS, self.member_lists()?),
            (list::EDGES, self.edge_lists()),
            (list::DECISIONS, self.decision_lists()),
            (list::EDITS, edits),
        ] {
            control.check()?;
            write_lists(&mut writer, number, &lists)?;
        }
        if self.is_fitted {
            writer.bytes(section::MODEL, self.model.to_json()?.as_bytes())?;
        }
        writer.bytes(section::ABOUT, &self.about.to_json()?)?;
        control.check()?;
        writer.finish(self.parts.run).map(Some)
    }

    /// The contact of every record that moved, where it is another record or the index said another before.
    fn contact_lists(&self) -> Result<Lists> {
        let mut lists = Lists::new();
        for (record, contact) in &self.outcome.moved {
            if record != contact || !self.known.index.list(list::CONTACT, *record)?.is_empty() {
                lists.push((*record, vec![*contact as u64]));
            }
        }
        Ok(lists)
    }

    fn edge_lists(&self) -> Lists {
        let numbers = |(other, weight): &(i64, i32)| [*other as u64, u64::from(*weight as u32)];
        self.outcome.edges_of.iter().map(|(record, edges)| (*record, edges.iter().flat_map(numbers).collect())).collect()
    }

    fn decision_lists(&self) -> Lists {
        let numbers = |(other, verdict): &(i64, Verdict)| [*other as u64, u64::from(*verdict == Verdict::Same)];
        self.outcome.decisions_of.iter().map(|(record, decisions)| (*record, decisions.iter().flat_map(numbers).collect())).collect()
    }

    fn member_lists(&self) -> Result<Lists> {
        let mut lists: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
        for (contact, _) in &self.outcome.gone_contacts {
            if !self.known.index.list(list::MEMBERS, *contact)?.is_empty() {
                lists.insert(*contact, Vec::new());
            }
        }
        for (founder, members) in self.outcome.contacts.iter() {
            if members.len() > 1 {
                lists.insert(founder, members.iter().map(|member| *member as u64).collect());
            } else if !self.known.index.list(list::MEMBERS, founder)?.is_empty() {
                lists.insert(founder, Vec::new());
            }
        }
        Ok(lists.into_iter().collect())
    }
}

type Lists = Vec<(i64, Vec<u64>)>;

fn write_lists(writer: &mut IndexWriter, number: u32, lists: &[(i64, Vec<u64>)]) -> Result<()> {
    let keys: Vec<i64> = lists.iter().map(|(key, _)| *key).collect();
    let mut offsets = Vec::with_capacity(lists.len() + 1);
    offsets.push(0);
    let mut values = Vec::new();
    for (_, list) in lists {
        values.extend_from_slice(list);
        offsets.push(values.len() as u64);
    }
    writer.lists(number, &keys, &offsets, &values)
}

fn row_facts(row: &PendingRow, content: u64) -> RowFacts {
    RowFacts {
        record_id: row.record,
        version: row.version,
        updated_at: row.updated_at,
        first_run: row.first_run,
        run: row.run,
        content,
        layout: row.layout,
        cells: (row.start, row.len),
    }
}

/// Per row its place among rows and gone records together.
fn places_among(rows: &[RowFacts], gone: &[i64]) -> Vec<u32> {
    let mut n_before = 0;
    let place = |(place, row): (usize, &RowFacts)| {
        while gone.get(n_before).is_some_and(|id| *id < row.record_id) {
            n_before += 1;
        }
        (place + n_before) as u32
    };
    rows.iter().enumerate().map(place).collect()
}

fn edge_columns(edges: &[RecordEdge]) -> Vec<(&'static str, ArrayRef)> {
    let bits = |edge: &RecordEdge| f64::from(edge.weight) / f64::from(WEIGHT_ONE);
    vec![
        ("record_id_a", Arc::new(edges.iter().map(|edge| edge.a).collect::<Int64Array>())),
        ("record_id_b", Arc::new(edges.iter().map(|edge| edge.b).collect::<Int64Array>())),
        ("match_weight", Arc::new(edges.iter().map(bits).collect::<Float64Array>())),
        ("match_probability", Arc::new(edges.iter().map(|edge| weight_to_probability(edge.weight)).collect::<Float64Array>())),
    ]
}

/// What the index says of itself after the change.
fn about_after(known: &KnownIndex, cells: &ChangeCells, parts: &PendingParts, change: &Change, outcome: &Outcome) -> Result<About> {
    let mut counts = vec![0i64; cells.layouts.len()];
    for about in &known.about.layouts {
        let layout = about.layout()?;
        if let Some(place) = cells.layouts.iter().position(|known| *known == layout) {
            counts[place] += about.n_records as i64;
        }
    }
    let mut n_replaced = 0;
    for record in cells.rows.iter().map(|row| row.record).chain(change.removed.iter().copied()) {
        if let Some((_, layout)) = known.row(record)? {
            counts[layout] -= 1;
            n_replaced += 1;
        }
    }
    cells.rows.iter().for_each(|row| counts[row.layout as usize] += 1);
    let layouts = cells.layouts.iter().zip(counts).map(|(layout, n)| LayoutAbout::new(layout, n.max(0) as u64));
    let mut edited = known.about.edited.clone();
    for (record, edits) in &parts.edits {
        for edit in known.edits(*record)? {
            let n = edited.entry(edit.column).or_insert(0);
            *n = n.saturating_sub(1);
        }
        for edit in edits {
            *edited.entry(edit.column.clone()).or_insert(0) += 1;
        }
    }
    edited.retain(|_, n| *n > 0);
    // A contact that stays is touched without being counted: those that are new, and those that are gone, change the number.
    let is_new = |founder: &i64| -> Result<bool> { Ok(known.row(*founder)?.is_none() || Known::contact(known, *founder)? != *founder) };
    let mut n_contacts = known.about.n_contacts;
    for founder in &outcome.contacts.founders {
        n_contacts += u64::from(is_new(founder)?);
    }
    Ok(About {
        options: known.about.options.clone(),
        layouts: layouts.collect(),
        edited,
        n_records: known.about.n_records + cells.rows.len() as u64 - n_replaced,
        n_contacts: n_contacts.saturating_sub(outcome.gone_contacts.len() as u64),
    })
}

/// The edits of all records of touched contacts.
fn edits_of(known: &KnownIndex, parts: &PendingParts, about: &About, outcome: &Outcome) -> Result<HashMap<i64, Vec<Edit>>> {
    let mut edits = HashMap::new();
    if about.edited.is_empty() {
        return Ok(edits);
    }
    for record in &outcome.contacts.members {
        let of_record = match parts.edits.get(record) {
            Some(edits) => edits.clone(),
            None => known.edits(*record)?,
        };
        if !of_record.is_empty() {
            edits.insert(*record, of_record);
        }
    }
    Ok(edits)
}
