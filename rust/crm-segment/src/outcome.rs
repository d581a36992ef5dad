//! What a run found.
use crm_core::{Error, Result};
use crm_rules::{and_into, count_ones, words_for};

/// The members of every segment, and what was assigned.
#[derive(Debug, Default)]
pub struct Outcome {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) counts: Vec<u64>,
    pub(crate) contacts: u64,
    pub(crate) warnings: Vec<String>,
}

/// The contacts of one batch.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) rows: usize,
    /// The bits of each segment, one after another.
    pub(crate) bits: Vec<u64>,
    /// Per assignment, the number of each contact's choice; `u32::MAX` where none fits.
    pub(crate) assigned: Vec<Vec<u32>>,
}

/// What each predicate of a segment said of one contact.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Explanation {
    /// The segment.
    pub segment: String,
    /// Whether the contact is a member.
    pub member: bool,
    /// Its predicates, in the order of the rule's parts.
    pub predicates: Vec<Predicate>,
}

/// One predicate and what it was for one contact.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Predicate {
    /// As SQL.
    pub sql: String,
    /// True, false, or null.
    pub value: Option<bool>,
    /// The columns and features it looked at, with their values as SQL.
    pub inputs: Vec<(String, String)>,
}

impl Outcome {
    /// Members of each segment, in the file's order.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Contacts seen.
    pub fn contacts(&self) -> u64 {
        self.contacts
    }

    /// Expressions that could not be computed for some row, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The bits of one segment over all contacts, and their number.
    pub fn mask(&self, segment: usize) -> Result<(Vec<u64>, usize)> {
        if segment >= self.counts.len() {
            return Err(Error::config("there is no such segment"));
        }
        let mut rows = 0;
        let mut words: Vec<u64> = Vec::with_capacity(words_for(self.contacts as usize));
        for chunk in &self.chunks {
            let own = chunk.segment(segment);
            append(&mut words, rows, own, chunk.rows);
            rows += chunk.rows;
        }
        Ok((words, rows))
    }

    /// The choices of one assignment over all contacts.
    pub fn assigned(&self, assignment: usize) -> Vec<u32> {
        self.chunks.iter().flat_map(|chunk| chunk.assigned[assignment].iter().copied()).collect()
    }

    /// How many members each pair of segments shares, row by row.
    pub fn overlap(&self) -> Vec<u64> {
        let segments = self.counts.len();
        let mut shared = vec![0; segments * segments];
        let mut both = Vec::new();
        for chunk in &self.chunks {
            for a in 0..segments {
                for b in a..segments {
                    both.clear();
                    both.extend_from_slice(chunk.segment(a));
                    and_into(&mut both, chunk.segment(b));
                    let count = count_ones(&both);
                    shared[a * segments + b] += count;
                    if a != b {
                        shared[b * segments + a] += count;
                    }
                }
            }
        }
        shared
    }
}

impl Chunk {
    pub(crate) fn segment(&self, segment: usize) -> &[u64] {
        let words = words_for(self.rows);
        &self.bits[segment * words..(segment + 1) * words]
    }
}

/// Appends `count` bits to a bitmap of `len` bits.
fn append(words: &mut Vec<u64>, len: usize, more: &[u64], count: usize) {
    let shift = len % 64;
    if shift == 0 {
        words.extend_from_slice(more);
    } else {
        for word in more {
            if let Some(last) = words.last_mut() {
                *last |= word << shift;
            }
            words.push(word >> (64 - shift));
        }
    }
    words.truncate(words_for(len + count));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmaps_are_appended_at_any_bit() {
        let (mut words, mut len) = (Vec::new(), 0);
        let mut expected = Vec::new();
        for count in [1usize, 63, 64, 5, 130, 0, 7] {
            let mut more = vec![0u64; words_for(count)];
            for row in 0..count {
                let set = (row * 7 + count) % 3 == 0;
                expected.push(set);
                if set {
                    crm_rules::set_bit(&mut more, row);
                }
            }
            append(&mut words, len, &more, count);
            len += count;
        }
        let found: Vec<bool> = (0..len).map(|row| crm_rules::bit(&words, row)).collect();
        assert_eq!(found, expected);
        assert_eq!(words.len(), words_for(len));
    }
}
