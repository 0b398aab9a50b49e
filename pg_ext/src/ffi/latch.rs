//! Latches: how one process wakes another, and how a process sleeps until it is woken.

use pgrx::pg_sys;

/// The address of another process's latch as kept in shared memory; 0 is nobody.
pub type LatchAddress = usize;

/// This process's latch, at the address that every other process sees too: a worker's latch is a part of its
/// `PGPROC`, which lies in shared memory mapped before the fork.
pub fn mine() -> LatchAddress {
    // SAFETY: MyLatch is set once the process has a PGPROC, which is before any of our code runs in it.
    unsafe { pg_sys::MyLatch as LatchAddress }
}

/// Wakes the process that published `latch`; one that is gone meanwhile is harmless.
pub fn set(latch: LatchAddress) {
    if latch != 0 {
        // SAFETY: the address came from `mine()` in a worker with shared memory; PGPROCs are never unmapped,
        // so at worst the latch now belongs to another process, for which a needless wake-up is allowed.
        unsafe { pg_sys::SetLatch(latch as *mut pg_sys::Latch) }
    }
}

/// Sleeps until this process's latch is set or `milliseconds` have passed, then answers interrupts (a
/// termination ends the process here). The death of the postmaster ends the process.
pub fn wait(milliseconds: u64) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: MyLatch belongs to this process; the flags are the documented ones.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            events as i32,
            i64::try_from(milliseconds).unwrap_or(i64::MAX),
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    pgrx::check_for_interrupts!();
}
