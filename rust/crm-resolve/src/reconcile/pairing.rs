//! Which left record is which right record.
use std::collections::BTreeMap;

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
    /// Per record a hash of what it says, 0 where it says nothing; may be empty. It tells rows apart where a key is shared by too many to score.
    pub content: Vec<u64>,
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
    /// Records of either side left alone because too many share their key and nothing else told which is whose.
    pub n_undecided: u64,
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
    let mut pairing = Pairing { pairs: Vec::new(), fates: vec![Fate::Only; labels.len()], groups, n_undecided: 0 };
    let choose = Choose { keys, key_values: &key_values, labels, scorer };
    for (number, members) in members_of(&pairing.groups).iter().enumerate() {
        if number.is_multiple_of(1_024) {
            control.check()?;
        }
        let (right, left): (Vec<u32>, Vec<u32>) = members.iter().copied().partition(|record| is_right[*record as usize]);
        if left.is_empty() || right.is_empty() {
            continue;
        }
        let (pairs, is_decided) = choose.group(&left, &right);
        pairing.pairs.extend_from_slice(&pairs);
        if is_decided {
            settle_duplicates(&mut pairing.fates, &pairs, &[left, right], scorer);
        } else {
            pairing.n_undecided += (members.len() - 2 * pairs.len()) as u64;
        }
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

/// What records may share: the number of a key, and a hash.
type Shared = (u8, u64);
type PartsOf<'a> = dyn Fn(u32) -> Vec<Shared> + 'a;
/// Left and right records.
type Sides = (Vec<u32>, Vec<u32>);

/// Chooses pairs within a group.
struct Choose<'a> {
    keys: &'a KeyValues,
    key_values: &'a HashMap<u32, Vec<u64>>,
    labels: &'a [u32],
    scorer: &'a dyn PairScorer,
}

impl Choose<'_> {
    /// The pairs of a group, and whether nothing had to be left open.
    fn group(&self, left: &[u32], right: &[u32]) -> (Vec<Pair>, bool) {
        if left.len() * right.len() <= MOST_SCORED { (self.strongest(left, right), true) } else { self.by_parts(left, right) }
    }

    /// One to one: shared keys first, then the strongest.
    fn strongest(&self, left: &[u32], right: &[u32]) -> Vec<Pair> {
        let mut candidates: Vec<Pair> = left.iter().flat_map(|left| right.iter().map(|right| self.pair(*left, *right))).collect();
        candidates.retain(|pair| !self.keys.different.contains(&(pair.left, pair.right)));
        candidates.sort_unstable_by_key(|pair| (pair.key.unwrap_or(u8::MAX), std::cmp::Reverse(pair.weight), pair.left, pair.right));
        let mut taken: HashSet<u32> = HashSet::new();
        candidates.retain(|pair| {
            let is_open = !taken.contains(&pair.left) && !taken.contains(&pair.right);
            if is_open {
                taken.extend([pair.left, pair.right]);
            }
            is_open
        });
        candidates
    }

    /// A group too large to score each with each: first what shares a key that few share, then what says the same, then what is one cluster. What
    /// is left is scored if that has become possible, and else stays open: no order of rows may decide.
    fn by_parts(&self, left: &[u32], right: &[u32]) -> (Vec<Pair>, bool) {
        let mut chosen = Chosen { pairs: Vec::new(), taken: HashSet::new() };
        let values = |record: u32| -> Vec<Shared> {
            let values = self.key_values.get(&record).map_or(&[][..], Vec::as_slice);
            values.iter().filter_map(|value| Some((*self.keys.key_of.get(value)?, *value))).collect()
        };
        let content = |record: u32| -> Vec<Shared> {
            self.keys.content.get(record as usize).filter(|content| **content != 0).map(|content| (0, *content)).into_iter().collect()
        };
        let label = |record: u32| vec![(0, u64::from(self.labels[record as usize]))];
        let steps: [(&PartsOf<'_>, bool); 3] = [(&values, false), (&content, true), (&label, false)];
        for (part_of, says_the_same) in steps {
            for (left, right) in parts(left, right, part_of) {
                let (left, right) = (chosen.open(&left), chosen.open(&right));
                if left.len() * right.len() <= MOST_SCORED {
                    chosen.add(self.strongest(&left, &right));
                } else if says_the_same {
                    // Whichever of equal rows it is makes no difference.
                    let equal = left.iter().zip(&right).filter(|(left, right)| !self.keys.different.contains(&(**left, **right)));
                    chosen.add(equal.map(|(left, right)| self.pair(*left, *right)).collect());
                }
            }
        }
        let (left, right) = (chosen.open(left), chosen.open(right));
        let is_decided = left.len() * right.len() <= MOST_SCORED;
        if is_decided {
            chosen.add(self.strongest(&left, &right));
        }
        (chosen.pairs, is_decided)
    }

    fn pair(&self, left: u32, right: u32) -> Pair {
        Pair { left, right, weight: self.scorer.weight(left, right), key: self.shared_key(left, right) }
    }

    fn shared_key(&self, left: u32, right: u32) -> Option<u8> {
        let (left, right) = (self.key_values.get(&left)?, self.key_values.get(&right)?);
        left.iter().filter(|value| right.contains(value)).filter_map(|value| self.keys.key_of.get(value).copied()).min()
    }
}

/// Pairs chosen so far in a large group.
struct Chosen {
    pairs: Vec<Pair>,
    taken: HashSet<u32>,
}

impl Chosen {
    fn open(&self, records: &[u32]) -> Vec<u32> {
        records.iter().copied().filter(|record| !self.taken.contains(record)).collect()
    }

    fn add(&mut self, pairs: Vec<Pair>) {
        self.taken.extend(pairs.iter().flat_map(|pair| [pair.left, pair.right]));
        self.pairs.extend(pairs);
    }
}

/// The records of both sides that share a part, parts in an order that does not depend on that of the records.
fn parts(left: &[u32], right: &[u32], parts_of: &PartsOf<'_>) -> impl Iterator<Item = Sides> {
    let mut parts: BTreeMap<Shared, Sides> = BTreeMap::new();
    for record in left {
        parts_of(*record).into_iter().for_each(|part| parts.entry(part).or_default().0.push(*record));
    }
    for record in right {
        parts_of(*record).into_iter().for_each(|part| parts.entry(part).or_default().1.push(*record));
    }
    parts.into_values().filter(|(left, right)| !left.is_empty() && !right.is_empty())
}

/// What is left over on a side of a group is a duplicate of the paired record of its side that it is most like.
fn settle_duplicates(fates: &mut [Fate], pairs: &[Pair], sides: &[Vec<u32>; 2], scorer: &dyn PairScorer) {
    let own_side = |pair: &Pair, side: usize| if side == 0 { pair.left } else { pair.right };
    for (side, records) in sides.iter().enumerate() {
        let paired: HashSet<u32> = pairs.iter().map(|pair| own_side(pair, side)).collect();
        let n_over = records.len() - paired.len();
        // A bound on the work where many are left over, as in a group of one row here and a hundred thousand there.
        let n_asked = (MOST_SCORED * 64 / n_over.max(1)).clamp(1, MOST_SCORED);
        for record in records.iter().filter(|record| !paired.contains(*record)) {
            let nearest = pairs.iter().take(n_asked).map(|pair| own_side(pair, side));
            let nearest = nearest.max_by_key(|other| (scorer.weight(*record, *other), std::cmp::Reverse(*other)));
            if let Some(nearest) = nearest {
                fates[*record as usize] = Fate::Duplicate(nearest);
            }
        }
    }
}
