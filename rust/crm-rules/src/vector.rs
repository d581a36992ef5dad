//! The values of one node in a block of rows.
use std::borrow::Cow;

use crate::bits::{self, bit};
use crate::column::Column;
use crate::constant::{Constant, Interval};
use crate::schema::Type;

/// The values of one node in a block of rows.
#[derive(Debug, Clone)]
pub struct Vector<'a> {
    /// The values; arbitrary where the row is null.
    pub data: Data<'a>,
    /// Which rows are not null; `None` where all are.
    pub valid: Option<Vec<u64>>,
}

/// Values by their representation: dates, timestamps and intervals are whole numbers.
#[derive(Debug, Clone)]
pub enum Data<'a> {
    /// All null.
    Null,
    /// Truth values as bits.
    Bool(Vec<u64>),
    /// Whole numbers, days, microseconds.
    Int(Cow<'a, [i64]>),
    /// Floats.
    Float(Cow<'a, [f64]>),
    /// Texts.
    Text(Vec<Cow<'a, str>>),
    /// Lists: where each row's items begin and one more, and the items of the whole column.
    List(&'a [i32], &'a Column),
}

impl<'a> Vector<'a> {
    /// A constant in every row.
    pub(crate) fn constant(constant: &'a Constant, data_type: Type, rows: usize) -> Self {
        let data = match constant {
            Constant::Null => return Self::null(rows),
            Constant::Bool(truth) => Data::Bool(if *truth { bits::ones(rows) } else { vec![0; bits::words_for(rows)] }),
            Constant::Int(value) if data_type == Type::Float => Data::Float(vec![*value as f64; rows].into()),
            Constant::Int(value) => Data::Int(vec![*value; rows].into()),
            Constant::Float(value) => Data::Float(vec![f64::from_bits(*value); rows].into()),
            Constant::Text(text) => Data::Text(vec![Cow::Borrowed(text.as_ref()); rows]),
            Constant::Date(days) => Data::Int(vec![i64::from(*days); rows].into()),
            Constant::Timestamp(micros) => Data::Int(vec![*micros; rows].into()),
            Constant::Interval(interval) => Data::Int(vec![interval.comparable_micros(); rows].into()),
        };
        Self { data, valid: None }
    }

    pub(crate) fn null(rows: usize) -> Self {
        Self { data: Data::Null, valid: Some(vec![0; bits::words_for(rows)]) }
    }

    /// Rows `offset..offset + rows` of a column.
    pub(crate) fn column(column: &'a Column, offset: usize, rows: usize) -> Self {
        let data = match column {
            Column::Null(_) => return Self::null(rows),
            Column::Other(..) => Data::Null,
            Column::Bool(array) => {
                let mut words = Vec::new();
                bits::slice(array.values(), offset, rows, &mut words);
                Data::Bool(words)
            }
            Column::Int32(values, _) => Data::Int(values[offset..offset + rows].iter().map(|value| i64::from(*value)).collect()),
            Column::Int64(values, _) => Data::Int(Cow::Borrowed(&values[offset..offset + rows])),
            Column::Float(values, _) => Data::Float(Cow::Borrowed(&values[offset..offset + rows])),
            Column::Text(texts) => Data::Text((offset..offset + rows).map(|row| Cow::Borrowed(texts.value(row))).collect()),
            Column::Dictionary { keys, nulls, values } => Data::Text(
                (offset..offset + rows)
                    .map(|row| {
                        let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
                        Cow::Borrowed(if valid { values.value(keys[row] as usize) } else { "" })
                    })
                    .collect(),
            ),
            Column::List { offsets, items, .. } => Data::List(&offsets[offset..=offset + rows], items),
        };
        let valid = column.nulls().map(|nulls| {
            let mut words = Vec::new();
            bits::slice(nulls.inner(), offset, rows, &mut words);
            words
        });
        Self { data, valid }
    }

    /// What it takes, beside what it borrows.
    pub(crate) fn bytes(&self) -> usize {
        let data = match &self.data {
            Data::Int(Cow::Owned(values)) => values.len() * 8,
            Data::Float(Cow::Owned(values)) => values.len() * 8,
            Data::Bool(words) => words.len() * 8,
            Data::Text(texts) => {
                texts.iter().map(|text| size_of_val(text) + if let Cow::Owned(text) = text { text.len() } else { 0 }).sum()
            }
            _ => 0,
        };
        data + self.valid.as_ref().map_or(0, |valid| valid.len() * 8)
    }

    /// Whether the row is not null.
    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        self.valid.as_ref().is_none_or(|valid| bit(valid, row))
    }

    /// The rows in which it is true.
    pub(crate) fn true_rows(&self, rows: usize) -> Vec<u64> {
        match (&self.data, &self.valid) {
            (Data::Bool(values), None) => values.clone(),
            (Data::Bool(values), Some(valid)) => values.iter().zip(valid).map(|(value, valid)| value & valid).collect(),
            _ => vec![0; bits::words_for(rows)],
        }
    }

    /// The rows in which it is false.
    pub(crate) fn false_rows(&self, rows: usize) -> Vec<u64> {
        let mut words = match (&self.data, &self.valid) {
            (Data::Bool(values), None) => values.iter().map(|value| !value).collect(),
            (Data::Bool(values), Some(valid)) => values.iter().zip(valid).map(|(value, valid)| !value & valid).collect(),
            _ => vec![0; bits::words_for(rows)],
        };
        bits::cut(&mut words, rows);
        words
    }

    /// The value of a row as a constant; `None` for lists.
    pub fn get_constant(&self, row: usize, data_type: Type) -> Option<Constant> {
        if !self.is_valid(row) {
            return Some(Constant::Null);
        }
        Some(match (&self.data, data_type) {
            (Data::Null, _) => Constant::Null,
            (Data::Bool(words), _) => Constant::Bool(bit(words, row)),
            (Data::Int(values), Type::Date) => Constant::Date(i32::try_from(values[row]).ok()?),
            (Data::Int(values), Type::Timestamp) => Constant::Timestamp(values[row]),
            (Data::Int(values), Type::Interval) => Constant::Interval(Interval { micros: values[row], ..Interval::default() }),
            (Data::Int(values), _) => Constant::Int(values[row]),
            (Data::Float(values), _) => Constant::float(values[row]),
            (Data::Text(texts), _) => Constant::text(&texts[row]),
            (Data::List(..), _) => return None,
        })
    }
}
