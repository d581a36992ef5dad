//! Records as resolving sees them: rows of small numbers over dictionaries of distinct normalized values.
//!
//! A cell is normalized once per distinct value (as far as the [`Memo`] reaches), and comparing two records mostly means comparing
//! integers of two cache lines. [`RecordsBuilder`] takes batches of text; [`Records`] is what blocking and comparing read.
mod builder;
mod columns;
mod dictionary;
mod names;
pub mod value;

use std::collections::{BTreeMap, BTreeSet};

use crm_core::{Error, Result};
use hashbrown::HashMap;

use crate::{Reading, ResolveConfig};
pub use builder::RecordsBuilder;
pub(crate) use dictionary::letters_of;
pub use dictionary::{Dictionary, Doubt, Keys, ValueId, key_of};

/// How a field is normalized and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A person's first name.
    Given,
    /// Surname.
    Family,
    /// Middle name, initial or patronymic.
    Middle,
    /// A whole name that says more than the parts beside it.
    Alias,
    /// Jr, Sr, III.
    Suffix,
    /// Female, male.
    Gender,
    /// Date of birth.
    BirthDate,
    /// E-mail addresses.
    Email,
    /// Telephone numbers.
    Phone,
    /// A number that the state gives.
    TaxId,
    /// Company name.
    Company,
    /// Street, house, flat.
    Street,
    /// Postal code.
    Postcode,
    /// City or town.
    City,
    /// State, county, region.
    Region,
    /// Country.
    Country,
    /// Any other text.
    Text,
}

/// One compared field of all records.
#[derive(Debug)]
pub struct Field {
    /// The role's name, or the column's for a custom field.
    pub name: String,
    /// How it is compared.
    pub kind: Kind,
    /// Which dictionary its numbers refer to.
    pub dictionary: usize,
    /// Per value in how many records it occurs in this field.
    pub counts: Vec<u32>,
    /// Records that have a value.
    pub n_filled: u64,
}

/// Set in a row's number that stands for a list of values.
const IS_LIST: u32 = 1 << 31;

/// All records of a run, compact.
#[derive(Debug)]
pub struct Records {
    /// The compared fields.
    pub fields: Vec<Field>,
    dictionaries: Vec<Dictionary>,
    lists: Vec<Lists>,
    /// Row-major: `fields.len()` numbers per record.
    rows: Vec<u32>,
    hashes: Vec<u64>,
    sources: Vec<u16>,
    source_names: Vec<String>,
    tokens: HashMap<ValueId, Box<[ValueId]>>,
    reading: Reading,
    doubts: BTreeMap<(String, Doubt), u64>,
}

/// Lists of values, numbered.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    items: Vec<Box<[ValueId]>>,
    numbers: HashMap<Box<[ValueId]>, u32>,
}

impl Lists {
    /// The number that stands for `values` in a row; sorted and without repetition.
    fn number(&mut self, values: &mut Vec<ValueId>) -> u32 {
        values.sort_unstable();
        values.dedup();
        match values.as_slice() {
            [] => 0,
            [one] => *one,
            many => {
                if let Some(number) = self.numbers.get(many) {
                    return *number;
                }
                let number = IS_LIST | self.items.len() as u32;
                self.items.push(many.into());
                self.numbers.insert(many.into(), number);
                number
            }
        }
    }

    /// Bytes held, about: short lists take what the allocator gives at least.
    fn memory_bytes(&self) -> usize {
        self.items.capacity() * size_of::<Box<[ValueId]>>()
            + self.items.len() * 24
            + self.numbers.capacity() * size_of::<(Box<[ValueId]>, u32)>()
            + self.numbers.len() * 24
    }
}

impl Records {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of one record, one per field.
    #[inline]
    pub fn row(&self, record: u32) -> &[u32] {
        let width = self.fields.len();
        let start = record as usize * width;
        &self.rows[start..start + width]
    }

    /// A hash of a record's normalized content, the same wherever the record stands.
    #[inline]
    pub fn content_hash(&self, record: u32) -> u64 {
        self.hashes[record as usize]
    }

    /// The dictionary of a field.
    #[inline]
    pub fn dictionary(&self, field: usize) -> &Dictionary {
        &self.dictionaries[self.fields[field].dictionary]
    }

    /// The values behind a number of a row: none, one, or a list.
    #[inline]
    pub fn values<'a>(&'a self, field: usize, number: &'a u32) -> &'a [ValueId] {
        if *number & IS_LIST != 0 {
            &self.lists[self.fields[field].dictionary].items[(*number & !IS_LIST) as usize]
        } else if *number == 0 {
            &[]
        } else {
            std::slice::from_ref(number)
        }
    }

    /// Whether numbers of a field that differ may stand for values that are graded "exact": lists that share one, and addresses of which
    /// one has no flat.
    pub(crate) fn may_be_exact_though_other(&self, field: usize) -> bool {
        let Field { kind, dictionary, .. } = &self.fields[field];
        *kind == Kind::Street || !self.lists[*dictionary].items.is_empty()
    }

    /// Reads a little of the one value behind a number of a row, so that it is at hand when it is looked at; says nothing.
    #[inline]
    pub(crate) fn touch(&self, field: usize, number: u32) -> u32 {
        if number & IS_LIST == 0 { self.dictionary(field).letters(number) } else { 0 }
    }

    /// The parts of a name of several words; the name itself if it has one.
    #[inline]
    pub fn name_parts<'a>(&'a self, name: &'a ValueId) -> &'a [ValueId] {
        if *name == 0 { &[] } else { self.tokens.get(name).map_or(std::slice::from_ref(name), |parts| parts) }
    }

    /// The place of the first field of a kind.
    pub fn field_of(&self, kind: Kind) -> Option<usize> {
        self.fields.iter().position(|field| field.kind == kind)
    }

    /// The source of a record, if the mapping names a source column.
    pub fn source(&self, record: u32) -> Option<&str> {
        let source = *self.sources.get(record as usize)?;
        self.source_names.get(usize::from(source)).map(String::as_str)
    }

    /// Says which source each record came from, where no column does: a number per record, and the names of the numbered sources.
    pub fn set_sources(&mut self, sources: Vec<u16>, names: Vec<String>) -> Result<()> {
        if sources.len() != self.len() || sources.iter().any(|source| usize::from(*source) >= names.len()) {
            return Err(Error::internal("sources do not fit the records"));
        }
        (self.sources, self.source_names) = (sources, names);
        Ok(())
    }

    /// Per record the number of its source if `config` says that the source has no duplicates, else `u16::MAX`; empty if none has.
    pub fn unique_sources(&self, config: &ResolveConfig) -> Vec<u16> {
        let is_unique: Vec<bool> =
            self.source_names.iter().map(|name| config.unique_sources.iter().any(|unique| unique == "*" || unique == name)).collect();
        if !is_unique.contains(&true) {
            return Vec::new();
        }
        self.sources.iter().map(|source| if is_unique[usize::from(*source)] { *source } else { u16::MAX }).collect()
    }

    /// The canonical text of what a record holds in a field, several values separated by `; `.
    pub fn shown(&self, field: usize, number: u32) -> Option<String> {
        let values = self.values(field, &number);
        if values.is_empty() {
            return None;
        }
        // Letters that Latin script does not write are kept as one byte each, which cannot be read back.
        let shown = |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { '?' };
        let texts = values.iter().map(|value| self.dictionary(field).text(*value).iter().map(shown).collect::<String>());
        let mut texts: Vec<String> = texts.collect();
        // Values are numbered as they first appear, and what is shown must not depend on the order of rows.
        texts.sort_unstable();
        Some(texts.join("; "))
    }

    /// Per column how many values are in which doubt, of those columns whose values have a form.
    pub fn doubts(&self) -> &BTreeMap<(String, Doubt), u64> {
        &self.doubts
    }

    /// How the cells were read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// Leaves `copies` out of how often values occur: a row that was loaded a thousand times makes none of its values common.
    pub(crate) fn discount(&mut self, copies: impl Iterator<Item = u32>) {
        for copy in copies {
            for place in 0..self.fields.len() {
                let number = self.row(copy)[place];
                let values = self.values(place, &number).to_vec();
                let field = &mut self.fields[place];
                field.n_filled = field.n_filled.saturating_sub(u64::from(number != 0));
                values.iter().for_each(|value| field.counts[*value as usize] = field.counts[*value as usize].saturating_sub(1));
            }
        }
    }

    /// Leaves only some fields, as if the input had no others: what takes no part must not tell apart records that else say the same.
    ///
    /// Aliases stay, since names are compared with their help.
    pub(crate) fn keep_fields(&mut self, known: &BTreeSet<(String, Kind)>) {
        let is_kept = |field: &Field| field.kind == Kind::Alias || known.contains(&(field.name.clone(), field.kind));
        let kept: Vec<bool> = self.fields.iter().map(is_kept).collect();
        if kept.iter().all(|kept| *kept) {
            return;
        }
        let width = self.fields.len();
        let n_kept = kept.iter().filter(|kept| **kept).count();
        let mut rows = std::mem::take(&mut self.rows);
        for record in 0..self.hashes.len() {
            let mut to = record * n_kept;
            for (place, kept) in kept.iter().enumerate() {
                let number = rows[record * width + place];
                if *kept {
                    rows[to] = number;
                    to += 1;
                } else {
                    self.hashes[record] = self.hashes[record].wrapping_sub(self.field_hash(place, number));
                }
            }
        }
        rows.truncate(self.hashes.len() * n_kept);
        rows.shrink_to_fit();
        self.rows = rows;
        let mut flags = kept.into_iter();
        self.fields.retain(|_| flags.next().unwrap_or(true));
        for place in 0..self.dictionaries.len() {
            if self.fields.iter().all(|field| field.dictionary != place) {
                (self.dictionaries[place], self.lists[place]) = (Dictionary::default(), Lists::default());
            }
        }
    }

    /// What a field adds to a record's content hash.
    fn field_hash(&self, field: usize, number: u32) -> u64 {
        let Field { name, dictionary, .. } = &self.fields[field];
        columns::field_hash(name, number, &self.dictionaries[*dictionary], &self.lists[*dictionary])
    }

    /// Puts values of a field in the place of others.
    fn rename(&mut self, field: usize, renamed: &HashMap<ValueId, ValueId>) {
        let width = self.fields.len();
        for record in 0..self.hashes.len() {
            let number = self.rows[record * width + field];
            if let Some(new) = renamed.get(&number) {
                self.rows[record * width + field] = *new;
                let change = self.field_hash(field, *new).wrapping_sub(self.field_hash(field, number));
                self.hashes[record] = self.hashes[record].wrapping_add(change);
            }
        }
    }

    /// Bytes held, about.
    pub fn memory_bytes(&self) -> usize {
        let counts: usize = self.fields.iter().map(|field| field.counts.len() * 4).sum();
        let dictionaries: usize = self.dictionaries.iter().map(Dictionary::memory_bytes).sum();
        let lists: usize = self.lists.iter().map(Lists::memory_bytes).sum();
        let tokens = tokens_bytes(&self.tokens);
        self.rows.len() * 4 + self.hashes.len() * 8 + self.sources.len() * 2 + counts + dictionaries + lists + tokens
    }
}

/// Bytes that the parts of names take, about.
fn tokens_bytes(tokens: &HashMap<ValueId, Box<[ValueId]>>) -> usize {
    tokens.capacity() * size_of::<(ValueId, Box<[ValueId]>)>() + tokens.len() * 24
}

#[cfg(test)]
mod tests;
