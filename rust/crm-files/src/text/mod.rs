//! Delimited text and JSON lines.
//!
//! Bytes are unwrapped ([`input`]), decoded ([`encoding`]), their syntax found ([`sniff`]), their shape ([`shape`]); then records are
//! parsed ([`record`]), placed ([`rows`]) and built into columns ([`columns`]).
use std::io::Read;

use crm_core::{Control, Result};

use crate::{Format, ReadOptions, TableReader};

mod beginning;
mod candidates;
mod chunk;
mod columns;
mod decoded;
mod delimited;
mod dialect;
mod encoding;
mod escape;
mod footers;
mod grid_shape;
mod header;
mod header_words;
mod input;
mod json_lines;
mod json_values;
mod kind;
mod layout;
mod lines;
mod mend;
mod notes;
mod pending;
mod pipeline;
mod record;
mod rows;
mod scan;
mod shape;
mod sniff;

pub(crate) use decoded::{DecodedInput, SAMPLE_BYTES};
pub(crate) use escape::{decoded_text, text_or_escaped};
pub(crate) use grid_shape::{is_total_row, shape_of_grid};

/// Opens a text file: one reader.
pub fn open(
    name: &str,
    format: Format,
    input: Box<dyn Read + Send>,
    options: &ReadOptions,
    control: &dyn Control,
) -> Result<Vec<Box<dyn TableReader>>> {
    control.check()?;
    Ok(vec![match format {
        Format::Jsonl => Box::new(json_lines::JsonLinesReader::open(name, input, options)?),
        _ => Box::new(delimited::DelimitedReader::open(name, input, options)?),
    }])
}
