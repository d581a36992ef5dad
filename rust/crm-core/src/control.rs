use crate::{Error, Result};

/// How a long run talks to whoever started it.
///
/// Kernels call [`Control::check`] at least every 50 ms of work, so that Ctrl-C is answered within 0.3 s.
pub trait Control: Sync {
    /// Says how far a stage has come. `total` is 0 while it is unknown.
    fn progress(&self, stage: &str, done: u64, total: u64);

    /// Whether the caller wants the run to stop.
    fn is_cancelled(&self) -> bool;

    /// `Err` of kind `Interrupted` once the caller wants the run to stop.
    fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::interrupted()) } else { Ok(()) }
    }
}

/// A run that nobody watches and nobody cancels.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoControl;

impl Control for NoControl {
    fn progress(&self, _stage: &str, _done: u64, _total: u64) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}
