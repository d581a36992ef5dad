//! `dedupe` from Python: rows in, a resolved run out, its tables as batches.
mod decisions;
mod doubts;
mod ingest;
mod originals;
mod reconcile;
mod resolution;
mod resolver;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow_schema::SchemaRef;
use crm_core::{Error, Result};
use crm_resolve::merge::{SourceColumn, SourceLayout, Survivorship};
use crm_resolve::{Model, ResolveConfig};
use pyo3::prelude::*;
use pyo3_arrow::{PyArray, PyRecordBatch, PySchema};
use serde::Deserialize;

use crate::errors::to_python;
use crate::gate::gate;
use crate::pool::Process;
use ingest::Ingest;
use originals::{RowCursor, SourceRows};
pub use reconcile::Reconciliation;
use resolution::{Reconciled, Resolution};

/// What a run needs to know beside its rows.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RunOptions {
    resolve: ResolveConfig,
    survivorship: Survivorship,
    max_cluster_share: Option<f64>,
    memory_limit: Option<u64>,
    tmp_dir: PathBuf,
}

/// Originals stay in memory up to this, where no limit says otherwise.
const ORIGINALS_IN_MEMORY: usize = 512 << 20;

/// A run that takes in rows.
#[pyclass(module = "crm_engine._core")]
pub struct DedupeRun {
    options: RunOptions,
    ingest: Mutex<Ingest>,
    /// The process that the thread which takes in belongs to.
    process: Process,
}

#[pymethods]
impl DedupeRun {
    /// `sources` are the tables of the input: (source, file, columns as (name, role or None)); `model` decides instead of a fitted one.
    #[new]
    #[pyo3(signature = (options, sources, model=None))]
    fn new(py: Python<'_>, options: &str, sources: Vec<SourceArgument>, model: Option<&str>) -> PyResult<Self> {
        gate(py, None, |_| Self::start(options, sources, model))
    }

    /// Adds rows: `source_rows` are their places in the file (uint64), or a number from which they follow each other.
    fn push(&self, py: Python<'_>, source: usize, batch: PyRecordBatch, source_rows: RowsArgument) -> PyResult<()> {
        let batch = batch.into_inner();
        gate(py, None, |_| {
            let rows = source_rows.resolve(batch.num_rows())?;
            self.lock()?.push(source, batch, rows)
        })
    }

    /// Resolves the rows; the run takes no more of them. `decisions` are (record_id, record_id, whether they are the same contact).
    #[pyo3(signature = (progress=None, decisions=Vec::new()))]
    fn finish(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>, decisions: Vec<(i64, i64, bool)>) -> PyResult<DedupeOutcome> {
        let resolution = gate(py, progress, |control| {
            let ingested = self.lock()?.finish()?;
            let RunOptions { survivorship, max_cluster_share, memory_limit, .. } = &self.options;
            Resolution::new(ingested, survivorship.clone(), *max_cluster_share, *memory_limit, &decisions, control)
        })?;
        Ok(DedupeOutcome { resolution: Arc::new(resolution) })
    }
}

/// A table of the input as Python declares it: source, file, columns.
type SourceArgument = (String, String, Vec<(String, Option<String>)>);

impl DedupeRun {
    fn start(options: &str, sources: Vec<SourceArgument>, model: Option<&str>) -> Result<Self> {
        let options: RunOptions = serde_json::from_str(options).map_err(|error| Error::config(format!("options of the run: {error}")))?;
        let budget = options.memory_limit.map_or(ORIGINALS_IN_MEMORY, |limit| ORIGINALS_IN_MEMORY.min(limit as usize / 8));
        let (mut layouts, mut files) = (Vec::new(), Vec::new());
        for (source, file, columns) in sources {
            let columns =
                columns.into_iter().map(|(name, role)| Ok(SourceColumn { name, role: role.map(|role| role.parse()).transpose()? }));
            layouts.push(SourceLayout { source, columns: columns.collect::<Result<_>>()? });
            files.push(file);
        }
        let model = model.map(Model::from_json).transpose()?;
        let resolver = resolver::Resolver::new(&layouts, options.resolve.clone(), model)?;
        let ingest = Ingest::new(layouts, files, resolver, budget, options.memory_limit, options.tmp_dir.clone())?;
        Ok(Self { options, ingest: Mutex::new(ingest), process: Process::current() })
    }

    fn lock(&self) -> Result<std::sync::MutexGuard<'_, Ingest>> {
        self.process.check("a run that takes in rows")?;
        self.ingest.lock().map_err(|_| Error::internal("an earlier call of this run failed"))
    }
}

/// Places of rows in their file, as Python says them.
#[derive(FromPyObject)]
enum RowsArgument {
    From(u64),
    Each(PyArray),
}

impl RowsArgument {
    fn resolve(self, n_rows: usize) -> Result<SourceRows> {
        use arrow_array::cast::AsArray;
        use arrow_array::types::UInt64Type;
        match self {
            Self::From(first) => Ok(SourceRows::From(first)),
            Self::Each(array) => match array.array().as_primitive_opt::<UInt64Type>() {
                Some(rows) if rows.len() == n_rows => Ok(SourceRows::new(rows.values().to_vec())),
                _ => Err(Error::internal("source_rows must be one uint64 per row")),
            },
        }
    }
}

/// A resolved run.
#[pyclass(frozen, module = "crm_engine._core")]
pub struct DedupeOutcome {
    resolution: Arc<Resolution>,
}

#[pymethods]
impl DedupeOutcome {
    /// The numbers of the run, as JSON.
    fn counts(&self, py: Python<'_>) -> PyResult<String> {
        gate(py, None, |_| serde_json::to_string(&self.resolution.counts()).map_err(|error| Error::internal(error.to_string())))
    }

    /// The model that decided, as JSON.
    fn model(&self, py: Python<'_>) -> PyResult<String> {
        gate(py, None, |_| self.resolution.model())
    }

    /// Why two records were, or were not, held to be the same contact, as JSON.
    fn explain(&self, py: Python<'_>, record_id_a: i64, record_id_b: i64) -> PyResult<String> {
        gate(py, None, |_| self.resolution.explain(record_id_a, record_id_b))
    }

    /// The run's two sides compared; `options` is JSON.
    #[pyo3(signature = (options, progress=None))]
    fn reconcile(&self, py: Python<'_>, options: &str, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Reconciliation> {
        let reconciled = gate(py, progress, |control| Reconciled::new(self.resolution.clone(), options, control))?;
        Ok(Reconciliation::new(reconciled))
    }

    /// The schema of `contacts`, `lineage`, `records` or `pairs`.
    fn schema<'py>(&self, py: Python<'py>, table: &str) -> PyResult<Bound<'py, PyAny>> {
        let schema: SchemaRef = match table {
            "contacts" => self.resolution.contacts_schema(),
            "lineage" => self.resolution.lineage_schema(),
            "records" => self.resolution.records_schema(),
            "pairs" => self.resolution.pairs_schema(),
            _ => return Err(to_python(py, Error::internal(format!("no table '{table}'")))),
        };
        PySchema::new(schema).into_pyarrow(py)
    }

    /// A reader of the golden records with their lineage.
    fn golden(&self) -> GoldenReader {
        GoldenReader { resolution: self.resolution.clone(), state: Mutex::new((0, RowCursor::default())) }
    }

    /// The next portion of `records` or `pairs` from `start`, `None` at the end.
    fn portion<'py>(&self, py: Python<'py>, table: &str, start: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let resolution = &self.resolution;
        let batch = gate(py, None, |control| match table {
            "records" if start < resolution.n_records() => resolution.records(start, control).map(Some),
            "pairs" if start < resolution.n_pairs() => resolution.pairs(start, control).map(Some),
            _ => Ok(None),
        })?;
        batch.map(|batch| PyRecordBatch::new(batch).into_pyarrow(py)).transpose()
    }
}

/// Reads golden records and lineage side by side, once, from the first to the last.
#[pyclass(frozen, module = "crm_engine._core")]
pub struct GoldenReader {
    resolution: Arc<Resolution>,
    state: Mutex<(usize, RowCursor)>,
}

#[pymethods]
impl GoldenReader {
    /// The next (contacts, lineage), `None` at the end.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let golden = gate(py, None, |control| {
            let mut state = self.state.lock().map_err(|_| Error::internal("an earlier call of this reader failed"))?;
            let (start, cursor) = &mut *state;
            if *start >= self.resolution.n_contacts() {
                return Ok(None);
            }
            let (golden, next) = self.resolution.golden(*start, cursor, control)?;
            *start = next;
            Ok(Some(golden))
        })?;
        let Some(golden) = golden else { return Ok(None) };
        Ok(Some((PyRecordBatch::new(golden.contacts).into_pyarrow(py)?, PyRecordBatch::new(golden.lineage).into_pyarrow(py)?)))
    }
}
