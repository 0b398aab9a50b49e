//! Threads for work that nobody waits for.

#![expect(
    unsafe_code,
    reason = "the standard library has no way to say how a thread is scheduled"
)]

use std::time::Duration;

/// Any that is not zero: it lasts about twice as long.
const REST: Duration = Duration::from_micros(50);

/// Runs something on a thread that gets what no other thread wants of the processors, and gives way at once (Linux:
/// `SCHED_IDLE`, sched(7); elsewhere it is a thread as any other). Never anything that others wait for: it may not get on for
/// as long as they are busy. Errors: no thread could be had.
pub fn spawn(work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name("idle".into())
        .spawn(move || {
            give_way();
            work();
        })
        .map(drop)
}

/// Lets others have the processor: to be called every tenth of a millisecond or two. How little a thread asks for counts among
/// the threads of its own group only (control groups; `autogroup` in sched(7)), and a thread of another one waits for the end
/// of a slice, 3 to 4 ms.
pub fn rest() {
    std::thread::sleep(REST);
}

#[cfg(target_os = "linux")]
fn give_way() {
    let none = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 is the calling thread, and the parameter outlives the call.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &none) } != 0 {
        tracing::debug!(error = %std::io::Error::last_os_error(), "work beside the requests is not scheduled behind them");
    }
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn such_a_thread_gives_way() {
        let (sender, receiver) = std::sync::mpsc::channel();
        super::spawn(move || {
            // SAFETY: 0 is the calling thread.
            let _ = sender.send(unsafe { libc::sched_getscheduler(0) });
        })
        .unwrap();
        assert_eq!(receiver.recv().unwrap(), libc::SCHED_IDLE);
    }
}
