//! Order, equality and sets.
use std::cmp::Ordering;

use super::{Data, Vector};
use crate::bits::{self, bit};
use crate::constant::Constant;

/// SQL's order of floats: NaN is equal to itself and above all; zeros are equal.
#[inline]
pub fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

pub(super) fn compare(left: &Vector<'_>, right: &Vector<'_>, rows: usize, holds: impl Fn(Ordering) -> bool) -> Vec<u64> {
    match (&left.data, &right.data) {
        (Data::Int(a), Data::Int(b)) => bits::collect(rows, |row| holds(a[row].cmp(&b[row]))),
        (Data::Float(a), Data::Float(b)) => bits::collect(rows, |row| holds(compare_floats(a[row], b[row]))),
        (Data::Text(a), Data::Text(b)) => bits::collect(rows, |row| holds(a[row].as_ref().cmp(b[row].as_ref()))),
        (Data::Bool(a), Data::Bool(b)) => bits::collect(rows, |row| holds(bit(a, row).cmp(&bit(b, row)))),
        _ => vec![0; bits::words_for(rows)],
    }
}

/// A binary search in the sorted constants, all of which are of the vector's type.
pub(super) fn in_set(vector: &Vector<'_>, set: &[Constant], rows: usize) -> Vec<u64> {
    match &vector.data {
        Data::Int(values) => {
            let mut set: Vec<i64> = set.iter().filter_map(as_int).collect();
            set.sort_unstable();
            bits::collect(rows, |row| set.binary_search(&values[row]).is_ok())
        }
        Data::Float(values) => {
            let mut set: Vec<u64> =
                set.iter().filter_map(|constant| if let Constant::Float(bits) = constant { Some(*bits) } else { None }).collect();
            set.sort_unstable();
            bits::collect(rows, |row| match Constant::float(values[row]) {
                Constant::Float(bits) => set.binary_search(&bits).is_ok(),
                _ => false,
            })
        }
        Data::Text(texts) => bits::collect(rows, |row| {
            set.binary_search_by(
                |constant| if let Constant::Text(text) = constant { text.as_ref().cmp(texts[row].as_ref()) } else { Ordering::Less },
            )
            .is_ok()
        }),
        Data::Bool(values) => bits::collect(rows, |row| set.contains(&Constant::Bool(bit(values, row)))),
        Data::Null | Data::List(..) => vec![0; bits::words_for(rows)],
    }
}

/// A whole number, day or microsecond count.
pub(crate) fn as_int(constant: &Constant) -> Option<i64> {
    match constant {
        Constant::Int(value) | Constant::Timestamp(value) => Some(*value),
        Constant::Date(days) => Some(i64::from(*days)),
        Constant::Interval(interval) => Some(interval.comparable_micros()),
        _ => None,
    }
}
