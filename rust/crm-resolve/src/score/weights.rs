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
/// phone. Two records of companies may be branches of one chain, which share name, telephone and website, not the place.
/// A match must beat every explanation, so the weight is the lowest of the sums: over all comparisons, over those alone that tell
/// relatives apart, and, where records are companies', over those alone that tell branches apart.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    all: i32,
    personal: i32,
    branch: i32,
    is_company: bool,
    place_best: i32,
    place_gain: i32,
    place_worst: i32,
    place_loss: i32,
}

/// Weight of a match against "another branch" where nothing is known of the place.
const UNPLACED: i32 = 4 * crate::WEIGHT_ONE;

impl Sum {
    #[inline]
    pub fn add(&mut self, spread: Spread, weight: i32) {
        match spread {
            Spread::Personal => {
                self.all += weight;
                self.personal += weight;
                self.branch += weight;
            }
            Spread::Shared => {
                self.all += weight;
                self.personal += weight.min(0) / 2;
            }
            Spread::Chain => {
                self.all += weight;
                self.personal += weight;
                self.branch += weight.min(0) / 2;
                self.is_company = true;
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
        let unrelated = prior + self.all + place;
        let relative = unrelated.min(related + self.personal + loss / 2);
        if !self.is_company {
            return relative;
        }
        let unplaced = if self.place_gain == 0 && self.place_loss == 0 { UNPLACED } else { 0 };
        relative.min(related + self.branch + place + unplaced)
    }
}

impl Roles {
    pub fn new(comparisons: &[Comparison], identifying: impl Fn(usize) -> bool) -> Self {
        let has_person = comparisons.iter().any(|comparison| matches!(comparison.kind, Kind::Given | Kind::BirthDate));
        let role = |(place, comparison): (usize, &Comparison)| match comparison.kind {
            // Without persons the company or the surname is what a record is about.
            Kind::Company if !has_person => Spread::Chain,
            Kind::Text if !has_person && comparison.name == crm_core::Role::Website.name() => Spread::Chain,
            Kind::Family if !has_person => Spread::Personal,
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
