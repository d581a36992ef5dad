//! How one source writes telephones and dates, as a sample of its cells shows it.
use std::collections::{BTreeMap, BinaryHeap};

use crm_core::Role;

use super::is_time;
use crate::normalize::{
    DateOrder, Region, count_bare_country_codes, count_phones_of, infer_phone_region, parse_country, regions_of_street, settle_date_order,
};
use crate::{Conventions, DateOrder as ConfiguredOrder, ResolveConfig};

/// Cells that a source's conventions are found from.
const SAMPLED_CELLS: usize = 1_000;

/// Telephones and dates of one source, a sample that does not depend on the order of its rows.
#[derive(Debug, Default, Clone)]
pub struct ConventionSample {
    phones: LowestHashes,
    birth_dates: LowestHashes,
    times: LowestHashes,
    countries: LowestHashes,
    emails: LowestHashes,
    streets: LowestHashes,
    unreadable_times: u64,
}

#[derive(Debug, Default, Clone)]
struct LowestHashes(BinaryHeap<(u64, String)>);

impl LowestHashes {
    #[inline]
    fn add(&mut self, row_hash: u64, text: &str) {
        if self.0.len() < SAMPLED_CELLS {
            self.0.push((row_hash, text.to_owned()));
        } else if self.0.peek().is_some_and(|highest| row_hash < highest.0) {
            self.0.pop();
            self.0.push((row_hash, text.to_owned()));
        }
    }

    fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(hash, text)| self.add(*hash, text));
    }

    fn cells(&self) -> Vec<&str> {
        let mut cells: Vec<&(u64, String)> = self.0.iter().collect();
        cells.sort_unstable();
        cells.into_iter().map(|(_, text)| text.as_str()).collect()
    }
}

impl ConventionSample {
    /// Roles that [`ConventionSample::add`] takes.
    pub const ROLES: [Role; 7] = [Role::Phone, Role::BirthDate, Role::CreatedAt, Role::UpdatedAt, Role::Country, Role::Email, Role::Street];

    /// Adds a filled cell of a row with this content hash.
    #[inline]
    pub fn add(&mut self, role: Role, row_hash: u64, text: &str) {
        match role {
            Role::Phone => self.phones.add(row_hash, text),
            Role::BirthDate => self.birth_dates.add(row_hash, text),
            Role::CreatedAt | Role::UpdatedAt => {
                self.times.add(row_hash, text);
                self.unreadable_times += u64::from(!is_time(text));
            }
            Role::Country => self.countries.add(row_hash, text),
            Role::Email => self.emails.add(row_hash, text),
            Role::Street => self.streets.add(row_hash, text),
            _ => {}
        }
    }
}

impl ConventionSample {
    /// Adds another sample, of the same source or of another.
    pub fn merge(&mut self, other: &Self) {
        self.phones.merge(&other.phones);
        self.birth_dates.merge(&other.birth_dates);
        self.times.merge(&other.times);
        self.countries.merge(&other.countries);
        self.emails.merge(&other.emails);
        self.streets.merge(&other.streets);
        self.unreadable_times += other.unreadable_times;
    }

    /// The country of the national telephone numbers: the one that most rows name, if numbers are written as there; then the one that the
    /// numbers themselves fit best, unless those of the mailboxes' country, or of one whose streets are called as these, fit nearly as well.
    fn phone_region(&self) -> Option<String> {
        let phones = self.phones.cells();
        let supporting = |region: Region| count_phones_of(phones.iter().copied(), region);
        let countries = self.countries.cells();
        let named =
            commonest(countries.iter().filter_map(|cell| parse_country(cell).ok()).filter_map(|country| Region::new(country.as_str())));
        if let Some((region, n_rows)) = named
            && n_rows * 10 >= countries.len() * 6
            && supporting(region) * 2 >= phones.len()
        {
            return Some(region.as_str().to_owned());
        }
        let guess = infer_phone_region(phones.iter().copied())?;
        let mailed = self.mailed_region().filter(|region| supporting(*region) * 10 >= guess.n_supporting * 9);
        // A few mistyped numbers are none in one plan, and numbers in a looser one.
        let is_spoken = |region: &Region| *region == guess.region || supporting(*region) * 4 >= guess.n_supporting * 3;
        let region = mailed.or_else(|| self.regions_of_streets().find(is_spoken)).unwrap_or(guess.region);
        Some(region.as_str().to_owned())
    }

    /// The country under whose domain most mailboxes are, of those under a country's.
    fn mailed_region(&self) -> Option<Region> {
        let emails = self.emails.cells();
        let domain =
            |cell: &&str| cell.trim_end().rsplit_once('.').and_then(|(_, domain)| Region::new(if domain == "uk" { "gb" } else { domain }));
        let (region, n_rows) = commonest(emails.iter().filter_map(domain))?;
        (n_rows >= 2 && n_rows * 4 >= emails.len()).then_some(region)
    }

    /// The countries in which streets are called as most here are, the likeliest first; none where few streets tell.
    fn regions_of_streets(&self) -> impl Iterator<Item = Region> + use<> {
        let streets = self.streets.cells();
        let mut counts: BTreeMap<&[&str], usize> = BTreeMap::new();
        for regions in streets.iter().map(|street| regions_of_street(street)).filter(|regions| !regions.is_empty()) {
            *counts.entry(regions).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(regions, n)| (*n, std::cmp::Reverse(*regions)));
        let regions: &'static [&'static str] = match most {
            Some((regions, n)) if n >= 2 && n * 4 >= streets.len() => regions,
            _ => &[],
        };
        regions.iter().filter_map(|region| Region::new(region))
    }

    /// Whether nearly all numbers without a plus begin with their country code.
    fn bare_country_codes(&self) -> bool {
        let (n_with_code, n_bare) = count_bare_country_codes(self.phones.cells());
        n_with_code >= 3 && n_with_code * 20 >= n_bare * 19
    }

    /// Times of creation and change that cannot be read as any.
    pub fn unreadable_times(&self) -> u64 {
        self.unreadable_times
    }

    /// Times among the sampled ones that can be read in two ways, where neither the config nor the others tell which is meant.
    pub fn ambiguous_times(&self, config: &ResolveConfig) -> u64 {
        if self.settle(config).times.is_some() { 0 } else { settle_date_order(self.times.cells()).n_ambiguous as u64 }
    }

    /// What the sample shows; what the config says wins.
    pub fn settle(&self, config: &ResolveConfig) -> Conventions {
        let order = |cells: &LowestHashes| match (
            config.date_order.filter(|order| *order != ConfiguredOrder::Ymd),
            settle_date_order(cells.cells()).order(),
        ) {
            (Some(said), _) => Some(said),
            (None, DateOrder::DayFirst) => Some(ConfiguredOrder::Dmy),
            (None, DateOrder::MonthFirst) => Some(ConfiguredOrder::Mdy),
            (None, DateOrder::Unknown) => None,
        };
        Conventions {
            phone_region: config.phone_region.clone().or_else(|| self.phone_region()),
            bare_country_codes: config.phone_region.is_none() && self.bare_country_codes(),
            birth_dates: order(&self.birth_dates),
            times: order(&self.times),
        }
    }
}

/// The region that occurs most, the first by its code where several do, and how often.
fn commonest(regions: impl Iterator<Item = Region>) -> Option<(Region, usize)> {
    let mut counts: BTreeMap<Region, usize> = BTreeMap::new();
    regions.for_each(|region| *counts.entry(region).or_default() += 1);
    counts.into_iter().max_by_key(|(region, n)| (*n, std::cmp::Reverse(*region)))
}

/// The conventions of sources, by name, from their samples; those of all together stand for sources not seen, and for what a source's own
/// cells do not show.
pub fn settle_conventions<'a>(
    samples: impl IntoIterator<Item = (&'a str, &'a ConventionSample)>,
    config: &ResolveConfig,
) -> (BTreeMap<String, Conventions>, Conventions) {
    let mut by_source: BTreeMap<&str, ConventionSample> = BTreeMap::new();
    let mut all = ConventionSample::default();
    for (source, sample) in samples {
        by_source.entry(source).or_default().merge(sample);
        all.merge(sample);
    }
    let others = all.settle(config);
    let sources = by_source.into_iter().map(|(source, sample)| {
        let own = sample.settle(config);
        (source.to_owned(), Conventions { phone_region: own.phone_region.or_else(|| others.phone_region.clone()), ..own })
    });
    (sources.collect(), others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(phones: &[&str], streets: &[&str]) -> Conventions {
        let mut sample = ConventionSample::default();
        for (role, cells) in [(Role::Phone, phones), (Role::Street, streets)] {
            cells.iter().enumerate().for_each(|(number, cell)| sample.add(role, number as u64, cell));
        }
        sample.settle(&ResolveConfig::default())
    }

    #[track_caller]
    fn check(phones: &[&str], streets: &[&str], region: &str) {
        assert_eq!(settled(phones, streets).phone_region.as_deref(), Some(region), "{phones:?} {streets:?}");
    }

    #[test]
    fn streets_decide_between_countries_whose_numbers_look_alike() {
        let german = ["030 / 4412345", "089 / 123456-0", "0341 558291", "040/998877", "0151 7654321"];
        check(&german, &["Hauptstr. 12", "Goethestraße 7", "Speicherstraße 4"], "DE");
        check(&["01 42 68 53 00", "04 91 13 89 00"], &["12 rue de Rivoli", "3 rue Paradis"], "FR");
        check(&["02 7602 1234", "06 6982 0001"], &["Via Torino 2", "Piazza Navona 1"], "IT");
    }

    #[test]
    fn streets_do_not_decide_against_the_numbers() {
        check(&["8 (912) 345-67-89", "8-495-123-45-67"], &["Goethestr. 1", "Hauptstr. 2"], "RU");
        check(&["26555777", "67223344"], &["12 Main Street", "4 Station Road"], "LV");
        check(&["030 4412345", "030 4412346"], &["Hauptstr. 12"], "FR");
    }

    #[test]
    fn numbers_that_lack_only_their_plus_keep_their_countries() {
        assert!(settled(&["491712345678", "37126555777", "79161234567", "48601234567"], &[]).bare_country_codes);
        // A leading zero that a spreadsheet took, and national numbers of eleven digits.
        assert!(!settled(&["1712345678", "15112345678", "3044123450"], &[]).bare_country_codes);
        assert!(!settled(&["89161234567", "89031234567", "84951234567"], &[]).bare_country_codes);
    }
}
