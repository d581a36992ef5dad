//! The input cut into chunks at record ends, and the chunks read on several threads, handed out in order.
//!
//! Where a chunk ends is guessed: at the last line end before which the number of quotes is even. Whoever reads the chunk finds out
//! whether the guess was right; where it was not, the consumer reads on from there the careful way, so that the result never depends on guesses.
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crm_core::{Control, Error, Result};

use super::chunk::{Assembler, Cursor, MAX_CELLS};
use super::encoding::{Mended, StreamDecoder, TextEncoding, decode_lines, mend_lines};
use super::input::fill;
use super::rows::Rows;

/// Bytes of a chunk.
const CHUNK_BYTES: usize = 4 << 20;
/// A last piece shorter than this joins the chunk before, so that the end of the table is seen together with its last rows.
const TAIL_BYTES: usize = 64 << 10;
/// How often a waiting consumer looks whether it was cancelled.
const CANCEL_CHECK: Duration = Duration::from_millis(50);

/// Decoded text and, where it could be read as whole records, its rows (numbered from 0) and how many lines they take.
pub(super) struct ReadChunk {
    pub text: Vec<u8>,
    pub start: usize,
    pub rows: Option<(Rows, u64)>,
    /// Lines that were in another encoding than the rest.
    pub mended: Option<Mended>,
    pub is_last: bool,
}

/// Raw bytes that begin and should end at a record.
struct RawChunk {
    bytes: Vec<u8>,
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
    /// Read and not handed out yet.
    rest: Vec<u8>,
    /// Where the data begins in `rest`: quotes above it do not count.
    data_start: usize,
    quote: Option<u8>,
    line_end: u8,
    max_bytes: usize,
    at_eof: bool,
    is_first: bool,
    is_done: bool,
}

/// What the splitter begins with.
pub(super) struct Head {
    /// The sample: raw for encodings based on ASCII, decoded otherwise.
    pub bytes: Vec<u8>,
    pub data_start: usize,
    /// The decoder that read the sample, where it has a state.
    pub decoder: Option<StreamDecoder>,
    pub at_eof: bool,
}

impl Splitter {
    pub(super) fn new(input: Box<dyn Read + Send>, encoding: TextEncoding, head: Head, assembler: &Assembler) -> Self {
        let syntax = &assembler.layout.syntax;
        let one_byte = |bytes: &Vec<u8>| (bytes.len() == 1).then(|| bytes[0]);
        Self {
            input,
            encoding,
            decoder: head.decoder,
            rest: head.bytes,
            data_start: head.data_start,
            quote: syntax.quote.as_ref().and_then(|(open, close)| one_byte(open).filter(|_| open == close)),
            line_end: syntax.line_end.byte(),
            max_bytes: assembler.limits.record_bytes.max(CHUNK_BYTES),
            at_eof: head.at_eof,
            is_first: true,
            is_done: false,
        }
    }

    fn next(&mut self) -> io::Result<Option<RawChunk>> {
        if self.is_done {
            return Ok(None);
        }
        let mut wanted = CHUNK_BYTES + TAIL_BYTES;
        loop {
            self.read_to(wanted)?;
            if self.at_eof && self.rest.len() <= CHUNK_BYTES + TAIL_BYTES {
                self.is_done = true;
                return Ok(Some(self.chunk(self.rest.len(), true, false)));
            }
            let window = self.rest.len().min(wanted - TAIL_BYTES);
            if let Some(end) = self.record_end(window) {
                return Ok(Some(self.chunk(end, false, false)));
            }
            if window >= self.max_bytes {
                return Ok(Some(self.chunk(window, false, true)));
            }
            if self.at_eof && window == self.rest.len() {
                self.is_done = true;
                return Ok(Some(self.chunk(window, true, false)));
            }
            wanted *= 2;
        }
    }

    fn read_to(&mut self, wanted: usize) -> io::Result<()> {
        if self.at_eof || self.rest.len() >= wanted {
            return Ok(());
        }
        let missing = wanted - self.rest.len();
        match &mut self.decoder {
            None => {
                let start = self.rest.len();
                self.rest.resize(wanted, 0);
                let n_read = fill(&mut *self.input, &mut self.rest[start..])?;
                self.rest.truncate(start + n_read);
                self.at_eof = n_read < missing;
            }
            Some(decoder) => {
                let mut bytes = vec![0; missing];
                let n_read = fill(&mut *self.input, &mut bytes)?;
                self.at_eof = n_read < missing;
                decoder.decode(&bytes[..n_read], self.at_eof, &mut self.rest);
            }
        }
        Ok(())
    }

    /// Behind the last line end within `window` that stands outside of quotes.
    fn record_end(&self, window: usize) -> Option<usize> {
        let body = &self.rest[self.data_start.min(window)..window];
        let offset = window - body.len();
        let last_line = memchr::memrchr(self.line_end, body).map(|at| offset + at + 1);
        let Some(quote) = self.quote else { return last_line };
        let mut n_quotes = memchr::memchr_iter(quote, body).count();
        let mut end = body.len();
        while let Some(at) = memchr::memrchr2(quote, self.line_end, &body[..end]) {
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

    fn chunk(&mut self, end: usize, is_last: bool, is_cut: bool) -> RawChunk {
        let rest = if is_last { Vec::new() } else { self.rest[end..].to_vec() };
        let mut bytes = std::mem::replace(&mut self.rest, rest);
        bytes.truncate(end);
        self.data_start = 0;
        RawChunk { bytes, is_last, is_first: std::mem::replace(&mut self.is_first, false), is_cut }
    }

    /// The encoding in which chunks are handed out.
    fn chunk_encoding(&self) -> TextEncoding {
        if self.decoder.is_some() { TextEncoding::Utf8 } else { self.encoding }
    }
}

fn read_chunk(raw: RawChunk, encoding: TextEncoding, assembler: &Assembler) -> ReadChunk {
    let mut text = decode_lines(encoding, raw.bytes);
    let mut mended = None;
    if encoding == TextEncoding::Utf8 && assembler.mends_encoding {
        (text, mended) = mend_lines(text, assembler.second_encoding);
    }
    let start = if raw.is_first { assembler.layout.data_start.min(text.len()) } else { 0 };
    let mut cursor = Cursor::new(start, 0);
    let is_valid = std::str::from_utf8(&text).is_ok();
    let mut rows = if raw.is_cut { None } else { assembler.fast(&text, is_valid, &mut cursor) };
    if rows.is_none() {
        cursor = Cursor::new(start, 0);
        let mut read = Rows::new(&assembler.layout, &assembler.limits, 0);
        // Short rows take more room than their text: where they are many, the consumer reads them a batch at a time.
        let max_rows = MAX_CELLS / assembler.layout.n_columns().max(1) + 1;
        assembler.careful(&text, raw.is_last, &mut cursor, &mut read, max_rows);
        rows = (cursor.at == text.len()).then_some(read);
    }
    if let Some(rows) = &mut rows {
        if raw.is_last {
            rows.finish(&assembler.layout);
        } else {
            rows.end_chunk();
        }
        rows.strip_guards();
    }
    ReadChunk { text, start, rows: rows.map(|rows| (rows, cursor.line)), mended, is_last: raw.is_last }
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
        let is_small = splitter.at_eof && splitter.rest.len() <= CHUNK_BYTES + TAIL_BYTES;
        if n_threads <= 1 || is_small {
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
                Ok(Some(read_chunk(raw, splitter.chunk_encoding(), assembler)))
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
    let encoding = splitter.chunk_encoding();
    for number in 0..n_threads {
        let (jobs, shared) = (Arc::clone(&job_receiver), Arc::clone(&assembler));
        let work = move || {
            loop {
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((raw, result)) = job else { return };
                // A consumer that is gone needs no result.
                let _ = result.send(read_chunk(raw, encoding, &shared));
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
