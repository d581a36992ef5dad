//! Exact quantiles of durations that fall into cells (a breakdown and a step).
use rayon::prelude::*;

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

/// Durations and the cells they belong to, in two columns.
#[derive(Debug, Clone, Default)]
pub struct Durations {
    cells: Vec<u32>,
    values: Vec<u64>,
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
        let mut pairs: Vec<(u64, u32)> = parts.into_iter().flat_map(|part| part.values.into_iter().zip(part.cells)).collect();
        pairs.par_sort_unstable();
        Self { cells: pairs.iter().map(|pair| pair.1).collect(), values: pairs.iter().map(|pair| pair.0).collect() }
    }

    /// The quantiles of each of `n_cells` cells over several collections; `cell_of` says where a cell's durations go.
    pub fn per_cell(parts: &[Self], n_cells: usize, cell_of: impl Fn(u32) -> usize) -> CellDurations {
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
            found.median.push(quantile(cell, 0.5).unwrap_or(f64::NAN));
            found.p90.push(quantile(cell, 0.9).unwrap_or(f64::NAN));
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
        assert_eq!(Durations::histogram(&[a, b], 1, &[2, 10], |_| 0), vec![1, 1, 1]);
    }
}
