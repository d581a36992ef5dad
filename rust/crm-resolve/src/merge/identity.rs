use arrow_array::{Array, StringArray};
use crm_core::{Hasher64, record_id};
use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

/// The first filled cell of a row among the columns at `places`, trimmed: what a source or a key that may stand in several columns is.
pub fn first_filled<'a>(columns: &'a [StringArray], places: &[usize], row: usize) -> Option<&'a str> {
    let filled = places.iter().filter(|place| columns[**place].is_valid(row)).map(|place| columns[*place].value(row).trim());
    filled.into_iter().find(|text| !text.is_empty())
}

/// Gives every row a `record_id`: a non-negative int64, unique in the run, that does not depend on the order of the input.
///
/// A row with a key gets the hash of (`source`, `source_key`); one without gets the hash of its source and content. Where several rows
/// share one (a key that is none, the same row twice, or a collision of hashes), the one with the lowest content hash keeps it, and the
/// others get the hash of it, their content and an occurrence number.
#[derive(Debug, Default)]
pub struct RecordIds {
    ids: Vec<i64>,
    content: Vec<u64>,
}

impl RecordIds {
    /// Adds a row; an empty key counts as none.
    pub fn push(&mut self, source: &str, source_key: Option<&str>, content_hash: u64) {
        let id = match source_key.map(str::trim).filter(|key| !key.is_empty()) {
            Some(key) => record_id(source, key),
            None => keyless_record_id(source, content_hash),
        };
        self.ids.push(id);
        self.content.push(content_hash);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.ids.capacity() * 8 + self.content.capacity() * 8
    }

    /// The ids in the order of the rows, and how many rows had to share one at first.
    pub fn finish(self) -> (Vec<i64>, u64) {
        let Self { mut ids, content } = self;
        let mut sorted = ids.clone();
        sorted.par_sort_unstable();
        let shared: HashSet<i64> = sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        if shared.is_empty() {
            return (ids, 0);
        }
        let mut rows_of: HashMap<i64, Vec<usize>> = HashMap::new();
        for (row, id) in ids.iter().enumerate().filter(|(_, id)| shared.contains(*id)) {
            rows_of.entry(*id).or_default().push(row);
        }
        let mut groups: Vec<(i64, Vec<usize>)> = rows_of.into_iter().collect();
        groups.sort_unstable_by_key(|(id, _)| *id);
        let mut taken: HashSet<i64> = HashSet::new();
        let mut n_shared = 0;
        for (id, mut rows) in groups {
            // Rows of equal content are interchangeable, so that their order in the input does not matter.
            rows.sort_by_key(|row| (content[*row], *row));
            for (occurrence, row) in rows.iter().enumerate().skip(1) {
                n_shared += 1;
                ids[*row] = free_id(id, content[*row], occurrence as u64, &mut taken, &sorted);
            }
        }
        (ids, n_shared)
    }
}

/// The `record_id` of a row without a key, where it is the first of its content.
pub fn keyless_record_id(source: &str, content_hash: u64) -> i64 {
    let mut hasher = Hasher64::default();
    hasher.write_text(source);
    hasher.write_optional(None);
    hasher.write_u64(content_hash);
    to_id(hasher.finish())
}

/// The `record_id` of a further row (`occurrence` counts from 1) that would have the `record_id` `first`; `attempt` is 0 unless that is taken.
pub fn repeated_record_id(first: i64, content_hash: u64, occurrence: u64, attempt: u64) -> i64 {
    let mut hasher = Hasher64::default();
    hasher.write_u64(first as u64);
    hasher.write_u64(content_hash);
    hasher.write_u64(occurrence);
    hasher.write_u64(attempt);
    to_id(hasher.finish())
}

/// An id that no other row has.
fn free_id(id: i64, content_hash: u64, occurrence: u64, taken: &mut HashSet<i64>, sorted: &[i64]) -> i64 {
    let mut attempt = 0;
    loop {
        let candidate = repeated_record_id(id, content_hash, occurrence, attempt);
        if sorted.binary_search(&candidate).is_err() && taken.insert(candidate) {
            return candidate;
        }
        attempt += 1;
    }
}

fn to_id(hash: u64) -> i64 {
    (hash >> 1) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(rows: &[(&str, Option<&str>, u64)]) -> (Vec<i64>, u64) {
        let mut ids = RecordIds::default();
        rows.iter().for_each(|(source, key, content)| ids.push(source, *key, *content));
        ids.finish()
    }

    #[test]
    fn a_key_makes_the_id_and_content_does_not() {
        assert_eq!(ids(&[("crm", Some("1"), 5)]).0, ids(&[("crm", Some(" 1 "), 6)]).0);
        assert_eq!(ids(&[("crm", Some("1"), 5)]).0, [record_id("crm", "1")]);
        assert_ne!(ids(&[("crm", None, 5)]).0, ids(&[("crm", Some(""), 6)]).0);
        assert_ne!(ids(&[("crm", None, 5)]).0, ids(&[("erp", None, 5)]).0);
    }

    #[test]
    fn of_several_key_columns_the_first_filled_one_counts() {
        let columns = [StringArray::from(vec![Some(" "), None, Some("A1 ")]), StringArray::from(vec!["7", "8", "9"])];
        let keys: Vec<_> = (0..3).map(|row| first_filled(&columns, &[0, 1], row)).collect();
        assert_eq!(keys, [Some("7"), Some("8"), Some("A1")]);
        assert_eq!(first_filled(&columns, &[0], 1), None);
    }

    #[test]
    fn shared_keys_and_equal_rows_become_unique_whatever_their_order() {
        let rows = [("crm", Some("1"), 5), ("crm", Some("1"), 3), ("crm", Some("2"), 3), ("crm", None, 9), ("crm", None, 9)];
        let (forward, n_shared) = ids(&rows);
        assert_eq!(n_shared, 2);
        assert_eq!(forward.iter().collect::<HashSet<_>>().len(), 5);
        assert!(forward.iter().all(|id| *id >= 0));
        let mut reversed = rows;
        reversed.reverse();
        let (mut backward, _) = ids(&reversed);
        backward.reverse();
        assert_eq!(forward[..3], backward[..3]);
        let sorted = |ids: &[i64]| {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            ids
        };
        assert_eq!(sorted(&forward), sorted(&backward));
    }
}
