//! Keys that too many records share, part by part on their way to smaller blocks.
use hashbrown::HashMap;

use super::keys::{Column, KeyMaker, KeySet, refined};
use super::{KeyHashes, Rule};
use crate::records::Records;

/// The records that bear oversized keys of one rule, with what refines these keys.
///
/// Each round makes more keys oversized, of ever fewer records. What a key has become is kept from round to round, and what refines it was
/// looked up once: the keys are those that [`KeyMaker::keys`] would make anew, in a fraction of the time.
pub(super) struct Refining {
    /// Ascending.
    records: Vec<u32>,
    /// Most parts that refine a key.
    n_parts: usize,
    /// Per record what refines its keys, `n_parts` each; what is missing is left out, and 0 fills up.
    parts: Vec<u32>,
    /// Per record where its keys begin, and where the last one's end.
    starts: Vec<u32>,
    /// The keys as they are now, 0 once left out.
    keys: Vec<u32>,
    /// Per key how many parts it has taken.
    n_taken: Vec<u8>,
}

impl Refining {
    /// For `some` records, ascending, whose keys of the rule are in `column`, no key having been refined beyond the rule's depth.
    pub fn new(records: &Records, rule: &Rule, column: &Column, some: &[u32]) -> Self {
        let n_parts = rule.refine.len();
        let maker = KeyMaker::of_refinements(records, rule);
        let mut refining = Self {
            records: some.to_vec(),
            n_parts,
            parts: vec![0; n_parts * some.len()],
            starts: Vec::with_capacity(some.len() + 1),
            keys: Vec::with_capacity(some.len() * column.width),
            n_taken: Vec::new(),
        };
        let (mut fetched, mut values) = (Vec::new(), Vec::new());
        for (place, record) in some.iter().enumerate() {
            if n_parts > 0 {
                maker.values(*record, &mut fetched, &mut values);
                let parts = values.iter().filter_map(|values| values.as_slice().first()).skip(rule.depth as usize);
                refining.parts[place * n_parts..][..n_parts].iter_mut().zip(parts).for_each(|(slot, part)| *slot = *part);
            }
            refining.starts.push(refining.keys.len() as u32);
            column.each(*record, |key| refining.keys.push(key));
        }
        refining.starts.push(refining.keys.len() as u32);
        refining.n_taken = vec![0; refining.keys.len()];
        refining
    }

    /// Gives `some` of the records, ascending, the keys that they have now that these keys are oversized; `left_out` holds how many of a
    /// record's keys are left out, where some are.
    pub fn renew(&mut self, oversized: &KeyHashes, column: &mut Column, some: &[u32], left_out: &mut HashMap<u32, u32>) {
        let mut place = 0;
        for record in some {
            while self.records[place] != *record {
                place += 1;
            }
            let (set, n_left_out) = self.refine(place, oversized);
            column.set(*record, set.as_slice());
            if n_left_out > 0 {
                left_out.insert(*record, n_left_out);
            }
        }
    }

    /// Refines the keys of the record at a place; the second number counts those left out.
    fn refine(&mut self, place: usize, oversized: &KeyHashes) -> (KeySet, u32) {
        let parts = &self.parts[place * self.n_parts..][..self.n_parts];
        let range = self.starts[place] as usize..self.starts[place + 1] as usize;
        let mut set = KeySet::default();
        let mut n_left_out = 0;
        for (key, n_taken) in self.keys[range.clone()].iter_mut().zip(&mut self.n_taken[range]) {
            *key = refined(*key, oversized, || {
                *n_taken += 1;
                parts.get(usize::from(*n_taken) - 1).copied().filter(|part| *part != 0)
            });
            n_left_out += u32::from(*key == 0);
            set.push(*key);
        }
        (set, n_left_out)
    }
}
