//! The threads that kernels run on: pools of this process, each lent to one call at a time.
//!
//! Rayon's own global pool is not used. A child made by `fork` would inherit it without its threads and wait for ever, and one that could
//! not be built once never can be. A pool that serves one call cannot make it wait for a lock that another call holds, either.
use std::sync::{Mutex, MutexGuard, TryLockError};

use crm_core::{Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Calls at a time that each get as many threads as the machine has processors; further ones get fewer.
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

/// Runs `work` with a pool that no other call has meanwhile.
pub fn with_pool<R>(work: impl FnOnce(&ThreadPool) -> R) -> Result<R> {
    let pool = take()?;
    let result = work(&pool);
    give_back(Some(pool));
    Ok(result)
}

/// The largest idle pool, or a new one.
fn take() -> Result<ThreadPool> {
    let n_lent = match idle() {
        Some(mut idle) => {
            idle.n_lent += 1;
            let largest = (0..idle.pools.len()).max_by_key(|place| idle.pools[*place].current_num_threads());
            if let Some(place) = largest {
                return Ok(idle.pools.swap_remove(place));
            }
            idle.n_lent
        }
        None => 1,
    };
    build(n_lent).inspect_err(|_| give_back(None))
}

fn give_back(pool: Option<ThreadPool>) {
    if let Some(mut idle) = idle() {
        idle.n_lent = idle.n_lent.saturating_sub(1);
        idle.pools.extend(pool);
    }
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

/// A pool for the call that is the `n_lent`th at this time.
fn build(n_lent: usize) -> Result<ThreadPool> {
    let builder = || ThreadPoolBuilder::new().thread_name(|number| format!("crm-{number}"));
    let pool = if n_lent <= FULL_POOLS {
        builder().build()
    } else {
        let n_processors = std::thread::available_parallelism().map_or(1, usize::from);
        builder().num_threads((n_processors * FULL_POOLS / n_lent).max(1)).build()
    };
    // One thread can do all that many can.
    pool.or_else(|_| builder().num_threads(1).build()).map_err(|error| {
        Error::limit(format!(
            "no thread can be started ({error}): end other processes, or raise the number that the user may have (ulimit -u)"
        ))
    })
}
