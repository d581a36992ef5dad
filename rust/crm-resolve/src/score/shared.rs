//! Whether the value of a custom field is one person's or a group's.
use crate::compare::{Comparer, Comparison, LevelCache, MISSING, level_names};
use crate::records::{Kind, Records};

/// So many records are looked at, those of the lowest values.
const SAMPLED: usize = 30_000;
/// Each is compared with so many others of the same value.
const REACH: usize = 3;
/// From this share of pairs with two names on a value is a group's.
const MOST_OTHERS: f64 = 0.3;

/// Whether those who share a value of `field` are mostly different people by their names: an account, a team, a school; not a passport.
/// Where nobody has a name it is not known, and nothing is held to be shared.
pub(super) fn is_shared(records: &Records, comparisons: &[Comparison], field: usize) -> bool {
    let names: Vec<Comparison> =
        comparisons.iter().filter(|comparison| matches!(comparison.kind, Kind::Given | Kind::Family)).cloned().collect();
    let Some(given) = names.iter().position(|name| name.kind == Kind::Given) else { return false };
    let comparer = Comparer::new(records, names);
    let dictionary = records.dictionary(field);
    // Hashes draw a sample that no order of rows changes.
    let share = (SAMPLED as f64 / records.fields[field].n_filled.max(1) as f64).min(1.0);
    let most = (share * u64::MAX as f64) as u64;
    let value_of = |record: u32| records.values(field, &records.row(record)[field]).first().map(|value| dictionary.hash(*value));
    let mut sample: Vec<(u64, u64, u32)> = (0..records.len() as u32)
        .filter_map(|record| Some((value_of(record).filter(|hash| *hash <= most)?, records.content_hash(record), record)))
        .collect();
    sample.sort_unstable();
    let mut cache = LevelCache::default();
    let different = level_names(Kind::Given).len() as u8 - 1;
    // One in four of few would be another: so much has to be seen before a field counts as shared.
    let (mut n_others, mut n_pairs) = (1.0f64, 4.0f64);
    for (place, (value, _, record)) in sample.iter().enumerate() {
        for (_, _, other) in sample[place + 1..].iter().take(REACH).take_while(|(other, ..)| other == value) {
            let level = comparer.levels(*record, *other, &mut cache)[given];
            n_pairs += f64::from(u8::from(level != MISSING));
            n_others += f64::from(u8::from(level == different));
        }
    }
    n_others >= MOST_OTHERS * n_pairs
}
