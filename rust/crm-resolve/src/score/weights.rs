//! How the weights of single comparisons become the weight of a pair.
use crate::compare::{Comparison, DAMPED, Levels, MOST_COMPARISONS, Spread, spread};
use crate::records::Kind;

/// What a comparison's weight counts towards.
#[derive(Debug, Clone)]
pub(crate) struct Roles {
    spread: Vec<Spread>,
}

/// Evidence on its way to one weight.
///
/// Two records of different people are either unrelated or of one household (or office): the relatives share surname, address,
/// phone. A match must beat both explanations, so the weight is the lower of two sums: over all comparisons, and over
/// those alone that tell relatives apart.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    all: i32,
    personal: i32,
    place_best: i32,
    place_gain: i32,
    place_worst: i32,
    place_loss: i32,
}

impl Sum {
    #[inline]
    pub fn add(&mut self, spread: Spread, weight: i32) {
        match spread {
            Spread::Personal => {
                self.all += weight;
                self.personal += weight;
            }
            Spread::Shared => {
                self.all += weight;
                self.personal += weight.min(0) / 2;
            }
            Spread::Place if weight > 0 => {
                self.place_best = self.place_best.max(weight);
                self.place_gain += weight;
            }
            Spread::Place => {
                self.place_worst = self.place_worst.min(weight);
                self.place_loss += weight;
            }
        }
    }

    /// The weight, priors included: `prior` of a match among all pairs, `related` of a match among pairs that share a household.
    #[inline]
    pub fn total(&self, prior: i32, related: i32) -> i32 {
        let damped = |best: i32, sum: i32| best + (((sum - best) * DAMPED) >> 8);
        let loss = damped(self.place_worst, self.place_loss);
        let place = damped(self.place_best, self.place_gain) + loss;
        (prior + self.all + place).min(related + self.personal + loss / 2)
    }
}

impl Roles {
    pub fn new(comparisons: &[Comparison], identifying: impl Fn(usize) -> bool) -> Self {
        let has_person = comparisons.iter().any(|comparison| matches!(comparison.kind, Kind::Given | Kind::BirthDate));
        let role = |(place, comparison): (usize, &Comparison)| match comparison.kind {
            // Without persons the company or the surname is what a record is about.
            Kind::Company | Kind::Family if !has_person => Spread::Personal,
            Kind::Text if !identifying(place) => Spread::Shared,
            kind => spread(kind),
        };
        Self { spread: comparisons.iter().enumerate().map(role).collect() }
    }

    #[inline]
    pub fn spread(&self, place: usize) -> Spread {
        self.spread[place]
    }

    /// The weight of a pair without term frequencies; comparisons in `fixed` take no part.
    pub fn combine(&self, table: &[Vec<i32>], levels: &Levels, fixed: u32, prior: i32, related: i32) -> i32 {
        let mut sum = Sum::default();
        for (place, weights) in table.iter().enumerate().take(MOST_COMPARISONS) {
            if fixed >> place & 1 == 0 {
                sum.add(self.spread[place], weights[usize::from(levels[place])]);
            }
        }
        sum.total(prior, related)
    }
}
