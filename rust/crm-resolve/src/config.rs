//! What a user may decide about resolving.
use std::collections::BTreeMap;

use crm_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::WEIGHT_ONE;

/// How records are resolved. Every key has a default that works without configuration; unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResolveConfig {
    /// Match probability at and above which two records are held to be the same contact (0.5 to 1).
    pub match_threshold: f64,
    /// Match probability at and above which a pair is kept for review (0 to `match_threshold`).
    pub review_threshold: f64,
    /// Columns (as named in the input) or roles that take no part in matching; they are kept in the output all the same.
    pub ignore: Vec<String>,
    /// Sources that hold no duplicates of their own: two of their records are never the same contact. `*` means every source.
    pub unique_sources: Vec<String>,
    /// How many candidate pairs blocking may propose per record; fewer is faster, more finds more.
    pub pairs_per_record: f64,
    /// How many candidate pairs blocking may propose at least, however few records there are.
    pub min_pairs: u64,
    /// Two-letter country whose numbering plan national phone numbers follow; found from the data when not given.
    pub phone_region: Option<String>,
    /// `dmy`, `mdy` or `ymd`: how dates that can be read in two ways are read; kept ambiguous when not given.
    pub date_order: Option<DateOrder>,
    /// Changes which pairs the model is fitted on; the same seed and data give the same model.
    pub seed: u64,
    /// Weights (in bits) to use for a level instead of the fitted ones: comparison -> level -> weight.
    pub weights: BTreeMap<String, BTreeMap<String, f64>>,
    /// Bytes that blocking may take besides the records; what is decided does not depend on it.
    #[serde(skip)]
    pub room: Option<u64>,
}

/// The order of day, month and year in dates that can be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// 31.12.1999
    Dmy,
    /// 12/31/1999
    Mdy,
    /// 1999-12-31
    Ymd,
}

impl Default for ResolveConfig {
    fn default() -> Self {
        Self {
            match_threshold: 0.9,
            review_threshold: 0.3,
            ignore: Vec::new(),
            unique_sources: Vec::new(),
            pairs_per_record: 6.0,
            min_pairs: 5_000_000,
            phone_region: None,
            date_order: None,
            seed: 0,
            weights: BTreeMap::new(),
            room: None,
        }
    }
}

impl ResolveConfig {
    /// Checks what types cannot say.
    pub fn validate(&self) -> Result<()> {
        if !(0.5..=1.0).contains(&self.match_threshold) {
            return Err(Error::config(format!("match_threshold is {}, and must lie between 0.5 and 1", self.match_threshold)));
        }
        if !(0.0..=self.match_threshold).contains(&self.review_threshold) {
            return Err(Error::config(format!(
                "review_threshold is {}, and must lie between 0 and match_threshold ({})",
                self.review_threshold, self.match_threshold
            )));
        }
        if !(0.0..=100_000.0).contains(&self.pairs_per_record) {
            return Err(Error::config(format!("pairs_per_record is {}, and must lie between 0 and 100000", self.pairs_per_record)));
        }
        Ok(())
    }

    /// `match_threshold` as a match weight.
    pub fn match_weight(&self) -> i32 {
        probability_to_weight(self.match_threshold)
    }

    /// `review_threshold` as a match weight.
    pub fn review_weight(&self) -> i32 {
        probability_to_weight(self.review_threshold)
    }
}

/// The fixed-point match weight of a probability; certainty is 30 bits.
pub fn probability_to_weight(probability: f64) -> i32 {
    let bits = (probability / (1.0 - probability)).log2().clamp(-30.0, 30.0);
    (bits * f64::from(WEIGHT_ONE)).round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_become_weights() {
        assert_eq!(probability_to_weight(0.5), 0);
        assert_eq!(probability_to_weight(1.0), 30 * WEIGHT_ONE);
        assert_eq!(probability_to_weight(0.0), -30 * WEIGHT_ONE);
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let error = serde_json::from_str::<ResolveConfig>(r#"{"match_treshold": 0.9}"#).unwrap_err();
        assert!(error.to_string().contains("match_treshold"));
        assert!(ResolveConfig { review_threshold: 0.95, ..ResolveConfig::default() }.validate().is_err());
    }
}
