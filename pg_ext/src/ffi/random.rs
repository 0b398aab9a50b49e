//! Randomness from the server's own source.

use pgrx::pg_sys;

/// `N` bytes that nobody can guess.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    // SAFETY: the buffer is ours and as long as said.
    if !unsafe { pg_sys::pg_strong_random(bytes.as_mut_ptr().cast(), N) } {
        pgrx::error!("could not get random bytes from the operating system");
    }
    bytes
}
