//! Which region a column of numbers comes from.
use std::sync::OnceLock;

use super::metadata::{Digits, Metadata, Plan};
use super::scan::{Scan, split_phones};
use super::{PhoneValidity, Region, interpret};

/// How many cells are looked at.
const MAX_CELLS: usize = 1000;
/// Regions in the order in which a tie is settled: by how many business contacts are kept there.
const TIES: [&[u8; 2]; 24] = [
    b"US", b"RU", b"GB", b"DE", b"FR", b"LV", b"ES", b"IT", b"PL", b"NL", b"UA", b"IN", b"BR", b"AU", b"LT", b"EE", b"BY", b"KZ", b"SE",
    b"FI", b"NO", b"CZ", b"TR", b"CN",
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
/// speak for each region in whose plan they are valid, the more the fewer numbers that plan takes: Finland's takes nearly everything, so
/// that a Latvian number is valid there too and says little. `None` when no number is valid anywhere.
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
    let evidence = Evidence::get(metadata);
    let mut n_supporting = vec![0usize; metadata.plans.len()];
    let mut millibits = vec![0i64; metadata.plans.len()];
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
                    millibits[idx] += SAYS_ITS_COUNTRY;
                }
                continue;
            }
            for (idx, plan) in metadata.plans.iter().enumerate() {
                if is_national(metadata, plan, &scan.digits) {
                    n_supporting[idx] += 1;
                    millibits[idx] += evidence.of_valid(idx, scan.digits.len);
                } else {
                    millibits[idx] += OF_INVALID;
                }
            }
        }
    }
    let rank = |region: Region| TIES.iter().position(|&tie| *tie == region.0).unwrap_or(TIES.len());
    let order = |idx: &usize| (millibits[*idx], std::cmp::Reverse((rank(metadata.plans[*idx].id), metadata.plans[*idx].id)));
    let best = (0..millibits.len()).filter(|idx| n_supporting[*idx] > 0).max_by_key(order)?;
    Some(PhoneRegionGuess { region: metadata.plans[best].id, n_supporting: n_supporting[best], n_numbers })
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
/// Numbers with more digits are taken as this long.
const LONGEST: usize = 15;
/// What a number with a country code of its own says for that country.
const SAYS_ITS_COUNTRY: i64 = 1000;
/// What a number says against a region in whose plan it is not valid: one in twenty is mistyped, or of elsewhere.
const OF_INVALID: i64 = -4300;

/// How much a valid number says for a region, by its length: log2 of how much likelier it is there than among any digits, in thousandths.
struct Evidence(Vec<[i64; LONGEST + 1]>);

impl Evidence {
    fn get(metadata: &Metadata) -> &'static Self {
        static EVIDENCE: OnceLock<Evidence> = OnceLock::new();
        EVIDENCE.get_or_init(|| Self(metadata.plans.iter().map(|plan| Self::of_plan(metadata, plan)).collect()))
    }

    fn of_valid(&self, plan: usize, n_digits: usize) -> i64 {
        self.0[plan][n_digits.min(LONGEST)]
    }

    /// The share of all digits of a length that the plan takes is counted on a fixed sample of them.
    fn of_plan(metadata: &Metadata, plan: &Plan) -> [i64; LONGEST + 1] {
        const N_SAMPLES: u32 = 128;
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut share = [0f64; LONGEST + 1];
        for (n_digits, share) in share.iter_mut().enumerate().skip(SHORTEST) {
            let mut n_valid = 0u32;
            for _ in 0..N_SAMPLES {
                let mut digits = Digits::default();
                for _ in 0..n_digits {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    digits.push(((seed >> 33) % 10) as u8);
                }
                n_valid += u32::from(is_national(metadata, plan, &digits));
            }
            *share = f64::from(n_valid) / f64::from(N_SAMPLES);
        }
        // A plan spreads its numbers over its lengths; any digits spread over all lengths.
        let n_lengths = share.iter().filter(|share| **share > 0.01).count().max(1) as f64;
        let any_length = (LONGEST + 1 - SHORTEST) as f64;
        share.map(|share| ((any_length / n_lengths / share.max(0.5 / f64::from(N_SAMPLES))).log2() * 1000.0).round() as i64)
    }
}
