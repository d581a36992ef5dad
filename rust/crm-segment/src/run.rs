//! One run over the data.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow_array::{ArrayRef, RecordBatch};
use crm_core::{Control, Error, Result};
use crm_rules::{BLOCK_ROWS, Batch, Column, Evaluator, Input, Program, bit, count_ones, words_for};
use rayon::prelude::*;

use crate::contact_index::ContactIndex;
use crate::feature::FeatureState;
use crate::ledger::{Entry, Ledger, LedgerRows, MOST};
use crate::memory::Memory;
use crate::outcome::{Chunk, Outcome, OutcomeBuilder};
use crate::ranking::RankingKeys;
use crate::rule_set::RuleSet;
use crate::table_plan::{Block, Part, TablePlan};

/// A run of one rule set over contacts and related tables; see the crate's page for the order of calls.
#[derive(Debug)]
pub struct Run {
    pub(crate) rules: Arc<RuleSet>,
    pool: rayon::ThreadPool,
    key: String,
    memory: Memory,
    /// The stretch of contacts whose features are known, or being computed: the number of its first contact, and how many were asked for.
    pub(crate) first: usize,
    asked: usize,
    /// Contacts from `first` on whose keys were seen.
    keys_seen: usize,
    index: ContactIndex,
    indexed: bool,
    /// Contacts of the stretch, once their keys are complete.
    contacts: usize,
    /// The features with a state of their own.
    states: Vec<Option<FeatureState>>,
    /// The other features: counts, sums and extremes.
    ledgers: Vec<Ledger>,
    /// The features, once related tables are complete.
    features: Vec<Column>,
    ranking_keys: RankingKeys,
    rankings: Vec<Column>,
    outcome: OutcomeBuilder,
    warnings: Vec<String>,
}

impl Run {
    /// A run with so many threads; `key` is the column that identifies a contact, and `memory_limit` is in bytes.
    pub fn new(rules: Arc<RuleSet>, key: &str, threads: usize, memory_limit: Option<u64>) -> Result<Self> {
        if threads > MAX_THREADS {
            return Err(Error::config(format!("{threads} threads are asked for, and {MAX_THREADS} is the most")));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .build()
            .map_err(|error| Error::limit(format!("{threads} threads cannot be started ({error}): ask for fewer of them")))?;
        let outcome = OutcomeBuilder::new(rules.segments.len(), rules.assignments.len());
        Ok(Self {
            rules,
            pool,
            key: key.to_owned(),
            memory: Memory::new(memory_limit),
            first: 0,
            asked: usize::MAX,
            keys_seen: 0,
            index: ContactIndex::Empty,
            indexed: false,
            contacts: 0,
            states: Vec::new(),
            ledgers: Vec::new(),
            features: Vec::new(),
            ranking_keys: RankingKeys::default(),
            rankings: Vec::new(),
            outcome,
            warnings: Vec::new(),
        })
    }

    /// How many of so many contacts the memory limit lets be taken at a time.
    pub fn stretch(&mut self, contacts: usize) -> Result<usize> {
        self.memory.stretch(&self.rules, contacts)
    }

    /// Begins with the features of `count` contacts from number `first` on, and forgets those of others.
    pub fn begin(&mut self, first: usize, count: usize) {
        (self.first, self.asked, self.keys_seen) = (first, count, 0);
        (self.index, self.indexed, self.contacts) = (ContactIndex::Empty, false, 0);
        self.states.clear();
        self.ledgers.clear();
        self.features.clear();
    }

    /// Learns the keys of the next contacts, from the stretch's first on. Those beyond the stretch are only compared with its own, so that
    /// a key that occurs twice is found however contacts are divided.
    pub fn index_contacts(&mut self, batch: &RecordBatch) -> Result<()> {
        let keys = batch.column_by_name(&self.key).ok_or_else(|| Error::schema(format!("contacts have no column '{}'", self.key)))?;
        let own = keys.len().min(self.asked.saturating_sub(self.keys_seen));
        if own > 0 {
            self.index.push(&self.key, &keys.slice(0, own))?;
        }
        if own < keys.len() {
            self.close_index()?;
            self.index.expect_none(&self.key, &keys.slice(own, keys.len() - own))?;
        }
        self.keys_seen += keys.len();
        Ok(())
    }

    fn close_index(&mut self) -> Result<()> {
        if !self.indexed {
            self.contacts = self.index.len();
            self.index.close(&self.key)?;
            let features = self.rules.compiler.features();
            self.states = features
                .iter()
                .enumerate()
                .map(|(number, feature)| match Entry::new(number, feature, None, None) {
                    Some(_) => None,
                    None => Some(FeatureState::new(feature, self.contacts)),
                })
                .collect();
            self.indexed = true;
        }
        Ok(())
    }

    /// Adds all rows of a related table, by its place in the schema. `false` means that the stretch takes more memory than is allowed, and
    /// is to be begun anew with fewer contacts.
    pub fn add_related(&mut self, table: usize, batches: impl Iterator<Item = Result<RecordBatch>>, control: &dyn Control) -> Result<bool> {
        self.close_index()?;
        let rules = Arc::clone(&self.rules);
        let plan = TablePlan::new(&rules, table);
        if plan.parts.is_empty() && plan.entries.is_empty() {
            return Ok(true);
        }
        let contact = &rules.compiler.schema().tables[table].contact;
        let name = &rules.compiler.schema().tables[table].name;
        let mut ledgers: Vec<Ledger> = plan.entries.chunks(MOST).map(|entries| Ledger::new(entries.to_vec(), self.contacts)).collect();
        let room = self.memory.buffer(self.held(&ledgers)) / ledgers.len().max(1) as u64;
        ledgers.iter_mut().for_each(|ledger| ledger.hold_back(room));
        let mut done = 0;
        let mut fits = self.fits(&ledgers)?;
        let evaluators: Vec<Mutex<Evaluator<'_>>> =
            (0..self.pool.current_num_threads()).map(|_| Mutex::new(Evaluator::new(&plan.program))).collect();
        for batch in batches {
            let batch = batch?;
            let keys = batch.column_by_name(contact).ok_or_else(|| Error::schema(format!("'{name}' has no column '{contact}'")))?;
            let columns = Batch::new(plan.program.graph(), &batch, |_| None)?;
            for from in (0..batch.num_rows()).step_by(ROWS_AT_ONCE) {
                if !fits {
                    return Ok(false);
                }
                let to = (from + ROWS_AT_ONCE).min(batch.num_rows());
                self.add_rows(&plan, (keys, contact), &columns, from..to, (&evaluators, &mut ledgers))?;
                done += (to - from) as u64;
                fits = self.fits(&ledgers)?;
                control.check()?;
                control.progress(name, done, 0);
            }
        }
        for evaluator in evaluators.iter().filter_map(|evaluator| evaluator.lock().ok()) {
            self.warnings.extend(evaluator.failed().iter().map(|sql| could_not(sql)));
        }
        self.pool.install(|| ledgers.iter_mut().for_each(Ledger::settle));
        self.ledgers.append(&mut ledgers);
        Ok(fits)
    }

    /// Adds some rows of a batch: they are evaluated block by block, and then added by contact.
    fn add_rows<'p>(
        &mut self,
        plan: &'p TablePlan,
        (keys, name): (&ArrayRef, &str),
        columns: &Batch,
        rows: std::ops::Range<usize>,
        (evaluators, ledgers): (&[Mutex<Evaluator<'p>>], &mut [Ledger]),
    ) -> Result<()> {
        let offsets: Vec<usize> = rows.clone().step_by(BLOCK_ROWS).collect();
        let index = &self.index;
        let blocks: Vec<Result<Block<'_>>> = self.pool.install(|| {
            let block = |offset: &usize| {
                let mut evaluator = own(evaluators).ok_or_else(|| Error::internal("a thread failed before"))?;
                plan.block(&mut evaluator, columns, (keys, name), index, ledgers, *offset)
            };
            offsets.par_iter().map(block).collect()
        });
        let blocks = blocks.into_iter().collect::<Result<Vec<_>>>()?;
        let own_states = self.states.iter_mut().zip(self.rules.compiler.features()).filter(|(_, feature)| feature.table == plan.table);
        let mut states: Vec<(&Part, &mut FeatureState)> =
            plan.parts.iter().zip(own_states.filter_map(|(state, _)| state.as_mut())).collect();
        self.pool.install(|| {
            for (place, ledger) in ledgers.iter_mut().enumerate() {
                let rows: Vec<&LedgerRows> = blocks.iter().map(|block| &block.ledgers[place]).collect();
                ledger.add(&rows);
            }
            states.par_iter_mut().for_each(|(part, state)| {
                for block in &blocks {
                    block.add_to(state, part);
                }
            });
        });
        Ok(())
    }

    /// What the stretch holds.
    fn held(&self, more: &[Ledger]) -> u64 {
        let ledgers: u64 = self.ledgers.iter().chain(more).map(Ledger::bytes).sum();
        let states: u64 = self.states.iter().flatten().map(FeatureState::bytes).sum();
        ledgers + states + self.index.bytes()
    }

    /// Whether what the stretch holds is allowed; an error where it could not be made shorter.
    fn fits(&self, more: &[Ledger]) -> Result<bool> {
        if self.memory.fits(self.held(more)) {
            return Ok(true);
        }
        if Memory::can_shorten(self.contacts) { Ok(false) } else { Err(self.memory.exceeded()) }
    }

    /// Finishes the features; related tables are complete.
    pub(crate) fn close_features(&mut self) -> Result<()> {
        self.close_index()?;
        let states = std::mem::take(&mut self.states);
        if states.is_empty() {
            // There are none, or they are finished.
            return Ok(());
        }
        let features = self.rules.compiler.features();
        let mut found: HashMap<usize, Column> =
            std::mem::take(&mut self.ledgers).into_iter().flat_map(|ledger| ledger.finish(features)).collect();
        for (number, (state, feature)) in states.into_iter().zip(features).enumerate() {
            if state.as_ref().is_some_and(FeatureState::overflowed) {
                self.warnings.push(could_not(&feature.sql));
            }
            // Of a table that was not given no contact has a row.
            let nothing = || FeatureState::new(feature, self.contacts);
            let column = found.remove(&number);
            self.features.push(column.unwrap_or_else(|| state.unwrap_or_else(nothing).finish(self.contacts)));
        }
        Ok(())
    }

    /// Learns what the next ranking goes by, of the stretch's contacts.
    pub fn rank(&mut self, batches: impl Iterator<Item = Result<RecordBatch>>, control: &dyn Control) -> Result<()> {
        self.close_features()?;
        let rules = Arc::clone(&self.rules);
        let Some(ranking) = rules.compiler.rankings().get(self.rankings.len()) else { return Ok(()) };
        let program = Program::new(Arc::clone(&rules.graph), &[], &[ranking.key]);
        let mut evaluator = Evaluator::new(&program);
        let mut first = 0;
        for batch in batches {
            let batch = batch?;
            let columns = self.columns(&program, &batch, first)?;
            for offset in (0..batch.num_rows()).step_by(BLOCK_ROWS) {
                let rows = BLOCK_ROWS.min(batch.num_rows() - offset);
                let vectors = evaluator.block(&columns, offset, rows);
                self.ranking_keys.push(&vectors[0], rows);
                control.check()?;
            }
            first += batch.num_rows();
        }
        self.expect_all(first)
    }

    /// Ranks all contacts, whose keys are complete.
    pub fn finish_ranking(&mut self) {
        if let Some(ranking) = self.rules.compiler.rankings().get(self.rankings.len()) {
            let keys = std::mem::take(&mut self.ranking_keys);
            self.rankings.push(keys.finish(ranking.kind, ranking.descending));
        }
    }

    /// The columns of a batch whose first contact is number `from` of the stretch.
    pub(crate) fn columns(&self, program: &Program, batch: &RecordBatch, from: usize) -> Result<Batch> {
        let rows = batch.num_rows();
        let first = self.first + from;
        let short = |column: &Column| column.len() < first + rows;
        if self.rules.needs_index() && (from + rows > self.contacts || self.rankings.iter().any(short)) {
            return Err(changed());
        }
        Batch::new(program.graph(), batch, |input| match input {
            Input::Feature(number) => self.features.get(*number).map(|column| column.slice(from, rows)),
            // A later ranking is not asked for by an earlier one, but the batch holds every input of the graph.
            Input::Ranking(number) => Some(self.rankings.get(*number).map_or(Column::Null(rows), |column| column.slice(first, rows))),
            Input::Column(_) => None,
        })
    }

    /// Evaluates the stretch's contacts, or all where none were indexed; every batch's key column is handed to `keep`.
    pub fn evaluate(
        &mut self,
        batches: impl Iterator<Item = Result<RecordBatch>>,
        mut keep: impl FnMut(&RecordBatch) -> Result<()>,
        control: &dyn Control,
    ) -> Result<()> {
        self.close_features()?;
        let rules = Arc::clone(&self.rules);
        let evaluators: Vec<Mutex<Evaluator<'_>>> =
            (0..self.pool.current_num_threads()).map(|_| Mutex::new(Evaluator::new(&rules.program))).collect();
        let mut done = 0;
        for batch in batches {
            let batch = batch?;
            keep(&batch)?;
            let rows = batch.num_rows();
            let columns = self.columns(&rules.program, &batch, done)?;
            let offsets: Vec<usize> = (0..rows).step_by(BLOCK_ROWS * BLOCKS_PER_TASK).collect();
            let tasks: Vec<Vec<Chunk>> = self.pool.install(|| {
                offsets
                    .par_iter()
                    .map(|offset| {
                        let end = (offset + BLOCK_ROWS * BLOCKS_PER_TASK).min(rows);
                        let mut chunks = Vec::new();
                        let Some(mut evaluator) = own(&evaluators) else { return chunks };
                        for offset in (*offset..end).step_by(BLOCK_ROWS) {
                            if control.is_cancelled() {
                                break;
                            }
                            let rows = BLOCK_ROWS.min(end - offset);
                            evaluator.block(&columns, offset, rows);
                            chunks.push(chunk(&rules, &evaluator, rows));
                        }
                        chunks
                    })
                    .collect()
            });
            control.check()?;
            tasks.iter().flatten().for_each(|chunk| self.outcome.push(chunk));
            done += rows;
            control.progress("contacts", self.outcome.contacts as u64, 0);
        }
        for evaluator in evaluators.iter().filter_map(|evaluator| evaluator.lock().ok()) {
            self.warnings.extend(evaluator.failed().iter().map(|sql| could_not(sql)));
        }
        self.expect_all(done)
    }

    /// Whether a pass over the stretch saw all of its contacts.
    fn expect_all(&self, seen: usize) -> Result<()> {
        if self.rules.needs_index() && seen != self.contacts { Err(changed()) } else { Ok(()) }
    }

    /// What was found, once all contacts are evaluated.
    pub fn finish(&mut self) -> Outcome {
        self.warnings.sort();
        self.warnings.dedup();
        let empty = OutcomeBuilder::new(self.rules.segments.len(), self.rules.assignments.len());
        std::mem::replace(&mut self.outcome, empty).finish(self.warnings.clone())
    }
}

/// Most threads of a run.
const MAX_THREADS: usize = 256;

/// Blocks that a thread takes at once.
const BLOCKS_PER_TASK: usize = 8;

/// Rows of a related table that are evaluated before they are added: what is between the two stays small however long a batch is.
const ROWS_AT_ONCE: usize = 32 * BLOCK_ROWS;

fn changed() -> Error {
    Error::schema("the contacts changed between two passes over them")
}

/// The evaluator of the thread that asks: each has its own, kept from batch to batch with the tables it has built.
fn own<'l, 'p>(evaluators: &'l [Mutex<Evaluator<'p>>]) -> Option<MutexGuard<'l, Evaluator<'p>>> {
    evaluators[rayon::current_thread_index().unwrap_or(0) % evaluators.len()].lock().ok()
}

fn could_not(sql: &str) -> String {
    format!("could not be computed for some rows and is null there: {sql}")
}

fn chunk(rules: &RuleSet, evaluator: &Evaluator<'_>, rows: usize) -> Chunk {
    let segments = rules.segments.len();
    let mut bits = Vec::with_capacity(segments * words_for(rows));
    for segment in 0..segments {
        bits.extend_from_slice(evaluator.condition(segment));
    }
    let counts = (0..segments).map(|segment| count_ones(evaluator.condition(segment))).collect();
    let mut condition = segments;
    let mut assigned = Vec::with_capacity(rules.assignments.len());
    for (_, choices) in &rules.assignments {
        let mut labels = vec![u32::MAX; rows];
        for choice in 0..choices.len() {
            let words = evaluator.condition(condition);
            condition += 1;
            for (row, label) in labels.iter_mut().enumerate() {
                if *label == u32::MAX && bit(words, row) {
                    *label = choice as u32;
                }
            }
        }
        assigned.push(labels);
    }
    Chunk { rows, bits, counts, assigned }
}
