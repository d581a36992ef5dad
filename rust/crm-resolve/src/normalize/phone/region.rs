//! Which region a column of numbers comes from.
use super::metadata::Metadata;
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
/// vote for each region in whose plan they are valid. `None` when no number is valid anywhere.
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
    let mut votes = vec![0usize; metadata.plans.len()];
    let mut n_numbers = 0;
    for cell in cells.into_iter().take(MAX_CELLS) {
        for part in split_phones(cell) {
            let Ok(scan) = Scan::read(part) else { continue };
            if scan.digits.len < 5 || scan.digits.overflowed {
                continue;
            }
            n_numbers += 1;
            if scan.plus {
                if let Some(phone) = interpret(metadata, true, &scan.digits, None)
                    && phone.validity == PhoneValidity::Valid
                    && let Some(idx) = metadata.plans.iter().position(|plan| plan.id == phone.region && phone.region.0 != *b"00")
                {
                    votes[idx] += 1;
                }
                continue;
            }
            for (idx, plan) in metadata.plans.iter().enumerate() {
                if plan.id.0 == *b"00" {
                    continue;
                }
                // A number that reads as another country's under this region supports that country, not this one.
                if let Some(phone) = interpret(metadata, false, &scan.digits, Some(plan.id))
                    && phone.validity == PhoneValidity::Valid
                    && phone.country_code == plan.country_code
                {
                    // Regions that share a code are told apart by the digits; the code's main region still gets the vote of its satellites.
                    let main = metadata.code(plan.country_code).is_some_and(|main| main.id == plan.id);
                    if main || phone.region == plan.id {
                        votes[idx] += 1;
                    }
                }
            }
        }
    }
    let rank = |region: Region| TIES.iter().position(|&tie| *tie == region.0).unwrap_or(TIES.len());
    let best =
        (0..votes.len()).max_by_key(|&idx| (votes[idx], std::cmp::Reverse((rank(metadata.plans[idx].id), metadata.plans[idx].id))))?;
    (votes[best] > 0).then(|| PhoneRegionGuess { region: metadata.plans[best].id, n_supporting: votes[best], n_numbers })
}
