//! Bitmaps as slices of 64-bit words, row `i` being bit `i % 64` of word `i / 64`. Bits beyond the rows are zero.

/// How many words `rows` bits take.
pub fn words_for(rows: usize) -> usize {
    rows.div_ceil(64)
}

/// The bit of a row.
#[inline]
pub fn bit(words: &[u64], row: usize) -> bool {
    words[row / 64] >> (row % 64) & 1 == 1
}

/// Sets the bit of a row.
#[inline]
pub fn set_bit(words: &mut [u64], row: usize) {
    words[row / 64] |= 1 << (row % 64);
}

/// `into &= other`.
#[inline]
pub fn and_into(into: &mut [u64], other: &[u64]) {
    for (into, other) in into.iter_mut().zip(other) {
        *into &= other;
    }
}

/// `into |= other`.
#[inline]
pub fn or_into(into: &mut [u64], other: &[u64]) {
    for (into, other) in into.iter_mut().zip(other) {
        *into |= other;
    }
}

/// Number of set bits.
///
/// Seven words are added bit by bit to three first (carry-save, Hacker's Delight 5-2): counting is the dear part where the processor's
/// own instruction for it may not be used.
pub fn count_ones(words: &[u64]) -> u64 {
    let ones = |word: u64| u64::from(word.count_ones());
    let sevens = words.chunks_exact(7);
    let rest: u64 = sevens.remainder().iter().map(|word| ones(*word)).sum();
    sevens.fold(rest, |sum, seven| {
        let (one_a, two_a) = add_bits(seven[0], seven[1], seven[2]);
        let (one_b, two_b) = add_bits(seven[3], seven[4], seven[5]);
        let (one, two_c) = add_bits(one_a, one_b, seven[6]);
        let (two, four) = add_bits(two_a, two_b, two_c);
        sum + ones(one) + 2 * ones(two) + 4 * ones(four)
    })
}

/// The sum of three bits in each place: its low bit and its high bit.
#[inline]
fn add_bits(a: u64, b: u64, c: u64) -> (u64, u64) {
    let half = a ^ b;
    (half ^ c, a & b | half & c)
}

/// All `rows` bits set, none beyond.
pub(crate) fn ones(rows: usize) -> Vec<u64> {
    let mut words = vec![u64::MAX; words_for(rows)];
    cut(&mut words, rows);
    words
}

/// Clears what lies beyond `rows`.
pub(crate) fn cut(words: &mut [u64], rows: usize) {
    if !rows.is_multiple_of(64)
        && let Some(last) = words.get_mut(rows / 64)
    {
        *last &= (1 << (rows % 64)) - 1;
    }
}

/// The bits of `rows` for which `test` holds.
#[inline]
pub(crate) fn collect(rows: usize, mut test: impl FnMut(usize) -> bool) -> Vec<u64> {
    let mut words = Vec::with_capacity(words_for(rows));
    let mut row = 0;
    while row < rows {
        let end = (row + 64).min(rows);
        let mut word = 0;
        for i in row..end {
            word |= u64::from(test(i)) << (i - row);
        }
        words.push(word);
        row = end;
    }
    words
}

/// Copies `len` bits of an Arrow bitmap from `offset` on into words.
pub(crate) fn slice(buffer: &arrow_buffer::BooleanBuffer, offset: usize, len: usize, into: &mut Vec<u64>) {
    into.clear();
    let start = buffer.offset() + offset;
    let bytes = buffer.values();
    if start.is_multiple_of(8) {
        let first = start / 8;
        let last = first + len.div_ceil(8);
        let mut chunks = bytes[first..last].chunks_exact(8);
        into.extend(chunks.by_ref().map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap_or_default())));
        let rest = chunks.remainder();
        if !rest.is_empty() {
            into.push(rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    } else {
        into.extend(collect(len, |i| buffer.value(offset + i)));
    }
    cut(into, len);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_are_counted() {
        let words: Vec<u64> = (1..40u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        for len in 0..words.len() {
            let expected: u64 = words[..len].iter().map(|word| u64::from(word.count_ones())).sum();
            assert_eq!(count_ones(&words[..len]), expected);
        }
    }
}
