use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use crm_core::{NoControl, Role};
use proptest::prelude::*;

use super::*;
use crate::Mapping;
use crate::block::Keys;
use crate::{Edge, EdgeBuffer, Model, PairScorer, PairStats, Prepared, Scorer, score_pairs, score_prepared};

const COLUMNS: [(&str, Role); 6] = [
    ("given", Role::GivenName),
    ("family", Role::FamilyName),
    ("birth", Role::BirthDate),
    ("email", Role::Email),
    ("city", Role::City),
    ("street", Role::Street),
];

type Row = [String; 6];

fn mapping() -> Mapping {
    Mapping::new(COLUMNS.iter().map(|(name, role)| ((*name).to_owned(), Some(*role)))).unwrap()
}

fn records(rows: &[Row], batch_size: usize) -> Records {
    built(RecordsBuilder::new(&mapping(), &ResolveConfig::default()).unwrap(), rows, batch_size)
}

fn built(mut builder: RecordsBuilder, rows: &[Row], batch_size: usize) -> Records {
    for rows in rows.chunks(batch_size) {
        let columns = COLUMNS.iter().enumerate().map(|(place, (name, _))| {
            let cells: StringArray = rows.iter().map(|row| Some(row[place].as_str()).filter(|cell| !cell.is_empty())).collect();
            (*name, Arc::new(cells) as ArrayRef)
        });
        builder.push(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    }
    builder.finish()
}

/// The edges by the places of rows in `order`.
fn edges(rows: &[Row], batch_size: usize, order: &[usize]) -> Vec<(usize, usize, i32)> {
    let config = ResolveConfig { review_threshold: 0.01, ..ResolveConfig::default() };
    let mut records = records(rows, batch_size);
    let model = Model::fit(&mut records, &config, &NoControl).unwrap();
    let buffer = EdgeBuffer::default();
    score_pairs(&records, &model, &config, &NoControl, &buffer).unwrap();
    let place = |record: u32| order[record as usize];
    let mut edges: Vec<_> =
        buffer.into_edges().iter().map(|edge| (place(edge.a).min(place(edge.b)), place(edge.a).max(place(edge.b)), edge.weight)).collect();
    edges.sort_unstable();
    edges
}

/// The model fitted on rows, and what comes of scoring them: as fitting left them, and under the model as a given one.
fn resolved(rows: &[Row], config: &ResolveConfig) -> (Model, [(PairStats, Vec<Edge>); 2]) {
    let mut records = records(rows, 100);
    let (model, fitted) = Model::fit_prepared(&mut records, config, &NoControl).unwrap();
    let given = Prepared::within(&records, &model, config);
    let score = |prepared: Prepared| {
        let buffer = EdgeBuffer::default();
        let stats = score_prepared(&records, &model, prepared, config, &NoControl, &buffer).unwrap();
        (stats, buffer.into_edges())
    };
    let scored = [fitted, given].map(score);
    (model, scored)
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let pick = |values: &'static [&'static str]| prop::sample::select(values).prop_map(str::to_owned);
    let row = (
        pick(&["Anna", "Ann", "Anna Maria", "Bill", "William", "John", "J", "", "Саша", "Alexander"]),
        pick(&["Berzina", "Bērziņa", "Smith", "Smyth", "Jones", "", "Иванов", "Ivanov"]),
        pick(&["1985-04-03", "03/04/1985", "1985", "", "12/31/1999", "1999-12-31", "1999-12-13"]),
        pick(&["a@x.com", "a.smith77@x.com", "a.smith77@y.com", "", "info@x.com", "a@x.com; b@y.com", "b@y.com, a.smith77@x.com"]),
        pick(&["Riga", "Rīga", "London", ""]),
        pick(&["", "Main St 5", "Main St 5-7", "Main Street 5, apt 8", "Elm St 9"]),
    );
    prop::collection::vec(row.prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f]), 2..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn edges_do_not_depend_on_batches_and_order(rows in rows(), batch_size in 1usize..9, seed in any::<u64>()) {
        let order: Vec<usize> = (0..rows.len()).collect();
        // Which of several identical rows speaks for them depends on the order, so each is kept once.
        let mut once = rows;
        once.sort();
        once.dedup();
        let mut shuffled = order[..once.len()].to_vec();
        shuffled.sort_by_key(|place| crm_core::content_hash(&(seed ^ *place as u64).to_le_bytes()));
        let moved: Vec<Row> = shuffled.iter().map(|place| once[*place].clone()).collect();
        let all = edges(&once, once.len().max(1), &order);
        let other = edges(&moved, batch_size, &shuffled);
        // Of several records of one content the first speaks for all.
        let mut hashes: Vec<u64> = (0..once.len() as u32).map(|record| records(&once, 100).content_hash(record)).collect();
        hashes.sort_unstable();
        prop_assume!(hashes.windows(2).all(|pair| pair[0] != pair[1]));
        prop_assert_eq!(all, other);
    }

    #[test]
    fn records_read_alone_under_a_model_are_what_they_were_among_all(rows in rows(), some in prop::collection::vec(any::<bool>(), 40)) {
        let config = ResolveConfig::default();
        let mut all = records(&rows, 100);
        let model = Model::fit(&mut all, &config, &NoControl).unwrap();
        let model = Model::from_json(&model.to_json().unwrap()).unwrap();
        let chosen: Vec<u32> = (0..rows.len() as u32).filter(|row| some[*row as usize]).collect();
        let part: Vec<Row> = chosen.iter().rev().map(|row| rows[*row as usize].clone()).collect();
        let part = built(RecordsBuilder::under_model(&[mapping()], &config, &model).unwrap(), &part, 3);
        let (keys_all, keys_part) = (Keys::new(&all, &model.rules), Keys::new(&part, &model.rules));
        let (scorer_all, scorer_part) = (Scorer::new(&all, &model, &config).unwrap(), Scorer::new(&part, &model, &config).unwrap());
        let in_all = |place: u32| chosen[chosen.len() - 1 - place as usize];
        for a in 0..part.len() as u32 {
            prop_assert_eq!(part.content_hash(a), all.content_hash(in_all(a)));
            for b in a + 1..part.len() as u32 {
                prop_assert_eq!(scorer_part.weight(a, b), scorer_all.weight(in_all(a), in_all(b)));
                prop_assert_eq!(keys_part.is_candidate(a, b), keys_all.is_candidate(in_all(a), in_all(b)));
            }
        }
    }

    #[test]
    fn every_pair_that_shares_a_key_is_proposed_once_and_scored_as_the_scorer_scores(rows in rows()) {
        let config = ResolveConfig { review_threshold: 0.0, ..ResolveConfig::default() };
        let mut records = records(&rows, 100);
        let model = Model::fit(&mut records, &config, &NoControl).unwrap();
        let buffer = EdgeBuffer::default();
        let stats = score_pairs(&records, &model, &config, &NoControl, &buffer).unwrap();
        let found = buffer.into_edges();
        prop_assert_eq!(stats.kept, found.len() as u64, "a pair came twice");
        let keys = Keys::new(&records, &model.rules);
        let scorer = Scorer::new(&records, &model, &config).unwrap();
        let is_found = |a: u32, b: u32| found.iter().any(|edge| (edge.a, edge.b) == (a, b));
        for a in 0..records.len() as u32 {
            for b in a + 1..records.len() as u32 {
                let is_repeated = (0..records.len() as u32).any(|other| {
                    other != a && records.row(other) == records.row(a) || other != b && records.row(other) == records.row(b)
                });
                let is_kept = keys.is_candidate(a, b) && scorer.weight(a, b) >= config.review_weight();
                prop_assert!(is_repeated || is_found(a, b) == is_kept, "{:?} {:?}", rows[a as usize], rows[b as usize]);
            }
        }
        for edge in &found {
            prop_assert_eq!(edge.weight.max(config.review_weight()), scorer.weight(edge.a, edge.b).max(config.review_weight()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn blocks_made_range_by_range_propose_the_same_pairs(rows in rows(), pairs_per_record in 0.0..9.0, min_pairs in 0u64..200) {
        let kept = ResolveConfig { review_threshold: 0.0, pairs_per_record, min_pairs, ..ResolveConfig::default() };
        let bounded = ResolveConfig { room: Some(1), ..kept.clone() };
        let (model, [fitted, given]) = resolved(&rows, &kept);
        prop_assert_eq!(&fitted, &given, "what is left out is counted once, while fitting and after");
        prop_assert_eq!((model, [fitted, given]), resolved(&rows, &bounded));
    }

    #[test]
    fn a_level_does_not_depend_on_what_was_compared_before(rows in rows(), ignore in prop::sample::select(vec!["city", "given", "family"])) {
        let config = ResolveConfig { ignore: vec![ignore.to_owned()], ..ResolveConfig::default() };
        let mut records = built(RecordsBuilder::new(&mapping(), &config).unwrap(), &rows, 100);
        let model = Model::fit(&mut records, &config, &NoControl).unwrap();
        let comparer = model.comparer(&records);
        let mut cache = crate::compare::LevelCache::default();
        for a in 0..records.len() as u32 {
            for b in 0..records.len() as u32 {
                prop_assert_eq!(comparer.levels(a, b, &mut cache), comparer.levels(a, b, &mut crate::compare::LevelCache::default()));
            }
        }
    }
}

#[test]
fn a_memo_takes_little_for_few_cells_and_never_much() {
    let mut memo = dictionary::Memo::new();
    assert!(memo.memory_bytes() <= 4096);
    for hash in 1..=200_000u64 {
        memo.put(hash, [hash as u32, 0]);
        assert_eq!(memo.get(hash), Some([hash as u32, 0]));
        assert!(memo.get(hash + 1).is_none());
    }
    assert!(memo.memory_bytes() <= 1 << 19);
}

#[test]
fn where_pairs_are_too_many_rules_say_more() {
    let (given, family) = (["Anna", "John", "Maria", "Peter", "Laura", "Igor"], ["Berzina", "Smith", "Garcia", "Novak", "Rossi", "Kim"]);
    let rows: Vec<Row> = (0..600usize)
        .map(|number| {
            let given = given[number * 7 % 6];
            let birth = format!("1985-04-{:02}", 1 + number * 11 % 9);
            [
                given.into(),
                family[number / 5 % 6].into(),
                birth,
                format!("a{number}@x.com"),
                ["Riga", "Cesis"][number % 2].into(),
                String::new(),
            ]
        })
        .collect();
    let with_budget = |pairs_per_record| {
        let config = ResolveConfig { pairs_per_record, min_pairs: 0, ..ResolveConfig::default() };
        resolved(&rows, &config)
    };
    let (free, [(free_stats, _), _]) = with_budget(10_000.0);
    assert!(free.rules.iter().all(|rule| rule.depth == 0));
    let (bound, [(stats, edges), (_, edges_under_model)]) = with_budget(1.0);
    assert!(bound.rules.iter().any(|rule| rule.depth > 0), "{:?}", stats.rules);
    assert!(bound.rules.iter().all(|rule| rule.depth as usize <= rule.refine.len()));
    assert!(stats.compared < free_stats.compared);
    assert_eq!(edges, edges_under_model, "the depth belongs to the model");
    // What a rule of some depth proposes it would propose without.
    let records = records(&rows, 100);
    let plain = |rule: &crate::block::Rule| crate::block::Rule { depth: 0, oversized: Default::default(), ..rule.clone() };
    let (deep, plain) = (Keys::new(&records, &bound.rules), Keys::new(&records, &bound.rules.iter().map(plain).collect::<Vec<_>>()));
    for (a, b) in (0..80).flat_map(|a| (a + 1..80).map(move |b| (a, b))) {
        assert!((0..bound.rules.len()).all(|rule| !deep.shares(a, b, rule) || plain.shares(a, b, rule)));
    }
}

#[test]
fn a_model_survives_json() {
    let rows: Vec<Row> = (0..30)
        .map(|number| {
            ["Anna".into(), format!("Name{number}"), "1985-04-03".into(), format!("a{number}@x.com"), "Riga".into(), String::new()]
        })
        .collect();
    let mut records = records(&rows, 7);
    let model = Model::fit(&mut records, &ResolveConfig::default(), &NoControl).unwrap();
    assert_eq!(Model::from_json(&model.to_json().unwrap()).unwrap(), model);
    assert!(Model::from_json("{}").is_err());
}

/// Puts `other` in the place of the `number`th number, text, list or flag of a JSON value; whether there are so many.
fn mutate(value: &mut serde_json::Value, number: &mut usize, other: &serde_json::Value) -> bool {
    use serde_json::Value;
    if *number == 0 {
        *value = other.clone();
        return true;
    }
    *number -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| mutate(item, number, other)),
        Value::Object(fields) => fields.values_mut().any(|field| mutate(field, number, other)),
        _ => false,
    }
}

#[test]
fn a_damaged_model_is_refused_or_works() {
    let rows: Vec<Row> = (0..40)
        .map(|n| {
            [
                "Anna".into(),
                format!("Name{}", n / 2),
                format!("19{}-04-03", 60 + n / 2),
                format!("a{}@x.com", n / 2),
                "Riga".into(),
                format!("2912{:04}", n / 2),
            ]
        })
        .collect();
    let config = ResolveConfig::default();
    let mut all = records(&rows, 7);
    let json = Model::fit(&mut all, &config, &NoControl).unwrap().to_json().unwrap();
    let whole: serde_json::Value = serde_json::from_str(&json).unwrap();
    let others =
        serde_json::json!([200, -1, 4_000_000_000u64, 1e300, 0.0, "given_name", {"derived": 200}, {"any_name": 3}, "year", [], null, true]);
    let (mut n_refused, mut n_working) = (0, 0);
    for other in others.as_array().unwrap() {
        for number in 0.. {
            let mut damaged = whole.clone();
            if !mutate(&mut damaged, &mut { number }, other) {
                break;
            }
            let Ok(model) = Model::from_json(&damaged.to_string()) else {
                n_refused += 1;
                continue;
            };
            n_working += 1;
            let Ok(builder) = RecordsBuilder::under_model(&[mapping()], &config, &model) else { continue };
            let read = built(builder, &rows, 100);
            let _ = score_pairs(&read, &model, &config, &NoControl, &EdgeBuffer::default());
        }
    }
    assert!(n_refused > 1_000 && n_working > 100, "{n_refused} {n_working}");
}

#[test]
fn a_damaged_model_is_refused_with_the_place() {
    let rows: Vec<Row> = (0..30)
        .map(|n| ["Anna".into(), format!("Name{n}"), "1985-04-03".into(), format!("a{n}@x.com"), "Riga".into(), String::new()])
        .collect();
    let json = Model::fit(&mut records(&rows, 7), &ResolveConfig::default(), &NoControl).unwrap().to_json().unwrap();
    let mut model: serde_json::Value = serde_json::from_str(&json).unwrap();
    model["rules"][0]["parts"][0]["form"] = serde_json::json!({"derived": 200});
    let error = Model::from_json(&model.to_string()).unwrap_err();
    assert!(error.message().starts_with("the model is damaged at rules[0].parts[0]: it asks for derived key 200"), "{error}");
}

#[test]
fn records_without_duplicates_stay_apart() {
    let given = ["Anna", "John", "Maria", "Peter", "Laura", "Igor"];
    let family = ["Berzina", "Smith", "Garcia", "Novak", "Rossi", "Petrov", "Kim"];
    let rows: Vec<Row> = (0..42)
        .map(|number| {
            let (given, family) = (given[number % 6], family[number / 6]);
            [
                given.into(),
                family.into(),
                format!("19{}-{:02}-{:02}", 40 + number, 1 + number % 12, 1 + (number * 7) % 28),
                format!("{}{}@mail.com", given.to_lowercase(), number * 37),
                "Riga".into(),
                String::new(),
            ]
        })
        .collect();
    let order: Vec<usize> = (0..rows.len()).collect();
    let found = edges(&rows, 100, &order);
    let config = ResolveConfig::default();
    assert!(found.iter().all(|(_, _, weight)| *weight < config.match_weight()), "{found:?}");
}
