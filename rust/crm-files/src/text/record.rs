//! The careful record parser: follows any [`Syntax`], one record at a time, and says where a record departed from it.
mod quoted;
mod unquoted;

use memchr::memmem;

use super::dialect::{LineEnd, Syntax};
use quoted::QuotedEnd;

/// Bytes of a record that may be looked through in vain for closing quotes: beyond them its further quotes are characters, or a line of
/// nothing but opening quotes would take the square of its length.
const MAX_VAIN_BYTES: usize = 128 << 10;

/// How quotes are read. The first is the rule; the others are tried on a record whose number of cells is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// A quote opens a cell only at its beginning and closes it only before a delimiter or a line end.
    AtEdges,
    /// A quote opens and closes anywhere: `abc "d, e" f`.
    Anywhere,
    /// As `AtEdges`, but a record ends with its line, so that a quote that never closes is a character.
    InLine,
    /// As `InLine`, but the quote at this position is a character.
    LiteralAt(usize),
    /// Quotes are characters.
    Literal,
}

/// One cell: a range of the input or, where quotes or escapes were resolved, of [`Record::resolved`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    start: usize,
    end: usize,
    resolved: bool,
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Whether blanks stood before these.
    after_blank: bool,
}

/// The cells of the record parsed last; reused between records.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub cells: Vec<Cell>,
    resolved: Vec<u8>,
    /// Where the next record begins.
    pub next: usize,
    /// Where this record's text ends, without its line end.
    pub end: usize,
    /// Lines it takes up, at least 1.
    pub n_lines: u64,
    /// A quote stood where the syntax has none, or never closed.
    pub stray_quote: bool,
    /// The cells are divided by another delimiter than those of the other rows.
    pub other_delimiter: bool,
    /// Something stands before the first delimiter, where the syntax has nothing.
    pub lacks_lead: bool,
    /// Bytes that were looked through for quotes that do not close.
    n_vain_bytes: usize,
    /// Where the line ends that is being read, once that was asked.
    line_ends_at: usize,
    /// How far the search for the quote went that made the last [`Step::Runaway`].
    pub runaway_end: usize,
}

impl Record {
    /// The bytes of cell `idx`.
    pub(super) fn cell<'a>(&'a self, input: &'a [u8], idx: usize) -> &'a [u8] {
        let cell = self.cells[idx];
        if cell.resolved { &self.resolved[cell.start..cell.end] } else { &input[cell.start..cell.end] }
    }

    /// All cells.
    pub(super) fn iter<'a>(&'a self, input: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        (0..self.cells.len()).map(move |idx| self.cell(input, idx))
    }

    /// The cell that begins at this position of the input.
    pub(super) fn cell_from(&self, at: usize) -> Option<usize> {
        self.cells.iter().position(|cell| !cell.resolved && cell.start == at)
    }

    /// Leaves out the first bytes of cell `idx`.
    pub(super) fn skip_bytes(&mut self, idx: usize, n_bytes: usize, input: &[u8]) {
        if self.cell(input, idx).len() >= n_bytes {
            self.cells[idx].start += n_bytes;
        }
    }

    /// Whether a blank stands behind every delimiter.
    pub(super) fn is_spaced(&self, input: &[u8]) -> bool {
        let begins_blank = |idx: usize| match self.cells[idx] {
            Cell { quoted: true, after_blank, .. } => after_blank,
            _ => self.cell(input, idx).first() == Some(&b' '),
        };
        self.cells.len() > 2 && (1..self.cells.len()).all(begins_blank)
    }

    /// Takes off the blank behind every delimiter.
    pub(super) fn skip_spaces(&mut self, input: &[u8]) {
        for idx in (1..self.cells.len()).filter(|idx| !self.cells[*idx].quoted).collect::<Vec<_>>() {
            self.skip_bytes(idx, 1, input);
        }
    }

    /// Whether quotes stand around cells, and nowhere else.
    pub(super) fn is_well_quoted(&self, input: &[u8], quote: &[u8]) -> bool {
        let holds_quote = |idx: usize| memmem::find(self.cell(input, idx), quote).is_some();
        !self.stray_quote
            && self.cells.iter().any(|cell| cell.quoted)
            && !(0..self.cells.len()).any(|idx| !self.cells[idx].quoted && holds_quote(idx))
    }

    /// Whether every cell is blank.
    pub(super) fn is_blank(&self, input: &[u8]) -> bool {
        self.iter(input).all(|cell| cell.trim_ascii().is_empty())
    }
}

/// What parsing at a position came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A record is in [`Record`].
    Done,
    /// The input ends within the record.
    NeedMore,
    /// No record: the input is at its end.
    End,
    /// A quoted cell exceeded its bounds; parse this record anew with [`Quotes::InLine`].
    Runaway,
}

/// Bounds of one quoted cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub cell_bytes: usize,
    pub cell_lines: u64,
}

/// The parser: a syntax made ready.
pub(super) struct Parser {
    pub syntax: Syntax,
    pub bounds: Bounds,
    /// Bytes at which an unquoted cell has to be looked at.
    special: [bool; 256],
    special_anywhere: [bool; 256],
    /// Reads what stands within the quotes of a wrapped line.
    inner: Option<Box<Parser>>,
}

impl Parser {
    pub(super) fn new(syntax: Syntax, bounds: Bounds) -> Self {
        let mut special = [false; 256];
        if let Some(first) = syntax.delimiter.first() {
            special[usize::from(*first)] = true;
            special[usize::from(b'\t')] |= syntax.run.is_some();
        }
        special[usize::from(syntax.line_end.byte())] = true;
        special[usize::from(b'\r')] |= matches!(syntax.line_end, LineEnd::CrLf | LineEnd::Mixed);
        if let Some(escape) = syntax.escape {
            special[usize::from(escape)] = true;
        }
        let mut special_anywhere = special;
        if let Some((open, _)) = &syntax.quote {
            special_anywhere[usize::from(open[0])] = true;
        }
        let inner = syntax.wrapped.then(|| Box::new(Self::new(Syntax { wrapped: false, leads: false, ..syntax.clone() }, bounds)));
        Self { syntax, bounds, special, special_anywhere, inner }
    }

    /// Where quotes stand at the beginning of what may be cells, in the line that begins at `start` and ends with `line`.
    pub(super) fn quotes_at_edges(&self, line: &[u8], start: usize) -> Vec<usize> {
        let Some((open, _)) = &self.syntax.quote else { return Vec::new() };
        let delimiter = &self.syntax.delimiter;
        memmem::find_iter(&line[start..], open)
            .map(|offset| start + offset)
            .filter(|at| {
                let before = line[start..*at].trim_ascii_end();
                before.is_empty() || line[start..*at].ends_with(delimiter) || before.ends_with(delimiter)
            })
            .take(64)
            .collect()
    }

    /// Length of the line end at `pos`; `None` where there is none or the input ends too early to say.
    fn line_end(&self, input: &[u8], pos: usize, at_eof: bool) -> Option<Option<usize>> {
        match (input[pos], self.syntax.line_end) {
            (b'\n', LineEnd::Lf | LineEnd::CrLf | LineEnd::Mixed) => Some(Some(1)),
            (b'\r', LineEnd::Cr) => Some(Some(1)),
            (super::dialect::RECORD_SEPARATOR, LineEnd::RecordSeparator) => Some(Some(1)),
            (b'\r', LineEnd::CrLf | LineEnd::Mixed) => match input.get(pos + 1) {
                Some(b'\n') => Some(Some(2)),
                None if !at_eof => None,
                None => Some(Some(1)),
                // A line end that was converted twice: `\r\r\n`.
                Some(b'\r') if self.syntax.line_end == LineEnd::CrLf => {
                    let n_returns = n_returns(&input[pos..]);
                    match input.get(pos + n_returns) {
                        Some(b'\n') => Some(Some(n_returns + 1)),
                        None if !at_eof => None,
                        None => Some(Some(n_returns)),
                        Some(_) => Some(None),
                    }
                }
                Some(_) if self.syntax.line_end == LineEnd::Mixed => Some(Some(1)),
                Some(_) => Some(None),
            },
            _ => Some(None),
        }
    }

    /// Parses the record at `pos` into `record`. `at_eof` says that nothing follows `input`.
    pub(super) fn parse(&self, input: &[u8], pos: usize, at_eof: bool, quotes: Quotes, record: &mut Record) -> Step {
        record.cells.clear();
        record.resolved.clear();
        record.n_lines = 1;
        record.stray_quote = false;
        record.other_delimiter = false;
        record.lacks_lead = false;
        record.n_vain_bytes = 0;
        record.line_ends_at = 0;
        if pos >= input.len() {
            return if at_eof { Step::End } else { Step::NeedMore };
        }
        let mut pos = if self.syntax.run.is_some() { self.after_run(input, pos) } else { pos };
        loop {
            let step = self.cell(input, &mut pos, at_eof, quotes, record);
            match step {
                CellEnd::Delimiter => {}
                CellEnd::Line(len) => {
                    record.end = pos;
                    record.next = pos + len;
                    if let Some(inner) = &self.inner {
                        unwrap_record(inner, input, record);
                    }
                    if self.syntax.leads && record.cells.len() > 1 {
                        record.lacks_lead = !record.cell(input, 0).trim_ascii().is_empty();
                        if !record.lacks_lead {
                            record.cells.remove(0);
                        }
                    }
                    return Step::Done;
                }
                CellEnd::NeedMore => return Step::NeedMore,
                CellEnd::Runaway => return Step::Runaway,
            }
        }
    }

    fn cell(&self, input: &[u8], pos: &mut usize, at_eof: bool, quotes: Quotes, record: &mut Record) -> CellEnd {
        let start = *pos;
        if quotes != Quotes::Literal
            && let Some((open, _)) = &self.syntax.quote
            && let at = self.skip_blanks(input, start)
            && quotes != Quotes::LiteralAt(at)
        {
            if input.len() < at + open.len() && !at_eof && open.starts_with(&input[at..]) {
                return CellEnd::NeedMore;
            }
            if record.n_vain_bytes > MAX_VAIN_BYTES {
                record.stray_quote |= input[at..].starts_with(open);
            } else if input[at..].starts_with(open) {
                match self.quoted_cell(input, at + open.len(), at_eof, quotes, record) {
                    QuotedEnd::Closed(end, cell_end) => {
                        if let Some(cell) = record.cells.last_mut() {
                            cell.after_blank = at > start;
                        }
                        *pos = end;
                        return cell_end;
                    }
                    QuotedEnd::NeedMore => return CellEnd::NeedMore,
                    QuotedEnd::Runaway(end) => {
                        record.runaway_end = end;
                        return CellEnd::Runaway;
                    }
                    QuotedEnd::NotQuoted(end) => {
                        record.stray_quote = true;
                        record.n_vain_bytes += end - at;
                    }
                }
            }
        }
        self.unquoted_cell(input, pos, at_eof, quotes, record)
    }

    /// Past the blanks at `pos`, unless they may be delimiters.
    fn skip_blanks(&self, input: &[u8], mut pos: usize) -> usize {
        while let Some(byte) = input.get(pos)
            && (*byte == b' ' || *byte == b'\t')
            && self.syntax.run.is_none()
            && self.syntax.delimiter.first() != Some(byte)
        {
            pos += 1;
        }
        pos
    }

    /// The delimiter or line end at `pos`; `Some(None)` for neither, `None` where the input ends too early to say.
    fn boundary(&self, input: &[u8], pos: usize, at_eof: bool) -> Option<Option<(CellEnd, usize)>> {
        if pos >= input.len() {
            return if at_eof { Some(Some((CellEnd::Line(0), 0))) } else { None };
        }
        let delimiter = &self.syntax.delimiter;
        if !delimiter.is_empty() {
            if let Some(n_least) = self.syntax.run {
                return self.run_boundary(input, pos, at_eof, n_least);
            }
            if input[pos..].starts_with(delimiter) {
                return Some(Some((CellEnd::Delimiter, delimiter.len())));
            }
            if !at_eof && input.len() - pos < delimiter.len() && delimiter.starts_with(&input[pos..]) {
                return None;
            }
        }
        Some(self.line_end(input, pos, at_eof)?.map(|len| (CellEnd::Line(len), 0)))
    }

    /// Past the delimiters from here on: blanks and tabs, or tabs alone.
    fn after_run(&self, input: &[u8], pos: usize) -> usize {
        let with_blanks = self.syntax.delimiter.first() == Some(&b' ');
        pos + input[pos..].iter().take_while(|byte| **byte == b'\t' || with_blanks && **byte == b' ').count()
    }

    /// As `boundary`, where runs of blanks divide the cells; a run before a line end belongs to it.
    fn run_boundary(&self, input: &[u8], pos: usize, at_eof: bool, n_least: usize) -> Option<Option<(CellEnd, usize)>> {
        let end = self.after_run(input, pos);
        if end == pos {
            return Some(self.line_end(input, pos, at_eof)?.map(|len| (CellEnd::Line(len), 0)));
        }
        if end >= input.len() {
            return if at_eof { Some(Some((CellEnd::Line(0), end - pos))) } else { None };
        }
        if let Some(len) = self.line_end(input, end, at_eof)? {
            return Some(Some((CellEnd::Line(len), end - pos)));
        }
        Some((end - pos >= n_least || input[pos] == b'\t').then_some((CellEnd::Delimiter, end - pos)))
    }

    /// What an escape character may stand before; before anything else it is a character (`C:\dir`).
    fn is_escapable(&self, byte: u8) -> bool {
        self.syntax.escape == Some(byte)
            || self.syntax.delimiter.first() == Some(&byte)
            || self.syntax.quote.as_ref().is_some_and(|(open, close)| open[0] == byte || close[0] == byte)
            || byte == b'\n'
    }
}

/// Carriage returns that `text` begins with.
fn n_returns(text: &[u8]) -> usize {
    text.iter().take_while(|byte| **byte == b'\r').count()
}

/// Puts the cells within the only cell of `record` in its place.
fn unwrap_record(parser: &Parser, input: &[u8], record: &mut Record) {
    let [Cell { quoted: true, .. }] = record.cells.as_slice() else { return };
    let whole = record.cell(input, 0).to_vec();
    let mut unwrapped = Record::default();
    if parser.parse(&whole, 0, true, Quotes::InLine, &mut unwrapped) != Step::Done {
        return;
    }
    record.cells.clear();
    record.resolved.clear();
    for (idx, cell) in unwrapped.cells.iter().enumerate() {
        let start = record.resolved.len();
        record.resolved.extend_from_slice(unwrapped.cell(&whole, idx));
        record.cells.push(Cell { start, end: record.resolved.len(), resolved: true, quoted: cell.quoted, after_blank: false });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellEnd {
    Delimiter,
    /// Length of the line end.
    Line(usize),
    NeedMore,
    Runaway,
}
