//! The one gate into Rust: releases the GIL, lends threads, watches for Ctrl-C, passes progress on, and turns a panic into `InternalError`.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crm_core::{Control, Error, Result};
use pyo3::prelude::*;

use crate::errors::to_python;
use crate::pool::with_pool;

/// How often the waiting thread looks for Ctrl-C; the promise to users is 0.3 s in all.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

enum Message {
    Progress { stage: String, done: u64, total: u64 },
}

struct GateControl<'a> {
    cancelled: &'a AtomicBool,
    messages: Option<std::sync::Mutex<Sender<Message>>>,
}

impl Control for GateControl<'_> {
    fn progress(&self, stage: &str, done: u64, total: u64) {
        if let Some(messages) = &self.messages
            && let Ok(sender) = messages.lock()
        {
            // A closed channel means that the caller is gone and cancellation follows.
            let _ = sender.send(Message::Progress { stage: stage.to_owned(), done, total });
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Runs `work` on a pool of its own without the GIL.
///
/// The calling thread meanwhile handles signals (where it is Python's main thread) and calls `progress(stage, done, total)`.
/// An exception from either cancels the work, waits for it, and is raised.
pub fn gate<T: Send>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&dyn Control) -> Result<T> + Send,
) -> PyResult<T> {
    let flag = AtomicBool::new(false);
    let cancelled = &flag;
    let callback = progress.map(|callback| callback.clone().unbind());
    let (sender, receiver) = channel();
    let control = GateControl { cancelled, messages: callback.is_some().then(|| std::sync::Mutex::new(sender.clone())) };
    let mut outcome = None;
    let place = &mut outcome;
    let waited = py.detach(move || {
        with_pool(|pool| {
            pool.in_place_scope(|scope| {
                scope.spawn(move |_| {
                    // The sender closes when the work ends: that is what wakes the waiting thread.
                    let _close_on_return = sender;
                    let control = control;
                    *place = Some(catch_unwind(AssertUnwindSafe(|| work(&control))));
                });
                wait(&receiver, callback.as_ref(), cancelled)
            })
        })
    });
    let result = match (waited, outcome) {
        (Ok(Some(interruption)), _) => return Err(interruption),
        (Err(error), _) => Err(error),
        (Ok(None), Some(Ok(result))) => result,
        (Ok(None), Some(Err(panic))) => Err(Error::internal(panic_message(panic.as_ref()))),
        (Ok(None), None) => Err(Error::internal("the work was not done")),
    };
    result.map_err(|error| to_python(py, error))
}

fn wait(receiver: &Receiver<Message>, callback: Option<&Py<PyAny>>, cancelled: &AtomicBool) -> Option<PyErr> {
    let mut interruption = None;
    loop {
        let message = match receiver.recv_timeout(SIGNAL_CHECK) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return interruption,
        };
        if interruption.is_some() {
            continue;
        }
        let handled = Python::attach(|py| {
            py.check_signals()?;
            if let (Some(Message::Progress { stage, done, total }), Some(callback)) = (message, callback) {
                callback.call1(py, (stage, done, total))?;
            }
            Ok(())
        });
        if let Err(error) = handled {
            cancelled.store(true, Ordering::Relaxed);
            interruption = Some(error);
        }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    format!(
        "a fault of crm_engine itself ({}); please report it with the command that led here",
        text.unwrap_or_else(|| "no message".to_owned())
    )
}
