//! Ledgers against sums, counts and extremes made one row at a time.
use proptest::prelude::*;

use super::*;

/// Contacts of two parts, the second one short.
const CONTACTS: usize = 4_200;

#[test]
fn squares_are_mirrored() {
    let mut square: [u64; 64] = std::array::from_fn(|row| (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let before = square;
    transpose(&mut square);
    for (row, bits) in before.iter().enumerate() {
        for (column, turned) in square.iter().enumerate() {
            assert_eq!(bits >> column & 1, turned >> row & 1);
        }
    }
}

/// Some rows: their contacts, which features each counts for, and the arguments' values.
#[derive(Debug, Clone)]
struct Rows {
    contacts: Vec<u32>,
    /// Per feature.
    counts_for: Vec<Vec<bool>>,
    /// Per argument; the even ones are floats.
    values: Vec<Vec<i64>>,
}

impl Rows {
    fn float(&self, argument: usize, row: usize) -> f64 {
        self.values[argument][row] as f64 / 7.0
    }

    fn vectors(&self) -> Vec<Vector<'static>> {
        let data = |argument: usize| match argument % 2 {
            0 => Data::Float((0..self.contacts.len()).map(|row| self.float(argument, row)).collect::<Vec<_>>().into()),
            _ => Data::Int(self.values[argument].clone().into()),
        };
        (0..self.values.len()).map(|argument| Vector { data: data(argument), valid: None }).collect()
    }

    fn filters(&self) -> Vec<Vec<u64>> {
        let words = |flags: &Vec<bool>| {
            let mut words = vec![0; words_for(flags.len())];
            flags.iter().enumerate().for_each(|(row, flag)| words[row / 64] |= u64::from(*flag) << (row % 64));
            words
        };
        self.counts_for.iter().map(words).collect()
    }
}

/// Two counts, and a sum, a least and a greatest of each argument.
fn kinds(n_arguments: usize) -> Vec<(Kind, Option<usize>)> {
    let of = |argument: usize| {
        let float = argument.is_multiple_of(2);
        let extremes = [false, true].map(|greatest| (Kind::Extreme { float, greatest }, Some(argument)));
        extremes.into_iter().chain(float.then_some((Kind::Sum, Some(argument))))
    };
    [(Kind::Count, None)].into_iter().chain((0..n_arguments).flat_map(of)).chain([(Kind::Count, None)]).collect()
}

fn blocks(n_arguments: usize) -> impl Strategy<Value = Vec<Rows>> {
    let n_features = kinds(n_arguments).len();
    let block = (1usize..200).prop_flat_map(move |n_rows| {
        let contact = prop_oneof![1 => Just(NONE), 4 => 0..CONTACTS as u32, 4 => (CONTACTS as u32 - 5)..CONTACTS as u32];
        let columns = |values| proptest::collection::vec(proptest::collection::vec(values, n_rows), n_arguments);
        (
            proptest::collection::vec(contact, n_rows),
            proptest::collection::vec(proptest::collection::vec(any::<bool>(), n_rows), n_features),
            columns(-1_000_000_000i64..1_000_000_000),
        )
            .prop_map(|(contacts, counts_for, values)| Rows { contacts, counts_for, values })
    });
    proptest::collection::vec(block, 1..6)
}

/// What a feature comes to, by its definition.
fn expected(feature: usize, (kind, argument): (Kind, Option<usize>), blocks: &[Rows]) -> Vec<Option<u64>> {
    let counts = kind == Kind::Count;
    let mut found: Vec<Option<u64>> = vec![counts.then_some(0); CONTACTS];
    for rows in blocks {
        for (row, contact) in rows.contacts.iter().enumerate().filter(|(row, _)| rows.counts_for[feature][*row]) {
            let Some(slot) = found.get_mut(*contact as usize) else { continue };
            let float = |argument: usize| rows.float(argument, row);
            *slot = Some(match (kind, argument.unwrap_or_default()) {
                (Kind::Count, _) => slot.unwrap_or(0) + 1,
                (Kind::Sum, argument) => (slot.map_or(0.0, f64::from_bits) + float(argument)).to_bits(),
                (Kind::Extreme { float: true, greatest }, argument) => {
                    let known = slot.map_or(float(argument), f64::from_bits);
                    (if greatest { known.max(float(argument)) } else { known.min(float(argument)) }).to_bits()
                }
                (Kind::Extreme { float: false, greatest }, argument) => {
                    let value = rows.values[argument][row];
                    let known = slot.map_or(value, |bits| bits as i64);
                    (if greatest { known.max(value) } else { known.min(value) }) as u64
                }
            });
        }
    }
    found
}

/// What the ledger makes of the same rows, feature by feature.
fn found(n_arguments: usize, blocks: &[Rows], room: u64, posted_before: u64) -> Vec<Column> {
    let kinds = kinds(n_arguments);
    let entry = |(feature, (kind, argument)): (usize, &(Kind, Option<usize>))| Entry {
        kind: *kind,
        feature,
        filter: Some(feature),
        argument: *argument,
    };
    let mut ledger = Ledger::new(kinds.iter().enumerate().map(entry).collect(), CONTACTS);
    ledger.hold_back(room);
    ledger.posted = posted_before;
    for rows in blocks {
        let (filters, vectors) = (rows.filters(), rows.vectors());
        let (each, any) = ledger.wanted(&filters, &vectors, rows.contacts.len());
        let postings = ledger.rows(&each, &any, &rows.contacts, &vectors);
        ledger.add(&[&postings]);
    }
    ledger.settle();
    let data_type = |feature: usize| match kinds[feature] {
        (Kind::Sum | Kind::Extreme { float: true, .. }, _) => Type::Float,
        _ => Type::Int,
    };
    let features: Vec<usize> = ledger.entries.iter().map(|entry| entry.feature).collect();
    let mut columns: Vec<(usize, Column)> =
        features.into_iter().zip(ledger.totals).map(|(feature, totals)| (feature, totals.finish(data_type(feature), CONTACTS))).collect();
    columns.sort_by_key(|(feature, _)| *feature);
    columns.into_iter().map(|(_, column)| column).collect()
}

/// The bits of each contact's value.
fn values(column: &Column) -> Vec<Option<u64>> {
    let bits: Vec<u64> = match column {
        Column::Int32(counts, _) => counts.iter().map(|count| *count as u64).collect(),
        Column::Int64(values, _) => values.iter().map(|value| *value as u64).collect(),
        Column::Float(values, _) => values.iter().map(|value| value.to_bits()).collect(),
        _ => Vec::new(),
    };
    assert_eq!(bits.len(), CONTACTS);
    let valid = |contact: usize| column.nulls().is_none_or(|nulls| nulls.is_valid(contact));
    bits.into_iter().enumerate().map(|(contact, bits)| valid(contact).then_some(bits)).collect()
}

/// Ledgers of every width of a posting: no value, one, two, and more than are copied by name.
fn cases() -> impl Strategy<Value = (usize, Vec<Rows>)> {
    (0usize..6).prop_flat_map(|n_arguments| (Just(n_arguments), blocks(n_arguments)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn totals_are_what_the_rows_come_to((n_arguments, blocks) in cases(), room in prop_oneof![Just(0), Just(4_000), Just(u64::MAX)]) {
        let found = found(n_arguments, &blocks, room, 0);
        for (feature, (kind, column)) in kinds(n_arguments).into_iter().zip(&found).enumerate() {
            prop_assert_eq!(values(column), expected(feature, kind, &blocks), "feature {} is {:?}", feature, kind);
        }
    }

    #[test]
    fn counts_grow_wide_before_they_could_overflow((n_arguments, blocks) in cases()) {
        let posts = |rows: &Rows| (0..rows.contacts.len()).any(|row| rows.contacts[row] != NONE && rows.counts_for.iter().any(|flags| flags[row]));
        prop_assume!(blocks.iter().any(posts));
        let found = found(n_arguments, &blocks, 0, i32::MAX as u64);
        prop_assert!(matches!(found[0], Column::Int64(..)));
        prop_assert_eq!(values(&found[0]), expected(0, (Kind::Count, None), &blocks));
    }
}
