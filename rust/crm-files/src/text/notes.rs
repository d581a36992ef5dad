//! What was mended or seen on the way, for the report.
use encoding_rs::Encoding;

use crate::spreadsheet_text::TakenOff;

/// Damage that was mended or merely seen, with the first rows it was seen in.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    pub short: Places,
    pub long_mended: Places,
    pub spare_delimiter: Places,
    pub stray_quote: Places,
    pub other_delimiter: Places,
    pub broken_line: Places,
    pub taken_off: TakenOff,
    pub foreign: Option<ForeignLines>,
}

/// Lines that were in another encoding.
#[derive(Debug, Clone, Copy)]
pub(super) struct ForeignLines {
    pub encoding: &'static Encoding,
    pub n_lines: u64,
    pub first_line: u64,
}

/// A count, and the first rows counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    pub count: u64,
    pub first: Vec<u64>,
}

impl Places {
    pub(super) fn add(&mut self, row: u64) {
        self.count += 1;
        if self.first.len() < 5 {
            self.first.push(row);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        let room = 5 - self.first.len().min(5);
        self.first.extend(other.first.iter().take(room));
    }

    /// `3 rows (17, 99, 240)`.
    pub(super) fn describe(&self) -> String {
        let rows = self.first.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        let more = if self.count > self.first.len() as u64 { ", ..." } else { "" };
        format!("{} row{} ({rows}{more})", self.count, if self.count == 1 { "" } else { "s" })
    }
}

impl Notes {
    pub(super) fn merge(&mut self, other: &Self) {
        self.short.merge(&other.short);
        self.long_mended.merge(&other.long_mended);
        self.spare_delimiter.merge(&other.spare_delimiter);
        self.stray_quote.merge(&other.stray_quote);
        self.other_delimiter.merge(&other.other_delimiter);
        self.broken_line.merge(&other.broken_line);
        self.taken_off.add(other.taken_off);
    }

    /// Adds `lines` to all row numbers.
    pub(super) fn shift(&mut self, lines: u64) {
        let places = [
            &mut self.short,
            &mut self.long_mended,
            &mut self.spare_delimiter,
            &mut self.stray_quote,
            &mut self.other_delimiter,
            &mut self.broken_line,
        ];
        places.into_iter().flat_map(|places| &mut places.first).for_each(|row| *row += lines);
    }

    /// Sentences for the report.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut add = |places: &Places, text: &str| {
            if places.count > 0 {
                warnings.push(format!("{}: {text}", places.describe()));
            }
        };
        add(&self.short, "fewer cells than the header; the missing ones are null");
        add(&self.long_mended, "an unquoted delimiter stood within a cell; the cell was put together again");
        add(&self.spare_delimiter, "a delimiter too many, with nothing before or behind it; the empty cell was left out");
        add(&self.stray_quote, "quotes that open, close or stand where they should not; read as characters where no other reading fits");
        add(&self.other_delimiter, "another delimiter than the rest of the file");
        add(&self.broken_line, "a line break stood within a cell without quotes; the row was put together again");
        warnings.extend(self.foreign.map(|foreign| {
            format!(
                "from line {} on {} lines are no UTF-8 and were read as {}: the encoding changes within the file",
                foreign.first_line,
                foreign.n_lines,
                foreign.encoding.name().to_ascii_lowercase()
            )
        }));
        warnings.extend(self.taken_off.sentences());
        warnings
    }
}
