//! The backends of this server, by their session user's OID, straight from shared memory: `SET ROLE` hides
//! nothing here, and a backend that is still starting up shows already, which `pg_stat_activity` does not do.

use pgrx::pg_sys;

/// One process that speaks for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backend {
    /// Its process id.
    pub pid: i32,
    /// The session user, whatever role it has set since.
    pub user: pg_sys::Oid,
    at: usize,
}

/// The other processes of this server that have authenticated as a user that `wanted` picks, parallel and background
/// workers included.
pub fn others(mut wanted: impl FnMut(pg_sys::Oid) -> bool) -> Vec<Backend> {
    // SAFETY: the process array is in shared memory for the life of the server. Its fields are read without a
    // lock: a torn picture is possible and allowed, because callers look again and `terminate` checks anew.
    unsafe {
        let all = &*pg_sys::ProcGlobal;
        let mine = pg_sys::MyProcPid;
        (0..all.allProcCount as usize)
            .filter_map(|at| {
                let (pid, user) = look(at);
                let backend = Backend { pid, user, at };
                (pid != 0
                    && pid != mine
                    && user != pg_sys::InvalidOid
                    && wanted(user)
                    && lives(backend))
                .then_some(backend)
            })
            .collect()
    }
}

/// Asks `backend` to end; false if it is gone already. Its place in the process array must still be the same
/// process for the same user, so a process id that was given out again is not hit.
pub fn terminate(backend: Backend) -> bool {
    // SAFETY: `at` is an index that `others` has seen; kill with SIGTERM is what pg_terminate_backend does.
    unsafe {
        if !lives(backend) {
            return false;
        }
        libc::kill(backend.pid, libc::SIGTERM) == 0
    }
}

/// True if a client's session is in `database`, ours (this process) not counted. Workers that speak for no user are
/// none: the server's own leave by themselves, and ours are told to.
pub fn any_client_in(database: pg_sys::Oid) -> bool {
    // SAFETY: as in `others`.
    unsafe {
        (0..(*pg_sys::ProcGlobal).allProcCount as usize).any(|at| {
            let (pid, user) = look(at);
            let process = (*pg_sys::ProcGlobal).allProcs.add(at);
            let there = std::ptr::read_volatile(&raw const (*process).databaseId);
            there == database
                && pid != 0
                && pid != pg_sys::MyProcPid
                && user != pg_sys::InvalidOid
                && lives(Backend { pid, user, at })
        })
    }
}

/// Asks a worker of ours to end, if it still is in `database`.
pub fn terminate_worker(pid: u32, database: pg_sys::Oid) {
    let Ok(pid) = i32::try_from(pid) else { return };
    // SAFETY: as in `terminate`; a process that is not found under the server's lock is not hit.
    unsafe {
        let process = pg_sys::BackendPidGetProc(pid);
        if !process.is_null() && (*process).databaseId == database {
            libc::kill(pid, libc::SIGTERM);
        }
    }
}

/// True if that process is still there: the array keeps what an ended one has left.
///
/// # Safety
/// `backend` must come from `others`, or be made of a look.
unsafe fn lives(backend: Backend) -> bool {
    // SAFETY: per the contract; the server's own search goes over running processes only, under its lock.
    unsafe {
        look(backend.at) == (backend.pid, backend.user)
            && pg_sys::BackendPidGetProc(backend.pid)
                == (*pg_sys::ProcGlobal).allProcs.add(backend.at)
    }
}

/// Pid and session user of the process at index `at`.
///
/// # Safety
/// `at` must be below `allProcCount`.
unsafe fn look(at: usize) -> (i32, pg_sys::Oid) {
    // SAFETY: per the contract; volatile because another process writes these fields.
    unsafe {
        let process = (*pg_sys::ProcGlobal).allProcs.add(at);
        (
            std::ptr::read_volatile(&raw const (*process).pid),
            std::ptr::read_volatile(&raw const (*process).roleId),
        )
    }
}
