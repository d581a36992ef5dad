//! How rows are packed, and how their keys fall into pieces.
use super::{Event, Span};

/// Rows per piece: 16 Ki records of 8 bytes leave room for their sorted copy in a second-level cache.
const PIECE_ROWS: usize = 1 << 14;
const MAX_PIECES: usize = 1 << 12;
/// Multiplying by it spreads keys over the upper bits.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// How keys fall into pieces: by range, so that the position in a piece is known at once, or by hash.
pub(super) struct Pieces {
    pub n_pieces: usize,
    /// By range: bits of the position in a piece. By hash: 64 less the bits of the piece.
    pub shift: u32,
    pub base: Option<i64>,
}

impl Pieces {
    fn wanted(n_rows: usize) -> usize {
        (n_rows / PIECE_ROWS).next_power_of_two().clamp(1, MAX_PIECES)
    }

    pub fn by_range(min_key: i64, key_range: u64, n_rows: usize) -> Self {
        let shift = (64 - key_range.leading_zeros()).saturating_sub(Self::wanted(n_rows).trailing_zeros());
        Self { n_pieces: (key_range >> shift) as usize + 1, shift, base: Some(min_key) }
    }

    pub fn by_hash(n_rows: usize) -> Self {
        // Two pieces at least: a shift of 64 bits is none.
        let n_pieces = Self::wanted(n_rows).max(2);
        Self { n_pieces, shift: 64 - n_pieces.trailing_zeros(), base: None }
    }

    #[inline(always)]
    pub fn piece(&self, key: i64) -> usize {
        match self.base {
            Some(base) => (key.wrapping_sub(base) as u64 >> self.shift) as usize,
            None => ((key as u64).wrapping_mul(SPREAD) >> self.shift) as usize,
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub span: Span,
    pub code_bits: u32,
    pub time_bits: u32,
}

/// A packed row. Records of one key order as (time, code, row).
pub(super) trait Record: Copy + Default + Ord + Send + Sync {
    fn pack(layout: &Layout, pieces: &Pieces, key: i64, time: u64, code: u8, row: u32) -> Self;
    /// The position in the piece, or the whole key.
    fn key(self, layout: &Layout) -> i64;
    fn event(self, layout: &Layout) -> Event;
    /// Whether [`Record::key`] is the position in the piece.
    const LOCAL: bool;
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Packed(u64);

impl Record for Packed {
    const LOCAL: bool = true;

    #[inline(always)]
    fn pack(layout: &Layout, pieces: &Pieces, key: i64, time: u64, code: u8, _row: u32) -> Self {
        let position = key.wrapping_sub(pieces.base.unwrap_or(0)) as u64 & ((1_u64 << pieces.shift) - 1);
        Self((((position << layout.time_bits) | time) << layout.code_bits) | u64::from(code))
    }

    #[inline(always)]
    fn key(self, layout: &Layout) -> i64 {
        (self.0 >> (layout.time_bits + layout.code_bits)) as i64
    }

    #[inline(always)]
    fn event(self, layout: &Layout) -> Event {
        let time = (self.0 >> layout.code_bits) & ((1_u64 << layout.time_bits) - 1);
        Event { time, code: (self.0 & ((1 << layout.code_bits) - 1)) as u8, row: 0 }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Keyed {
    key: i64,
    time_code: u64,
}

impl Record for Keyed {
    const LOCAL: bool = false;

    #[inline(always)]
    fn pack(layout: &Layout, _pieces: &Pieces, key: i64, time: u64, code: u8, _row: u32) -> Self {
        Self { key, time_code: (time << layout.code_bits) | u64::from(code) }
    }

    #[inline(always)]
    fn key(self, _layout: &Layout) -> i64 {
        self.key
    }

    #[inline(always)]
    fn event(self, layout: &Layout) -> Event {
        Event { time: self.time_code >> layout.code_bits, code: (self.time_code & ((1 << layout.code_bits) - 1)) as u8, row: 0 }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide {
    key: i64,
    time: u64,
    code: u8,
    row: u32,
}

impl Record for Wide {
    const LOCAL: bool = false;

    #[inline(always)]
    fn pack(_layout: &Layout, _pieces: &Pieces, key: i64, time: u64, code: u8, row: u32) -> Self {
        Self { key, time, code, row }
    }

    #[inline(always)]
    fn key(self, _layout: &Layout) -> i64 {
        self.key
    }

    #[inline(always)]
    fn event(self, _layout: &Layout) -> Event {
        Event { time: self.time, code: self.code, row: self.row }
    }
}
