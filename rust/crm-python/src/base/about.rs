//! What a base's index says of itself, as JSON in its newest segment.
use std::collections::BTreeMap;

use crm_core::{Error, Result};
use crm_resolve::ResolveConfig;
use crm_resolve::merge::{SourceColumn, SourceLayout, Survivorship};
use serde::{Deserialize, Serialize};

/// Options that a base pins when it is made.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaseOptions {
    pub resolve: ResolveConfig,
    pub survivorship: Survivorship,
    /// Accepted as in a run's options; a base does not keep them.
    #[serde(skip_serializing)]
    pub max_cluster_share: Option<f64>,
    #[serde(skip_serializing)]
    pub memory_limit: Option<u64>,
    #[serde(skip_serializing)]
    pub tmp_dir: Option<std::path::PathBuf>,
}

/// The state of the index after a segment.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct About {
    pub options: BaseOptions,
    /// All layouts that rows of the base have, or had.
    pub layouts: Vec<LayoutAbout>,
    /// Golden columns that people edited, and how many edits of each there are.
    pub edited: BTreeMap<String, u64>,
    pub n_records: u64,
    pub n_contacts: u64,
}

/// A layout and how many records have it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct LayoutAbout {
    pub source: String,
    pub columns: Vec<(String, Option<String>)>,
    pub n_records: u64,
}

impl LayoutAbout {
    pub fn new(layout: &SourceLayout, n_records: u64) -> Self {
        let column = |column: &SourceColumn| (column.name.clone(), column.role.map(|role| role.name().to_owned()));
        Self { source: layout.source.clone(), columns: layout.columns.iter().map(column).collect(), n_records }
    }

    /// The layout as resolving sees it.
    pub fn layout(&self) -> Result<SourceLayout> {
        let column = |(name, role): &(String, Option<String>)| {
            let role = role.as_ref().map(|role| role.parse()).transpose()?;
            Ok(SourceColumn { name: name.clone(), role })
        };
        Ok(SourceLayout { source: self.source.clone(), columns: self.columns.iter().map(column).collect::<Result<_>>()? })
    }
}

impl About {
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| Error::store(format!("the index says of itself what cannot be read: {error}")))
    }

    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::internal(error.to_string()))
    }

    /// Golden columns that edits made.
    pub fn edited_columns(&self) -> Vec<String> {
        self.edited.iter().filter(|(_, n)| **n > 0).map(|(column, _)| column.clone()).collect()
    }
}
