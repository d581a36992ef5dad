//! Rows in: each batch is given ids, normalised and kept, on a thread of its own while the caller reads the next.
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow_array::{Array, RecordBatch, StringArray};
use crm_core::{Error, Result, Role, TextColumn};
use crm_resolve::merge::{
    Consent, ConventionSample, RecordIds, SourceLayout, first_filled, is_filler, read_consent, row_hash, says_opt_out,
};
use serde::Serialize;

use crate::dedupe::originals::{Originals, SourceRows};
use crate::dedupe::resolver::Resolver;
use crate::pool::with_pool;

/// Batches that wait for the worker; more would only hold memory.
const QUEUE: usize = 2;

/// What the worker holds and hands over at the end.
pub struct Ingested {
    pub layouts: Vec<SourceLayout>,
    pub files: Vec<String>,
    pub originals: Originals,
    pub ids: RecordIds,
    pub resolver: Resolver,
    pub samples: Vec<ConventionSample>,
    /// Per layout and column what its cells say that golden records do not.
    pub unsaid: Vec<Vec<Unsaid>>,
}

/// Cells of one column that stand for no value in its role.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Unsaid {
    /// A filler (`n/a`, `unknown`, `test`): golden records leave it out.
    pub fillers: u64,
    /// Consent that says neither yes nor no: it is kept as it is written, and counts against sending.
    pub unclear: u64,
}

struct Message {
    layout: usize,
    batch: RecordBatch,
    rows: SourceRows,
}

/// The queue into the worker.
pub struct Ingest {
    sender: Option<SyncSender<Message>>,
    worker: Option<JoinHandle<Result<Ingested>>>,
    n_sources: usize,
}

impl Ingest {
    pub fn new(
        layouts: Vec<SourceLayout>,
        files: Vec<String>,
        resolver: Resolver,
        originals_budget: usize,
        memory_limit: Option<u64>,
        folder: PathBuf,
    ) -> Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let n_sources = layouts.len();
        let samples = (0..n_sources).map(|_| ConventionSample::default()).collect();
        let unsaid = layouts.iter().map(|layout| vec![Unsaid::default(); layout.columns.len()]).collect();
        let ids = RecordIds::default();
        let ingested = Ingested { layouts, files, originals: Originals::new(originals_budget, folder), ids, resolver, samples, unsaid };
        let work = move || ingested.take_all(&receiver, memory_limit);
        let worker = std::thread::Builder::new()
            .name("crm-ingest".to_owned())
            .spawn(work)
            .map_err(|error| Error::limit(format!("no thread can be started ({error}): end other processes, or raise ulimit -u")))?;
        Ok(Self { sender: Some(sender), worker: Some(worker), n_sources })
    }

    /// Adds rows of a source; waits while the worker is behind.
    pub fn push(&mut self, layout: usize, batch: RecordBatch, rows: SourceRows) -> Result<()> {
        if layout >= self.n_sources {
            return Err(Error::internal(format!("source {layout} was never declared")));
        }
        self.send(Message { layout, batch, rows })
    }

    fn send(&mut self, message: Message) -> Result<()> {
        let sent = self.sender.as_ref().is_some_and(|sender| sender.send(message).is_ok());
        if sent { Ok(()) } else { Err(self.finish().err().unwrap_or_else(|| Error::internal("rows came after the end of the input"))) }
    }

    /// Waits for the worker and takes what it holds.
    pub fn finish(&mut self) -> Result<Ingested> {
        self.sender = None;
        let worker = self.worker.take().ok_or_else(|| Error::internal("the run has ended already"))?;
        match worker.join() {
            Ok(result) => result,
            // The gate turns it into InternalError like any other panic.
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Ingested {
    fn take_all(mut self, receiver: &Receiver<Message>, memory_limit: Option<u64>) -> Result<Self> {
        let columns_by_name: Vec<_> = self.layouts.iter().map(SourceLayout::columns_by_name).collect();
        while let Ok(Message { layout, batch, rows }) = receiver.recv() {
            with_pool(|pool| pool.install(|| self.take(layout, &batch, rows, &columns_by_name[layout])))??;
            self.check_memory(memory_limit)?;
        }
        Ok(self)
    }

    fn take(&mut self, layout: usize, batch: &RecordBatch, rows: SourceRows, by_name: &[(u64, usize)]) -> Result<()> {
        let columns: Vec<StringArray> = batch
            .columns()
            .iter()
            .zip(&self.layouts[layout].columns)
            .map(|(array, column)| text(&column.name, array))
            .collect::<Result<_>>()?;
        let n_rows = batch.num_rows();
        let Self { layouts, originals, ids, resolver, samples, unsaid, .. } = self;
        let (layout_of, kept) = (&layouts[layout], columns.clone());
        // None of the four needs what another finds: the columns of names take longest, and one core would wait for the rest.
        let (pushed, (kept, ((), ()))) = rayon::join(
            || resolver.push(layout, &columns, n_rows),
            || {
                rayon::join(
                    || originals.push(layout, kept, n_rows, rows),
                    || {
                        rayon::join(
                            || identify(layout_of, &columns, n_rows, by_name, ids, &mut samples[layout]),
                            || count_unsaid(layout_of, &columns, &mut unsaid[layout]),
                        )
                    },
                )
            },
        );
        pushed.and(kept)
    }

    /// What the run holds must leave room for what resolving adds; the input alone may not take it all.
    fn check_memory(&self, memory_limit: Option<u64>) -> Result<()> {
        let held = self.originals.memory() + self.ids.memory() + self.resolver.memory();
        match memory_limit {
            Some(limit) if held as u64 > limit => Err(Error::limit(format!(
                "the memory limit of {} MiB is reached after {} rows; give the run more memory, or import the rows into a base in parts",
                limit >> 20,
                self.originals.n_records()
            ))),
            _ => Ok(()),
        }
    }
}

/// Gives each row its id, and samples how the cells of each role are written.
fn identify(
    layout: &SourceLayout,
    columns: &[StringArray],
    n_rows: usize,
    by_name: &[(u64, usize)],
    ids: &mut RecordIds,
    sample: &mut ConventionSample,
) {
    let (source, key) = (layout.places_of(Role::Source), layout.places_of(Role::SourceKey));
    let of_role = |role: &Role| layout.places_of(*role).into_iter().map(|place| (*role, place)).collect::<Vec<_>>();
    let sampled: Vec<(Role, usize)> = ConventionSample::ROLES.iter().flat_map(of_role).collect();
    let mut bytes = Vec::new();
    for row in 0..n_rows {
        let cell = |places: &[usize]| first_filled(columns, places, row);
        let hash = row_hash(columns, by_name, row, &mut bytes);
        ids.push(cell(&source).unwrap_or(&layout.source), cell(&key), hash);
        for (role, place) in &sampled {
            if columns[*place].is_valid(row) && !columns[*place].value(row).is_empty() {
                sample.add(*role, hash, columns[*place].value(row));
            }
        }
    }
}

/// Counts the cells that stand for no value in their column's role.
fn count_unsaid(layout: &SourceLayout, columns: &[StringArray], unsaid: &mut [Unsaid]) {
    for ((column, cells), unsaid) in layout.columns.iter().zip(columns).zip(unsaid) {
        let filled = cells.iter().flatten().filter(|text| !text.is_empty());
        match column.role {
            None => {}
            Some(Role::MarketingConsent) => {
                let is_negated = says_opt_out(&column.name);
                unsaid.unclear += filled.filter(|text| read_consent(text, is_negated) == Consent::Unclear).count() as u64;
            }
            Some(role) => unsaid.fillers += filled.filter(|text| is_filler(role, text) && !text.trim().is_empty()).count() as u64,
        }
    }
}

/// A column as plain text, whatever kind of text it came as.
fn text(name: &str, array: &arrow_array::ArrayRef) -> Result<StringArray> {
    Ok(match TextColumn::new(name, array)? {
        TextColumn::Plain(array) => array,
        other => (0..other.len()).map(|row| other.get(row)).collect(),
    })
}
