//! PBKDF2-HMAC-SHA-256 (RFC 8018, RFC 6234) of two passwords in turn, step by step, with the processor's SHA instructions.
//!
//! Each step of a derivation waits for the one before; while one chain waits the other one goes on. On a processor with these
//! instructions and without AVX-512 a key took 191 µs so, 332 µs in a chain alone, and about 460 µs by a library that converts
//! its state for every block. Where there are no such instructions this gives nothing; the answers are the same, bit for bit.
#![expect(
    unsafe_code,
    reason = "calling a function compiled for SHA instructions is unsafe to the compiler, which can not see that the processor was asked"
)]

use super::{BLOCK, Key, Rest, Salt};

/// Passwords derived at once.
pub const CHAINS: usize = 2;

/// Whether this processor can.
pub fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("sha")
            && std::arch::is_x86_feature_detected!("sse4.1")
            && std::arch::is_x86_feature_detected!("ssse3")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Derives all of them. None where the processor can not, or a password is longer than a block of the hash.
pub fn derive<const N: usize>(
    passwords: &[&[u8]; N],
    salts: &[Salt; N],
    iterations: u32,
    rest: Rest,
) -> Option<[Key; N]> {
    if !available() || passwords.iter().any(|password| password.len() > BLOCK) {
        return None;
    }
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: the processor has just been asked for what the function is compiled for.
        Some(unsafe { sha::derive(passwords, salts, iterations, rest) })
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        None
    }
}

#[cfg(target_arch = "x86_64")]
mod sha {
    use std::arch::x86_64::*;

    use super::super::words::{self, INITIAL, ROUND};
    use super::{Key, Rest, Salt};

    /// Iterations of a piece: some 100 µs.
    const PIECE: u32 = 1_024;

    /// The eight words of a hash in the order that the instructions want: A, B, E, F and C, D, G, H, the first in the highest
    /// place. It stays like that from block to block.
    type State = [__m128i; 2];
    /// The sixteen words of a block, the first in the lowest place.
    type Block = [__m128i; 4];

    #[target_feature(enable = "sha,sse4.1,ssse3")]
    pub(super) fn derive<const N: usize>(
        passwords: &[&[u8]; N],
        salts: &[Salt; N],
        iterations: u32,
        rest: Rest,
    ) -> [Key; N] {
        let [a, b, c, d, e, f, g, h] = INITIAL;
        let start = [[four([f, e, b, a]), four([h, g, d, c])]; N];
        let keys = |mask| passwords.map(|password| block(&words::of_key(password, mask)));
        let inner = compress(&start, keys(words::INNER));
        let outer = compress(&start, keys(words::OUTER));
        let first = compress(&inner, salts.map(|salt| block(&words::of_salt(&salt))));
        let mut chained = compress(&outer, finished(&first));
        let mut sum = chained;
        for iteration in 1..iterations {
            if iteration % PIECE == 0 {
                rest();
            }
            let half = compress(&inner, finished(&chained));
            chained = compress(&outer, finished(&half));
            for (sum, chained) in sum.iter_mut().zip(&chained) {
                for (sum, words) in sum.iter_mut().zip(chained) {
                    *sum = _mm_xor_si128(*sum, *words);
                }
            }
        }
        sum.map(|state| {
            let mut key = [0; 32];
            let (low, high) = in_order(&state);
            for (place, words) in key.chunks_exact_mut(16).zip([low, high]) {
                let words = [
                    _mm_extract_epi32::<0>(words),
                    _mm_extract_epi32::<1>(words),
                    _mm_extract_epi32::<2>(words),
                    _mm_extract_epi32::<3>(words),
                ];
                for (bytes, word) in place.chunks_exact_mut(4).zip(words) {
                    bytes.copy_from_slice(&word.to_be_bytes());
                }
            }
            key
        })
    }

    /// Four words, the first in the lowest place.
    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn four(words: [u32; 4]) -> __m128i {
        let [first, second, third, fourth] = words.map(u32::cast_signed);
        _mm_set_epi32(fourth, third, second, first)
    }

    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn block(words: &[u32; 16]) -> Block {
        [0, 4, 8, 12].map(|at| four([0, 1, 2, 3].map(|next| words[at + next])))
    }

    /// A hash as the first half of a block.
    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn in_order(state: &State) -> (__m128i, __m128i) {
        const REVERSED: i32 = 0b00_01_10_11;
        (
            _mm_shuffle_epi32::<REVERSED>(_mm_unpackhi_epi64(state[1], state[0])),
            _mm_shuffle_epi32::<REVERSED>(_mm_unpacklo_epi64(state[1], state[0])),
        )
    }

    /// The rest of messages whose first block was the key: a hash, padding, length in bits.
    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn finished<const N: usize>(hashes: &[State; N]) -> [Block; N] {
        hashes.map(|hash| {
            let (low, high) = in_order(&hash);
            [
                low,
                high,
                four([words::END, 0, 0, 0]),
                four([0, 0, 0, words::BITS_OF_HASH]),
            ]
        })
    }

    /// SHA-256's compression of one block of each chain, the chains taking turns.
    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn compress<const N: usize>(states: &[State; N], mut blocks: [Block; N]) -> [State; N] {
        let mut now = *states;
        // Unrolled, so that every index is a constant and the words stay in registers.
        macro_rules! rounds {
            ($($quarter:literal)*) => { $(
                let constants = four([0, 1, 2, 3].map(|next| ROUND[4 * $quarter + next]));
                let known = blocks.map(|block| _mm_add_epi32(block[$quarter % 4], constants));
                for (state, known) in now.iter_mut().zip(&known) {
                    state[1] = _mm_sha256rnds2_epu32(state[1], state[0], *known);
                }
                let known = known.map(|known| _mm_shuffle_epi32::<0b00_00_11_10>(known));
                for (state, known) in now.iter_mut().zip(&known) {
                    state[0] = _mm_sha256rnds2_epu32(state[0], state[1], *known);
                }
                if $quarter < 12 {
                    for block in &mut blocks {
                        let last = block[($quarter + 3) % 4];
                        let middle = _mm_alignr_epi8::<4>(last, block[($quarter + 2) % 4]);
                        let early = _mm_sha256msg1_epu32(block[$quarter % 4], block[($quarter + 1) % 4]);
                        block[$quarter % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(early, middle), last);
                    }
                }
            )* };
        }
        rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        for (state, before) in now.iter_mut().zip(states) {
            for (words, before) in state.iter_mut().zip(before) {
                *words = _mm_add_epi32(*words, *before);
            }
        }
        now
    }
}
