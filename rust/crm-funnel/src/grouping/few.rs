//! Sorting a handful of records, as most keys have, without a branch that could be guessed wrong.

/// Sorts records: up to eight by a network of comparisons, which are the same whatever the records are.
#[inline(always)]
pub(super) fn sort_few<R: Copy + Ord>(records: &mut [R]) {
    match records.len() {
        0 | 1 => {}
        2 => network::<R, 2, 1>(records, [(0, 1)]),
        3 => network::<R, 3, 3>(records, [(0, 2), (0, 1), (1, 2)]),
        4 => network::<R, 4, 5>(records, [(0, 2), (1, 3), (0, 1), (2, 3), (1, 2)]),
        5 => network::<R, 5, 9>(records, [(0, 3), (1, 4), (0, 2), (1, 3), (0, 1), (2, 4), (1, 2), (3, 4), (2, 3)]),
        6 => network::<R, 6, 12>(records, [(0, 5), (1, 3), (2, 4), (1, 2), (3, 4), (0, 3), (2, 5), (0, 1), (2, 3), (4, 5), (1, 2), (3, 4)]),
        7 => network::<R, 7, 16>(
            records,
            [
                (0, 6),
                (2, 3),
                (4, 5),
                (0, 2),
                (1, 4),
                (3, 6),
                (0, 1),
                (2, 5),
                (3, 4),
                (1, 2),
                (4, 6),
                (2, 3),
                (4, 5),
                (1, 2),
                (3, 4),
                (5, 6),
            ],
        ),
        8 => network::<R, 8, 19>(
            records,
            [
                (0, 2),
                (1, 3),
                (4, 6),
                (5, 7),
                (0, 4),
                (1, 5),
                (2, 6),
                (3, 7),
                (0, 1),
                (2, 3),
                (4, 5),
                (6, 7),
                (2, 4),
                (3, 5),
                (1, 4),
                (3, 6),
                (1, 2),
                (3, 4),
                (5, 6),
            ],
        ),
        _ => records.sort_unstable(),
    }
}

/// Puts each pair of places into order, one after the other.
#[inline(always)]
fn network<R: Copy + Ord, const N: usize, const PAIRS: usize>(records: &mut [R], pairs: [(usize, usize); PAIRS]) {
    let Ok(records) = <&mut [R; N]>::try_from(records) else { return };
    let mut sorted = *records;
    for (low, high) in pairs {
        (sorted[low], sorted[high]) = (sorted[low].min(sorted[high]), sorted[low].max(sorted[high]));
    }
    *records = sorted;
}

#[cfg(test)]
mod tests {
    use super::sort_few;

    #[test]
    fn zeros_and_ones_in_any_order_are_sorted() {
        // What sorts all zeros and ones sorts anything (Knuth, 5.3.4).
        for len in 0..12_usize {
            for bits in 0..1_u32 << len {
                let mut records: Vec<u64> = (0..len).map(|place| u64::from(bits >> place & 1)).collect();
                sort_few(&mut records);
                let ones = bits.count_ones() as usize;
                assert!(records[..len - ones].iter().all(|&one| one == 0) && records[len - ones..].iter().all(|&one| one == 1));
            }
        }
    }
}
