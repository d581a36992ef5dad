//! The keys of records under rules.
use std::ops::Range;

use hashbrown::HashMap;
use rayon::prelude::*;

use super::{Form, KeyHashes, Part, Rule};
use crate::records::value::{date_keys, name_keys};
use crate::records::{Keys as ValueKeys, Kind, Records};

/// Per rule at most this many keys per record; further ones are dropped.
const MOST_KEYS: usize = 8;

/// So many parts of a record's names make keys.
const MOST_NAMES: usize = 16;

/// A few values of one record: parts of keys, or keys.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct KeySet {
    keys: [u32; MOST_KEYS],
    len: usize,
}

impl KeySet {
    #[inline]
    pub fn push(&mut self, key: u32) {
        if key == 0 || self.as_slice().contains(&key) {
            return;
        }
        if self.len < MOST_KEYS {
            self.keys[self.len] = key;
            self.len += 1;
        } else if let Some(highest) = self.keys.iter_mut().max_by_key(|key| **key).filter(|highest| **highest > key) {
            // The lowest stay: which ones must not depend on the order in which they come.
            *highest = key;
        }
    }

    #[inline]
    pub fn as_slice(&self) -> &[u32] {
        &self.keys[..self.len]
    }
}

/// Makes the keys of records under some rules: what several rules make use of is looked up once per record.
#[derive(Debug)]
pub(super) struct KeyMaker<'a> {
    records: &'a Records,
    /// The different parts of all rules.
    parts: Vec<(Option<usize>, Form)>,
    rules: Vec<BoundRule<'a>>,
    names: [Option<usize>; 3],
    /// Whether a part is made of any name.
    needs_names: bool,
    /// The fields that parts are made of, and whether their keys and their hashes are asked for.
    fetched: Vec<(usize, bool, bool)>,
}

/// A rule with its parts found.
#[derive(Debug)]
struct BoundRule<'a> {
    /// Places among the maker's parts.
    parts: Vec<usize>,
    refine: Vec<usize>,
    depth: u32,
    oversized: &'a KeyHashes,
    salt: u32,
    /// Slots that the keys of a record take.
    width: usize,
}

impl<'a> KeyMaker<'a> {
    pub fn new(records: &'a Records, rules: &'a [Rule]) -> Self {
        let mut parts = Vec::new();
        let mut bind = |part: &Part| {
            let bound = (records.fields.iter().position(|field| field.name == part.field), part.form);
            parts.iter().position(|known| *known == bound).unwrap_or_else(|| {
                parts.push(bound);
                parts.len() - 1
            })
        };
        let rules: Vec<BoundRule<'_>> = rules
            .iter()
            .map(|rule| BoundRule {
                parts: rule.parts.iter().map(&mut bind).collect(),
                refine: rule.refine.iter().map(&mut bind).collect(),
                depth: rule.depth,
                oversized: &rule.oversized,
                salt: rule.name.bytes().fold(17, |salt, byte| mix(salt, u32::from(byte))),
                width: width_of(rule),
            })
            .collect();
        Self::of_parts(records, parts, rules)
    }

    /// A maker that only looks up what refines a rule's keys.
    pub fn of_refinements(records: &'a Records, rule: &Rule) -> Self {
        let place = |part: &Part| records.fields.iter().position(|field| field.name == part.field);
        Self::of_parts(records, rule.refine.iter().map(|part| (place(part), part.form)).collect(), Vec::new())
    }

    fn of_parts(records: &'a Records, parts: Vec<(Option<usize>, Form)>, rules: Vec<BoundRule<'a>>) -> Self {
        let names = [Kind::Given, Kind::Family, Kind::Alias].map(|kind| records.field_of(kind));
        let fetched = fetched_fields(&parts, &names, records.fields.len());
        let needs_names = parts.iter().any(|(_, form)| matches!(form, Form::AnyName(_)));
        Self { records, parts, rules, names, needs_names, fetched }
    }

    /// What a record has of each part.
    pub fn values(&self, record: u32, fetched: &mut Vec<Fetched>, values: &mut Vec<KeySet>) {
        values.resize(self.parts.len(), KeySet::default());
        let row = self.records.row(record);
        // Values lie anywhere in memory: fetched first, nothing waits for one before the next is on its way. "Missing" has no keys.
        fetched.resize(row.len(), Fetched::default());
        for (field, needs_keys, needs_hash) in &self.fetched {
            let dictionary = self.records.dictionary(*field);
            let value = self.records.values(*field, &row[*field]).first().copied().unwrap_or(0);
            let fetched = &mut fetched[*field];
            if *needs_keys {
                fetched.keys = *dictionary.keys(value);
            }
            if *needs_hash {
                fetched.hash = dictionary.hash(value) as u32;
            }
        }
        let mut names = [None; MOST_NAMES];
        if self.needs_names {
            self.names_of(row, &mut names);
        }
        for ((field, form), out) in self.parts.iter().zip(values) {
            out.len = 0;
            match form {
                Form::AnyName(place) => names.iter().map_while(|keys| *keys).for_each(|keys| out.push(keys[usize::from(*place)])),
                _ => self.part(row, fetched, *field, *form, out),
            }
        }
    }

    /// The keys of a record's names, part by part; initials are none.
    fn names_of(&self, row: &[u32], names: &mut [Option<&'a ValueKeys>; MOST_NAMES]) {
        let mut free = names.iter_mut();
        for field in self.names.iter().flatten() {
            let dictionary = self.records.dictionary(*field);
            for part in self.records.name_parts(&row[*field]) {
                if dictionary.text(*part).len() > 1 {
                    let Some(slot) = free.next() else { return };
                    *slot = Some(dictionary.keys(*part));
                }
            }
        }
    }

    /// The keys under one rule of a record with these values; the second number counts those left out.
    pub fn keys(&self, rule: usize, values: &[KeySet]) -> (KeySet, u32) {
        let rule = &self.rules[rule];
        let mut set = KeySet::default();
        set.push(rule.salt);
        for part in &rule.parts {
            match (set.len, values[*part].as_slice()) {
                (_, []) => return (KeySet::default(), 0),
                (1, [part]) => set.keys[0] = mix(set.keys[0], *part),
                (_, parts) => {
                    let mut next = KeySet::default();
                    for part in parts {
                        for key in set.as_slice() {
                            next.push(mix(*key, *part));
                        }
                    }
                    set = next;
                }
            }
        }
        if rule.oversized.is_empty() && rule.depth == 0 {
            return (set, 0);
        }
        let mut kept = KeySet::default();
        let mut n_left_out = 0;
        for key in set.as_slice() {
            let mut key = *key;
            // A part that is missing refines nothing, and the next one may.
            let mut refine = rule.refine.iter().filter_map(|part| values[*part].as_slice().first());
            for part in refine.by_ref().take(rule.depth as usize) {
                key = mix(key, *part);
            }
            let key = refined(key, rule.oversized, || refine.next().copied());
            n_left_out += u32::from(key == 0);
            kept.push(key);
        }
        (kept, n_left_out)
    }

    fn part(&self, row: &[u32], fetched: &[Fetched], field: Option<usize>, form: Form, out: &mut KeySet) {
        if let Form::NamePair(place) = form {
            let [Some(given), Some(family), _] = self.names else { return };
            let of = |field: usize| fetched[field].keys[usize::from(place)];
            let (one, other) = (of(given), of(family));
            if one != 0 && other != 0 {
                out.push(mix(one.min(other), one.max(other)));
            }
            return;
        }
        let Some(field) = field else { return };
        match self.records.values(field, &row[field]) {
            [] => {}
            [_] => out.push(fetched[field].part(form)),
            many => {
                let dictionary = self.records.dictionary(field);
                for value in many {
                    out.push(Fetched { keys: *dictionary.keys(*value), hash: dictionary.hash(*value) as u32 }.part(form));
                }
            }
        }
    }
}

/// Slots that the keys of a record under a rule take.
pub(super) fn width_of(rule: &Rule) -> usize {
    if rule.parts.iter().any(|part| matches!(part.form, Form::AnyName(_))) { 2 } else { 1 }
}

/// The fields that parts are made of, and whether their keys and their hashes are asked for.
fn fetched_fields(parts: &[(Option<usize>, Form)], names: &[Option<usize>; 3], n_fields: usize) -> Vec<(usize, bool, bool)> {
    let mut needs = vec![(false, false); n_fields];
    for (field, form) in parts {
        match (form, field) {
            (Form::AnyName(_), _) | (_, None) => {}
            (Form::NamePair(_), _) => names[..2].iter().flatten().for_each(|field| needs[*field].0 = true),
            (Form::Whole, Some(field)) => needs[*field].1 = true,
            (_, Some(field)) => needs[*field].0 = true,
        }
    }
    let fields = needs.into_iter().enumerate().map(|(field, (keys, hash))| (field, keys, hash));
    fields.filter(|(_, keys, hash)| *keys || *hash).collect()
}

/// What keys need of a value.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Fetched {
    keys: ValueKeys,
    hash: u32,
}

impl Fetched {
    fn part(&self, form: Form) -> u32 {
        let date = self.keys[date_keys::READING];
        let (month, day) = (date / 100 % 100, date % 100);
        let day_month = month.min(day) * 100 + month.max(day);
        match form {
            Form::Whole => self.hash.max(1),
            Form::Derived(place) => self.keys[usize::from(place)],
            Form::Initial => self.keys[name_keys::PREFIX] >> 24,
            Form::Year => date / 10_000,
            Form::DayMonth if day_month > 101 => day_month,
            Form::Day if month != 0 => date / 10_000 * 10_000 + day_month,
            _ => 0,
        }
    }
}

/// A key joined with further parts for as long as it is oversized; 0 where no part is left.
#[inline]
pub(super) fn refined(mut key: u32, oversized: &KeyHashes, mut next: impl FnMut() -> Option<u32>) -> u32 {
    while key != 0 && oversized.contains(&key) {
        key = next().map_or(0, |part| mix(key, part));
    }
    key
}

/// Two hashes as one, never 0.
pub(super) fn mix(a: u32, b: u32) -> u32 {
    let product = (u64::from(a) << 32 | u64::from(b)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (product ^ product >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 32) as u32).max(1)
}

/// One `u32` slot or two per record, and a list for the few records that need more.
#[derive(Debug, Default, Clone)]
pub(crate) struct Column {
    /// The first record that it holds.
    pub first: u32,
    pub width: usize,
    /// `[n_records, width]`; 0 is "none".
    pub slots: Vec<u32>,
    pub more: HashMap<u32, Box<[u32]>>,
    /// One bit per record: whether it is in `more`.
    pub has_more: Vec<u64>,
}

impl Column {
    fn new(width: usize, records: &Range<u32>) -> Self {
        let n_records = records.len();
        let slots = Vec::with_capacity(n_records * width);
        Self { first: records.start, width, slots, more: HashMap::new(), has_more: vec![0; n_records.div_ceil(64)] }
    }

    /// Where the slots of a record begin.
    #[inline]
    pub fn start_of(&self, record: u32) -> usize {
        (record - self.first) as usize * self.width
    }

    #[inline]
    pub fn slots_of(&self, record: u32) -> &[u32] {
        let start = self.start_of(record);
        &self.slots[start..start + self.width]
    }

    /// What a record has beyond its slots.
    #[inline]
    pub fn more_of(&self, record: u32) -> &[u32] {
        let place = record - self.first;
        if self.has_more[place as usize / 64] >> (place % 64) & 1 == 0 {
            return &[];
        }
        self.more.get(&record).map_or(&[], |more| more)
    }

    #[inline]
    pub fn each(&self, record: u32, mut visit: impl FnMut(u32)) {
        for key in self.slots_of(record).iter().chain(self.more_of(record)) {
            if *key != 0 {
                visit(*key);
            }
        }
    }

    pub fn set_more(&mut self, record: u32, more: &[u32]) {
        let place = record - self.first;
        let (word, bit) = (&mut self.has_more[place as usize / 64], 1u64 << (place % 64));
        if more.is_empty() {
            if *word & bit != 0 {
                *word &= !bit;
                self.more.remove(&record);
            }
        } else {
            *word |= bit;
            self.more.insert(record, more.into());
        }
    }

    pub(super) fn set(&mut self, record: u32, keys: &[u32]) {
        let start = self.start_of(record);
        let room = &mut self.slots[start..start + self.width];
        let n_fit = keys.len().min(room.len());
        room.fill(0);
        room[..n_fit].copy_from_slice(&keys[..n_fit]);
        self.set_more(record, &keys[n_fit..]);
    }
}

/// All keys of all records, rule by rule; where memory is short none is kept, and each is made when it is asked for.
#[derive(Debug, Clone)]
pub struct Keys {
    pub(super) columns: Vec<Column>,
    pub(super) records: Range<u32>,
    /// Per rule the keys that were left out.
    pub left_out: Vec<u64>,
    /// Per rule the pairs that its blocks had when its cap was fitted; empty where none was.
    pub(super) n_pairs: Vec<u64>,
}

/// Keys of neighbouring records on their way into the columns.
struct Portion {
    slots: Vec<Vec<u32>>,
    more: Vec<Vec<(u32, KeySet)>>,
    left_out: Vec<u64>,
}

impl Keys {
    /// The keys that the rules give.
    pub fn new(records: &Records, rules: &[Rule]) -> Self {
        Self::of_range(records, rules, 0..records.len() as u32)
    }

    /// The keys that the rules give to a range of records.
    pub(super) fn of_range(records: &Records, rules: &[Rule], range: Range<u32>) -> Self {
        const PORTION: usize = 4096;
        // Portions that wait to be put together: enough for all threads, and small beside the keys.
        const ROUND: usize = 64 * PORTION;
        let maker = KeyMaker::new(records, rules);
        let mut columns: Vec<Column> = maker.rules.iter().map(|rule| Column::new(rule.width, &range)).collect();
        let mut left_out = vec![0u64; rules.len()];
        for first in range.clone().step_by(ROUND) {
            let starts: Vec<u32> = (first..range.end.min(first.saturating_add(ROUND as u32))).step_by(PORTION).collect();
            let portions: Vec<Portion> =
                starts.into_par_iter().map(|start| portion(&maker, start..range.end.min(start.saturating_add(PORTION as u32)))).collect();
            columns.par_iter_mut().enumerate().for_each(|(rule, column)| {
                for portion in &portions {
                    column.slots.extend_from_slice(&portion.slots[rule]);
                    portion.more[rule].iter().for_each(|(record, set)| column.set_more(*record, &set.as_slice()[column.width..]));
                }
            });
            for portion in &portions {
                left_out.iter_mut().zip(&portion.left_out).for_each(|(sum, part)| *sum += part);
            }
        }
        Self { columns, records: range, left_out, n_pairs: Vec::new() }
    }

    /// Leaves only the rules whose flag is set.
    pub(crate) fn retain(&mut self, is_kept: &[bool]) {
        let (mut of_columns, mut of_counts, mut of_pairs) = (is_kept.iter(), is_kept.iter(), is_kept.iter());
        self.columns.retain(|_| of_columns.next().is_some_and(|kept| *kept));
        self.left_out.retain(|_| of_counts.next().is_some_and(|kept| *kept));
        self.n_pairs.retain(|_| of_pairs.next().is_some_and(|kept| *kept));
    }

    /// Number of rules.
    pub fn n_rules(&self) -> usize {
        self.columns.len()
    }

    /// Calls `visit` with every key of a record under a rule.
    #[inline]
    pub(crate) fn each(&self, record: u32, rule: usize, visit: impl FnMut(u32)) {
        self.columns[rule].each(record, visit);
    }

    /// Whether a rule proposes the pair.
    pub fn shares(&self, a: u32, b: u32, rule: usize) -> bool {
        let column = &self.columns[rule];
        let mut is_shared = false;
        column.each(a, |key_a| column.each(b, |key_b| is_shared |= key_a == key_b));
        is_shared
    }

    /// Number of records that no rule gives a key.
    pub fn without_key(&self) -> u64 {
        let has_none = |record: &u32| self.columns.iter().all(|column| column.slots_of(*record).iter().all(|key| *key == 0));
        self.records.clone().into_par_iter().filter(has_none).count() as u64
    }

    /// Whether any rule proposes the pair.
    pub fn is_candidate(&self, a: u32, b: u32) -> bool {
        (0..self.n_rules()).any(|rule| self.shares(a, b, rule))
    }
}

fn portion(maker: &KeyMaker<'_>, records: std::ops::Range<u32>) -> Portion {
    let n_rules = maker.rules.len();
    let mut portion = Portion {
        slots: maker.rules.iter().map(|rule| Vec::with_capacity(records.len() * rule.width)).collect(),
        more: vec![Vec::new(); n_rules],
        left_out: vec![0; n_rules],
    };
    let (mut fetched, mut values) = (Vec::new(), Vec::with_capacity(maker.parts.len()));
    for record in records {
        maker.values(record, &mut fetched, &mut values);
        for (rule, bound) in maker.rules.iter().enumerate() {
            let (set, n_left_out) = maker.keys(rule, &values);
            portion.left_out[rule] += u64::from(n_left_out);
            portion.slots[rule].extend_from_slice(&set.keys[..bound.width]);
            if set.len > bound.width {
                portion.more[rule].push((record, set));
            }
        }
    }
    portion
}

/// Gives records their keys under one rule anew; `left_out` holds how many of a record's keys are left out, where some are.
pub(super) fn renew(records: &Records, rule: &Rule, column: &mut Column, some: &[u32], left_out: &mut HashMap<u32, u32>) {
    let maker = KeyMaker::new(records, std::slice::from_ref(rule));
    let (mut fetched, mut values) = (Vec::new(), Vec::new());
    for record in some {
        maker.values(*record, &mut fetched, &mut values);
        let (set, n_left_out) = maker.keys(0, &values);
        column.set(*record, set.as_slice());
        if n_left_out > 0 {
            left_out.insert(*record, n_left_out);
        }
    }
}
