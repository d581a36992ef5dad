//! What a feature comes to, per contact.
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use crm_rules::{Column, Type, words_for};

use super::Kind;

/// What one feature comes to so far, per contact.
#[derive(Debug)]
pub(super) enum Totals {
    /// Counts, for as long as there are not so many postings that one contact's could exceed 32 bits.
    Counts(Vec<i32>),
    /// Counts of any size.
    Wide(Vec<i64>),
    /// Sums and extremes as their bits, and which contacts have one.
    Values { kind: Kind, bits: Vec<u64>, seen: Vec<u64> },
}

/// The totals of a part's contacts.
pub(super) enum Share<'t> {
    Counts(&'t mut [i32]),
    Wide(&'t mut [i64]),
    Values { kind: Kind, bits: &'t mut [u64], seen: &'t mut [u64] },
}

impl Totals {
    pub(super) fn new(kind: Kind, contacts: usize) -> Self {
        match kind {
            Kind::Count => Self::Counts(vec![0; contacts]),
            _ => Self::Values { kind, bits: vec![0; contacts], seen: vec![0; words_for(contacts)] },
        }
    }

    /// What it takes.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = match self {
            Self::Counts(counts) => counts.len() * 4,
            Self::Wide(counts) => counts.len() * 8,
            Self::Values { bits, seen, .. } => (bits.len() + seen.len()) * 8,
        };
        bytes as u64
    }

    /// Divides the contacts into parts of `len`.
    pub(super) fn shares(&mut self, len: usize, wide: bool) -> Vec<Share<'_>> {
        if let Self::Counts(counts) = self
            && wide
        {
            *self = Self::Wide(counts.iter().map(|count| i64::from(*count)).collect());
        }
        match self {
            Self::Counts(counts) => counts.chunks_mut(len).map(Share::Counts).collect(),
            Self::Wide(counts) => counts.chunks_mut(len).map(Share::Wide).collect(),
            Self::Values { kind, bits, seen } => {
                let parts = bits.chunks_mut(len).zip(seen.chunks_mut(len / 64));
                parts.map(|(bits, seen)| Share::Values { kind: *kind, bits, seen }).collect()
            }
        }
    }

    /// As a column over the contacts.
    pub(super) fn finish(self, data_type: Type, contacts: usize) -> Column {
        match self {
            Self::Counts(counts) => Column::Int32(ScalarBuffer::from(counts), None),
            Self::Wide(counts) => Column::Int64(ScalarBuffer::from(counts), None),
            Self::Values { bits, seen, .. } => {
                let nulls = NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(seen), 0, contacts));
                let nulls = (nulls.null_count() > 0).then_some(nulls);
                let bits = Buffer::from_vec(bits);
                if data_type == Type::Float {
                    Column::Float(ScalarBuffer::new(bits, 0, contacts), nulls)
                } else {
                    Column::Int64(ScalarBuffer::new(bits, 0, contacts), nulls)
                }
            }
        }
    }
}

impl Share<'_> {
    /// Adds the part's postings to the feature of bit `place`, which takes the posting's value number `takes`.
    pub(super) fn add(&mut self, words: &[u64], width: usize, place: usize, takes: usize) {
        // Steps of known length are cheaper.
        match width {
            1 => self.add_all(words.as_chunks::<1>().0.iter().map(|posting| (posting[0], 0)), place),
            2 => self.add_all(words.as_chunks::<2>().0.iter().map(|posting| (posting[0], posting[1])), place),
            3 if takes == 0 => self.add_all(words.as_chunks::<3>().0.iter().map(|posting| (posting[0], posting[1])), place),
            3 => self.add_all(words.as_chunks::<3>().0.iter().map(|posting| (posting[0], posting[2])), place),
            _ => self.add_all(words.chunks_exact(width).map(|posting| (posting[0], posting[1 + takes])), place),
        }
    }

    /// Adds postings with their values. Nothing here asks whether a posting counts for the feature: what is always done is not guessed wrong.
    #[inline]
    fn add_all(&mut self, postings: impl Iterator<Item = (u64, u64)>, place: usize) {
        let applies = |posting: u64| posting >> (32 + place) & 1;
        match self {
            Self::Counts(counts) => {
                let last = counts.len().next_power_of_two() - 1;
                postings.for_each(|(posting, _)| counts[posting as usize & last] += applies(posting) as i32);
            }
            Self::Wide(counts) => {
                let last = counts.len().next_power_of_two() - 1;
                postings.for_each(|(posting, _)| counts[posting as usize & last] += applies(posting) as i64);
            }
            Self::Values { kind, bits, seen } => {
                let mut values = Values { bits, seen };
                let postings = postings.map(|(posting, value)| (posting, applies(posting), value));
                match *kind {
                    Kind::Count => {}
                    Kind::Sum => values.set(postings, |_, old, value, applies| {
                        (f64::from_bits(old) + f64::from_bits(value & applies.wrapping_neg())).to_bits()
                    }),
                    Kind::Extreme { float: true, greatest } => values.set(postings, |known, old, value, applies| {
                        let (new, held) = (order_of(f64::from_bits(value)), order_of(f64::from_bits(old)));
                        let better = u64::from(if greatest { new > held } else { new < held });
                        chosen(old, value, applies & (better | (known ^ 1)))
                    }),
                    Kind::Extreme { float: false, greatest } => values.set(postings, |known, old, value, applies| {
                        let better = u64::from(if greatest { value as i64 > old as i64 } else { (value as i64) < old as i64 });
                        chosen(old, value, applies & (better | (known ^ 1)))
                    }),
                }
            }
        }
    }
}

/// The values of one feature for a part's contacts, and which have one.
struct Values<'a> {
    bits: &'a mut [u64],
    seen: &'a mut [u64],
}

impl Values<'_> {
    /// Sets each posting's contact to what `next` makes of: whether it has a value (1 or 0), that value, the posting's, and whether that counts.
    #[inline]
    fn set(&mut self, postings: impl Iterator<Item = (u64, u64, u64)>, next: impl Fn(u64, u64, u64, u64) -> u64) {
        let last = self.bits.len().next_power_of_two() - 1;
        postings.for_each(|(posting, applies, value)| {
            let at = posting as usize & last;
            let seen = &mut self.seen[at / 64];
            let slot = &mut self.bits[at];
            *slot = next(*seen >> (at % 64) & 1, *slot, value, applies);
            *seen |= applies << (at % 64);
        });
    }
}

/// The new value where `new` is 1, without a branch.
#[inline]
fn chosen(old: u64, value: u64, new: u64) -> u64 {
    let taken = new.wrapping_neg();
    old & !taken | value & taken
}

/// A whole number that orders as floats do in SQL: zeros are equal, and what is no number is above all, whatever its sign.
#[inline]
fn order_of(value: f64) -> i64 {
    let value = if value.is_nan() { f64::NAN.abs() } else { value };
    let bits = (value + 0.0).to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}
