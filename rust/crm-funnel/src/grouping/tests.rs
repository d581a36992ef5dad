//! Every key gets all its rows, in order, whatever the keys and times are.
use std::collections::BTreeMap;

use crm_core::NoControl;
use proptest::prelude::*;

use super::*;

type Visits = Vec<(i64, u8, u32)>;

struct Found {
    span: Span,
    with_rows: bool,
    keys: Option<(i64, usize)>,
    found: Vec<(i64, Visits)>,
}

impl Visit for Found {
    fn visit(&mut self, key: i64, events: &[Event]) {
        assert!(self.keys.is_none_or(|(first, n)| key >= first && key.abs_diff(first) < n as u64));
        let time = |event: &Event| self.span.first_time.wrapping_add((event.time * self.span.ticks) as i64);
        let events = events.iter().map(|event| (time(event), event.code, if self.with_rows { event.row } else { 0 }));
        self.found.push((key, events.collect()));
    }
}

fn check(rows: &[(i64, i64, u8)], batch_rows: usize, with_rows: bool) {
    let keys: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let times: Vec<i64> = rows.iter().map(|row| row.1).collect();
    let codes: Vec<u8> = rows.iter().map(|row| row.2).collect();
    let batches: Vec<Rows<'_>> = (0..rows.len())
        .step_by(batch_rows)
        .map(|at| {
            let to = (at + batch_rows).min(rows.len());
            Rows { keys: &keys[at..to], times: &times[at..to], codes: codes[at..to].to_vec().into(), first_row: at as u32 }
        })
        .collect();
    let mut expected: BTreeMap<i64, Vec<(i64, u8, u32)>> = BTreeMap::new();
    for (row, &(key, time, code)) in rows.iter().enumerate().filter(|(_, row)| row.2 != INVISIBLE) {
        expected.entry(key).or_default().push((time, code, if with_rows { row as u32 } else { 0 }));
    }
    expected.values_mut().for_each(|events| events.sort_unstable());
    let visited = visit_keys(batches, with_rows, &NoControl, |stretch| Found {
        span: stretch.span,
        with_rows,
        keys: stretch.keys,
        found: Vec::new(),
    });
    let mut found: Vec<(i64, Visits)> = visited.unwrap().into_iter().flat_map(|stretch| stretch.found).collect();
    found.sort_unstable();
    assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn every_key_gets_its_rows_in_order(
        rows in prop::collection::vec((prop_oneof![-3_i64..40, any::<i64>()], prop_oneof![0_i64..9, any::<i64>(), (0_i64..50).prop_map(|s| s * 1_000_000)], 0_u8..4), 0..60),
        batch_rows in 1_usize..20,
        with_rows: bool,
    ) {
        check(&rows, batch_rows, with_rows);
    }

    #[test]
    fn dense_keys_and_whole_seconds_too(
        rows in prop::collection::vec((5_i64..90, (0_i64..5_000_000).prop_map(|s| s * 1_000_000), 0_u8..7), 0..200),
        spoil in prop::option::of(0_usize..200),
    ) {
        let mut rows = rows;
        if let Some(row) = spoil.and_then(|at| rows.get_mut(at)) {
            row.1 += 1;
        }
        check(&rows, 64, false);
    }
}

#[test]
fn one_key_with_all_rows() {
    check(&(0..3_000).map(|n| (7, n % 50, 1 + (n % 3) as u8)).collect::<Vec<_>>(), 1_000, false);
}
