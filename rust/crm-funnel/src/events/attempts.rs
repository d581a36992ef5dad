//! Attempts: how often a contact set out, and how far each time.
use super::chain::{Conditions, Moment};
use super::config::Plan;
use crate::grouping::Event;

/// Adds 1 to `reached[step]` for each step that each attempt reached, from 1.
///
/// A step-1 event outside an attempt begins one; it takes each next step as soon as it comes, and ends when it is complete, when
/// its window is over, or at an exclusion. Events inside an attempt begin no other.
pub(super) fn count(plan: &Plan, conditions: &[Conditions], events: &[Event], moments: &[Moment], reached: &mut [u64]) {
    let mut open: Option<Attempt> = None;
    for moment in moments {
        if let Some(attempt) = &open
            && moment.time - attempt.start > plan.window
        {
            open = None;
        }
        let rows = &events[moment.from..moment.to];
        // Which steps of this moment the open attempt has taken: they need rows of their own under strict_once.
        let mut run: Vec<usize> = Vec::new();
        // A step is a number that rows, masks and windows are also known by; an iterator over one of them would hide that.
        #[allow(clippy::needless_range_loop)]
        for step in 1..=plan.n_steps {
            if moment.conditions >> (step - 1) & 1 == 0 || (plan.strict_increase && !run.is_empty()) {
                continue;
            }
            let fits = |run: &[usize]| !plan.strict_once || super::path::rows_for(conditions, rows, &[run, &[step]].concat()).is_some();
            match &mut open {
                None if step == 1 => {
                    open = Some(Attempt { start: moment.time, step: 1, required: 1, required_at: moment.time });
                }
                Some(attempt)
                    if step > attempt.step
                        && plan.required_before[step] <= attempt.required
                        && moment.time - attempt.required_at <= plan.within[step]
                        && fits(&run) =>
                {
                    attempt.step = step;
                    if !plan.optional[step] {
                        (attempt.required, attempt.required_at) = (step, moment.time);
                    }
                }
                _ => continue,
            }
            run.push(step);
            reached[step] += 1;
            if step == plan.n_steps {
                open = None;
                break;
            }
        }
        for (number, &(from, to)) in plan.exclusions.iter().enumerate() {
            let ends = open.as_ref().is_some_and(|attempt| (from..to).contains(&attempt.step));
            if ends && moment.conditions >> (plan.n_steps + number) & 1 == 1 {
                open = None;
            }
        }
    }
}

struct Attempt {
    start: u64,
    step: usize,
    required: usize,
    required_at: u64,
}
