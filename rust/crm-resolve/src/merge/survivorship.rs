use std::cmp::Ordering;
use std::collections::BTreeMap;

use crm_core::{Error, Result, Role, nearest_name};
use serde::{Deserialize, Serialize};

/// How the value of a golden record is chosen among those of its records. Ties end at (`source`, `source_key`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// That of the record with the latest `updated_at`; records without one come last.
    MostRecent,
    /// The one that most records have; of equally many the most recent.
    MostFrequent,
    /// The longest; of equally long the most recent.
    MostComplete,
    /// That of the source that comes first in `source_priority`; within it the most recent.
    SourcePriority,
    /// That of the record that was created first.
    First,
    /// The lowest: by number where all are numbers, else by text.
    Min,
    /// The highest: by number where all are numbers, else by text.
    Max,
    /// All different values: a list in list roles, joined by `; ` elsewhere.
    Union,
}

/// Which strategy each field follows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Survivorship {
    /// For fields not named in `fields`; if absent, `most_recent` where a record of the contact has `updated_at`, else `most_frequent`. Lists are
    /// united.
    pub default: Option<Strategy>,
    /// Per role or custom column.
    pub fields: BTreeMap<String, Strategy>,
    /// Sources from the most to the least trusted, for `source_priority`; sources not named come last.
    pub source_priority: Vec<String>,
}

impl Survivorship {
    /// The strategy of a column of the golden records.
    pub fn strategy(&self, column: &str, is_list: bool) -> Strategy {
        if let Some(strategy) = self.fields.get(column) {
            return *strategy;
        }
        match self.default {
            _ if is_list => Strategy::Union,
            Some(strategy) => strategy,
            None => Strategy::MostRecent,
        }
    }

    /// Whether nobody chose the strategy of a column: then it is `most_recent` for contacts with a record that says when it was updated, and
    /// `most_frequent` for others. It depends on the contact's records alone, so that a base comes to the same values as one run.
    pub fn is_default(&self, column: &str, is_list: bool) -> bool {
        !is_list && self.default.is_none() && !self.fields.contains_key(column)
    }

    /// Refuses fields that no column of the golden records has, naming the nearest.
    pub fn check(&self, columns: &[String]) -> Result<()> {
        for field in self.fields.keys() {
            // A role that this input happens not to have is no mistake: one config serves many files.
            if columns.contains(field) || field.parse::<Role>().is_ok() {
                continue;
            }
            let known = columns.iter().map(String::as_str).chain(Role::ALL.iter().map(|role| role.name()));
            let hint = nearest_name(field, known).map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
            return Err(Error::config(format!("survivorship names '{field}', which is neither a role nor a column of the input{hint}")));
        }
        if self.source_priority.is_empty()
            && (self.default == Some(Strategy::SourcePriority) || self.fields.values().any(|s| *s == Strategy::SourcePriority))
        {
            return Err(Error::config("survivorship follows source_priority, but source_priority lists no source"));
        }
        Ok(())
    }

    /// The rank of a source, lower is more trusted.
    pub fn source_rank(&self, source: &str) -> u32 {
        self.source_priority.iter().position(|known| known == source).unwrap_or(self.source_priority.len()) as u32
    }
}

/// One record's value for a field.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Place of the record among those of its contact.
    pub member: usize,
    /// The value in canonical form.
    pub value: &'a str,
}

/// The winner among candidates that stand in the order of precedence of `strategy`.
pub fn winner<'a>(strategy: Strategy, candidates: &[Candidate<'a>]) -> Option<Candidate<'a>> {
    let first = *candidates.first()?;
    Some(match strategy {
        Strategy::MostRecent | Strategy::SourcePriority | Strategy::First | Strategy::Union => first,
        Strategy::MostFrequent => {
            let count = |value: &str| candidates.iter().filter(|other| other.value == value).count();
            best(candidates, |a, b| count(a.value).cmp(&count(b.value)))
        }
        Strategy::MostComplete => best(candidates, |a, b| a.value.chars().count().cmp(&b.value.chars().count())),
        Strategy::Min => best(candidates, |a, b| ordered(candidates, b.value, a.value)),
        Strategy::Max => best(candidates, |a, b| ordered(candidates, a.value, b.value)),
    })
}

/// The greatest; of equal ones the first.
fn best<'a>(candidates: &[Candidate<'a>], compare: impl Fn(&Candidate<'a>, &Candidate<'a>) -> Ordering) -> Candidate<'a> {
    let mut best = candidates[0];
    for candidate in &candidates[1..] {
        if compare(candidate, &best) == Ordering::Greater {
            best = *candidate;
        }
    }
    best
}

fn ordered(candidates: &[Candidate<'_>], a: &str, b: &str) -> Ordering {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    if candidates.iter().all(|candidate| number(candidate.value).is_some()) {
        number(a).partial_cmp(&number(b)).unwrap_or(Ordering::Equal)
    } else {
        a.cmp(b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(strategy: Strategy, values: &[&str], expected: &str) {
        let candidates: Vec<Candidate<'_>> = values.iter().enumerate().map(|(member, value)| Candidate { member, value }).collect();
        assert_eq!(winner(strategy, &candidates).map(|winner| winner.value), Some(expected));
    }

    #[test]
    fn each_strategy_chooses_its_value() {
        check(Strategy::MostRecent, &["b", "a", "a"], "b");
        check(Strategy::MostFrequent, &["b", "a", "a"], "a");
        check(Strategy::MostFrequent, &["b", "a"], "b");
        check(Strategy::MostComplete, &["ab", "āčī", "abc"], "āčī");
        check(Strategy::Min, &["10", "9"], "9");
        check(Strategy::Max, &["10", "9"], "10");
        check(Strategy::Max, &["10", "9", "x"], "x");
        check(Strategy::First, &["b", "a"], "b");
    }

    #[test]
    fn a_mistyped_field_names_the_nearest() {
        let survivorship = Survivorship { fields: [("loyalty_levl".to_owned(), Strategy::Max)].into(), ..Survivorship::default() };
        let error = survivorship.check(&["loyalty_level".to_owned()]).unwrap_err();
        assert!(error.message().ends_with("did you mean 'loyalty_level'?"), "{error}");
    }

    #[test]
    fn source_priority_needs_sources() {
        let survivorship = Survivorship { default: Some(Strategy::SourcePriority), ..Survivorship::default() };
        assert!(survivorship.check(&[]).is_err());
    }
}
