//! Columns of texts, and of lists of texts: all substrings in one pass, all constants at one look.
use std::collections::HashMap;

use arrow_array::Array;
use arrow_buffer::ArrowNativeType;

use super::Group;
use super::exact::{Exact, ExactBuilder, KEPT};
use super::planes::{Planes, write_bits};
use crate::bits::{self, words_for};
use crate::column::{Column, Texts};
use crate::constant::Constant;
use crate::expr::Comparison;
use crate::graph::{Graph, Node, NodeId, Op};
use crate::pattern::Pattern;
use crate::program::SignalId;
use crate::substrings::{Hits, Substrings};

/// How a column of texts, or of lists of texts, is searched.
#[derive(Debug)]
pub(crate) struct TextPlan {
    /// The substrings, and which question each of them answers.
    substrings: Option<(Substrings, Vec<usize>)>,
    /// The constants, with the questions that each of them answers: as masks, and as planes.
    exact: Option<(Exact, Vec<u64>, Planes)>,
    questions: usize,
    /// What each signal of the group says of the answers.
    derived: Vec<Derived>,
}

/// A signal in terms of the questions.
#[derive(Debug, Clone, Copy)]
enum Derived {
    Yes(usize),
    /// The complement, within the rows that are not null.
    No(usize),
    /// The complement among all rows: of what is false, not unknown, for null.
    NoOrNull(usize),
    Null(bool),
}

/// Buffers kept from block to block.
#[derive(Debug, Default)]
pub(crate) struct TextScratch {
    offsets: Vec<usize>,
    bytes: Vec<u8>,
    hits: Hits,
    classes: Vec<u32>,
    /// Per item the questions that it answers, where they are few.
    masks: Vec<u8>,
    answers: Vec<Vec<u64>>,
}

impl TextPlan {
    /// For substrings, equality with constants and null; `None` if a signal is anything else.
    pub(crate) fn new(graph: &Graph, group: &Group, items: bool) -> Option<Self> {
        let mut plan = Planner::default();
        let mut derived = Vec::with_capacity(group.signals.len());
        for (_, node, truth) in &group.signals {
            let Node { op, children, .. } = graph.node(*node);
            let child = |at: usize| &graph.node(children[at]).op;
            // What is made of the text first cannot be read off the text itself.
            if !items && !children.is_empty() && !matches!(child(0), Op::Input(_)) {
                return None;
            }
            if matches!(op, Op::IsNull) && matches!(child(0), Op::Input(_)) {
                derived.push(Derived::Null(*truth));
                continue;
            }
            let question = match plan.known.get(node) {
                Some(question) => *question,
                None => plan.question(graph, *node, items)?,
            };
            derived.push(match op {
                _ if *truth => Derived::Yes(question),
                Op::Any { sql_nulls: true, .. } => Derived::NoOrNull(question),
                _ => Derived::No(question),
            });
        }
        let needles: Vec<(&str, bool)> = plan.needles.iter().map(|(needle, insensitive, _)| (needle.as_str(), *insensitive)).collect();
        let substrings = if needles.is_empty() {
            None
        } else {
            Some((Substrings::new(&needles)?, plan.needles.iter().map(|(.., question)| *question).collect()))
        };
        let questions = plan.known.len();
        let exact = plan.exact.build().map(|(exact, masks)| {
            let planes = Planes::new(&masks, questions);
            (exact, masks, planes)
        });
        Some(Self { substrings, exact, questions, derived })
    }

    /// Fills the bits of the group's signals for a block of a column of texts; `valid` has the rows that are not null.
    pub(crate) fn texts(
        &self,
        group: &Group,
        texts: &Texts,
        (offset, rows): (usize, usize),
        valid: Option<&[u64]>,
        scratch: &mut TextScratch,
        all: &mut [Vec<u64>],
    ) {
        let TextScratch { offsets, bytes, hits, answers, .. } = scratch;
        let data = contiguous(texts, offset, rows, offsets, bytes);
        self.clear(answers, rows);
        if let Some((exact, _, planes)) = &self.exact {
            let numbers: Vec<SignalId> = (0..self.questions as SignalId).collect();
            for (word, bounds) in chunks_of_64(offsets).enumerate() {
                let mut classes = [0u32; 64];
                exact.find_each(data, bounds, |row, class| classes[row & 63] = class);
                planes.write(&classes, bounds.len() - 1, word, &numbers, answers);
            }
        }
        if let Some((substrings, questions)) = &self.substrings {
            substrings.scan(data, offsets, hits, |row, found| {
                let mut rest = found;
                while rest != 0 {
                    bits::set_bit(&mut answers[questions[rest.trailing_zeros() as usize]], row);
                    rest &= rest - 1;
                }
            });
        }
        self.derive(group, rows, valid, answers, all);
    }

    /// The same for lists of texts: a row has what any of its items has.
    pub(crate) fn items(
        &self,
        group: &Group,
        items: &Column,
        bounds: &[i32],
        valid: Option<&[u64]>,
        scratch: &mut TextScratch,
        all: &mut [Vec<u64>],
    ) {
        let TextScratch { offsets, bytes, classes, masks: few, answers, .. } = scratch;
        let rows = bounds.len() - 1;
        let (first, last) = (bounds[0] as usize, bounds[rows] as usize);
        self.clear(answers, rows);
        if let Some((exact, masks, _)) = self.exact.as_ref().filter(|_| self.questions <= 8) {
            let mask = |class: u32| masks.get(class as usize).map_or(0, |mask| *mask as u8);
            few.clear();
            match items {
                Column::Text(texts) => {
                    let data = contiguous(texts, first, last - first, offsets, bytes);
                    few.resize(last - first, 0);
                    let few = few.as_mut_slice();
                    exact.find_each(data, offsets, |item, class| few[item] = mask(class));
                }
                Column::Dictionary { keys, values, .. } => {
                    let data = contiguous(values, 0, values.len(), offsets, bytes);
                    let of_value: Vec<u8> = offsets.windows(2).map(|pair| mask(exact.find(data, pair[0], pair[1]))).collect();
                    few.extend(keys[first..last].iter().map(|key| of_value.get(*key as usize).copied().unwrap_or_default()));
                }
                _ => few.resize(last - first, 0),
            }
            self.fold_few(few, bounds, answers);
            self.derive(group, rows, valid, answers, all);
            return;
        }
        classes.clear();
        if let (Some((exact, masks, _)), Column::Text(texts)) = (&self.exact, items) {
            let data = contiguous(texts, first, last - first, offsets, bytes);
            classes.extend(offsets.windows(2).map(|pair| exact.find(data, pair[0], pair[1])));
            self.fold_items(classes, masks, bounds, answers);
        }
        if let (Some((exact, masks, _)), Column::Dictionary { keys, values, .. }) = (&self.exact, items) {
            // Each distinct item is looked up once.
            let data = contiguous(values, 0, values.len(), offsets, bytes);
            let of_value: Vec<u32> = offsets.windows(2).map(|pair| exact.find(data, pair[0], pair[1])).collect();
            classes.extend(keys[first..last].iter().map(|key| of_value.get(*key as usize).copied().unwrap_or_default()));
            self.fold_items(classes, masks, bounds, answers);
        }
        self.derive(group, rows, valid, answers, all);
    }

    /// Rows as the union of their items, each of which answers eight questions at most.
    fn fold_few(&self, items: &mut Vec<u8>, bounds: &[i32], answers: &mut [Vec<u64>]) {
        let numbers: Vec<SignalId> = (0..self.questions as SignalId).collect();
        let first = bounds[0];
        // Eight items are one number, wherever they begin.
        items.resize(items.len() + 8, 0);
        for (word, chunk) in (0..bounds.len() - 1).step_by(64).enumerate() {
            let ends = &bounds[chunk..=(chunk + 64).min(bounds.len() - 1)];
            let mut found = [0u8; 64];
            for (found, pair) in found.iter_mut().zip(ends.windows(2)) {
                let (from, len) = ((pair[0] - first) as usize, (pair[1] - pair[0]) as usize);
                *found = match items.get(from..from + 8).and_then(|eight| eight.try_into().ok()) {
                    Some(eight) if len <= 8 => {
                        let eight = u64::from_le_bytes(eight) & KEPT[len];
                        let four = eight | eight >> 32;
                        let two = four | four >> 16;
                        (two | two >> 8) as u8
                    }
                    _ => items[from..from + len].iter().fold(0, |mask, item| mask | item),
                };
            }
            write_bits(&found, word, &numbers, answers);
        }
    }

    /// Rows as the union of their items.
    fn fold_items(&self, classes: &[u32], masks: &[u64], bounds: &[i32], answers: &mut [Vec<u64>]) {
        let numbers: Vec<SignalId> = (0..self.questions as SignalId).collect();
        let first = bounds[0];
        let item = |at: usize| masks[*classes.get(at).unwrap_or(&0) as usize];
        for (word, chunk) in (0..bounds.len() - 1).step_by(64).enumerate() {
            let ends = &bounds[chunk..=(chunk + 64).min(bounds.len() - 1)];
            let mut found = [0u64; 64];
            for (found, pair) in found.iter_mut().zip(ends.windows(2)) {
                let (from, len) = ((pair[0] - first) as usize, (pair[1] - pair[0]) as usize);
                if len <= 6 {
                    // Always six, so that no length has to be guessed; those beyond count for nothing.
                    *found = (0..6).fold(0, |mask, place| mask | if place < len { item(from + place) } else { 0 });
                } else {
                    *found = (from..from + len).fold(0, |mask, at| mask | item(at));
                }
            }
            for (plane, numbers) in numbers.chunks(8).enumerate() {
                let mut bytes = [0u8; 64];
                for (byte, found) in bytes.iter_mut().zip(&found) {
                    *byte = (found >> (plane * 8)) as u8;
                }
                write_bits(&bytes, word, numbers, answers);
            }
        }
    }

    fn clear(&self, answers: &mut Vec<Vec<u64>>, rows: usize) {
        answers.resize_with(self.questions.max(answers.len()), Vec::new);
        for words in answers.iter_mut() {
            words.clear();
            words.resize(words_for(rows), 0);
        }
    }

    fn derive(&self, group: &Group, rows: usize, valid: Option<&[u64]>, answers: &[Vec<u64>], all: &mut [Vec<u64>]) {
        let n_words = words_for(rows);
        let known = |word: usize| valid.map_or(u64::MAX, |valid| valid[word]);
        for ((signal, ..), derived) in group.signals.iter().zip(&self.derived) {
            let words = &mut all[*signal as usize];
            words.clear();
            match *derived {
                // Null texts were read as whatever lies there.
                Derived::Yes(question) => words.extend(answers[question].iter().enumerate().map(|(at, word)| word & known(at))),
                Derived::No(question) => words.extend(answers[question].iter().enumerate().map(|(at, word)| !word & known(at))),
                Derived::NoOrNull(question) => words.extend(answers[question].iter().enumerate().map(|(at, word)| !(word & known(at)))),
                Derived::Null(true) => words.extend((0..n_words).map(|at| !known(at))),
                Derived::Null(false) => words.extend((0..n_words).map(known)),
            }
            bits::cut(words, rows);
        }
    }
}

/// What is asked of the texts, each question once.
#[derive(Default)]
struct Planner {
    known: HashMap<NodeId, usize>,
    needles: Vec<(String, bool, usize)>,
    exact: ExactBuilder,
}

impl Planner {
    fn question(&mut self, graph: &Graph, node: NodeId, items: bool) -> Option<usize> {
        let question = self.known.len();
        let Node { op, children, .. } = graph.node(node);
        let child = |at: usize| &graph.node(children[at]).op;
        match op {
            Op::Match(Pattern::Contains { needle, insensitive }) if !items => {
                self.needles.push((needle.clone(), *insensitive, question));
            }
            Op::Compare(Comparison::Equal) if !items => match (child(0), child(1)) {
                (Op::Input(_), Op::Constant(Constant::Text(text))) => self.exact.add(text, question),
                _ => return None,
            },
            Op::InSet(set) if !items => {
                for constant in set.iter() {
                    let Constant::Text(text) = constant else { return None };
                    self.exact.add(text, question);
                }
            }
            Op::Any { comparison: Comparison::Equal, .. } if items => match (child(0), child(1)) {
                (Op::Constant(Constant::Text(text)), Op::Input(_)) => self.exact.add(text, question),
                _ => return None,
            },
            _ => return None,
        }
        self.known.insert(node, question);
        Some(question)
    }
}

/// The bytes of some rows one after another, with where each begins and where the last ends.
fn contiguous<'a>(texts: &'a Texts, offset: usize, rows: usize, offsets: &mut Vec<usize>, bytes: &'a mut Vec<u8>) -> &'a [u8] {
    offsets.clear();
    match texts {
        Texts::Plain(array) => plain(array.value_data(), &array.value_offsets()[offset..=offset + rows], offsets),
        Texts::Large(array) => plain(array.value_data(), &array.value_offsets()[offset..=offset + rows], offsets),
        Texts::View(array) => {
            bytes.clear();
            for row in offset..offset + rows {
                offsets.push(bytes.len());
                if array.is_valid(row) {
                    bytes.extend_from_slice(array.value(row).as_bytes());
                }
            }
            offsets.push(bytes.len());
            bytes
        }
    }
}

fn plain<'a, O: ArrowNativeType>(data: &'a [u8], bounds: &[O], offsets: &mut Vec<usize>) -> &'a [u8] {
    let first = bounds[0].as_usize();
    offsets.extend(bounds.iter().map(|bound| bound.as_usize() - first));
    &data[first..first + offsets[offsets.len() - 1]]
}

/// The bounds of sixty-four rows at a time.
fn chunks_of_64(offsets: &[usize]) -> impl Iterator<Item = &[usize]> {
    let rows = offsets.len() - 1;
    (0..rows).step_by(64).map(move |row| &offsets[row..=(row + 64).min(rows)])
}
