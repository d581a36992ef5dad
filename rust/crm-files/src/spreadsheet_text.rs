//! Text as spreadsheets are told it, in whatever format it comes: what exports put around it so that nothing is run and digits stay text
//! is taken off, once.
use std::borrow::Cow;

use crate::output::strip_guard;

/// What stood around texts that it was taken off, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TakenOff {
    n_guards: u64,
    n_formulas: u64,
}

impl TakenOff {
    /// The text of a cell, what stood around it taken off and counted.
    pub(crate) fn bytes<'a>(&mut self, cell: &'a [u8]) -> &'a [u8] {
        let Some(text) = inner_text(cell) else { return cell };
        *(if cell[0] == b'=' { &mut self.n_formulas } else { &mut self.n_guards }) += 1;
        text
    }

    /// The same of text.
    pub(crate) fn text<'a>(&mut self, cell: &'a str) -> &'a str {
        // What is taken off is ASCII.
        std::str::from_utf8(self.bytes(cell.as_bytes())).unwrap_or(cell)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.n_guards += other.n_guards;
        self.n_formulas += other.n_formulas;
    }

    /// Sentences for the report.
    pub(crate) fn sentences(self) -> impl Iterator<Item = String> {
        let formulas = "cells stood there as =\"...\", which makes a spreadsheet show text: the text was taken";
        let guards = "cells: the apostrophe that guards against formulas was taken off";
        let told = [(self.n_formulas, formulas), (self.n_guards, guards)];
        told.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"))
    }
}

/// The text within `cell`, if it stands as spreadsheets are told it: `="00123"`, or behind the apostrophe of [`crate::output::guard`].
/// Never both: what is within is text, whatever it looks like.
pub(crate) fn inner_text(cell: &[u8]) -> Option<&[u8]> {
    match cell.first()? {
        b'=' => formula_text(cell),
        b'\'' => std::str::from_utf8(cell).is_ok_and(|text| strip_guard(text).len() < text.len()).then(|| &cell[1..]),
        _ => None,
    }
}

/// A title without what stands around it.
pub(crate) fn shown_title(title: &str) -> &str {
    TakenOff::default().text(title)
}

/// `text` as it has to be written into a workbook for it to be read back as it is: behind an apostrophe, if what stands around it would
/// be taken off.
pub(crate) fn kept_text(text: &str) -> Cow<'_, str> {
    if inner_text(text.as_bytes()).is_some() { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text of `="00123"`, as exports write what a spreadsheet should not take for a number.
pub(crate) fn formula_text(cell: &[u8]) -> Option<&[u8]> {
    let text = cell.strip_prefix(b"=\"")?.strip_suffix(b"\"")?;
    (!text.contains(&b'"')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::guard;

    #[test]
    fn what_stands_around_texts_is_taken_off_once() {
        let mut taken = TakenOff::default();
        for (cell, text) in [
            ("=\"00123\"", "00123"),
            ("'=1+1", "=1+1"),
            ("'=\"00123\"", "=\"00123\""),
            ("=\"'=1\"", "'=1"),
            ("''=1", "'=1"),
            ("'s-Hertogenbosch", "'s-Hertogenbosch"),
            ("=\"a\"&\"b\"", "=\"a\"&\"b\""),
            ("", ""),
        ] {
            assert_eq!(taken.text(cell), text, "{cell}");
            assert_eq!(shown_title(&kept_text(cell)), cell);
        }
        assert_eq!(taken, TakenOff { n_guards: 3, n_formulas: 2 });
        for text in ["=\"00123\"", "'=\"1\"", "=1"] {
            assert_eq!(inner_text(guard(text).as_bytes()), Some(text.as_bytes()));
        }
    }
}
