//! Values that a run could not read, or not fully: counted by column, so that none vanishes unnoticed.
use crm_core::Role;
use crm_resolve::merge::{ConventionSample, SourceLayout};
use crm_resolve::records::Doubt;
use serde::Serialize;

use crate::dedupe::resolver::Resolved;

/// The values of one column that are in the same doubt.
#[derive(Debug, Clone, Serialize)]
pub struct DoubtfulValues {
    column: String,
    doubt: Doubt,
    count: u64,
}

impl DoubtfulValues {
    /// What happened to them, in words.
    pub fn warning(&self) -> String {
        let Self { column, doubt, count } = self;
        let values = if *count == 1 { "value" } else { "values" };
        match doubt {
            Doubt::Filler => format!("'{column}': {count} {values} of the kind of 0000000 or 1234567 stand for none: not compared"),
            Doubt::Unreadable => format!("'{column}': {count} {values} could not be read: kept as written, not compared"),
            Doubt::WrongCheckDigit => format!("'{column}': {count} {values} with a wrong check digit: kept as written, not used as a key"),
            Doubt::Ambiguous => {
                format!(
                    "'{column}': {count} {values} can be read with the day or the month first: kept as written; --date-order says which"
                )
            }
        }
    }
}

/// Those of a run: of what takes part in matching, and of times, which do not.
pub fn of_run(resolved: &Resolved, layouts: &[SourceLayout], samples: &[ConventionSample]) -> Vec<DoubtfulValues> {
    let matched = resolved.records.doubts().iter().map(|((column, doubt), count)| (column.clone(), *doubt, *count));
    let mut found: Vec<(String, Doubt, u64)> = matched.collect();
    for (layout, sample) in layouts.iter().zip(samples) {
        let columns = [Role::CreatedAt, Role::UpdatedAt].into_iter().flat_map(|role| layout.places_of(role));
        let names: Vec<&str> = columns.map(|place| layout.columns[place].name.as_str()).collect();
        let counts = [(Doubt::Unreadable, sample.unreadable_times()), (Doubt::Ambiguous, sample.ambiguous_times(&resolved.config))];
        found.extend(counts.into_iter().filter(|(_, count)| *count > 0).map(|(doubt, count)| (names.join("', '"), doubt, count)));
    }
    found.into_iter().map(|(column, doubt, count)| DoubtfulValues { column, doubt, count }).collect()
}
