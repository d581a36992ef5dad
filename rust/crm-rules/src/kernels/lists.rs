//! Lists compared with values.
use std::cmp::Ordering;

use super::{Data, Vector, compare_floats};
use crate::bits;
use crate::column::Column;
use crate::expr::Comparison;

pub(super) fn any<'a>(args: &[&Vector<'_>], comparison: Comparison, sql_nulls: bool, rows: usize) -> Vector<'a> {
    let (item, Data::List(offsets, items)) = (args[0], &args[1].data) else { return Vector::null(rows) };
    let (mut yes, mut valid) = (vec![0; bits::words_for(rows)], vec![0; bits::words_for(rows)]);
    for row in 0..rows {
        if !args[1].is_valid(row) {
            // As in DuckDB, nothing is any of a list that is not there.
            if sql_nulls {
                bits::set_bit(&mut valid, row);
            }
            continue;
        }
        let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
        if !item.is_valid(row) {
            // `null = any([])` is false, as nothing is compared.
            if from == to && sql_nulls {
                bits::set_bit(&mut valid, row);
            }
            continue;
        }
        let (mut found, mut null_item) = (false, false);
        for at in from..to {
            if items.nulls().is_some_and(|nulls| nulls.is_null(at)) || matches!(items, Column::Null(_)) {
                null_item = true;
            } else if item_ordering(items, at, item, row).is_some_and(|ordering| comparison.mirrored().holds(ordering)) {
                found = true;
                break;
            }
        }
        if found {
            bits::set_bit(&mut yes, row);
        }
        if found || !null_item || !sql_nulls {
            bits::set_bit(&mut valid, row);
        }
    }
    Vector { data: Data::Bool(yes), valid: Some(valid) }
}

/// How a list's item compares with a row's value.
pub(super) fn item_ordering(items: &Column, at: usize, value: &Vector<'_>, row: usize) -> Option<Ordering> {
    Some(match (items, &value.data) {
        (Column::Text(texts), Data::Text(wanted)) => texts.value(at).cmp(wanted[row].as_ref()),
        (Column::Dictionary { keys, values, .. }, Data::Text(wanted)) => values.value(keys[at] as usize).cmp(wanted[row].as_ref()),
        (Column::Int32(values, _), Data::Int(wanted)) => i64::from(values[at]).cmp(&wanted[row]),
        (Column::Int64(values, _), Data::Int(wanted)) => values[at].cmp(&wanted[row]),
        (Column::Float(values, _), Data::Float(wanted)) => compare_floats(values[at], wanted[row]),
        _ => return None,
    })
}
