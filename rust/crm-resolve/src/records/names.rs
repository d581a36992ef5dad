//! The columns of a person's name, read together: cells shift between them.
use crm_core::{Role, content_hash};
use hashbrown::HashMap;

use super::dictionary::{Dictionary, Draft, Memo, ValueId};
use super::{Kind, value};
use crate::Mapping;
use crate::normalize::{PersonName, parse_full_name};

/// Which columns hold which part of a name.
pub(super) struct NameColumns {
    /// Per mapping all columns, by part in the order of [`PARTS`].
    pub columns: Vec<Vec<String>>,
    starts: Vec<[usize; PARTS.len() + 1]>,
    scratch: value::Scratch,
    draft: Draft,
    name: PersonName,
}

const PARTS: [Role; 5] = [Role::GivenName, Role::FamilyName, Role::MiddleName, Role::Suffix, Role::FullName];
const GIVEN: usize = 0;
const FAMILY: usize = 1;
const MIDDLE: usize = 2;
const SUFFIX: usize = 3;
const FULL: usize = 4;

impl NameColumns {
    pub fn new(mappings: &[Mapping], columns_of: &dyn Fn(&Mapping, Role) -> Vec<String>) -> Self {
        let mut names = Self {
            columns: Vec::new(),
            starts: Vec::new(),
            scratch: value::Scratch::default(),
            draft: Draft::default(),
            name: PersonName::default(),
        };
        for mapping in mappings {
            let mut columns = Vec::new();
            let mut starts = [0; PARTS.len() + 1];
            for (place, role) in PARTS.iter().enumerate() {
                columns.extend(columns_of(mapping, *role));
                starts[place + 1] = columns.len();
            }
            names.columns.push(columns);
            names.starts.push(starts);
        }
        names
    }

    /// The fields, in the order in which [`NameStore::row`] gives their numbers.
    pub fn fields(&self) -> Vec<(&'static str, Kind)> {
        vec![
            (Role::GivenName.name(), Kind::Given),
            (Role::FamilyName.name(), Kind::Family),
            (Role::MiddleName.name(), Kind::Middle),
            (Role::Suffix.name(), Kind::Suffix),
            (Role::FullName.name(), Kind::Alias),
        ]
    }

    pub fn store<'a>(
        &'a mut self,
        dictionary: &'a mut Dictionary,
        tokens: &'a mut HashMap<ValueId, Box<[ValueId]>>,
        memo: &'a mut Memo,
    ) -> NameStore<'a> {
        NameStore { columns: self, dictionary, tokens, memo }
    }
}

/// Where the names of one row go.
pub(super) struct NameStore<'a> {
    columns: &'a mut NameColumns,
    dictionary: &'a mut Dictionary,
    tokens: &'a mut HashMap<ValueId, Box<[ValueId]>>,
    memo: &'a mut Memo,
}

impl NameStore<'_> {
    /// Reads the cells of one row into numbers: given, family, middle, suffix, alias.
    pub fn row<'c>(&mut self, mapping: usize, cell: impl Fn(usize) -> &'c str, numbers: &mut [u32; 8]) {
        let first = |store: &Self, part: usize| {
            let starts = &store.columns.starts[mapping];
            (starts[part]..starts[part + 1]).map(&cell).map(str::trim).find(|text| !text.is_empty()).unwrap_or("")
        };
        let (given, family) = (first(self, GIVEN), first(self, FAMILY));
        let (middle, suffix, full) = (first(self, MIDDLE), first(self, SUFFIX), first(self, FULL));
        let is_shifted = family.is_empty() && given.contains(' ') || given.is_empty() && family.contains(' ');
        if is_shifted || (given.is_empty() && family.is_empty()) {
            let whole = if is_shifted { if given.is_empty() { family } else { given } } else { full };
            self.whole(whole, numbers);
        } else {
            numbers[GIVEN] = self.number(given);
            numbers[FAMILY] = self.number(family);
            if !full.is_empty() && !is_concatenation(full, given, family) {
                numbers[FULL] = self.alias(full, &numbers[..FULL]);
            }
        }
        if !middle.is_empty() {
            numbers[MIDDLE] = self.number(middle);
        }
        if !suffix.is_empty() {
            numbers[SUFFIX] = self.suffix(suffix);
        }
    }

    /// A whole name in one cell, taken apart.
    fn whole(&mut self, cell: &str, numbers: &mut [u32; 8]) {
        let mut name = std::mem::take(&mut self.columns.name);
        if parse_full_name(cell, &mut name).is_ok() {
            numbers[GIVEN] = self.number(&name.given);
            numbers[FAMILY] = self.number(&name.family);
            numbers[MIDDLE] = self.number(&name.middle);
            if let Some(suffix) = name.suffix {
                numbers[SUFFIX] = self.suffix(suffix.as_str());
            }
            if !name.other.is_empty() {
                numbers[FULL] = self.number(&name.other);
            }
        }
        self.columns.name = name;
    }

    fn suffix(&mut self, cell: &str) -> ValueId {
        value::suffix(cell, &mut self.columns.draft);
        self.dictionary.insert(&self.columns.draft)
    }

    fn number(&mut self, cell: &str) -> ValueId {
        if cell.is_empty() {
            return 0;
        }
        let hash = content_hash(cell.as_bytes());
        if let Some([id, _]) = self.memo.get(hash) {
            return id;
        }
        value::name(cell, &mut self.columns.scratch, &mut self.columns.draft);
        let n_known = self.dictionary.len();
        let id = self.dictionary.insert(&self.columns.draft);
        let text = &self.columns.draft.text;
        if self.dictionary.len() > n_known && text.contains(&b' ') && text.is_ascii() {
            let whole: String = text.iter().copied().map(char::from).collect();
            let parts: Vec<ValueId> = whole.split(' ').map(|word| self.number(word)).filter(|id| *id != 0).collect();
            self.tokens.insert(id, parts.into());
        }
        self.memo.put(hash, [id, 0]);
        id
    }

    /// The whole name, unless the parts already say it.
    fn alias(&mut self, full: &str, known: &[ValueId]) -> ValueId {
        let id = self.number(full);
        let parts_of = |id: &ValueId| self.tokens.get(id).map_or_else(|| vec![*id], |parts| parts.to_vec());
        let known: Vec<ValueId> = known.iter().flat_map(parts_of).collect();
        if parts_of(&id).iter().all(|part| known.contains(part)) { 0 } else { id }
    }
}

/// Whether `full` is `given family` to the letter.
fn is_concatenation(full: &str, given: &str, family: &str) -> bool {
    if given.is_empty() || family.is_empty() {
        return full == given || full == family;
    }
    full.len() == given.len() + family.len() + 1 && full.starts_with(given) && full.ends_with(family)
}
