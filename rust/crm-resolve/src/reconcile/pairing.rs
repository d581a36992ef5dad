//! Which left record is which right record.
use crm_core::{Control, Result, content_hash};
use hashbrown::{HashMap, HashSet};

use crate::PairScorer;

/// Above it the pairs between the two sides of one group are not scored each with each.
const MOST_SCORED: usize = 4_096;

/// The number of the key that a person's decision is.
pub const BY_DECISION: u8 = 0;

/// What is known for certain: values of exact keys, and what people decided.
#[derive(Debug, Default)]
pub struct KeyValues {
    /// (hash of key and value, record).
    pub values: Vec<(u64, u32)>,
    /// Per hash the number of the key that it is of.
    pub key_of: HashMap<u64, u8>,
    /// Pairs (left, right) that a person called different.
    pub different: HashSet<(u32, u32)>,
}

impl KeyValues {
    /// A person called the two the same.
    pub fn decide_same(&mut self, left: u32, right: u32) {
        let hash = content_hash(&[left.to_le_bytes(), right.to_le_bytes()].concat());
        self.values.extend([(hash, left), (hash, right)]);
        self.key_of.insert(hash, BY_DECISION);
    }
}

/// What became of a record; every record has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It has its counterpart: the place of its pair.
    Matched(u32),
    /// Its contact is matched, by this other record of its own side.
    Duplicate(u32),
    /// The other side does not have it.
    Only,
}

/// A left and a right record of one contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The left record.
    pub left: u32,
    /// The right record.
    pub right: u32,
    /// Match weight.
    pub weight: i32,
    /// The number of the exact key that they share, if any.
    pub key: Option<u8>,
}

/// All records, each in one place.
#[derive(Debug)]
pub struct Pairing {
    /// The pairs, in the order of the left side.
    pub pairs: Vec<Pair>,
    /// Per record what became of it.
    pub fates: Vec<Fate>,
    /// Per record its group: records that are one contact.
    pub groups: Vec<u32>,
}

/// Pairs the records of each cluster, one left with one right one: those that share an exact key first, then the strongest.
///
/// `labels` are clusters; records that share a value of an exact key are one group even where their clusters differ. What is left over on a
/// side of a group that has pairs is a duplicate of the record of its side that it is most like.
pub fn pair_sides(labels: &[u32], is_right: &[bool], keys: &KeyValues, scorer: &dyn PairScorer, control: &dyn Control) -> Result<Pairing> {
    let groups = link_by_keys(labels, keys);
    let mut key_values: HashMap<u32, Vec<u64>> = HashMap::new();
    for (value, record) in &keys.values {
        key_values.entry(*record).or_default().push(*value);
    }
    let shared_key = |left: u32, right: u32| -> Option<u8> {
        let (left, right) = (key_values.get(&left)?, key_values.get(&right)?);
        left.iter().filter(|value| right.contains(value)).filter_map(|value| keys.key_of.get(value).copied()).min()
    };
    let mut pairing = Pairing { pairs: Vec::new(), fates: vec![Fate::Only; labels.len()], groups };
    for (number, members) in members_of(&pairing.groups).iter().enumerate() {
        if number.is_multiple_of(1_024) {
            control.check()?;
        }
        let (right, left): (Vec<u32>, Vec<u32>) = members.iter().copied().partition(|record| is_right[*record as usize]);
        if left.is_empty() || right.is_empty() {
            continue;
        }
        let pairs = pair_group(&left, &right, &shared_key, &keys.different, scorer);
        settle_group(&mut pairing, &pairs, &[left, right], scorer);
    }
    pairing.pairs.sort_unstable_by_key(|pair| (pair.left, pair.right));
    for (place, pair) in pairing.pairs.iter().enumerate() {
        for record in [pair.left, pair.right] {
            pairing.fates[record as usize] = Fate::Matched(place as u32);
        }
    }
    Ok(pairing)
}

/// The groups of more than one record.
fn members_of(groups: &[u32]) -> Vec<Vec<u32>> {
    let mut sizes = vec![0u32; groups.len()];
    for group in groups {
        sizes[*group as usize] += 1;
    }
    let mut place = vec![u32::MAX; groups.len()];
    let mut members: Vec<Vec<u32>> = Vec::new();
    for (record, group) in groups.iter().enumerate().filter(|(_, group)| sizes[**group as usize] > 1) {
        let at = &mut place[*group as usize];
        if *at == u32::MAX {
            *at = members.len() as u32;
            members.push(Vec::with_capacity(sizes[*group as usize] as usize));
        }
        members[*at as usize].push(record as u32);
    }
    members
}

/// Clusters that share a value of a key are one group; groups are named by their first record.
fn link_by_keys(labels: &[u32], keys: &KeyValues) -> Vec<u32> {
    let n_labels = labels.iter().max().map_or(0, |label| *label as usize + 1);
    let mut parents: Vec<u32> = (0..n_labels as u32).collect();
    fn root(parents: &mut [u32], mut at: u32) -> u32 {
        while parents[at as usize] != at {
            parents[at as usize] = parents[parents[at as usize] as usize];
            at = parents[at as usize];
        }
        at
    }
    let mut first: HashMap<u64, u32> = HashMap::new();
    for (value, record) in &keys.values {
        let label = labels[*record as usize];
        let known = *first.entry(*value).or_insert(label);
        let (a, b) = (root(&mut parents, known), root(&mut parents, label));
        parents[a.max(b) as usize] = a.min(b);
    }
    let mut named = vec![u32::MAX; n_labels];
    let mut groups = Vec::with_capacity(labels.len());
    for (record, label) in labels.iter().enumerate() {
        let name = &mut named[root(&mut parents, *label) as usize];
        if *name == u32::MAX {
            *name = record as u32;
        }
        groups.push(*name);
    }
    groups
}

/// One to one: shared keys first, then the strongest.
fn pair_group(
    left: &[u32],
    right: &[u32],
    shared_key: &dyn Fn(u32, u32) -> Option<u8>,
    different: &HashSet<(u32, u32)>,
    scorer: &dyn PairScorer,
) -> Vec<Pair> {
    let pair = |left: u32, right: u32| Pair { left, right, weight: scorer.weight(left, right), key: shared_key(left, right) };
    if left.len() * right.len() > MOST_SCORED {
        // A key that so many share identifies none of them; the order of the lists is as good as any.
        return left.iter().zip(right).map(|(left, right)| pair(*left, *right)).collect();
    }
    let mut candidates: Vec<Pair> = left.iter().flat_map(|left| right.iter().map(|right| pair(*left, *right))).collect();
    candidates.sort_unstable_by_key(|pair| (pair.key.map_or(u8::MAX, |key| key), std::cmp::Reverse(pair.weight), pair.left, pair.right));
    candidates.retain(|pair| !different.contains(&(pair.left, pair.right)));
    let mut chosen: Vec<Pair> = Vec::with_capacity(left.len().min(right.len()));
    for candidate in candidates {
        if !chosen.iter().any(|pair| pair.left == candidate.left || pair.right == candidate.right) {
            chosen.push(candidate);
        }
    }
    chosen
}

fn settle_group(pairing: &mut Pairing, pairs: &[Pair], sides: &[Vec<u32>; 2], scorer: &dyn PairScorer) {
    pairing.pairs.extend_from_slice(pairs);
    let own_side = |pair: &Pair, side: usize| if side == 0 { pair.left } else { pair.right };
    for (side, records) in sides.iter().enumerate() {
        for record in records {
            if pairs.iter().any(|pair| own_side(pair, side) == *record) {
                continue;
            }
            let nearest = pairs.iter().take(MOST_SCORED).map(|pair| own_side(pair, side));
            let nearest = nearest.max_by_key(|other| (scorer.weight(*record, *other), std::cmp::Reverse(*other)));
            if let Some(nearest) = nearest {
                pairing.fates[*record as usize] = Fate::Duplicate(nearest);
            }
        }
    }
}
