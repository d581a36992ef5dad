//! How two records compare: one discrete level per field.
//!
//! Level 0 is "missing", level 1 "exact"; what lies between depends on the [`Kind`] ([`level_names`]). Names are compared jointly,
//! since their parts get swapped and shifted between cells.
pub mod distance;
mod levels;
mod names;

use crate::records::{Kind, Records, ValueId};
pub(crate) use levels::{DAMPED, OTHER_HOUSE, Spread, least_alike, most_different, priors, spread};
pub use levels::{EXACT, MISSING, level_names};
pub(crate) use levels::{SLIPS_FROM, SLIPS_TO, SWAPPED};
use names::NamePlaces;

/// Most comparisons that records may have; further custom columns take no part.
pub const MOST_COMPARISONS: usize = 32;

/// Of a list of values so many are graded against those of another list, which takes time with the product of the two.
const MOST_GRADED: usize = 32;

/// One level per comparison.
pub type Levels = [u8; MOST_COMPARISONS];

/// One comparison: a field and how it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The field's name.
    pub name: String,
    /// How it is compared.
    pub kind: Kind,
    /// Its place in [`Records::fields`].
    pub field: usize,
}

/// Compares any two records.
#[derive(Debug)]
pub struct Comparer<'a> {
    pub(crate) records: &'a Records,
    pub(crate) comparisons: Vec<Comparison>,
    names: NamePlaces,
}

/// Remembers the levels of pairs of values that recur often; each thread has its own.
#[derive(Debug)]
pub struct LevelCache(Vec<(u64, u32)>);

impl LevelCache {
    const BITS: u32 = 13;
}

impl Default for LevelCache {
    fn default() -> Self {
        Self(vec![(0, 0); 1 << Self::BITS])
    }
}

impl<'a> Comparer<'a> {
    /// A comparer for these comparisons; each must refer to a field of `records`.
    pub fn new(records: &'a Records, comparisons: Vec<Comparison>) -> Self {
        let names = NamePlaces::new(records, &comparisons);
        Self { records, comparisons, names }
    }

    /// The comparisons, in the order of [`Levels`].
    pub fn comparisons(&self) -> &[Comparison] {
        &self.comparisons
    }

    /// Compares records `a` and `b` in every field.
    pub fn levels(&self, a: u32, b: u32, cache: &mut LevelCache) -> Levels {
        self.levels_unless(0, a, b, cache)
    }

    /// As [`Comparer::levels`], where some comparisons, as bits, are known to be "different" if there are values.
    pub(crate) fn levels_unless(&self, different: u32, a: u32, b: u32, cache: &mut LevelCache) -> Levels {
        let (row_a, row_b) = (self.records.row(a), self.records.row(b));
        let mut levels = [MISSING; MOST_COMPARISONS];
        self.name_levels(row_a, row_b, cache, &mut levels);
        for (place, comparison) in self.comparisons.iter().enumerate() {
            if self.names.is_name(place) {
                continue;
            }
            if different >> place & 1 == 1 {
                let (one, other) = (row_a[comparison.field], row_b[comparison.field]);
                let last = level_names(comparison.kind).len() as u8 - 1;
                levels[place] = if one == 0 || other == 0 { MISSING } else { last };
            } else {
                levels[place] = self.level_at(place, comparison, row_a, row_b, cache, &levels);
            }
        }
        levels
    }

    /// The level of the comparison at `place`, once the names' levels are known.
    #[inline]
    pub(crate) fn level_at(
        &self,
        place: usize,
        comparison: &Comparison,
        row_a: &[u32],
        row_b: &[u32],
        cache: &mut LevelCache,
        levels: &Levels,
    ) -> u8 {
        debug_assert!(!self.is_name(place));
        let level = self.level(comparison, row_a[comparison.field], row_b[comparison.field], cache);
        // Mailboxes named after one name are alike because the names are.
        if comparison.kind == Kind::Email && levels::is_like_name(level) && self.names.agree(levels) {
            return levels::EMAIL_DIFFERENT;
        }
        // Where the names differ in a letter, so do the mailboxes named after them: that says nothing new.
        if comparison.kind == Kind::Email && level == levels::EMAIL_TYPO && self.names.differ_slightly(levels) {
            return MISSING;
        }
        level
    }

    /// Compares the parts of the names, into their places.
    pub(crate) fn name_levels(&self, row_a: &[u32], row_b: &[u32], cache: &mut LevelCache, levels: &mut Levels) {
        names::compare(self, &self.names, row_a, row_b, cache, levels);
    }

    /// Whether the comparison at `place` belongs to the name.
    pub(crate) fn is_name(&self, place: usize) -> bool {
        self.names.is_name(place)
    }

    /// The level of one comparison that is not a name's.
    pub(crate) fn level(&self, comparison: &Comparison, a: u32, b: u32, cache: &mut LevelCache) -> u8 {
        if a == 0 || b == 0 {
            return MISSING;
        }
        if a == b {
            return EXACT;
        }
        let (field, kind) = (comparison.field, comparison.kind);
        let (many_a, many_b) = (self.records.values(field, &a), self.records.values(field, &b));
        if let ([one_a], [one_b]) = (many_a, many_b) {
            return self.value_level(kind, field, *one_a, *one_b, cache);
        }
        if share_one(many_a, many_b) {
            return EXACT;
        }
        let (few_a, few_b) = (self.few(field, many_a), self.few(field, many_b));
        let levels = few_a.iter().flat_map(|one| few_b.iter().map(move |other| (*one, *other)));
        // Two values that say nothing of each other leave it to the others.
        let levels = levels.map(|(one, other)| self.value_level(kind, field, one, other, cache)).filter(|level| *level != MISSING);
        levels.min().unwrap_or(MISSING)
    }

    /// Values of a list that are graded against those of another: of a long list some that do not depend on their numbers.
    fn few<'v>(&self, field: usize, values: &'v [ValueId]) -> std::borrow::Cow<'v, [ValueId]> {
        if values.len() <= MOST_GRADED {
            return values.into();
        }
        let dictionary = self.records.dictionary(field);
        let mut values = values.to_vec();
        values.sort_unstable_by_key(|value| dictionary.hash(*value));
        values.truncate(MOST_GRADED);
        values.into()
    }

    /// The level of two different values.
    pub(crate) fn value_level(&self, kind: Kind, field: usize, a: ValueId, b: ValueId, cache: &mut LevelCache) -> u8 {
        let (low, high) = (a.min(b), a.max(b));
        let dictionary = self.records.dictionary(field);
        if !matches!(kind, Kind::Given | Kind::Family | Kind::Middle | Kind::City | Kind::Region | Kind::Company) {
            let (low, high) = dictionary.in_order(low, high);
            return levels::value_level(kind, dictionary, low, high);
        }
        let key = u64::from(low) << 32 | u64::from(high);
        // A value is graded as one kind here and as another there: names in each other's places.
        let tag = (kind as u32) << 24 | (field as u32 + 1) << 8;
        let slot = (key ^ u64::from(tag) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - LevelCache::BITS);
        let (known, found) = cache.0[slot as usize];
        if known == key && found & !0xff == tag {
            return found as u8;
        }
        let (low, high) = dictionary.in_order(low, high);
        let level = if matches!(kind, Kind::Given | Kind::Family | Kind::Middle) {
            names::value_level(kind, self.records, dictionary, low, high)
        } else {
            levels::value_level(kind, dictionary, low, high)
        };
        cache.0[slot as usize] = (key, tag | u32::from(level));
        level
    }
}

/// Whether two ascending lists have a value in common.
fn share_one(a: &[ValueId], b: &[ValueId]) -> bool {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(one), Some(other)) = (a.peek(), b.peek()) {
        match one.cmp(other) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => a.next(),
            std::cmp::Ordering::Greater => b.next(),
        };
    }
    false
}
