//! The two clocks: the monotonic one, which is the same for all processes of the machine and never jumps
//! (heartbeats), and the wall clock that leases are measured by.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;

/// Milliseconds of `CLOCK_MONOTONIC`; comparable between processes, until the machine restarts.
pub fn monotonic_ms() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid timespec, and CLOCK_MONOTONIC exists on every system PostgreSQL runs on.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec.unsigned_abs() * 1000 + now.tv_nsec.unsigned_abs() / 1_000_000
}

/// The wall clock at this very moment, as `clock_timestamp()` sees it: microseconds since 2000-01-01 UTC.
pub fn wall() -> pg_sys::TimestampTz {
    // SAFETY: reads the system clock; needs no transaction and no lock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// The wall clock at this very moment, for a statement.
pub fn now() -> TimestampWithTimeZone {
    TimestampWithTimeZone::try_from(wall()).expect("the clock is within PostgreSQL's range")
}
