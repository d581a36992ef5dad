use crm_core::{Error, Result};

use super::WorkbookLimits;

/// The shared strings of a workbook, one after the other in one buffer.
#[derive(Debug, Default)]
pub(super) struct SharedStrings {
    text: String,
    ends: Vec<u32>,
}

impl SharedStrings {
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let begin = index.checked_sub(1).map_or(0, |previous| self.ends[previous] as usize);
        self.text.get(begin..end)
    }

    /// The buffer to append the next string to; [`Self::end_string`] ends it.
    pub fn buffer(&mut self) -> &mut String {
        &mut self.text
    }

    /// Where the string being appended begins.
    pub fn open_from(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }

    pub fn end_string(&mut self, file: &str, limits: &WorkbookLimits) -> Result<()> {
        if self.text.len() > limits.string_bytes.min(u32::MAX as usize) {
            return Err(Error::file_format(
                file,
                format!("{file}: its shared strings are longer than the {} bytes allowed (limit `string_bytes`)", limits.string_bytes),
            ));
        }
        if self.ends.len() >= limits.strings {
            return Err(Error::file_format(
                file,
                format!("{file}: it has more than the {} shared strings allowed (limit `strings`)", limits.strings),
            ));
        }
        self.ends.push(self.text.len() as u32);
        Ok(())
    }
}
