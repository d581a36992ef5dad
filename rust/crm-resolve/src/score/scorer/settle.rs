//! A pair's weight, comparison by comparison, until it is known or the review threshold is out of reach.
//!
//! What is open is held to be as good as it can get; then one comparison after the other is settled, the telling and cheap ones first.
use super::Sum;
use super::{Scorer, state};
use crate::compare::{EXACT, LevelCache, Levels, MISSING, MOST_COMPARISONS, Spread};

/// Per comparison what it weighs and what it counts towards.
type Weights = [(i32, Spread); MOST_COMPARISONS];

/// What a pair's names and what is known at first sight say of its weight.
///
/// It lies on the stack for a moment only: a box would cost an allocation for each open pair.
#[allow(clippy::large_enum_variant)]
pub(in crate::score) enum Begun {
    /// It is below the review threshold.
    Below,
    /// Nothing is open.
    Weight(i32),
    /// More has to be looked at.
    Open(Settling),
}

/// A pair whose names are settled, and more is not.
#[derive(Debug, Clone)]
pub(in crate::score) struct Settling {
    pub a: u32,
    pub b: u32,
    /// The comparisons that are open, as bits.
    open: u32,
    weights: Weights,
    /// Those of the names.
    levels: Levels,
}

impl Scorer<'_> {
    /// Weighs what the states of a pair tell, and its names.
    pub(in crate::score) fn begin(&self, a: u32, b: u32, states: u64, cache: &mut LevelCache) -> Begun {
        let (row_a, row_b) = (self.comparer.records.row(a), self.comparer.records.row(b));
        let (mut weights, open) = self.first_weights(row_a, row_b, states);
        if self.bound_of(&weights) < self.review || self.is_forbidden(a, b) {
            return Begun::Below;
        }
        if open == 0 {
            return self.total_if_kept(&weights).map_or(Begun::Below, Begun::Weight);
        }
        let mut levels = [MISSING; MOST_COMPARISONS];
        self.comparer.name_levels(row_a, row_b, cache, &mut levels);
        for place in (0..self.fields.len()).filter(|place| self.names >> (2 * place) & 1 == 1) {
            let field = self.fields[place];
            weights[place] = self.level_weight(place, levels[place], row_a[field], row_b[field]);
        }
        if self.bound_of(&weights) < self.review {
            return Begun::Below;
        }
        Begun::Open(Settling { a, b, open, weights, levels })
    }

    /// Touches what finishing a pair takes, so that nothing waits for it there.
    #[inline]
    pub(in crate::score) fn touch(&self, pair: &Settling) -> u32 {
        let records = self.comparer.records;
        let (row_a, row_b) = (records.row(pair.a), records.row(pair.b));
        let open = self.order.iter().filter(|place| pair.open >> **place & 1 == 1);
        open.fold(0, |touched, place| {
            let field = self.fields[*place];
            touched ^ records.touch(field, row_a[field]) ^ records.touch(field, row_b[field])
        })
    }

    /// Settles what is open; the weight if it reaches the review threshold.
    pub(in crate::score) fn finish(&self, pair: &Settling, cache: &mut LevelCache) -> Option<i32> {
        let (row_a, row_b) = (self.comparer.records.row(pair.a), self.comparer.records.row(pair.b));
        let mut weights = pair.weights;
        for place in self.order.iter().filter(|place| pair.open >> **place & 1 == 1) {
            if self.bound_of(&weights) < self.review {
                return None;
            }
            let comparison = &self.comparer.comparisons()[*place];
            let level = self.comparer.level_at(*place, comparison, row_a, row_b, cache, &pair.levels);
            weights[*place] = self.level_weight(*place, level, row_a[comparison.field], row_b[comparison.field]);
        }
        self.total_if_kept(&weights)
    }

    /// What each comparison weighs at most by the states of a pair, and which ones are open.
    fn first_weights(&self, row_a: &[u32], row_b: &[u32], states: u64) -> (Weights, u32) {
        let mut weights = [(0i32, Spread::Personal); MOST_COMPARISONS];
        let mut open = 0u32;
        for (place, field) in self.fields.iter().enumerate() {
            weights[place] = match states >> (2 * place) & 3 {
                // What is missing says nothing, but that records have companies' names at all does.
                state::MISSING => (0, self.roles.spread(place, MISSING)),
                state::EXACT => self.level_weight(place, EXACT, row_a[*field], row_b[*field]),
                state::DIFFERENT => {
                    let (weight, level) = self.different(place);
                    (weight, self.roles.spread(place, level))
                }
                _ => {
                    open |= 1 << place;
                    (self.best_open[place], self.roles.spread(place, EXACT))
                }
            };
        }
        (weights, open)
    }

    fn sum_of(&self, weights: &Weights) -> Sum {
        let mut sum = Sum::default();
        weights[..self.fields.len()].iter().for_each(|(weight, spread)| sum.add(*spread, *weight));
        sum
    }

    fn bound_of(&self, weights: &Weights) -> i32 {
        self.sum_of(weights).bound(self.priors)
    }

    fn total_if_kept(&self, weights: &Weights) -> Option<i32> {
        let weight = self.sum_of(weights).total(self.priors);
        (weight >= self.review).then_some(weight)
    }
}
