use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use crm_core::Role;
use hashbrown::HashMap;

use super::*;
use crate::records::{Records, RecordsBuilder};
use crate::{Mapping, ResolveConfig};

const COLUMNS: [(&str, Role); 5] =
    [("given", Role::GivenName), ("family", Role::FamilyName), ("birth", Role::BirthDate), ("city", Role::City), ("phone", Role::Phone)];

/// People of few names, some with two telephones, some without a birth date or a city; every seventh is there twice.
fn people(n: usize) -> Records {
    let pick = |values: &[&'static str], place: usize| values[place % values.len()];
    let phone = |number: usize| match number % 5 {
        0 => Some(format!("+371 29{:06}", number % 40)),
        1 => Some(format!("+371 29{:06}; +371 28{:06}", number % 30, number % 20)),
        _ => None,
    };
    let cell = |place: usize, number: usize| match place {
        0 => Some(pick(&["Anna", "John", "Maria", "Peter", "Anna Maria"], number * 3).to_owned()),
        1 => Some(pick(&["Berzina", "Smith", "Smith Garcia", "Kim"], number / 5).to_owned()),
        2 => (!number.is_multiple_of(4)).then(|| format!("19{}-04-{:02}", 80 + number % 3, 1 + number % 9)),
        3 => (!number.is_multiple_of(3)).then(|| pick(&["Riga", "Cesis", "Talsi"], number / 2).to_owned()),
        _ => phone(number),
    };
    let numbers: Vec<usize> = (0..n).flat_map(|number| std::iter::repeat_n(number, if number % 7 == 0 { 2 } else { 1 })).collect();
    let columns = COLUMNS.iter().enumerate().map(|(place, (name, _))| {
        let cells: StringArray = numbers.iter().map(|number| cell(place, *number)).collect();
        (*name, Arc::new(cells) as ArrayRef)
    });
    let mapping = Mapping::new(COLUMNS.iter().map(|(name, role)| ((*name).to_owned(), Some(*role)))).unwrap();
    let mut builder = RecordsBuilder::new(&mapping, &ResolveConfig::default()).unwrap();
    builder.push(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    builder.finish()
}

/// The keys that more than three of some records bear, and the records that bear one.
fn crowded(column: &Column, some: &[u32]) -> (KeyHashes, Vec<u32>) {
    let mut counts: HashMap<u32, u32> = HashMap::new();
    some.iter().for_each(|record| column.each(*record, |key| *counts.entry(key).or_default() += 1));
    let keys: KeyHashes = counts.into_iter().filter(|(_, n)| *n > 3).map(|(key, _)| key).collect();
    let bears = |record: &u32| {
        let mut found = false;
        column.each(*record, |key| found |= keys.contains(&key));
        found
    };
    let records = some.iter().copied().filter(bears).collect();
    (keys, records)
}

#[test]
fn keys_refined_step_by_step_are_those_that_are_made_anew() {
    let records = people(900);
    let mut n_refined = 0;
    for (mut rule, depth) in choose_rules(&records, &[]).into_iter().flat_map(|rule| [(rule.clone(), 0), (rule, 1)]) {
        rule.depth = depth;
        let mut stepwise = Keys::new(&records, std::slice::from_ref(&rule)).columns.remove(0);
        let mut anew = stepwise.clone();
        let (mut left_out, mut left_out_anew) = (HashMap::new(), HashMap::new());
        let mut refining = None;
        let mut some: Vec<u32> = (0..records.len() as u32).collect();
        for _ in 0..=rule.refine.len() {
            let (grown, affected) = crowded(&stepwise, &some);
            rule.oversized.extend(grown);
            let refining = refining.get_or_insert_with(|| refine::Refining::new(&records, &rule, &stepwise, &affected));
            refining.renew(&rule.oversized, &mut stepwise, &affected, &mut left_out);
            keys::renew(&records, &rule, &mut anew, &affected, &mut left_out_anew);
            assert_eq!((&stepwise.slots, &stepwise.more), (&anew.slots, &anew.more), "{} at depth {depth}", rule.name);
            assert_eq!(left_out, left_out_anew);
            n_refined += affected.len();
            some = affected;
        }
    }
    assert!(n_refined > 5_000, "{n_refined}");
}

#[test]
fn records_that_bear_one_of_some_keys_are_found() {
    let records = people(300);
    let all: Vec<u32> = (0..records.len() as u32).collect();
    let mut n_found = 0;
    for rule in choose_rules(&records, &[]) {
        let column = Keys::new(&records, std::slice::from_ref(&rule)).columns.remove(0);
        let (keys, expected) = crowded(&column, &all);
        assert_eq!(caps::bearers(&column, &all, &keys), expected, "{}", rule.name);
        assert_eq!(caps::bearers(&column, &all, &KeyHashes::default()), Vec::<u32>::new());
        n_found += expected.len();
    }
    assert!(n_found > 300, "{n_found}");
}
