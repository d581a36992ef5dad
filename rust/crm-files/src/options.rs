use serde::{Deserialize, Serialize};

use crate::{Format, Limits};

/// What the caller knows better than detection does. All optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// The format, where neither content nor name should decide.
    pub format: Option<Format>,
    /// Encoding by label: `utf-8`, `cp1251`, `koi8-r`, ...
    pub encoding: Option<String>,
    /// Delimiter of text files, one or several characters; `\t` and `tab` mean a tab.
    pub delimiter: Option<String>,
    /// Quote character of text files; the empty text means that there is none.
    pub quote: Option<String>,
    /// Row of the header in the file or sheet, from 1; 0 means that there is none.
    pub header_row: Option<u64>,
    /// Rows at the top of the file or sheet that are no data.
    pub skip_rows: Option<u64>,
    /// The one sheet to read, by name or by number from 1; all of them otherwise.
    pub sheet: Option<String>,
    /// Rows per batch, at most; a default that suits the format otherwise.
    pub batch_rows: Option<usize>,
    /// Threads for parsing; as many as the machine has otherwise. Results do not depend on it.
    pub threads: Option<usize>,
    /// What the file may ask for.
    pub limits: Limits,
}
