//! The keys of all records under all rules.
use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{Form, KeyHashes, Part, Rule};
use crate::records::value::{date_keys, name_keys};
use crate::records::{Kind, Records};

/// Per rule at most this many keys per record; further ones are dropped.
const MOST_KEYS: usize = 8;

/// A few keys of one record under one rule.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct KeySet {
    keys: [u32; MOST_KEYS],
    len: usize,
}

impl KeySet {
    fn push(&mut self, key: u32) {
        if key != 0 && self.len < MOST_KEYS && !self.as_slice().contains(&key) {
            self.keys[self.len] = key;
            self.len += 1;
        }
    }

    pub fn as_slice(&self) -> &[u32] {
        &self.keys[..self.len]
    }
}

/// A rule with its fields found.
#[derive(Debug)]
pub(super) struct BoundRule<'a> {
    parts: Vec<(Option<usize>, Form)>,
    refine: Vec<(Option<usize>, Form)>,
    oversized: &'a KeyHashes,
    names: [Option<usize>; 3],
    salt: u32,
}

impl<'a> BoundRule<'a> {
    pub fn new(records: &Records, rule: &'a Rule) -> Self {
        let bind = |part: &Part| (records.fields.iter().position(|field| field.name == part.field), part.form);
        Self {
            parts: rule.parts.iter().map(bind).collect(),
            refine: rule.refine.iter().map(bind).collect(),
            oversized: &rule.oversized,
            names: [Kind::Given, Kind::Family, Kind::Alias].map(|kind| records.field_of(kind)),
            salt: rule.name.bytes().fold(17, |salt, byte| mix(salt, u32::from(byte))),
        }
    }

    /// Whether a record may have several keys.
    fn width(&self) -> usize {
        let is_many = self.parts.iter().any(|(_, form)| matches!(form, Form::AnyName(_)));
        if is_many { 2 } else { 1 }
    }

    /// The keys of a record; the second number counts those left out.
    pub fn keys(&self, records: &Records, record: u32) -> (KeySet, u32) {
        let row = records.row(record);
        let mut set = KeySet::default();
        set.push(self.salt);
        for (field, form) in &self.parts {
            let mut next = KeySet::default();
            let mut parts = KeySet::default();
            self.part(records, row, *field, *form, &mut parts);
            for part in parts.as_slice() {
                for key in set.as_slice() {
                    next.push(mix(*key, *part));
                }
            }
            set = next;
            if set.len == 0 {
                return (set, 0);
            }
        }
        let mut kept = KeySet::default();
        let mut n_left_out = 0;
        for key in set.as_slice() {
            let mut key = *key;
            let mut refine = self.refine.iter();
            while key != 0 && !self.oversized.is_empty() && self.oversized.contains(&key) {
                let Some((field, form)) = refine.next() else {
                    key = 0;
                    break;
                };
                let mut parts = KeySet::default();
                self.part(records, row, *field, *form, &mut parts);
                // A part that is missing refines nothing, and the next one may.
                if let Some(part) = parts.as_slice().first() {
                    key = mix(key, *part);
                }
            }
            n_left_out += u32::from(key == 0);
            kept.push(key);
        }
        (kept, n_left_out)
    }

    fn part(&self, records: &Records, row: &[u32], field: Option<usize>, form: Form, out: &mut KeySet) {
        let derived = |field: usize, place: u8| {
            let number = row[field];
            if number == 0 { 0 } else { records.dictionary(field).keys(records.values(field, &number)[0])[usize::from(place)] }
        };
        match form {
            Form::AnyName(place) => {
                for field in self.names.iter().flatten() {
                    for part in records.name_parts(&row[*field]) {
                        let text = records.dictionary(*field).text(*part);
                        if text.len() > 1 {
                            out.push(records.dictionary(*field).keys(*part)[usize::from(place)]);
                        }
                    }
                }
            }
            Form::NamePair(place) => {
                let [Some(given), Some(family), _] = self.names else { return };
                let (one, other) = (derived(given, place), derived(family, place));
                if one != 0 && other != 0 {
                    out.push(mix(one.min(other), one.max(other)));
                }
            }
            _ => {
                let Some(field) = field else { return };
                let number = row[field];
                for value in records.values(field, &number) {
                    let dictionary = records.dictionary(field);
                    let keys = dictionary.keys(*value);
                    let date = keys[date_keys::READING];
                    let (month, day) = (date / 100 % 100, date % 100);
                    let day_month = month.min(day) * 100 + month.max(day);
                    out.push(match form {
                        Form::Whole => (dictionary.hash(*value) as u32).max(1),
                        Form::Derived(place) => keys[usize::from(place)],
                        Form::Initial => keys[name_keys::PREFIX] >> 24,
                        Form::Year => date / 10_000,
                        Form::DayMonth if day_month > 101 => day_month,
                        Form::Day if month != 0 => date / 10_000 * 10_000 + day_month,
                        _ => 0,
                    });
                }
            }
        }
    }
}

/// Two hashes as one, never 0.
pub(super) fn mix(a: u32, b: u32) -> u32 {
    let product = (u64::from(a) << 32 | u64::from(b)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (product ^ product >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 32) as u32).max(1)
}

/// All keys of all records, by record.
#[derive(Debug)]
pub struct Keys {
    slots: Vec<u32>,
    width: usize,
    /// Per rule where its slots begin, and the end of the last.
    starts: Vec<usize>,
    /// Keys beyond the slots.
    overflow: BTreeMap<(u32, u16), Vec<u32>>,
    has_overflow: Vec<bool>,
    /// Per rule the keys that were left out.
    pub left_out: Vec<u64>,
}

impl Keys {
    /// The keys that the rules give.
    pub fn new(records: &Records, rules: &[Rule]) -> Self {
        let bound: Vec<BoundRule<'_>> = rules.iter().map(|rule| BoundRule::new(records, rule)).collect();
        let mut starts = vec![0];
        for rule in &bound {
            starts.push(starts[starts.len() - 1] + rule.width());
        }
        let width = starts[bound.len()];
        let mut slots = vec![0u32; records.len() * width];
        const CHUNK: usize = 8192;
        let chunks: Vec<_> = slots
            .par_chunks_mut(width.max(1) * CHUNK)
            .enumerate()
            .map(|(chunk, slots)| {
                let mut overflow = Vec::new();
                let mut left_out = vec![0u64; bound.len()];
                for (place, slots) in slots.chunks_mut(width).enumerate() {
                    let record = (chunk * CHUNK + place) as u32;
                    for (rule, bound) in bound.iter().enumerate() {
                        let (set, n_left_out) = bound.keys(records, record);
                        left_out[rule] += u64::from(n_left_out);
                        let room = &mut slots[starts[rule]..starts[rule + 1]];
                        let keys = set.as_slice();
                        let n_fit = keys.len().min(room.len());
                        room[..n_fit].copy_from_slice(&keys[..n_fit]);
                        if keys.len() > n_fit {
                            overflow.push(((record, rule as u16), keys[n_fit..].to_vec()));
                        }
                    }
                }
                (overflow, left_out)
            })
            .collect();
        let mut keys = Self {
            slots,
            width,
            starts,
            overflow: BTreeMap::new(),
            has_overflow: vec![false; records.len()],
            left_out: vec![0; bound.len()],
        };
        for (overflow, left_out) in chunks {
            for ((record, _), _) in &overflow {
                keys.has_overflow[*record as usize] = true;
            }
            keys.overflow.extend(overflow);
            keys.left_out.iter_mut().zip(left_out).for_each(|(sum, part)| *sum += part);
        }
        keys
    }

    /// Gives records their keys under one rule anew, after more of its keys became oversized.
    pub(super) fn renew(&mut self, records: &Records, rule: usize, definition: &Rule, some: &[u32]) {
        let bound = BoundRule::new(records, definition);
        for record in some {
            let (set, n_left_out) = bound.keys(records, *record);
            self.left_out[rule] += u64::from(n_left_out);
            let start = *record as usize * self.width;
            let room = &mut self.slots[start + self.starts[rule]..start + self.starts[rule + 1]];
            room.fill(0);
            let keys = set.as_slice();
            let n_fit = keys.len().min(room.len());
            room[..n_fit].copy_from_slice(&keys[..n_fit]);
            if keys.len() > n_fit {
                self.overflow.insert((*record, rule as u16), keys[n_fit..].to_vec());
                self.has_overflow[*record as usize] = true;
            } else {
                self.overflow.remove(&(*record, rule as u16));
            }
        }
    }

    /// Number of rules.
    pub fn n_rules(&self) -> usize {
        self.starts.len() - 1
    }

    fn slots_of(&self, record: u32, rule: usize) -> &[u32] {
        let start = record as usize * self.width;
        &self.slots[start + self.starts[rule]..start + self.starts[rule + 1]]
    }

    /// Calls `visit` with every key of a record under a rule.
    pub(crate) fn each(&self, record: u32, rule: usize, mut visit: impl FnMut(u32)) {
        self.slots_of(record, rule).iter().filter(|key| **key != 0).for_each(|key| visit(*key));
        if self.has_overflow[record as usize] {
            let more = self.overflow.get(&(record, rule as u16));
            more.into_iter().flatten().for_each(|key| visit(*key));
        }
    }

    /// Whether the pair belongs to this rule and key: no earlier rule, and no lower key of this rule, proposes it too.
    #[inline]
    pub fn is_first(&self, a: u32, b: u32, rule: usize, key: u32) -> bool {
        let (start_a, start_b) = (a as usize * self.width, b as usize * self.width);
        let (keys_a, keys_b) = (&self.slots[start_a..start_a + self.width], &self.slots[start_b..start_b + self.width]);
        // Salts keep the keys of different rules apart, so slots may be compared across a rule's border.
        let before = self.starts[rule];
        for place in 0..before {
            let key_a = keys_a[place];
            if key_a != 0 && key_a == keys_b[place] {
                return false;
            }
        }
        let mut place = 0;
        while place + 1 < before {
            let is_other =
                keys_a[place] != 0 && keys_a[place] == keys_b[place + 1] || keys_b[place] != 0 && keys_b[place] == keys_a[place + 1];
            if is_other {
                return false;
            }
            place += 1;
        }
        if self.starts[rule + 1] - before > 1 {
            for key_a in &keys_a[before..self.starts[rule + 1]] {
                if *key_a != 0 && *key_a < key && keys_b[before..self.starts[rule + 1]].contains(key_a) {
                    return false;
                }
            }
        }
        if self.has_overflow[a as usize] || self.has_overflow[b as usize] { self.is_first_slow(a, b, rule, key) } else { true }
    }

    fn is_first_slow(&self, a: u32, b: u32, rule: usize, key: u32) -> bool {
        (0..=rule).all(|earlier| {
            let mut is_shared = false;
            self.each(a, earlier, |key_a| {
                if earlier < rule || key_a < key {
                    self.each(b, earlier, |key_b| is_shared |= key_a == key_b);
                }
            });
            !is_shared
        })
    }

    /// Whether a rule proposes the pair.
    pub fn shares(&self, a: u32, b: u32, rule: usize) -> bool {
        let mut is_shared = false;
        self.each(a, rule, |key_a| self.each(b, rule, |key_b| is_shared |= key_a == key_b));
        is_shared
    }

    /// Number of records that no rule gives a key.
    pub fn without_key(&self) -> u64 {
        if self.width == 0 {
            return self.has_overflow.len() as u64;
        }
        self.slots.par_chunks(self.width).filter(|slots| slots.iter().all(|key| *key == 0)).count() as u64
    }

    /// Whether any rule proposes the pair.
    pub fn is_candidate(&self, a: u32, b: u32) -> bool {
        (0..self.n_rules()).any(|rule| self.shares(a, b, rule))
    }
}
