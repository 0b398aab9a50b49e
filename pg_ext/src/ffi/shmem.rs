//! The one piece of shared memory: the notice board of the workers. It exists only if the library was preloaded.

use crate::worker::board::Board;
use pgrx::{pg_guard, pg_sys};
use std::sync::atomic::{AtomicPtr, Ordering};

static BOARD: AtomicPtr<Board> = AtomicPtr::new(std::ptr::null_mut());
static mut NEXT_REQUEST: pg_sys::shmem_request_hook_type = None;
static mut NEXT_STARTUP: pg_sys::shmem_startup_hook_type = None;

/// True while the postmaster loads `shared_preload_libraries`.
pub fn preloading() -> bool {
    // SAFETY: a plain flag of this process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Asks for the board's memory; only while preloading.
pub fn request() {
    // SAFETY: the postmaster is single-threaded and runs hooks after all libraries are loaded.
    unsafe {
        NEXT_REQUEST = pg_sys::shmem_request_hook;
        pg_sys::shmem_request_hook = Some(on_request);
        NEXT_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(on_startup);
    }
}

/// The board, or `None` where the library was not preloaded.
pub fn board() -> Option<&'static Board> {
    // SAFETY: the pointer is null, or was set before any child was forked, to memory that stays mapped.
    unsafe { BOARD.load(Ordering::Relaxed).as_ref() }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_request() {
    // SAFETY: in the hook made for this call, after the hooks that came before us.
    unsafe {
        if let Some(next) = NEXT_REQUEST {
            next();
        }
        pg_sys::RequestAddinShmemSpace(size_of::<Board>());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_startup() {
    // SAFETY: in the hook made for this call. The memory is zeroed when new, which with its bells hung is an empty board.
    // After a crash of a backend the postmaster comes by here again with new memory.
    unsafe {
        if let Some(next) = NEXT_STARTUP {
            next();
        }
        let mut found = false;
        let board =
            pg_sys::ShmemInitStruct(c"leasehold board".as_ptr(), size_of::<Board>(), &mut found)
                .cast::<Board>();
        if !found {
            std::ptr::write_bytes(board, 0, 1);
            (*board).hang_bells();
        }
        BOARD.store(board, Ordering::Relaxed);
    }
}
