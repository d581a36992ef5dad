//! The input cut into chunks at record ends, and the chunks read on several threads, handed out in order.
//!
//! Where a chunk ends is guessed: at the last line end before which the number of quotes is even. Whoever reads the chunk finds out
//! whether the guess was right; where it was not, the consumer reads on from there the careful way, so that the result never depends on guesses.
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crm_core::{Control, Error, Result};
use encoding_rs::Encoding;

use super::chunk::{Assembler, Cursor, MAX_CELLS, MAX_LEFT_OUT};
use super::dialect::LineEnd;
use super::encoding::{Foreign, Mended, StreamDecoder, TextEncoding, decode_lines, first_foreign, marked_lines};
use super::footers::TAIL_BYTES;
use super::input::fill;
use super::lines::Lines;
use super::record::Record;
use super::rows::Rows;

/// How often a waiting consumer looks whether it was cancelled.
const CANCEL_CHECK: Duration = Duration::from_millis(50);

/// Bytes of the pieces that a text is read in.
#[derive(Debug, Clone, Copy)]
pub(super) struct PieceSizes {
    pub chunk: usize,
    /// The end of the text, where its footers are, is always in one piece; and so much is at hand behind every chunk.
    pub tail: usize,
}

impl Default for PieceSizes {
    fn default() -> Self {
        Self { chunk: 4 << 20, tail: TAIL_BYTES }
    }
}

/// Decoded text and, where it could be read as whole records, its rows (numbered from 0) and how many lines they take.
pub(super) struct ReadChunk {
    pub text: Vec<u8>,
    pub start: usize,
    pub rows: Option<(Rows, u64)>,
    /// Lines that were in another encoding than the rest.
    pub mended: Option<Mended>,
    pub is_first: bool,
    pub is_last: bool,
}

/// Raw bytes that begin and should end at a record.
struct RawChunk {
    bytes: Vec<u8>,
    /// The bytes are known to be UTF-8.
    is_valid: bool,
    /// The encoding that lines of it are in, where they are no UTF-8.
    foreign: Option<Foreign>,
    is_last: bool,
    is_first: bool,
    /// It ends within a record that is longer than a chunk may be.
    is_cut: bool,
}

/// Cuts the input.
pub(super) struct Splitter {
    input: Box<dyn Read + Send>,
    encoding: TextEncoding,
    /// Decodes here what cannot be decoded from the middle.
    decoder: Option<StreamDecoder>,
    second: SecondEncoding,
    lines: Lines,
    /// Read and not handed out yet.
    rest: Vec<u8>,
    /// Where the data begins in `rest`: quotes above it do not count.
    data_start: usize,
    quote: Option<u8>,
    line_end: LineEnd,
    max_bytes: usize,
    sizes: PieceSizes,
    at_eof: bool,
    is_first: bool,
    is_done: bool,
}

/// The encoding of lines that are no UTF-8.
#[derive(Debug, Clone, Copy)]
pub(super) enum SecondEncoding {
    /// There is none, or the caller has named the only one.
    None,
    Known(&'static Encoding),
    /// To be found out by the lines from here on in what is not handed out yet.
    Unknown(usize),
}

/// What the splitter begins with.
pub(super) struct Head {
    /// The sample: raw for encodings based on ASCII, decoded otherwise.
    pub bytes: Vec<u8>,
    pub data_start: usize,
    /// The decoder that read the sample, where it has a state.
    pub decoder: Option<StreamDecoder>,
    pub second: SecondEncoding,
    pub at_eof: bool,
}

impl Splitter {
    pub(super) fn new(input: Box<dyn Read + Send>, encoding: TextEncoding, head: Head, assembler: &Assembler, sizes: PieceSizes) -> Self {
        let syntax = &assembler.layout.syntax;
        let one_byte = |bytes: &Vec<u8>| (bytes.len() == 1).then(|| bytes[0]);
        Self {
            input,
            encoding,
            decoder: head.decoder,
            second: head.second,
            lines: assembler.lines,
            rest: head.bytes,
            data_start: head.data_start,
            quote: syntax.quote.as_ref().and_then(|(open, close)| one_byte(open).filter(|_| open == close)),
            line_end: syntax.line_end,
            max_bytes: assembler.limits.record_bytes.max(sizes.chunk),
            sizes,
            at_eof: head.at_eof,
            is_first: true,
            is_done: false,
        }
    }

    fn next(&mut self) -> io::Result<Option<RawChunk>> {
        if self.is_done {
            return Ok(None);
        }
        // All that stands above the data is in the first chunk.
        let mut wanted = self.data_start + self.sizes.chunk + self.sizes.tail;
        loop {
            self.read_to(wanted)?;
            if self.at_eof && self.rest.len() <= wanted {
                self.is_done = true;
                return Ok(Some(self.chunk(self.rest.len(), true, false)));
            }
            let window = wanted - self.sizes.tail;
            if let Some(end) = self.record_end(window) {
                return Ok(Some(self.chunk(end, false, false)));
            }
            if window - self.data_start >= self.max_bytes {
                return Ok(Some(self.chunk(window, false, true)));
            }
            wanted *= 2;
        }
    }

    /// Whether all of the text is one chunk.
    fn is_small(&self) -> bool {
        self.at_eof && self.rest.len() <= self.data_start + self.sizes.chunk + self.sizes.tail
    }

    /// Reads on until so many bytes are at hand, or the input ends.
    fn read_to(&mut self, wanted: usize) -> io::Result<()> {
        while !self.at_eof && self.rest.len() < wanted {
            let start = self.rest.len();
            let missing = wanted - start;
            self.rest.resize(wanted, 0);
            let n_read = fill(&mut *self.input, &mut self.rest[start..])?;
            self.at_eof = n_read < missing;
            match &mut self.decoder {
                None => self.rest.truncate(start + n_read),
                Some(decoder) => {
                    // Text may be shorter than its bytes.
                    let bytes = self.rest.split_off(start);
                    decoder.decode(&bytes[..n_read], self.at_eof, &mut self.rest);
                }
            }
        }
        Ok(())
    }

    /// Behind the last line end within `window` that stands outside of quotes.
    fn record_end(&self, window: usize) -> Option<usize> {
        let (offset, body) = (self.data_start, &self.rest[self.data_start..window]);
        let last_line = memchr::memrchr(self.line_end.byte(), body).or_else(|| self.last_return(body)).map(|at| offset + at + 1);
        let Some(quote) = self.quote else { return last_line };
        let mut n_quotes = memchr::memchr_iter(quote, body).count();
        let mut end = body.len();
        while let Some(at) = memchr::memrchr2(quote, self.line_end.byte(), &body[..end]) {
            if body[at] == quote {
                n_quotes -= 1;
            } else if n_quotes.is_multiple_of(2) {
                return Some(offset + at + 1);
            }
            // Quotes that never pair would push the end far back: any line end is as good then.
            if at < body.len() / 2 {
                return last_line;
            }
            end = at;
        }
        last_line
    }

    /// Where lines may end with a return too: the last one.
    fn last_return(&self, body: &[u8]) -> Option<usize> {
        let is_end = |at: &usize| body.get(at + 1).is_some_and(|next| *next != b'\n');
        memchr::memrchr_iter(b'\r', body).find(is_end).filter(|_| self.line_end == LineEnd::Mixed)
    }

    fn chunk(&mut self, end: usize, is_last: bool, is_cut: bool) -> RawChunk {
        let is_valid = matches!(self.second, SecondEncoding::Unknown(0)) && std::str::from_utf8(&self.rest[..end]).is_ok();
        let foreign = if is_valid { None } else { self.foreign_lines(end) };
        let rest = if is_last { Vec::new() } else { self.rest[end..].to_vec() };
        let mut bytes = std::mem::replace(&mut self.rest, rest);
        bytes.truncate(end);
        self.data_start = 0;
        RawChunk { bytes, is_valid, foreign, is_last, is_first: std::mem::replace(&mut self.is_first, false), is_cut }
    }

    /// The encoding of the lines before `end` that are no UTF-8. It is found out by the text in its order, not by that of one chunk.
    fn foreign_lines(&mut self, end: usize) -> Option<Foreign> {
        match self.second {
            SecondEncoding::None => None,
            SecondEncoding::Known(encoding) => Some(Foreign { encoding, from: 0 }),
            SecondEncoding::Unknown(from) => match first_foreign(&self.rest, from, end, self.sizes.tail, self.lines) {
                Ok(foreign) => {
                    self.second = SecondEncoding::Known(foreign.encoding);
                    Some(foreign)
                }
                Err(judged) => {
                    self.second = SecondEncoding::Unknown(judged.saturating_sub(end));
                    None
                }
            },
        }
    }
}

fn read_chunk(raw: RawChunk, encoding: TextEncoding, is_decoded: bool, assembler: &Assembler) -> ReadChunk {
    let (text, mended) = match encoding {
        _ if is_decoded || raw.is_valid => (raw.bytes, None),
        TextEncoding::Utf8 => marked_lines(raw.bytes, raw.foreign, assembler.lines),
        _ => (decode_lines(encoding, &raw.bytes), None),
    };
    let start = if raw.is_first { assembler.layout.data_start.min(text.len()) } else { 0 };
    let mut cursor = Cursor::new(start, 0);
    let is_valid = raw.is_valid || std::str::from_utf8(&text).is_ok();
    let mut rows = if raw.is_cut { None } else { assembler.fast(&text, is_valid, &mut cursor) };
    if rows.is_none() {
        cursor = Cursor::new(start, 0);
        let mut read = Rows::new(&assembler.layout, &assembler.limits, 0);
        let mut record = Record::default();
        // Short rows take more room than their text: where they are many, the consumer reads them a batch at a time.
        let max_rows = MAX_CELLS / assembler.layout.n_columns().max(1);
        while read.source_rows.len() <= max_rows
            && read.n_left_out() <= MAX_LEFT_OUT
            && assembler.careful(&text, raw.is_last, &mut cursor, &mut record, &mut read)
        {}
        rows = (cursor.at == text.len()).then_some(read);
    }
    // What ends the last chunk is decided on with what the others left open.
    if let Some(rows) = rows.as_mut().filter(|_| !raw.is_last) {
        rows.take_texts();
    }
    ReadChunk { text, start, rows: rows.map(|rows| (rows, cursor.line)), mended, is_first: raw.is_first, is_last: raw.is_last }
}

/// Chunks in order.
pub(super) enum Chunks {
    /// Read as they are asked for.
    Here { splitter: Splitter, assembler: Arc<Assembler> },
    /// Read ahead by other threads.
    Threads { ordered: Ordered },
}

impl Chunks {
    pub(super) fn new(splitter: Splitter, assembler: Arc<Assembler>, n_threads: usize) -> Self {
        if n_threads <= 1 || splitter.is_small() {
            return Self::Here { splitter, assembler };
        }
        match spawn(splitter, assembler, n_threads) {
            Ok(ordered) => Self::Threads { ordered },
            Err((splitter, assembler)) => Self::Here { splitter: *splitter, assembler },
        }
    }

    pub(super) fn next(&mut self, file: &str, control: &dyn Control) -> Result<Option<ReadChunk>> {
        let input_error = |error: io::Error| super::delimited::input_error(file, &error);
        match self {
            Self::Here { splitter, assembler } => {
                control.check()?;
                let Some(raw) = splitter.next().map_err(input_error)? else { return Ok(None) };
                Ok(Some(read_chunk(raw, splitter.encoding, splitter.decoder.is_some(), assembler)))
            }
            Self::Threads { ordered } => {
                let chunk = match wait(ordered, control)? {
                    None => return Ok(None),
                    Some(result) => result.map_err(input_error)?,
                };
                wait(&chunk, control)?.map(Some).ok_or_else(|| Error::internal("a thread that reads text ended early"))
            }
        }
    }
}

/// What arrives next, `None` once the other side is gone.
fn wait<T>(receiver: &Receiver<T>, control: &dyn Control) -> Result<Option<T>> {
    loop {
        match receiver.recv_timeout(CANCEL_CHECK) {
            Ok(value) => return Ok(Some(value)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => control.check()?,
        }
    }
}

type Job = (RawChunk, SyncSender<ReadChunk>);
/// Per chunk, in order, where its result will arrive.
type Ordered = Receiver<io::Result<Receiver<ReadChunk>>>;

/// One thread that cuts and `n_threads` that read. They end when the consumer drops its receiver.
fn spawn(splitter: Splitter, assembler: Arc<Assembler>, n_threads: usize) -> std::result::Result<Ordered, (Box<Splitter>, Arc<Assembler>)> {
    let (job_sender, job_receiver) = sync_channel::<Job>(n_threads);
    let (order_sender, ordered) = sync_channel(n_threads + 1);
    let job_receiver = Arc::new(Mutex::new(job_receiver));
    let (encoding, is_decoded) = (splitter.encoding, splitter.decoder.is_some());
    for number in 0..n_threads {
        let (jobs, shared) = (Arc::clone(&job_receiver), Arc::clone(&assembler));
        let work = move || {
            loop {
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((raw, result)) = job else { return };
                // A consumer that is gone needs no result.
                let _ = result.send(read_chunk(raw, encoding, is_decoded, &shared));
            }
        };
        if std::thread::Builder::new().name(format!("crm-text-{number}")).spawn(work).is_err() && number == 0 {
            return Err((Box::new(splitter), assembler));
        }
    }
    // The splitter is handed over once its thread is there, so that it is not lost with a thread that could not be started.
    let (hand_over, handed) = sync_channel::<Splitter>(1);
    let cut = move || {
        let Ok(mut splitter) = handed.recv() else { return };
        loop {
            let raw = match splitter.next() {
                Ok(Some(raw)) => raw,
                Ok(None) => return,
                Err(error) => {
                    let _ = order_sender.send(Err(error));
                    return;
                }
            };
            let (result_sender, result) = sync_channel(1);
            if order_sender.send(Ok(result)).is_err() || job_sender.send((raw, result_sender)).is_err() {
                return;
            }
        }
    };
    if std::thread::Builder::new().name("crm-text-cut".to_owned()).spawn(cut).is_err() {
        return Err((Box::new(splitter), assembler));
    }
    // Its thread waits for it, so that it is taken.
    let _ = hand_over.send(splitter);
    Ok(ordered)
}
