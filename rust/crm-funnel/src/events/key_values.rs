//! Numbers by key, such as each contact's channel.
use hashbrown::HashMap;

/// Numbers by key.
#[derive(Debug, Clone)]
pub enum KeyValues {
    /// Keys from a base on.
    Dense(i64, Vec<u32>),
    /// Keys from a base on, with few values.
    Bytes(i64, Vec<u8>),
    /// Keys that follow each other without a gap: the place of each is its value.
    Places(i64, u32),
    /// Any keys.
    Sparse(HashMap<i64, u32, foldhash::fast::FixedState>),
}

impl KeyValues {
    /// Keys in any number of parts, and a value for each; of several values for one key the last counts, keys that are missing have `none`.
    pub fn new(keys: &[&[i64]], values: &[u32], none: u32) -> Self {
        let every = || keys.iter().copied().flatten().copied();
        let (n_keys, min, max) = every().fold((0_u64, i64::MAX, i64::MIN), |(n, min, max), key| (n + 1, min.min(key), max.max(key)));
        if n_keys == 0 {
            return Self::Places(0, 0);
        }
        if max.abs_diff(min) < n_keys * 8 + 1_024 {
            if let Ok(none) = u8::try_from(none) {
                let mut bytes = vec![none; max.abs_diff(min) as usize + 1];
                every().zip(values).for_each(|(key, &value)| bytes[key.abs_diff(min) as usize] = value as u8);
                return Self::Bytes(min, bytes);
            }
            let mut dense = vec![none; max.abs_diff(min) as usize + 1];
            every().zip(values).for_each(|(key, &value)| dense[key.abs_diff(min) as usize] = value);
            return Self::Dense(min, dense);
        }
        Self::Sparse(every().zip(values.iter().copied()).collect())
    }

    /// The place of each key among `keys`; of a key that comes twice the last counts.
    pub fn places(keys: &[i64]) -> Self {
        let first = keys.first().copied().unwrap_or(0);
        if (first..).zip(keys).all(|(expected, &key)| expected == key) {
            return Self::Places(first, keys.len() as u32);
        }
        let numbers: Vec<u32> = (0..keys.len() as u32).collect();
        Self::new(&[keys], &numbers, u32::MAX)
    }

    /// The value of `key`, or `none`.
    #[inline]
    pub fn find(&self, key: i64, none: u32) -> u32 {
        match self {
            Self::Dense(base, values) => {
                // Below the base the difference wraps around to a number beyond the end.
                values.get(key.wrapping_sub(*base) as u64 as usize).copied().unwrap_or(none)
            }
            Self::Bytes(base, values) => values.get(key.wrapping_sub(*base) as u64 as usize).map_or(none, |&value| u32::from(value)),
            Self::Places(base, n) => {
                let place = key.wrapping_sub(*base) as u64;
                if place < u64::from(*n) { place as u32 } else { none }
            }
            Self::Sparse(values) => values.get(&key).copied().unwrap_or(none),
        }
    }
}
