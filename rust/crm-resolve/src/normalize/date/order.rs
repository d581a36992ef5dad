//! The order of day and month in a column, from the values that leave no doubt.
use super::{DateOptions, DateOrder, DateValue, parse_date};

/// What a column's values say of its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DateOrderEvidence {
    /// Values that can only be read day first.
    pub n_day_first: usize,
    /// Values that can only be read month first.
    pub n_month_first: usize,
    /// Values with points that would have two readings with slashes: the day is first.
    pub n_pointed: usize,
    /// Values with two readings.
    pub n_ambiguous: usize,
    /// Values that are no dates.
    pub n_invalid: usize,
}

impl DateOrderEvidence {
    /// The order of the column: settled when values without doubt point one way, at least twenty to one; where there are none, by values
    /// with points.
    pub fn order(&self) -> DateOrder {
        match (self.n_day_first, self.n_month_first) {
            (0, 0) if self.n_pointed > 0 => DateOrder::DayFirst,
            (0, 0) => DateOrder::Unknown,
            (day, month) if day >= month * 20 => DateOrder::DayFirst,
            (day, month) if month >= day * 20 => DateOrder::MonthFirst,
            _ => DateOrder::Unknown,
        }
    }

    /// Adds the evidence of another part of the column.
    pub fn merge(&mut self, other: &Self) {
        self.n_day_first += other.n_day_first;
        self.n_month_first += other.n_month_first;
        self.n_pointed += other.n_pointed;
        self.n_ambiguous += other.n_ambiguous;
        self.n_invalid += other.n_invalid;
    }
}

/// Collects what the values of one column say of its order.
///
/// ```
/// use crm_resolve::normalize::{DateOrder, settle_date_order};
/// assert_eq!(settle_date_order(["03/04/1985", "12/31/1999", "05/06/1970"]).order(), DateOrder::MonthFirst);
/// assert_eq!(settle_date_order(["03.04.1985"]).order(), DateOrder::DayFirst);
/// assert_eq!(settle_date_order(["03/04/1985"]).order(), DateOrder::Unknown);
/// ```
pub fn settle_date_order<'a>(values: impl IntoIterator<Item = &'a str>) -> DateOrderEvidence {
    let mut evidence = DateOrderEvidence::default();
    for value in values {
        match parse_date(value, &DateOptions::default()) {
            Ok(DateValue::Ambiguous { .. }) => evidence.n_ambiguous += 1,
            Ok(DateValue::Day(date)) => match leading_number(value) {
                // Numbers in front: which one was the day? Above twelve there is no doubt; 05.05 says nothing.
                Some((first, second)) if first > 12 && second <= 12 && u32::from(date.day()) == first => evidence.n_day_first += 1,
                Some((first, second)) if second > 12 && first <= 12 && u32::from(date.day()) == second => evidence.n_month_first += 1,
                Some((first, second)) if first != second && first <= 12 && second <= 12 => evidence.n_pointed += 1,
                _ => {}
            },
            Ok(_) => {}
            Err(reason) if reason.is_missing() => {}
            Err(_) => evidence.n_invalid += 1,
        }
    }
    evidence
}

/// The first two numbers of a value written as `n sep n sep …` with the year last.
fn leading_number(value: &str) -> Option<(u32, u32)> {
    let mut parts = value.trim().split(|c: char| !c.is_ascii_digit());
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if !(1..=2).contains(&first.len()) || !(1..=2).contains(&second.len()) || third.is_empty() {
        return None;
    }
    Some((first.parse().ok()?, second.parse().ok()?))
}
