//! The input as it came, batch by batch: in memory, or in a spool once it outgrows its share of it.
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::{Array, StringArray, UInt32Array};
use arrow_select::take::take;
use crm_core::{Control, Error, Result};
use crm_resolve::merge::{Members, RowRef, Rows};
use crm_store::Spool;

/// Where a source's rows lie in its file or sheet.
#[derive(Debug)]
pub enum SourceRows {
    /// One after the other, from this row.
    From(u64),
    /// Each somewhere else.
    Each(Vec<u64>),
}

impl SourceRows {
    /// The shortest form of a list of rows.
    pub fn new(rows: Vec<u64>) -> Self {
        match rows.first() {
            Some(first) if rows.iter().enumerate().all(|(index, row)| *row == first + index as u64) => Self::From(*first),
            Some(_) => Self::Each(rows),
            None => Self::From(0),
        }
    }

    /// The row of the record at `index`.
    pub fn get(&self, index: usize) -> u64 {
        match self {
            Self::From(first) => first + index as u64,
            Self::Each(rows) => rows[index],
        }
    }
}

/// All batches of the run.
#[derive(Debug)]
pub struct Originals {
    /// Per batch its layout.
    layouts: Vec<usize>,
    rows: Vec<SourceRows>,
    /// First record of each batch, and the number of records.
    offsets: Vec<u32>,
    memory: Vec<Vec<StringArray>>,
    n_columns: Vec<usize>,
    spool: Option<Spool>,
    n_bytes: usize,
    /// Bytes that may stay in memory.
    budget: usize,
    folder: PathBuf,
}

impl Originals {
    /// Keeps up to `budget` bytes in memory, and all in a file in `folder` once there are more.
    pub fn new(budget: usize, folder: PathBuf) -> Self {
        Self {
            layouts: Vec::new(),
            rows: Vec::new(),
            offsets: vec![0],
            memory: Vec::new(),
            n_columns: Vec::new(),
            spool: None,
            n_bytes: 0,
            budget,
            folder,
        }
    }

    /// Adds a batch of the source with this layout.
    pub fn push(&mut self, layout: usize, columns: Vec<StringArray>, n_rows: usize, rows: SourceRows) -> Result<()> {
        let total = self.n_records() as usize + n_rows;
        let total = u32::try_from(total)
            .ok()
            .filter(|total| *total < u32::MAX)
            .ok_or_else(|| Error::limit("one run takes at most 4,294,967,294 rows; import them into a base in parts"))?;
        self.n_bytes += columns.iter().map(used_bytes).sum::<usize>();
        self.n_columns.push(columns.len());
        if let Some(spool) = &mut self.spool {
            spool.append(&columns)?;
        } else {
            self.memory.push(columns);
            if self.n_bytes > self.budget {
                self.move_to_spool()?;
            }
        }
        self.layouts.push(layout);
        self.rows.push(rows);
        self.offsets.push(total);
        Ok(())
    }

    fn move_to_spool(&mut self) -> Result<()> {
        let mut spool = Spool::create(&self.folder)?;
        for columns in std::mem::take(&mut self.memory) {
            spool.append(&columns)?;
        }
        self.spool = Some(spool);
        Ok(())
    }

    /// Number of records.
    pub fn n_records(&self) -> u32 {
        self.offsets.last().copied().unwrap_or(0)
    }

    /// The layout of a batch.
    pub fn layout(&self, batch: usize) -> usize {
        self.layouts[batch]
    }

    /// The records of a batch.
    pub fn records(&self, batch: usize) -> std::ops::Range<u32> {
        self.offsets[batch]..self.offsets[batch + 1]
    }

    /// Where the rows of a batch lie in their file.
    pub fn source_rows(&self, batch: usize) -> &SourceRows {
        &self.rows[batch]
    }

    /// Bytes held in memory.
    pub fn memory(&self) -> usize {
        if self.spool.is_some() { 0 } else { self.n_bytes }
    }

    /// Bytes in the spool file.
    pub fn spooled(&self) -> u64 {
        self.spool.as_ref().map_or(0, Spool::len_bytes)
    }

    /// All columns of a batch.
    pub fn columns(&self, batch: usize) -> Result<Vec<StringArray>> {
        match &self.spool {
            None => Ok(self.memory[batch].clone()),
            Some(spool) => (0..self.n_columns[batch]).map(|column| spool.read(batch, column)).collect(),
        }
    }

    /// Where a record is: its batch and the row in it.
    pub fn locate(&self, record: u32) -> RowRef {
        let batch = self.offsets.partition_point(|offset| *offset <= record) - 1;
        RowRef { batch: batch as u32, row: record - self.offsets[batch] }
    }

    /// Calls `work` with rows that hold `records`, which must be sorted, and with what finds each of them there.
    pub fn with_records<T>(
        &self,
        records: &[u32],
        control: &dyn Control,
        work: impl FnOnce(&Rows, &(dyn Fn(u32) -> RowRef + Sync)) -> Result<T>,
    ) -> Result<T> {
        if self.spool.is_none() {
            let all = Rows { batches: self.layouts.iter().copied().zip(self.memory.iter().cloned()).collect() };
            return work(&all, &|record| self.locate(record));
        }
        let gathered = self.gather(records, control)?;
        let rows = Rows { batches: gathered.batches.clone() };
        // Only what was asked for is looked up; the first row stands for what cannot happen.
        work(&rows, &|record| gathered.locate(record).unwrap_or(RowRef { batch: 0, row: 0 }))
    }

    /// The batches that hold `records`, in order, which must be sorted; each is read once.
    fn gather(&self, records: &[u32], control: &dyn Control) -> Result<Gathered> {
        let mut gathered = Gathered { records: records.to_vec(), ..Gathered::default() };
        let mut start = 0;
        while start < records.len() {
            control.check()?;
            let batch = self.locate(records[start]).batch as usize;
            let end = start + records[start..].partition_point(|record| *record < self.offsets[batch + 1]);
            let indices: UInt32Array = records[start..end].iter().map(|record| record - self.offsets[batch]).collect::<Vec<_>>().into();
            let columns = self.columns(batch)?;
            let taken = columns.iter().map(|column| Ok(take(column as &dyn Array, &indices, None)?.as_string().clone()));
            gathered.batches.push((self.layout(batch), taken.collect::<Result<_>>()?));
            gathered.starts.push(start);
            start = end;
        }
        Ok(gathered)
    }
}

/// Bytes that a column's rows take, not the larger buffers that they may be a slice of.
fn used_bytes(column: &StringArray) -> usize {
    let offsets = column.value_offsets();
    let values = offsets.last().copied().unwrap_or(0) - offsets.first().copied().unwrap_or(0);
    values as usize + offsets.len() * 4 + column.nulls().map_or(0, |_| column.len() / 8)
}

/// Rows from anywhere in the input, brought into memory.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Sorted.
    records: Vec<u32>,
    batches: Vec<(usize, Vec<StringArray>)>,
    /// Place in `records` of the first row of each batch.
    starts: Vec<usize>,
}

impl Gathered {
    /// Where a record is among `batches`, `None` where it is not.
    fn locate(&self, record: u32) -> Option<RowRef> {
        let place = self.records.binary_search(&record).ok()?;
        let batch = self.starts.partition_point(|start| *start <= place) - 1;
        Some(RowRef { batch: batch as u32, row: (place - self.starts[batch]) as u32 })
    }
}

/// Brings the rows of one range of contacts after the other to hand; contacts are numbered by their first record.
#[derive(Debug, Default)]
pub struct RowCursor {
    /// All rows, where they are in memory anyway.
    all: Option<Rows>,
    /// Up to this contact, records other than a contact's first are in `elsewhere`.
    gathered_until: usize,
    elsewhere: Gathered,
}

impl RowCursor {
    /// Calls `work` with the rows of `contacts`, which must follow those of the call before, and with what finds a record in them.
    pub fn with_rows<T>(
        &mut self,
        originals: &Originals,
        members: &Members,
        contacts: std::ops::Range<usize>,
        control: &dyn Control,
        work: impl FnOnce(&Rows, &(dyn Fn(u32) -> RowRef + Sync)) -> Result<T>,
    ) -> Result<T> {
        if originals.spool.is_none() {
            let all = self
                .all
                .get_or_insert_with(|| Rows { batches: originals.layouts.iter().copied().zip(originals.memory.iter().cloned()).collect() });
            return work(all, &|record| originals.locate(record));
        }
        if contacts.end > self.gathered_until {
            self.gather_ahead(originals, members, &contacts, control)?;
        }
        let first_batch = originals.locate(members.of(contacts.start)[0]).batch as usize;
        let last_batch = originals.locate(members.of(contacts.end - 1)[0]).batch as usize;
        let mut rows = Rows::default();
        for batch in first_batch..=last_batch {
            control.check()?;
            rows.batches.push((originals.layout(batch), originals.columns(batch)?));
        }
        let n_window = rows.batches.len() as u32;
        rows.batches.extend(self.elsewhere.batches.iter().cloned());
        let window = originals.offsets[first_batch]..originals.offsets[last_batch + 1];
        work(&rows, &|record| {
            if window.contains(&record) {
                let at = originals.locate(record);
                return RowRef { batch: at.batch - first_batch as u32, row: at.row };
            }
            // Every record of these contacts is in the window or was gathered; the first row stands for what cannot happen.
            let at = self.elsewhere.locate(record).unwrap_or(RowRef { batch: 0, row: 0 });
            RowRef { batch: at.batch + n_window, row: at.row }
        })
    }

    /// Gathers the further records of as many contacts as fit into half of what originals may hold in memory, in one pass over the spool.
    fn gather_ahead(
        &mut self,
        originals: &Originals,
        members: &Members,
        contacts: &std::ops::Range<usize>,
        control: &dyn Control,
    ) -> Result<()> {
        let bytes_per_record = (originals.n_bytes / originals.n_records().max(1) as usize).max(1);
        let limit = (originals.budget / 2 / bytes_per_record).max(1);
        let mut records: Vec<u32> = Vec::new();
        let mut until = contacts.start;
        while until < members.len() && (until < contacts.end || records.len() < limit) {
            records.extend(&members.of(until)[1..]);
            until += 1;
        }
        records.sort_unstable();
        self.elsewhere = Gathered::default();
        self.elsewhere = originals.gather(&records, control)?;
        self.gathered_until = until;
        Ok(())
    }
}
