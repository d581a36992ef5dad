//! Aggregates over a contact's related rows: 8 bytes per contact and feature where the aggregate allows.
use std::collections::HashMap;

use arrow_array::StringArray;
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use crm_rules::{Aggregate, Column, Data, Feature, Period, PeriodSums, Texts, Type, Vector, bit, compare_floats, set_bit, words_for};
use hashbrown::HashSet;

/// The state of one feature for all contacts.
#[derive(Debug)]
pub(crate) struct FeatureState {
    state: State,
    /// Which contacts have a value.
    seen: Vec<u64>,
    data_type: Type,
    contacts: usize,
    /// Bytes of the texts that are kept.
    text_bytes: usize,
}

#[derive(Debug)]
enum State {
    Count(Vec<i64>),
    Distinct {
        seen: HashSet<(u32, i64)>,
        texts: HashMap<Box<str>, i64>,
        counts: Vec<i64>,
    },
    /// Wide enough for any number of 64-bit ones, so that the order of rows does not matter.
    SumInt(Vec<i128>),
    SumFloat(Vec<f64>),
    Mean {
        sums: Vec<f64>,
        counts: Vec<u32>,
    },
    Deviation {
        counts: Vec<u32>,
        means: Vec<f64>,
        squares: Vec<f64>,
        population: bool,
    },
    Least(Values, bool),
    /// The value of the earliest or latest row, with its time.
    Ends {
        times: Vec<i64>,
        values: Values,
        last: bool,
    },
    Periods {
        sums: Vec<f64>,
        period: Period,
        of: PeriodSums,
    },
}

/// One value per contact.
#[derive(Debug)]
enum Values {
    Int(Vec<i64>),
    Float(Vec<f64>),
    Text(Vec<Box<str>>),
}

/// One row's value.
#[derive(Clone, Copy)]
enum Value<'a> {
    Int(i64),
    Float(f64),
    Text(&'a str),
}

/// What a feature needs of one block.
pub(crate) struct BlockRows<'a> {
    /// The rows that pass the filter and belong to a contact.
    pub(crate) rows: &'a [u64],
    /// The contact's place of each row.
    pub(crate) contacts: &'a [u32],
    pub(crate) argument: Option<&'a Vector<'a>>,
    pub(crate) time: Option<&'a Vector<'a>>,
}

/// What a feature takes of each contact, beside texts and distinct values, whose number is not known before.
pub(crate) fn bytes_per_contact(feature: &Feature) -> u64 {
    let value = if feature.data_type == Type::Text { 16 } else { 8 };
    match feature.aggregate {
        Aggregate::Count | Aggregate::CountDistinct => 8,
        Aggregate::Sum if feature.data_type == Type::Float => 9,
        Aggregate::Sum => 25,
        Aggregate::Avg => 13,
        Aggregate::StddevSample | Aggregate::StddevPopulation => 21,
        Aggregate::Min | Aggregate::Max => value + 1,
        Aggregate::First | Aggregate::Last => value + 9,
        Aggregate::OfPeriods(_, period) => 8 * u64::from(period.count) + 9,
    }
}

impl FeatureState {
    pub(crate) fn new(feature: &Feature, contacts: usize) -> Self {
        let float = feature.data_type == Type::Float;
        let values = || match feature.data_type {
            Type::Float => Values::Float(vec![0.0; contacts]),
            Type::Text => Values::Text(vec![Box::from(""); contacts]),
            _ => Values::Int(vec![0; contacts]),
        };
        let state = match feature.aggregate {
            Aggregate::Count => State::Count(vec![0; contacts]),
            Aggregate::CountDistinct => State::Distinct { seen: HashSet::new(), texts: HashMap::new(), counts: vec![0; contacts] },
            Aggregate::Sum if float => State::SumFloat(vec![0.0; contacts]),
            Aggregate::Sum => State::SumInt(vec![0; contacts]),
            Aggregate::Avg => State::Mean { sums: vec![0.0; contacts], counts: vec![0; contacts] },
            Aggregate::StddevSample | Aggregate::StddevPopulation => State::Deviation {
                counts: vec![0; contacts],
                means: vec![0.0; contacts],
                squares: vec![0.0; contacts],
                population: feature.aggregate == Aggregate::StddevPopulation,
            },
            Aggregate::Min => State::Least(values(), false),
            Aggregate::Max => State::Least(values(), true),
            Aggregate::First | Aggregate::Last => {
                State::Ends { times: vec![0; contacts], values: values(), last: feature.aggregate == Aggregate::Last }
            }
            Aggregate::OfPeriods(of, period) => State::Periods { sums: vec![0.0; contacts * period.count as usize], period, of },
        };
        Self { state, seen: vec![0; words_for(contacts)], data_type: feature.data_type, contacts, text_bytes: 0 }
    }

    /// What it takes, with what it will take when it grows next.
    pub(crate) fn bytes(&self) -> u64 {
        let contacts = self.contacts as u64;
        let state = match &self.state {
            State::Count(_) => 8 * contacts,
            // A table that is full lives beside the one of twice its size for a while.
            State::Distinct { seen, texts, .. } => 8 * contacts + 3 * (seen.allocation_size() + texts.capacity() * 32) as u64,
            State::SumInt(_) => 25 * contacts,
            State::SumFloat(_) => 9 * contacts,
            State::Mean { .. } => 13 * contacts,
            State::Deviation { .. } => 21 * contacts,
            State::Least(values, _) => (values.width() + 1) * contacts,
            State::Ends { values, .. } => (values.width() + 9) * contacts,
            State::Periods { period, .. } => (8 * u64::from(period.count) + 9) * contacts,
        };
        // Texts are kept once more when they become a column.
        state + 2 * self.text_bytes as u64
    }

    /// Adds the rows of one block, in their order.
    pub(crate) fn add(&mut self, block: &BlockRows<'_>) {
        let (seen, text_bytes) = (&mut self.seen, &mut self.text_bytes);
        match &mut self.state {
            State::Count(counts) => match block.argument.and_then(|argument| argument.valid.as_ref()) {
                None => each(block, |_, contact| counts[contact] += 1),
                Some(valid) => each(block, |row, contact| counts[contact] += i64::from(bit(valid, row))),
            },
            State::SumFloat(sums) => {
                if let Some(Vector { data: Data::Float(values), valid }) = block.argument {
                    each(block, |row, contact| {
                        if valid.as_ref().is_none_or(|valid| bit(valid, row)) {
                            sums[contact] += values[row];
                            set_bit(seen, contact);
                        }
                    });
                }
            }
            State::SumInt(sums) => each_value(block, |_, contact, value| {
                let Value::Int(value) = value else { return };
                set_bit(seen, contact);
                sums[contact] += i128::from(value);
            }),
            State::Mean { sums, counts } => each_value(block, |_, contact, value| {
                let Value::Float(value) = value else { return };
                sums[contact] += value;
                counts[contact] += 1;
            }),
            State::Deviation { counts, means, squares, .. } => each_value(block, |_, contact, value| {
                let Value::Float(value) = value else { return };
                // Welford: no difference of large sums.
                counts[contact] += 1;
                let before = value - means[contact];
                means[contact] += before / f64::from(counts[contact]);
                squares[contact] += before * (value - means[contact]);
            }),
            State::Least(values, greatest) => each_value(block, |_, contact, value| {
                let first = !bit(seen, contact);
                if first
                    || values.compare(contact, value).is_some_and(|ordering| if *greatest { ordering.is_lt() } else { ordering.is_gt() })
                {
                    *text_bytes = *text_bytes - values.text_len(contact) + values.set(contact, value);
                    set_bit(seen, contact);
                }
            }),
            State::Ends { times, values, last } => {
                let Some(Vector { data: Data::Int(moments), valid }) = block.time else { return };
                each_value(block, |row, contact, value| {
                    if valid.as_ref().is_some_and(|valid| !bit(valid, row)) {
                        return;
                    }
                    // Of rows at the same moment the greater value counts as later, so that their order in the file does not matter.
                    let replaces = !bit(seen, contact) || {
                        let ordering =
                            times[contact].cmp(&moments[row]).then(values.compare(contact, value).unwrap_or(std::cmp::Ordering::Equal));
                        if *last { ordering.is_lt() } else { ordering.is_gt() }
                    };
                    if replaces {
                        times[contact] = moments[row];
                        *text_bytes = *text_bytes - values.text_len(contact) + values.set(contact, value);
                        set_bit(seen, contact);
                    }
                });
            }
            State::Distinct { seen: pairs, texts, counts } => each_value(block, |_, contact, value| {
                let key = match value {
                    Value::Int(value) => value,
                    Value::Float(value) => (if value.is_nan() { f64::NAN } else { value + 0.0 }).to_bits() as i64,
                    Value::Text(text) => match texts.get(text) {
                        Some(known) => *known,
                        None => {
                            let next = texts.len() as i64;
                            *text_bytes += text.len();
                            texts.insert(text.into(), next);
                            next
                        }
                    },
                };
                counts[contact] += i64::from(pairs.insert((contact as u32, key)));
            }),
            State::Periods { sums, period, .. } => {
                let Some(Vector { data: Data::Int(moments), valid }) = block.time else { return };
                each_value(block, |row, contact, value| {
                    if valid.as_ref().is_none_or(|valid| bit(valid, row))
                        && let (Value::Float(value), Some(place)) = (value, period.place(moments[row]))
                    {
                        sums[contact * period.count as usize + place] += value;
                    }
                });
            }
        }
    }

    /// Whether a sum of whole numbers is too large for some contact, for whom it is then null.
    pub(crate) fn overflowed(&self) -> bool {
        if let State::SumInt(sums) = &self.state { sums.iter().any(|sum| i64::try_from(*sum).is_err()) } else { false }
    }

    /// The feature as a column over the contacts.
    pub(crate) fn finish(self, contacts: usize) -> Column {
        let nulls = |seen: Vec<u64>| {
            let nulls = NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(seen), 0, contacts));
            (nulls.null_count() > 0).then_some(nulls)
        };
        // In place, as there may be many contacts.
        let floats = |values: Vec<f64>, known: BooleanBuffer| {
            let nulls = NullBuffer::new(known);
            Column::Float(ScalarBuffer::from(values), (nulls.null_count() > 0).then_some(nulls))
        };
        match self.state {
            State::Count(counts) | State::Distinct { counts, .. } => Column::Int64(ScalarBuffer::from(counts), None),
            State::SumFloat(sums) => Column::Float(ScalarBuffer::from(sums), nulls(self.seen)),
            State::SumInt(sums) => {
                let mut seen = self.seen;
                let whole = |(contact, sum): (usize, &i128)| {
                    i64::try_from(*sum).unwrap_or_else(|_| {
                        seen[contact / 64] &= !(1 << (contact % 64));
                        0
                    })
                };
                let sums = sums.iter().enumerate().map(whole).collect();
                Column::Int64(sums, nulls(seen))
            }
            State::Mean { mut sums, counts } => {
                sums.iter_mut().zip(&counts).for_each(|(sum, count)| *sum /= f64::from((*count).max(1)));
                floats(sums, counts.iter().map(|count| *count > 0).collect())
            }
            State::Deviation { counts, mut squares, population, .. } => {
                let degrees = |count: &u32| if population { *count } else { count.saturating_sub(1) };
                squares.iter_mut().zip(&counts).for_each(|(square, count)| *square = (*square / f64::from(degrees(count).max(1))).sqrt());
                floats(squares, counts.iter().map(|count| degrees(count) > 0).collect())
            }
            State::Least(values, _) | State::Ends { values, .. } => values.finish(self.data_type, self.seen, contacts),
            State::Periods { sums, period, of } => {
                let found = || sums.chunks(period.count as usize).map(|sums| of_sums(sums, of));
                floats(found().map(Option::unwrap_or_default).collect(), found().map(|value| value.is_some()).collect())
            }
        }
    }
}

fn of_sums(sums: &[f64], of: PeriodSums) -> Option<f64> {
    let count = sums.len() as f64;
    let total: f64 = sums.iter().sum();
    let mean = total / count;
    let squares = || sums.iter().map(|sum| (sum - mean) * (sum - mean)).sum::<f64>();
    match of {
        PeriodSums::Avg => Some(mean),
        PeriodSums::Sum => Some(total),
        PeriodSums::Min => sums.iter().copied().reduce(f64::min),
        PeriodSums::Max => sums.iter().copied().reduce(f64::max),
        PeriodSums::StddevPopulation => Some((squares() / count).sqrt()),
        PeriodSums::StddevSample => (sums.len() > 1).then(|| (squares() / (count - 1.0)).sqrt()),
    }
}

impl Values {
    fn compare(&self, contact: usize, value: Value<'_>) -> Option<std::cmp::Ordering> {
        Some(match (self, value) {
            (Self::Int(values), Value::Int(value)) => values[contact].cmp(&value),
            (Self::Float(values), Value::Float(value)) => compare_floats(values[contact], value),
            (Self::Text(values), Value::Text(value)) => values[contact].as_ref().cmp(value),
            _ => return None,
        })
    }

    /// Takes a value and says how many bytes of text it has.
    fn set(&mut self, contact: usize, value: Value<'_>) -> usize {
        match (self, value) {
            (Self::Int(values), Value::Int(value)) => values[contact] = value,
            (Self::Float(values), Value::Float(value)) => values[contact] = value,
            (Self::Text(values), Value::Text(value)) => {
                values[contact] = value.into();
                return value.len();
            }
            _ => {}
        }
        0
    }

    fn text_len(&self, contact: usize) -> usize {
        if let Self::Text(values) = self { values[contact].len() } else { 0 }
    }

    /// Bytes of a contact, beside its text.
    fn width(&self) -> u64 {
        if let Self::Text(_) = self { 16 } else { 8 }
    }

    fn finish(self, data_type: Type, seen: Vec<u64>, contacts: usize) -> Column {
        let buffer = BooleanBuffer::new(Buffer::from_vec(seen), 0, contacts);
        let nulls = Some(NullBuffer::new(buffer.clone())).filter(|nulls| nulls.null_count() > 0);
        match self {
            Self::Int(values) if data_type == Type::Bool => {
                Column::Bool(arrow_array::BooleanArray::new(BooleanBuffer::from_iter(values.iter().map(|value| *value != 0)), nulls))
            }
            Self::Int(values) => Column::Int64(ScalarBuffer::from(values), nulls),
            Self::Float(values) => Column::Float(ScalarBuffer::from(values), nulls),
            Self::Text(values) => {
                let texts = values.iter().enumerate().map(|(contact, text)| buffer.value(contact).then_some(text.as_ref()));
                Column::Text(Texts::Plain(StringArray::from_iter(texts)))
            }
        }
    }
}

#[inline]
fn each(block: &BlockRows<'_>, mut visit: impl FnMut(usize, usize)) {
    for (index, &word) in block.rows.iter().enumerate() {
        let mut rest = word;
        while rest != 0 {
            let row = index * 64 + rest.trailing_zeros() as usize;
            visit(row, block.contacts[row] as usize);
            rest &= rest - 1;
        }
    }
}

/// Rows whose argument is not null.
#[inline]
fn each_value<'a>(block: &BlockRows<'a>, mut visit: impl FnMut(usize, usize, Value<'a>)) {
    let Some(argument) = block.argument else { return };
    let valid = argument.valid.as_deref();
    let known = |row: usize| valid.is_none_or(|valid| bit(valid, row));
    match &argument.data {
        Data::Int(values) => each(block, |row, contact| {
            if known(row) {
                visit(row, contact, Value::Int(values[row]))
            }
        }),
        Data::Float(values) => each(block, |row, contact| {
            if known(row) {
                visit(row, contact, Value::Float(values[row]))
            }
        }),
        Data::Bool(words) => each(block, |row, contact| {
            if known(row) {
                visit(row, contact, Value::Int(i64::from(bit(words, row))))
            }
        }),
        Data::Text(texts) => each(block, |row, contact| {
            if known(row) {
                visit(row, contact, Value::Text(&texts[row]))
            }
        }),
        Data::Null | Data::List(..) => {}
    }
}
