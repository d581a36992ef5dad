//! Postings that wait, by the contact's part.
use super::PART_SHIFT;

/// Words of a piece of a part's postings: growing does not copy what is there, and many parts do not waste much.
const PIECE: usize = 1_024;

/// The postings of a part's contacts, in the order of their rows.
#[derive(Debug, Default)]
pub(super) struct Part {
    full: Vec<Vec<u64>>,
    last: Vec<u64>,
}

impl Part {
    /// What it takes.
    pub(super) fn bytes(&self) -> u64 {
        ((self.full.len() * PIECE + self.last.capacity()) * 8) as u64
    }

    /// Moves all postings to the end of `words`, which is emptied before.
    pub(super) fn take(&mut self, words: &mut Vec<u64>) {
        words.clear();
        for piece in self.full.drain(..) {
            words.extend_from_slice(&piece);
        }
        words.extend_from_slice(&self.last);
        self.last = Vec::new();
    }

    #[inline]
    fn push(&mut self, posting: &[u64]) {
        if self.last.len() + posting.len() > self.last.capacity() {
            self.turn();
        }
        self.last.extend_from_slice(posting);
    }

    #[cold]
    fn turn(&mut self) {
        let full = std::mem::replace(&mut self.last, Vec::with_capacity(PIECE));
        if !full.is_empty() {
            self.full.push(full);
        }
    }
}

/// Puts a region's postings into its parts.
pub(super) fn put(parts: &mut [Part], words: &[u64], width: usize) {
    // A posting of known length is copied without a call.
    match width {
        1 => put_arrays::<1>(parts, words),
        2 => put_arrays::<2>(parts, words),
        3 => put_arrays::<3>(parts, words),
        4 => put_arrays::<4>(parts, words),
        _ => words.chunks_exact(width).for_each(|posting| parts[place(parts, posting[0])].push(posting)),
    }
}

fn put_arrays<const WIDTH: usize>(parts: &mut [Part], words: &[u64]) {
    for posting in words.as_chunks::<WIDTH>().0 {
        parts[place(parts, posting[0])].push(posting);
    }
}

/// The part of a posting within its region, which begins with a power of two that is a multiple of the region's.
#[inline]
fn place(parts: &[Part], posting: u64) -> usize {
    (posting as u32 >> PART_SHIFT) as usize % parts.len().next_power_of_two()
}
