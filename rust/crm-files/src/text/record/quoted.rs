//! Cells in quotes.
use super::super::dialect::LineEnd;
use super::{Cell, CellEnd, Parser, Quotes, Record, n_returns};

pub(super) enum QuotedEnd {
    /// Where the input goes on, and how.
    Closed(usize, CellEnd),
    NeedMore,
    /// It exceeds its bounds here.
    Runaway(usize),
    /// The quote is a character after all: nothing up to here closes it.
    NotQuoted(usize),
}

impl Parser {
    /// A cell whose opening quote ends before `start`.
    pub(super) fn quoted_cell(&self, input: &[u8], start: usize, at_eof: bool, quotes: Quotes, record: &mut Record) -> QuotedEnd {
        let Some((open, close)) = &self.syntax.quote else { return QuotedEnd::NotQuoted(start) };
        let doubled = open == close;
        let line_end = self.syntax.line_end.byte();
        let (n_lines_before, n_resolved_before, stray_before) = (record.n_lines, record.resolved.len(), record.stray_quote);
        // Copied from here on; what lies before is in `resolved` already.
        let mut from = start;
        let mut is_copied = false;
        let mut at = start;
        let give_up = |record: &mut Record, end: QuotedEnd| {
            record.n_lines = n_lines_before;
            record.resolved.truncate(n_resolved_before);
            record.stray_quote = stray_before;
            end
        };
        // Nothing beyond is looked at, or what a cell is would depend on how much of the input is at hand.
        let bound = start.saturating_add(self.bounds.cell_bytes);
        loop {
            let within = input.get(at..input.len().min(bound)).unwrap_or_default();
            let offset = within.iter().position(|&byte| {
                byte == close[0] || byte == b'\n' || byte == b'\r' || byte == line_end || self.syntax.escape == Some(byte)
            });
            let Some(offset) = offset else {
                let end = input.len().min(bound);
                let outcome = match quotes {
                    _ if end < bound && !at_eof => QuotedEnd::NeedMore,
                    Quotes::AtEdges => QuotedEnd::Runaway(end),
                    _ => QuotedEnd::NotQuoted(end),
                };
                return give_up(record, outcome);
            };
            at += offset;
            let byte = input[at];
            if byte == b'\n' || byte == b'\r' || byte == line_end {
                if quotes != Quotes::AtEdges {
                    match self.line_end(input, at, at_eof) {
                        None => return give_up(record, QuotedEnd::NeedMore),
                        Some(Some(_)) => return give_up(record, QuotedEnd::NotQuoted(at)),
                        Some(None) if byte == b'\r' => {
                            at += n_returns(&input[at..]);
                            continue;
                        }
                        Some(None) => {}
                    }
                }
                if byte == b'\r' && at + 1 == input.len() && !at_eof {
                    return give_up(record, QuotedEnd::NeedMore);
                }
                let is_line = match self.syntax.line_end {
                    LineEnd::Lf | LineEnd::CrLf => byte == b'\n',
                    LineEnd::Cr => byte == b'\r',
                    LineEnd::RecordSeparator => byte == line_end,
                    LineEnd::Mixed => byte == b'\n' || input.get(at + 1) != Some(&b'\n'),
                };
                record.n_lines += u64::from(is_line);
                at += 1;
                if record.n_lines - n_lines_before > self.bounds.cell_lines {
                    return give_up(record, QuotedEnd::Runaway(at));
                }
                continue;
            }
            if self.syntax.escape == Some(byte) && !(doubled && byte == close[0]) {
                match input.get(at + 1) {
                    None if !at_eof => return give_up(record, QuotedEnd::NeedMore),
                    Some(&next) if self.is_escapable(next) && next != b'\n' => {
                        record.resolved.extend_from_slice(&input[from..at]);
                        record.resolved.push(next);
                        is_copied = true;
                        at += 2;
                        from = at;
                    }
                    _ => at += 1,
                }
                continue;
            }
            if !input[at..].starts_with(close) {
                if !at_eof && input.len() - at < close.len() && close.starts_with(&input[at..]) {
                    return give_up(record, QuotedEnd::NeedMore);
                }
                at += 1;
                continue;
            }
            let behind = at + close.len();
            if behind >= input.len() && !at_eof {
                return give_up(record, QuotedEnd::NeedMore);
            }
            let is_doubled = doubled && input[behind.min(input.len())..].starts_with(close);
            // In a record tried anew a doubled quote before a boundary closes: `"a""` is a stray quote, not an open cell.
            if is_doubled && (quotes == Quotes::AtEdges || !self.closes(input, behind + close.len(), at_eof)) {
                record.resolved.extend_from_slice(&input[from..behind]);
                is_copied = true;
                at = behind + close.len();
                from = at;
                continue;
            }
            let after_blanks = self.skip_blanks(input, behind);
            match self.boundary(input, after_blanks, at_eof) {
                None => return give_up(record, QuotedEnd::NeedMore),
                Some(Some((cell_end, skip))) => {
                    let (start, end) = if is_copied {
                        record.resolved.extend_from_slice(&input[from..at]);
                        (n_resolved_before, record.resolved.len())
                    } else {
                        (start, at)
                    };
                    record.cells.push(Cell { start, end, resolved: is_copied, quoted: true, after_blank: false });
                    return QuotedEnd::Closed(after_blanks + skip, cell_end);
                }
                Some(None) => {
                    record.stray_quote = true;
                    at = behind;
                }
            }
        }
    }

    /// Whether a cell that closed before `pos` would be followed by a boundary.
    fn closes(&self, input: &[u8], pos: usize, at_eof: bool) -> bool {
        matches!(self.boundary(input, self.skip_blanks(input, pos), at_eof), Some(Some(_)))
    }
}
