//! Values chosen row by row: case and coalesce.
use std::borrow::Cow;

use super::{Data, Vector};
use crate::bits::{self, bit};

/// Picks, per row, the value of one argument.
pub(super) fn pick<'a>(args: &[&Vector<'a>], rows: usize, choice: impl Fn(usize) -> Option<usize>) -> Vector<'a> {
    let choices: Vec<Option<usize>> =
        (0..rows).map(|row| choice(row).filter(|arg| args[*arg].is_valid(row) && !matches!(args[*arg].data, Data::Null))).collect();
    let valid = Some(bits::collect(rows, |row| choices[row].is_some()));
    let Some(sample) = args.iter().find(|arg| !matches!(arg.data, Data::Null)) else { return Vector::null(rows) };
    let data = match &sample.data {
        Data::Bool(_) => Data::Bool(bits::collect(rows, |row| match choices[row].map(|arg| &args[arg].data) {
            Some(Data::Bool(words)) => bit(words, row),
            _ => false,
        })),
        Data::Int(_) => Data::Int(
            choices
                .iter()
                .enumerate()
                .map(|(row, choice)| match choice.map(|arg| &args[arg].data) {
                    Some(Data::Int(values)) => values[row],
                    _ => 0,
                })
                .collect(),
        ),
        Data::Float(_) => Data::Float(
            choices
                .iter()
                .enumerate()
                .map(|(row, choice)| match choice.map(|arg| &args[arg].data) {
                    Some(Data::Float(values)) => values[row],
                    _ => 0.0,
                })
                .collect(),
        ),
        Data::Text(_) => Data::Text(
            choices
                .iter()
                .enumerate()
                .map(|(row, choice)| match choice.map(|arg| &args[arg].data) {
                    Some(Data::Text(texts)) => texts[row].clone(),
                    _ => Cow::Borrowed(""),
                })
                .collect(),
        ),
        Data::Null | Data::List(..) => Data::Null,
    };
    Vector { data, valid }
}

pub(crate) fn case<'a>(args: &[&Vector<'a>], rows: usize) -> Vector<'a> {
    let branches = args.len() / 2;
    let conditions: Vec<Vec<u64>> = (0..branches).map(|branch| args[branch * 2].true_rows(rows)).collect();
    let values: Vec<&Vector<'a>> = (0..branches).map(|branch| args[branch * 2 + 1]).chain(args.last().copied()).collect();
    pick(&values, rows, |row| Some(conditions.iter().position(|condition| bit(condition, row)).unwrap_or(branches)))
}

pub(super) fn coalesce<'a>(args: &[&Vector<'a>], rows: usize) -> Vector<'a> {
    pick(args, rows, |row| args.iter().position(|arg| arg.is_valid(row)))
}
