//! Event funnels: how far contacts get through ordered steps, by breakdowns, and how long they take.
mod any_order;
mod attempts;
mod chain;
mod config;
mod path;

use crm_core::{Control, Error, Result};
use hashbrown::HashMap;

pub use chain::{Chain, Conditions, NEVER, Scanner};
pub use config::{EventFunnelConfig, ExclusionConfig, MAX_CONDITIONS, Plan, StepConfig};

use crate::grouping::{Event, Rows, Span, visit_keys};
use crate::quantile::{CellDurations, Durations};

/// Upper edges of the histogram of times to convert, in seconds; the last bin has none.
pub const HISTOGRAM_EDGES_SECONDS: [u64; 14] =
    [10, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 172_800, 345_600, 604_800, 1_209_600, 2_592_000];

/// What contacts are told apart by. Values are numbered; the number after the last stands for none.
#[derive(Debug, Clone)]
pub struct Dimension {
    /// Where a contact's value comes from.
    pub of: DimensionOf,
    /// Number of values, without the one for none.
    pub n_values: u32,
    /// Keep this many values with the most contacts at step 1; the others become one, numbered `n_values + 1`.
    pub top: Option<usize>,
}

/// Where a dimension's value comes from.
#[derive(Debug, Clone)]
pub enum DimensionOf {
    /// A property of the contact, by its key.
    Contact(KeyValues),
    /// The value in the row of the chain's first step, by row.
    FirstStep(Vec<u32>),
    /// The value in the row of the chain's last step, by row.
    LastStep(Vec<u32>),
}

/// Numbers by key.
#[derive(Debug, Clone)]
pub enum KeyValues {
    /// Keys from a base on.
    Dense(i64, Vec<u32>),
    /// Any keys.
    Sparse(HashMap<i64, u32, foldhash::fast::FixedState>),
}

impl KeyValues {
    /// Of several values for one key the last counts; keys that are missing have `none`.
    pub fn new(keys: &[i64], values: &[u32], none: u32) -> Self {
        let (min, max) = (keys.iter().copied().min().unwrap_or(0), keys.iter().copied().max().unwrap_or(0));
        if max.abs_diff(min) < (keys.len() as u64) * 8 + 1_024 {
            let mut dense = vec![none; max.abs_diff(min) as usize + 1];
            for (&key, &value) in keys.iter().zip(values) {
                dense[key.abs_diff(min) as usize] = value;
            }
            return Self::Dense(min, dense);
        }
        Self::Sparse(keys.iter().copied().zip(values.iter().copied()).collect())
    }

    /// The value of `key`, or `none`.
    #[inline]
    pub fn find(&self, key: i64, none: u32) -> u32 {
        match self {
            Self::Dense(base, values) => {
                // Below the base the difference wraps around to a number beyond the end.
                values.get(key.wrapping_sub(*base) as u64 as usize).copied().unwrap_or(none)
            }
            Self::Sparse(values) => values.get(&key).copied().unwrap_or(none),
        }
    }
}

/// What [`run`] found.
#[derive(Debug, Clone, Default)]
pub struct EventFunnelResult {
    /// One per breakdown asked for.
    pub breakdowns: Vec<Breakdown>,
    /// Every contact with an event that takes part.
    pub contacts: Vec<i64>,
    /// How far each came, 0 to the number of steps.
    pub levels: Vec<u8>,
}

/// The funnel of each group of contacts; arrays are `[n_groups, n_steps]`.
#[derive(Debug, Clone, Default)]
pub struct Breakdown {
    /// The numbers of each group's values, `[n_groups, n_dimensions]`, ascending.
    pub groups: Vec<Vec<u32>>,
    /// Contacts that took each step.
    pub contacts: Vec<u64>,
    /// Attempts that took each step; empty unless asked for.
    pub attempts: Vec<u64>,
    /// Seconds from the required step before: median, `NaN` for the first.
    pub median_seconds: Vec<f64>,
    /// The 90 % quantile likewise.
    pub p90_seconds: Vec<f64>,
    /// The mean likewise.
    pub mean_seconds: Vec<f64>,
    /// Seconds from the first step to the last: median per group.
    pub total_median_seconds: Vec<f64>,
    /// The 90 % quantile likewise.
    pub total_p90_seconds: Vec<f64>,
    /// Contacts by time to convert, `[n_groups, n_steps + 1, bins]`; place 0 is from the first step to the last.
    pub histogram: Vec<u64>,
}

/// What one stretch of contacts adds up to. A tuple is a combination of all dimensions' values.
struct Collected<'p> {
    scanner: Scanner<'p>,
    tuple_of: HashMap<u128, u32, foldhash::fast::FixedState>,
    last_tuple: Option<(u128, u32)>,
    tuples: Vec<u128>,
    reached: Vec<u64>,
    attempts: Vec<u64>,
    durations: Durations,
    contacts: Vec<i64>,
    levels: Vec<u8>,
    ticks: u64,
}

/// Runs a funnel: `conditions` says what each code fulfils, `breakdowns` which dimensions each breakdown combines.
pub fn run(
    plan: &Plan,
    conditions: &[Conditions],
    batches: &[Rows<'_>],
    dimensions: &[Dimension],
    breakdowns: &[Vec<usize>],
    ticks_per_second: u64,
    control: &dyn Control,
) -> Result<EventFunnelResult> {
    let radices = radices(dimensions)?;
    let with_rows = dimensions.iter().any(|dimension| !matches!(dimension.of, DimensionOf::Contact(_)));
    // Plans differ by the span's tick only, and the span is known when the first piece is.
    let scaled = std::sync::OnceLock::new();
    let collected = visit_keys(
        batches,
        with_rows,
        control,
        |span| {
            let plan: &Plan = scaled.get_or_init(|| plan_in(plan, span));
            Collected::new(plan, conditions, span)
        },
        |collected, key, events| collected.add(key, events, dimensions, &radices),
    )?;
    finish(plan, collected, dimensions, &radices, breakdowns, ticks_per_second)
}

/// The plan with windows in the span's ticks.
fn plan_in(plan: &Plan, span: Span) -> Plan {
    let coarse = |ticks: u64| if ticks == NEVER { NEVER } else { ticks / span.ticks };
    let mut plan = plan.clone();
    plan.window = coarse(plan.window);
    plan.within.iter_mut().for_each(|within| *within = coarse(*within));
    plan
}

fn radices(dimensions: &[Dimension]) -> Result<Vec<u128>> {
    let mut product = 1_u128;
    let mut radices = Vec::new();
    for dimension in dimensions {
        radices.push(product);
        product = product
            .checked_mul(u128::from(dimension.n_values) + 1)
            .ok_or_else(|| Error::limit("the breakdowns have too many values together; leave some out or give them a top"))?;
    }
    Ok(radices)
}

impl<'p> Collected<'p> {
    fn new(plan: &'p Plan, conditions: &'p [Conditions], span: Span) -> Self {
        Self {
            scanner: Scanner::new(plan, conditions),
            tuple_of: HashMap::default(),
            last_tuple: None,
            tuples: Vec::new(),
            reached: Vec::new(),
            attempts: Vec::new(),
            durations: Durations::default(),
            contacts: Vec::new(),
            levels: Vec::new(),
            ticks: span.ticks,
        }
    }
}

impl Collected<'_> {
    fn add(&mut self, key: i64, events: &[Event], dimensions: &[Dimension], radices: &[u128]) {
        self.scanner.scan(events);
        let plan = self.scanner.plan();
        let level = self.scanner.chain.level;
        self.contacts.push(key);
        self.levels.push(level as u8);
        if level == 0 {
            return;
        }
        let mut tuple = 0;
        for (dimension, radix) in dimensions.iter().zip(radices) {
            let value = match &dimension.of {
                DimensionOf::Contact(values) => values.find(key, dimension.n_values),
                DimensionOf::FirstStep(values) => self.scanner.least_value(events, 1, values, dimension.n_values),
                DimensionOf::LastStep(values) => self.scanner.least_value(events, level, values, dimension.n_values),
            };
            tuple += u128::from(value) * radix;
        }
        let places = plan.n_steps + 1;
        let index = match self.last_tuple {
            Some((last, index)) if last == tuple => index,
            _ => {
                let fresh = self.tuples.len() as u32;
                let index = *self.tuple_of.entry(tuple).or_insert(fresh);
                if index == fresh {
                    self.tuples.push(tuple);
                    self.reached.resize(self.tuples.len() * places, 0);
                    if plan.attempts {
                        self.attempts.resize(self.tuples.len() * places, 0);
                    }
                }
                self.last_tuple = Some((tuple, index));
                index
            }
        };
        let from = index as usize * places;
        let times = &self.scanner.chain.times;
        let reached = &mut self.reached[from..from + places];
        for step in 1..=level {
            if times[step] == NEVER {
                continue;
            }
            reached[step] += 1;
            if step > 1 {
                self.durations.push((from + step) as u32, times[step] - times[plan.required_before[step]]);
            }
        }
        if level == plan.n_steps && level > 1 {
            self.durations.push(from as u32, times[level] - times[1]);
        }
        if plan.attempts {
            self.scanner.count_attempts(events, &mut self.attempts[from..from + places]);
        }
    }
}

fn finish(
    plan: &Plan,
    collected: Vec<Collected<'_>>,
    dimensions: &[Dimension],
    radices: &[u128],
    breakdowns: &[Vec<usize>],
    ticks_per_second: u64,
) -> Result<EventFunnelResult> {
    let places = plan.n_steps + 1;
    let ticks = collected.first().map_or(1, |part| part.ticks);
    // Multiply and then divide: a product with 1e-9 would not be exact.
    let seconds = |in_ticks: f64| in_ticks * ticks as f64 / ticks_per_second as f64;
    let mut result = EventFunnelResult::default();
    let mut tuples: Vec<u128> = collected.iter().flat_map(|part| part.tuples.iter().copied()).collect();
    tuples.sort_unstable();
    tuples.dedup();
    let mut reached = vec![0; tuples.len() * places];
    let mut attempts = vec![0; if plan.attempts { tuples.len() * places } else { 0 }];
    let mut durations = Vec::new();
    for mut part in collected {
        let global: Vec<usize> = part.tuples.iter().map(|tuple| tuples.partition_point(|other| other < tuple)).collect();
        for (&to, from) in global.iter().zip(0..) {
            for place in 0..places {
                reached[to * places + place] += part.reached[from * places + place];
                if plan.attempts {
                    attempts[to * places + place] += part.attempts[from * places + place];
                }
            }
        }
        part.durations.renumber(|cell| (global[cell as usize / places] * places + cell as usize % places) as u32);
        durations.push(part.durations);
        result.contacts.append(&mut part.contacts);
        result.levels.append(&mut part.levels);
    }
    if breakdowns.len() > 1 {
        // Sorted once, the durations of each breakdown's cells are sorted too.
        durations = vec![Durations::sorted(durations)];
    }
    let value_of = |tuple: u128, dimension: usize| (tuple / radices[dimension] % (u128::from(dimensions[dimension].n_values) + 1)) as u32;
    for by in breakdowns {
        let kept: Vec<Option<Vec<bool>>> =
            by.iter().map(|&d| kept_values(&dimensions[d], d, &tuples, &reached, places, &value_of)).collect();
        let group_of_tuple: Vec<Vec<u32>> = tuples
            .iter()
            .map(|&tuple| {
                let values = by.iter().zip(&kept).map(|(&dimension, kept)| {
                    let value = value_of(tuple, dimension);
                    match kept {
                        Some(kept) if !kept[value as usize] => dimensions[dimension].n_values + 1,
                        _ => value,
                    }
                });
                values.collect()
            })
            .collect();
        let mut groups = group_of_tuple.clone();
        groups.sort_unstable();
        groups.dedup();
        if by.is_empty() && groups.is_empty() {
            groups.push(Vec::new());
        }
        let index: Vec<usize> = group_of_tuple.iter().map(|group| groups.partition_point(|other| other < group)).collect();
        let n_cells = groups.len() * places;
        let cell_of = |cell: u32| index[cell as usize / places] * places + cell as usize % places;
        let cells = Durations::per_cell(&durations, n_cells, cell_of);
        let edges: Vec<u64> = HISTOGRAM_EDGES_SECONDS.iter().map(|&edge| edge * ticks_per_second / ticks).collect();
        let mut breakdown = breakdown(&cells, groups.len(), places, &seconds);
        breakdown.histogram = Durations::histogram(&durations, n_cells, &edges, cell_of);
        breakdown.contacts = fold(&reached, &index, groups.len(), places);
        if plan.attempts {
            breakdown.attempts = fold(&attempts, &index, groups.len(), places);
        }
        breakdown.groups = groups;
        result.breakdowns.push(breakdown);
    }
    Ok(result)
}

/// Which values of a dimension with a top are kept; `None` keeps all.
fn kept_values(
    dimension: &Dimension,
    number: usize,
    tuples: &[u128],
    reached: &[u64],
    places: usize,
    value_of: &impl Fn(u128, usize) -> u32,
) -> Option<Vec<bool>> {
    let top = dimension.top?;
    let mut contacts = vec![0_u64; dimension.n_values as usize + 1];
    for (index, &tuple) in tuples.iter().enumerate() {
        contacts[value_of(tuple, number) as usize] += reached[index * places + 1];
    }
    let mut order: Vec<usize> = (0..contacts.len()).filter(|&value| contacts[value] > 0).collect();
    order.sort_by_key(|&value| (std::cmp::Reverse(contacts[value]), value));
    let mut kept = vec![false; contacts.len()];
    order.iter().take(top).for_each(|&value| kept[value] = true);
    Some(kept)
}

/// `[n_tuples, places]` to `[n_groups, n_steps]`.
fn fold(counts: &[u64], group: &[usize], n_groups: usize, places: usize) -> Vec<u64> {
    let n_steps = places - 1;
    let mut folded = vec![0; n_groups * n_steps];
    for (tuple, &group) in group.iter().enumerate() {
        for step in 0..n_steps {
            folded[group * n_steps + step] += counts[tuple * places + step + 1];
        }
    }
    folded
}

fn breakdown(cells: &CellDurations, n_groups: usize, places: usize, seconds: &impl Fn(f64) -> f64) -> Breakdown {
    let mut breakdown = Breakdown::default();
    for group in 0..n_groups {
        for step in 1..places {
            let cell = group * places + step;
            breakdown.median_seconds.push(seconds(cells.median[cell]));
            breakdown.p90_seconds.push(seconds(cells.p90[cell]));
            breakdown.mean_seconds.push(seconds(cells.sum[cell] as f64 / cells.count[cell] as f64));
        }
        breakdown.total_median_seconds.push(seconds(cells.median[group * places]));
        breakdown.total_p90_seconds.push(seconds(cells.p90[group * places]));
    }
    breakdown
}
