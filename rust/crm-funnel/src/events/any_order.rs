//! Steps in any order: how many different ones fall into one window.
use super::chain::{Chain, Moment};
use super::config::Plan;

/// The level is the greatest number of different steps in a window that begins at an event; of the windows that reach it, the one
/// that reaches it first, and of those the one that begins last. `times[k]` is when the k-th different step was taken.
pub(super) fn scan(plan: &Plan, moments: &[Moment], chain: &mut Chain) {
    let mut times = Vec::with_capacity(plan.n_steps);
    for (index, first) in moments.iter().enumerate() {
        let mut seen = 0_u128;
        times.clear();
        for moment in &moments[index..] {
            if moment.time - first.time > plan.window {
                break;
            }
            let fresh = moment.conditions & !seen;
            seen |= fresh;
            times.extend((0..fresh.count_ones()).map(|_| moment.time));
        }
        let level = times.len();
        let better = level > chain.level || (level > 0 && level == chain.level && times[level - 1] <= chain.times[level]);
        if better {
            chain.level = level;
            chain.times[1..=level].copy_from_slice(&times);
        }
    }
}
