//! Scores pairs with a fitted model.
mod settle;

use crm_core::Result;
use hashbrown::HashMap;
use serde::Serialize;

use super::model::Model;
use super::sketch::{Sketches, state};
use super::weights::{PairPriors, Roles, Sum};
use crate::block::Candidates;
use crate::compare::{Comparer, Comparison, EXACT, LevelCache, Levels, MISSING, SWAPPED, Spread, level_names};
use crate::records::{Kind, Records};
use crate::{PairScorer, ResolveConfig, WEIGHT_ONE};
pub(super) use settle::{Begun, Settling};

/// One line of an explanation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedComparison {
    /// The field.
    pub comparison: String,
    /// How the two values compare.
    pub level: &'static str,
    /// The first record's normalized value.
    pub value_a: Option<String>,
    /// The second record's normalized value.
    pub value_b: Option<String>,
    /// What it added to the match weight, in bits.
    pub weight: f64,
}

/// Scores any two records under a model.
pub struct Scorer<'a> {
    pub(super) comparer: Comparer<'a>,
    roles: Roles,
    weights: Vec<Vec<i32>>,
    rare: Vec<i32>,
    /// Per comparison the weights of "exact" on frequent values.
    frequent: Vec<HashMap<u32, i32>>,
    priors: PairPriors,
    /// Whether the records are companies', not people's.
    is_of_companies: bool,
    /// Per comparison the highest weight that values with different numbers can have.
    best_open: Vec<i32>,
    /// Per comparison its field's place in a row.
    fields: Vec<usize>,
    /// The states of given and family name, and those of all that belongs to the name.
    name_core: u64,
    names: u64,
    /// Comparisons other than the names', the cheapest first.
    order: Vec<usize>,
    unique_sources: Vec<u16>,
    review: i32,
    /// Tells scorers apart in the caches of threads that outlive them.
    number: u64,
}

static NEXT_NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);

/// The weight of two records that cannot be one contact: they come from a source without duplicates.
pub(super) const NEVER: i32 = -64 * WEIGHT_ONE;

impl<'a> Scorer<'a> {
    /// A scorer for `records`; fields that the model does not know take no part.
    pub fn new(records: &'a Records, model: &Model, config: &ResolveConfig) -> Result<Self> {
        config.validate()?;
        let (comparisons, places) = model.bind(records);
        let roles = Roles::new(model.comparisons.iter().map(|comparison| (comparison.name.as_str(), comparison.kind)), |place| {
            model.comparisons[place].is_identifying
        });
        // What a comparison counts towards depends on all that the model compares, also where these records lack some of it.
        let roles = roles.select(&places);
        let frequent =
            comparisons.iter().zip(&places).map(|(comparison, place)| model.exact_weights(*place, records, comparison.field)).collect();
        let weights: Vec<Vec<i32>> = places.iter().map(|place| model.comparisons[*place].weights.clone()).collect();
        let rare: Vec<i32> = places.iter().map(|place| model.comparisons[*place].rare_weight).collect();
        let best_open = |place: usize| {
            let best = weights[place][2..].iter().copied().max().unwrap_or(0).max(0);
            if records.may_be_exact_though_other(comparisons[place].field) { best.max(rare[place]) } else { best }
        };
        let best_open = (0..weights.len()).map(best_open).collect();
        let mut order: Vec<usize> = (0..comparisons.len()).filter(|place| !is_name(comparisons[*place].kind)).collect();
        order.sort_by_key(|place| cost(comparisons[*place].kind));
        let states_of = |is_meant: &dyn Fn(Kind) -> bool| {
            let of = |(place, comparison): (usize, &Comparison)| if is_meant(comparison.kind) { 3 << (2 * place) } else { 0u64 };
            comparisons.iter().enumerate().map(of).sum()
        };
        Ok(Self {
            fields: comparisons.iter().map(|comparison| comparison.field).collect(),
            name_core: states_of(&|kind| matches!(kind, Kind::Given | Kind::Family)),
            names: states_of(&is_name),
            is_of_companies: roles.is_of_companies(),
            roles,
            rare,
            weights,
            frequent,
            priors: PairPriors {
                all: model.prior,
                related: model.related_prior,
                branch: model.branch_prior,
                household: model.household_weight,
                surname: model.related_surname,
                contradicted: model.contradicted,
            },
            best_open,
            order,
            number: NEXT_NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            unique_sources: records.unique_sources(config),
            review: config.review_weight(),
            comparer: Comparer::new(records, comparisons),
        })
    }

    /// The names of the comparisons, in the order of [`Scorer::agreement_pattern`].
    pub fn comparison_names(&self) -> Vec<&str> {
        self.comparer.comparisons().iter().map(|comparison| comparison.name.as_str()).collect()
    }

    /// Per comparison the names of its levels; the numbers of a pattern are places in them.
    pub fn level_names(&self) -> Vec<&'static [&'static str]> {
        self.comparer.comparisons().iter().map(|comparison| level_names(comparison.kind)).collect()
    }

    /// The level of every comparison.
    pub fn agreement_pattern(&self, a: u32, b: u32, cache: &mut LevelCache) -> Vec<u8> {
        self.comparer.levels(a, b, cache)[..self.weights.len()].to_vec()
    }

    /// The weight and how it came about, one line per comparison that had values on either side.
    pub fn explain(&self, a: u32, b: u32) -> (i32, Vec<ExplainedComparison>) {
        let mut cache = LevelCache::default();
        let levels = self.comparer.levels(a, b, &mut cache);
        let (row_a, row_b) = (self.comparer.records.row(a), self.comparer.records.row(b));
        let lines = self.comparer.comparisons().iter().enumerate().map(|(place, comparison)| {
            let (one, other) = (row_a[comparison.field], row_b[comparison.field]);
            let weight = self.level_weight(place, levels[place], one, other).0;
            ExplainedComparison {
                comparison: comparison.name.clone(),
                level: level_names(comparison.kind)[usize::from(levels[place])],
                value_a: self.comparer.records.shown(comparison.field, one),
                value_b: self.comparer.records.shown(comparison.field, other),
                weight: f64::from(weight) / f64::from(WEIGHT_ONE),
            }
        });
        let lines = lines.filter(|line| line.value_a.is_some() || line.value_b.is_some()).collect();
        (self.weight_of(a, b, &levels), lines)
    }

    /// Whether the two can never be one contact because their source holds no duplicates.
    #[inline]
    pub fn is_forbidden(&self, a: u32, b: u32) -> bool {
        if self.unique_sources.is_empty() {
            return false;
        }
        let (one, other) = (self.unique_sources[a as usize], self.unique_sources[b as usize]);
        one != u16::MAX && one == other
    }

    /// The weight of two compared records.
    fn weight_of(&self, a: u32, b: u32, levels: &Levels) -> i32 {
        if self.is_forbidden(a, b) {
            return NEVER;
        }
        let (row_a, row_b) = (self.comparer.records.row(a), self.comparer.records.row(b));
        let mut sum = Sum::default();
        for (place, comparison) in self.comparer.comparisons().iter().enumerate() {
            let (weight, spread) = self.level_weight(place, levels[place], row_a[comparison.field], row_b[comparison.field]);
            sum.add(spread, weight);
        }
        sum.total(self.priors)
    }

    /// What a level weighs, and whether it counts as personal: a mailbox that many share does not.
    #[inline]
    fn level_weight(&self, place: usize, level: u8, a: u32, b: u32) -> (i32, Spread) {
        let spread = self.roles.spread(place, level);
        if level != EXACT {
            let weight = self.weights[place][usize::from(level)];
            if weight <= 0 {
                return (weight, spread);
            }
            let is_swapped = level == SWAPPED && is_name(self.comparer.comparisons()[place].kind);
            let most = if is_swapped { self.swapped_weight(place, a, b) } else { self.near_weight(place, a, b) };
            return (weight.min(most), spread);
        }
        let weight = self.exact_weight(place, a, b);
        if weight >= self.rare[place] {
            return (weight, spread);
        }
        // What many share is no one's own: a mailbox of the house, the switchboard of a chain.
        match self.comparer.comparisons()[place].kind {
            Kind::Email => (weight, Spread::Shared),
            Kind::Phone if self.is_of_companies => (weight, Spread::Chain),
            _ => (weight, spread),
        }
    }

    /// What values that nearly agree are worth at most: what either would be worth if they did. A slip in a frequent name is no rare name.
    #[inline]
    fn near_weight(&self, place: usize, a: u32, b: u32) -> i32 {
        let frequent = &self.frequent[place];
        if frequent.is_empty() {
            return self.rare[place];
        }
        [a, b].into_iter().filter_map(|value| frequent.get(&value).copied()).fold(self.rare[place], i32::min)
    }

    /// What a name in the other name's place is worth at most: what it would be in its own.
    fn swapped_weight(&self, place: usize, a: u32, b: u32) -> i32 {
        let comparisons = self.comparer.comparisons();
        let names = (0..comparisons.len()).filter(|place| matches!(comparisons[*place].kind, Kind::Given | Kind::Family));
        let values = [a, b].into_iter().filter(|value| *value != 0);
        let frequent = names.flat_map(|name| values.clone().filter_map(move |value| self.frequent[name].get(&value).copied()));
        frequent.min().unwrap_or(self.rare[place]).min(self.rare[place])
    }

    #[inline]
    fn exact_weight(&self, place: usize, a: u32, b: u32) -> i32 {
        let frequent = &self.frequent[place];
        if frequent.is_empty() {
            return self.rare[place];
        }
        if a == b
            && let Some(weight) = frequent.get(&a)
        {
            return *weight;
        }
        let field = self.comparer.comparisons()[place].field;
        let records = self.comparer.records;
        let (many_a, many_b) = (records.values(field, &a), records.values(field, &b));
        if many_a.len() == 1 && many_b.len() == 1 {
            // Graded exact though the values differ (a flat left out): the more frequent one decides, whichever record has it.
            let weight_of = |value: u32| frequent.get(&value).copied().unwrap_or(self.rare[place]);
            return weight_of(a).min(weight_of(b));
        }
        let shared = many_a.iter().filter(|value| many_b.contains(value));
        shared.map(|value| frequent.get(value).copied().unwrap_or(self.rare[place])).max().unwrap_or(self.rare[place])
    }

    /// What equality of numbers alone tells of a pair, as [`state`]s.
    #[inline]
    pub(super) fn states(&self, row_a: &[u32], row_b: &[u32]) -> u64 {
        let mut states = 0u64;
        for (place, field) in self.fields.iter().enumerate() {
            let (one, other) = (row_a[*field], row_b[*field]);
            let known = if one == other { state::EXACT } else { state::OPEN };
            states |= (u64::from(one != 0 && other != 0) * known) << (2 * place);
        }
        if states & self.name_core == self.name_core & EACH {
            return states;
        }
        // Names may be swapped or shifted into cells that the other record leaves empty.
        let is_exact = states & !(states >> 1) & EACH;
        states & !self.names | is_exact & self.names | (!is_exact & self.names & EACH) << 1
    }

    /// The states of some records and each of their candidates: all that can be told from neighbouring words.
    pub(super) fn look(&self, sketches: &Sketches, some: &[u32], candidates: &Candidates, fetched: &mut Vec<u32>, states: &mut Vec<u64>) {
        let records = self.comparer.records;
        // Rows lie anywhere in memory: copied first, nothing waits for one before the next is fetched.
        fetched.clear();
        for candidate in candidates.of_each().flatten() {
            fetched.extend_from_slice(records.row(candidate.record()));
            fetched.extend_from_slice(sketches.of(candidate.record()));
        }
        states.clear();
        let width = records.fields.len() + sketches.width();
        let mut words = fetched.chunks_exact(width.max(1));
        for (a, candidates) in some.iter().zip(candidates.of_each()) {
            let (row_a, sketch_a) = (records.row(*a), sketches.of(*a));
            states.extend(words.by_ref().take(candidates.len()).map(|words| {
                let (row_b, sketch_b) = words.split_at(row_a.len());
                sketches.rule_out(sketch_a, sketch_b, self.states(row_a, row_b))
            }));
        }
    }

    /// What the weight of a pair with these states is at most, however frequent the values that agree.
    pub(super) fn bound(&self, states: u64) -> i32 {
        let mut sum = Sum::default();
        for place in 0..self.fields.len() {
            let (weight, level) = match states >> (2 * place) & 3 {
                state::MISSING => (0, MISSING),
                state::EXACT => (self.rare[place], EXACT),
                state::DIFFERENT => self.different(place),
                _ => (self.best_open[place], EXACT),
            };
            sum.add(self.roles.spread(place, level), weight);
        }
        sum.bound(self.priors)
    }

    /// The weight of the last level, and its number.
    fn different(&self, place: usize) -> (i32, u8) {
        (self.weights[place].last().copied().unwrap_or(0), self.weights[place].len().saturating_sub(1) as u8)
    }

    /// The match weight from which pairs are kept.
    pub(super) fn review(&self) -> i32 {
        self.review
    }

    /// The weight of two records if it reaches the review threshold.
    pub(crate) fn weight_if_kept(&self, a: u32, b: u32, cache: &mut LevelCache) -> Option<i32> {
        let states = self.states(self.comparer.records.row(a), self.comparer.records.row(b));
        match self.begin(a, b, states, cache) {
            Begun::Below => None,
            Begun::Weight(weight) => Some(weight),
            Begun::Open(settling) => self.finish(&settling, cache),
        }
    }
}

/// The lower bit of each state.
const EACH: u64 = 0x5555_5555_5555_5555;

/// Remembers bounds of states, which recur; each thread has its own.
#[derive(Debug)]
pub(super) struct BoundCache(Vec<(u64, i32)>);

impl BoundCache {
    const BITS: u32 = 12;

    /// The bound of these states, made by `make` where it is not remembered.
    #[inline]
    pub fn get(&mut self, states: u64, make: impl FnOnce() -> i32) -> i32 {
        let slot = &mut self.0[(states.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - Self::BITS)) as usize];
        if slot.0 != states {
            *slot = (states, make());
        }
        slot.1
    }
}

impl Default for BoundCache {
    fn default() -> Self {
        // No pair has these states: "different" is told of few comparisons only.
        Self(vec![(u64::MAX, 0); 1 << Self::BITS])
    }
}

fn is_name(kind: Kind) -> bool {
    matches!(kind, Kind::Given | Kind::Family | Kind::Middle)
}

/// How much work a comparison is.
fn cost(kind: Kind) -> u8 {
    match kind {
        Kind::Given | Kind::Family | Kind::Middle | Kind::Alias | Kind::Suffix | Kind::Gender => 0,
        Kind::BirthDate => 1,
        Kind::Postcode | Kind::Phone | Kind::TaxId => 2,
        Kind::City | Kind::Region | Kind::Country => 3,
        Kind::Text | Kind::Company => 4,
        Kind::Street => 5,
        Kind::Email => 6,
    }
}

impl PairScorer for Scorer<'_> {
    fn weight(&self, a: u32, b: u32) -> i32 {
        thread_local! {
            static CACHE: std::cell::RefCell<(u64, LevelCache)> = std::cell::RefCell::new((0, LevelCache::default()));
        }
        CACHE.with_borrow_mut(|(owner, cache)| {
            // Another run's values bear the same numbers, and its scorer may come to lie at the same address.
            if *owner != self.number {
                *owner = self.number;
                *cache = LevelCache::default();
            }
            self.weight_of(a, b, &self.comparer.levels(a, b, cache))
        })
    }
}
