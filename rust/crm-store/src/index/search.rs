//! Finding in sorted numbers.

/// A number that hashes are made of, so that they lie evenly.
pub trait Even: Copy + Ord {
    /// As a fraction of the whole range's end.
    fn position(self) -> f64;
}

impl Even for u64 {
    fn position(self) -> f64 {
        self as f64
    }
}

impl Even for i64 {
    fn position(self) -> f64 {
        self as f64
    }
}

/// The place of the first element that is not below `wanted`, in sorted `values`.
///
/// The first guess supposes that values lie evenly, as hashes do, and steps that double lead from there to the place: a few cache lines
/// instead of one per halving.
pub fn lower_bound<T: Even>(values: &[T], wanted: T) -> usize {
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return 0 };
    if wanted <= *first {
        return 0;
    }
    if wanted > *last {
        return values.len();
    }
    let span = last.position() - first.position();
    let share = if span > 0.0 { (wanted.position() - first.position()) / span } else { 0.0 };
    let guess = ((share * (values.len() - 1) as f64) as usize).min(values.len() - 1);
    let mut step = 8;
    let (mut low, mut high) = (guess, guess);
    if values[guess] < wanted {
        while high < values.len() && values[high] < wanted {
            low = high;
            high = (high + step).min(values.len());
            step *= 4;
        }
    } else {
        while low > 0 && values[low] >= wanted {
            high = low;
            low = low.saturating_sub(step);
            step *= 4;
        }
    }
    low + values[low..high].partition_point(|value| *value < wanted)
}

/// The place of `wanted`.
pub fn find<T: Even>(values: &[T], wanted: T) -> Option<usize> {
    let place = lower_bound(values, wanted);
    (values.get(place) == Some(&wanted)).then_some(place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_plain_search(mut values in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..50], 0..200), wanted in prop_oneof![any::<u64>(), 0u64..50]) {
            values.sort_unstable();
            prop_assert_eq!(lower_bound(&values, wanted), values.partition_point(|value| *value < wanted));
            let signed: Vec<i64> = values.iter().map(|value| (*value >> 1) as i64).collect();
            let wanted = (wanted >> 1) as i64;
            prop_assert_eq!(lower_bound(&signed, wanted), signed.partition_point(|value| *value < wanted));
        }
    }
}
