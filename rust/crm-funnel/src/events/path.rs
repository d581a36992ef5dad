//! The chain that is shown: of those with a given start that reach a given step first, the one with the earliest steps.
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
    let from = moments.partition_point(|moment| moment.time < start);
    let search = Search { plan, conditions, events, moments, steps: &steps, start };
    let mut dead = vec![false; (steps.len() + 1) * steps.len() * moments.len()];
    let mut taken = Vec::with_capacity(steps.len());
    if !search.extend(from, 0, &mut taken, &mut dead) {
        return;
    }
    for (&step, &moment) in steps.iter().zip(&taken) {
        times[step] = moments[moment].time;
    }
    search.add_optional(level, times);
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
    /// that the last moment took; `dead` remembers what led nowhere.
    fn extend(&self, from: usize, run: usize, taken: &mut Vec<usize>, dead: &mut [bool]) -> bool {
        let place = taken.len();
        if place == self.steps.len() {
            return true;
        }
        let Some(&last) = taken.last() else {
            let begins = self.moments.get(from).is_some_and(|moment| moment.conditions & 1 == 1);
            if !begins {
                return false;
            }
            taken.push(from);
            return self.extend(from, 0, taken, dead);
        };
        let state = (run * self.steps.len() + place) * self.moments.len() + last;
        if dead[state] {
            return false;
        }
        let step = self.steps[place];
        for moment in last..self.moments.len() {
            let at = &self.moments[moment];
            if at.time - self.start > self.plan.window || at.time - self.moments[last].time > self.plan.within[step] {
                break;
            }
            // An exclusion of an earlier moment ends what stands at the step before.
            if moment > last && self.is_excluded(self.steps[place - 1], &self.moments[moment - 1]) {
                break;
            }
            if at.conditions >> (step - 1) & 1 == 0 {
                continue;
            }
            let run = if moment > last { place } else { run };
            if moment == last && !self.fits(run, place, at) {
                continue;
            }
            taken.push(moment);
            if self.extend(from, run, taken, dead) {
                return true;
            }
            taken.pop();
        }
        dead[state] = true;
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
