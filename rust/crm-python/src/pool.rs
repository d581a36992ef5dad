//! The threads that kernels run on: pools of this process, each lent to one call at a time.
//!
//! Rayon's own global pool is not used. A child made by `fork` would inherit it without its threads and wait for ever, and one that could
//! not be built once never can be. A pool that serves one call cannot make it wait for a lock that another call holds, either.
use std::sync::{Mutex, MutexGuard, TryLockError};

use crm_core::{Error, Result};
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Calls at a time that each get all threads; further ones get fewer.
const FULL_POOLS: usize = 4;
/// How often a lock that another thread holds is asked for; the holder needs nanoseconds.
const LOCK_ATTEMPTS: usize = 1000;

/// The pools of the process `pid` that no call has.
struct Idle {
    pid: u32,
    pools: Vec<ThreadPool>,
    n_lent: usize,
}

static IDLE: Mutex<Idle> = Mutex::new(Idle { pid: 0, pools: Vec::new(), n_lent: 0 });

/// The process that something with threads of its own was made in: none of them is in a child made by `fork`.
#[derive(Debug, Clone, Copy)]
pub struct Process(u32);

impl Process {
    /// This one.
    pub fn current() -> Self {
        Self(std::process::id())
    }

    /// An error where this is another process than that of `what`.
    pub fn check(self, what: &str) -> Result<()> {
        if self.0 == std::process::id() {
            return Ok(());
        }
        Err(Error::config(format!("{what} does not pass from one process to a child made by fork: open it in the process that uses it")))
    }
}

/// A pool on loan; it goes back also when the call panics.
struct Lent(Option<ThreadPool>);

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(mut idle) = idle() {
            idle.n_lent = idle.n_lent.saturating_sub(1);
            idle.pools.extend(self.0.take());
        }
    }
}

/// Runs `work` with a pool that no other call has meanwhile.
pub fn with_pool<R>(work: impl FnOnce(&ThreadPool) -> R) -> Result<R> {
    let mut lent = Lent(None);
    let pool = lent.0.insert(take()?);
    Ok(work(pool))
}

/// An idle pool of a size that fits, or a new one.
fn take() -> Result<ThreadPool> {
    let most = n_threads();
    let mut wanted = most;
    let mut smaller = None;
    if let Some(mut idle) = idle() {
        idle.n_lent += 1;
        if idle.n_lent > FULL_POOLS {
            wanted = (most * FULL_POOLS / idle.n_lent).max(1);
        }
        let size = |place: &usize| idle.pools[*place].current_num_threads();
        let fitting = (0..idle.pools.len()).filter(|place| (wanted..=most).contains(&size(place))).min_by_key(size);
        if let Some(place) = fitting {
            return Ok(idle.pools.swap_remove(place));
        }
        // One that does not fit makes room, so that there are never more pools than there were calls at a time.
        smaller = idle.pools.pop();
    }
    match (build(wanted), smaller) {
        (Ok(pool), _) | (Err(_), Some(pool)) => Ok(pool),
        // One thread can do all that many can.
        (Err(_), None) => build(1).map_err(|error| {
            Error::limit(format!(
                "no thread can be started ({error}): end other processes, or raise the number that the user may have (ulimit -u)"
            ))
        }),
    }
}

/// The threads of a call that is alone: as many as the environment says, or as there are processors.
fn n_threads() -> usize {
    let stated = std::env::var("RAYON_NUM_THREADS").ok().and_then(|text| text.trim().parse().ok()).filter(|number| *number > 0);
    stated.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn build(n_threads: usize) -> std::result::Result<ThreadPool, ThreadPoolBuildError> {
    ThreadPoolBuilder::new().thread_name(|number| format!("crm-{number}")).num_threads(n_threads).build()
}

/// The pools of this process; `None` where a thread that was not carried into this process held the lock when it was forked.
fn idle() -> Option<MutexGuard<'static, Idle>> {
    for _ in 0..LOCK_ATTEMPTS {
        let mut idle = match IDLE.try_lock() {
            Ok(idle) => idle,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                std::thread::yield_now();
                continue;
            }
        };
        let pid = std::process::id();
        if idle.pid != pid {
            // Pools of the process that this one was forked from: they have no threads here that could be told to end.
            std::mem::take(&mut idle.pools).into_iter().for_each(std::mem::forget);
            (idle.pid, idle.n_lent) = (pid, 0);
        }
        return Some(idle);
    }
    None
}
