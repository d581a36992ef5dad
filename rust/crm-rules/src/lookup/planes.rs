//! From classes of values to bitmaps: sixty-four rows at a time, eight conditions in one byte.
use crate::program::SignalId;

/// For each class of values, which conditions hold: condition `s` is bit `s % 8` of plane `s / 8`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Planes {
    classes: usize,
    bytes: Vec<u8>,
}

impl Planes {
    /// `masks` has one number per class, of which bit `s` says whether condition `s` holds.
    pub(crate) fn new(masks: &[u64], conditions: usize) -> Self {
        let planes = conditions.div_ceil(8);
        let bytes = (0..planes).flat_map(|plane| masks.iter().map(move |mask| (mask >> (plane * 8)) as u8)).collect();
        Self { classes: masks.len(), bytes }
    }

    /// The last class: that of null.
    pub(crate) fn null(&self) -> u32 {
        self.classes.saturating_sub(1) as u32
    }

    /// Number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    /// Whether a condition holds for a class.
    pub(crate) fn holds(&self, class: usize, condition: usize) -> bool {
        self.bytes[condition / 8 * self.classes + class] >> (condition % 8) & 1 == 1
    }

    /// Writes word `word` of every signal, given the classes of its `n_rows` rows.
    #[inline]
    pub(crate) fn write(&self, classes: &[u32; 64], n_rows: usize, word: usize, signals: &[SignalId], all: &mut [Vec<u64>]) {
        let mut bytes = [0u8; 64];
        for (table, signals) in self.bytes.chunks_exact(self.classes.max(1)).zip(signals.chunks(8)) {
            for (byte, class) in bytes[..n_rows].iter_mut().zip(classes) {
                *byte = table.get(*class as usize).copied().unwrap_or_default();
            }
            write_bits(&bytes, word, signals, all);
        }
    }
}

/// Writes word `word` of up to eight signals from one byte per row.
#[inline]
pub(crate) fn write_bits(bytes: &[u8; 64], word: usize, signals: &[SignalId], all: &mut [Vec<u64>]) {
    let words = columns(bytes);
    for (signal, bits) in signals.iter().zip(words) {
        if let Some(slot) = all[*signal as usize].get_mut(word) {
            *slot = bits;
        }
    }
}

/// Sixty-four bytes as eight words: bit `r` of word `b` is bit `b` of byte `r`.
///
/// Eight rows by eight bits are mirrored in each of eight numbers (Hacker's Delight, 7-3), and then the bytes of the eight numbers; all
/// eight go the same way, which compilers turn into vector instructions.
#[inline]
fn columns(bytes: &[u8; 64]) -> [u64; 8] {
    let mut tiles = [0u64; 8];
    for (tile, rows) in tiles.iter_mut().zip(bytes.chunks_exact(8)) {
        let mut eight = [0; 8];
        eight.copy_from_slice(rows);
        *tile = u64::from_le_bytes(eight);
    }
    for tile in &mut tiles {
        let mut x = *tile;
        let t = (x ^ x >> 7) & 0x00aa_00aa_00aa_00aa;
        x = x ^ t ^ t << 7;
        let t = (x ^ x >> 14) & 0x0000_cccc_0000_cccc;
        x = x ^ t ^ t << 14;
        let t = (x ^ x >> 28) & 0x0000_0000_f0f0_f0f0;
        *tile = x ^ t ^ t << 28;
    }
    exchange::<4>(&mut tiles, 32, 0x0000_0000_ffff_ffff);
    exchange::<2>(&mut tiles, 16, 0x0000_ffff_0000_ffff);
    exchange::<1>(&mut tiles, 8, 0x00ff_00ff_00ff_00ff);
    tiles
}

/// Exchanges the upper parts of each number with the lower parts of the number `WIDTH` places on.
#[inline]
fn exchange<const WIDTH: usize>(tiles: &mut [u64; 8], shift: u32, mask: u64) {
    for pair in tiles.chunks_exact_mut(WIDTH * 2) {
        let (low, high) = pair.split_at_mut(WIDTH);
        for (low, high) in low.iter_mut().zip(high) {
            let t = (*low >> shift ^ *high) & mask;
            *low ^= t << shift;
            *high ^= t;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_turned() {
        let mut bytes = [0u8; 64];
        let mut seed = 1u64;
        for byte in &mut bytes {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (seed >> 56) as u8;
        }
        let words = columns(&bytes);
        for (row, byte) in bytes.iter().enumerate() {
            for (bit, word) in words.iter().enumerate() {
                assert_eq!(word >> row & 1, u64::from(byte >> bit & 1));
            }
        }
    }

    #[test]
    fn classes_become_words() {
        let masks = [0b1_0000_0001u64, 0b10, 0];
        let planes = Planes::new(&masks, 9);
        let mut all = vec![vec![0u64; 1]; 9];
        let mut classes = [2u32; 64];
        classes[0] = 0;
        classes[63] = 1;
        planes.write(&classes, 64, 0, &[0, 1, 2, 3, 4, 5, 6, 7, 8], &mut all);
        assert_eq!((all[0][0], all[1][0], all[8][0], all[2][0]), (1, 1 << 63, 1, 0));
    }
}
