//! Where the deals of a whole pipeline stand, and how long won ones took.
use super::Followed;

/// Counts over all deals.
#[derive(Debug, Default)]
pub struct Standing {
    /// Deals by furthest stage and where they are now, `[n_stages + 1, n_stages + 2]`.
    pub deals: Vec<u64>,
    /// Deals by currency and where they are now, `[n_currencies, n_stages + 2]`.
    pub by_currency: Vec<u64>,
    /// Deals without history.
    pub without_history: u64,
    /// Lost deals that do not say from which stage.
    pub lost_from_unknown: u64,
    /// Days from creation to won: the median, and the mean; `NaN` without won deals.
    pub median_cycle_days: f64,
    /// See `median_cycle_days`.
    pub mean_cycle_days: f64,
}

/// When deals were created, where that is known, and how many ticks a day has.
#[derive(Debug, Clone, Copy)]
pub struct Created<'a> {
    /// Per deal, [`i64::MAX`] for none; empty without the column.
    pub at: &'a [i64],
    /// Ticks of `at` in a day.
    pub per_day: f64,
    /// Ticks of the history's times in a day.
    pub history_per_day: f64,
}

/// Counts where deals stand.
pub fn standing(followed: &Followed, currency: &[u16], n_currencies: usize, n_stages: usize, created: Created<'_>) -> Standing {
    let width = n_stages + 2;
    let mut standing =
        Standing { deals: vec![0; (n_stages + 1) * width], by_currency: vec![0; n_currencies * width], ..Standing::default() };
    let mut cycles = Vec::new();
    for (row, deal) in followed.deals.iter().enumerate() {
        standing.deals[deal.furthest as usize * width + deal.current as usize] += 1;
        standing.by_currency[currency[row] as usize * width + deal.current as usize] += 1;
        standing.without_history += u64::from(!deal.has_history);
        standing.lost_from_unknown += u64::from(deal.current as usize == n_stages + 1 && deal.lost_at == 0);
        if deal.current as usize == n_stages && deal.has_history {
            let first = deal.first_time as f64 / created.history_per_day;
            let start = created.at.get(row).map_or(first, |&at| first.min(at as f64 / created.per_day));
            cycles.push(deal.last_time as f64 / created.history_per_day - start);
        }
    }
    standing.mean_cycle_days = if cycles.is_empty() { f64::NAN } else { cycles.iter().sum::<f64>() / cycles.len() as f64 };
    standing.median_cycle_days = median(&mut cycles);
    standing
}

fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let middle = values.len() / 2;
    let is_odd = values.len() % 2 == 1;
    let (below, &mut high, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let low = if is_odd { high } else { below.iter().copied().fold(f64::NEG_INFINITY, f64::max) };
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians_of_even_and_odd_numbers() {
        assert!(median(&mut []).is_nan());
        assert_eq!(median(&mut [3.0]), 3.0);
        assert_eq!(median(&mut [3.0, -1.0]), 1.0);
        assert_eq!(median(&mut [5.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [5.0, 1.0, 2.0, 9.0]), 3.5);
    }
}
