//! Readers of files in which tables follow each other: whoever wants a table goes on from where another reader stopped, for to begin anew
//! for each would take the square of their number.
use std::sync::{Mutex, PoisonError};

use crm_core::Result;

/// At most one reader that nobody uses now, and how many tables it has come to.
pub(super) struct Parked<Reader> {
    reader: Mutex<Option<(usize, Reader)>>,
    /// How often a reader began at the beginning.
    #[cfg(test)]
    n_begun: std::sync::atomic::AtomicUsize,
}

impl<Reader> Default for Parked<Reader> {
    fn default() -> Self {
        Self {
            reader: Mutex::default(),
            #[cfg(test)]
            n_begun: std::sync::atomic::AtomicUsize::default(),
        }
    }
}

impl<Reader> Parked<Reader> {
    /// A reader that has not come to more than `n_tables`, with how many it has; one that `begin` makes where none is parked.
    pub fn reader(&self, n_tables: usize, begin: impl FnOnce() -> Result<Reader>) -> Result<(usize, Reader)> {
        let parked = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take_if(|parked| parked.0 <= n_tables);
        if let Some(parked) = parked {
            return Ok(parked);
        }
        #[cfg(test)]
        self.n_begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        begin().map(|reader| (0, reader))
    }

    /// Leaves a reader for others.
    pub fn park(&self, n_tables: usize, reader: Reader) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some((n_tables, reader));
    }

    #[cfg(test)]
    pub fn n_begun(&self) -> usize {
        self.n_begun.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
