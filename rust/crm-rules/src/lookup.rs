//! Conditions on one column, all at once: each row's value becomes a number of which bit `s` says whether signal `s` holds, read off a table
//! of values or found by an automaton; then rows of numbers are turned into columns of bits.
use std::sync::{Arc, OnceLock};

use arrow_array::Array;

use crate::bits::{self, words_for};
use crate::column::{Batch, Column, Texts};
use crate::constant::Constant;
use crate::evaluate::alone;
use crate::expr::Comparison;
use crate::graph::{Graph, Node, NodeId, Op};
use crate::kernels::as_int;
use crate::pattern::Pattern;
use crate::program::{Program, SignalId};
use crate::substrings::Substrings;

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
    dictionary: Option<(Texts, Vec<u64>)>,
    range: Option<(i64, Vec<u64>)>,
    cuts: Option<Option<Cuts>>,
    texts: Option<Option<Arc<TextPlan>>>,
    masks: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dictionary,
    Range,
    Cuts,
    Texts,
    Items,
}

/// Where an ordered column's values change what holds.
#[derive(Debug)]
struct Cuts {
    /// Class `k` holds the keys from `cuts[k - 1]` on and below `cuts[k]`.
    cuts: Vec<i64>,
    masks: Vec<u64>,
    null: u64,
}

/// How a column of texts, or of lists of texts, is searched.
#[derive(Debug)]
pub(crate) struct TextPlan {
    substrings: Option<(Substrings, Vec<usize>)>,
    exact: Option<Exact>,
    /// Signals that say "it does not hold": the complement, within the rows that are not null.
    inverted: u64,
    /// The complement among all rows: of what is false, not unknown, for null.
    inverted_with_null: u64,
    /// Signals that are about null alone: which, and whether they hold where it is null.
    about_null: Vec<(usize, bool)>,
}

/// Constants by a hash without collisions: one look decides.
#[derive(Debug)]
struct Exact {
    multiplier: u64,
    shift: u32,
    slots: Vec<(u64, Box<[u8]>, u64)>,
}

/// Widest span of whole numbers or days that gets a table.
const MAX_RANGE: i64 = 1 << 16;

impl Lookup {
    /// Decides how the group reads this batch's column; `false` if it cannot, and each signal goes by itself.
    pub(crate) fn prepare(&mut self, program: &Program, group: &Group, batch: &Batch) -> bool {
        let column = &batch.columns[group.input as usize];
        self.kind = match column {
            Column::Dictionary { values, .. } if values.len() <= batch.rows.max(1_024) => {
                let known = self.dictionary.as_ref().is_some_and(|(texts, _)| same_texts(texts, values));
                if !known {
                    let masks = table(program, group, Column::Text(Texts::clone(values)));
                    self.dictionary = Some((Texts::clone(values), masks));
                }
                Some(Kind::Dictionary)
            }
            Column::Int32(values, _) => self.ranged(program, group, values.iter().map(|value| i64::from(*value)), batch.rows),
            Column::Int64(values, _) => self.ranged(program, group, values.iter().copied(), batch.rows),
            Column::Float(..) => self.cut(program, group),
            Column::Text(_) => self.text(program, group, false).then_some(Kind::Texts),
            Column::List { items, .. }
                if matches!(items.as_ref(), Column::Text(_)) && items.nulls().is_none_or(|nulls| nulls.null_count() == 0) =>
            {
                self.text(program, group, true).then_some(Kind::Items)
            }
            _ => None,
        };
        self.kind.is_some()
    }

    fn ranged(&mut self, program: &Program, group: &Group, values: impl Iterator<Item = i64>, rows: usize) -> Option<Kind> {
        // Null rows hold arbitrary values, usually zero, so they may widen the range; then cuts serve.
        let (mut least, mut greatest) = (i64::MAX, i64::MIN);
        for value in values {
            least = least.min(value);
            greatest = greatest.max(value);
        }
        if least > greatest {
            (least, greatest) = (0, 0);
        }
        if let Some((base, masks)) = &self.range {
            let (low, high) = (least.min(*base), greatest.max(base + masks.len() as i64 - 2));
            if *base <= least && greatest < base + masks.len() as i64 - 1 {
                return Some(Kind::Range);
            }
            if high.checked_sub(low).is_some_and(|span| span < MAX_RANGE) {
                (least, greatest) = (low, high);
            }
        }
        let span = greatest.checked_sub(least).filter(|span| *span < MAX_RANGE && (*span < rows as i64 * 4 || *span < 4_096));
        let Some(span) = span else { return self.cut(program, group) };
        let values: Vec<i64> = (least..=least + span).collect();
        self.range = Some((least, table(program, group, Column::Int64(values.into(), None))));
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
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
        let mut masks = std::mem::take(&mut self.masks);
        masks.clear();
        let mut inverted = 0;
        match (self.kind, column) {
            (Some(Kind::Dictionary), Column::Dictionary { keys, .. }) => {
                if let Some((_, table)) = &self.dictionary {
                    let last = table.len() - 1;
                    masks.extend(keys[offset..offset + rows].iter().map(|key| table[(*key as u32 as usize).min(last)]));
                    nulls_to(&mut masks, nulls, offset, table[last]);
                }
            }
            (Some(Kind::Range), Column::Int32(values, _)) => {
                if let Some((base, table)) = &self.range {
                    let last = table.len() - 1;
                    let base = *base as i32;
                    masks.extend(
                        values[offset..offset + rows].iter().map(|value| table[(value.wrapping_sub(base) as u32 as usize).min(last)]),
                    );
                    nulls_to(&mut masks, nulls, offset, table[last]);
                }
            }
            (Some(Kind::Range), Column::Int64(values, _)) => {
                if let Some((base, table)) = &self.range {
                    let last = table.len() - 1;
                    masks.extend(
                        values[offset..offset + rows].iter().map(|value| table[(value.wrapping_sub(*base) as u64 as usize).min(last)]),
                    );
                    nulls_to(&mut masks, nulls, offset, table[last]);
                }
            }
            (Some(Kind::Cuts), column) => {
                if let Some(Some(cuts)) = &self.cuts {
                    match column {
                        Column::Int32(values, _) => {
                            masks.extend(values[offset..offset + rows].iter().map(|value| cuts.mask(i64::from(*value))))
                        }
                        Column::Int64(values, _) => masks.extend(values[offset..offset + rows].iter().map(|value| cuts.mask(*value))),
                        Column::Float(values, _) => {
                            masks.extend(values[offset..offset + rows].iter().map(|value| cuts.mask(float_key(*value))))
                        }
                        _ => {}
                    }
                    nulls_to(&mut masks, nulls, offset, cuts.null);
                }
            }
            (Some(Kind::Texts), Column::Text(texts)) => {
                if let Some(Some(plan)) = &self.texts {
                    inverted = plan.inverted;
                    plan.search(texts, offset, rows, &mut masks);
                }
            }
            (Some(Kind::Items), Column::List { offsets, items, .. }) => {
                if let (Some(Some(plan)), Column::Text(texts)) = (&self.texts, items.as_ref()) {
                    inverted = plan.inverted;
                    plan.search_items(texts, &offsets[offset..=offset + rows], &mut masks);
                }
            }
            _ => {}
        }
        masks.resize(rows, 0);
        let text = matches!(self.kind, Some(Kind::Texts | Kind::Items));
        if text {
            // Null texts were read as whatever lies there.
            nulls_to(&mut masks, nulls, offset, 0);
        }
        transpose(&masks, group, all);
        self.masks = masks;
        if text {
            self.finish_texts(group, nulls, offset, rows, inverted, all);
        }
    }

    fn finish_texts(
        &self,
        group: &Group,
        nulls: Option<&arrow_buffer::NullBuffer>,
        offset: usize,
        rows: usize,
        inverted: u64,
        all: &mut [Vec<u64>],
    ) {
        let mut valid = Vec::new();
        match nulls {
            Some(nulls) => bits::slice(nulls.inner(), offset, rows, &mut valid),
            None => valid = bits::ones(rows),
        }
        for (place, (signal, ..)) in group.signals.iter().enumerate() {
            if inverted >> place & 1 == 1 {
                for (word, valid) in all[*signal as usize].iter_mut().zip(&valid) {
                    *word = !*word & valid;
                }
            }
        }
        let Some(Some(plan)) = &self.texts else { return };
        for (_, (signal, ..)) in group.signals.iter().enumerate().filter(|(place, _)| plan.inverted_with_null >> place & 1 == 1) {
            let words = &mut all[*signal as usize];
            words.iter_mut().for_each(|word| *word = !*word);
            bits::cut(words, rows);
        }
        for (place, when_null) in &plan.about_null {
            let words = &mut all[group.signals[*place].0 as usize];
            words.clear();
            words.extend(valid.iter().map(|valid| if *when_null { !valid } else { *valid }));
            bits::cut(words, rows);
        }
    }
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

/// Sets the mask of null rows.
#[inline]
fn nulls_to(masks: &mut [u64], nulls: Option<&arrow_buffer::NullBuffer>, offset: usize, null: u64) {
    let Some(nulls) = nulls else { return };
    let mut words = Vec::new();
    bits::slice(nulls.inner(), offset, masks.len(), &mut words);
    for (masks, word) in masks.chunks_mut(64).zip(&words) {
        if *word != u64::MAX {
            for (row, mask) in masks.iter_mut().enumerate() {
                // All ones where the row is valid.
                let valid = (word >> row & 1).wrapping_neg();
                *mask = *mask & valid | null & !valid;
            }
        }
    }
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

/// Turns rows of bits into columns of bits.
fn transpose(masks: &[u64], group: &Group, all: &mut [Vec<u64>]) {
    let rows = masks.len();
    let signals = group.signals.len();
    for (signal, ..) in &group.signals {
        let words = &mut all[*signal as usize];
        words.clear();
        words.resize(words_for(rows), 0);
    }
    let mut square = [0u64; 64];
    for (word, chunk) in masks.chunks(64).enumerate() {
        square[..chunk.len()].copy_from_slice(chunk);
        square[chunk.len()..].fill(0);
        if signals <= 16 {
            for byte in 0..signals.div_ceil(8) {
                let mut columns = [0u64; 8];
                for (part, eight) in square.chunks_exact(8).enumerate() {
                    let mut tile = 0;
                    for (row, mask) in eight.iter().enumerate() {
                        tile |= (mask >> (byte * 8) & 0xff) << (row * 8);
                    }
                    let turned = transpose8(tile);
                    for (column, bits) in columns.iter_mut().enumerate() {
                        *bits |= (turned >> (column * 8) & 0xff) << (part * 8);
                    }
                }
                for (column, bits) in columns.iter().enumerate() {
                    if let Some((signal, ..)) = group.signals.get(byte * 8 + column) {
                        all[*signal as usize][word] = *bits;
                    }
                }
            }
        } else {
            transpose64(&mut square);
            for (place, (signal, ..)) in group.signals.iter().enumerate() {
                all[*signal as usize][word] = square[place];
            }
        }
    }
}

/// Eight rows of eight bits, mirrored along the diagonal.
#[inline]
fn transpose8(x: u64) -> u64 {
    let t = (x ^ x >> 7) & 0x00aa_00aa_00aa_00aa;
    let x = x ^ t ^ t << 7;
    let t = (x ^ x >> 14) & 0x0000_cccc_0000_cccc;
    let x = x ^ t ^ t << 14;
    let t = (x ^ x >> 28) & 0x0000_0000_f0f0_f0f0;
    x ^ t ^ t << 28
}

/// Sixty-four rows of sixty-four bits, mirrored along the diagonal.
fn transpose64(square: &mut [u64; 64]) {
    let mut width = 32;
    let mut mask: u64 = 0x0000_0000_ffff_ffff;
    while width > 0 {
        let mut from = 0;
        while from < 64 {
            for row in from..from + width {
                let t = (square[row] >> width ^ square[row + width]) & mask;
                square[row] ^= t << width;
                square[row + width] ^= t;
            }
            from += width * 2;
        }
        width /= 2;
        mask ^= mask << width;
    }
}

impl Cuts {
    /// For conditions made of comparisons of the input with constants.
    fn new(program: &Program, group: &Group) -> Option<Self> {
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
        let mut masks = table(program, group, column);
        let null = masks.pop()?;
        let mut kept = Self { cuts: Vec::new(), masks: vec![masks[0]], null };
        for (cut, mask) in cuts.into_iter().zip(&masks[1..]) {
            if kept.masks.last() != Some(mask) {
                kept.cuts.push(cut);
                kept.masks.push(*mask);
            }
        }
        Some(kept)
    }

    #[inline]
    fn mask(&self, key: i64) -> u64 {
        if self.cuts.len() <= 10 {
            let class: usize = self.cuts.iter().map(|cut| usize::from(key >= *cut)).sum();
            return self.masks[class];
        }
        // A binary search without branches that guess.
        let (mut from, mut len) = (0, self.cuts.len());
        while len > 1 {
            let half = len / 2;
            from += usize::from(key >= self.cuts[from + half - 1]) * half;
            len -= half;
        }
        self.masks[from + usize::from(key >= self.cuts[from])]
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
fn float_key(value: f64) -> i64 {
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

impl TextPlan {
    /// For substrings, equality with constants and null; `None` if a signal is anything else.
    fn new(graph: &Graph, group: &Group, items: bool) -> Option<Self> {
        let mut needles = Vec::new();
        let mut places = Vec::new();
        let mut exact: Vec<(Arc<str>, u64)> = Vec::new();
        let mut add_exact = |text: &Arc<str>, place: usize| match exact.iter_mut().find(|(known, _)| known == text) {
            Some((_, mask)) => *mask |= 1 << place,
            None => exact.push((Arc::clone(text), 1 << place)),
        };
        let (mut inverted, mut inverted_with_null, mut about_null) = (0, 0, Vec::new());
        for (place, (_, node, truth)) in group.signals.iter().enumerate() {
            let Node { op, children, .. } = graph.node(*node);
            let child = |at: usize| &graph.node(children[at]).op;
            // What is made of the text first cannot be read off the text itself.
            if !items && !children.is_empty() && !matches!(child(0), Op::Input(_)) {
                return None;
            }
            match op {
                Op::IsNull if matches!(child(0), Op::Input(_)) => {
                    about_null.push((place, *truth));
                    continue;
                }
                Op::Match(Pattern::Contains { needle, insensitive }) if !items => {
                    needles.push((needle.as_str(), *insensitive));
                    places.push(place);
                }
                Op::Compare(Comparison::Equal) if !items => match (child(0), child(1)) {
                    (Op::Input(_), Op::Constant(Constant::Text(text))) => add_exact(text, place),
                    _ => return None,
                },
                Op::InSet(set) if !items => {
                    for constant in set.iter() {
                        let Constant::Text(text) = constant else { return None };
                        add_exact(text, place);
                    }
                }
                Op::Any { comparison: Comparison::Equal, .. } if items => match (child(0), child(1)) {
                    (Op::Constant(Constant::Text(text)), Op::Input(_)) => add_exact(text, place),
                    _ => return None,
                },
                _ => return None,
            }
            match op {
                _ if *truth => {}
                Op::Any { sql_nulls: true, .. } => inverted_with_null |= 1 << place,
                _ => inverted |= 1 << place,
            }
        }
        let substrings = if needles.is_empty() { None } else { Some((Substrings::new(&needles)?, places)) };
        let exact = if exact.is_empty() { None } else { Some(Exact::new(&exact)?) };
        Some(Self { substrings, exact, inverted, inverted_with_null, about_null })
    }

    fn search(&self, texts: &Texts, offset: usize, rows: usize, masks: &mut Vec<u64>) {
        masks.resize(rows, 0);
        if let Some((substrings, places)) = &self.substrings {
            let spread = |found: u64| {
                if found == 0 { 0 } else { places.iter().enumerate().fold(0, |mask, (bit, place)| mask | (found >> bit & 1) << place) }
            };
            let straight = places.iter().enumerate().all(|(bit, place)| bit == *place);
            let mut set = |row: usize, found: u64| masks[row] = if straight { found } else { spread(found) };
            let bytes = |row: usize| texts.value(offset + row).as_bytes();
            let fours = rows / 4 * 4;
            for row in (0..fours).step_by(4) {
                let found = substrings.find4([bytes(row), bytes(row + 1), bytes(row + 2), bytes(row + 3)]);
                for (more, found) in found.into_iter().enumerate() {
                    set(row + more, found);
                }
            }
            for row in fours..rows {
                set(row, substrings.find(bytes(row)));
            }
        }
        if let Some(exact) = &self.exact {
            for (row, mask) in masks.iter_mut().enumerate() {
                *mask |= exact.find(texts.value(offset + row).as_bytes());
            }
        }
    }

    fn search_items(&self, texts: &Texts, offsets: &[i32], masks: &mut Vec<u64>) {
        let Some(exact) = &self.exact else { return };
        masks.extend(
            offsets
                .windows(2)
                .map(|pair| (pair[0] as usize..pair[1] as usize).fold(0, |mask, item| mask | exact.find(texts.value(item).as_bytes()))),
        );
    }
}

impl Exact {
    fn new(texts: &[(Arc<str>, u64)]) -> Option<Self> {
        if texts.len() > 2_000 {
            return None;
        }
        let size = (texts.len() * 4).next_power_of_two().max(16);
        for power in 0..6 {
            let size = size << power;
            let shift = 64 - size.trailing_zeros();
            'seeds: for seed in 0..64u64 {
                let multiplier = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed * 2 + 1);
                let mut slots: Vec<(u64, Box<[u8]>, u64)> = vec![(0, Box::default(), 0); size];
                for (text, mask) in texts {
                    let key = head(text.as_bytes());
                    let slot = &mut slots[(key.wrapping_mul(multiplier) >> shift) as usize];
                    if slot.2 != 0 {
                        continue 'seeds;
                    }
                    *slot = (key, text.as_bytes().into(), *mask);
                }
                return Some(Self { multiplier, shift, slots });
            }
        }
        // Texts that begin alike and are of one length cannot be told apart by their heads.
        None
    }

    #[inline]
    fn find(&self, text: &[u8]) -> u64 {
        let key = head(text);
        let (known, whole, mask) = &self.slots[(key.wrapping_mul(self.multiplier) >> self.shift) as usize];
        if *known == key && *mask != 0 && whole.as_ref() == text { *mask } else { 0 }
    }
}

/// The first bytes and the length in one number.
#[inline]
fn head(text: &[u8]) -> u64 {
    let len = text.len();
    let start = if len >= 8 {
        u64::from_le_bytes([text[0], text[1], text[2], text[3], text[4], text[5], text[6], text[7]])
    } else if len >= 4 {
        let low = u32::from_le_bytes([text[0], text[1], text[2], text[3]]);
        let high = u32::from_le_bytes([text[len - 4], text[len - 3], text[len - 2], text[len - 1]]);
        u64::from(low) | u64::from(high) << ((len - 4) * 8)
    } else {
        text.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    };
    start ^ (len as u64) << 56
}
