//! A wall clock that is wrong, for one process: a few lines of C in front of the system's clock, compiled at first use by
//! the compiler that the build needs anyway.

use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

/// Intervals are measured with the monotonic clock, which goes on as ever.
const SHIFT: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift(void) {
    const char *seconds = getenv("LEASEHOLD_TESTS_CLOCK_SHIFT");
    return seconds ? atol(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = (int)syscall(SYS_clock_gettime, clock, at);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"#;

/// Environment of a process whose wall clock is so many seconds ahead (or behind).
pub fn clock_shift(seconds: i64) -> Result<Vec<(String, String)>> {
    let library = library()?.to_string_lossy().into_owned();
    Ok(vec![
        ("LD_PRELOAD".to_owned(), library),
        (
            "LEASEHOLD_TESTS_CLOCK_SHIFT".to_owned(),
            seconds.to_string(),
        ),
    ])
}

fn library() -> Result<PathBuf> {
    static MADE: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(|broken| broken.into_inner());
    if let Some(path) = &*made {
        return Ok(path.clone());
    }
    let folder = crate::cluster::new_folder("clock")?;
    let (source, library) = (folder.join("shift.c"), folder.join("shift.so"));
    std::fs::write(&source, SHIFT)?;
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .output()
        .context("running the C compiler")?;
    ensure!(
        compiled.status.success(),
        "cc: {}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    *made = Some(library.clone());
    Ok(library)
}
