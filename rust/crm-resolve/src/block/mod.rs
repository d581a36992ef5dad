//! Which pairs of records are worth comparing.
//!
//! A [`Rule`] gives every record a few 32-bit keys; records that share one are a candidate pair. Keys that too many records bear are
//! refined by further parts, and left out when nothing refines them; which keys those are is part of the model, so that whether two
//! records become a candidate pair depends on the two and the model alone. [`Keys`] holds all keys of all records, rule by rule; `Blocks` says
//! for each record who follows it in its blocks, so that a record's candidates come together, each once, and no pair is ever stored.
mod blocks;
mod caps;
mod choose;
mod keys;
mod ranges;
mod refine;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(crate) use blocks::{Blocks, Candidates, each_block, pairs_in};
pub(crate) use caps::{deepen, fit_caps};
pub use choose::choose_rules;
pub(crate) use keys::Column;
pub use keys::Keys;
pub(crate) use ranges::KeyLookup;

/// What of a field goes into a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The value itself; each of a list.
    Whole,
    /// One of the keys that the normalizer derived.
    Derived(u8),
    /// The first letter of a name.
    Initial,
    /// Year of birth.
    Year,
    /// Day and month of birth, in either order.
    DayMonth,
    /// The whole date, day and month in either order.
    Day,
    /// Any one of the given and family names and aliases, by a derived key; swapped names meet.
    AnyName(u8),
    /// Given and family name in either order, by a derived key.
    NamePair(u8),
}

/// A part of a blocking key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The field, by name; for names any field of the name.
    pub field: String,
    /// What of it.
    pub form: Form,
}

/// A blocking rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called in reports.
    pub name: String,
    /// What records must share.
    pub parts: Vec<Part>,
    /// What records must share besides, one after the other, while too many share the key.
    pub refine: Vec<Part>,
    /// How many of these every key has, however few records share it: where so many records were fitted that the rule says too little.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u32,
    /// Keys that too many records share.
    #[serde(serialize_with = "in_order")]
    pub oversized: KeyHashes,
    /// Most records per key when the model was fitted.
    pub cap: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Keys, found fast.
pub type KeyHashes = std::collections::HashSet<u32, foldhash::fast::FixedState>;

/// A model's file is the same whatever the order in which keys were found.
fn in_order<S: serde::Serializer>(keys: &KeyHashes, serializer: S) -> Result<S::Ok, S::Error> {
    let mut keys: Vec<u32> = keys.iter().copied().collect();
    keys.sort_unstable();
    keys.serialize(serializer)
}

/// What one rule did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RuleStats {
    /// The rule.
    pub rule: String,
    /// Pairs predicted from the sizes of blocks.
    pub predicted: u64,
    /// Pairs that this rule was the first to propose.
    pub compared: u64,
    /// Keys of records that were left out because too many share them and nothing refines them.
    pub left_out: u64,
    /// Largest number of records with one key.
    pub cap: u32,
    /// How many further parts every key of the rule has.
    pub depth: u32,
}
