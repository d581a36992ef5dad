use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, types::Int32Type,
};

use super::*;
use crate::compile::Compiler;
use crate::graph::NodeId;
use crate::parse::{Origin, parse_sql};
use crate::schema::Schema;

const CONDITIONS: &[&str] = &[
    "city = 'Riga'",
    "city in ('Oslo', 'Рига', '')",
    "city is null",
    "not (city = 'Riga')",
    "city <> 'Oslo'",
    "city > 'M'",
    "city ilike '%IG%'",
    "city like 'R%'",
    "name = 'Анна'",
    "name in ('Bob', 'Annamaria Long', 'Annamaria Lang')",
    "name ilike '%ан%'",
    "not name ilike '%b%'",
    "name is null",
    "contains(name, 'о')",
    "name like '_n%'",
    "lower(name) = 'bob'",
    "upper(name) in ('BOB', 'АННА')",
    "upper(name) ilike '%о%'",
    "nullif(name, '') is null",
    "small > 3",
    "small between 1 and 2",
    "not small = 2",
    "small % 2 = 0",
    "small is null",
    "small in (1, 3, null)",
    "small is distinct from 2",
    "small * 2 > 5",
    "big > 100",
    "big < -5 or big = 77",
    "big is null or big >= 1000000000000",
    "not (big between 0 and 100)",
    "big in (77, 1000000000000)",
    "x > 1.5",
    "x = 0",
    "x < 0 or x is null",
    "not x >= 2",
    "x is distinct from 1.5",
    "x in (1.5, 2)",
    "x > 1 and x < 100",
    "born >= date '2000-01-01'",
    "month(born) = 3",
    "born < today - interval '30 years'",
    "date_part('dow', born) = 0 and born is not null",
    "seen >= timestamp '2026-01-01'",
    "seen < today",
    "not seen between '2025-01-01' and '2026-01-01'",
    "hour(seen) = 3",
    "ok",
    "not ok",
    "ok is null",
    "'vip' = any(tags)",
    "contains(tags, 'a')",
    "not contains(tags, 'longer than eight')",
    "length(tags) = 2",
    "tags is null",
    "small > x",
    "1 / small > 0.4",
    "case when small > 2 then ok else x > 1 end",
    "coalesce(city, name) = 'Riga'",
    "(city = 'Riga') = ok",
    "(small = 2) is not true",
];

fn batch(rows: usize, dictionary: bool) -> RecordBatch {
    let mut seed = 3u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let cities = ["Riga", "Oslo", "Рига", "", "Rīga", "Madrid"];
    let names = ["Анна", "Bob", "Annamaria Long", "Annamaria Lang", "иван", "Иоанн", "", "kОля"];
    let pool = ["vip", "a", "longer than eight", "longer than nine!", "b"];
    let mut maybe = |rows: usize, kinds: usize| -> Vec<Option<usize>> {
        (0..rows).map(|_| Some(random(kinds + 1)).filter(|kind| *kind < kinds)).collect()
    };
    let city: Vec<Option<&str>> = maybe(rows, cities.len()).into_iter().map(|kind| kind.map(|kind| cities[kind])).collect();
    let city: ArrayRef =
        if dictionary { Arc::new(city.iter().copied().collect::<DictionaryArray<Int32Type>>()) } else { Arc::new(StringArray::from(city)) };
    let name: StringArray = maybe(rows, names.len()).into_iter().map(|kind| kind.map(|kind| names[kind])).collect();
    let small: Int32Array = maybe(rows, 6).into_iter().map(|kind| kind.map(|kind| kind as i32)).collect();
    let bigs = [77i64, -6, 0, 100, 101, i64::MIN, i64::MAX, 1_000_000_000_000];
    let big: Int64Array = maybe(rows, bigs.len()).into_iter().map(|kind| kind.map(|kind| bigs[kind])).collect();
    let floats = [0.0, -0.0, 1.5, 2.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -3.25, 99.0];
    let x: Float64Array = maybe(rows, floats.len()).into_iter().map(|kind| kind.map(|kind| floats[kind])).collect();
    let born: Date32Array = maybe(rows, 9_000).into_iter().map(|kind| kind.map(|kind| kind as i32 + 5_000)).collect();
    let seen: TimestampMicrosecondArray =
        maybe(rows, 20_000).into_iter().map(|kind| kind.map(|kind| 1_700_000_000_000_000 + kind as i64 * 4_000_000_123)).collect();
    let ok: BooleanArray = maybe(rows, 2).into_iter().map(|kind| kind.map(|kind| kind == 1)).collect();
    let mut tags = ListBuilder::new(StringBuilder::new());
    for count in maybe(rows, 4) {
        for place in 0..count.unwrap_or(0) {
            tags.values().append_value(pool[(place * 3 + rows) % pool.len()]);
        }
        tags.append(count.is_some());
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("city", city),
        ("name", Arc::new(name)),
        ("small", Arc::new(small)),
        ("big", Arc::new(big)),
        ("x", Arc::new(x)),
        ("born", Arc::new(born)),
        ("seen", Arc::new(seen)),
        ("ok", Arc::new(ok)),
        ("tags", Arc::new(tags.finish())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Every condition, together with all others and by itself on the general way, gives the same rows.
#[test]
fn tables_of_values_agree_with_plain_evaluation() {
    for (rows, dictionary) in [(1, true), (130, false), (5_000, true), (20_000, false)] {
        let table = batch(rows, dictionary);
        let mut compiler = Compiler::new(Schema::from_arrow(&table.schema()), 20_700);
        let roots: Vec<NodeId> = CONDITIONS
            .iter()
            .map(|text| {
                compiler
                    .condition(&parse_sql(text, Origin::default()).unwrap())
                    .unwrap_or_else(|| panic!("{text}: {:?}", compiler.take_problems()))
            })
            .collect();
        let graph = Arc::new(compiler.graph().clone());
        let fast = Program::new(Arc::clone(&graph), &roots, &[]);
        let mut plain = fast.clone();
        plain.group_of.fill(None);
        plain.groups.clear();
        let columns = Batch::new(&graph, &table, |_| None).unwrap();
        let (mut a, mut b) = (Evaluator::new(&fast), Evaluator::new(&plain));
        for offset in (0..rows).step_by(BLOCK_ROWS / 4) {
            let block = (BLOCK_ROWS / 4).min(rows - offset);
            a.block(&columns, offset, block);
            b.block(&columns, offset, block);
            for (condition, text) in CONDITIONS.iter().enumerate() {
                assert!(a.condition(condition) == b.condition(condition), "{text} in {rows} rows from {offset}");
            }
        }
        assert_eq!(a.failed(), b.failed());
        assert!(fast.groups.len() > 5);
    }
}

#[test]
fn members_and_messages() {
    let table = batch(100, true);
    let schema = Schema::from_arrow(&table.schema());
    let error = crate::Rule::parse("cty = 1\n and smal > 'x' and big + city = 3").unwrap().compile(&schema, 0).unwrap_err();
    assert_eq!(
        error.message(),
        "line 1, column 1: there is no column or feature 'cty'; did you mean 'city'?\nline 2, column 6: there is no column or feature 'smal'; did you mean 'small'?\n\
         line 2, column 21: '+' does not go between bigint and varchar"
    );
    let rule = crate::Rule::parse("city = 'Riga' collate nocase").unwrap().compile(&schema, 0).unwrap();
    assert_eq!(rule.evaluate(&table).unwrap().len(), 100);
}
