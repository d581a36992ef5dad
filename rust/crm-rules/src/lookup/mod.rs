//! Conditions on one column, all at once: each row's value becomes the number of a class, and what holds for each class was found out before.
//!
//! - a dictionary's class is the number of its text ([`planes`]),
//! - a narrow range of whole numbers or days has a class per number,
//! - other ordered columns have a class between each two constants that they are compared with ([`cuts`]),
//! - texts have a class per constant, and substrings are found by one automaton ([`texts`], [`exact`]).
mod cuts;
mod exact;
mod planes;
mod texts;

use std::sync::{Arc, OnceLock};

use arrow_array::Array;
use arrow_buffer::NullBuffer;

use self::cuts::{Cuts, float_key};
use self::planes::Planes;
use self::texts::{TextPlan, TextScratch};
use crate::bits::{self, words_for};
use crate::column::{Batch, Column, Texts};
use crate::evaluate::alone;
use crate::graph::NodeId;
use crate::program::{Program, SignalId};

/// Signals that are functions of one input, at most 64.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) input: u32,
    pub(crate) signals: Vec<(SignalId, NodeId, bool)>,
    /// How its texts are searched: made when first needed, for all threads.
    pub(crate) plan: OnceLock<Option<Arc<TextPlan>>>,
}

/// How a group reads its column, and the tables it has built so far.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    kind: Option<Kind>,
    dictionary: Option<(Texts, Planes)>,
    range: Option<(i64, Planes)>,
    /// The column's numbers were too far apart for a table once: they are not looked through again.
    is_wide: bool,
    cuts: Option<Option<Cuts>>,
    texts: Option<Option<Arc<TextPlan>>>,
    scratch: TextScratch,
    valid: Vec<u64>,
    ids: Vec<SignalId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dictionary,
    Range,
    Cuts,
    Texts,
    Items,
}

/// Widest span of whole numbers or days that gets a table.
const MAX_RANGE: i64 = 1 << 16;

impl Lookup {
    /// Decides how the group reads this batch's column; `false` if it cannot, and each signal goes by itself.
    pub(crate) fn prepare(&mut self, program: &Program, group: &Group, batch: &Batch) -> bool {
        let column = &batch.columns[group.input as usize];
        self.ids.clear();
        self.ids.extend(group.signals.iter().map(|(signal, ..)| *signal));
        self.kind = match column {
            Column::Dictionary { values, .. } if values.len() <= batch.rows.max(1_024) => {
                if !self.dictionary.as_ref().is_some_and(|(texts, _)| same_texts(texts, values)) {
                    let masks = table(program, group, Column::Text(Texts::clone(values)));
                    self.dictionary = Some((Texts::clone(values), Planes::new(&masks, group.signals.len())));
                }
                Some(Kind::Dictionary)
            }
            Column::Int32(values, _) => self.ranged(program, group, &values[..], batch.rows),
            Column::Int64(values, _) => self.ranged(program, group, &values[..], batch.rows),
            Column::Float(..) => self.cut(program, group),
            Column::Text(_) => self.text(program, group, false).then_some(Kind::Texts),
            Column::List { items, .. }
                if matches!(items.as_ref(), Column::Text(_) | Column::Dictionary { .. })
                    && items.nulls().is_none_or(|nulls| nulls.null_count() == 0) =>
            {
                self.text(program, group, true).then_some(Kind::Items)
            }
            _ => None,
        };
        self.kind.is_some()
    }

    /// Null rows hold arbitrary values, usually zero, so they may widen the range; then cuts serve.
    fn ranged<T: Copy + Into<i64>>(&mut self, program: &Program, group: &Group, values: &[T], rows: usize) -> Option<Kind> {
        let mut span = (!self.is_wide).then_some((i64::MAX, i64::MIN));
        for part in values.chunks(4_096) {
            let Some((least, greatest)) = span else { break };
            let (mut low, mut high) = (least, greatest);
            for value in part {
                let value: i64 = (*value).into();
                low = low.min(value);
                high = high.max(value);
            }
            span = high.checked_sub(low).filter(|span| *span < MAX_RANGE).map(|_| (low, high));
        }
        let span = span.map(|(low, high)| if low > high { (0, 0) } else { (low, high) });
        let Some((mut least, mut greatest)) = span else {
            self.is_wide = true;
            return self.cut(program, group);
        };
        if let Some((base, planes)) = &self.range {
            let last = base + planes.classes() as i64 - 2;
            if *base <= least && greatest <= last {
                return Some(Kind::Range);
            }
            let (low, high) = (least.min(*base), greatest.max(last));
            if high.checked_sub(low).is_some_and(|span| span < MAX_RANGE) {
                (least, greatest) = (low, high);
            }
        }
        let span = greatest - least;
        if span >= MAX_RANGE || (span >= rows as i64 * 4 && span >= 4_096) {
            return self.cut(program, group);
        }
        let values: Vec<i64> = (least..=greatest).collect();
        let masks = table(program, group, Column::Int64(values.into(), None));
        self.range = Some((least, Planes::new(&masks, group.signals.len())));
        Some(Kind::Range)
    }

    fn cut(&mut self, program: &Program, group: &Group) -> Option<Kind> {
        self.cuts.get_or_insert_with(|| Cuts::new(program, group)).is_some().then_some(Kind::Cuts)
    }

    fn text(&mut self, program: &Program, group: &Group, items: bool) -> bool {
        let made = || group.plan.get_or_init(|| TextPlan::new(&program.graph, group, items).map(Arc::new)).clone();
        self.texts.get_or_insert_with(made).is_some()
    }

    /// Fills the bits of all the group's signals for a block.
    pub(crate) fn block(&mut self, group: &Group, batch: &Batch, offset: usize, rows: usize, all: &mut [Vec<u64>]) {
        let column = &batch.columns[group.input as usize];
        let mut valid = std::mem::take(&mut self.valid);
        let known = valid_rows(column, offset, rows, &mut valid);
        match (self.kind, column) {
            (Some(Kind::Texts), Column::Text(texts)) => {
                if let Some(Some(plan)) = &self.texts {
                    plan.texts(group, texts, (offset, rows), known, &mut self.scratch, all);
                }
            }
            (Some(Kind::Items), Column::List { offsets, items, .. }) => {
                if let Some(Some(plan)) = &self.texts {
                    plan.items(group, items, &offsets[offset..=offset + rows], known, &mut self.scratch, all);
                }
            }
            (Some(kind), column) => self.classes(kind, column, (offset, rows), known, all),
            (None, _) => {}
        }
        self.valid = valid;
    }

    /// Columns whose values are numbers of classes, or become such.
    fn classes(&self, kind: Kind, column: &Column, (offset, rows): (usize, usize), valid: Option<&[u64]>, all: &mut [Vec<u64>]) {
        for signal in &self.ids {
            let words = &mut all[*signal as usize];
            words.clear();
            words.resize(words_for(rows), 0);
        }
        let spread = Spread { signals: &self.ids, offset, rows, valid };
        match (kind, column, &self.dictionary, &self.range, &self.cuts) {
            (Kind::Dictionary, Column::Dictionary { keys, .. }, Some((_, planes)), ..) if spread.is_narrow(planes) => {
                spread.narrow(planes, keys, all);
            }
            (Kind::Dictionary, Column::Dictionary { keys, .. }, Some((_, planes)), ..) => {
                let last = planes.null();
                spread.over(planes, all, |from, to, classes| {
                    for (class, key) in classes.iter_mut().zip(&keys[from..to]) {
                        *class = (*key as u32).min(last);
                    }
                });
            }
            (Kind::Range, Column::Int32(values, _), _, Some((base, planes)), _) => {
                let (base, last) = (*base as i32, planes.null());
                spread.over(planes, all, |from, to, classes| {
                    for (class, value) in classes.iter_mut().zip(&values[from..to]) {
                        *class = (value.wrapping_sub(base) as u32).min(last);
                    }
                });
            }
            (Kind::Range, Column::Int64(values, _), _, Some((base, planes)), _) => {
                let last = planes.null();
                spread.over(planes, all, |from, to, classes| {
                    for (class, value) in classes.iter_mut().zip(&values[from..to]) {
                        *class = (value.wrapping_sub(*base) as u64).min(u64::from(last)) as u32;
                    }
                });
            }
            (Kind::Cuts, Column::Int32(values, _), _, _, Some(Some(cuts))) if cuts.only().is_some() => {
                let cut = cuts.only().unwrap_or_default();
                spread.sides(&cuts.planes, all, &values[..], |value| i64::from(value) >= cut);
            }
            (Kind::Cuts, Column::Int64(values, _), _, _, Some(Some(cuts))) if cuts.only().is_some() => {
                let cut = cuts.only().unwrap_or_default();
                spread.sides(&cuts.planes, all, &values[..], |value| value >= cut);
            }
            (Kind::Cuts, Column::Int32(values, _), _, _, Some(Some(cuts))) => {
                spread.over(&cuts.planes, all, |from, to, classes| {
                    cuts.classify(values[from..to].iter().map(|value| i64::from(*value)), classes)
                });
            }
            (Kind::Cuts, Column::Int64(values, _), _, _, Some(Some(cuts))) => {
                spread.over(&cuts.planes, all, |from, to, classes| cuts.classify(values[from..to].iter().copied(), classes));
            }
            (Kind::Cuts, Column::Float(values, _), _, _, Some(Some(cuts))) => {
                spread.over(&cuts.planes, all, |from, to, classes| {
                    cuts.classify(values[from..to].iter().map(|value| float_key(*value)), classes)
                });
            }
            _ => {}
        }
    }
}

/// A block of rows whose classes are turned into bits.
struct Spread<'a> {
    signals: &'a [SignalId],
    offset: usize,
    rows: usize,
    valid: Option<&'a [u64]>,
}

impl Spread<'_> {
    /// Of which rows of a word something is known, and which are there at all.
    #[inline]
    fn known(&self, word: usize) -> (u64, u64) {
        let n_rows = (self.rows - word * 64).min(64);
        let rows = u64::MAX >> (64 - n_rows);
        (self.valid.map_or(rows, |valid| valid[word] & rows), rows)
    }

    /// Values on either side of one cut: one comparison serves all signals.
    #[inline]
    fn sides<T: Copy>(&self, planes: &Planes, all: &mut [Vec<u64>], values: &[T], is_above: impl Fn(T) -> bool) {
        let values = &values[self.offset..self.offset + self.rows];
        let above: Vec<u64> = values
            .chunks(64)
            .map(|values| values.iter().enumerate().fold(0, |bits, (row, value)| bits | u64::from(is_above(*value)) << row))
            .collect();
        for (place, signal) in self.signals.iter().enumerate() {
            let [low, high, null] = [0, 1, 2].map(|class| u64::from(planes.holds(class, place)).wrapping_neg());
            for (word, (slot, above)) in all[*signal as usize].iter_mut().zip(&above).enumerate() {
                let (known, rows) = self.known(word);
                *slot = known & (above & high | !above & low) | rows & !known & null;
            }
        }
    }

    /// Whether what holds of all classes fits one number for each of few signals.
    fn is_narrow(&self, planes: &Planes) -> bool {
        self.signals.len() <= 2 && planes.classes() <= 64
    }

    fn narrow(&self, planes: &Planes, keys: &[i32], all: &mut [Vec<u64>]) {
        let keys = &keys[self.offset..self.offset + self.rows];
        let null = planes.null() as usize;
        for (place, signal) in self.signals.iter().enumerate() {
            let classes = (0..null).fold(0, |classes, class| classes | u64::from(planes.holds(class, place)) << class);
            let of_null = u64::from(planes.holds(null, place)).wrapping_neg();
            for (word, (slot, keys)) in all[*signal as usize].iter_mut().zip(keys.chunks(64)).enumerate() {
                let bits = keys.iter().enumerate().fold(0, |bits, (row, key)| bits | (classes >> (key & 63) & 1) << row);
                let (known, rows) = self.known(word);
                *slot = known & bits | rows & !known & of_null;
            }
        }
    }

    #[inline]
    fn over(&self, planes: &Planes, all: &mut [Vec<u64>], classify: impl Fn(usize, usize, &mut [u32; 64])) {
        let null = planes.null();
        for word in 0..words_for(self.rows) {
            let n_rows = (self.rows - word * 64).min(64);
            let from = self.offset + word * 64;
            let mut classes = [0u32; 64];
            classify(from, from + n_rows, &mut classes);
            if let Some(valid) = self.valid
                && valid[word] != u64::MAX
            {
                for (row, class) in classes.iter_mut().enumerate() {
                    *class = if valid[word] >> row & 1 == 1 { *class } else { null };
                }
            }
            planes.write(&classes, n_rows, word, self.signals, all);
        }
    }
}

/// The rows of a block that are not null; `None` where all are.
fn valid_rows<'a>(column: &Column, offset: usize, rows: usize, words: &'a mut Vec<u64>) -> Option<&'a [u64]> {
    if let Column::Null(_) = column {
        words.clear();
        words.resize(words_for(rows), 0);
        return Some(words);
    }
    let nulls: &NullBuffer = column.nulls().filter(|nulls| nulls.null_count() > 0)?;
    bits::slice(nulls.inner(), offset, rows, words);
    Some(words)
}

/// What holds for each of the column's values, and, last, for null.
fn table(program: &Program, group: &Group, column: Column) -> Vec<u64> {
    let len = column.len();
    let mut masks = vec![0; len + 1];
    let mut fill = |column: &Column, from: usize| {
        let rows = column.len();
        for (place, words) in alone(program, group, column).iter().enumerate() {
            for row in 0..rows {
                masks[from + row] |= u64::from(bits::bit(words, row)) << place;
            }
        }
    };
    fill(&column, 0);
    fill(&Column::Null(1), len);
    masks
}

fn same_texts(a: &Texts, b: &Texts) -> bool {
    let place = |texts: &Texts| match texts {
        Texts::Plain(array) => (array.value_data().as_ptr() as usize, array.value_offsets().as_ptr() as usize, array.len(), array.offset()),
        Texts::Large(array) => (array.value_data().as_ptr() as usize, array.value_offsets().as_ptr() as usize, array.len(), array.offset()),
        Texts::View(array) => (array.views().as_ptr() as usize, 1, array.len(), array.offset()),
    };
    // The buffers of `a` are alive, so equal addresses mean the same buffers.
    place(a) == place(b)
}
