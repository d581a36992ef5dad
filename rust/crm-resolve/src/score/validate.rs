//! A model that comes from a file is looked at before it is used: it may be damaged, or edited by hand.
use crm_core::{Error, Result};

use super::model::{ComparisonModel, Model};
use crate::WEIGHT_ONE;
use crate::block::{Form, Part};
use crate::compare::{MOST_COMPARISONS, level_names};
use crate::records::{Keys, Kind};

/// No evidence weighs more, in bits; sums of weights stay far from the end of their type.
const MOST_BITS: i32 = 100;
/// Rules choose from some twenty ways, and the custom fields.
const MOST_RULES: usize = 64;

/// Refuses a model that this version could not have made, naming the place.
pub(super) fn validate(model: &Model) -> Result<()> {
    if model.comparisons.len() > MOST_COMPARISONS {
        return Err(damaged("comparisons", &format!("there are {}, and {MOST_COMPARISONS} are the most", model.comparisons.len())));
    }
    if model.rules.len() > MOST_RULES {
        return Err(damaged("rules", &format!("there are {}, and {MOST_RULES} are the most", model.rules.len())));
    }
    for (name, weight) in [
        ("prior", model.prior),
        ("related_prior", model.related_prior),
        ("branch_prior", model.branch_prior),
        ("household_weight", model.household_weight),
    ] {
        check_weight(name, weight)?;
    }
    for (place, comparison) in model.comparisons.iter().enumerate() {
        let at = format!("comparisons[{place}]");
        if model.comparisons[..place].iter().any(|other| (&other.name, other.kind) == (&comparison.name, comparison.kind)) {
            return Err(damaged(&at, "its field is compared before"));
        }
        check_comparison(&at, comparison)?;
    }
    for (number, rule) in model.rules.iter().enumerate() {
        let at = format!("rules[{number}]");
        if rule.parts.is_empty() {
            return Err(damaged(&at, "it has no parts, so that all records would share its key"));
        }
        for (list, parts) in [("parts", &rule.parts), ("refine", &rule.refine)] {
            for (place, part) in parts.iter().enumerate() {
                check_part(&format!("{at}.{list}[{place}]"), part, &model.comparisons)?;
            }
        }
    }
    Ok(())
}

fn check_comparison(at: &str, comparison: &ComparisonModel) -> Result<()> {
    let levels = level_names(comparison.kind);
    if comparison.levels.iter().ne(levels) {
        return Err(damaged(&format!("{at}.levels"), "they are not those of this version"));
    }
    if comparison.weights.len() != levels.len() {
        return Err(damaged(&format!("{at}.weights"), &format!("{} levels need as many weights", levels.len())));
    }
    for (place, weight) in comparison.weights.iter().enumerate() {
        check_weight(&format!("{at}.weights[{place}]"), *weight)?;
    }
    check_weight(&format!("{at}.rare_weight"), comparison.rare_weight)?;
    for (name, probabilities) in [("m", &comparison.m), ("u", &comparison.u)] {
        if probabilities.len() + 1 != levels.len() {
            return Err(damaged(&format!("{at}.{name}"), &format!("{} levels need {} probabilities", levels.len(), levels.len() - 1)));
        }
        if let Some(place) = probabilities.iter().position(|one| !(*one > 0.0 && *one <= 1.0)) {
            return Err(damaged(&format!("{at}.{name}[{place}]"), "a probability is above 0 and at most 1"));
        }
    }
    if comparison.frequencies.values().any(|count| *count == 0) {
        return Err(damaged(&format!("{at}.frequencies"), "a frequent value is counted 0 times"));
    }
    Ok(())
}

fn check_weight(at: &str, weight: i32) -> Result<()> {
    let most = MOST_BITS * WEIGHT_ONE;
    if (-most..=most).contains(&weight) {
        return Ok(());
    }
    Err(damaged(at, &format!("{weight} is no weight: they are in 1/{WEIGHT_ONE} bits, at most {MOST_BITS} bits either way")))
}

fn check_part(at: &str, part: &Part, comparisons: &[ComparisonModel]) -> Result<()> {
    let is_name = |kind: Kind| matches!(kind, Kind::Given | Kind::Family | Kind::Middle);
    let Some(comparison) = comparisons.iter().find(|comparison| comparison.name == part.field) else {
        return Err(damaged(at, "its field is none that the model compares"));
    };
    let (fits, place) = match part.form {
        Form::Whole => (true, 0),
        Form::Derived(place) => (true, place),
        Form::Initial => (is_name(comparison.kind), 0),
        Form::AnyName(place) | Form::NamePair(place) => (is_name(comparison.kind), place),
        Form::Year | Form::DayMonth | Form::Day => (comparison.kind == Kind::BirthDate, 0),
    };
    let n_keys = Keys::default().len();
    if usize::from(place) >= n_keys {
        return Err(damaged(at, &format!("it asks for derived key {place}, and there are {n_keys}")));
    }
    if !fits {
        return Err(damaged(at, "its field has no such form"));
    }
    Ok(())
}

fn damaged(at: &str, what: &str) -> Error {
    Error::config(format!("the model is damaged at {at}: {what}; take an undamaged copy, or fit a new model"))
}
