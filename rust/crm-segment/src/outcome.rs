//! What a run found.
use arrow_buffer::{BooleanBuffer, Buffer};
use crm_core::{Control, Error, Result};
use crm_rules::{count_ones, words_for};

/// The members of every segment, and what was assigned.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The bits of each segment over all contacts.
    segments: Vec<BooleanBuffer>,
    assigned: Vec<Vec<u32>>,
    counts: Vec<u64>,
    contacts: u64,
    pub(crate) warnings: Vec<String>,
}

/// An outcome in the making: batches of contacts are added in their order.
#[derive(Debug)]
pub(crate) struct OutcomeBuilder {
    words: Vec<Vec<u64>>,
    assigned: Vec<Vec<u32>>,
    counts: Vec<u64>,
    pub(crate) contacts: usize,
}

/// The contacts of one block.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) rows: usize,
    /// The bits of each segment, one after another.
    pub(crate) bits: Vec<u64>,
    /// Members of each segment.
    pub(crate) counts: Vec<u64>,
    /// Per assignment, the number of each contact's choice; `u32::MAX` where none fits.
    pub(crate) assigned: Vec<Vec<u32>>,
}

impl OutcomeBuilder {
    pub(crate) fn new(segments: usize, assignments: usize) -> Self {
        Self { words: vec![Vec::new(); segments], assigned: vec![Vec::new(); assignments], counts: vec![0; segments], contacts: 0 }
    }

    pub(crate) fn push(&mut self, chunk: &Chunk) {
        let n_words = words_for(chunk.rows).max(1);
        for ((words, own), (count, more)) in
            self.words.iter_mut().zip(chunk.bits.chunks_exact(n_words)).zip(self.counts.iter_mut().zip(&chunk.counts))
        {
            append(words, self.contacts, own, chunk.rows);
            *count += more;
        }
        for (all, own) in self.assigned.iter_mut().zip(&chunk.assigned) {
            all.extend_from_slice(own);
        }
        self.contacts += chunk.rows;
    }

    pub(crate) fn finish(self, warnings: Vec<String>) -> Outcome {
        let segments = self.words.into_iter().map(|words| BooleanBuffer::new(Buffer::from_vec(words), 0, self.contacts)).collect();
        Outcome { segments, assigned: self.assigned, counts: self.counts, contacts: self.contacts as u64, warnings }
    }
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

    /// The bits of one segment over all contacts, shared and not copied.
    pub fn mask(&self, segment: usize) -> Result<BooleanBuffer> {
        self.segments.get(segment).cloned().ok_or_else(|| Error::config("there is no such segment"))
    }

    /// The choices of one assignment over all contacts; `u32::MAX` where none fits.
    pub fn assigned(&self, assignment: usize) -> Vec<u32> {
        self.assigned.get(assignment).cloned().unwrap_or_default()
    }

    /// How many members each pair of segments shares, row by row.
    pub fn overlap(&self, control: &dyn Control) -> Result<Vec<u64>> {
        let n = self.segments.len();
        if n > MAX_OVERLAP {
            return Err(Error::config(format!("the matrix of {n} segments is too large; {MAX_OVERLAP} segments are the most")));
        }
        let words: Vec<&[u64]> = self.segments.iter().map(|bits| bits.inner().typed_data()).collect();
        let mut shared = vec![0; n * n];
        let mut both = Vec::new();
        // A stretch at a time, so that the bits of all segments stay in the processor's cache.
        for from in (0..words_for(self.contacts as usize)).step_by(256) {
            for a in 0..n {
                control.check()?;
                for b in a..n {
                    let to = (from + 256).min(words[a].len());
                    both.clear();
                    both.extend(words[a][from..to].iter().zip(&words[b][from..to]).map(|(a, b)| a & b));
                    shared[a * n + b] += count_ones(&both);
                }
            }
        }
        for a in 0..n {
            for b in 0..a {
                shared[a * n + b] = shared[b * n + a];
            }
        }
        Ok(shared)
    }
}

/// Most segments whose shared members are counted: the matrix grows with their square.
const MAX_OVERLAP: usize = 5_000;

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
