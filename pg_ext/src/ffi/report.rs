//! How an error of ours gets its own SQLSTATE. pgrx knows only the codes that PostgreSQL ships with, so the code
//! is set the moment the error is finished, by an error context callback, which the server calls while the
//! error's data are still open.

use crate::core::error::SqlState;
use pgrx::{pg_guard, pg_sys};
use std::cell::Cell;
use std::ffi::c_void;

thread_local! {
    static STATE: Cell<Option<SqlState>> = const { Cell::new(None) };
}

static mut FRAME: pg_sys::ErrorContextCallback = pg_sys::ErrorContextCallback {
    previous: std::ptr::null_mut(),
    callback: Some(set_state),
    arg: std::ptr::null_mut(),
};

/// Gives the next error of this process the code `state`. Call it last, and then fail: whoever catches the error
/// puts the error context stack back to what it was, and so takes our frame away.
pub fn arm(state: SqlState) {
    STATE.set(Some(state));
    // SAFETY: a backend has one thread. The frame is static, so it outlives every use, and it is linked at most
    // once: while it is linked an error is on its way.
    unsafe {
        if !std::ptr::eq(pg_sys::error_context_stack, &raw const FRAME) {
            FRAME.previous = pg_sys::error_context_stack;
            pg_sys::error_context_stack = &raw mut FRAME;
        }
    }
}

unsafe extern "C-unwind" {
    fn errcode(sqlerrcode: i32) -> i32;
}

#[pg_guard]
unsafe extern "C-unwind" fn set_state(_arg: *mut c_void) {
    if let Some(SqlState(state)) = STATE.take() {
        // Six bits a character, as MAKE_SQLSTATE packs them.
        let packed = state.iter().rev().fold(0, |packed, byte| {
            packed << 6 | (i32::from(*byte) - 0x30) & 0x3F
        });
        // SAFETY: called by errfinish(), so there is an error whose code can be set.
        unsafe { errcode(packed) };
    }
}
