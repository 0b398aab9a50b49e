//! Background workers: registering, starting, watching, and what a worker does first.

use pgrx::{IntoDatum, pg_sys};
use std::ffi::c_char;

/// A worker that this process has started.
pub struct Handle(*mut pg_sys::BackgroundWorkerHandle);

/// What has become of a started worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The postmaster has not forked it yet.
    Starting,
    /// It runs.
    Running,
    /// It has ended, however.
    Stopped,
}

impl Handle {
    /// What has become of it.
    pub fn status(&self) -> Status {
        let mut pid = 0;
        // SAFETY: the handle lives in TopMemoryContext until it is dropped.
        match unsafe { pg_sys::GetBackgroundWorkerPid(self.0, &mut pid) } {
            pg_sys::BgwHandleStatus::BGWH_NOT_YET_STARTED => Status::Starting,
            pg_sys::BgwHandleStatus::BGWH_STARTED => Status::Running,
            _ => Status::Stopped,
        }
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        // SAFETY: as above.
        unsafe { pg_sys::TerminateBackgroundWorker(self.0) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: palloc'ed by RegisterDynamicBackgroundWorker, and nobody else has the pointer.
        unsafe { pg_sys::pfree(self.0.cast()) }
    }
}

/// Registers a worker that the postmaster starts with the server, and again one second after it has died; only
/// while preloading.
pub fn register_static(name: &str, function: &str) {
    let mut worker = describe(name, function, 0);
    worker.bgw_restart_time = 1;
    // SAFETY: in the postmaster, which copies the description.
    unsafe { pg_sys::RegisterBackgroundWorker(&mut worker) }
}

/// Starts a worker now; this process's latch is set when it starts or ends. `None`: no slot is free
/// (`max_worker_processes`).
pub fn start(name: &str, function: &str, argument: i32) -> Option<Handle> {
    let mut worker = describe(name, function, argument);
    worker.bgw_restart_time = pg_sys::BGW_NEVER_RESTART;
    // SAFETY: in a process with shared memory; the handle is allocated where it outlives the transaction.
    unsafe {
        worker.bgw_notify_pid = pg_sys::MyProcPid;
        let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let mut handle = std::ptr::null_mut();
        let started = pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle);
        pg_sys::MemoryContextSwitchTo(before);
        started.then_some(Handle(handle))
    }
}

/// The first thing a worker does: the server's own signal handlers, so that a termination interrupts a long
/// statement too.
pub fn take_signals() {
    // The server's handlers bound raw: pgrx wraps every C function in a Rust function, which can not be a signal
    // handler.
    mod raw {
        unsafe extern "C-unwind" {
            pub fn die(signal: std::ffi::c_int);
            pub fn SignalHandlerForConfigReload(signal: std::ffi::c_int);
        }
    }
    // SAFETY: at the start of a worker, as every worker of the server itself does.
    unsafe {
        pg_sys::pqsignal(libc::SIGHUP, Some(raw::SignalHandlerForConfigReload));
        pg_sys::pqsignal(libc::SIGTERM, Some(raw::die));
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Connects to no database: only the shared catalogs can be read.
pub fn connect_to_none() {
    // SAFETY: once, at the start of a worker.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0);
    }
}

/// Connects to `database` as the bootstrap superuser, also where connections are not allowed. A database that
/// does not exist ends the process.
pub fn connect(database: pg_sys::Oid) {
    // SAFETY: once, at the start of a worker.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnectionByOid(
            database,
            pg_sys::InvalidOid,
            pg_sys::BGWORKER_BYPASS_ALLOWCONN,
        );
    }
}

/// Reads the configuration again if the server was told to.
pub fn reload_if_asked() {
    // SAFETY: plain flags of this process, set by the signal handler.
    unsafe {
        if pg_sys::ConfigReloadPending != 0 {
            pg_sys::ConfigReloadPending = 0;
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}

/// Runs `function` when this process ends, however it does (but for a crash, which restarts the whole server).
pub fn at_exit(function: extern "C-unwind" fn(i32, pg_sys::Datum)) {
    // SAFETY: the function stays loaded as long as the process lives.
    unsafe { pg_sys::before_shmem_exit(Some(function), pg_sys::Datum::from(0)) }
}

/// Ends this worker as one that has done its work.
pub fn finish() -> ! {
    // SAFETY: the documented way for a worker to end with code 0.
    unsafe { pg_sys::proc_exit(0) }
}

/// This process's id.
pub fn my_pid() -> i32 {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::MyProcPid }
}

/// True while the server replays WAL: a standby, or one that is still recovering.
pub fn in_recovery() -> bool {
    // SAFETY: reads shared memory.
    unsafe { pg_sys::RecoveryInProgress() }
}

fn describe(name: &str, function: &str, argument: i32) -> pg_sys::BackgroundWorker {
    let mut worker = pg_sys::BackgroundWorker {
        bgw_flags: (pg_sys::BGWORKER_SHMEM_ACCESS | pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION)
            as i32,
        // On a standby too: sessions of ended leases are killed there as well.
        bgw_start_time: pg_sys::BgWorkerStartTime::BgWorkerStart_ConsistentState,
        bgw_main_arg: argument.into_datum().expect("an integer is a datum"),
        ..Default::default()
    };
    copy(&mut worker.bgw_name, name);
    copy(&mut worker.bgw_type, name);
    copy(&mut worker.bgw_library_name, "leasehold");
    copy(&mut worker.bgw_function_name, function);
    worker
}

/// Copies what fits of `text`, with the closing zero that the zeroed array has already.
fn copy(to: &mut [c_char], text: &str) {
    let room = to.len() - 1;
    for (place, byte) in to[..room].iter_mut().zip(text.bytes()) {
        *place = byte as c_char;
    }
}
