//! Edit distances and Jaro-Winkler on short byte strings, bit-parallel where it pays.

/// Longest text that is compared; beyond it only the beginning counts.
pub const LONGEST: usize = 64;

/// The optimal string alignment distance (insertions, deletions, substitutions, transpositions of neighbours), up to `limit`;
/// anything above comes back as `limit + 1`. Only the first [`LONGEST`] bytes count.
///
/// Hyyrö 2003, the one-word variant.
pub fn edit_distance(a: &[u8], b: &[u8], limit: u32) -> u32 {
    let (mut a, mut b) = (&a[..a.len().min(LONGEST)], &b[..b.len().min(LONGEST)]);
    if a.len() > b.len() {
        std::mem::swap(&mut a, &mut b);
    }
    if (b.len() - a.len()) as u32 > limit {
        return limit + 1;
    }
    // A transposition may straddle the end of a common prefix or suffix only if its letters are equal, when it is none.
    let prefix = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    (a, b) = (&a[prefix..], &b[prefix..]);
    let suffix = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    (a, b) = (&a[..a.len() - suffix], &b[..b.len() - suffix]);
    if a.is_empty() {
        return (b.len() as u32).min(limit + 1);
    }
    if limit == 0 {
        return 1;
    }
    let mut masks = [0u64; 256];
    for (place, byte) in a.iter().enumerate() {
        masks[usize::from(*byte)] |= 1 << place;
    }
    let last = 1u64 << (a.len() - 1);
    let (mut positive, mut negative, mut diagonal, mut previous) = (!0u64, 0u64, 0u64, 0u64);
    let mut distance = a.len() as u32;
    for (place, byte) in b.iter().enumerate() {
        let mask = masks[usize::from(*byte)];
        let transposed = ((!diagonal & mask) << 1) & previous;
        diagonal = (((mask & positive).wrapping_add(positive)) ^ positive) | mask | negative | transposed;
        let mut up = negative | !(diagonal | positive);
        let mut down = diagonal & positive;
        distance += u32::from(up & last != 0);
        distance -= u32::from(down & last != 0);
        up = (up << 1) | 1;
        down <<= 1;
        positive = down | !(diagonal | up);
        negative = up & diagonal;
        previous = mask;
        // What is left can lower the distance by one per byte.
        if distance > limit + (b.len() - 1 - place) as u32 {
            return limit + 1;
        }
    }
    distance.min(limit + 1)
}

/// Jaro-Winkler similarity, in thousandths; only the first [`LONGEST`] bytes count.
pub fn jaro_winkler(a: &[u8], b: &[u8]) -> u32 {
    let (a, b) = (&a[..a.len().min(LONGEST)], &b[..b.len().min(LONGEST)]);
    if a.is_empty() || b.is_empty() {
        return u32::from(a.is_empty() && b.is_empty()) * 1000;
    }
    let window = (a.len().max(b.len()) / 2).saturating_sub(1);
    let (mut taken_a, mut taken_b) = (0u64, 0u64);
    let mut n_common = 0u32;
    for (place, byte) in a.iter().enumerate() {
        let from = place.saturating_sub(window);
        let to = (place + window + 1).min(b.len());
        for (other, candidate) in b.iter().enumerate().take(to).skip(from) {
            if taken_b >> other & 1 == 0 && candidate == byte {
                taken_a |= 1 << place;
                taken_b |= 1 << other;
                n_common += 1;
                break;
            }
        }
    }
    if n_common == 0 {
        return 0;
    }
    let (mut left, mut right, mut n_moved) = (taken_a, taken_b, 0u32);
    while left != 0 {
        n_moved += u32::from(a[left.trailing_zeros() as usize] != b[right.trailing_zeros() as usize]);
        left &= left - 1;
        right &= right - 1;
    }
    let common = f64::from(n_common);
    let jaro = (common / a.len() as f64 + common / b.len() as f64 + (common - f64::from(n_moved / 2)) / common) / 3.0;
    let prefix = a.iter().zip(b).take(4).take_while(|(x, y)| x == y).count() as f64;
    let winkler = if jaro > 0.7 { jaro + prefix * 0.1 * (1.0 - jaro) } else { jaro };
    (winkler * 1000.0).round() as u32
}

/// Whether two texts of these lengths that differ in `apart` kinds of letters may have a Jaro-Winkler similarity of `least`
/// thousandths, at least 700.
pub fn may_be_similar(len_a: usize, len_b: usize, apart: u32, least: u32) -> bool {
    // Winkler's bonus lifts a Jaro similarity of 1 - 5/3 (1 - least) to `least`; that needs enough letters in common.
    let (a, b) = (len_a.min(LONGEST) as u64, len_b.min(LONGEST) as u64);
    let jaro = 1000 - (1000 - u64::from(least)) * 5 / 3;
    let shares = 3 * jaro - 1000;
    1000 * u64::from(apart) * (a + b) <= 1000 * (a + b) * (a + b) - 2 * shares * a * b
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The textbook table.
    fn slow(a: &[u8], b: &[u8]) -> u32 {
        let mut table = vec![vec![0u32; b.len() + 1]; a.len() + 1];
        for i in 0..=a.len() {
            for j in 0..=b.len() {
                if i == 0 || j == 0 {
                    table[i][j] = (i + j) as u32;
                    continue;
                }
                let cost = u32::from(a[i - 1] != b[j - 1]);
                let mut best = (table[i - 1][j] + 1).min(table[i][j - 1] + 1).min(table[i - 1][j - 1] + cost);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(table[i - 2][j - 2] + 1);
                }
                table[i][j] = best;
            }
        }
        table[a.len()][b.len()]
    }

    proptest! {
        #[test]
        fn the_fast_distance_is_the_slow_one(a in "[abc]{0,12}", b in "[abc]{0,12}", limit in 0u32..6) {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            prop_assert_eq!(edit_distance(a, b, limit), slow(a, b).min(limit + 1));
            prop_assert_eq!(edit_distance(a, b, limit), edit_distance(b, a, limit));
        }

        #[test]
        fn long_texts_too(a in "[ab]{50,64}", b in "[ab]{50,64}") {
            prop_assert_eq!(edit_distance(a.as_bytes(), b.as_bytes(), 64), slow(a.as_bytes(), b.as_bytes()));
        }
    }

    proptest! {
        #[test]
        fn no_similar_pair_is_ruled_out(a in "[a-e]{1,12}", b in "[a-e]{1,12}") {
            let letters = |text: &str| text.bytes().fold(0u32, |set, byte| set | 1 << (byte - b'a'));
            let apart = (letters(&a) ^ letters(&b)).count_ones();
            let similarity = jaro_winkler(a.as_bytes(), b.as_bytes());
            for least in [880, 900, 930] {
                prop_assert!(similarity < least || may_be_similar(a.len(), b.len(), apart, least));
            }
        }
    }

    #[test]
    fn jaro_winkler_of_the_paper() {
        assert_eq!(jaro_winkler(b"martha", b"marhta"), 961);
        assert_eq!(jaro_winkler(b"dwayne", b"duane"), 840);
        assert_eq!(jaro_winkler(b"dixon", b"dicksonx"), 813);
        assert_eq!(jaro_winkler(b"abc", b"xyz"), 0);
    }
}
