//! Cells without quotes.
use memchr::memmem;

use super::{Cell, CellEnd, MAX_VAIN_BYTES, Parser, Quotes, Record, n_returns};

impl Parser {
    pub(super) fn unquoted_cell(&self, input: &[u8], pos: &mut usize, at_eof: bool, quotes: Quotes, record: &mut Record) -> CellEnd {
        let start = *pos;
        let special = if quotes == Quotes::Anywhere { &self.special_anywhere } else { &self.special };
        let mut at = start;
        // Set once an escape was resolved: from then on the cell is copied.
        let mut copied: Option<(usize, usize)> = None;
        loop {
            match input[at..].iter().position(|byte| special[usize::from(*byte)]) {
                Some(offset) => at += offset,
                None if at_eof => at = input.len(),
                None => return CellEnd::NeedMore,
            }
            match self.boundary(input, at, at_eof) {
                None => return CellEnd::NeedMore,
                Some(Some((cell_end, skip))) => {
                    self.push(input, start, at, copied, record);
                    *pos = at + skip;
                    return cell_end;
                }
                Some(None) => {}
            }
            if self.syntax.escape == Some(input[at]) {
                if at + 1 >= input.len() && !at_eof {
                    return CellEnd::NeedMore;
                }
                if let Some(&next) = input.get(at + 1)
                    && self.is_escapable(next)
                {
                    let (from, resolved_start) = copied.unwrap_or((start, record.resolved.len()));
                    record.resolved.extend_from_slice(&input[from..at]);
                    record.resolved.push(next);
                    record.n_lines += u64::from(next == self.syntax.line_end.byte());
                    at += 2;
                    copied = Some((at, resolved_start));
                    continue;
                }
            } else if quotes == Quotes::Anywhere
                && let Some((open, close)) = &self.syntax.quote
                && input[at..].starts_with(open)
            {
                // To the closing quote, which is content here, as the opening one is.
                let from = at + open.len();
                // Looked for once in a line, whatever quotes it has.
                if record.line_ends_at <= from {
                    record.line_ends_at = self.syntax.line_end.next_line(&input[from..]).map_or(input.len(), |offset| from + offset);
                }
                let line = record.line_ends_at;
                if record.n_vain_bytes <= MAX_VAIN_BYTES {
                    if let Some(offset) = memmem::find(&input[from..line], close) {
                        at = from + offset + close.len();
                        continue;
                    }
                    record.n_vain_bytes += line - from;
                }
            }
            // Returns that end no line are passed as one, or every one of them would look for the end of all.
            at += n_returns(&input[at..]).max(1);
        }
    }

    fn push(&self, input: &[u8], start: usize, end: usize, copied: Option<(usize, usize)>, record: &mut Record) {
        let (mut start, mut end, resolved) = match copied {
            None => (start, end, false),
            Some((from, resolved_start)) => {
                record.resolved.extend_from_slice(&input[from..end]);
                (resolved_start, record.resolved.len(), true)
            }
        };
        if self.syntax.trim {
            let bytes = if resolved { &record.resolved[start..end] } else { &input[start..end] };
            let blanks = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let behind = bytes[blanks..].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            start += blanks;
            end -= behind;
        }
        record.cells.push(Cell { start, end, resolved, quoted: false, after_blank: false });
    }
}
