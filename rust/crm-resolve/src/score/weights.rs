//! How the weights of single comparisons become the weight of a pair.
use crate::compare::{DAMPED, Levels, MOST_COMPARISONS, OTHER_HOUSE, Spread, most_different, spread};
use crate::records::Kind;

/// What a comparison's weight counts towards.
#[derive(Debug, Clone)]
pub(crate) struct Roles {
    spread: Vec<Spread>,
}

/// Evidence on its way to one weight.
///
/// Two records of different people are either unrelated or of one household (or office): the relatives share surname, address,
/// phone. Two records of companies may be branches of one chain, which share name, telephone and website, not the place, or tenants of one
/// house (a hotel and its restaurants), which share the place and its switchboard, not the name.
/// A match must beat every explanation, so the weight is the lowest of the sums: over all comparisons, over those alone that tell
/// relatives apart, and, where records are companies', over those alone that tell branches apart.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    all: i32,
    personal: i32,
    branch: i32,
    is_company: bool,
    is_elsewhere: bool,
    shared_gain: i32,
    surname: i32,
    chain_gain: i32,
    /// Whether companies' names contradict each other.
    is_named_apart: bool,
    /// What a telephone weighs beyond what it can between tenants of one house.
    switchboard_excess: i32,
    /// What single personal comparisons weigh beyond what they can among relatives.
    personal_excess: i32,
    /// What given name and mailbox weigh among relatives.
    named_gain: i32,
    /// What a mailbox weighs, and whether the given names contradict each other: two people then share it.
    mailbox_gain: i32,
    is_given_apart: bool,
    is_born_apart: bool,
    /// Of birth date, mailbox, telephone and tax id, how many agree and how many do not.
    n_telling_agree: u8,
    n_telling_apart: u8,
    place_best: i32,
    place_gain: i32,
    place_worst: i32,
    place_loss: i32,
}

/// What one birth date is worth at most among members of a household: they may be twins.
const TWINS: i32 = 11 * crate::WEIGHT_ONE / 2;

/// The same of a given name: sons bear their fathers'.
const NAMESAKES: i32 = 8 * crate::WEIGHT_ONE;

/// The same of anything else that is one person's: mailboxes are shared, and numbers borrowed.
const BORROWED: i32 = 8 * crate::WEIGHT_ONE;

/// From this weight on birth dates contradict each other.
const BORN_APART: i32 = -2 * crate::WEIGHT_ONE;

/// What a telephone is worth at most between two branches, and between two tenants: they may share it.
const SWITCHBOARD: i32 = 3 * crate::WEIGHT_ONE;

/// Most of the matches of companies whose names are "different".
const MOST_NAMED_APART: f64 = 0.10;

/// From this weight of what chains share two records count as one chain's.
const CHAIN: i32 = 8 * crate::WEIGHT_ONE;

/// Weight of a match against "another branch" where nothing is known of the place.
const UNPLACED: i32 = 4 * crate::WEIGHT_ONE;

impl Sum {
    #[inline]
    pub fn add(&mut self, spread: Spread, weight: i32) {
        self.note(spread, weight);
        match spread {
            Spread::Personal | Spread::Given | Spread::Birth | Spread::Mailbox | Spread::Number => {
                self.all += weight;
                self.personal += weight;
                self.branch += weight;
                let most = match spread {
                    Spread::Birth => TWINS,
                    Spread::Given => NAMESAKES,
                    _ => BORROWED,
                };
                self.personal_excess += (weight - most).max(0);
                match spread {
                    Spread::Mailbox => self.mailbox_gain += weight.max(0),
                    Spread::Given => self.is_given_apart |= weight < 0,
                    _ => {}
                }
                match spread {
                    Spread::Given | Spread::Mailbox => self.named_gain += weight.clamp(0, most),
                    Spread::Birth => self.is_born_apart |= weight <= BORN_APART,
                    _ => {}
                }
            }
            Spread::Telephone => self.add(Spread::Shared, weight),
            Spread::Surname => {
                self.surname += weight;
                self.add(Spread::Shared, weight);
            }
            Spread::Shared => {
                self.all += weight;
                self.shared_gain += weight.max(0);
                self.personal += weight.min(0) / 2;
            }
            Spread::Chain => {
                self.all += weight;
                self.personal += weight;
                self.branch += weight.min(0) / 2;
                self.chain_gain += weight.max(0);
                self.is_company = true;
            }
            Spread::Name => {
                self.is_named_apart |= weight < 0;
                self.add(Spread::Chain, weight);
            }
            Spread::Switchboard => {
                self.all += weight;
                self.personal += weight;
                self.branch += weight.min(SWITCHBOARD);
                self.switchboard_excess += (weight - SWITCHBOARD).max(0);
            }
            // At another house of the street a branch is another one, however near.
            Spread::Elsewhere => {
                self.is_elsewhere = true;
                self.add(Spread::Place, weight);
            }
            Spread::Place | Spread::Street if weight > 0 => {
                self.place_best = self.place_best.max(weight);
                self.place_gain += weight;
            }
            Spread::Place | Spread::Street => {
                self.place_worst = self.place_worst.min(weight);
                self.place_loss += weight;
            }
        }
    }

    /// Takes note of what tells a person from another, without counting its weight.
    #[inline]
    fn note(&mut self, spread: Spread, weight: i32) {
        if matches!(spread, Spread::Birth | Spread::Mailbox | Spread::Number | Spread::Telephone) {
            self.n_telling_agree += u8::from(weight > 0);
            self.n_telling_apart += u8::from(weight < 0);
        }
    }

    /// The weight, priors included.
    #[inline]
    pub fn total(&self, priors: PairPriors) -> i32 {
        let contradicted = if self.is_contradicted() == Some(true) { priors.contradicted } else { 0 };
        if self.household(priors) < 0 {
            return self.bound(priors) - contradicted;
        }
        self.bound(priors).min(priors.related + self.against_relatives(priors)) - contradicted
    }

    /// Whether all of two or more things that tell people apart do: names alone then speak for a match. `None` where less is known of both.
    pub fn is_contradicted(&self) -> Option<bool> {
        (self.n_telling_agree + self.n_telling_apart >= 2).then_some(self.n_telling_agree == 0)
    }

    /// What [`Sum::total`] is at most while any weight may still fall.
    #[inline]
    pub fn bound(&self, priors: PairPriors) -> i32 {
        let unrelated = priors.all + self.all + self.place();
        let relative =
            unrelated.min(priors.related.max(0) + self.personal() + self.surname_among_relatives(priors) + self.place_losses() / 2);
        if !self.is_company {
            return relative;
        }
        let branch = if self.place_gain == 0 && self.place_loss == 0 { priors.branch.max(0) + UNPLACED } else { priors.branch };
        relative.min(branch + self.branch + self.branch_place())
    }

    /// By how much what two records share of a household's things exceeds what may be chance; negative: it may be. A couple's mailbox is one of
    /// those things: it stands beside two given names.
    #[inline]
    pub fn household(&self, priors: PairPriors) -> i32 {
        let damped = self.place_best + (((self.place_gain - self.place_best) * DAMPED) >> 8);
        let mailbox = if self.is_given_apart { self.mailbox_gain } else { 0 };
        self.shared_gain + mailbox - self.surname_among_relatives(priors) + damped - priors.household
    }

    /// The evidence for a match against "relatives", for records that share a household's things: there one birth date may be twins', one
    /// given name father's and son's, one mailbox or number several people's. Where the birth dates are two, all that is named after the
    /// person may be the namesake's: one name tells no more for standing in the mailbox too. Where the given names are two, the mailbox is the
    /// couple's and tells nothing.
    pub fn against_relatives(&self, priors: PairPriors) -> i32 {
        let namesake = if self.is_born_apart { (self.named_gain - NAMESAKES).max(0) } else { 0 };
        let shared = if self.is_given_apart { self.mailbox_gain.min(BORROWED) } else { 0 };
        let most = self.household(priors).max(0);
        self.personal() + self.surname_among_relatives(priors) + self.place_losses() / 2
            - (self.personal_excess + namesake + shared).min(most)
    }

    /// What tells relatives apart, or tenants: those bear two names, and the house's telephone.
    fn personal(&self) -> i32 {
        if self.is_named_apart { self.personal - self.switchboard_excess } else { self.personal }
    }

    /// What one surname tells between members of a household, or of an office.
    fn surname_among_relatives(&self, priors: PairPriors) -> i32 {
        self.surname_gain().min(priors.surname)
    }

    /// Whether the surnames agree; `None` where they cannot tell.
    pub fn has_one_surname(&self) -> Option<bool> {
        match self.surname {
            0 => None,
            weight => Some(weight > 0),
        }
    }

    /// What one surname is worth among all pairs.
    pub fn surname_gain(&self) -> i32 {
        self.surname.max(0)
    }

    /// The evidence for a match against "two branches", for records of companies that share a chain's things and have a place.
    pub fn against_branches(&self) -> Option<i32> {
        let is_placed = self.place_gain != 0 || self.place_loss != 0;
        (self.is_company && is_placed && self.chain_gain >= CHAIN).then(|| self.branch + self.branch_place())
    }

    /// What the place says of its being one branch's.
    fn branch_place(&self) -> i32 {
        if self.is_elsewhere { self.place_losses() } else { self.place() }
    }

    fn place(&self) -> i32 {
        self.place_best + (((self.place_gain - self.place_best) * DAMPED) >> 8) + self.place_losses()
    }

    fn place_losses(&self) -> i32 {
        self.place_worst + (((self.place_loss - self.place_worst) * DAMPED) >> 8)
    }
}

/// Weights of a match before any evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PairPriors {
    /// Among all pairs.
    pub all: i32,
    /// Among pairs that share a household's things.
    pub related: i32,
    /// Among pairs of companies that share a chain's things.
    pub branch: i32,
    /// From this weight on agreement in a household's things is no chance.
    pub household: i32,
    /// What one surname is worth at most among pairs that share a household's things: nothing among families, much among colleagues.
    pub surname: i32,
    /// What speaks against a match of two records that only their names hold together.
    pub contradicted: i32,
}

impl PairPriors {
    /// What is assumed of `n_records` records before they are looked at: a fifth of them has a twin.
    pub fn assumed(n_records: usize) -> Self {
        let all = -super::em::bits((n_records.max(100) as f64 / 0.4).log2());
        Self { all, related: super::em::RELATED, branch: super::em::RELATED, household: -all, surname: 0, contradicted: 0 }
    }
}

impl Roles {
    /// What the named fields count towards together.
    pub fn new<'a>(fields: impl Iterator<Item = (&'a str, Kind)> + Clone, identifying: impl Fn(usize) -> bool) -> Self {
        let has_person = fields.clone().any(|(_, kind)| matches!(kind, Kind::Given | Kind::BirthDate));
        let has_company = fields.clone().any(|(_, kind)| kind == Kind::Company);
        let role = |(place, (name, kind)): (usize, (&str, Kind))| match kind {
            // Without persons the company or the surname is what a record is about.
            Kind::Company if !has_person => Spread::Name,
            Kind::Text if !has_person && name == crm_core::Role::Website.name() => Spread::Chain,
            Kind::Family if !has_person => Spread::Personal,
            // Neighbours do not share a telephone, as relatives do; what a whole chain shares is found by its frequency.
            Kind::Phone if !has_person => Spread::Switchboard,
            Kind::Street if !has_person => Spread::Street,
            // A table of things whose name no role fits: what names them may name a chain.
            Kind::Text if !has_person && !has_company && identifying(place) => Spread::Name,
            Kind::Text | Kind::TaxId if !identifying(place) => Spread::Shared,
            kind => spread(kind),
        };
        Self { spread: fields.enumerate().map(role).collect() }
    }

    /// The most that "different" may have among matches of a comparison: what a record is about hardly ever has two names that nothing joins.
    pub fn most_different(&self, place: usize, kind: Kind) -> f64 {
        let most = most_different(kind);
        if self.spread[place] == Spread::Name && kind == Kind::Company { most.min(MOST_NAMED_APART) } else { most }
    }

    /// The same for some of the fields.
    pub fn select(&self, places: &[usize]) -> Self {
        Self { spread: places.iter().map(|place| self.spread[*place]).collect() }
    }

    /// Whether a comparison counts towards chains.
    pub fn is_of_companies(&self) -> bool {
        self.spread.iter().any(|spread| matches!(spread, Spread::Name | Spread::Chain))
    }

    /// What a comparison with this level counts towards.
    #[inline]
    pub fn spread(&self, place: usize, level: u8) -> Spread {
        match self.spread[place] {
            Spread::Street if level >= OTHER_HOUSE => Spread::Elsewhere,
            spread => spread,
        }
    }

    /// The evidence of a pair without term frequencies; comparisons in `fixed` take no part.
    pub fn combine(&self, table: &[Vec<i32>], levels: &Levels, fixed: u32) -> Sum {
        let mut sum = Sum::default();
        for (place, weights) in table.iter().enumerate().take(MOST_COMPARISONS) {
            let (spread, weight) = (self.spread(place, levels[place]), weights[usize::from(levels[place])]);
            if fixed >> place & 1 == 0 {
                sum.add(spread, weight);
            } else {
                sum.note(spread, weight);
            }
        }
        sum
    }
}
