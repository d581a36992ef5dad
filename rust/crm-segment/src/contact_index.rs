//! Which contact stands in which row.
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use crm_core::{Error, Result, TextColumn};
use hashbrown::{HashMap, HashTable};

/// From a contact's key to its row, built once and then only read.
#[derive(Debug)]
pub(crate) enum ContactIndex {
    /// Nothing seen yet.
    Empty,
    /// Whole numbers from `least` on, one after another.
    Series { least: i64, len: usize },
    /// Whole numbers as they come, and the rows without one.
    Ints { keys: Vec<i64>, nulls: Vec<u32> },
    /// Whole numbers from `least` on without many gaps: the row of each, or `NONE`.
    Dense { least: i64, rows: Vec<u32> },
    /// Whole numbers with gaps.
    Sparse { rows: HashMap<i64, u32>, len: usize },
    /// Texts, by their hash; the texts themselves one after another.
    Texts { table: HashTable<u32>, ends: Vec<usize>, texts: String },
}

/// No such contact.
pub(crate) const NONE: u32 = u32::MAX;

impl ContactIndex {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Ints { keys, .. } => keys.len(),
            Self::Dense { rows, .. } => rows.len(),
            Self::Series { len, .. } | Self::Sparse { len, .. } => *len,
            Self::Texts { ends, .. } => ends.len(),
        }
    }

    /// What it takes.
    pub(crate) fn bytes(&self) -> u64 {
        let bytes = match self {
            Self::Empty | Self::Series { .. } => 0,
            Self::Ints { keys, nulls } => keys.capacity() * 8 + nulls.capacity() * 4,
            Self::Dense { rows, .. } => rows.capacity() * 4,
            Self::Sparse { rows, .. } => rows.allocation_size(),
            Self::Texts { table, ends, texts } => table.allocation_size() + ends.capacity() * 8 + texts.capacity(),
        };
        bytes as u64
    }

    /// Adds the next contacts' keys.
    pub(crate) fn push(&mut self, name: &str, keys: &ArrayRef) -> Result<()> {
        if self.len() + keys.len() >= NONE as usize {
            return Err(Error::limit("more than four thousand million contacts"));
        }
        if matches!(self, Self::Empty) {
            *self = if keys.data_type().is_integer() {
                Self::Series { least: 0, len: 0 }
            } else {
                Self::Texts { table: HashTable::new(), ends: Vec::new(), texts: String::new() }
            };
        }
        match self {
            Self::Series { .. } | Self::Ints { .. } => {
                let keys = integers(name, keys)?;
                let keys = keys.as_primitive::<Int64Type>();
                keys.iter().for_each(|key| self.push_integer(key));
            }
            Self::Texts { table, ends, texts } => {
                let column = TextColumn::new(name, keys)?;
                for row in 0..column.len() {
                    let text = column.get(row);
                    let number = ends.len() as u32;
                    texts.push_str(text.unwrap_or_default());
                    ends.push(texts.len());
                    let Some(text) = text else { continue };
                    let hash = crm_core::content_hash(text.as_bytes());
                    let same = |other: &u32| slice(texts, ends, *other) == text;
                    if table.find(hash, same).is_some() {
                        return Err(twice(name));
                    }
                    table.insert_unique(hash, number, |other| crm_core::content_hash(slice(texts, ends, *other).as_bytes()));
                }
            }
            _ => return Err(Error::internal("contacts came after the index was closed")),
        }
        Ok(())
    }

    /// A series for as long as the keys are one.
    fn push_integer(&mut self, key: Option<i64>) {
        if let Self::Series { least, len } = self {
            match key {
                Some(key) if *len == 0 => (*least, *len) = (key, 1),
                Some(key) if least.checked_add(*len as i64) == Some(key) => *len += 1,
                _ => *self = Self::Ints { keys: (0..*len as i64).map(|place| *least + place).collect(), nulls: Vec::new() },
            }
        }
        if let Self::Ints { keys, nulls } = self {
            if key.is_none() {
                nulls.push(keys.len() as u32);
            }
            keys.push(key.unwrap_or_default());
        }
    }

    /// Chooses the form for looking up.
    pub(crate) fn close(&mut self, name: &str) -> Result<()> {
        let Self::Ints { keys, nulls } = self else { return Ok(()) };
        let mut nulls = nulls.iter().copied().peekable();
        let present = keys.iter().enumerate().filter(move |(row, _)| nulls.next_if_eq(&(*row as u32)).is_none());
        let present = present.map(|(row, key)| (*key, row as u32));
        let (least, greatest) =
            present.clone().fold((i64::MAX, i64::MIN), |(least, greatest), (key, _)| (least.min(key), greatest.max(key)));
        let span = if least > greatest { 0 } else { greatest.abs_diff(least) };
        let closed = if span < keys.len() as u64 * 4 + 1_000 {
            let mut rows = vec![NONE; span as usize + 1];
            for (key, row) in present {
                let slot = &mut rows[key.abs_diff(least) as usize];
                if *slot != NONE {
                    return Err(twice(name));
                }
                *slot = row;
            }
            Self::Dense { least, rows }
        } else {
            let mut rows = HashMap::with_capacity(keys.len());
            for (key, row) in present {
                if rows.insert(key, row).is_some() {
                    return Err(twice(name));
                }
            }
            Self::Sparse { len: keys.len(), rows }
        };
        *self = closed;
        Ok(())
    }

    /// Refuses keys of further contacts that are known already.
    pub(crate) fn expect_none(&self, name: &str, keys: &ArrayRef) -> Result<()> {
        let mut rows = Vec::new();
        self.rows(name, keys, &crate::ledger::all_rows(keys.len()), &mut rows)?;
        if rows.iter().all(|row| *row == NONE) { Ok(()) } else { Err(twice(name)) }
    }

    /// The row of each key, `NONE` where there is no such contact. Only rows set in `wanted` are looked up.
    pub(crate) fn rows(&self, name: &str, keys: &ArrayRef, wanted: &[u64], rows: &mut Vec<u32>) -> Result<()> {
        rows.clear();
        rows.resize(keys.len(), NONE);
        match self {
            Self::Empty | Self::Ints { .. } => {}
            Self::Series { least, len } => {
                let keys = integers(name, keys)?;
                let keys = keys.as_primitive::<Int64Type>();
                let values = keys.values();
                let no_nulls = keys.null_count() == 0;
                each(wanted, |row| {
                    let at = values[row].wrapping_sub(*least) as u64;
                    if (no_nulls || keys.is_valid(row)) && at < *len as u64 {
                        rows[row] = at as u32;
                    }
                });
            }
            Self::Dense { least, rows: known } => {
                let keys = integers(name, keys)?;
                let keys = keys.as_primitive::<Int64Type>();
                let values = keys.values();
                let no_nulls = keys.null_count() == 0;
                each(wanted, |row| {
                    if no_nulls || keys.is_valid(row) {
                        let at = values[row].wrapping_sub(*least) as u64;
                        if at < known.len() as u64 {
                            rows[row] = known[at as usize];
                        }
                    }
                });
            }
            Self::Sparse { rows: known, .. } => {
                let keys = integers(name, keys)?;
                let keys = keys.as_primitive::<Int64Type>();
                each(wanted, |row| {
                    if keys.is_valid(row)
                        && let Some(found) = known.get(&keys.value(row))
                    {
                        rows[row] = *found;
                    }
                });
            }
            Self::Texts { table, ends, texts } => {
                let keys = if keys.data_type().is_integer() { arrow_cast::cast(keys, &DataType::Utf8)? } else { keys.clone() };
                let column = TextColumn::new(name, &keys)?;
                each(wanted, |row| {
                    if let Some(text) = column.get(row)
                        && let Some(found) = table.find(crm_core::content_hash(text.as_bytes()), |other| slice(texts, ends, *other) == text)
                    {
                        rows[row] = *found;
                    }
                });
            }
        }
        Ok(())
    }
}

fn each(words: &[u64], mut visit: impl FnMut(usize)) {
    for (index, &word) in words.iter().enumerate() {
        let mut rest = word;
        while rest != 0 {
            visit(index * 64 + rest.trailing_zeros() as usize);
            rest &= rest - 1;
        }
    }
}

fn slice<'a>(texts: &'a str, ends: &[usize], number: u32) -> &'a str {
    let number = number as usize;
    let from = if number == 0 { 0 } else { ends[number - 1] };
    &texts[from..ends[number]]
}

fn integers(name: &str, keys: &ArrayRef) -> Result<ArrayRef> {
    match keys.data_type() {
        DataType::Int64 => Ok(keys.clone()),
        kind if kind.is_integer() || matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null) => {
            Ok(arrow_cast::cast(keys, &DataType::Int64)?)
        }
        kind => Err(Error::schema(format!("the column '{name}' refers to contacts by whole numbers, and has the type {kind}"))),
    }
}

fn twice(name: &str) -> Error {
    Error::schema(format!("a contact's key occurs more than once in '{name}'; features need one row per contact"))
}
