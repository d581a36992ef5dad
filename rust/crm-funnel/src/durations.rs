//! Exact quantiles of durations that fall into cells (a group and a step), for many breakdowns at once.
//!
//! A duration and what it belongs to share one word. The words are sorted by duration once; after that one sweep per breakdown
//! finds all its quantiles, because each cell's durations come by in ascending order and the wanted one is the n-th.

/// Bits of a digit when words are sorted.
const DIGIT_BITS: u32 = 11;

/// Cells of which something stays in a near cache together, as a power of two: more are swept in parts of so many.
const NEAR_CELLS_SHIFT: u32 = 12;

/// Durations in ticks, each with a mark of up to 64 bits that says what it belongs to.
#[derive(Debug, Clone)]
pub struct Durations {
    mark_bits: u32,
    value_bits: u32,
    words: Words,
}

/// `duration << mark_bits | mark`: a list, and others that were appended, which are not copied before they are sorted.
#[derive(Debug, Clone)]
enum Words {
    Narrow(Vec<u64>, Vec<Vec<u64>>),
    Wide(Vec<u128>, Vec<Vec<u128>>),
}

/// Per cell: how many durations, their median, 90 % quantile and sum, in ticks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CellDurations {
    /// How many.
    pub count: Vec<u64>,
    /// The median, `NaN` without durations.
    pub median: Vec<f64>,
    /// The 90 % quantile, `NaN` without durations.
    pub p90: Vec<f64>,
    /// The sum.
    pub sum: Vec<u128>,
    /// How many lie below each edge, `[n_cells, edges + 1]`, the last for the rest; empty without edges.
    pub histogram: Vec<u64>,
}

impl CellDurations {
    fn append(&mut self, mut more: Self) {
        self.count.append(&mut more.count);
        self.median.append(&mut more.median);
        self.p90.append(&mut more.p90);
        self.sum.append(&mut more.sum);
        self.histogram.append(&mut more.histogram);
    }
}

impl Durations {
    /// For marks of some bits and durations up to `greatest`.
    pub fn new(mark_bits: u32, greatest: u64) -> Self {
        let value_bits = 64 - greatest.leading_zeros();
        let narrow = mark_bits < 64 && mark_bits + value_bits <= 64;
        let words = if narrow { Words::Narrow(Vec::new(), Vec::new()) } else { Words::Wide(Vec::new(), Vec::new()) };
        Self { mark_bits, value_bits, words }
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, n: usize) {
        match &mut self.words {
            Words::Narrow(words, _) => words.reserve(n),
            Words::Wide(words, _) => words.reserve(n),
        }
    }

    /// Adds one.
    #[inline(always)]
    pub fn push(&mut self, mark: u64, duration: u64) {
        match &mut self.words {
            Words::Narrow(words, _) => words.push(duration << self.mark_bits | mark),
            Words::Wide(words, _) => words.push(u128::from(duration) << self.mark_bits | u128::from(mark)),
        }
    }

    /// Adds those of another with marks of the same bits.
    pub fn append(&mut self, other: &mut Self) {
        self.append_scaled(other, 1);
    }

    /// Adds those of another with marks of the same bits, whose tick is `scale` of these.
    pub fn append_scaled(&mut self, other: &mut Self, scale: u64) {
        let marks = other.mark_bits;
        match (&mut self.words, &mut other.words) {
            (Words::Narrow(_, lists), Words::Narrow(more, others)) if scale == 1 => {
                lists.push(std::mem::take(more));
                lists.append(others);
            }
            (Words::Wide(_, lists), Words::Wide(more, others)) if scale == 1 => {
                lists.push(std::mem::take(more));
                lists.append(others);
            }
            (_, Words::Narrow(more, others)) => {
                let words = more.iter().chain(others.iter().flatten());
                words.for_each(|&word| self.push(word.mark(marks), word.value(marks) * scale));
            }
            (_, Words::Wide(more, others)) => {
                let words = more.iter().chain(others.iter().flatten());
                words.for_each(|&word| self.push(word.mark(marks), word.value(marks) * scale));
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.words {
            Words::Narrow(words, lists) => words.len() + lists.iter().map(Vec::len).sum::<usize>(),
            Words::Wide(words, lists) => words.len() + lists.iter().map(Vec::len).sum::<usize>(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Brings them into ascending order.
    pub fn sort(self) -> SortedDurations {
        let (mark_bits, value_bits) = (self.mark_bits, self.value_bits);
        let words = match self.words {
            Words::Narrow(words, lists) => SortedWords::Narrow(sort(words, lists, mark_bits, value_bits)),
            Words::Wide(words, lists) => SortedWords::Wide(sort(words, lists, mark_bits, value_bits)),
        };
        SortedDurations { mark_bits, value_bits, words }
    }
}

/// [`Durations`] in ascending order.
#[derive(Debug, Clone)]
pub struct SortedDurations {
    mark_bits: u32,
    value_bits: u32,
    words: SortedWords,
}

#[derive(Debug, Clone)]
enum SortedWords {
    Narrow(Vec<u64>),
    Wide(Vec<u128>),
}

impl SortedDurations {
    /// The quantiles of each of `n_cells` cells; `cell_of` says to which a mark belongs. `edges` ascend.
    pub fn per_cell(&self, n_cells: usize, edges: &[u64], cell_of: impl Fn(u64) -> usize) -> CellDurations {
        match &self.words {
            SortedWords::Narrow(words)
                if n_cells > 4 << NEAR_CELLS_SHIFT && self.value_bits + NEAR_CELLS_SHIFT <= 64 && edges.is_empty() =>
            {
                sweep_parts(words, self.mark_bits, self.value_bits, n_cells, cell_of)
            }
            SortedWords::Narrow(words) => {
                let counts = counts(words, self.mark_bits, n_cells, &cell_of);
                sweep(words, self.mark_bits, self.value_bits, counts, edges, cell_of)
            }
            SortedWords::Wide(words) => {
                let counts = counts(words, self.mark_bits, n_cells, &cell_of);
                sweep(words, self.mark_bits, self.value_bits, counts, edges, cell_of)
            }
        }
    }

    /// [`SortedDurations::per_cell`] where it is known how many durations each cell has, and what they add up to.
    pub fn per_counted_cell(&self, count: Vec<u64>, sum: Vec<u128>, cell_of: impl Fn(u64) -> usize) -> CellDurations {
        let picked = match &self.words {
            SortedWords::Narrow(words) => pick(words, self.mark_bits, &count, cell_of),
            SortedWords::Wide(words) => pick(words, self.mark_bits, &count, cell_of),
        };
        quantiles(count, sum, &picked, Vec::new())
    }
}

trait Word: Copy + Default + Ord {
    fn value(self, mark_bits: u32) -> u64;
    fn mark(self, mark_bits: u32) -> u64;
}

impl Word for u64 {
    #[inline(always)]
    fn value(self, mark_bits: u32) -> u64 {
        self >> mark_bits
    }

    #[inline(always)]
    fn mark(self, mark_bits: u32) -> u64 {
        self & ((1 << mark_bits) - 1)
    }
}

impl Word for u128 {
    #[inline(always)]
    fn value(self, mark_bits: u32) -> u64 {
        (self >> mark_bits) as u64
    }

    #[inline(always)]
    fn mark(self, mark_bits: u32) -> u64 {
        (self & ((1 << mark_bits) - 1)) as u64
    }
}

/// All words of some lists. Few are sorted by comparing, many by their digits from the lowest up, each pass keeping the order of the one before.
fn sort<W: Word>(words: Vec<W>, mut lists: Vec<Vec<W>>, mark_bits: u32, value_bits: u32) -> Vec<W> {
    lists.insert(0, words);
    let n_words = lists.iter().map(Vec::len).sum();
    if n_words < 1 << 12 {
        let mut words = lists.concat();
        words.sort_unstable();
        return words;
    }
    let n_passes = value_bits.div_ceil(DIGIT_BITS);
    if n_passes == 0 {
        return lists.concat();
    }
    let digit_bits = value_bits.div_ceil(n_passes);
    let digit = |word: W, pass: u32| (word.value(mark_bits) >> (pass * digit_bits)) as usize & ((1 << digit_bits) - 1);
    // How often each digit comes is the same whatever the order: one look at the words tells it for all passes.
    let mut next = vec![vec![0_usize; 1 << digit_bits]; n_passes as usize];
    for &word in lists.iter().flatten() {
        (0..).zip(&mut next).for_each(|(pass, next)| next[digit(word, pass)] += 1);
    }
    for next in &mut next {
        let mut total = 0;
        for count in next {
            (*count, total) = (total, total + *count);
        }
    }
    let mut spread = |words: &[W], pass: u32, to: &mut [W]| {
        let next = &mut next[pass as usize];
        for &word in words {
            let at = &mut next[digit(word, pass)];
            to[*at] = word;
            *at += 1;
        }
    };
    let mut sorted = vec![W::default(); n_words];
    for list in lists {
        spread(&list, 0, &mut sorted);
    }
    let mut spare = vec![W::default(); if n_passes > 1 { n_words } else { 0 }];
    for pass in 1..n_passes {
        spread(&sorted, pass, &mut spare);
        std::mem::swap(&mut sorted, &mut spare);
    }
    sorted
}

/// What is known of a cell while its durations come by.
#[derive(Clone, Copy, Default)]
struct Seen {
    n: u32,
    /// The next place among the cell's durations that a quantile rests on.
    wanted: u32,
    sum: u64,
}

/// No place that a quantile rests on.
const NOWHERE: u32 = u32::MAX;

/// The places that the median and the 90 % quantile of `n` durations rest on.
fn places(n: u32) -> [u32; 4] {
    let at = |share: f64| {
        let below = (share * f64::from(n - 1)).floor() as u32;
        (below, (below + 1).min(n - 1))
    };
    let (median, p90) = (at(0.5), at(0.9));
    [median.0, median.1, p90.0, p90.1]
}

fn counts<W: Word>(words: &[W], mark_bits: u32, n_cells: usize, cell_of: &impl Fn(u64) -> usize) -> Vec<u32> {
    let mut counts = vec![0_u32; n_cells];
    words.iter().for_each(|word| counts[cell_of(word.mark(mark_bits))] += 1);
    counts
}

/// [`sweep`] over many cells, whose words are first put into parts: in each part they still ascend.
fn sweep_parts(words: &[u64], mark_bits: u32, value_bits: u32, n_cells: usize, cell_of: impl Fn(u64) -> usize) -> CellDurations {
    let part_cells = 1 << NEAR_CELLS_SHIFT;
    let mut next = vec![0_usize; n_cells.div_ceil(part_cells)];
    words.iter().for_each(|word| next[cell_of(word.mark(mark_bits)) >> NEAR_CELLS_SHIFT] += 1);
    let mut total = 0;
    for count in &mut next {
        (*count, total) = (total, total + *count);
    }
    let mut parted = vec![0_u64; words.len()];
    for word in words {
        let cell = cell_of(word.mark(mark_bits));
        let at = &mut next[cell >> NEAR_CELLS_SHIFT];
        parted[*at] = word.value(mark_bits) << NEAR_CELLS_SHIFT | (cell & (part_cells - 1)) as u64;
        *at += 1;
    }
    let mut found = CellDurations::default();
    let mut from = 0;
    for (part, end) in next.into_iter().enumerate() {
        let (own, local) = (&parted[from..end], |mark: u64| mark as usize);
        let counts = counts(own, NEAR_CELLS_SHIFT, part_cells.min(n_cells - part * part_cells), &local);
        found.append(sweep(own, NEAR_CELLS_SHIFT, value_bits, counts, &[], local));
        from = end;
    }
    found
}

/// What the quantiles of each cell rest on: a cell counts down to the next such place.
fn pick<W: Word>(words: &[W], mark_bits: u32, counts: &[u64], cell_of: impl Fn(u64) -> usize) -> Vec<[u64; 4]> {
    let mut left: Vec<u32> = counts.iter().map(|&n| if n == 0 { 0 } else { places(n as u32)[0] + 1 }).collect();
    let mut reached: Vec<u32> = left.clone();
    let mut picked = vec![[0_u64; 4]; counts.len()];
    for word in words {
        let cell = cell_of(word.mark(mark_bits));
        let left = &mut left[cell];
        *left = left.wrapping_sub(1);
        if *left == 0 {
            let here = reached[cell] - 1;
            let next = note(&mut picked[cell], counts[cell] as u32, here, word.value(mark_bits));
            // Beyond the last place so many follow at most that it never counts down to none.
            (*left, reached[cell]) = if next == NOWHERE { (NOWHERE, NOWHERE) } else { (next - here, next + 1) };
        }
    }
    picked
}

/// Notes the value at place `here` of a cell of `n` durations, and says which place is wanted next.
#[inline(never)]
fn note(picked: &mut [u64; 4], n: u32, here: u32, value: u64) -> u32 {
    let places = places(n);
    (0..4).filter(|&place| places[place] == here).for_each(|place| picked[place] = value);
    places.into_iter().find(|&place| place > here).unwrap_or(NOWHERE)
}

fn sweep<W: Word>(
    words: &[W],
    mark_bits: u32,
    value_bits: u32,
    counts: Vec<u32>,
    edges: &[u64],
    cell_of: impl Fn(u64) -> usize,
) -> CellDurations {
    // No cell has more than 2^32 durations.
    if value_bits <= 32 {
        sweep_summing::<W, false>(words, mark_bits, counts, edges, cell_of)
    } else {
        sweep_summing::<W, true>(words, mark_bits, counts, edges, cell_of)
    }
}

/// Finds the quantiles in one go; `CARRY` says that sums may exceed 64 bits.
fn sweep_summing<W: Word, const CARRY: bool>(
    words: &[W],
    mark_bits: u32,
    counts: Vec<u32>,
    edges: &[u64],
    cell_of: impl Fn(u64) -> usize,
) -> CellDurations {
    let n_cells = counts.len();
    let mut cells: Vec<Seen> = counts.iter().map(|&n| Seen { n: 0, wanted: if n == 0 { 0 } else { places(n)[0] }, sum: 0 }).collect();
    let mut carries = vec![0_u32; if CARRY { n_cells } else { 0 }];
    let mut picked = vec![[0_u64; 4]; n_cells];
    let n_bins = if edges.is_empty() { 0 } else { edges.len() + 1 };
    let mut histogram = vec![0_u64; n_cells * n_bins];
    let mut before: Vec<u32> = vec![0; if n_bins == 0 { 0 } else { n_cells }];
    let mut rest = words;
    for bin in 0..n_bins.max(1) {
        let end = edges.get(bin).map_or(rest.len(), |&edge| rest.partition_point(|word| word.value(mark_bits) < edge));
        let (part, after) = rest.split_at(end);
        rest = after;
        for word in part {
            let (value, cell) = (word.value(mark_bits), cell_of(word.mark(mark_bits)));
            let seen = &mut cells[cell];
            if seen.n == seen.wanted {
                seen.wanted = note(&mut picked[cell], counts[cell], seen.n, value);
            }
            seen.n += 1;
            let (sum, over) = seen.sum.overflowing_add(value);
            seen.sum = sum;
            if CARRY {
                carries[cell] += u32::from(over);
            }
        }
        for (cell, before) in before.iter_mut().enumerate() {
            histogram[cell * n_bins + bin] = u64::from(cells[cell].n - *before);
            *before = cells[cell].n;
        }
    }
    let carry = |cell: usize| u128::from(carries.get(cell).copied().unwrap_or(0)) << 64;
    let sum = cells.iter().enumerate().map(|(cell, seen)| carry(cell) | u128::from(seen.sum)).collect();
    quantiles(counts.into_iter().map(u64::from).collect(), sum, &picked, histogram)
}

/// The quantiles that lie between what was picked.
fn quantiles(count: Vec<u64>, sum: Vec<u128>, picked: &[[u64; 4]], histogram: Vec<u64>) -> CellDurations {
    let of = |share: f64, first: usize| {
        let between = |(&n, picked): (&u64, &[u64; 4])| {
            let (low, high) = (picked[first], picked[first + 1]);
            let place = share * (n as f64 - 1.0);
            if n == 0 { f64::NAN } else { low as f64 + (high - low) as f64 * (place - place.floor()) }
        };
        count.iter().zip(picked).map(between).collect()
    };
    let (median, p90) = (of(0.5, 0), of(0.9, 2));
    CellDurations { count, median, p90, sum, histogram }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quantile(values: &[u64], share: f64) -> f64 {
        let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
        let place = share * last as f64;
        let (low, high) = (values[place.floor() as usize], values[(place.floor() as usize + 1).min(last)]);
        low as f64 + (high - low) as f64 * (place - place.floor())
    }

    fn check(pairs: &[(u64, u64)], mark_bits: u32, greatest: u64, n_cells: usize, edges: &[u64]) {
        let (one, other) = pairs.split_at(pairs.len() / 2);
        let mut durations = Durations::new(mark_bits, greatest);
        for part in [one, other] {
            let mut more = Durations::new(mark_bits, greatest);
            part.iter().for_each(|&(mark, value)| more.push(mark, value));
            durations.append(&mut more);
        }
        let cell_of = |mark: u64| (mark % n_cells as u64) as usize;
        let found = durations.sort().per_cell(n_cells, edges, cell_of);
        for cell in 0..n_cells {
            let mut values: Vec<u64> = pairs.iter().filter(|(mark, _)| cell_of(*mark) == cell).map(|(_, value)| *value).collect();
            values.sort_unstable();
            assert_eq!(found.count[cell], values.len() as u64);
            assert_eq!(found.sum[cell], values.iter().map(|&value| u128::from(value)).sum::<u128>());
            assert_eq!(found.median[cell].to_bits(), quantile(&values, 0.5).to_bits());
            assert_eq!(found.p90[cell].to_bits(), quantile(&values, 0.9).to_bits());
            for (bin, window) in std::iter::once(0).chain(edges.iter().copied()).zip(edges.iter().copied().chain([u64::MAX])).enumerate() {
                if !edges.is_empty() {
                    let here = values.iter().filter(|&&value| value >= window.0 && (value < window.1 || bin == edges.len())).count();
                    assert_eq!(found.histogram[cell * (edges.len() + 1) + bin], here as u64);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn quantiles_agree_with_sorting_each_cell(
            pairs in prop::collection::vec((0_u64..16, prop_oneof![0_u64..9, any::<u64>()]), 0..60), n_cells in 1_usize..5, narrow: bool,
        ) {
            let pairs: Vec<(u64, u64)> = pairs.into_iter().map(|(mark, value)| (mark, if narrow { value >> 20 } else { value })).collect();
            check(&pairs, 4, if narrow { u64::MAX >> 20 } else { u64::MAX }, n_cells, &[2, 10]);
            check(&pairs, 64, u64::MAX, n_cells, &[]);
        }
    }

    #[test]
    fn many_cells_are_swept_in_parts() {
        let n_cells = (4 << NEAR_CELLS_SHIFT) + 700;
        let pairs: Vec<(u64, u64)> = (0..n_cells as u64 * 5)
            .map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .map(|n| (n >> 20 & 0x3fff | n >> 40 & 0x1000, n >> 50))
            .collect();
        let durations = |narrow: bool| {
            let mut durations = Durations::new(15, if narrow { 1 << 14 } else { u64::MAX });
            pairs.iter().for_each(|&(mark, value)| durations.push(mark, value));
            assert_eq!(matches!(durations.words, Words::Narrow(..)), narrow);
            durations.sort()
        };
        let cell_of = |mark: u64| (mark as usize * 5) % n_cells;
        let (parts, whole) = (durations(true).per_cell(n_cells, &[], cell_of), durations(false).per_cell(n_cells, &[], cell_of));
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!((parts.count, parts.sum, parts.histogram), (whole.count, whole.sum, whole.histogram));
        assert_eq!((bits(&parts.median), bits(&parts.p90)), (bits(&whole.median), bits(&whole.p90)));
    }

    #[test]
    fn many_are_sorted_by_digits() {
        let pairs: Vec<(u64, u64)> = (0..9_000_u64).map(|n| (n % 7, n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 38)).collect();
        check(&pairs, 3, u64::MAX >> 38, 7, &[1_000, 1 << 20]);
        check(&pairs, 64, u64::MAX >> 38, 3, &[]);
        check(&pairs.iter().map(|pair| (pair.0, 0)).collect::<Vec<_>>(), 3, 0, 2, &[]);
    }
}
