//! Ordered columns: the values at which what holds changes.
use super::{Group, table};
use crate::column::Column;
use crate::constant::Constant;
use crate::graph::{Graph, Node, NodeId, Op};
use crate::kernels::as_int;
use crate::lookup::planes::Planes;
use crate::program::Program;

/// Where an ordered column's values change what holds.
#[derive(Debug)]
pub(crate) struct Cuts {
    /// Class `k` holds the keys from `cuts[k - 1]` on and below `cuts[k]`; padded to a power of two less one.
    cuts: Vec<i64>,
    /// How many of them count.
    len: usize,
    pub(crate) planes: Planes,
}

impl Cuts {
    /// For conditions made of comparisons of the input with constants; `None` where a condition does anything else with it.
    pub(crate) fn new(program: &Program, group: &Group) -> Option<Self> {
        let graph = &program.graph;
        let mut keys = Vec::new();
        for (_, node, _) in &group.signals {
            collect_keys(graph, *node, &mut keys)?;
        }
        let mut cuts: Vec<i64> = keys.iter().flat_map(|key| [Some(*key), key.checked_add(1)]).flatten().collect();
        cuts.sort_unstable();
        cuts.dedup();
        let float = graph.inputs()[group.input as usize].1 == crate::schema::Type::Float;
        let mut samples: Vec<i64> = vec![cuts.first().map_or(0, |first| first.saturating_sub(1))];
        samples.extend(&cuts);
        let column = if float {
            Column::Float(samples.iter().map(|key| key_float(*key)).collect(), None)
        } else {
            Column::Int64(samples.into(), None)
        };
        let masks = table(program, group, column);
        let (null, masks) = masks.split_last()?;
        let (mut kept, mut kept_masks) = (Vec::new(), vec![masks[0]]);
        for (cut, mask) in cuts.into_iter().zip(&masks[1..]) {
            if kept_masks.last() != Some(mask) {
                kept.push(cut);
                kept_masks.push(*mask);
            }
        }
        kept_masks.push(*null);
        let len = kept.len();
        kept.resize((len + 1).next_power_of_two() - 1, i64::MAX);
        Some(Self { cuts: kept, len, planes: Planes::new(&kept_masks, group.signals.len()) })
    }

    /// The key from which on everything changes, where there is just one.
    pub(crate) fn only(&self) -> Option<i64> {
        (self.len == 1).then(|| self.cuts[0])
    }

    /// The classes of some keys.
    #[inline]
    pub(crate) fn classify(&self, keys: impl Iterator<Item = i64>, classes: &mut [u32; 64]) {
        match self.cuts.len() {
            0 => classes.fill(0),
            1 => self.search::<1>(keys, classes),
            3 => self.search::<2>(keys, classes),
            7 => self.search::<3>(keys, classes),
            15 => self.search::<4>(keys, classes),
            31 => self.search::<5>(keys, classes),
            63 => self.search::<6>(keys, classes),
            127 => self.search::<7>(keys, classes),
            255 => self.search::<8>(keys, classes),
            _ => {
                for (class, key) in classes.iter_mut().zip(keys) {
                    *class = self.cuts[..self.len].partition_point(|cut| *cut <= key) as u32;
                }
            }
        }
    }

    /// A binary search of a fixed number of steps, without a branch that could be guessed wrong.
    #[inline]
    fn search<const STEPS: usize>(&self, keys: impl Iterator<Item = i64>, classes: &mut [u32; 64]) {
        let last = self.len as u32;
        for (class, key) in classes.iter_mut().zip(keys) {
            let mut place = 0;
            for step in (0..STEPS).rev() {
                let half = 1 << step;
                place += if self.cuts[place + half - 1] <= key { half } else { 0 };
            }
            // Only the padding lies beyond, and only the greatest key of all reaches it.
            *class = (place as u32).min(last);
        }
    }
}

/// The constants that a condition compares its input with, as ordered keys; `None` if it does anything else with the input.
fn collect_keys(graph: &Graph, node: NodeId, keys: &mut Vec<i64>) -> Option<()> {
    let Node { op, children, .. } = graph.node(node);
    let is_input = |node: NodeId| matches!(graph.node(node).op, Op::Input(_));
    match op {
        Op::And | Op::Or | Op::Not | Op::IsTrue => children.iter().try_for_each(|child| collect_keys(graph, *child, keys)),
        Op::Compare(_) | Op::NotDistinct => {
            for child in children {
                match &graph.node(*child).op {
                    Op::Input(_) => {}
                    Op::Constant(Constant::Null) => {}
                    Op::Constant(constant) => keys.push(key_of(constant)?),
                    _ => return None,
                }
            }
            Some(())
        }
        Op::InSet(set) if is_input(children[0]) => {
            for constant in set.iter() {
                keys.push(key_of(constant)?);
            }
            Some(())
        }
        Op::IsNull if is_input(children[0]) => Some(()),
        Op::Constant(_) => Some(()),
        _ => None,
    }
}

fn key_of(constant: &Constant) -> Option<i64> {
    match constant {
        Constant::Float(bits) => Some(float_key(f64::from_bits(*bits))),
        other => as_int(other),
    }
}

/// A whole number that orders as SQL orders floats: NaN above all, zeros equal.
#[inline]
pub(crate) fn float_key(value: f64) -> i64 {
    if value.is_nan() {
        return i64::MAX - 1;
    }
    let bits = (value + 0.0).to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

fn key_float(key: i64) -> f64 {
    if key > float_key(f64::INFINITY) {
        return f64::NAN;
    }
    // -1 would be the negative zero, which equals 0 and has its key: the next value below is meant.
    let key = if key == -1 { -2 } else { key };
    let value = f64::from_bits((key ^ ((key >> 63) as u64 >> 1) as i64) as u64);
    if value.is_nan() { f64::NEG_INFINITY } else { value }
}
