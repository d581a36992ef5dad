//! Exact quantiles of durations that fall into cells (a breakdown and a step).

/// The quantile of `values` with linear interpolation between neighbours; `None` of no values. Reorders `values`.
///
/// ```
/// assert_eq!(crm_funnel::quantile(&mut [4, 1, 2, 3], 0.5), Some(2.5));
/// ```
pub fn quantile(values: &mut [u64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let place = share * last as f64;
    let below = (place.floor() as usize).min(last);
    let (_, &mut low, above) = values.select_nth_unstable(below);
    let part = place - below as f64;
    if part == 0.0 {
        return Some(low as f64);
    }
    let high = above.iter().copied().min().unwrap_or(low);
    Some(low as f64 + (high - low) as f64 * part)
}

/// [`quantile`] of ascending values.
fn sorted_quantile(values: &mut [u64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let place = share * last as f64;
    let below = (place.floor() as usize).min(last);
    let part = place - below as f64;
    let (low, high) = (values[below], values[(below + 1).min(last)]);
    Some(low as f64 + (high - low) as f64 * part)
}

/// Durations and the cells they belong to, in two columns.
#[derive(Debug, Clone, Default)]
pub struct Durations {
    cells: Vec<u32>,
    values: Vec<u64>,
    is_sorted: bool,
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
}

impl Durations {
    /// Adds one.
    #[inline(always)]
    pub fn push(&mut self, cell: u32, duration: u64) {
        self.cells.push(cell);
        self.values.push(duration);
    }

    /// Changes the cells' numbers.
    pub fn renumber(&mut self, cell_of: impl Fn(u32) -> u32) {
        self.cells.iter_mut().for_each(|cell| *cell = cell_of(*cell));
    }

    /// All in one, ascending: then each cell's are too, and its quantiles cost next to nothing.
    pub fn sorted(parts: Vec<Self>) -> Self {
        const BITS: u32 = 11;
        let mut all = Self { is_sorted: true, ..Self::default() };
        for mut part in parts {
            all.cells.append(&mut part.cells);
            all.values.append(&mut part.values);
        }
        let greatest = all.values.iter().copied().max().unwrap_or(0);
        let mut spare = Self { cells: vec![0; all.cells.len()], values: vec![0; all.values.len()], is_sorted: true };
        // From the lowest digits up, each pass keeping the order of the one before.
        for shift in (0..u64::BITS - greatest.leading_zeros()).step_by(BITS as usize) {
            let digit = |value: u64| (value >> shift) as usize & ((1 << BITS) - 1);
            let mut next = vec![0_usize; 1 << BITS];
            all.values.iter().for_each(|&value| next[digit(value)] += 1);
            let mut total = 0;
            for count in &mut next {
                (*count, total) = (total, total + *count);
            }
            for (&cell, &value) in all.cells.iter().zip(&all.values) {
                let at = &mut next[digit(value)];
                (spare.cells[*at], spare.values[*at]) = (cell, value);
                *at += 1;
            }
            std::mem::swap(&mut all, &mut spare);
        }
        all
    }

    /// The quantiles of each of `n_cells` cells over several collections; `cell_of` says where a cell's durations go.
    pub fn per_cell(parts: &[Self], n_cells: usize, cell_of: impl Fn(u32) -> usize) -> CellDurations {
        let is_sorted = matches!(parts, [one] if one.is_sorted);
        let mut ends = vec![0_usize; n_cells];
        for &cell in parts.iter().flat_map(|part| &part.cells) {
            ends[cell_of(cell)] += 1;
        }
        let count: Vec<u64> = ends.iter().map(|&count| count as u64).collect();
        let mut total = 0;
        for end in &mut ends {
            (*end, total) = (total, total + *end);
        }
        let mut values = vec![0_u64; total];
        for part in parts {
            for (&cell, &value) in part.cells.iter().zip(&part.values) {
                let at = &mut ends[cell_of(cell)];
                values[*at] = value;
                *at += 1;
            }
        }
        let mut found = CellDurations { count, ..CellDurations::default() };
        let mut rest = values.as_mut_slice();
        for &n in &found.count {
            let (cell, after) = rest.split_at_mut(n as usize);
            rest = after;
            found.sum.push(cell.iter().map(|&value| u128::from(value)).sum());
            // Sorted parts of one collection leave each cell sorted.
            let of = if is_sorted { sorted_quantile } else { quantile };
            found.median.push(of(cell, 0.5).unwrap_or(f64::NAN));
            found.p90.push(of(cell, 0.9).unwrap_or(f64::NAN));
        }
        found
    }

    /// How many durations of each cell lie below each of the ascending `edges`; `[n_cells, edges.len() + 1]`, the last for the rest.
    pub fn histogram(parts: &[Self], n_cells: usize, edges: &[u64], cell_of: impl Fn(u32) -> usize) -> Vec<u64> {
        let mut counts = vec![0; n_cells * (edges.len() + 1)];
        for part in parts {
            for (&cell, &value) in part.cells.iter().zip(&part.values) {
                counts[cell_of(cell) * (edges.len() + 1) + edges.partition_point(|&edge| edge <= value)] += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&mut [], 0.5), None);
        assert_eq!(quantile(&mut [7], 0.9), Some(7.0));
        assert_eq!(quantile(&mut [10, 0], 0.9), Some(9.0));
        assert_eq!(quantile(&mut [5, 1, 3], 0.5), Some(3.0));
    }

    #[test]
    fn cells_are_kept_apart() {
        let (mut a, mut b) = (Durations::default(), Durations::default());
        a.push(0, 1);
        a.push(2, 10);
        b.push(0, 3);
        let cells = Durations::per_cell(&[a.clone(), b.clone()], 3, |cell| cell as usize);
        assert_eq!((cells.count, cells.median[0], cells.median[2]), (vec![2, 0, 1], 2.0, 10.0));
        assert!(cells.median[1].is_nan());
        let sorted = Durations::sorted(vec![a.clone(), b.clone()]);
        assert_eq!((sorted.cells.clone(), sorted.values.clone()), (vec![0, 0, 2], vec![1, 3, 10]));
        assert_eq!(Durations::histogram(&[a, b], 1, &[2, 10], |_| 0), vec![1, 1, 1]);
    }

    proptest::proptest! {
        #[test]
        fn sorting_first_changes_no_quantile(pairs in proptest::collection::vec((0_u32..4, proptest::prop_oneof![0_u64..9, proptest::prelude::any::<u64>()]), 0..60)) {
            let mut durations = Durations::default();
            pairs.iter().for_each(|&(cell, value)| durations.push(cell, value / 2));
            let sorted = Durations::sorted(vec![durations.clone()]);
            let (one, other) = (Durations::per_cell(&[sorted], 4, |cell| cell as usize), Durations::per_cell(&[durations], 4, |cell| cell as usize));
            proptest::prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
        }
    }
}
