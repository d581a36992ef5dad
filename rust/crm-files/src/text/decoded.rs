//! A stream of bytes as a stream of UTF-8, in the encoding that its mark, the caller, the document or its letters say.
use std::io::{self, Read};

use crm_core::Result;

use super::delimited::input_error;
use super::encoding::{StreamDecoder, TextEncoding, detect};
use super::input::fill;

/// Bytes that the encoding of a document is judged by.
pub(crate) const SAMPLE_BYTES: usize = 256 << 10;
/// Bytes that are decoded at once.
const PIECE_BYTES: usize = 64 << 10;

/// Text as UTF-8; a byte that is no text follows `0xFF`.
pub(crate) struct DecodedInput {
    input: Box<dyn Read + Send>,
    decoder: StreamDecoder,
    text: Vec<u8>,
    given: usize,
    at_eof: bool,
}

impl DecodedInput {
    /// `declared` finds the encoding that a document names, in its first `sample_bytes`. Returns the name of the encoding too.
    pub(crate) fn open(
        name: &str,
        mut input: Box<dyn Read + Send>,
        told: Option<&str>,
        sample_bytes: usize,
        declared: impl Fn(&[u8]) -> Option<String>,
    ) -> Result<(Self, String)> {
        let mut sample = vec![0; sample_bytes];
        let n_read = fill(&mut *input, &mut sample).map_err(|error| input_error(name, &error))?;
        sample.truncate(n_read);
        let at_eof = n_read < sample_bytes;
        let mut detected = detect(&sample, at_eof);
        let is_utf8 = detected.encoding == TextEncoding::Utf8;
        let declared = declared(&sample).and_then(|label| TextEncoding::from_label(&label).ok());
        if let Some(label) = told {
            detected = detected.overridden(label)?;
        } else if detected.bom_len == 0
            && let Some(declared) = declared
            // What is no UTF-8 is none whatever it says, and the other way round: letters do not form UTF-8 by chance.
            && (is_utf8 && sample.is_ascii() || declared != TextEncoding::Utf8 && !is_utf8)
            && matches!(declared, TextEncoding::Utf8 | TextEncoding::SingleByte(_) | TextEncoding::MultiByte(_))
            && !matches!(detected.encoding, TextEncoding::Utf16 { .. } | TextEncoding::Utf32 { .. })
        {
            detected.encoding = declared;
        }
        let mut decoder = detected.encoding.decoder();
        let mut text = Vec::new();
        decoder.decode(&sample[detected.bom_len..], at_eof, &mut text);
        Ok((Self { input, decoder, text, given: 0, at_eof }, detected.encoding.name()))
    }
}

impl Read for DecodedInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.at_eof {
            self.text.clear();
            self.given = 0;
            let mut piece = vec![0; PIECE_BYTES];
            let n_read = fill(&mut *self.input, &mut piece)?;
            self.at_eof = n_read < PIECE_BYTES;
            self.decoder.decode(&piece[..n_read], self.at_eof, &mut self.text);
        }
        let n = buffer.len().min(self.text.len() - self.given);
        buffer[..n].copy_from_slice(&self.text[self.given..self.given + n]);
        self.given += n;
        Ok(n)
    }
}
