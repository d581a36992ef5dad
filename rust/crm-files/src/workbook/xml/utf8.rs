//! The encodings that XML parts of packages may be in.
use std::io::Read;

/// Passes UTF-8 through and turns UTF-16, which XML allows too, into it.
pub(in super::super) struct Utf8Input<R> {
    input: R,
    decoder: Option<encoding_rs::Decoder>,
    pending: Vec<u8>,
    given: usize,
    begun: bool,
}

impl<R: Read> Utf8Input<R> {
    pub fn new(input: R) -> Self {
        Self { input, decoder: None, pending: Vec::new(), given: 0, begun: false }
    }

    fn begin(&mut self) -> std::io::Result<()> {
        self.begun = true;
        let mut head = vec![0; 3];
        let mut filled = 0;
        while filled < head.len() {
            match self.input.read(&mut head[filled..])? {
                0 => break,
                n_bytes => filled += n_bytes,
            }
        }
        head.truncate(filled);
        match head.as_slice() {
            [0xff, 0xfe, ..] | [b'<', 0, ..] => self.decode_with(encoding_rs::UTF_16LE, &head),
            [0xfe, 0xff, ..] | [0, b'<', ..] => self.decode_with(encoding_rs::UTF_16BE, &head),
            [0xef, 0xbb, 0xbf] => {}
            _ => self.pending = head,
        }
        Ok(())
    }

    fn decode_with(&mut self, encoding: &'static encoding_rs::Encoding, head: &[u8]) {
        self.decoder = Some(encoding.new_decoder_with_bom_removal());
        self.decode(head, false);
    }

    fn decode(&mut self, bytes: &[u8], last: bool) {
        let Some(decoder) = &mut self.decoder else { return };
        let mut text = String::with_capacity(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len() * 3 + 16));
        let _ = decoder.decode_to_string(bytes, &mut text, last);
        self.pending = text.into_bytes();
        self.given = 0;
    }
}

impl<R: Read> Read for Utf8Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if !self.begun {
            self.begin()?;
        }
        loop {
            if self.given < self.pending.len() {
                let n_bytes = buffer.len().min(self.pending.len() - self.given);
                buffer[..n_bytes].copy_from_slice(&self.pending[self.given..self.given + n_bytes]);
                self.given += n_bytes;
                return Ok(n_bytes);
            }
            if self.decoder.is_none() {
                return self.input.read(buffer);
            }
            let mut chunk = [0; 8192];
            let n_bytes = self.input.read(&mut chunk)?;
            if n_bytes == 0 {
                return Ok(0);
            }
            self.decode(&chunk[..n_bytes], false);
        }
    }
}
