//! Other readings of a record that does not fit the table: quotes that are characters, another delimiter, quotes around the whole row.
use super::super::record::{Quotes, Record, Step};
use super::super::rows::Rows;
use super::{Assembler, Cursor};

impl Assembler {
    /// Places the record just parsed at the cursor, read another way where that gives the right number of cells.
    pub(super) fn place(&self, text: &[u8], cursor: &mut Cursor, at_eof: bool, record: &mut Record, rows: &mut Rows) {
        let row = cursor.line;
        if !self.layout.fits(text, record) || record.stray_quote && record.n_lines > 1 {
            self.try_other_readings(text, cursor.at, at_eof, record);
        }
        self.try_other_quotes(text, cursor.at, at_eof, record);
        if let Some((inner, unwrapped)) = self.unwrapped(text, record) {
            rows.notes.stray_quote.add(row);
            rows.add(&self.layout, &inner, &unwrapped, &text[cursor.at..record.end], row);
            cursor.line += record.n_lines;
            cursor.at = record.next;
            return;
        }
        if record.stray_quote {
            rows.notes.stray_quote.add(row);
        }
        if self.blanks_are_odd && self.layout.fits(text, record) && record.is_spaced(text) {
            record.skip_spaces(text);
            record.other_delimiter = true;
        }
        if record.other_delimiter {
            rows.notes.other_delimiter.add(row);
        }
        rows.add(&self.layout, text, record, &text[cursor.at..record.end], row);
        cursor.line += record.n_lines;
        cursor.at = record.next;
    }

    /// Reads a record of which every cell stands in quotes of another kind, the numbers too, without them.
    fn try_other_quotes(&self, text: &[u8], at: usize, at_eof: bool, record: &mut Record) {
        let Some((parser, quote)) = self.other_quote.as_ref().zip(self.other_quote_byte) else { return };
        let is_quoted = |cell: &[u8]| cell.len() >= 2 && cell.first() == Some(&quote) && cell.last() == Some(&quote);
        if record.cells.len() < 3 || !self.layout.fits(text, record) || !record.iter(text).all(is_quoted) {
            return;
        }
        let refuses = |record: &Record| record.iter(text).zip(&self.layout.columns).any(|(cell, looks)| looks.refuses(cell));
        let mut other = Record::default();
        if refuses(record)
            && parser.parse(text, at, at_eof, Quotes::InLine, &mut other) == Step::Done
            && self.layout.fits(text, &other)
            && other.cells.iter().all(|cell| cell.quoted)
            && !refuses(&other)
        {
            other.stray_quote = true;
            *record = other;
        }
    }

    /// A row that stands in quotes as a whole, `"1,""Smith, J."",2"`, as its text and the cells within it.
    fn unwrapped(&self, text: &[u8], record: &Record) -> Option<(Vec<u8>, Record)> {
        if record.cells.len() != 1 || !record.cells[0].quoted || self.layout.n_columns() < 3 {
            return None;
        }
        let inner = record.cell(text, 0).to_vec();
        let mut unwrapped = Record::default();
        let is_done = self.parser.parse(&inner, 0, true, Quotes::AtEdges, &mut unwrapped) == Step::Done;
        (is_done && unwrapped.next >= inner.len() && self.layout.fits(&inner, &unwrapped)).then_some((inner, unwrapped))
    }

    /// Reads the record at `at` in other ways until one gives the number of cells that the table has.
    fn try_other_readings(&self, text: &[u8], at: usize, at_eof: bool, record: &mut Record) {
        let first_reading = std::mem::take(record);
        let n_columns = self.layout.n_columns();
        // Of lines that quotes hold together as they should, each has to be a row: else they are one, whatever it lacks.
        let is_well_formed = first_reading.n_lines > 1 && !first_reading.stray_quote;
        let goes_on = |record: &Record| !is_well_formed || record.next >= first_reading.next || self.is_row(text, record.next, at_eof);
        let fits = |record: &Record| self.layout.fits(text, record) && goes_on(record);
        // Quotes that keep the rules in one line are none of the damage.
        let is_well_quoted = first_reading.n_lines == 1
            && self.layout.syntax.quote.as_ref().is_some_and(|(open, _)| first_reading.is_well_quoted(text, open));
        if self.layout.syntax.quote.is_some() && !is_well_quoted {
            let line = self.layout.syntax.line_end.next_line(&text[at..]).map_or(text.len(), |offset| at + offset);
            let mut attempts = vec![Quotes::InLine];
            attempts.extend(self.parser.quotes_at_edges(&text[..line], at).into_iter().map(Quotes::LiteralAt));
            attempts.extend([Quotes::Anywhere, Quotes::Literal]);
            for (number, quotes) in attempts.into_iter().enumerate() {
                if self.parser.parse(text, at, at_eof, quotes, record) == Step::Done && fits(record) {
                    record.stray_quote = true;
                    if let Quotes::LiteralAt(quote_at) = quotes {
                        self.drop_open_quote(text, quote_at, record);
                    }
                    return;
                }
                if number == 0
                    && let Some(parser) = &self.other_quote
                    && parser.parse(text, at, at_eof, Quotes::InLine, record) == Step::Done
                    && fits(record)
                    && record.cells.iter().any(|cell| cell.quoted)
                {
                    record.stray_quote = true;
                    return;
                }
            }
        }
        if first_reading.cells.len() < n_columns && n_columns > 1 && first_reading.cells.len() * 2 <= n_columns {
            for parser in &self.other_delimiters {
                // Blanks divide words too: only values can tell.
                let is_certain = parser.syntax.delimiter != b" " || self.n_strict_columns() * 2 >= n_columns;
                // By the rules first, within the line: tried anew, quotes that are doubled before a blank would close.
                let line = self.layout.syntax.line_end.next_line(&text[at..]).map_or(text.len(), |offset| at + offset);
                let readings = [(&text[..line], at_eof || line < text.len(), Quotes::AtEdges), (text, at_eof, Quotes::InLine)];
                for (text, at_eof, quotes) in readings {
                    if is_certain
                        && parser.parse(text, at, at_eof, quotes, record) == Step::Done
                        && fits(record)
                        && record.iter(text).zip(&self.layout.columns).all(|(cell, looks)| looks.accepts(cell))
                    {
                        record.other_delimiter = true;
                        return;
                    }
                }
            }
        }
        // A quote that closes by chance lines further down has swallowed the rows between.
        let has_swallowed = first_reading.n_lines > 1 && first_reading.stray_quote;
        if has_swallowed
            && self.parser.parse(text, at, at_eof, Quotes::InLine, record) == Step::Done
            && record.next < first_reading.next
            && self.is_row(text, record.next, at_eof)
        {
            record.stray_quote = true;
            return;
        }
        *record = first_reading;
    }

    /// Whether the line at `at` is a row by itself.
    fn is_row(&self, text: &[u8], at: usize, at_eof: bool) -> bool {
        let mut line = Record::default();
        self.parser.parse(text, at, at_eof, Quotes::InLine, &mut line) == Step::Done && self.layout.fits(text, &line)
    }

    fn n_strict_columns(&self) -> usize {
        self.layout.columns.iter().filter(|looks| looks.strict_kind().is_some()).count()
    }

    /// In a column whose cells all stand in quotes, a quote that opens and never closes is no part of the cell.
    fn drop_open_quote(&self, text: &[u8], quote_at: usize, record: &mut Record) {
        let Some(idx) = record.cell_from(quote_at) else { return };
        if self.layout.columns.get(idx).is_some_and(|looks| looks.is_always_quoted())
            && let Some((open, _)) = &self.layout.syntax.quote
        {
            record.skip_bytes(idx, open.len(), text);
        }
    }
}
