//! The finished run: clusters, contacts and the tables that come out.
mod reconciled;
mod reconciled_tables;

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat;
use crm_core::{Control, Error, Result};
use crm_resolve::cluster::{Clusters, Constraints, cluster};
use crm_resolve::merge::{
    Golden, GoldenPlan, Members, NormalCanonicalizer, RecordFacts, SourceLayout, Survivorship, contact_id, names_beside_own,
};
use crm_resolve::{Edge, WEIGHT_ONE};
use serde::Serialize;

use crate::dedupe::decisions::{DecisionCounts, Decisions};
use crate::dedupe::doubts::{self, DoubtfulValues};
use crate::dedupe::ingest::{Ingested, Unsaid};
use crate::dedupe::originals::{Originals, RowCursor};
use crate::dedupe::resolver::Resolved;

pub use reconciled::Reconciled;

/// Rows of every batch that comes out, whatever the batches that went in.
pub const BATCH_ROWS: usize = 131_072;

/// Bytes that the interpreter and its libraries take.
const PROCESS: u64 = 160 << 20;

/// A run that has resolved its records.
pub struct Resolution {
    files: Vec<String>,
    originals: Originals,
    ids: Vec<i64>,
    founders: Vec<i64>,
    clusters: Clusters,
    decisions: Decisions,
    members: Members,
    plan: GoldenPlan,
    resolved: Resolved,
    canonicalizer: NormalCanonicalizer,
    pairs: Vec<Edge>,
    comparisons: Vec<String>,
    records_schema: SchemaRef,
    /// Per layout and column its place in the records table.
    record_places: Vec<Vec<usize>>,
    n_shared_ids: u64,
    /// Per layout and column what its cells say that golden records do not.
    unsaid: Vec<Vec<Unsaid>>,
    doubts: Vec<DoubtfulValues>,
}

/// The numbers of a run.
#[derive(Debug, Serialize)]
pub struct Counts {
    records: u64,
    contacts: u64,
    merged_contacts: u64,
    merged_records: u64,
    pairs_matched: u64,
    pairs_to_review: u64,
    pairs_split: u64,
    largest_cluster: u64,
    shared_record_ids: u64,
    spooled_bytes: u64,
    clustering: crm_resolve::cluster::ClusterReport,
    decisions: DecisionCounts,
    matching: crm_resolve::PairStats,
    /// Merged contacts whose records disagree on what a person has one of.
    disagreements: Vec<Disagreement>,
    /// Columns with cells that golden records leave out or that say neither yes nor no.
    unsaid: Vec<UnsaidColumn>,
    /// Values that are not, or not fully, what their column holds.
    doubtful_values: Vec<DoubtfulValues>,
    warnings: Vec<String>,
}

/// What is unsaid in one column of a source.
#[derive(Debug, Clone, Serialize)]
struct UnsaidColumn {
    file: String,
    column: String,
    role: &'static str,
    #[serde(flatten)]
    cells: Unsaid,
}

/// How often the records of one contact disagree on a field that each contact has one value of.
#[derive(Debug, Clone, Serialize)]
struct Disagreement {
    field: String,
    /// Merged contacts of which at least two records have a value.
    comparable: u64,
    /// Those with values that differ.
    disagreeing: u64,
}

/// Why a pair is or is not one contact.
#[derive(Debug, Serialize)]
struct Explanation {
    record_id_a: i64,
    record_id_b: i64,
    match_weight: f64,
    match_probability: f64,
    same_contact: bool,
    comparisons: Vec<crm_resolve::ExplainedComparison>,
}

/// What a pair became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Match,
    Review,
    Split,
    Same,
    Different,
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Review => "review",
            Self::Split => "split",
            Self::Same => "same",
            Self::Different => "different",
        }
    }
}

impl Resolution {
    /// Resolves what came in.
    pub fn new(
        ingested: Ingested,
        survivorship: Survivorship,
        max_cluster_share: Option<f64>,
        memory_limit: Option<u64>,
        decisions: &[(i64, i64, bool)],
        control: &dyn Control,
    ) -> Result<Self> {
        let Ingested { layouts, files, originals, ids, resolver, samples, unsaid } = ingested;
        if originals.n_records() == 0 {
            return Err(Error::new(
                crm_core::ErrorKind::FileFormat { file: files.first().cloned(), row: None, column: None },
                "the input has no rows",
            ));
        }
        let plan = GoldenPlan::new(layouts.clone(), survivorship)?;
        let (ids, n_shared_ids) = ids.finish();
        let keys: Vec<u64> = ids.iter().map(|id| *id as u64).collect();
        // Of the limit the process has taken something before it reads a row, and writing tables takes some later.
        let held = originals.memory() as u64 + ids.len() as u64 * 16;
        let for_process = memory_limit.map_or(0, |limit| PROCESS.min(limit / 8));
        let (resolved, mut pairs) = resolver.resolve(&samples, memory_limit, held + for_process, control)?;
        control.progress("clustering", 0, 1);
        let unique_source = resolved.records.unique_sources(&resolved.config);
        let decisions = Decisions::new(decisions, &ids);
        let constraints = Constraints { unique_source: &unique_source, must_link: &decisions.same, cannot_link: &decisions.different };
        let clusters = cluster(&keys, &pairs, constraints, &resolved.cluster_options(), &resolved.scorer()?, control)?;
        control.progress("clustering", 1, 1);
        stop_on_large_cluster(&clusters, max_cluster_share)?;
        let members = Members::new(&clusters);
        let mut founders = vec![i64::MAX; clusters.n_clusters];
        for (id, label) in ids.iter().zip(&clusters.labels) {
            let founder = &mut founders[*label as usize];
            *founder = (*founder).min(*id);
        }
        pairs.retain(|pair| pair.weight >= resolved.config.review_weight() || decisions.of(pair).is_some());
        decisions.complete(&mut pairs, &resolved.scorer()?);
        let ordered = |pair: &Edge| {
            let (a, b) = (ids[pair.a as usize], ids[pair.b as usize]);
            (std::cmp::Reverse(pair.weight), a.min(b), a.max(b))
        };
        pairs.sort_by_cached_key(ordered);
        let comparisons = resolved.comparison_names();
        let (records_schema, record_places) = records_schema(&layouts);
        let doubts = doubts::of_run(&resolved, &layouts, &samples);
        let canonicalizer = NormalCanonicalizer::new(layouts.iter().map(|layout| resolved.model.reading.of(&layout.source)));
        Ok(Self {
            files,
            originals,
            ids,
            founders,
            clusters,
            decisions,
            members,
            plan,
            resolved,
            canonicalizer,
            pairs,
            comparisons,
            records_schema,
            record_places,
            n_shared_ids,
            unsaid,
            doubts,
        })
    }

    pub fn counts(&self) -> Counts {
        let mut fates = [0u64; 5];
        for pair in &self.pairs {
            fates[self.fate(pair) as usize] += 1;
        }
        let report = self.clusters.report.clone();
        let disagreements = self.disagreements();
        Counts {
            records: self.ids.len() as u64,
            contacts: self.members.len() as u64,
            merged_contacts: report.n_merged_clusters,
            merged_records: (self.ids.len() - self.members.len()) as u64,
            pairs_matched: fates[Fate::Match as usize],
            pairs_to_review: fates[Fate::Review as usize],
            pairs_split: fates[Fate::Split as usize],
            largest_cluster: report.largest_cluster,
            shared_record_ids: self.n_shared_ids,
            spooled_bytes: self.originals.spooled(),
            matching: self.resolved.stats.clone(),
            warnings: self.warnings(&disagreements),
            disagreements,
            unsaid: self.unsaid().collect(),
            doubtful_values: self.doubts.clone(),
            clustering: report,
            decisions: self.decisions.counts(&self.clusters),
        }
    }

    fn unsaid(&self) -> impl Iterator<Item = UnsaidColumn> {
        let layouts = self.plan.layouts().iter().zip(&self.files).zip(&self.unsaid);
        layouts.flat_map(|((layout, file), unsaid)| {
            let columns = layout.columns.iter().zip(unsaid).filter(|(_, cells)| cells.fillers + cells.unclear > 0);
            columns.map(|(column, cells)| UnsaidColumn {
                file: file.clone(),
                column: column.name.clone(),
                role: column.role.map_or("", crm_core::Role::name),
                cells: *cells,
            })
        })
    }

    fn disagreements(&self) -> Vec<Disagreement> {
        use crm_resolve::records::Kind;
        let records = &self.resolved.records;
        let fields = [Kind::TaxId, Kind::BirthDate].into_iter().filter_map(|kind| records.field_of(kind));
        let count = |field: usize| {
            let mut disagreement = Disagreement { field: records.fields[field].name.clone(), comparable: 0, disagreeing: 0 };
            for contact in (0..self.members.len()).filter(|contact| self.members.of(*contact).len() > 1) {
                let mut values = self.members.of(contact).iter().map(|record| records.row(*record)[field]).filter(|value| *value != 0);
                let Some(first) = values.next() else { continue };
                let (mut is_comparable, mut differs) = (false, false);
                for value in values {
                    is_comparable = true;
                    differs |= value != first;
                }
                disagreement.comparable += u64::from(is_comparable);
                disagreement.disagreeing += u64::from(differs);
            }
            disagreement
        };
        fields.map(count).collect()
    }

    fn warnings(&self, disagreements: &[Disagreement]) -> Vec<String> {
        let mut warnings = Vec::new();
        for Disagreement { field, comparable, disagreeing } in disagreements {
            // A value that is mistyped now and then is usual; one that differs in every third contact identifies nobody, of few in every second.
            if *disagreeing >= 10 && disagreeing * 3 > *comparable || *disagreeing >= 4 && disagreeing * 2 > *comparable {
                warnings.push(format!(
                    "{disagreeing} of {comparable} merged contacts have records that disagree on '{field}': look at some in `pairs` before trusting the run"
                ));
            }
        }
        warnings.extend(self.doubts.iter().map(DoubtfulValues::warning));
        let n_records = self.ids.len() as u64;
        let largest = self.clusters.report.largest_cluster;
        if largest >= 20 && largest * 100 > n_records || largest >= 8 && largest * 10 > n_records {
            warnings.push(format!(
                "one contact holds {largest} of {n_records} records: look whether a value that many share was taken for one person's"
            ));
        }
        for UnsaidColumn { file, column, cells, .. } in self.unsaid().filter(|unsaid| unsaid.cells.unclear > 0) {
            warnings.push(format!(
                "{file}: {} cells of '{column}' say neither yes nor no to marketing: they are kept as written, and no contact of theirs counts as consenting",
                cells.unclear
            ));
        }
        let DecisionCounts { unknown, not_followed, .. } = self.decisions.counts(&self.clusters);
        if unknown > 0 {
            warnings.push(format!("{unknown} decisions name records that the input does not have (any more): they were left aside"));
        }
        if not_followed > 0 {
            warnings.push(format!(
                "{not_followed} pairs decided to be the same are apart: other decisions, or a source declared free of duplicates, contradict"
            ));
        }
        if self.n_shared_ids > 0 {
            warnings.push(format!(
                "{} rows repeat another row of their source (the same key, or without a key column the same content): each is a record of its own",
                self.n_shared_ids
            ));
        }
        warnings
    }

    fn fate(&self, pair: &Edge) -> Fate {
        if let Some(is_same) = self.decisions.of(pair) {
            if is_same { Fate::Same } else { Fate::Different }
        } else if self.clusters.labels[pair.a as usize] == self.clusters.labels[pair.b as usize] {
            Fate::Match
        } else if pair.weight >= self.resolved.config.match_weight() {
            Fate::Split
        } else {
            Fate::Review
        }
    }

    /// The model as JSON.
    pub fn model(&self) -> Result<String> {
        self.resolved.model.to_json()
    }

    /// Why two records were, or were not, held to be the same, as JSON.
    pub fn explain(&self, id_a: i64, id_b: i64) -> Result<String> {
        let find = |id: i64| {
            let place = self.ids.iter().position(|known| *known == id);
            place.map(|place| place as u32).ok_or_else(|| Error::config(format!("no record has the record_id {id}")))
        };
        let (a, b) = (find(id_a)?, find(id_b)?);
        let (weight, comparisons) = self.resolved.scorer()?.explain(a, b);
        let explanation = Explanation {
            record_id_a: id_a,
            record_id_b: id_b,
            match_weight: f64::from(weight) / f64::from(WEIGHT_ONE),
            match_probability: crm_resolve::weight_to_probability(weight),
            same_contact: self.clusters.labels[a as usize] == self.clusters.labels[b as usize],
            comparisons,
        };
        serde_json::to_string(&explanation).map_err(|error| Error::internal(error.to_string()))
    }

    pub fn n_contacts(&self) -> usize {
        self.members.len()
    }

    pub fn n_records(&self) -> usize {
        self.ids.len()
    }

    pub fn n_pairs(&self) -> usize {
        self.pairs.len()
    }

    pub fn contacts_schema(&self) -> SchemaRef {
        self.plan.contacts_schema()
    }

    pub fn lineage_schema(&self) -> SchemaRef {
        self.plan.lineage_schema()
    }

    pub fn records_schema(&self) -> SchemaRef {
        self.records_schema.clone()
    }

    /// The golden records of the contacts from `start`, and the place after them.
    pub fn golden(&self, start: usize, cursor: &mut RowCursor, control: &dyn Control) -> Result<(Golden, usize)> {
        let range = start..(start + BATCH_ROWS).min(self.n_contacts());
        let golden = cursor.with_rows(&self.originals, &self.members, range.clone(), control, |rows, locate| {
            let facts = RecordFacts { ids: &self.ids };
            self.plan.build(range.clone(), &self.members, facts, rows, locate, &self.canonicalizer, control)
        })?;
        Ok((golden, range.end))
    }

    /// The rows of the records table from `start`.
    pub fn records(&self, start: usize, control: &dyn Control) -> Result<RecordBatch> {
        let end = (start + BATCH_ROWS).min(self.ids.len());
        let n_inputs = self.records_schema.fields().len() - 4;
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); n_inputs];
        let mut file = StringBuilder::new();
        let mut row = Int64Builder::with_capacity(end - start);
        let mut at = start;
        while at < end {
            control.check()?;
            let place = self.originals.locate(at as u32);
            let batch = place.batch as usize;
            let len = (self.originals.records(batch).end as usize).min(end) - at;
            let layout = self.originals.layout(batch);
            let columns = self.originals.columns(batch)?;
            for (target, parts) in parts.iter_mut().enumerate() {
                parts.push(match self.record_places[layout].iter().position(|place| *place == target) {
                    Some(column) => Arc::new(columns[column].slice(place.row as usize, len)),
                    None => new_null_array(&DataType::Utf8, len),
                });
            }
            for index in place.row as usize..place.row as usize + len {
                file.append_value(&self.files[layout]);
                row.append_value(self.originals.source_rows(batch).get(index) as i64);
            }
            at += len;
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(n_inputs + 4);
        for parts in &parts {
            let parts: Vec<&dyn arrow_array::Array> = parts.iter().map(AsRef::as_ref).collect();
            arrays.push(if parts.len() == 1 { parts[0].slice(0, parts[0].len()) } else { concat(&parts)? });
        }
        let contacts: StringArray = {
            let mut builder = StringBuilder::with_capacity(end - start, (end - start) * 14);
            for label in &self.clusters.labels[start..end] {
                builder.append_value(contact_id(self.founders[*label as usize]).as_str());
            }
            builder.finish()
        };
        arrays.push(Arc::new(arrow_array::Int64Array::from(self.ids[start..end].to_vec())));
        arrays.push(Arc::new(contacts));
        arrays.push(Arc::new(file.finish()));
        arrays.push(Arc::new(row.finish()));
        Ok(RecordBatch::try_new(self.records_schema.clone(), arrays)?)
    }

    pub fn pairs_schema(&self) -> SchemaRef {
        let mut fields = vec![
            Field::new("record_id_a", DataType::Int64, false),
            Field::new("record_id_b", DataType::Int64, false),
            Field::new("match_weight", DataType::Float64, false),
            Field::new("match_probability", DataType::Float64, false),
            Field::new("decision", DataType::Utf8, false),
        ];
        fields.extend(self.comparisons.iter().map(|name| Field::new(format!("level_{name}"), DataType::Int8, false)));
        Arc::new(Schema::new(fields))
    }

    /// The rows of the pairs table from `start`: strongest first.
    pub fn pairs(&self, start: usize, control: &dyn Control) -> Result<RecordBatch> {
        control.check()?;
        let pairs = &self.pairs[start..(start + BATCH_ROWS).min(self.pairs.len())];
        let (mut a, mut b) = (Int64Builder::with_capacity(pairs.len()), Int64Builder::with_capacity(pairs.len()));
        let (mut weight, mut probability) = (Float64Builder::with_capacity(pairs.len()), Float64Builder::with_capacity(pairs.len()));
        let mut decision = StringBuilder::new();
        for pair in pairs {
            let (id_a, id_b) = (self.ids[pair.a as usize], self.ids[pair.b as usize]);
            a.append_value(id_a.min(id_b));
            b.append_value(id_a.max(id_b));
            weight.append_value(f64::from(pair.weight) / f64::from(WEIGHT_ONE));
            probability.append_value(pair.probability());
            decision.append_value(self.fate(pair).name());
        }
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(a.finish()),
            Arc::new(b.finish()),
            Arc::new(weight.finish()),
            Arc::new(probability.finish()),
            Arc::new(decision.finish()),
        ];
        arrays.extend(self.resolved.levels(pairs));
        Ok(RecordBatch::try_new(self.pairs_schema(), arrays)?)
    }
}

/// A cluster that takes more than the allowed share of a run that is large enough for a share to mean something.
fn stop_on_large_cluster(clusters: &Clusters, max_share: Option<f64>) -> Result<()> {
    let Some(max_share) = max_share else { return Ok(()) };
    let (largest, n_records) = (clusters.report.largest_cluster, clusters.labels.len());
    let share = largest as f64 / n_records as f64;
    if largest > 1 && share > max_share {
        return Err(Error::limit(format!(
            "one contact would hold {largest} of {n_records} records ({:.1} %), more than max_cluster_share allows ({:.1} %); nothing was written",
            share * 100.0,
            max_share * 100.0
        )));
    }
    Ok(())
}

/// All input columns by name in the order of the input, then what the run adds.
fn records_schema(layouts: &[SourceLayout]) -> (SchemaRef, Vec<Vec<usize>>) {
    const OWN: [&str; 4] = ["record_id", "contact_id", "source_file", "source_row"];
    let mut names: Vec<String> = Vec::new();
    let mut places = Vec::new();
    let inputs = layouts.iter().flat_map(|layout| &layout.columns).map(|column| column.name.as_str());
    let beside = names_beside_own(inputs, |name| OWN.contains(&name));
    for layout in layouts {
        let of_layout = layout.columns.iter().map(|column| {
            let name = &beside[column.name.as_str()];
            names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.clone());
                names.len() - 1
            })
        });
        places.push(of_layout.collect());
    }
    let mut fields: Vec<Field> = names.into_iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    fields.push(Field::new("record_id", DataType::Int64, false));
    fields.push(Field::new("contact_id", DataType::Utf8, false));
    fields.push(Field::new("source_file", DataType::Utf8, false));
    fields.push(Field::new("source_row", DataType::Int64, false));
    (Arc::new(Schema::new(fields)), places)
}
