//! Settling all columns at once: the assignment of columns to roles with the greatest sum of evidence.

/// For each row the column it is matched with, at most one row per column, so that the sum of `gain` is greatest.
///
/// A pair whose gain is not positive is never made. This is the Hungarian method with potentials: rows are roles (few), columns are
/// the columns of the file (possibly many), so that its cost is `rows² * columns`.
pub fn best_assignment(gain: &[Vec<f64>]) -> Vec<Option<usize>> {
    let n_rows = gain.len();
    let n_columns = gain.first().map_or(0, Vec::len);
    if n_rows == 0 || n_columns == 0 {
        return vec![None; n_rows];
    }
    // One spare column per row, of gain 0, stands for "none".
    let n_all = n_columns + n_rows;
    let cost = |row: usize, column: usize| if column < n_columns { -gain[row][column].max(-1e6) } else { 0.0 };
    let mut row_potential = vec![0.0; n_rows + 1];
    let mut column_potential = vec![0.0; n_all + 1];
    // Row matched with each column; 0 is nobody.
    let mut matched = vec![0_usize; n_all + 1];
    let mut came_from = vec![0_usize; n_all + 1];
    for row in 1..=n_rows {
        matched[0] = row;
        let mut at = 0;
        let mut slack = vec![f64::INFINITY; n_all + 1];
        let mut used = vec![false; n_all + 1];
        loop {
            used[at] = true;
            let current = matched[at];
            let mut delta = f64::INFINITY;
            let mut next = 0;
            for column in 1..=n_all {
                if used[column] {
                    continue;
                }
                let reduced = cost(current - 1, column - 1) - row_potential[current] - column_potential[column];
                if reduced < slack[column] {
                    slack[column] = reduced;
                    came_from[column] = at;
                }
                if slack[column] < delta {
                    delta = slack[column];
                    next = column;
                }
            }
            for column in 0..=n_all {
                if used[column] {
                    row_potential[matched[column]] += delta;
                    column_potential[column] -= delta;
                } else {
                    slack[column] -= delta;
                }
            }
            at = next;
            if matched[at] == 0 {
                break;
            }
        }
        while at != 0 {
            let before = came_from[at];
            matched[at] = matched[before];
            at = before;
        }
    }
    let mut chosen = vec![None; n_rows];
    for column in 1..=n_columns {
        if matched[column] > 0 && gain[matched[column] - 1][column - 1] > 0.0 {
            chosen[matched[column] - 1] = Some(column - 1);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total(gain: &[Vec<f64>], chosen: &[Option<usize>]) -> f64 {
        chosen.iter().enumerate().filter_map(|(row, column)| column.map(|column| gain[row][column])).sum()
    }

    fn best_by_trying(gain: &[Vec<f64>], row: usize, used: u32) -> f64 {
        if row == gain.len() {
            return 0.0;
        }
        let mut best = best_by_trying(gain, row + 1, used);
        for (column, value) in gain[row].iter().enumerate() {
            if used & (1 << column) == 0 && *value > 0.0 {
                best = best.max(value + best_by_trying(gain, row + 1, used | (1 << column)));
            }
        }
        best
    }

    proptest! {
        #[test]
        fn it_is_as_good_as_trying_all(gain in (1_usize..5).prop_flat_map(|columns| prop::collection::vec(prop::collection::vec(-5.0_f64..5.0, columns), 1..5))) {
            let chosen = best_assignment(&gain);
            let mut columns: Vec<usize> = chosen.iter().flatten().copied().collect();
            columns.sort_unstable();
            columns.dedup();
            prop_assert_eq!(columns.len(), chosen.iter().flatten().count());
            prop_assert!((total(&gain, &chosen) - best_by_trying(&gain, 0, 0)).abs() < 1e-9);
        }
    }
}
