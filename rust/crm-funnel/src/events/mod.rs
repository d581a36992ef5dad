//! Event funnels: how far contacts get through ordered steps, by breakdowns, and how long they take.
mod any_order;
mod attempts;
mod chain;
mod config;
mod grouped;
mod key_values;
mod path;

use crm_core::{Control, Result};
use hashbrown::HashMap;

pub use chain::{Chain, Conditions, NEVER, Scanner};
pub use config::{EventFunnelConfig, ExclusionConfig, MAX_CONDITIONS, Plan, StepConfig};
pub use grouped::GroupedFunnel;
pub use key_values::KeyValues;

use crate::breakdown::{Attributes, Groups};
use crate::durations::{CellDurations, Durations, SortedDurations};
use crate::grouping::{Event, Rows, Span, Stretch, Visit, visit_keys};

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

/// What [`run`] found.
#[derive(Debug, Clone, Default)]
pub struct EventFunnelResult {
    /// One per breakdown asked for.
    pub breakdowns: Vec<Breakdown>,
    /// How far each contact came.
    pub levels: Levels,
}

/// How far each contact with an event that takes part came, 0 to the number of steps.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    /// Contacts whose keys lie close together: the level of the first key, of the next, and so on; [`Levels::ABSENT`] for keys without events.
    pub dense: Vec<(i64, Vec<u8>)>,
    /// All others.
    pub listed: Vec<(i64, u8)>,
}

impl Levels {
    /// No event of this key takes part.
    pub const ABSENT: u8 = u8::MAX;

    /// Lists the contacts of stretches of keys that are mostly absent.
    fn list_sparse(&mut self) {
        for (first, levels) in std::mem::take(&mut self.dense) {
            let present = levels.iter().filter(|level| **level != Self::ABSENT).count();
            if present * 9 >= levels.len() {
                self.dense.push((first, levels));
            } else {
                self.listed.extend((first..).zip(levels).filter(|(_, level)| *level != Self::ABSENT));
            }
        }
    }

    /// Each contact and its level.
    pub fn iter(&self) -> impl Iterator<Item = (i64, u8)> + '_ {
        let dense = self.dense.iter().flat_map(|(first, levels)| (*first..).zip(levels.iter().copied()));
        dense.filter(|(_, level)| *level != Self::ABSENT).chain(self.listed.iter().copied())
    }
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
    /// Contacts by time to convert, `[n_groups, n_steps + 1, bins]`; place 0 is from the first step to the last.
    pub histogram: Vec<u64>,
}

/// What contacts have come to so far, of however many stretches and batches.
#[derive(Debug)]
pub struct Tally {
    attributes: Attributes,
    place_bits: u32,
    /// Contacts that began, by attributes.
    began: Began,
    /// Time to each step taken after the first, and at place 0 from the first to the last; marks are `attributes << place_bits | place`.
    durations: Durations,
    attempts: HashMap<u64, Vec<u64>, foldhash::fast::FixedState>,
    levels: Levels,
    ticks: u64,
}

/// How many contacts began with each combination of attributes.
#[derive(Debug)]
enum Began {
    /// Few bits: a count for each combination.
    Counted(Vec<u64>),
    /// Many: a list, with repetitions.
    Listed(Vec<u64>),
}

/// Bits of attributes up to which combinations are counted.
const COUNTED_BITS: u32 = 14;

impl Began {
    fn new(bits: u32) -> Self {
        if bits <= COUNTED_BITS { Self::Counted(vec![0; 1 << bits]) } else { Self::Listed(Vec::new()) }
    }

    #[inline(always)]
    fn add(&mut self, word: u64) {
        match self {
            Self::Counted(counts) => counts[word as usize] += 1,
            Self::Listed(words) => words.push(word),
        }
    }

    fn append(&mut self, other: &mut Self) {
        match (self, other) {
            (Self::Counted(counts), Self::Counted(more)) => counts.iter_mut().zip(more).for_each(|(sum, n)| *sum += *n),
            (Self::Listed(words), Self::Listed(more)) => words.append(more),
            // Both are made for the same attributes.
            _ => {}
        }
    }

    fn words(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let (counts, words): (&[u64], &[u64]) = match self {
            Self::Counted(counts) => (counts, &[]),
            Self::Listed(words) => (&[], words),
        };
        let counted = (0..).zip(counts.iter().copied()).filter(|(_, n)| *n > 0);
        counted.chain(words.iter().map(|&word| (word, 1)))
    }
}

impl Tally {
    fn new(attributes: Attributes, n_steps: usize, span: Span) -> Self {
        let place_bits = 64 - (n_steps as u64).leading_zeros();
        Self {
            place_bits,
            began: Began::new(attributes.bits),
            durations: Durations::new(attributes.bits + place_bits, span.last),
            attempts: HashMap::default(),
            levels: Levels::default(),
            ticks: span.ticks,
            attributes,
        }
    }

    /// Adds another tally of the same funnel, whose tick is a multiple of this one's.
    fn append(&mut self, mut other: Self) {
        self.began.append(&mut other.began);
        self.durations.append_scaled(&mut other.durations, other.ticks / self.ticks);
        for (word, reached) in other.attempts {
            let sums = self.attempts.entry(word).or_insert_with(|| vec![0; reached.len()]);
            sums.iter_mut().zip(reached).for_each(|(sum, n)| *sum += n);
        }
        self.levels.dense.append(&mut other.levels.dense);
        self.levels.listed.append(&mut other.levels.listed);
    }
}

/// Visits contacts and adds them to a tally.
struct Visitor<'p> {
    scanner: Scanner<'p>,
    dimensions: &'p [Dimension],
    /// Whether any of them is a property of an event.
    by_touch: bool,
    first_key: Option<i64>,
    dense: Vec<u8>,
    tally: Tally,
}

/// Runs a funnel: `conditions` says what each code fulfils, `breakdowns` which dimensions each breakdown combines.
pub fn run(
    plan: &Plan,
    conditions: &[Conditions],
    batches: Vec<Rows<'_>>,
    dimensions: &[Dimension],
    breakdowns: &[Vec<usize>],
    ticks_per_second: u64,
    control: &dyn Control,
) -> Result<EventFunnelResult> {
    let attributes = Attributes::new(dimensions.iter().map(|dimension| dimension.n_values))?;
    let tally = tally(plan, conditions, batches, dimensions, &attributes, control)?;
    let tally = tally.unwrap_or_else(|| Tally::new(attributes, plan.n_steps, Span { first_time: 0, ticks: 1, last: 0 }));
    finish(plan, tally, dimensions, breakdowns, ticks_per_second, control)
}

/// What the contacts of some batches come to; `None` if no row takes part.
fn tally(
    plan: &Plan,
    conditions: &[Conditions],
    batches: Vec<Rows<'_>>,
    dimensions: &[Dimension],
    attributes: &Attributes,
    control: &dyn Control,
) -> Result<Option<Tally>> {
    let with_rows = by_touch(dimensions);
    // Plans differ by the span's tick only, and the span is known when the first piece is.
    let scaled = std::sync::OnceLock::new();
    let visitors = visit_keys(batches, with_rows, control, |stretch| {
        let plan: &Plan = scaled.get_or_init(|| plan_in(plan, stretch.span));
        Visitor::new(plan, conditions, dimensions, attributes, stretch)
    })?;
    let mut whole: Option<Tally> = None;
    for visitor in visitors {
        let part = visitor.finish();
        match &mut whole {
            Some(tally) => tally.append(part),
            None => whole = Some(part),
        }
    }
    Ok(whole)
}

/// Whether any dimension is a property of an event.
fn by_touch(dimensions: &[Dimension]) -> bool {
    dimensions.iter().any(|dimension| !matches!(dimension.of, DimensionOf::Contact(_)))
}

/// The plan with windows in the span's ticks.
fn plan_in(plan: &Plan, span: Span) -> Plan {
    let coarse = |ticks: u64| if ticks == NEVER { NEVER } else { ticks / span.ticks };
    let mut plan = plan.clone();
    plan.window = coarse(plan.window);
    plan.within.iter_mut().for_each(|within| *within = coarse(*within));
    plan
}

impl<'p> Visitor<'p> {
    fn new(plan: &'p Plan, conditions: &'p [Conditions], dimensions: &'p [Dimension], attributes: &Attributes, stretch: Stretch) -> Self {
        Self {
            scanner: Scanner::new(plan, conditions),
            dimensions,
            by_touch: by_touch(dimensions),
            first_key: stretch.keys.map(|keys| keys.0),
            dense: vec![Levels::ABSENT; stretch.keys.map_or(0, |keys| keys.1)],
            tally: Tally::new(attributes.clone(), plan.n_steps, stretch.span),
        }
    }

    fn finish(mut self) -> Tally {
        if let Some(first) = self.first_key {
            self.tally.levels.dense.push((first, self.dense));
        }
        self.tally
    }

    #[inline(always)]
    fn attributes(&self, key: i64, events: &[Event], level: usize) -> u64 {
        let mut word = 0;
        for (number, dimension) in self.dimensions.iter().enumerate() {
            let value = match &dimension.of {
                DimensionOf::Contact(values) => values.find(key, dimension.n_values),
                DimensionOf::FirstStep(values) => self.scanner.least_value(events, 1, values, dimension.n_values),
                DimensionOf::LastStep(values) => self.scanner.least_value(events, level, values, dimension.n_values),
            };
            word |= self.tally.attributes.pack(number, value);
        }
        word
    }
}

impl Visit for Visitor<'_> {
    /// Touches and attempts are found by walking along the times.
    fn needs_order(&self, codes: u64) -> bool {
        self.by_touch || self.scanner.plan().attempts || self.scanner.needs_order(codes)
    }

    fn visit(&mut self, key: i64, events: &[Event]) {
        self.scanner.scan(events);
        let plan = self.scanner.plan();
        let level = self.scanner.chain.level;
        match self.first_key {
            Some(first) => self.dense[key.abs_diff(first) as usize] = level as u8,
            None => self.tally.levels.listed.push((key, level as u8)),
        }
        if level == 0 {
            return;
        }
        let word = self.attributes(key, events, level);
        self.tally.began.add(word);
        let mark = word << self.tally.place_bits;
        let times = &self.scanner.chain.times;
        for step in 2..=level {
            if times[step] != NEVER {
                self.tally.durations.push(mark | step as u64, times[step] - times[plan.required_before[step]]);
            }
        }
        if level == plan.n_steps && level > 1 {
            self.tally.durations.push(mark, times[level] - times[1]);
        }
        if plan.attempts {
            let reached = self.tally.attempts.entry(word).or_insert_with(|| vec![0; plan.n_steps + 1]);
            self.scanner.count_attempts(events, reached);
        }
    }
}

fn finish(
    plan: &Plan,
    tally: Tally,
    dimensions: &[Dimension],
    breakdowns: &[Vec<usize>],
    ticks_per_second: u64,
    control: &dyn Control,
) -> Result<EventFunnelResult> {
    let mut result = EventFunnelResult { levels: tally.levels, ..EventFunnelResult::default() };
    let durations = tally.durations.sort();
    let scale = Scale { ticks: tally.ticks, per_second: ticks_per_second };
    for by in breakdowns {
        control.check()?;
        let counts_as = by.iter().map(|&dimension| counts_as(&dimensions[dimension], dimension, &tally.attributes, &tally.began)).collect();
        let groups = Groups::new(&tally.attributes, by, counts_as, tally.began.words().map(|(word, _)| word));
        let mut breakdown = breakdown(plan, &durations, &groups, tally.place_bits, &scale);
        for (word, n) in tally.began.words() {
            breakdown.contacts[groups.of(word) * plan.n_steps] += n;
        }
        if plan.attempts {
            breakdown.attempts = vec![0; groups.len() * plan.n_steps];
            for (&word, reached) in &tally.attempts {
                let from = groups.of(word) * plan.n_steps;
                breakdown.attempts[from..from + plan.n_steps].iter_mut().zip(&reached[1..]).for_each(|(sum, n)| *sum += n);
            }
        }
        breakdown.groups = groups.values;
        if by.is_empty() && breakdown.groups.is_empty() {
            breakdown.add_empty_group(plan);
        }
        result.breakdowns.push(breakdown);
    }
    Ok(result)
}

/// The unit of times.
struct Scale {
    /// The caller's ticks in one of ours.
    ticks: u64,
    /// The caller's ticks in a second.
    per_second: u64,
}

impl Scale {
    /// Multiplies and then divides: a product with 1e-9 would not be exact.
    fn seconds(&self, in_ticks: f64) -> f64 {
        in_ticks * self.ticks as f64 / self.per_second as f64
    }

    fn edges(&self) -> Vec<u64> {
        HISTOGRAM_EDGES_SECONDS.iter().map(|&edge| (edge * self.per_second).div_ceil(self.ticks)).collect()
    }
}

/// Everything of a breakdown that durations tell: they count the contacts of each step after the first.
fn breakdown(plan: &Plan, durations: &SortedDurations, groups: &Groups, place_bits: u32, scale: &Scale) -> Breakdown {
    let places = plan.n_steps + 1;
    let cell_of = |mark: u64| groups.of(mark >> place_bits) * places + (mark & ((1 << place_bits) - 1)) as usize;
    let cells: CellDurations = durations.per_cell(groups.len() * places, &scale.edges(), cell_of);
    let mut breakdown = Breakdown { histogram: cells.histogram, ..Breakdown::default() };
    for cell in (0..groups.len()).flat_map(|group| group * places + 1..(group + 1) * places) {
        breakdown.contacts.push(cells.count[cell]);
        breakdown.median_seconds.push(scale.seconds(cells.median[cell]));
        breakdown.p90_seconds.push(scale.seconds(cells.p90[cell]));
    }
    breakdown
}

impl Breakdown {
    /// The funnel of nobody.
    fn add_empty_group(&mut self, plan: &Plan) {
        self.groups.push(Vec::new());
        self.contacts = vec![0; plan.n_steps];
        self.attempts = vec![0; if plan.attempts { plan.n_steps } else { 0 }];
        self.median_seconds = vec![f64::NAN; plan.n_steps];
        self.p90_seconds = vec![f64::NAN; plan.n_steps];
        self.histogram = vec![0; (plan.n_steps + 1) * (HISTOGRAM_EDGES_SECONDS.len() + 1)];
    }
}

/// What each value of a dimension with a top counts as; `None` keeps all.
fn counts_as(dimension: &Dimension, number: usize, attributes: &Attributes, began: &Began) -> Option<Vec<u32>> {
    let top = dimension.top?;
    let mut contacts = vec![0_u64; dimension.n_values as usize + 1];
    for (word, n) in began.words() {
        contacts[attributes.value(word, number) as usize] += n;
    }
    let mut order: Vec<usize> = (0..contacts.len()).filter(|&value| contacts[value] > 0).collect();
    order.sort_by_key(|&value| (std::cmp::Reverse(contacts[value]), value));
    let mut counts_as = vec![dimension.n_values + 1; contacts.len()];
    order.iter().take(top).for_each(|&value| counts_as[value] = value as u32);
    Some(counts_as)
}
