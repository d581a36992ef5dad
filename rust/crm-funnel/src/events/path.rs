//! The chain that is shown: of those with a given start that reach a given step first, the one with the earliest steps.
use hashbrown::HashSet;

use super::chain::{Conditions, Moment, NEVER};
use super::config::Plan;
use crate::grouping::Event;

/// A row of its own for each of `steps`, or `None`: augmenting paths over the few rows of one moment.
pub fn rows_for(conditions: &[Conditions], rows: &[Event], steps: &[usize]) -> Option<Vec<usize>> {
    let mut step_of_row: Vec<Option<usize>> = vec![None; rows.len()];
    for index in 0..steps.len() {
        let mut seen = vec![false; rows.len()];
        if !assign(conditions, rows, steps, index, &mut seen, &mut step_of_row) {
            return None;
        }
    }
    let mut found = vec![0; steps.len()];
    for (row, step) in step_of_row.iter().enumerate() {
        if let Some(step) = step {
            found[*step] = row;
        }
    }
    Some(found)
}

fn assign(
    conditions: &[Conditions],
    rows: &[Event],
    steps: &[usize],
    index: usize,
    seen: &mut [bool],
    step_of_row: &mut [Option<usize>],
) -> bool {
    for row in 0..rows.len() {
        if seen[row] || conditions[rows[row].code as usize] >> (steps[index] - 1) & 1 == 0 {
            continue;
        }
        seen[row] = true;
        let free = match step_of_row[row] {
            None => true,
            Some(other) => assign(conditions, rows, steps, other, seen, step_of_row),
        };
        if free {
            step_of_row[row] = Some(index);
            return true;
        }
    }
    false
}

/// Writes the times of the steps of the chain to `level` that begins at `start` into `times`.
pub fn earliest(plan: &Plan, conditions: &[Conditions], events: &[Event], moments: &[Moment], level: usize, start: u64, times: &mut [u64]) {
    let mut steps = vec![level];
    while let Some(&first) = steps.last().filter(|&&first| first > 1) {
        steps.push(plan.required_before[first]);
    }
    steps.reverse();
    let moments = &moments[moments.partition_point(|moment| moment.time < start)..];
    let search = Search { plan, conditions, events, moments, steps: &steps, start };
    let mut taken = Vec::with_capacity(steps.len());
    if !search.extend(0, &mut taken, &mut Failed::new(steps.len(), moments.len())) {
        return;
    }
    for (&step, &moment) in steps.iter().zip(&taken) {
        times[step] = moments[moment].time;
    }
    search.add_optional(level, times);
}

/// What led nowhere, so that it is not tried again.
struct Failed {
    n_moments: usize,
    /// Bit `place * n_moments + last`: chains of `place` steps whose last moment took one step, or any number where rows are not counted.
    alone: Vec<u64>,
    /// (run, place, last) where the last moment took several steps from rows of their own: no more than events and steps.
    together: HashSet<(usize, usize, usize), foldhash::fast::FixedState>,
    /// Per place, which moments in a row (from, to) were tried after an earlier one.
    tried: Vec<(usize, usize)>,
}

impl Failed {
    fn new(n_steps: usize, n_moments: usize) -> Self {
        Self { n_moments, alone: vec![0; (n_steps * n_moments).div_ceil(64)], together: HashSet::default(), tried: vec![(0, 0); n_steps] }
    }

    /// `run` is none where it does not matter.
    fn contains(&self, run: Option<usize>, place: usize, last: usize) -> bool {
        let bit = place * self.n_moments + last;
        run.map_or(self.alone[bit / 64] >> (bit % 64) & 1 == 1, |run| self.together.contains(&(run, place, last)))
    }

    fn insert(&mut self, run: Option<usize>, place: usize, last: usize) {
        let bit = place * self.n_moments + last;
        match run {
            None => self.alone[bit / 64] |= 1 << (bit % 64),
            Some(run) => _ = self.together.insert((run, place, last)),
        }
    }

    /// The first moment after `last` that may not have been tried for `place` yet.
    fn next_untried(&self, place: usize, last: usize) -> usize {
        let (from, to) = self.tried[place];
        if from <= last + 1 && last < to { to } else { last + 1 }
    }

    fn tried(&mut self, place: usize, moment: usize) {
        let (from, to) = self.tried[place];
        self.tried[place] = if to == moment && from < to { (from, moment + 1) } else { (moment, moment + 1) };
    }
}

struct Search<'a> {
    plan: &'a Plan,
    conditions: &'a [Conditions],
    events: &'a [Event],
    moments: &'a [Moment],
    steps: &'a [usize],
    start: u64,
}

impl Search<'_> {
    /// Extends `taken` (moments of the first steps) to all steps, earliest moments first. `run` is the place of the first step
    /// that the last moment took.
    fn extend(&self, run: usize, taken: &mut Vec<usize>, failed: &mut Failed) -> bool {
        let place = taken.len();
        if place == self.steps.len() {
            return true;
        }
        let Some(&last) = taken.last() else {
            let begins = self.moments.first().is_some_and(|moment| moment.conditions & 1 == 1);
            taken.extend(begins.then_some(0));
            return begins && self.extend(0, taken, failed);
        };
        let state = (self.plan.strict_once && run + 1 < place).then_some(run);
        if failed.contains(state, place, last) {
            return false;
        }
        if self.extend_within(run, taken, failed) || self.extend_later(taken, failed) {
            return true;
        }
        failed.insert(state, place, last);
        false
    }

    /// The next step in the same moment.
    fn extend_within(&self, run: usize, taken: &mut Vec<usize>, failed: &mut Failed) -> bool {
        let (place, last) = (taken.len(), taken[taken.len() - 1]);
        let at = &self.moments[last];
        let fulfils = at.conditions >> (self.steps[place] - 1) & 1 == 1 && at.time - self.start <= self.plan.window;
        if !fulfils || !self.fits(run, place, at) {
            return false;
        }
        taken.push(last);
        let found = self.extend(run, taken, failed);
        if !found {
            taken.pop();
        }
        found
    }

    /// The next step in a later moment. What comes of it does not depend on how the chain came there, so each is tried once.
    fn extend_later(&self, taken: &mut Vec<usize>, failed: &mut Failed) -> bool {
        let (place, last) = (taken.len(), taken[taken.len() - 1]);
        let step = self.steps[place];
        for moment in failed.next_untried(place, last)..self.moments.len() {
            let at = &self.moments[moment];
            if at.time - self.start > self.plan.window || at.time - self.moments[last].time > self.plan.within[step] {
                break;
            }
            // An exclusion of an earlier moment ends what stands at the step before.
            if self.is_excluded(self.steps[place - 1], &self.moments[moment - 1]) {
                break;
            }
            if at.conditions >> (step - 1) & 1 == 1 {
                taken.push(moment);
                if self.extend(place, taken, failed) {
                    return true;
                }
                taken.pop();
            }
            failed.tried(place, moment);
        }
        false
    }

    fn is_excluded(&self, step: usize, moment: &Moment) -> bool {
        self.plan
            .exclusions
            .iter()
            .enumerate()
            .any(|(number, &(from, to))| (from..to).contains(&step) && moment.conditions >> (self.plan.n_steps + number) & 1 == 1)
    }

    /// Whether one moment can take the steps at places `run` to `place`.
    fn fits(&self, run: usize, place: usize, moment: &Moment) -> bool {
        if self.plan.strict_increase {
            return false;
        }
        !self.plan.strict_once || rows_for(self.conditions, &self.events[moment.from..moment.to], &self.steps[run..=place]).is_some()
    }

    /// Optional steps between those of the chain, each as soon as it can; strictly between where steps may not share a time or a row.
    fn add_optional(&self, level: usize, times: &mut [u64]) {
        let apart = self.plan.strict_increase || self.plan.strict_once;
        let (mut last, mut last_required) = (self.start, self.start);
        for step in 2..level {
            if times[step] != NEVER {
                (last, last_required) = (times[step], times[step]);
                continue;
            }
            let next = times[step + 1..=level].iter().copied().find(|&time| time != NEVER).unwrap_or(last);
            let found = self.moments.iter().find(|moment| {
                let after = if apart { moment.time > last } else { moment.time >= last };
                let before = if apart { moment.time < next } else { moment.time <= next };
                let soon = after && moment.time - last_required <= self.plan.within[step];
                soon && before && moment.conditions >> (step - 1) & 1 == 1
            });
            if let Some(moment) = found {
                times[step] = moment.time;
                last = moment.time;
            }
        }
    }
}
