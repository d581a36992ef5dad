//! Steps in any order: how many different ones fall into one window.
use super::chain::{Chain, Moment, NEVER};
use super::config::Plan;

/// The level is the greatest number of different steps in a window that begins at an event; of the windows that reach it, the one
/// that reaches it first, and of those the one that begins last. `times[k]` is when the k-th different step was taken.
///
/// Walking backwards, the next time of each step is known at every moment, so that no window has to be walked through.
pub(super) fn scan(plan: &Plan, moments: &[Moment], chain: &mut Chain) {
    let mut next = vec![NEVER; plan.n_steps];
    let mut best = Vec::new();
    let (mut level, mut finish) = (0, NEVER);
    for first in moments.iter().rev() {
        let mut steps = first.conditions;
        while steps != 0 {
            next[steps.trailing_zeros() as usize] = first.time;
            steps &= steps - 1;
        }
        let in_window = |time: u64| time != NEVER && time - first.time <= plan.window;
        let (mut n_steps, mut last) = (0, 0);
        for &time in next.iter().filter(|&&time| in_window(time)) {
            n_steps += 1;
            last = last.max(time);
        }
        if n_steps > level || (n_steps == level && level > 0 && last < finish) {
            (level, finish) = (n_steps, last);
            best.clear();
            best.extend(next.iter().copied().filter(|&time| in_window(time)));
        }
    }
    best.sort_unstable();
    chain.level = level;
    chain.times[1..=level].copy_from_slice(&best);
}
