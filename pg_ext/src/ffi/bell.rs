//! A condition variable in shared memory: many wait, one rings.

use pgrx::pg_sys;
use std::cell::UnsafeCell;
use std::marker::PhantomData;

/// The variable itself, zeroed until [`Bell::hang`] is called.
#[repr(transparent)]
pub struct Bell(UnsafeCell<pg_sys::ConditionVariable>);

// SAFETY: the server's functions guard the variable with a spinlock of its own.
unsafe impl Sync for Bell {}

impl Bell {
    /// Makes it one that can be rung: once, in memory that nobody else uses yet.
    pub fn hang(&self) {
        // SAFETY: as demanded of the caller.
        unsafe { pg_sys::ConditionVariableInit(self.0.get()) }
    }

    /// Wakes all who listen. It may be called where no error is allowed.
    pub fn ring(&self) {
        // SAFETY: only a process with a PGPROC gets here.
        unsafe { pg_sys::ConditionVariableBroadcast(self.0.get()) }
    }

    /// Begins to listen: a ring after this ends the wait, also one that comes before it. A process listens to one bell at a time.
    pub fn listen(&self) -> Listening<'_> {
        // SAFETY: only a process with a PGPROC gets here; an error stops the listening with the transaction.
        unsafe { pg_sys::ConditionVariablePrepareToSleep(self.0.get()) }
        Listening(self, PhantomData)
    }
}

/// Stops listening when it goes.
pub struct Listening<'a>(&'a Bell, PhantomData<*const ()>);

impl Listening<'_> {
    /// Waits until it rings, or so long, or a little less for no reason; then answers interrupts.
    pub fn wait(self, milliseconds: u64) {
        let longest = i64::try_from(milliseconds).unwrap_or(i64::MAX);
        // SAFETY: prepared above. Should something that slept meanwhile have ended that, this comes back at once.
        unsafe {
            pg_sys::ConditionVariableTimedSleep(self.0.0.get(), longest, pg_sys::PG_WAIT_EXTENSION);
        }
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        // SAFETY: harmless if there is nothing to stop.
        unsafe {
            pg_sys::ConditionVariableCancelSleep();
        }
    }
}
