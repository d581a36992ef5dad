//! How cells are read: what the whole data settles once, and a model pins, so that a record read alone reads as it did among all.
use std::collections::BTreeMap;

use crm_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::{DateOrder, ResolveConfig};

/// What a run settled of reading cells; part of the model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Country of national telephone numbers, where the config said one.
    pub phone_region: Option<String>,
    /// Order of dates that can be read in two ways, where the config said one.
    pub date_order: Option<DateOrder>,
    /// The same for birth dates with slashes, where those that leave no doubt agree.
    pub slashed_dates: Option<DateOrder>,
    /// How golden records write the values of each source.
    pub sources: BTreeMap<String, Conventions>,
    /// How they write those of a source that the model has not seen.
    pub others: Conventions,
}

/// How one source writes telephones and dates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conventions {
    /// Country of its national telephone numbers.
    pub phone_region: Option<String>,
    /// Whether its numbers begin with their country code though no plus says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bare_country_codes: bool,
    /// Order of its birth dates that can be read in two ways.
    pub birth_dates: Option<DateOrder>,
    /// Order of its times that can be read in two ways.
    pub times: Option<DateOrder>,
}

impl Reading {
    /// What the config says, nothing settled yet.
    pub fn configured(config: &ResolveConfig) -> Self {
        Self { phone_region: config.phone_region.clone(), date_order: config.date_order, ..Self::default() }
    }

    /// The conventions of a source.
    pub fn of(&self, source: &str) -> &Conventions {
        self.sources.get(source).unwrap_or(&self.others)
    }

    /// Refuses a config that would read cells in another way than the model does.
    pub fn check(&self, config: &ResolveConfig) -> Result<()> {
        let told = |value: &Option<String>| value.as_ref().map_or_else(|| "none".to_owned(), |value| format!("'{value}'"));
        let order = |order: Option<DateOrder>| order.map(|order| format!("{order:?}").to_lowercase());
        for (name, said, pinned) in
            [("phone_region", &config.phone_region, &self.phone_region), ("date_order", &order(config.date_order), &order(self.date_order))]
        {
            if said.is_some() && said != pinned {
                return Err(Error::config(format!(
                    "{name} is {}, and the model was fitted with {}: leave it out, or fit a new model",
                    told(said),
                    told(pinned)
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_may_repeat_what_the_model_pins_and_not_contradict_it() {
        let said = |order| ResolveConfig { date_order: order, ..ResolveConfig::default() };
        let reading = Reading::configured(&said(Some(DateOrder::Dmy)));
        assert!(reading.check(&said(None)).is_ok());
        assert!(reading.check(&said(Some(DateOrder::Dmy))).is_ok());
        let error = reading.check(&said(Some(DateOrder::Mdy))).unwrap_err();
        assert_eq!(error.message(), "date_order is 'mdy', and the model was fitted with 'dmy': leave it out, or fit a new model");
    }
}
