//! Which region a column of numbers comes from.
use std::sync::OnceLock;

use super::metadata::{Digits, Metadata, Plan};
use super::scan::Scan;
use super::split::split_phones;
use super::{PhoneValidity, Region, interpret};

/// How many cells are looked at.
const MAX_CELLS: usize = 1000;
/// Regions in the order in which a tie is settled: by how many business contacts are kept there.
const TIES: [&[u8; 2]; 23] = [
    b"US", b"RU", b"GB", b"DE", b"FR", b"LV", b"ES", b"IT", b"PL", b"NL", b"UA", b"IN", b"BR", b"AU", b"LT", b"EE", b"BY", b"KZ", b"SE",
    b"FI", b"NO", b"CZ", b"TR",
];

/// The region that explains a sample of phone numbers best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhoneRegionGuess {
    /// The region.
    pub region: Region,
    /// Numbers that are valid when read with it (those with a country code of their own count for their country).
    pub n_supporting: usize,
    /// Numbers looked at.
    pub n_numbers: usize,
}

/// Finds the default region of a column from up to 1,000 of its cells: numbers that say their country vote for it, those that do not
/// vote for each region in whose plan they are valid. The vote counts half where the plan takes most digits of that length (Finland's
/// takes Latvia's numbers, and their typing errors too), and half where few business contacts are kept. `None` when no number is valid
/// anywhere.
///
/// ```
/// use crm_resolve::normalize::infer_phone_region;
/// let guess = infer_phone_region(["+371 29123456", "67 223 344", "26012345"]).unwrap();
/// assert_eq!(guess.region.as_str(), "LV");
/// let guess = infer_phone_region(["(212) 555-1234", "415-555-2671"]).unwrap();
/// assert_eq!(guess.region.as_str(), "US");
/// let guess = infer_phone_region(["8 (912) 345-67-89", "8-495-123-45-67"]).unwrap();
/// assert_eq!(guess.region.as_str(), "RU");
/// ```
pub fn infer_phone_region<'a>(cells: impl IntoIterator<Item = &'a str>) -> Option<PhoneRegionGuess> {
    let metadata = Metadata::get();
    let plans = Votes::get(metadata);
    let mut n_supporting = vec![0usize; metadata.plans.len()];
    let mut votes = vec![0u64; metadata.plans.len()];
    let mut n_numbers = 0;
    for cell in cells.into_iter().take(MAX_CELLS) {
        for part in split_phones(cell) {
            let Ok(scan) = Scan::read(part) else { continue };
            if scan.digits.len < SHORTEST || scan.digits.overflowed {
                continue;
            }
            n_numbers += 1;
            if scan.plus {
                if let Some(phone) = interpret(metadata, true, &scan.digits, None)
                    && phone.validity == PhoneValidity::Valid
                    && let Some(idx) = metadata.plans.iter().position(|plan| plan.id == phone.region && phone.region.0 != *b"00")
                {
                    n_supporting[idx] += 1;
                    votes[idx] += WHOLE_VOTE;
                }
                continue;
            }
            for (idx, plan) in metadata.plans.iter().enumerate() {
                if is_national(metadata, plan, &scan.digits) {
                    n_supporting[idx] += 1;
                    votes[idx] += plans.of_valid(idx, scan.digits.len);
                }
            }
        }
    }
    let rank = |region: Region| TIES.iter().position(|&tie| *tie == region.0).unwrap_or(TIES.len());
    let most = votes.iter().copied().max().filter(|most| *most > 0)?;
    let best = (0..votes.len())
        .filter(|idx| votes[*idx] * 100 >= most * NEARLY_ALL)
        .min_by_key(|&idx| (rank(metadata.plans[idx].id), std::cmp::Reverse(votes[idx]), metadata.plans[idx].id))?;
    Some(PhoneRegionGuess { region: metadata.plans[best].id, n_supporting: n_supporting[best], n_numbers })
}

/// How many of up to 1,000 cells hold a number of `region`, with its country code or as it is written there.
pub fn count_phones_of<'a>(cells: impl IntoIterator<Item = &'a str>, region: Region) -> usize {
    let metadata = Metadata::get();
    let Some(plan) = metadata.region(region) else { return 0 };
    let is_of_region = |part: &str| {
        let Ok(scan) = Scan::read(part) else { return false };
        if scan.plus {
            let phone = interpret(metadata, true, &scan.digits, None);
            return phone.is_some_and(|phone| phone.validity == PhoneValidity::Valid && phone.region == region);
        }
        scan.digits.len >= SHORTEST && !scan.digits.overflowed && is_national(metadata, plan, &scan.digits)
    };
    cells.into_iter().take(MAX_CELLS).filter(|cell| split_phones(cell).any(is_of_region)).count()
}

/// Of up to 1,000 cells, how many numbers without a plus begin with their country code all the same, as spreadsheets leave them, and how
/// many have no plus. The former have at least eleven digits, and are valid in the country whose code they begin with.
///
/// ```
/// use crm_resolve::normalize::count_bare_country_codes;
/// assert_eq!(count_bare_country_codes(["491712345678", "37126555777", "+37126555777", "0171 2345678"]), (2, 3));
/// ```
pub fn count_bare_country_codes<'a>(cells: impl IntoIterator<Item = &'a str>) -> (usize, usize) {
    let metadata = Metadata::get();
    let (mut n_with_code, mut n_bare) = (0, 0);
    for part in cells.into_iter().take(MAX_CELLS).flat_map(split_phones) {
        let Ok(scan) = Scan::read(part) else { continue };
        if scan.plus || scan.digits.len < SHORTEST || scan.digits.overflowed {
            continue;
        }
        n_bare += 1;
        let is_valid = || {
            let phone = interpret(metadata, true, &scan.digits, None);
            phone.is_some_and(|phone| phone.validity == PhoneValidity::Valid)
        };
        n_with_code += usize::from(scan.digits.len >= FEWEST_WITH_CODE && is_valid());
    }
    (n_with_code, n_bare)
}

/// Whether digits without a plus are a valid number of the plan's own country.
fn is_national(metadata: &Metadata, plan: &Plan, digits: &Digits) -> bool {
    if plan.id.0 == *b"00" {
        return false;
    }
    // A number that reads as another country's under this region supports that country, not this one.
    let Some(phone) = interpret(metadata, false, digits, Some(plan.id)) else { return false };
    // Regions that share a code are told apart by the digits; the code's main region still gets the vote of its satellites.
    let is_main = || metadata.code(plan.country_code).is_some_and(|main| main.id == plan.id);
    phone.validity == PhoneValidity::Valid && phone.country_code == plan.country_code && (is_main() || phone.region == plan.id)
}

/// Numbers with fewer digits say nothing.
const SHORTEST: usize = 5;
/// National numbers hardly have more digits than this less one, the leading zero left out.
pub(crate) const FEWEST_WITH_CODE: usize = 11;
/// Numbers with more digits are taken as this long.
const LONGEST: usize = 15;
/// Percent of the best region's votes at which another is as likely as it: the order of [`TIES`] then decides.
const NEARLY_ALL: u64 = 95;

/// The vote of a number that could hardly be of another country; half of half of it is still whole.
const WHOLE_VOTE: u64 = 4;

/// How much a valid number's vote counts, by plan and number of digits.
struct Votes(Vec<[u64; LONGEST + 1]>);

impl Votes {
    fn get(metadata: &Metadata) -> &'static Self {
        static VOTES: OnceLock<Votes> = OnceLock::new();
        VOTES.get_or_init(|| Self(metadata.plans.iter().map(|plan| Self::of_plan(metadata, plan)).collect()))
    }

    fn of_valid(&self, plan: usize, n_digits: usize) -> u64 {
        self.0[plan][n_digits.min(LONGEST)]
    }

    /// The share of all digits of a length that the plan takes is counted on a fixed sample of them.
    fn of_plan(metadata: &Metadata, plan: &Plan) -> [u64; LONGEST + 1] {
        const N_SAMPLES: u32 = 128;
        let usual = if TIES.contains(&&plan.id.0) { WHOLE_VOTE } else { WHOLE_VOTE / 2 };
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut votes = [usual; LONGEST + 1];
        for (n_digits, vote) in votes.iter_mut().enumerate().skip(SHORTEST) {
            let mut n_valid = 0u32;
            for _ in 0..N_SAMPLES {
                let mut digits = Digits::default();
                for _ in 0..n_digits {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    digits.push(((seed >> 33) % 10) as u8);
                }
                n_valid += u32::from(is_national(metadata, plan, &digits));
            }
            if n_valid * 5 > N_SAMPLES * 2 {
                *vote = usual / 2;
            }
        }
        votes
    }
}
