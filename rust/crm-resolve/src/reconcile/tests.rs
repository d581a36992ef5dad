use crm_core::{NoControl, Role};
use hashbrown::HashMap;
use proptest::prelude::*;

use super::*;
use crate::ResolveConfig;
use crate::merge::{ConventionSample, NormalCanonicalizer, SourceColumn, SourceLayout};

fn layout(columns: &[(&str, Option<Role>)]) -> SourceLayout {
    let columns = columns.iter().map(|(name, role)| SourceColumn { name: (*name).to_owned(), role: *role }).collect();
    SourceLayout { source: "list".to_owned(), columns }
}

fn latvian() -> NormalCanonicalizer {
    let mut sample = ConventionSample::default();
    for (number, phone) in ["+371 29123456", "67 223 344"].iter().enumerate() {
        sample.add(Role::Phone, number as u64, phone);
    }
    sample.add(Role::BirthDate, 1, "31.12.1999");
    let [latvian, none] = [sample, ConventionSample::default()].map(|sample| sample.settle(&ResolveConfig::default()));
    NormalCanonicalizer::new([&latvian, &none])
}

/// Left cells are of a Latvian list, right ones of a list without conventions.
#[track_caller]
fn check(kind: FieldKind, left: &str, right: &str, expected: Verdict) {
    let fields = [ComparedField { name: "field".to_owned(), kind, places: vec![vec![0], vec![0]] }];
    let canonicalizer = latvian();
    let mut comparer = Comparer::new(&fields, &canonicalizer);
    assert_eq!(comparer.compare(0, (0, left), (1, right)), expected, "{left:?} {right:?}");
}

#[test]
fn formats_are_no_differences() {
    use FieldKind::{Custom, Name, Role as Of};
    use Verdict::{Different, Empty, OnlyLeft, OnlyRight, Partly, Same};
    for (kind, left, right, expected) in [
        (Of(Role::Phone), "29 123-456", "+371 29123456", Same),
        (Of(Role::Phone), "29123456", "29123457", Different),
        (Of(Role::Phone), "29123456; 67223344", "+37129123456", Partly),
        (Of(Role::Phone), "+371 29123456", "+370 29123456", Different),
        (Of(Role::Phone), "67223344 доб. 5", "+371 67223344 ext 5", Same),
        (Of(Role::Phone), "67223344 доб. 5", "67223344", Partly),
        (Of(Role::Phone), "67223344 доб. 5", "67223344 доб. 7", Partly),
        (Of(Role::Website), "https://bit.ly/AbC", "bit.ly/abc", Same),
        (Of(Role::Website), "site.ru/index.php?id=77", "site.ru/index.php?id=78", Different),
        (Of(Role::Website), "www.a.lv, b.lv", "http://a.lv/", Partly),
        (Of(Role::Social), "linkedin.com/in/anna; @anna", "https://www.linkedin.com/in/Anna/", Partly),
        (Of(Role::Phone), "n/a", "", Empty),
        (Of(Role::Email), "Anna@Inbox.lv", "anna@inbox.lv", Same),
        (Of(Role::Email), "anna@inbox.lv", "anna@inbox.lt", Different),
        (Of(Role::BirthDate), "03.04.1985", "1985-04-03", Same),
        (Of(Role::BirthDate), "03.04.1985", "1985-04-13", Different),
        (Of(Role::FamilyName), "Щербаков", "Shcherbakov", Same),
        (Of(Role::FamilyName), "Bērziņš", "BERZINS", Same),
        (Of(Role::FamilyName), "Иванов", "Иванова", Different),
        (Name, "Ozola Anna", "anna ozola", Same),
        (Name, "Иванов Пётр Сергеевич", "Petr Ivanov", Partly),
        (Name, "Anna Ozola", "Jana Ozola", Different),
        (Of(Role::CompanyName), "ООО «Ромашка»", "Romashka", Same),
        (Of(Role::City), "Rīga", "Riga", Same),
        (Of(Role::Country), "Latvija", "LV", Same),
        (Of(Role::Postcode), "LV-1010", "1010", Same),
        (Of(Role::Street), "Brīvības iela 12-45", "Brivibas 12, dz. 45", Same),
        (Of(Role::Street), "Brīvības iela 12-45", "Brīvības iela 12", Partly),
        (Of(Role::Street), "Caka iela 90-32", "Čaka 90-32", Same),
        (Of(Role::Street), "Lāčplēša 72-16", "Lacplesa iela 72-16", Same),
        (Of(Role::Street), "Brīvības iela 12", "Čaka iela 12", Different),
        (Of(Role::City), "Cēsis", "Cesis", Same),
        (Of(Role::CompanyName), "SIA Čiekurs", "CIEKURS", Same),
        (Of(Role::CompanyName), "SIA Čiekurs", "AS Čiekurs", Different),
        (Of(Role::FamilyName), "Kļaviņa-Čakste", "Klavina Cakste", Same),
        (Of(Role::TaxId), "LV 40003009497", "40003009497", Same),
        (Of(Role::MarketingConsent), "да", "yes", Same),
        (Of(Role::MarketingConsent), "opt_out", "нет, спасибо", Same),
        (Of(Role::MarketingConsent), "perhaps", "yes", Different),
        (Of(Role::MarketingConsent), "-", "yes", OnlyRight),
        (Of(Role::Status), "Active", "active ", Same),
        (Custom, "1 234,50", "1234.5", Same),
        (Custom, "00042", "42", Same),
        (Custom, "01.05.2024", "2024-05-01", Same),
        (Custom, "01.05.2024 10:00", "2024-05-01T10:00:00", Same),
        (Custom, "12.05.2024", "12052024", Different),
        (Custom, "TRUE", "да", Same),
        (Custom, "VIP", "vip", Same),
        (Custom, "VIP", "", OnlyLeft),
        (Custom, "", "VIP", OnlyRight),
        (FieldKind::AsWritten, "VIP", "vip", Different),
        (FieldKind::AsWritten, "a  b", "a b", Same),
    ] {
        check(kind, left, right, expected);
    }
}

#[test]
fn columns_of_one_meaning_answer_each_other() {
    let left = layout(&[("ФИО", Some(Role::FullName)), ("Тел.", Some(Role::Phone)), ("Сегмент", None), ("Бонус", None)]);
    let right = layout(&[
        ("Surname", Some(Role::FamilyName)),
        ("First", Some(Role::GivenName)),
        ("Phone 1", Some(Role::Phone)),
        ("Phone 2", Some(Role::Phone)),
        ("сегмент ", None),
        ("points", None),
    ]);
    let twins = [("Бонус".to_owned(), "points".to_owned())];
    let fields = compared_fields(&[left.clone(), right.clone()], &[false, true], &twins, &[]).unwrap();
    let shown: Vec<(&str, &[Vec<usize>])> = fields.iter().map(|field| (field.name.as_str(), field.places.as_slice())).collect();
    assert_eq!(
        shown,
        [
            ("full_name", [vec![0], vec![0, 1]].as_slice()),
            ("phone", [vec![1], vec![2, 3]].as_slice()),
            ("Бонус", [vec![3], vec![5]].as_slice()),
            ("Сегмент", [vec![2], vec![4]].as_slice()),
        ]
    );
    let error = compared_fields(&[left, right], &[false, true], &[("Бонус".to_owned(), "poins".to_owned())], &[]).unwrap_err();
    assert!(error.message().contains("right side has no column 'poins'") && error.message().contains("'points'"), "{error}");
}

#[test]
fn a_shared_key_comes_before_weight() {
    // Records 0 and 1 are left, 2 and 3 right; all are one cluster, and 0 is more like 3.
    let weight = |a: u32, b: u32| if (a.min(b), a.max(b)) == (0, 3) { 20 } else { 10 };
    let mut keys = KeyValues::default();
    for record in [0, 2] {
        keys.values.push((77, record));
    }
    keys.key_of.insert(77, 0);
    let pairing = pair_sides(&[0; 4], &[false, false, true, true], &keys, &weight, &NoControl).unwrap();
    let pairs: Vec<(u32, u32, Option<u8>)> = pairing.pairs.iter().map(|pair| (pair.left, pair.right, pair.key)).collect();
    assert_eq!(pairs, [(0, 2, Some(0)), (1, 3, None)]);
}

#[test]
fn a_key_joins_what_the_evidence_keeps_apart() {
    let mut keys = KeyValues { values: vec![(5, 0), (5, 2)], ..KeyValues::default() };
    keys.key_of.insert(5, 1);
    let pairing = pair_sides(&[0, 1, 2], &[false, false, true], &keys, &|_, _| -10, &NoControl).unwrap();
    assert_eq!(pairing.fates, [Fate::Matched(0), Fate::Only, Fate::Matched(0)]);
}

/// A left and a right list of `n` rows that all share one mailbox, the right one in another order: row `i` there is row `i * 7 % n` here.
fn sharing_a_mailbox(n: u32, with_id: bool) -> (Vec<u32>, Vec<bool>, KeyValues) {
    let mut keys = KeyValues::default();
    let row_of = |record: u32| if record < n { record } else { (record - n) * 7 % n };
    for record in 0..2 * n {
        if with_id {
            let id = 1_000 + u64::from(row_of(record));
            keys.values.push((id, record));
            keys.key_of.insert(id, 1);
        }
        keys.values.push((9, record));
    }
    keys.key_of.insert(9, 2);
    (vec![0; 2 * n as usize], (0..2 * n).map(|record| record >= n).collect(), keys)
}

#[track_caller]
fn check_right_rows(pairing: &Pairing, n: u32) {
    assert_eq!(pairing.pairs.len(), n as usize);
    assert!(pairing.pairs.iter().all(|pair| pair.left == (pair.right - n) * 7 % n), "{:?}", pairing.pairs);
}

#[test]
fn a_mailbox_that_many_share_does_not_decide_who_is_who() {
    let n = 65;
    let (labels, is_right, keys) = sharing_a_mailbox(n, true);
    check_right_rows(&pair_sides(&labels, &is_right, &keys, &|_, _| 0, &NoControl).unwrap(), n);
    // Without another key rows that say the same are one, and clusters are.
    let (labels, is_right, mut keys) = sharing_a_mailbox(n, false);
    keys.content = (0..2 * n).map(|record| 1 + u64::from(if record < n { record } else { (record - n) * 7 % n })).collect();
    check_right_rows(&pair_sides(&labels, &is_right, &keys, &|_, _| 0, &NoControl).unwrap(), n);
    keys.content.clear();
    let labels: Vec<u32> = labels.iter().zip(0..).map(|(_, record)| if record < n { record } else { (record - n) * 7 % n }).collect();
    check_right_rows(&pair_sides(&labels, &is_right, &keys, &|_, _| 0, &NoControl).unwrap(), n);
}

#[test]
fn what_nothing_tells_apart_is_left_open_and_decisions_hold() {
    let n = 65;
    let (labels, is_right, mut keys) = sharing_a_mailbox(n, false);
    keys.content = vec![5; 2 * n as usize];
    keys.different.insert((0, n));
    let pairing = pair_sides(&labels, &is_right, &keys, &|_, _| 0, &NoControl).unwrap();
    assert!(!pairing.pairs.iter().any(|pair| (pair.left, pair.right) == (0, n)));
    keys.content.clear();
    let pairing = pair_sides(&labels, &is_right, &keys, &|_, _| 0, &NoControl).unwrap();
    assert_eq!((pairing.pairs.len(), pairing.n_undecided), (0, u64::from(2 * n)));
}

proptest! {
    /// Each record has one fate; no record is in two pairs; a duplicate points to a matched record of its own side and group.
    #[test]
    fn every_record_is_accounted_for_once(
        records in prop::collection::vec((0u32..6, any::<bool>(), prop::option::of(0u64..4)), 0..40),
        salt in any::<u32>(),
    ) {
        let named: HashMap<u32, u32> = HashMap::new();
        let (mut labels, mut named) = (Vec::new(), named);
        for (label, _, _) in &records {
            let next = named.len() as u32;
            labels.push(*named.entry(*label).or_insert(next));
        }
        let is_right: Vec<bool> = records.iter().map(|(_, right, _)| *right).collect();
        let mut keys = KeyValues::default();
        for (record, (_, _, key)) in records.iter().enumerate() {
            if let Some(key) = key {
                keys.values.push((*key, record as u32));
                keys.key_of.insert(*key, 0);
            }
        }
        let weight = |a: u32, b: u32| ((a.min(b) * 7919 + a.max(b) * 104_729) ^ salt) as i32 % 1_000;
        let pairing = pair_sides(&labels, &is_right, &keys, &weight, &NoControl).unwrap();
        let mut n_in_pairs = vec![0; records.len()];
        for (place, pair) in pairing.pairs.iter().enumerate() {
            prop_assert!(!is_right[pair.left as usize] && is_right[pair.right as usize]);
            prop_assert_eq!(pairing.groups[pair.left as usize], pairing.groups[pair.right as usize]);
            for record in [pair.left, pair.right] {
                n_in_pairs[record as usize] += 1;
                prop_assert_eq!(pairing.fates[record as usize], Fate::Matched(place as u32));
            }
        }
        for (record, fate) in pairing.fates.iter().enumerate() {
            let same_group = |other: usize| pairing.groups[other] == pairing.groups[record];
            match fate {
                Fate::Matched(_) => prop_assert_eq!(n_in_pairs[record], 1),
                Fate::Duplicate(other) => {
                    let other = *other as usize;
                    prop_assert_eq!(n_in_pairs[record], 0);
                    prop_assert!(matches!(pairing.fates[other], Fate::Matched(_)) && same_group(other));
                    prop_assert_eq!(is_right[other], is_right[record]);
                }
                Fate::Only => {
                    prop_assert_eq!(n_in_pairs[record], 0);
                    // Nobody of the other side is in its group.
                    prop_assert!((0..records.len()).all(|other| !same_group(other) || is_right[other] == is_right[record]));
                }
            }
        }
    }
}
