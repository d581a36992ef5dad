//! Which columns become which fields, and how their cells become numbers.
use std::collections::{BTreeMap, BTreeSet};

use arrow_array::RecordBatch;
use crm_core::{Error, Result, Role, TextColumn, content_hash};
use hashbrown::HashMap;

use super::builder::text_column;
use super::dictionary::{Dictionary, Doubt, Draft, Memo, ValueId};
use super::names::NameColumns;
use super::{Field, Kind, Lists, value};
use crate::normalize::{split_emails, split_phones};
use crate::{DateOrder, Mapping, Reading, ResolveConfig};

/// Columns that share one dictionary and are normalized together.
pub(super) struct Group {
    /// Per mapping the columns.
    columns: Vec<Vec<String>>,
    source: Source,
    dictionary: Dictionary,
    lists: Lists,
    tokens: HashMap<ValueId, Box<[ValueId]>>,
    memo: Memo,
    /// Whether dates that can be read in two ways are settled at the end; a model has settled them.
    settles_dates: bool,
    /// Dates with slashes that must be read day first, and month first.
    n_day_first: u64,
    n_month_first: u64,
    /// Per mapping and column the values in doubt.
    doubts: Vec<Vec<DoubtCounts>>,
    scratch: value::Scratch,
    fields: Vec<Field>,
    numbers: Vec<Vec<u32>>,
    hashes: Vec<u64>,
}

/// How a group reads its columns.
enum Source {
    Names(Box<NameColumns>),
    /// The first column that has a value.
    One(Kind),
    /// All columns, as a list.
    List(Kind),
    /// All columns, joined.
    Joined(Kind),
}

/// What a group leaves to [`super::Records`].
pub(super) struct Finished {
    /// Values that became others when the order of dates was settled.
    pub renamed: HashMap<ValueId, ValueId>,
    /// That order.
    pub slashed_dates: Option<DateOrder>,
    pub doubts: BTreeMap<(String, Doubt), u64>,
    pub fields: Vec<Field>,
    pub dictionary: Dictionary,
    pub lists: Lists,
    pub tokens: HashMap<ValueId, Box<[ValueId]>>,
}

/// The groups that the mappings make together: one per role, and one per name of a custom column.
///
/// With `known`, the fields of a model, the columns that it does not know are left out.
pub(super) fn groups(
    mappings: &[Mapping],
    config: &ResolveConfig,
    reading: &Reading,
    known: Option<&BTreeSet<(String, Kind)>>,
) -> Result<Vec<Group>> {
    let is_known = |name: &str, kind: Kind| known.is_none_or(|known| known.contains(&(name.to_owned(), kind)));
    let settles_dates = known.is_none() && config.date_order.is_none();
    let all_columns = || mappings.iter().flat_map(Mapping::columns);
    for name in &config.ignore {
        if name.parse::<Role>().is_err() && !all_columns().any(|column| column.column == *name) {
            let names = all_columns().map(|column| column.column.as_str());
            let nearest = crm_core::nearest_name(name, names.chain(Role::ALL.iter().map(|role| role.name())));
            let hint = nearest.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
            return Err(Error::config(format!("ignore names '{name}', which is neither a column nor a role{hint}")));
        }
    }
    let is_used =
        |column: &str, role: Option<Role>| !config.ignore.iter().any(|name| name == column || role.is_some_and(|role| role.name() == name));
    let columns = |mapping: &Mapping, role: Role| -> Vec<String> {
        mapping.columns_of(role).filter(|column| is_used(column, Some(role))).map(str::to_owned).collect()
    };
    let mut groups = Vec::new();
    let names = NameColumns::new(mappings, &columns);
    if names.columns.iter().any(|columns| !columns.is_empty()) {
        groups.push(Group::new(names.columns.clone(), &names.fields(), Source::Names(Box::new(names)), reading, false));
    }
    for (role, kind, source) in [
        (Role::Gender, Kind::Gender, Source::One as fn(Kind) -> Source),
        (Role::BirthDate, Kind::BirthDate, Source::One),
        (Role::Email, Kind::Email, Source::List),
        (Role::Phone, Kind::Phone, Source::List),
        (Role::TaxId, Kind::TaxId, Source::One),
        (Role::CompanyName, Kind::Company, Source::One),
        (Role::Street, Kind::Street, Source::Joined),
        (Role::Postcode, Kind::Postcode, Source::One),
        (Role::City, Kind::City, Source::One),
        (Role::Region, Kind::Region, Source::One),
        (Role::Country, Kind::Country, Source::One),
        (Role::JobTitle, Kind::Text, Source::One),
        (Role::Website, Kind::Text, Source::One),
        (Role::Social, Kind::Text, Source::One),
        (Role::ContactType, Kind::Text, Source::One),
    ] {
        let columns: Vec<Vec<String>> = mappings.iter().map(|mapping| columns(mapping, role)).collect();
        if columns.iter().any(|columns| !columns.is_empty()) && is_known(role.name(), kind) {
            groups.push(Group::new(columns, &[(role.name(), kind)], source(kind), reading, settles_dates));
        }
    }
    let custom: BTreeSet<&str> = mappings.iter().flat_map(Mapping::custom).filter(|column| is_used(column, None)).collect();
    for name in custom.into_iter().filter(|name| is_known(name, Kind::Text)) {
        let of = |mapping: &Mapping| mapping.custom().filter(|column| *column == name).map(str::to_owned).collect();
        groups.push(Group::new(mappings.iter().map(of).collect(), &[(name, Kind::Text)], Source::One(Kind::Text), reading, false));
    }
    Ok(groups)
}

impl Group {
    fn new(columns: Vec<Vec<String>>, fields: &[(&str, Kind)], source: Source, reading: &Reading, settles_dates: bool) -> Self {
        let field =
            |(name, kind): &(&str, Kind)| Field { name: (*name).to_owned(), kind: *kind, dictionary: 0, counts: vec![0], n_filled: 0 };
        let doubts = columns.iter().map(|columns| vec![DoubtCounts::default(); columns.len()]).collect();
        Self {
            columns,
            source,
            dictionary: Dictionary::default(),
            lists: Lists::default(),
            tokens: HashMap::new(),
            memo: Memo::new(),
            settles_dates,
            n_day_first: 0,
            n_month_first: 0,
            doubts,
            scratch: value::Scratch::new(reading),
            fields: fields.iter().map(field).collect(),
            numbers: vec![Vec::new(); fields.len()],
            hashes: Vec::new(),
        }
    }

    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Bytes held for the values so far, about.
    pub fn memory_bytes(&self) -> usize {
        let counts: usize = self.fields.iter().map(|field| field.counts.len() * 4).sum();
        self.dictionary.memory_bytes() + self.memo.memory_bytes() + self.lists.memory_bytes() + super::tokens_bytes(&self.tokens) + counts
    }

    /// Whether there is no room for the values of another batch.
    pub fn is_full(&self) -> bool {
        self.dictionary.is_full()
    }

    pub fn take_numbers(&mut self) -> Vec<Vec<u32>> {
        let empty = vec![Vec::new(); self.fields.len()];
        std::mem::replace(&mut self.numbers, empty)
    }

    pub fn take_hashes(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.hashes)
    }

    pub fn finish(mut self) -> Finished {
        let slashed_dates = self.settled_order();
        let renamed = slashed_dates.map_or_else(HashMap::new, |order| self.settle_dates(order));
        self.dictionary.freeze();
        self.lists.numbers = HashMap::new();
        for field in &mut self.fields {
            field.counts.resize(self.dictionary.len(), 0);
        }
        let doubts = self.doubts_by_column(slashed_dates.is_some());
        Finished {
            renamed,
            slashed_dates,
            doubts,
            fields: self.fields,
            dictionary: self.dictionary,
            lists: self.lists,
            tokens: self.tokens,
        }
    }

    /// Values in doubt by column; dates of which the column's order leaves one reading are in none.
    fn doubts_by_column(&self, is_order_settled: bool) -> BTreeMap<(String, Doubt), u64> {
        let mut by_column = BTreeMap::new();
        for (column, counts) in self.columns.iter().flatten().zip(self.doubts.iter().flatten()) {
            for (doubt, count) in counts.iter().filter(|(doubt, _)| !(is_order_settled && *doubt == Doubt::Ambiguous)) {
                *by_column.entry((column.clone(), doubt)).or_insert(0) += count;
            }
        }
        by_column
    }

    /// The order that the dates that leave no doubt agree on.
    fn settled_order(&self) -> Option<DateOrder> {
        let (day_first, month_first) = (self.n_day_first, self.n_month_first);
        let is_settled = self.settles_dates && day_first.max(month_first) >= 20 * day_first.min(month_first).max(1);
        is_settled.then_some(if day_first > month_first { DateOrder::Dmy } else { DateOrder::Mdy })
    }

    /// Gives each date that can be read in two ways the value of the one reading that `order` leaves it.
    fn settle_dates(&mut self, order: DateOrder) -> HashMap<ValueId, ValueId> {
        let mut renamed = HashMap::new();
        let mut draft = Draft::default();
        for id in 1..self.dictionary.len() as ValueId {
            let keys = self.dictionary.keys(id);
            let [day_first, month_first] = [keys[value::date_keys::READING], keys[value::date_keys::OTHER]];
            if month_first != 0 {
                value::draft_date(if order == DateOrder::Dmy { day_first } else { month_first }, 0, &mut draft);
                renamed.insert(id, self.dictionary.insert(&draft));
            }
        }
        for field in &mut self.fields {
            field.counts.resize(self.dictionary.len(), 0);
            for (old, new) in &renamed {
                let n = std::mem::take(&mut field.counts[*old as usize]);
                field.counts[*new as usize] += n;
            }
        }
        renamed
    }

    /// Normalizes the group's columns of a batch that has the columns of the numbered mapping.
    pub fn push(&mut self, mapping: usize, batch: &RecordBatch) -> Result<()> {
        let columns: Vec<TextColumn> = self.columns[mapping].iter().map(|name| text_column(batch, name)).collect::<Result<_>>()?;
        let n_rows = batch.num_rows();
        self.hashes = Vec::with_capacity(n_rows);
        for numbers in &mut self.numbers {
            numbers.reserve(n_rows);
        }
        let scratch = &mut self.scratch;
        let mut draft = Draft::default();
        let mut list = Vec::new();
        let mut joined = String::new();
        for row in 0..n_rows {
            let mut numbers = [0u32; 8];
            match &mut self.source {
                Source::Names(names) => {
                    let cell = |place: usize| columns[place].get(row).unwrap_or("");
                    let mut store = names.store(&mut self.dictionary, &mut self.tokens, &mut self.memo);
                    store.row(mapping, cell, &mut numbers);
                }
                Source::One(kind) => {
                    for (place, column) in columns.iter().enumerate() {
                        let Some(cell) = column.get(row).filter(|cell| !cell.is_empty()) else { continue };
                        if *kind == Kind::BirthDate {
                            let hint = value::date_order_hint(cell);
                            self.n_day_first += u64::from(hint > 0);
                            self.n_month_first += u64::from(hint < 0);
                        }
                        let (id, doubt) = number(*kind, cell, &mut self.memo, &mut self.dictionary, scratch, &mut draft);
                        self.doubts[mapping][place].add(doubt);
                        numbers[0] = id;
                        if id != 0 {
                            break;
                        }
                    }
                }
                Source::List(kind) => {
                    list.clear();
                    for (place, column) in columns.iter().enumerate() {
                        let Some(cell) = column.get(row).filter(|cell| !cell.is_empty()) else { continue };
                        let mut add = |part: &str| {
                            let (id, doubt) = number(*kind, part, &mut self.memo, &mut self.dictionary, scratch, &mut draft);
                            self.doubts[mapping][place].add(doubt);
                            list.extend((id != 0).then_some(id));
                        };
                        // As golden records split them, so that each number that they list is one that was compared.
                        match kind {
                            Kind::Phone => split_phones(cell).for_each(&mut add),
                            Kind::Email => split_emails(cell).for_each(&mut add),
                            _ => cell.split([';', ',', '|', '\n']).for_each(&mut add),
                        }
                    }
                    for id in &list {
                        count(&mut self.fields[0], *id);
                    }
                    numbers[0] = self.lists.number(&mut list);
                }
                Source::Joined(kind) => {
                    let mut cells = columns.iter().filter_map(|column| column.get(row)).filter(|cell| !cell.is_empty());
                    if let Some(first) = cells.next() {
                        let mut cell = first;
                        if let Some(second) = cells.next() {
                            joined.clear();
                            joined.push_str(first);
                            for more in std::iter::once(second).chain(cells) {
                                joined.push_str(", ");
                                joined.push_str(more);
                            }
                            cell = &joined;
                        }
                        (numbers[0], _) = number(*kind, cell, &mut self.memo, &mut self.dictionary, scratch, &mut draft);
                    }
                }
            }
            let mut hash = 0u64;
            for (place, field) in self.fields.iter_mut().enumerate() {
                let number = numbers[place];
                self.numbers[place].push(number);
                if number == 0 {
                    continue;
                }
                field.n_filled += 1;
                if !matches!(self.source, Source::List(_)) {
                    count(field, number);
                }
                hash = hash.wrapping_add(field_hash(&field.name, number, &self.dictionary, &self.lists));
            }
            self.hashes.push(hash);
        }
        Ok(())
    }
}

/// How many values of a column are in which [`Doubt`].
#[derive(Debug, Clone, Default)]
struct DoubtCounts([u64; 5]);

impl DoubtCounts {
    /// Counts a value by the number of its doubt; 0 is none.
    #[inline]
    fn add(&mut self, doubt: u32) {
        if doubt != 0 {
            self.0[doubt as usize] += 1;
        }
    }

    fn iter(&self) -> impl Iterator<Item = (Doubt, u64)> + '_ {
        (1..).zip(&self.0[1..]).filter(|(_, count)| **count > 0).filter_map(|(number, count)| Some((Doubt::of_number(number)?, *count)))
    }
}

fn count(field: &mut Field, id: ValueId) {
    let id = id as usize;
    if field.counts.len() <= id {
        field.counts.resize((id + 1).next_power_of_two(), 0);
    }
    field.counts[id] += 1;
}

/// What a field's number adds to the hash of a record's content; nothing where it is missing.
pub(super) fn field_hash(name: &str, number: u32, dictionary: &Dictionary, lists: &Lists) -> u64 {
    if number == 0 {
        return 0;
    }
    let value_hash = if number & super::IS_LIST != 0 {
        let items = &lists.items[(number & !super::IS_LIST) as usize];
        items.iter().fold(0u64, |sum, id| sum.wrapping_add(dictionary.hash(*id)))
    } else {
        dictionary.hash(number)
    };
    mix(value_hash, name)
}

/// The same value in another field must not give the same hash.
fn mix(hash: u64, field: &str) -> u64 {
    let salt = field.bytes().fold(0x9e37_79b9_7f4a_7c15u64, |salt, byte| salt.rotate_left(5) ^ u64::from(byte));
    (hash ^ salt).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(31).wrapping_mul(0xc4ce_b9fe_1a85_ec53)
}

fn number(
    kind: Kind,
    cell: &str,
    memo: &mut Memo,
    dictionary: &mut Dictionary,
    scratch: &mut value::Scratch,
    draft: &mut Draft,
) -> (ValueId, u32) {
    let hash = content_hash(cell.as_bytes());
    if let Some([id, doubt]) = memo.get(hash) {
        return (id, doubt);
    }
    draft.doubt = None;
    match kind {
        Kind::BirthDate => value::date(cell, scratch, draft),
        Kind::Email => value::email(cell, scratch, draft),
        Kind::Phone => value::phone(cell, scratch, draft),
        Kind::TaxId => value::tax_id(cell, draft),
        Kind::Company => value::company(cell, scratch, draft),
        Kind::Street => value::street(cell, scratch, draft),
        Kind::Postcode => value::postcode(cell, draft),
        Kind::Given | Kind::Family | Kind::Middle | Kind::Alias => value::name(cell, scratch, draft),
        Kind::Suffix => value::suffix(cell, draft),
        Kind::Gender => value::gender(cell, scratch, draft),
        Kind::City => value::city(cell, scratch, draft),
        Kind::Region => value::region(cell, scratch, draft),
        Kind::Country => value::country(cell, scratch, draft),
        Kind::Text => value::text(cell, scratch, draft),
    }
    let id = dictionary.insert(draft);
    let doubt = draft.doubt.map_or(0, |doubt| doubt as u32);
    memo.put(hash, [id, doubt]);
    (id, doubt)
}
