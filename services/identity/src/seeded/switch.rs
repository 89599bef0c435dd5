//! The one switch of a process, and a test's own.

use std::cell::Cell;
use std::sync::OnceLock;

use super::SeededFault;

static OF_THIS_PROCESS: OnceLock<SeededFault> = OnceLock::new();

thread_local! {
    static OF_THIS_THREAD: Cell<Option<SeededFault>> = const { Cell::new(None) };
}

/// A process has one fault: with two, nobody could say which of them was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the seeded fault {} is on already", .0.id())]
pub struct AlreadyOn(pub SeededFault);

/// Makes the mistake from now on, in the whole process. For a program, when it starts.
///
/// # Errors
/// There is one already.
pub fn switch_on(fault: SeededFault) -> Result<(), AlreadyOn> {
    OF_THIS_PROCESS.set(fault).map_err(|_| AlreadyOn(switched_on().unwrap_or(fault)))
}

/// The mistake that the whole process makes.
pub fn switched_on() -> Option<SeededFault> {
    OF_THIS_PROCESS.get().copied()
}

/// Whether this process, or this thread, makes the mistake.
pub fn is_on(fault: SeededFault) -> bool {
    switched_on() == Some(fault) || OF_THIS_THREAD.get() == Some(fault)
}

/// Makes the mistake on this thread, until what is returned is dropped. For tests, which run many in one process: on
/// tokio's current-thread runtime everything that a test starts runs on its own thread.
#[must_use = "the fault is on only for as long as this is held"]
pub fn on_this_thread(fault: SeededFault) -> OnThisThread {
    OF_THIS_THREAD.set(Some(fault));
    OnThisThread { _not_sent: std::marker::PhantomData }
}

/// Holds a fault on, on its own thread.
#[derive(Debug)]
pub struct OnThisThread {
    _not_sent: std::marker::PhantomData<*const ()>,
}

impl Drop for OnThisThread {
    fn drop(&mut self) {
        OF_THIS_THREAD.set(None);
    }
}
