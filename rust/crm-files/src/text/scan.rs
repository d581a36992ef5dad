//! The fast scanner: finds delimiters and line ends 64 bytes at a time, quotes resolved by parity, and says whether the text keeps
//! the rules so strictly that the careful parser would read it the same way.

/// What the scanner looks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    pub delimiter: u8,
    pub quote: Option<u8>,
    pub line_end: u8,
    /// Whether a `\r` before the line end belongs to it.
    pub carriage_return: bool,
}

/// Where cells and rows end.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Position of each delimiter and line end outside of quotes: the end of a cell.
    pub cell_ends: Vec<u32>,
    /// Per row the number of `cell_ends` up to and with its last.
    pub row_ends: Vec<u32>,
    pub has_quotes: bool,
    /// Line ends within quotes.
    pub n_inner_line_ends: u64,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const LOWS: u64 = 0x7F7F_7F7F_7F7F_7F7F;

/// One bit per byte of `word` that is zero.
#[inline(always)]
fn zero_bytes(word: u64) -> u64 {
    let high_bits = !(((word & LOWS) + LOWS) | word | LOWS);
    (high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// One bit per byte of `block` that equals `byte`.
#[inline(always)]
fn matches(block: &[u64; 8], byte: u8) -> u64 {
    let pattern = ONES * u64::from(byte);
    let mut bits = 0;
    for (idx, word) in block.iter().enumerate() {
        bits |= zero_bytes(word ^ pattern) << (idx * 8);
    }
    bits
}

/// Bit `i` of the result is the parity of bits `0..=i`.
#[inline(always)]
fn running_parity(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    bits
}

/// Scans `text`, which begins at a record. `None` where quotes stand elsewhere than at the edges of cells, or the last cell is open.
///
/// A last row without a line end gets one: its end is the length of the text.
pub(super) fn scan(text: &[u8], marks: Marks) -> Option<Scan> {
    let mut scan = Scan { cell_ends: Vec::with_capacity(text.len() / 8), row_ends: Vec::with_capacity(text.len() / 64), ..Scan::default() };
    // All ones while the block begins within quotes.
    let mut inside = 0_u64;
    // Whether the byte before the block was a delimiter, a line end or the start; whether it was a closing quote.
    let (mut after_boundary, mut after_close) = (1_u64, 0_u64);
    let mut base = 0_usize;
    let mut padded = [0_u8; 64];
    for block in text.chunks(64) {
        let full: &[u8; 64] = match block.try_into() {
            Ok(full) => full,
            Err(_) => {
                // What pads the last block must not match: any byte that is none of the marks.
                let filler = (1..=8).find(|byte| *byte != marks.delimiter && Some(*byte) != marks.quote).unwrap_or(0);
                padded.fill(filler);
                padded[..block.len()].copy_from_slice(block);
                &padded
            }
        };
        let mut words = [0_u64; 8];
        for (word, bytes) in words.iter_mut().zip(full.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let mut line_ends = matches(&words, marks.line_end);
        let mut boundaries = matches(&words, marks.delimiter) | line_ends;
        if let Some(quote) = marks.quote {
            let quotes = matches(&words, quote);
            if quotes | inside | after_close != 0 {
                scan.has_quotes = true;
                let within = running_parity(quotes) ^ inside;
                scan.n_inner_line_ends += u64::from((line_ends & within).count_ones());
                line_ends &= !within;
                boundaries &= !within;
                let (opening, closing) = (quotes & within, quotes & !within);
                let before_ok = (boundaries << 1 | after_boundary) | (closing << 1 | after_close);
                if opening & !before_ok != 0 {
                    return None;
                }
                let mut behind_closing = (closing << 1 | after_close) & !(boundaries | opening);
                while behind_closing != 0 {
                    let at = base + behind_closing.trailing_zeros() as usize;
                    let is_line_end = marks.carriage_return && text.get(at) == Some(&b'\r') && text.get(at + 1) == Some(&marks.line_end);
                    if !is_line_end && at < text.len() {
                        return None;
                    }
                    behind_closing &= behind_closing - 1;
                }
                inside = if within >> 63 == 1 { u64::MAX } else { 0 };
                after_close = closing >> 63;
            }
        }
        after_boundary = boundaries >> 63;
        let n_before = scan.cell_ends.len() as u32;
        let mut ends = line_ends;
        while ends != 0 {
            let bit = ends & ends.wrapping_neg();
            scan.row_ends.push(n_before + (boundaries & (bit | (bit - 1))).count_ones());
            ends &= ends - 1;
        }
        let mut cells = boundaries;
        while cells != 0 {
            scan.cell_ends.push((base + cells.trailing_zeros() as usize) as u32);
            cells &= cells - 1;
        }
        base += 64;
    }
    if inside != 0 {
        return None;
    }
    if text.last().is_some_and(|last| *last != marks.line_end) || scan.row_ends.last().copied() != Some(scan.cell_ends.len() as u32) {
        if text.is_empty() {
            return Some(scan);
        }
        scan.cell_ends.push(text.len() as u32);
        scan.row_ends.push(scan.cell_ends.len() as u32);
    }
    Some(scan)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by walking bytes.
    fn slow_scan(text: &[u8], marks: Marks) -> (Vec<u32>, Vec<u32>) {
        let (mut cells, mut rows) = (Vec::new(), Vec::new());
        let mut inside = false;
        for (at, byte) in text.iter().enumerate() {
            if Some(*byte) == marks.quote {
                inside = !inside;
            } else if !inside && (*byte == marks.delimiter || *byte == marks.line_end) {
                cells.push(at as u32);
                if *byte == marks.line_end {
                    rows.push(cells.len() as u32);
                }
            }
        }
        if !text.is_empty() && (text.last() != Some(&marks.line_end) || inside) {
            cells.push(text.len() as u32);
            rows.push(cells.len() as u32);
        }
        (cells, rows)
    }

    proptest! {
        #[test]
        fn finds_what_a_walk_finds(text in "([a-c,\n]|\"[a,\n]*\"){0,90}") {
            let marks = Marks { delimiter: b',', quote: Some(b'"'), line_end: b'\n', carriage_return: false };
            if let Some(scan) = scan(text.as_bytes(), marks) {
                prop_assert_eq!((scan.cell_ends, scan.row_ends), slow_scan(text.as_bytes(), marks));
            }
        }

        #[test]
        fn finds_matches(bytes in proptest::collection::vec(any::<u8>(), 64), byte in any::<u8>()) {
            let mut words = [0_u64; 8];
            for (word, eight) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*eight);
            }
            let bits = matches(&words, byte);
            for (idx, other) in bytes.iter().enumerate() {
                prop_assert_eq!(bits >> idx & 1 == 1, *other == byte);
            }
        }
    }

    #[test]
    fn is_strict_about_quotes() {
        let marks = Marks { delimiter: b',', quote: Some(b'"'), line_end: b'\n', carriage_return: true };
        for clean in ["a,\"b\"\r\n", "\"a\"\"b\",c\n", "\"\",\"\"\"\"\n", "\"a,\nb\",c", ""] {
            assert!(scan(clean.as_bytes(), marks).is_some(), "{clean:?}");
        }
        for odd in ["a\"b\",c\n", "\"a\"b,c\n", "\"a,b\n", "5\" pipe,c\n", "\"a\" ,b\n", " \"a\",b\n", "\"a\"\rb\n"] {
            assert!(scan(odd.as_bytes(), marks).is_none(), "{odd:?}");
        }
    }
}
