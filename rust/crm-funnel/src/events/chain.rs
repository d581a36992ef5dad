//! How far one contact came: the highest step that any chain reached, and the chain that is shown for it.
//!
//! Of the chains that stand at a step, the one that arrived last has the latest start too, so one chain per step is enough: it
//! outlives all others under the window, under a window per step, and under exclusions, which end all chains at a step alike.
use super::config::Plan;
use crate::grouping::Event;

/// No time: the step was not taken.
pub const NEVER: u64 = u64::MAX;

/// Which conditions a row with some code fulfils: bit `i - 1` for step `i`, then the exclusions.
pub type Conditions = u128;

/// The best chain of a contact; reused between contacts.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    /// The highest step reached, 0 without a first step.
    pub level: usize,
    /// When each step was taken, from 1; [`NEVER`] for steps not taken.
    pub times: Vec<u64>,
}

/// The chain that stands at a step.
#[derive(Debug, Clone, Copy)]
struct Standing {
    start: u64,
    arrived: u64,
}

const NOBODY: Standing = Standing { start: NEVER, arrived: NEVER };

/// Walks through one contact's events after another.
pub struct Scanner<'p> {
    plan: &'p Plan,
    conditions: &'p [Conditions],
    /// Events of one time: from, to, and all conditions that any of them fulfils.
    moments: Vec<Moment>,
    standing: Vec<Standing>,
    before: Vec<Standing>,
    reached: Vec<bool>,
    /// Whether the plan is plain and code `i` is step `i` and nothing else.
    codes_are_steps: bool,
    /// The best chain of the contact scanned last.
    pub chain: Chain,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub time: u64,
    pub from: usize,
    pub to: usize,
    pub conditions: Conditions,
}

impl<'p> Scanner<'p> {
    /// `conditions` are those of each code.
    pub fn new(plan: &'p Plan, conditions: &'p [Conditions]) -> Self {
        let n = plan.n_steps + 1;
        let one_each = conditions.iter().skip(1).enumerate().all(|(step, &fulfilled)| fulfilled == 1 << step);
        Self {
            plan,
            conditions,
            codes_are_steps: plan.is_plain() && conditions.len() == n && one_each,
            moments: Vec::new(),
            standing: vec![NOBODY; n],
            before: vec![NOBODY; n],
            reached: vec![false; n],
            chain: Chain { level: 0, times: vec![NEVER; n] },
        }
    }

    /// Finds the best chain of a contact whose events are ordered by time.
    pub fn scan(&mut self, events: &[Event]) {
        self.chain.level = 0;
        self.chain.times.fill(NEVER);
        if self.codes_are_steps {
            self.scan_steps(events);
        } else if self.plan.is_plain() {
            self.scan_plain(events);
        } else {
            self.collect_moments(events);
            if self.plan.any_order {
                super::any_order::scan(self.plan, &self.moments, &mut self.chain);
            } else {
                self.scan_moments(events);
            }
        }
    }

    fn collect_moments(&mut self, events: &[Event]) {
        self.moments.clear();
        for (index, event) in events.iter().enumerate() {
            let conditions = self.conditions[event.code as usize];
            match self.moments.last_mut() {
                Some(moment) if moment.time == event.time => {
                    moment.to = index + 1;
                    moment.conditions |= conditions;
                }
                _ => self.moments.push(Moment { time: event.time, from: index, to: index + 1, conditions }),
            }
        }
    }

    /// The plan it follows.
    pub fn plan(&self) -> &'p Plan {
        self.plan
    }

    /// Adds the attempts of a contact to `reached`, by step from 1.
    pub fn count_attempts(&mut self, events: &[Event], reached: &mut [u64]) {
        self.collect_moments(events);
        super::attempts::count(self.plan, self.conditions, events, &self.moments, reached);
    }

    /// The least of `values` over the rows that may have been the chain's `step`; `none` without any.
    pub fn least_value(&self, events: &[Event], step: usize, values: &[u32], none: u32) -> u32 {
        let time = self.chain.times[step];
        let from = events.partition_point(|event| event.time < time);
        let any = self.plan.any_order;
        events[from..]
            .iter()
            .take_while(|event| event.time == time)
            .filter(|event| any || self.conditions[event.code as usize] >> (step - 1) & 1 == 1)
            .map(|event| values[event.row as usize])
            .min()
            .unwrap_or(none)
    }

    /// Whether the order of a contact's events matters, given their codes: without a second step only the first time of the first does.
    pub fn needs_order(&self, codes: u64) -> bool {
        !self.codes_are_steps || codes & 0b110 == 0b110
    }

    /// Order and window only, and each event is one step: those of one time come by step, so one look at each is enough.
    fn scan_steps(&mut self, events: &[Event]) {
        let codes = events.iter().fold(0_u128, |codes, event| codes | 1 << event.code);
        // Without a step between, no later one is reached.
        let most = (codes >> 1).trailing_ones() as usize;
        if most == 0 {
            return;
        }
        if most == 1 {
            self.chain.level = 1;
            self.chain.times[1] = events.iter().filter(|event| event.code == 1).map(|event| event.time).min().unwrap_or(NEVER);
            return;
        }
        let standing = &mut self.standing[..=most];
        let (mut level, mut start, mut first) = (0, NEVER, 0);
        for (index, event) in events.iter().enumerate() {
            let step = event.code as usize;
            if step == 1 {
                standing[1].start = event.time;
                if level == 0 {
                    (level, start, first) = (1, event.time, index);
                }
            } else if step <= (level + 1).min(most) {
                let from = standing[step - 1].start;
                if event.time - from > self.plan.window {
                    continue;
                }
                standing[step].start = from;
                if step > level {
                    (level, start) = (step, from);
                    if level == most {
                        break;
                    }
                }
            }
        }
        self.chain.level = level;
        if level == 0 {
            return;
        }
        // The first chain from that start takes each step as soon as it can.
        self.chain.times[1] = start;
        let mut step = 1;
        for event in &events[first..] {
            if step == level {
                break;
            }
            if event.time >= start && event.code as usize == step + 1 {
                step += 1;
                self.chain.times[step] = event.time;
            }
        }
    }

    /// Order and window only: each event looks at the chain one step below.
    fn scan_plain(&mut self, events: &[Event]) {
        let n_steps = self.plan.n_steps;
        let (mut level, mut start, mut first) = (0, NEVER, 0);
        let standing = &mut self.standing[..=n_steps];
        let mut index = 0;
        'events: while index < events.len() {
            let time = events[index].time;
            let mut conditions = self.conditions[events[index].code as usize];
            index += 1;
            while index < events.len() && events[index].time == time {
                conditions |= self.conditions[events[index].code as usize];
                index += 1;
            }
            while conditions != 0 {
                let step = conditions.trailing_zeros() as usize + 1;
                conditions &= conditions - 1;
                let from = if step == 1 {
                    time
                } else if step <= level + 1 {
                    standing[step - 1].start
                } else {
                    continue;
                };
                if time - from > self.plan.window {
                    continue;
                }
                standing[step].start = from;
                if step > level {
                    (level, start) = (step, from);
                    if level == n_steps {
                        break 'events;
                    }
                }
            }
            if level == 0 {
                first = index;
            }
        }
        self.chain.level = level;
        if level == 0 {
            return;
        }
        // The first chain from that start takes each step as soon as it can.
        self.chain.times[1] = start;
        let mut step = 1;
        for event in &events[first..] {
            if step == level {
                break;
            }
            if event.time < start {
                continue;
            }
            // Events of one time are ordered by code, not by step; a later step at the same time may come first in the slice.
            let conditions = self.conditions[event.code as usize];
            if conditions >> step & 1 == 1 {
                step += 1;
                self.chain.times[step] = event.time;
                while step < level && self.at_time(events, event.time, step) {
                    step += 1;
                    self.chain.times[step] = event.time;
                }
            }
        }
    }

    /// Whether any event of this time fulfils step `step + 1`.
    fn at_time(&self, events: &[Event], time: u64, step: usize) -> bool {
        let from = events.partition_point(|event| event.time < time);
        events[from..].iter().take_while(|event| event.time == time).any(|event| self.conditions[event.code as usize] >> step & 1 == 1)
    }

    fn scan_moments(&mut self, events: &[Event]) {
        let plan = self.plan;
        self.standing.fill(NOBODY);
        self.reached.fill(false);
        let (mut best, mut best_start, mut last_moment) = (0, NEVER, self.moments.len());
        let mut started = false;
        let steps_mask = if plan.n_steps == 128 { !0 } else { (1_u128 << plan.n_steps) - 1 };
        'moments: for (index, moment) in self.moments.iter().enumerate() {
            let rows = &events[moment.from..moment.to];
            // Rows that fit nothing come first of their time.
            if plan.strict_order && started && rows.iter().any(|row| self.conditions[row.code as usize] == 0) {
                last_moment = index;
                break;
            }
            self.before.copy_from_slice(&self.standing);
            let mut steps = moment.conditions & steps_mask;
            while steps != 0 {
                let step = steps.trailing_zeros() as usize + 1;
                steps &= steps - 1;
                let n_rows = if plan.strict_deduplication {
                    rows.iter().filter(|row| self.conditions[row.code as usize] >> (step - 1) & 1 == 1).count()
                } else {
                    1
                };
                for _ in 0..n_rows {
                    let required = plan.required_before[step];
                    if step == 1 {
                        started = true;
                        self.standing[1] = Standing { start: moment.time, arrived: moment.time };
                    } else if (plan.strict_deduplication && self.reached[step]) || (plan.strict_order && started && !self.reached[required])
                    {
                        last_moment = index + 1;
                        break 'moments;
                    } else if let Some(start) = self.arrival(step, moment, rows) {
                        self.standing[step] = Standing { start, arrived: moment.time };
                    } else {
                        continue;
                    }
                    self.reached[step] = true;
                    if step > best {
                        (best, best_start) = (step, self.standing[step].start);
                        if best == plan.n_steps {
                            last_moment = index + 1;
                            break 'moments;
                        }
                    }
                }
            }
            for (number, &(from, to)) in plan.exclusions.iter().enumerate() {
                if moment.conditions >> (plan.n_steps + number) & 1 == 1 {
                    self.standing[from..to].fill(NOBODY);
                }
            }
        }
        self.chain.level = best;
        if best > 0 {
            super::path::earliest(plan, self.conditions, events, &self.moments[..last_moment], best, best_start, &mut self.chain.times);
        }
    }

    /// The start of the chain that a row of `moment` brings to `step`, if one may.
    fn arrival(&self, step: usize, moment: &Moment, rows: &[Event]) -> Option<u64> {
        let plan = self.plan;
        let may = |from: &Standing| {
            from.start != NEVER && moment.time - from.start <= plan.window && moment.time - from.arrived <= plan.within[step]
        };
        let required = plan.required_before[step];
        if plan.strict_increase {
            return Some(&self.before[required]).filter(|from| may(from)).map(|from| from.start);
        }
        if !plan.strict_once {
            return Some(&self.standing[required]).filter(|from| may(from)).map(|from| from.start);
        }
        // Each step of this moment needs a row of its own, whichever of them a chain came to the moment with.
        let mut run = vec![step];
        let mut newest: Option<u64> = None;
        loop {
            if super::path::rows_for(self.conditions, rows, &run).is_none() {
                return newest;
            }
            let first = run[run.len() - 1];
            if first == 1 {
                return Some(moment.time);
            }
            let previous = plan.required_before[first];
            let from = &self.before[previous];
            if from.start != NEVER && moment.time - from.start <= plan.window && moment.time - from.arrived <= plan.within[first] {
                newest = newest.max(Some(from.start));
            }
            run.push(previous);
        }
    }
}
