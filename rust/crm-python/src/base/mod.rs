//! The index of a base from Python: what is known, and changes to it.
mod about;
pub mod cells;
mod compact;
mod differences;
mod finding;
mod known;
mod outcome;
mod pending;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};

use arrow_array::builder::{Int64Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{Field, Schema};
use crm_core::{Error, Result, TextColumn};
use crm_resolve::Model;
use crm_resolve::increment::{Cells, Edit, Known, Verdict};
use crm_resolve::merge::{contact_id, record_id_of_contact};
use crm_store::index::{IndexWriter, section};
use pyo3::prelude::*;
use pyo3_arrow::{PyArray, PyRecordBatch};

use crate::gate::gate;
use about::{About, BaseOptions, LayoutAbout};
use known::KnownIndex;
use outcome::Derived;
use pending::{NO_TIME, Pending, PendingRow};

/// The index of a base.
#[pyclass(frozen, module = "crm_engine._core")]
pub struct BaseIndex {
    known: RwLock<Arc<KnownIndex>>,
}

#[pymethods]
impl BaseIndex {
    /// Makes the index of a new base in `folder`: a first segment with the options and, where one is given, the model.
    #[staticmethod]
    #[pyo3(signature = (folder, options, model=None))]
    fn create(py: Python<'_>, folder: PathBuf, options: &str, model: Option<&str>) -> PyResult<Self> {
        gate(py, None, |_| {
            let options: BaseOptions =
                serde_json::from_str(options).map_err(|error| Error::config(format!("options of the base: {error}")))?;
            options.resolve.validate()?;
            if let Some(model) = model {
                Model::from_json(model)?.reading.check(&options.resolve)?;
            }
            let mut writer = IndexWriter::create(&folder)?;
            writer.end_cells()?;
            if let Some(model) = model {
                writer.bytes(section::MODEL, model.as_bytes())?;
            }
            writer.bytes(section::ABOUT, &About { options, ..About::default() }.to_json()?)?;
            let name = writer.finish(0)?;
            Ok(Self { known: RwLock::new(Arc::new(KnownIndex::open(&folder, &[name])?)) })
        })
    }

    /// Opens the index with the registered segments, oldest first.
    #[staticmethod]
    fn open(py: Python<'_>, folder: PathBuf, segments: Vec<String>) -> PyResult<Self> {
        gate(py, None, |_| Ok(Self { known: RwLock::new(Arc::new(KnownIndex::open(&folder, &segments)?)) }))
    }

    /// The pinned model as JSON; `None` until the first change is committed, where none was given.
    fn model(&self, py: Python<'_>) -> PyResult<Option<String>> {
        gate(py, None, |_| self.known()?.model_json())
    }

    /// The options as JSON.
    fn options(&self, py: Python<'_>) -> PyResult<String> {
        gate(py, None, |_| serde_json::to_string(&self.known()?.about.options).map_err(|error| Error::internal(error.to_string())))
    }

    /// The names of the segments, oldest first.
    fn segments(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        gate(py, None, |_| Ok(self.known()?.index.segments().iter().map(|segment| segment.name.clone()).collect()))
    }

    /// Numbers of records and contacts as JSON.
    fn counts(&self, py: Python<'_>) -> PyResult<String> {
        let known = gate(py, None, |_| self.known())?;
        Ok(format!(r#"{{"records": {}, "contacts": {}}}"#, known.about.n_records, known.about.n_contacts))
    }

    /// What is known of records, one row each.
    fn lookup<'py>(&self, py: Python<'py>, record_ids: PyArray) -> PyResult<Bound<'py, PyAny>> {
        let batch = gate(py, None, |_| lookup(self.known()?.as_ref(), &integers(&record_ids)?))?;
        PyRecordBatch::new(batch).into_pyarrow(py)
    }

    /// Begins a change that belongs to a run; rows that would need more than `memory_limit` bytes are refused.
    #[pyo3(signature = (run_id, memory_limit=None))]
    fn change(&self, py: Python<'_>, run_id: u32, memory_limit: Option<u64>) -> PyResult<BaseChange> {
        gate(py, None, |_| Ok(BaseChange { pending: Mutex::new(Some(Pending::new(self.known()?, run_id, memory_limit)?)) }))
    }

    /// Goes on with other segments, as the catalog has them now.
    fn refresh(&self, py: Python<'_>, segments: Vec<String>) -> PyResult<()> {
        gate(py, None, |_| {
            let fresh = Arc::new(self.known()?.with_segments(&segments)?);
            *self.known.write().map_err(|_| poisoned())? = fresh;
            Ok(())
        })
    }

    /// The contacts that fit a query (JSON: role to value) best, as a JSON list.
    #[pyo3(signature = (query, limit=10))]
    fn find(&self, py: Python<'_>, query: &str, limit: usize) -> PyResult<String> {
        gate(py, None, |_| finding::find_json(self.known()?.as_ref(), query, limit))
    }

    /// The records of contacts: one row per record.
    fn members<'py>(&self, py: Python<'py>, contact_ids: PyArray) -> PyResult<Bound<'py, PyAny>> {
        let found = gate(py, None, |_| {
            let known = self.known()?;
            let asked = texts(&contact_ids)?;
            let (mut contacts, mut records) = (StringBuilder::new(), Int64Builder::new());
            for row in 0..asked.len() {
                let Some(founder) = asked.get(row).and_then(record_id_of_contact) else { continue };
                if known.contact_if_known(founder)? != Some(founder) {
                    continue;
                }
                let mut members = Vec::new();
                known.members(founder, &mut members)?;
                for member in members {
                    contacts.append_value(contact_id(founder).as_str());
                    records.append_value(member);
                }
            }
            self::batch(vec![("contact_id", Arc::new(contacts.finish())), ("record_id", Arc::new(records.finish()))])
        })?;
        PyRecordBatch::new(found).into_pyarrow(py)
    }

    /// The original cells of records: per layout (source, columns as (name, role or None), record ids, batch of cells).
    fn rows<'py>(&self, py: Python<'py>, record_ids: PyArray) -> PyResult<Vec<StoredRows<'py>>> {
        let found = gate(py, None, |_| {
            let known = self.known()?;
            let mut ids = integers(&record_ids)?;
            ids.retain(|id| known.index.find(*id).is_some());
            let mut found = Vec::new();
            known.read(&ids, &mut |layout, some, columns| {
                let about = LayoutAbout::new(&known.layouts[layout], 0);
                let mut cells: Vec<(&str, ArrayRef)> = vec![("record_id", Arc::new(Int64Array::from(some.to_vec())))];
                cells.extend(about.columns.iter().zip(columns).map(|((name, _), column)| (name.as_str(), Arc::new(column) as ArrayRef)));
                found.push((about.source.clone(), about.columns.clone(), self::batch(cells)?));
                Ok(())
            })?;
            Ok(found)
        })?;
        found.into_iter().map(|(source, columns, batch)| Ok((source, columns, PyRecordBatch::new(batch).into_pyarrow(py)?))).collect()
    }

    /// Writes one segment that holds all that counts; returns its name, which takes the place of all others once registered. Of records that
    /// are gone, and of `erased` ones, nothing goes into it.
    #[pyo3(signature = (erased=None, progress=None))]
    fn compact(&self, py: Python<'_>, erased: Option<PyArray>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<String>> {
        gate(py, progress, |control| {
            let erased = erased.as_ref().map(integers).transpose()?.unwrap_or_default();
            Ok(vec![compact::compact(self.known()?.as_ref(), &erased, control)?])
        })
    }

    /// Compares all segments with their checksums.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        gate(py, None, |_| self.known()?.index.verify())
    }
}

impl BaseIndex {
    fn known(&self) -> Result<Arc<KnownIndex>> {
        Ok(self.known.read().map_err(|_| poisoned())?.clone())
    }
}

/// Rows of one layout: source, columns, and a batch of `record_id` and the cells.
type StoredRows<'py> = (String, Vec<(String, Option<String>)>, Bound<'py, PyAny>);

/// Golden records, lineage, differences.
type Portion<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>);

fn poisoned() -> Error {
    Error::internal("an earlier call failed")
}

fn lookup(known: &KnownIndex, ids: &[i64]) -> Result<RecordBatch> {
    let mut is_known = Vec::with_capacity(ids.len());
    let (mut versions, mut updated) = (Vec::with_capacity(ids.len()), Int64Builder::new());
    let (mut first_runs, mut runs, mut contacts) = (Int64Builder::new(), Int64Builder::new(), StringBuilder::new());
    for id in ids {
        let row = known.row(*id)?.map(|(row, _)| row);
        is_known.push(row.is_some());
        versions.push(row.map(|row| row.version));
        updated.append_option(row.map(|row| row.updated_at).filter(|time| *time != NO_TIME));
        first_runs.append_option(row.map(|row| i64::from(row.first_run)));
        runs.append_option(row.map(|row| i64::from(row.run)));
        match row {
            Some(_) => contacts.append_value(contact_id(known.contact(*id)?).as_str()),
            None => contacts.append_null(),
        }
    }
    batch(vec![
        ("record_id", Arc::new(Int64Array::from(ids.to_vec()))),
        ("is_known", Arc::new(BooleanArray::from(is_known))),
        ("version_hash", Arc::new(UInt64Array::from(versions))),
        ("updated_at", Arc::new(updated.finish())),
        ("first_run", Arc::new(first_runs.finish())),
        ("run", Arc::new(runs.finish())),
        ("contact_id", Arc::new(contacts.finish())),
    ])
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect())?)
}

/// A change that takes in.
#[pyclass(frozen, module = "crm_engine._core")]
pub struct BaseChange {
    pending: Mutex<Option<Pending>>,
}

#[pymethods]
impl BaseChange {
    /// Declares a table: source and columns as (name, role or None); returns its number.
    fn declare(&self, py: Python<'_>, source: String, columns: Vec<(String, Option<String>)>) -> PyResult<usize> {
        gate(py, None, |_| self.with(|pending| pending.declare(source, columns)))
    }

    /// Adds rows as a source has them now, and says what became of each.
    fn push<'py>(&self, py: Python<'py>, layout: usize, batch: PyRecordBatch) -> PyResult<Bound<'py, PyAny>> {
        let rows = batch.into_inner();
        let pushed = gate(py, None, |_| {
            let columns = texts_of(&rows)?;
            let pushed = self.with(|pending| pending.push(layout, &columns, rows.num_rows()))?;
            let mut updated = Int64Builder::with_capacity(pushed.len());
            pushed.iter().for_each(|row| updated.append_option(Some(row.updated_at).filter(|time| *time != NO_TIME)));
            self::batch(vec![
                ("record_id", Arc::new(pushed.iter().map(|row| row.record).collect::<Int64Array>())),
                ("version_hash", Arc::new(pushed.iter().map(|row| row.version).collect::<UInt64Array>())),
                ("updated_at", Arc::new(updated.finish())),
                ("status", Arc::new(pushed.iter().map(|row| Some(row.status.name())).collect::<StringArray>())),
            ])
        })?;
        PyRecordBatch::new(pushed).into_pyarrow(py)
    }

    /// Puts record versions back as the current ones, whatever is known of them.
    #[allow(clippy::too_many_arguments)]
    fn restore(
        &self,
        py: Python<'_>,
        layout: usize,
        batch: PyRecordBatch,
        record_ids: PyArray,
        version_hashes: PyArray,
        updated_at: PyArray,
        first_runs: PyArray,
        runs: PyArray,
    ) -> PyResult<()> {
        let rows = batch.into_inner();
        gate(py, None, |_| {
            let columns = texts_of(&rows)?;
            let (ids, hashes) = (integers(&record_ids)?, hashes(&version_hashes)?);
            let (times, first_runs, runs) = (optional_integers(&updated_at)?, integers(&first_runs)?, integers(&runs)?);
            let n = rows.num_rows();
            if [ids.len(), hashes.len(), times.len(), first_runs.len(), runs.len()].iter().any(|len| *len != n) {
                return Err(Error::internal("what is restored must have one value per row"));
            }
            let row = |place: usize| PendingRow {
                record: ids[place],
                version: hashes[place],
                updated_at: times[place].unwrap_or(NO_TIME),
                first_run: first_runs[place] as u32,
                run: runs[place] as u32,
                layout: layout as u32,
                start: 0,
                len: 0,
            };
            let versions: Vec<PendingRow> = (0..n).map(row).collect();
            self.with(|pending| pending.restore(layout, &columns, &versions))
        })
    }

    /// Takes records away.
    fn remove(&self, py: Python<'_>, record_ids: PyArray) -> PyResult<()> {
        gate(py, None, |_| {
            let ids = integers(&record_ids)?;
            self.with(|pending| ids.iter().try_for_each(|id| pending.remove(*id)))
        })
    }

    /// Says of pairs that they are the same contact, or different ones, or takes back what was said (`none`).
    fn decide(&self, py: Python<'_>, record_ids_a: PyArray, record_ids_b: PyArray, verdict: &str) -> PyResult<()> {
        gate(py, None, |_| {
            let verdict = match verdict {
                "same" => Some(Verdict::Same),
                "different" => Some(Verdict::Different),
                "none" => None,
                other => return Err(Error::config(format!("'{other}' is no verdict: it must be same, different or none"))),
            };
            let (a, b) = (integers(&record_ids_a)?, integers(&record_ids_b)?);
            if a.len() != b.len() {
                return Err(Error::internal("a decision needs two records"));
            }
            let pairs = a.iter().zip(&b).filter(|(a, b)| a != b).map(|(a, b)| ((*a.min(b), *a.max(b)), verdict));
            self.with(|pending| {
                pending.decisions.extend(pairs);
                Ok(())
            })
        })
    }

    /// Sets golden values of the contacts that hold the anchor records; of several the one with the highest order holds.
    fn edit(&self, py: Python<'_>, anchors: PyArray, columns: PyArray, values: PyArray, origins: PyArray, orders: PyArray) -> PyResult<()> {
        gate(py, None, |_| {
            let (anchors, orders) = (integers(&anchors)?, integers(&orders)?);
            let (columns, values, origins) = (texts(&columns)?, texts(&values)?, texts(&origins)?);
            if [orders.len(), columns.len(), values.len(), origins.len()].iter().any(|len| *len != anchors.len()) {
                return Err(Error::internal("edits must have one value per anchor"));
            }
            self.with(|pending| {
                for (place, anchor) in anchors.iter().enumerate() {
                    let edit = Edit {
                        column: columns.get(place).unwrap_or_default().to_owned(),
                        value: values.get(place).map(str::to_owned),
                        origin: origins.get(place).unwrap_or_default().to_owned(),
                        order: orders[place],
                    };
                    let edits = pending.edits_of(*anchor)?;
                    edits.retain(|known| known.column != edit.column || known.order != edit.order);
                    edits.push(edit);
                    edits.sort_by(|a, b| (&a.column, a.order).cmp(&(&b.column, b.order)));
                }
                Ok(())
            })
        })
    }

    /// Takes edits back.
    fn unedit(&self, py: Python<'_>, anchors: PyArray, columns: PyArray, orders: PyArray) -> PyResult<()> {
        gate(py, None, |_| {
            let (anchors, columns, orders) = (integers(&anchors)?, texts(&columns)?, integers(&orders)?);
            if columns.len() != anchors.len() || orders.len() != anchors.len() {
                return Err(Error::internal("edits must have one value per anchor"));
            }
            self.with(|pending| {
                for (place, anchor) in anchors.iter().enumerate() {
                    let column = columns.get(place).unwrap_or_default();
                    pending.edits_of(*anchor)?.retain(|edit| edit.column != column || edit.order != orders[place]);
                }
                Ok(())
            })
        })
    }

    /// Derives what the change does; it takes in nothing more.
    #[pyo3(signature = (progress=None))]
    fn resolve(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<BaseOutcome> {
        let derived = gate(py, progress, |control| {
            let pending = self.pending.lock().map_err(|_| poisoned())?.take();
            Derived::new(pending.ok_or_else(|| Error::internal("the change was resolved before"))?, control)
        })?;
        Ok(BaseOutcome { derived: Mutex::new(derived) })
    }
}

impl BaseChange {
    fn with<T>(&self, work: impl FnOnce(&mut Pending) -> Result<T>) -> Result<T> {
        let mut pending = self.pending.lock().map_err(|_| poisoned())?;
        work(pending.as_mut().ok_or_else(|| Error::internal("the change was resolved before"))?)
    }
}

/// What a change does.
#[pyclass(frozen, module = "crm_engine._core")]
pub struct BaseOutcome {
    derived: Mutex<Derived>,
}

#[pymethods]
impl BaseOutcome {
    /// The numbers of the change, as JSON.
    fn counts(&self, py: Python<'_>) -> PyResult<String> {
        gate(py, None, |_| {
            let derived = self.derived.lock().map_err(|_| poisoned())?;
            serde_json::to_string(&derived.counts()).map_err(|error| Error::internal(error.to_string()))
        })
    }

    /// The next (contacts, lineage, differences) of touched contacts, `None` at the end. Differences: `contact_id`, `n_records` until now (null
    /// where the contact is new), `fields` that differ.
    #[pyo3(signature = (progress=None))]
    fn next_contacts<'py>(&self, py: Python<'py>, progress: Option<&Bound<'py, PyAny>>) -> PyResult<Option<Portion<'py>>> {
        let found = gate(py, progress, |control| self.derived.lock().map_err(|_| poisoned())?.next_golden(control))?;
        let Some((golden, told)) = found else { return Ok(None) };
        let python = |batch| PyRecordBatch::new(batch).into_pyarrow(py);
        Ok(Some((python(golden.contacts)?, python(golden.lineage)?, python(told)?)))
    }

    /// One of the change's tables.
    fn table<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let batch = gate(py, None, |_| self.derived.lock().map_err(|_| poisoned())?.table(name))?;
        PyRecordBatch::new(batch).into_pyarrow(py)
    }

    /// Writes the segment, durably; returns the names of the new files, none where nothing changes.
    #[pyo3(signature = (progress=None))]
    fn write(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<String>> {
        gate(py, progress, |control| Ok(self.derived.lock().map_err(|_| poisoned())?.write(control)?.into_iter().collect()))
    }
}

fn integers(array: &PyArray) -> Result<Vec<i64>> {
    let numbers = optional_integers(array)?;
    numbers.into_iter().map(|number| number.ok_or_else(|| Error::internal("a number is missing"))).collect()
}

fn optional_integers(array: &PyArray) -> Result<Vec<Option<i64>>> {
    let numbers = array.array().as_primitive_opt::<Int64Type>();
    Ok(numbers.ok_or_else(|| Error::internal("numbers must come as int64"))?.iter().collect())
}

/// Hashes, as uint64 or with the same bits as int64.
fn hashes(array: &PyArray) -> Result<Vec<u64>> {
    match array.array().as_primitive_opt::<UInt64Type>() {
        Some(hashes) => Ok(hashes.values().to_vec()),
        None => Ok(integers(array)?.into_iter().map(|hash| hash as u64).collect()),
    }
}

fn texts(array: &PyArray) -> Result<TextColumn> {
    TextColumn::new("texts", array.array())
}

/// All columns of a batch as plain text.
fn texts_of(batch: &RecordBatch) -> Result<Vec<StringArray>> {
    let schema = batch.schema();
    let column = |(array, field): (&ArrayRef, &Arc<Field>)| {
        Ok(match TextColumn::new(field.name(), array)? {
            TextColumn::Plain(array) => array,
            other => (0..other.len()).map(|row| other.get(row)).collect(),
        })
    };
    batch.columns().iter().zip(schema.fields()).map(column).collect()
}
