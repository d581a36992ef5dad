//! One run over the data.
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow_array::RecordBatch;
use crm_core::{Control, Error, Result};
use crm_rules::{
    BLOCK_ROWS, Batch, Column, Evaluator, Graph, Input, NodeId, Program, Type, Vector, and_into, bit, count_ones, or_into, words_for,
};
use rayon::prelude::*;

use crate::contact_index::{ContactIndex, NONE};
use crate::feature::{BlockRows, FeatureState};
use crate::ledger::{Entry, Ledger, LedgerRows, MOST};
use crate::outcome::{Chunk, Explanation, Outcome, OutcomeBuilder, Predicate};
use crate::ranking::RankingKeys;
use crate::rule_set::RuleSet;

/// A run of one rule set over contacts and related tables; see the crate's page for the order of calls.
#[derive(Debug)]
pub struct Run {
    rules: Arc<RuleSet>,
    pool: rayon::ThreadPool,
    key: String,
    index: ContactIndex,
    indexed: bool,
    contacts: usize,
    /// The features with a state of their own.
    states: Vec<Option<FeatureState>>,
    /// The other features: counts, sums and extremes.
    ledgers: Vec<Ledger>,
    /// The features, once related tables are complete.
    features: Vec<Finished>,
    rankings: Vec<Column>,
    warnings: Vec<String>,
}

impl Run {
    /// A run with so many threads; `key` is the column that identifies a contact.
    pub fn new(rules: Arc<RuleSet>, key: &str, threads: usize) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .build()
            .map_err(|error| Error::internal(format!("no threads: {error}")))?;
        Ok(Self {
            rules,
            pool,
            key: key.to_owned(),
            index: ContactIndex::Empty,
            indexed: false,
            contacts: 0,
            states: Vec::new(),
            ledgers: Vec::new(),
            features: Vec::new(),
            rankings: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// Learns the keys of the next contacts.
    pub fn index_contacts(&mut self, batch: &RecordBatch) -> Result<()> {
        let keys = batch.column_by_name(&self.key).ok_or_else(|| Error::schema(format!("contacts have no column '{}'", self.key)))?;
        self.index.push(&self.key, keys)
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

    /// Adds all rows of a related table, by its place in the schema.
    pub fn add_related(&mut self, table: usize, batches: impl Iterator<Item = Result<RecordBatch>>, control: &dyn Control) -> Result<()> {
        self.close_index()?;
        let rules = Arc::clone(&self.rules);
        let features: Vec<usize> =
            (0..rules.compiler.features().len()).filter(|number| rules.compiler.features()[*number].table == table).collect();
        if features.is_empty() {
            return Ok(());
        }
        let plan = TablePlan::new(&rules, table, &features);
        let contact = &rules.compiler.schema().tables[table].contact;
        let name = &rules.compiler.schema().tables[table].name;
        let mut ledgers: Vec<Ledger> = plan.entries.chunks(MOST).map(|entries| Ledger::new(entries.to_vec(), self.contacts)).collect();
        let mut done = 0;
        let evaluators: Vec<Mutex<Evaluator<'_>>> =
            (0..self.pool.current_num_threads()).map(|_| Mutex::new(Evaluator::new(&plan.program))).collect();
        for batch in batches {
            let batch = batch?;
            let keys = batch.column_by_name(contact).ok_or_else(|| Error::schema(format!("'{name}' has no column '{contact}'")))?;
            let columns = Batch::new(plan.program.graph(), &batch, |_| None)?;
            let offsets: Vec<usize> = (0..batch.num_rows()).step_by(BLOCK_ROWS).collect();
            let index = &self.index;
            let blocks: Vec<Result<Block<'_>>> = self.pool.install(|| {
                let block = |offset: &usize| {
                    let mut evaluator = own(&evaluators).ok_or_else(|| Error::internal("a thread failed before"))?;
                    plan.block(&mut evaluator, &columns, (keys, contact), index, &ledgers, *offset)
                };
                offsets.par_iter().map(block).collect()
            });
            let blocks = blocks.into_iter().collect::<Result<Vec<_>>>()?;
            let mut states: Vec<(&Part, &mut FeatureState)> = plan
                .parts
                .iter()
                .zip(self.states.iter_mut().enumerate().filter_map(
                    |(number, state)| {
                        if features.contains(&number) { state.as_mut() } else { None }
                    },
                ))
                .collect();
            self.pool.install(|| {
                for (place, ledger) in ledgers.iter_mut().enumerate() {
                    let rows: Vec<(&LedgerRows, &[Vector<'_>])> =
                        blocks.iter().map(|block| (&block.ledgers[place], block.vectors.as_slice())).collect();
                    ledger.add(&rows);
                }
                states.par_iter_mut().for_each(|(part, state)| {
                    for block in &blocks {
                        block.add_to(state, part);
                    }
                });
            });
            done += batch.num_rows() as u64;
            control.check()?;
            control.progress(name, done, 0);
        }
        for evaluator in evaluators.iter().filter_map(|evaluator| evaluator.lock().ok()) {
            self.warnings.extend(evaluator.failed().iter().map(|sql| could_not(sql)));
        }
        drop(evaluators);
        self.ledgers.append(&mut ledgers);
        Ok(())
    }

    /// Finishes the features; related tables are complete.
    fn close_features(&mut self) -> Result<()> {
        self.close_index()?;
        let states = std::mem::take(&mut self.states);
        for (number, (state, feature)) in states.into_iter().zip(self.rules.compiler.features()).enumerate() {
            let place = |(ledger, found): (usize, &Ledger)| {
                found.entries().iter().position(|entry| entry.feature == number).map(|entry| (ledger, entry))
            };
            self.features.push(match (state, self.ledgers.iter().enumerate().find_map(place)) {
                (Some(state), _) => {
                    if state.overflowed {
                        self.warnings.push(could_not(&feature.sql));
                    }
                    Finished::Column(state.finish(self.contacts))
                }
                (None, Some((ledger, entry))) => Finished::Entry { ledger, entry, data_type: feature.data_type },
                // The table was not given: no contact has a row in it.
                (None, None) => Finished::Column(FeatureState::new(feature, self.contacts).finish(self.contacts)),
            });
        }
        Ok(())
    }

    /// Computes the next ranking from all contacts, in the order in which they were indexed.
    pub fn rank(&mut self, batches: impl Iterator<Item = Result<RecordBatch>>, control: &dyn Control) -> Result<()> {
        self.close_features()?;
        let rules = Arc::clone(&self.rules);
        let Some(ranking) = rules.compiler.rankings().get(self.rankings.len()) else { return Ok(()) };
        let program = Program::new(Arc::clone(&rules.graph), &[], &[ranking.key]);
        let mut evaluator = Evaluator::new(&program);
        let mut keys = RankingKeys::default();
        let mut first = 0;
        for batch in batches {
            let batch = batch?;
            let columns = self.columns(&program, &batch, first)?;
            for offset in (0..batch.num_rows()).step_by(BLOCK_ROWS) {
                let rows = BLOCK_ROWS.min(batch.num_rows() - offset);
                let vectors = evaluator.block(&columns, offset, rows);
                keys.push(&vectors[0], rows);
                control.check()?;
            }
            first += batch.num_rows();
        }
        let column = keys.finish(ranking.kind, ranking.descending);
        if column.len() != self.contacts {
            return Err(Error::schema("the contacts changed between two passes over them"));
        }
        self.rankings.push(column);
        Ok(())
    }

    /// The columns of a batch whose first contact is number `first`.
    fn columns(&self, program: &Program, batch: &RecordBatch, first: usize) -> Result<Batch> {
        let changed = || Error::schema("the contacts changed between two passes over them");
        if self.indexed && !(self.features.is_empty() && self.rankings.is_empty()) && first + batch.num_rows() > self.contacts {
            return Err(changed());
        }
        let rows = batch.num_rows();
        let asked: Vec<usize> = program
            .graph()
            .inputs()
            .iter()
            .filter_map(|(input, _)| if let Input::Feature(number) = input { Some(*number) } else { None })
            .collect();
        let columns: Vec<Option<Column>> =
            self.pool.install(|| asked.par_iter().map(|number| self.feature(*number, first, rows)).collect());
        let mut features: Vec<(usize, Option<Column>)> = asked.into_iter().zip(columns).collect();
        Batch::new(program.graph(), batch, |input| match input {
            Input::Feature(number) => features.iter_mut().find(|(known, _)| known == number).and_then(|(_, column)| column.take()),
            // A later ranking is not asked for by an earlier one, but the batch holds every input of the graph.
            Input::Ranking(number) => {
                Some(self.rankings.get(*number).map_or(Column::Null(batch.num_rows()), |column| column.slice(first, batch.num_rows())))
            }
            Input::Column(_) => None,
        })
    }

    /// A feature of the contacts `first..first + len`.
    fn feature(&self, number: usize, first: usize, len: usize) -> Option<Column> {
        match self.features.get(number)? {
            Finished::Column(column) => Some(column.slice(first, len)),
            Finished::Entry { ledger, entry, data_type } => Some(self.ledgers[*ledger].column(*entry, *data_type, first, len)),
        }
    }

    /// Evaluates the contacts; every batch's key column is handed to `keep`.
    pub fn evaluate(
        &mut self,
        batches: impl Iterator<Item = Result<RecordBatch>>,
        mut keep: impl FnMut(&RecordBatch) -> Result<()>,
        control: &dyn Control,
    ) -> Result<Outcome> {
        self.close_features()?;
        let rules = Arc::clone(&self.rules);
        let segments = rules.segments.len();
        let evaluators: Vec<Mutex<Evaluator<'_>>> =
            (0..self.pool.current_num_threads()).map(|_| Mutex::new(Evaluator::new(&rules.program))).collect();
        let mut outcome = OutcomeBuilder::new(segments, rules.assignments.len());
        let mut failed = Vec::new();
        for batch in batches {
            let batch = batch?;
            keep(&batch)?;
            let rows = batch.num_rows();
            let columns = self.columns(&rules.program, &batch, outcome.contacts)?;
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
            tasks.iter().flatten().for_each(|chunk| outcome.push(chunk));
            control.progress("contacts", outcome.contacts as u64, 0);
        }
        if rules.needs_index() && outcome.contacts != self.contacts {
            return Err(Error::schema("the contacts changed between two passes over them"));
        }
        for evaluator in evaluators.iter().filter_map(|evaluator| evaluator.lock().ok()) {
            failed.extend(evaluator.failed());
        }
        self.warnings.extend(failed.iter().map(|sql| could_not(sql)));
        self.warnings.sort();
        self.warnings.dedup();
        Ok(outcome.finish(self.warnings.clone()))
    }

    /// What every predicate says of one contact: `batch` has its row, which is number `place` among the indexed contacts.
    pub fn explain(&mut self, batch: &RecordBatch, place: usize) -> Result<Vec<Explanation>> {
        self.close_features()?;
        let rules = Arc::clone(&self.rules);
        let graph = &rules.graph;
        let leaves: Vec<Vec<NodeId>> = rules.roots.iter().map(|root| leaves(graph, *root)).collect();
        let mut asked: Vec<NodeId> = rules.roots.clone();
        asked.extend(leaves.iter().flatten());
        let inputs: Vec<NodeId> = leaves.iter().flatten().flat_map(|leaf| graph.inputs_below(*leaf)).collect();
        asked.extend(&inputs);
        asked.sort();
        asked.dedup();
        let program = Program::new(Arc::clone(graph), &[], &asked);
        let mut evaluator = Evaluator::new(&program);
        let columns = self.columns(&program, batch, place)?;
        let vectors = evaluator.block(&columns, 0, 1);
        let value = |node: NodeId| {
            let at = asked.binary_search(&node).unwrap_or_default();
            vectors[at].get_constant(0, graph.data_type(node))
        };
        let truth = |node: NodeId| match value(node) {
            Some(crm_rules::Constant::Bool(truth)) => Some(truth),
            _ => None,
        };
        let predicate = |leaf: &NodeId| Predicate {
            sql: graph.describe(*leaf),
            value: truth(*leaf),
            inputs: graph
                .inputs_below(*leaf)
                .iter()
                .map(|input| (graph.describe(*input), value(*input).map_or_else(|| "a list".to_owned(), |constant| constant.to_string())))
                .collect(),
        };
        Ok(rules
            .segments
            .iter()
            .zip(&rules.roots)
            .zip(&leaves)
            .map(|((segment, root), leaves)| Explanation {
                segment: segment.clone(),
                member: truth(*root) == Some(true),
                predicates: leaves.iter().map(predicate).collect(),
            })
            .collect())
    }
}

/// Where a finished feature is found.
#[derive(Debug)]
enum Finished {
    Column(Column),
    Entry { ledger: usize, entry: usize, data_type: Type },
}

/// The conditions that a rule combines.
fn leaves(graph: &Graph, root: NodeId) -> Vec<NodeId> {
    let (mut found, mut open) = (Vec::new(), vec![root]);
    while let Some(node) = open.pop() {
        if graph.is_connective(node) {
            open.extend(graph.children(node).iter().rev());
        } else if !found.contains(&node) {
            found.push(node);
        }
    }
    found
}

/// Blocks that a thread takes at once.
const BLOCKS_PER_TASK: usize = 8;

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

/// How one related table is read for all of its features at once.
struct TablePlan {
    program: Program,
    /// The features with a state of their own, in their order.
    parts: Vec<Part>,
    /// The features that go to a ledger.
    entries: Vec<Entry>,
}

/// Where a feature's filter, argument and time stand among what the program computes.
#[derive(Debug, Clone, Copy)]
struct Part {
    filter: Option<usize>,
    argument: Option<usize>,
    time: Option<usize>,
}

/// One block of a related table, evaluated.
struct Block<'b> {
    filters: Vec<Vec<u64>>,
    /// Rows that belong to a contact.
    owned: Vec<u64>,
    contacts: Vec<u32>,
    vectors: Vec<Vector<'b>>,
    ledgers: Vec<LedgerRows>,
}

impl TablePlan {
    fn new(rules: &RuleSet, table: usize, features: &[usize]) -> Self {
        let graph = &rules.compiler.tables()[table].graph;
        let mut filters: Vec<NodeId> = Vec::new();
        let mut values: Vec<NodeId> = Vec::new();
        let place = |list: &mut Vec<NodeId>, node: Option<NodeId>| {
            node.map(|node| {
                list.iter().position(|known| *known == node).unwrap_or_else(|| {
                    list.push(node);
                    list.len() - 1
                })
            })
        };
        let (mut parts, mut entries) = (Vec::new(), Vec::new());
        for number in features {
            let feature = &rules.compiler.features()[*number];
            let (filter, argument) = (place(&mut filters, feature.filter), place(&mut values, feature.argument));
            match Entry::new(*number, feature, filter, argument) {
                Some(entry) => entries.push(entry),
                None => parts.push(Part { filter, argument, time: place(&mut values, feature.time) }),
            }
        }
        Self { program: Program::new(Arc::new(graph.clone()), &filters, &values), parts, entries }
    }

    fn block<'p: 'b, 'b>(
        &'p self,
        evaluator: &mut Evaluator<'p>,
        columns: &'b Batch,
        (keys, name): (&arrow_array::ArrayRef, &str),
        index: &ContactIndex,
        ledgers: &[Ledger],
        offset: usize,
    ) -> Result<Block<'b>> {
        let rows = BLOCK_ROWS.min(columns.rows() - offset);
        let vectors: Vec<Vector<'b>> = evaluator.block(columns, offset, rows).into_iter().map(Rc::unwrap_or_clone).collect();
        let filters: Vec<Vec<u64>> = (0..self.program.conditions()).map(|filter| evaluator.condition(filter).to_vec()).collect();
        let everything = self.parts.iter().any(|part| part.filter.is_none());
        let mut wanted = vec![if everything { u64::MAX } else { 0 }; words_for(rows)];
        for filter in self.parts.iter().filter_map(|part| part.filter) {
            or_into(&mut wanted, &filters[filter]);
        }
        let of_ledgers: Vec<(Vec<Vec<u64>>, Vec<u64>)> = ledgers.iter().map(|ledger| ledger.wanted(&filters, &vectors, rows)).collect();
        for (_, any) in &of_ledgers {
            or_into(&mut wanted, any);
        }
        if everything && !rows.is_multiple_of(64) {
            let last = wanted.len() - 1;
            wanted[last] &= (1 << (rows % 64)) - 1;
        }
        let mut contacts = Vec::new();
        index.rows(name, &keys.slice(offset, rows), &wanted, &mut contacts)?;
        let owned = if self.parts.is_empty() { Vec::new() } else { owned(&contacts, rows) };
        let ledgers = ledgers.iter().zip(&of_ledgers).map(|(ledger, (each, any))| ledger.rows(each, any, &contacts)).collect();
        Ok(Block { filters, owned, contacts, vectors, ledgers })
    }
}

/// The rows that belong to a contact.
fn owned(contacts: &[u32], rows: usize) -> Vec<u64> {
    (0..words_for(rows))
        .map(|word| {
            let slots = &contacts[word * 64..rows.min(word * 64 + 64)];
            slots.iter().enumerate().fold(0, |bits, (place, contact)| bits | u64::from(*contact != NONE) << place)
        })
        .collect()
}

impl Block<'_> {
    /// Adds the block's rows to one feature.
    fn add_to(&self, state: &mut FeatureState, part: &Part) {
        let mut rows = self.owned.clone();
        if let Some(filter) = part.filter {
            and_into(&mut rows, &self.filters[filter]);
        }
        state.add(&BlockRows {
            rows: &rows,
            contacts: &self.contacts,
            argument: part.argument.map(|argument| &self.vectors[argument]),
            time: part.time.map(|time| &self.vectors[time]),
        });
    }
}
