//! A change on its way: rows with their versions, removals, decisions, edits.
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, StringArray};
use arrow_buffer::Buffer;
use crm_core::{Error, Result, Role, record_id};
use crm_resolve::increment::{Cells, Edit, TakeCells, Verdict};
use crm_resolve::merge::{
    Canonicalizer, ConventionSample, NormalCanonicalizer, SourceColumn, SourceLayout, first_filled, keyless_record_id, repeated_record_id,
    row_hash,
};
use crm_resolve::{Conventions, DateOrder, ResolveConfig};
use crm_store::cells::encode_row;
use crm_store::index::IndexWriter;
use hashbrown::{HashMap, HashSet};

use super::known::{CellsCollector, KnownIndex};

/// `updated_at` of a record that says none.
pub const NO_TIME: i64 = i64::MIN;

/// A record version that the change brings.
#[derive(Debug, Clone, Copy)]
pub struct PendingRow {
    pub record: i64,
    pub version: u64,
    pub updated_at: i64,
    pub first_run: u32,
    pub run: u32,
    /// Place in [`Pending::layouts`].
    pub layout: u32,
    pub start: u64,
    pub len: u32,
}

/// What became of a pushed row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowStatus {
    New,
    Updated,
    Unchanged,
    Older,
    Duplicate,
    Replaces,
}

impl RowStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Older => "older",
            Self::Duplicate => "duplicate",
            Self::Replaces => "replaces",
        }
    }
}

/// A pushed row as the store learns of it.
#[derive(Debug, Clone, Copy)]
pub struct PushedRow {
    pub record: i64,
    pub version: u64,
    pub updated_at: i64,
    pub status: RowStatus,
}

/// The change.
pub struct Pending {
    pub run: u32,
    pub known: Arc<KnownIndex>,
    /// The known layouts, then those of the change.
    pub layouts: Vec<SourceLayout>,
    /// Per layout how it writes values; empty for known ones.
    pub samples: Vec<ConventionSample>,
    pub rows: Vec<PendingRow>,
    by_id: HashMap<i64, u32>,
    /// The highest version that was pushed of each record that is not among `rows`.
    seen: HashMap<i64, (i64, u64)>,
    pub removed: HashSet<i64>,
    pub decisions: BTreeMap<(i64, i64), Option<Verdict>>,
    /// All edits, as they will be, of the records whose edits change.
    pub edits: BTreeMap<i64, Vec<Edit>>,
    writer: IndexWriter,
    occurrences: HashMap<i64, u32>,
    times: [NormalCanonicalizer; 2],
    memory_limit: Option<u64>,
}

/// What resolving takes of memory per row of a change, beside the row itself: normalized values, blocking keys, edges (measured on made-up
/// people of 14 columns).
const RESOLVED_BYTES: u64 = 500;

/// What a change of this many rows writes can be addressed with 32 bits.
const MOST_ROWS: usize = u32::MAX as usize - 1;

impl Pending {
    pub fn new(known: Arc<KnownIndex>, run: u32, memory_limit: Option<u64>) -> Result<Self> {
        let config = &known.about.options.resolve;
        Ok(Self {
            run,
            layouts: known.layouts.clone(),
            samples: vec![ConventionSample::default(); known.layouts.len()],
            rows: Vec::new(),
            by_id: HashMap::new(),
            seen: HashMap::new(),
            removed: HashSet::new(),
            decisions: BTreeMap::new(),
            edits: BTreeMap::new(),
            writer: IndexWriter::create(known.index.folder())?,
            occurrences: HashMap::new(),
            times: times(config),
            memory_limit,
            known,
        })
    }

    /// Adds a layout, or finds the one that is the same.
    pub fn declare(&mut self, source: String, columns: Vec<(String, Option<String>)>) -> Result<usize> {
        let columns = columns.into_iter().map(|(name, role)| Ok(SourceColumn { name, role: role.map(|role| role.parse()).transpose()? }));
        let layout = SourceLayout { source, columns: columns.collect::<Result<_>>()? };
        if let Some(place) = self.layouts.iter().position(|known| *known == layout) {
            return Ok(place);
        }
        self.layouts.push(layout);
        self.samples.push(ConventionSample::default());
        Ok(self.layouts.len() - 1)
    }

    fn layout(&self, layout: usize, columns: &[StringArray]) -> Result<&SourceLayout> {
        let known = self.layouts.get(layout).ok_or_else(|| Error::internal(format!("layout {layout} was never declared")))?;
        if known.columns.len() != columns.len() {
            return Err(Error::internal(format!("layout {layout} has {} columns, and a batch has {}", known.columns.len(), columns.len())));
        }
        Ok(known)
    }

    /// Adds rows as a source has them now.
    pub fn push(&mut self, layout: usize, columns: &[StringArray], n_rows: usize) -> Result<Vec<PushedRow>> {
        let definition = self.layout(layout, columns)?;
        let by_name = definition.columns_by_name();
        let (source_places, key_places) = (definition.places_of(Role::Source), definition.places_of(Role::SourceKey));
        let time_places = definition.places_of(Role::UpdatedAt);
        let own_source = definition.source.clone();
        let of_role = |role: &Role| definition.places_of(*role).into_iter().map(|place| (*role, place)).collect::<Vec<_>>();
        let sampled: Vec<(Role, usize)> = ConventionSample::ROLES.iter().flat_map(of_role).collect();
        let mut pushed = Vec::with_capacity(n_rows);
        let (mut bytes, mut cells) = (Vec::new(), Vec::new());
        for row in 0..n_rows {
            let cell = |places: &[usize]| first_filled(columns, places, row);
            let source = cell(&source_places).unwrap_or(&own_source);
            let version = row_hash(columns, &by_name, row, &mut bytes);
            let key = cell(&key_places);
            let record = match key {
                Some(key) => record_id(source, key),
                None => self.keyless_id(source, version),
            };
            let updated_at = cell(&time_places).and_then(|text| self.time(text)).unwrap_or(NO_TIME);
            for (role, place) in &sampled {
                if columns[*place].is_valid(row) && !columns[*place].value(row).is_empty() {
                    self.samples[layout].add(*role, version, columns[*place].value(row));
                }
            }
            let status = self.judge(record, updated_at, version)?;
            if let (status, true) = status {
                cells.clear();
                encode_row(columns, row, &mut cells);
                let first_run = self.known_row(record)?.map_or(self.run, |row| row.first_run);
                self.set(
                    PendingRow { record, version, updated_at, first_run, run: self.run, layout: layout as u32, start: 0, len: 0 },
                    &cells,
                )?;
                pushed.push(PushedRow { record, version, updated_at, status });
            } else {
                pushed.push(PushedRow { record, version, updated_at, status: status.0 });
            }
        }
        self.check_memory()?;
        Ok(pushed)
    }

    /// Cells go to disk as they come; what else is known of a row stays in memory, and so does what resolving makes of it.
    fn check_memory(&self) -> Result<()> {
        let entry = (size_of::<i64>() + size_of::<u32>()) as u64;
        let per_row = size_of::<PendingRow>() as u64 + entry + RESOLVED_BYTES;
        let needed = self.rows.len() as u64 * per_row + (self.seen.len() + self.occurrences.len()) as u64 * 2 * entry;
        match self.memory_limit {
            Some(limit) if needed > limit => Err(Error::limit(format!(
                "the memory limit of {} MiB is reached after {} rows; give the import more memory, or import the rows in parts",
                limit >> 20,
                self.rows.len()
            ))),
            _ => Ok(()),
        }
    }

    /// Puts versions back as the current ones, whatever is known.
    pub fn restore(&mut self, layout: usize, columns: &[StringArray], rows: &[PendingRow]) -> Result<()> {
        self.layout(layout, columns)?;
        let definition = self.layouts[layout].clone();
        let of_role = |role: &Role| definition.places_of(*role).into_iter().map(|place| (*role, place)).collect::<Vec<_>>();
        let sampled: Vec<(Role, usize)> = ConventionSample::ROLES.iter().flat_map(of_role).collect();
        let mut cells = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            for (role, column) in &sampled {
                if columns[*column].is_valid(place) && !columns[*column].value(place).is_empty() {
                    self.samples[layout].add(*role, row.version, columns[*column].value(place));
                }
            }
            cells.clear();
            encode_row(columns, place, &mut cells);
            self.set(PendingRow { layout: layout as u32, ..*row }, &cells)?;
        }
        Ok(())
    }

    /// Takes records away.
    pub fn remove(&mut self, record: i64) -> Result<()> {
        if let Some(place) = self.by_id.remove(&record) {
            self.rows.swap_remove(place as usize);
            if let Some(moved) = self.rows.get(place as usize) {
                self.by_id.insert(moved.record, place);
            }
        }
        self.seen.remove(&record);
        if self.known.row(record)?.is_some() {
            self.removed.insert(record);
        }
        Ok(())
    }

    /// The edits of a record as they are in the change.
    pub fn edits_of(&mut self, record: i64) -> Result<&mut Vec<Edit>> {
        if !self.edits.contains_key(&record) {
            let edits = self.known.edits(record)?;
            self.edits.insert(record, edits);
        }
        self.edits.get_mut(&record).ok_or_else(|| Error::internal("edits are missing"))
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.removed.is_empty() && self.decisions.is_empty() && self.edits.is_empty()
    }

    /// Ends the taking in: the change with its rows sorted, a reader of cells, and the writer.
    pub fn close(mut self) -> Result<(Arc<ChangeCells>, PendingParts)> {
        self.rows.sort_unstable_by_key(|row| row.record);
        for (place, row) in self.rows.iter().enumerate() {
            self.by_id.insert(row.record, place as u32);
        }
        self.removed.retain(|record| !self.by_id.contains_key(record));
        let blob = self.writer.map_cells()?;
        let cells = ChangeCells { known: self.known.clone(), layouts: self.layouts, rows: self.rows, by_id: self.by_id, blob };
        let parts = PendingParts {
            run: self.run,
            samples: self.samples,
            removed: self.removed,
            decisions: self.decisions,
            edits: self.edits,
            writer: Some(self.writer),
        };
        Ok((Arc::new(cells), parts))
    }

    fn set(&mut self, mut row: PendingRow, cells: &[u8]) -> Result<()> {
        row.start = self.writer.push_cells(cells)?;
        row.len = u32::try_from(cells.len()).map_err(|_| Error::limit("a row has more than 4 GiB of text"))?;
        if self.rows.len() >= MOST_ROWS {
            return Err(Error::limit("one change takes at most 4,294,967,294 rows; import them in parts"));
        }
        match self.by_id.get(&row.record) {
            Some(place) => self.rows[*place as usize] = row,
            None => {
                self.by_id.insert(row.record, self.rows.len() as u32);
                self.rows.push(row);
            }
        }
        Ok(())
    }

    fn known_row(&self, record: i64) -> Result<Option<crm_store::index::Row<'_>>> {
        if self.removed.contains(&record) {
            return Ok(None);
        }
        Ok(self.known.row(record)?.map(|(row, _)| row))
    }

    /// What becomes of a row, and whether it is the record's current version now.
    fn judge(&mut self, record: i64, updated_at: i64, version: u64) -> Result<(RowStatus, bool)> {
        let this = (updated_at, version);
        let pending = self.by_id.get(&record).map(|place| self.rows[*place as usize]).map(|row| (row.updated_at, row.version));
        let before = pending.or_else(|| self.seen.get(&record).copied());
        if let Some(before) = before
            && this <= before
        {
            return Ok((RowStatus::Duplicate, false));
        }
        let known = self.known_row(record)?.map(|row| (row.updated_at, row.version));
        // Of two versions that say no time the one that came later is current; within one change the higher hash.
        let is_newer = |known: (i64, u64)| this > known || (this.0 == NO_TIME && known.0 == NO_TIME && this != known);
        let is_current = pending.is_some() || known.is_none_or(is_newer);
        if !is_current {
            self.seen.insert(record, this);
        }
        let status = match known {
            _ if before.is_some() => RowStatus::Replaces,
            None => RowStatus::New,
            Some(known) if this == known => RowStatus::Unchanged,
            Some(_) if is_current => RowStatus::Updated,
            Some(_) => RowStatus::Older,
        };
        Ok((status, is_current))
    }

    /// The id of a row without a key: of its content, and of how often that came before in the change.
    fn keyless_id(&mut self, source: &str, version: u64) -> i64 {
        let first = keyless_record_id(source, version);
        let n_before = self.occurrences.entry(first).or_insert(0);
        *n_before += 1;
        match *n_before - 1 {
            0 => first,
            occurrence => repeated_record_id(first, version, u64::from(occurrence), 0),
        }
    }

    /// Microseconds since 1970. What no text of its own says (3/4/2024) is read as the options say, never as other rows suggest: which of two
    /// versions is newer must not depend on what else there is.
    fn time(&self, text: &str) -> Option<i64> {
        self.times[usize::from(text.contains('.'))].timestamp(0, text)
    }
}

fn times(config: &ResolveConfig) -> [NormalCanonicalizer; 2] {
    let plain = Conventions { times: config.date_order, ..Conventions::default() };
    // Points between the numbers: nobody writes the month first.
    let pointed = Conventions { times: Some(config.date_order.unwrap_or(DateOrder::Dmy)), ..Conventions::default() };
    [NormalCanonicalizer::new([&plain]), NormalCanonicalizer::new([&pointed])]
}

/// What is left of a change beside its rows.
pub struct PendingParts {
    pub run: u32,
    pub samples: Vec<ConventionSample>,
    pub removed: HashSet<i64>,
    pub decisions: BTreeMap<(i64, i64), Option<Verdict>>,
    pub edits: BTreeMap<i64, Vec<Edit>>,
    /// Until it is finished.
    pub writer: Option<IndexWriter>,
}

/// Reads the cells of the change's rows, and of known ones.
pub struct ChangeCells {
    pub known: Arc<KnownIndex>,
    pub layouts: Vec<SourceLayout>,
    /// Sorted by record.
    pub rows: Vec<PendingRow>,
    by_id: HashMap<i64, u32>,
    blob: Buffer,
}

impl ChangeCells {
    /// The change's row of a record.
    pub fn row(&self, record: i64) -> Option<&PendingRow> {
        self.by_id.get(&record).map(|place| &self.rows[*place as usize])
    }
}

impl Cells for ChangeCells {
    fn read(&self, records: &[i64], take: &mut TakeCells<'_>) -> Result<()> {
        let mut collector = CellsCollector::new(&self.layouts);
        let (mut own, mut of_base) = (Vec::new(), Vec::new());
        for record in records {
            match self.row(*record) {
                Some(row) => own.push(row),
                None => of_base.push(*record),
            }
        }
        // As they came, so that the file is read from front to back.
        own.sort_unstable_by_key(|row| row.start);
        for row in own {
            let start = row.start as usize;
            let cells = self.blob.get(start..start + row.len as usize);
            let cells = cells.ok_or_else(|| Error::store("what was just written to the index is not there"))?;
            collector.push(row.layout as usize, row.record, cells, take)?;
        }
        self.known.collect(&of_base, &mut collector, take)?;
        collector.finish(take)
    }
}
