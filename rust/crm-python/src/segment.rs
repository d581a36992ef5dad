//! Segments: rules, features and memberships.
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow_schema::Schema as ArrowSchema;
use crm_core::{Control, Error, Result};
use crm_rules::{Schema, TableSchema};
use crm_segment::{Outcome, RuleSet, Run, Spec};
use pyo3::prelude::*;
use pyo3_arrow::{PyArray, PyRecordBatchReader, PySchema};

use crate::errors::to_python;
use crate::gate::gate;
use crate::pool::Process;

/// One run of a rule set; the calls go in the order of `crm_segment`.
#[pyclass(module = "crm_engine._core")]
pub struct SegmentRun {
    rules: Arc<RuleSet>,
    tables: Vec<String>,
    key: String,
    state: Mutex<State>,
    /// The process that the run's threads belong to.
    process: Process,
}

struct State {
    run: Run,
    outcome: Outcome,
    keys: Vec<ArrayRef>,
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

fn batches(stream: PyRecordBatchReader) -> PyResult<Batches> {
    Ok(Box::new(stream.into_reader()?.map(|batch| batch.map_err(|error| Error::schema(format!("the table cannot be read: {error}"))))))
}

#[pymethods]
impl SegmentRun {
    /// Compiles `spec` (JSON) against the contacts' schema and the related tables' (name, schema, contact column, time column);
    /// `memory_limit` is in bytes.
    #[new]
    #[pyo3(signature = (spec, contacts, key, tables, threads, memory_limit=None))]
    fn new(
        py: Python<'_>,
        spec: &str,
        contacts: PySchema,
        key: String,
        tables: Vec<(String, PySchema, String, Option<String>)>,
        threads: usize,
        memory_limit: Option<u64>,
    ) -> PyResult<Self> {
        let contacts: Arc<ArrowSchema> = contacts.into_inner();
        let mut schema = Schema::from_arrow(&contacts);
        schema.tables = tables
            .iter()
            .map(|(name, table, contact, time)| TableSchema::from_arrow(name, table.as_ref(), contact, time.as_deref()))
            .collect();
        let (rules, run) = gate(py, None, |control| {
            let spec: Spec = serde_json::from_str(spec).map_err(|error| Error::config(format!("the rules cannot be read: {error}")))?;
            let rules = Arc::new(RuleSet::compile(&spec, schema, control)?);
            let run = Run::new(Arc::clone(&rules), &key, threads, memory_limit)?;
            Ok((rules, run))
        })?;
        let tables = tables.into_iter().map(|(name, ..)| name).collect();
        let state = Mutex::new(State { run, outcome: Outcome::default(), keys: Vec::new() });
        Ok(Self { rules, tables, key, state, process: Process::current() })
    }

    /// The columns of contacts that the rules read.
    fn contact_columns(&self) -> Vec<String> {
        self.rules.contact_columns()
    }

    /// The columns of each related table that the rules read; empty where none does.
    fn table_columns(&self) -> Vec<(String, Vec<String>)> {
        self.tables.iter().enumerate().map(|(number, name)| (name.clone(), self.rules.table_columns(number))).collect()
    }

    /// Whether `index_contacts` is needed, and how often `rank`.
    fn passes(&self) -> (bool, usize) {
        (self.rules.needs_index(), self.rules.rankings())
    }

    /// How many of so many contacts are taken at a time.
    fn stretch(&self, py: Python<'_>, contacts: usize) -> PyResult<usize> {
        self.with(py, None, |state, _| state.run.stretch(contacts))
    }

    /// Begins with `count` contacts from number `first` on.
    fn begin(&self, py: Python<'_>, first: usize, count: usize) -> PyResult<()> {
        self.with(py, None, |state, _| {
            state.run.begin(first, count);
            Ok(())
        })
    }

    /// Learns the contacts' keys, from the stretch's first on.
    fn index_contacts(&self, py: Python<'_>, contacts: PyRecordBatchReader) -> PyResult<()> {
        let contacts = batches(contacts)?;
        self.with(py, None, |state, control| {
            for batch in contacts {
                control.check()?;
                state.run.index_contacts(&batch?)?;
            }
            Ok(())
        })
    }

    /// Adds a related table's rows; `False` means that the stretch is too long for the memory limit.
    #[pyo3(signature = (table, rows, progress=None))]
    fn add_related(&self, py: Python<'_>, table: &str, rows: PyRecordBatchReader, progress: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        let Some(table) = self.tables.iter().position(|name| name == table) else {
            return Err(to_python(py, Error::config(format!("there is no related table '{table}'"))));
        };
        let rows = batches(rows)?;
        self.with(py, progress, |state, control| state.run.add_related(table, rows, control))
    }

    fn rank(&self, py: Python<'_>, contacts: PyRecordBatchReader) -> PyResult<()> {
        let contacts = batches(contacts)?;
        self.with(py, None, |state, control| state.run.rank(contacts, control))
    }

    fn finish_ranking(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, None, |state, _| {
            state.run.finish_ranking();
            Ok(())
        })
    }

    #[pyo3(signature = (contacts, progress=None))]
    fn evaluate(&self, py: Python<'_>, contacts: PyRecordBatchReader, progress: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let contacts = batches(contacts)?;
        self.with(py, progress, |state, control| {
            let State { run, keys, .. } = state;
            let keep = |batch: &RecordBatch| {
                if let Some(key) = batch.column_by_name(&self.key) {
                    keys.push(Arc::clone(key));
                }
                Ok(())
            };
            run.evaluate(contacts, keep, control)
        })
    }

    /// Ends the run: what was found is then asked for.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, None, |state, _| {
            state.outcome = state.run.finish();
            Ok(())
        })
    }

    /// Per segment and predicate what it was for the one contact in `contact`, which stands at `place`; as JSON.
    fn explain(&self, py: Python<'_>, contact: PyRecordBatchReader, place: usize) -> PyResult<String> {
        let mut contact = batches(contact)?;
        self.with(py, None, |state, _| {
            let batch = contact.next().ok_or_else(|| Error::config("there is no such contact"))??;
            let explanations = state.run.explain(&batch, place)?;
            serde_json::to_string(&explanations).map_err(|error| Error::internal(error.to_string()))
        })
    }

    /// Contacts, members per segment in the file's order, and warnings.
    fn summary(&self, py: Python<'_>) -> PyResult<(u64, Vec<u64>, Vec<String>)> {
        self.read(py, |state| Ok((state.outcome.contacts(), state.outcome.counts().to_vec(), state.outcome.warnings().to_vec())))
    }

    /// The names of the segments, and of the assignments with their choices.
    fn names(&self) -> (Vec<String>, Vec<(String, Vec<String>)>) {
        (self.rules.segments().to_vec(), self.rules.assignments().to_vec())
    }

    /// Which contacts are members of a segment, as a `pyarrow.BooleanArray`.
    fn mask(&self, py: Python<'_>, segment: usize) -> PyResult<Py<PyAny>> {
        let array = BooleanArray::new(self.read(py, |state| state.outcome.mask(segment))?, None);
        Ok(PyArray::from_array_ref(Arc::new(array)).to_pyarrow(py)?.unbind())
    }

    /// The number of each contact's choice, as a `pyarrow.UInt32Array`; null where none fits.
    fn assigned(&self, py: Python<'_>, assignment: usize) -> PyResult<Py<PyAny>> {
        let array = self.with(py, None, |state, _| {
            let choices = state.outcome.assigned(assignment);
            Ok(UInt32Array::from_iter(choices.into_iter().map(|choice| (choice != u32::MAX).then_some(choice))))
        })?;
        Ok(PyArray::from_array_ref(Arc::new(array)).to_pyarrow(py)?.unbind())
    }

    /// The contacts' keys, in the order of the masks, as `pyarrow` arrays.
    fn contact_keys(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        let keys = self.read(py, |state| Ok(state.keys.clone()))?;
        keys.into_iter().map(|key| Ok(PyArray::from_array_ref(key).to_pyarrow(py)?.unbind())).collect()
    }

    /// How many members each pair of segments shares, row by row.
    fn overlap(&self, py: Python<'_>) -> PyResult<Vec<u64>> {
        self.with(py, None, |state, control| state.outcome.overlap(control))
    }
}

impl SegmentRun {
    /// What is merely copied needs no thread of its own.
    fn read<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&State) -> Result<T> + Send) -> PyResult<T> {
        let found = py.detach(|| match self.state.lock() {
            Ok(state) => work(&state),
            Err(_) => Err(Error::internal("an earlier call on this run failed")),
        });
        found.map_err(|error| to_python(py, error))
    }

    fn with<T: Send>(
        &self,
        py: Python<'_>,
        progress: Option<&Bound<'_, PyAny>>,
        work: impl FnOnce(&mut State, &dyn Control) -> Result<T> + Send,
    ) -> PyResult<T> {
        gate(py, progress, |control| {
            self.process.check("a run over segments")?;
            let mut state = self.state.lock().map_err(|_| Error::internal("an earlier call on this run failed"))?;
            work(&mut state, control)
        })
    }
}

/// A rule, SQL text or a JSON tree, as SQL.
#[pyfunction]
pub fn rule_to_sql(py: Python<'_>, rule: &str, tree: bool) -> PyResult<String> {
    gate(py, None, |_| {
        let origin = crm_rules::Origin::default();
        let read = if tree {
            let tree = serde_json::from_str(rule).map_err(|error| Error::config(format!("the rule is not JSON: {error}")))?;
            crm_rules::parse_tree(&tree, origin)
        } else {
            crm_rules::parse_sql(rule, origin)
        };
        read.map(|expr| expr.to_sql()).map_err(|problem| crm_rules::problems_to_error(vec![problem]))
    })
}
