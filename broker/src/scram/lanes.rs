//! PBKDF2-HMAC-SHA-256 (RFC 8018, RFC 6234) of sixteen passwords side by side, one in each 32-bit lane of AVX-512.
//!
//! A derivation is a chain of thousands of hashes, each waiting for the one before: alone it leaves most of the processor
//! idle, with the SHA instructions too (460 µs each, 117 µs each by sixteen). Where there is no AVX-512 this gives nothing,
//! and the caller derives one by one; the answers are the same, bit for bit.
#![expect(
    unsafe_code,
    reason = "calling a function compiled for AVX-512 is unsafe to the compiler, which can not see that the processor was asked"
)]

use super::{BLOCK, Key, Rest, Salt};

/// Passwords derived at once.
pub const LANES: usize = 16;
/// Whether this processor can.
pub fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx512f")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Derives all of them. None where the processor can not, or a password is longer than a block of the hash.
pub fn derive(
    passwords: &[&[u8]; LANES],
    salts: &[Salt; LANES],
    iterations: u32,
    rest: Rest,
) -> Option<[Key; LANES]> {
    if !available() || passwords.iter().any(|password| password.len() > BLOCK) {
        return None;
    }
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: the processor has just been asked for what the function is compiled for.
        Some(unsafe { avx512::derive(passwords, salts, iterations, rest) })
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        None
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use zeroize::Zeroize;

    use super::super::words::{self, INITIAL, ROUND};
    use super::{Key, LANES, Rest, Salt};

    /// Iterations of a piece: some 120 µs.
    const PIECE: u32 = 256;

    /// One word of each of the sixteen.
    type Words = __m512i;
    /// The same, to be looked at.
    type Row = [u32; LANES];

    #[target_feature(enable = "avx512f")]
    pub(super) fn derive(
        passwords: &[&[u8]; LANES],
        salts: &[Salt; LANES],
        iterations: u32,
        rest: Rest,
    ) -> [Key; LANES] {
        let start = INITIAL.map(|word| splat(word));
        let keys = |mask| passwords.map(|password| words::of_key(password, mask));
        let inner = compress(&start, &mut side_by_side(keys(words::INNER)));
        let outer = compress(&start, &mut side_by_side(keys(words::OUTER)));
        let salted = salts.map(|salt| words::of_salt(&salt));
        let first = compress(&inner, &mut side_by_side(salted));
        let mut chained = compress(&outer, &mut finished(&first));
        let mut sum = chained;
        for iteration in 1..iterations {
            if iteration % PIECE == 0 {
                rest();
            }
            let half = compress(&inner, &mut finished(&chained));
            chained = compress(&outer, &mut finished(&half));
            for (sum, word) in sum.iter_mut().zip(chained) {
                *sum = _mm512_xor_si512(*sum, word);
            }
        }
        let mut rows = sum.map(row);
        let mut keys = [[0; 32]; LANES];
        for (at, words) in rows.iter().enumerate() {
            for (key, word) in keys.iter_mut().zip(words) {
                key[4 * at..4 * at + 4].copy_from_slice(&word.to_be_bytes());
            }
        }
        rows.zeroize();
        keys
    }

    /// The rest of a message whose first block was the key: a hash, padding, length in bits.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn finished(hash: &[Words; 8]) -> [Words; 16] {
        let mut block = [_mm512_setzero_si512(); 16];
        block[..8].copy_from_slice(hash);
        block[8] = splat(words::END);
        block[15] = splat(words::BITS_OF_HASH);
        block
    }

    /// The words of sixteen blocks, those of the same place side by side.
    #[target_feature(enable = "avx512f")]
    fn side_by_side(blocks: [[u32; 16]; LANES]) -> [Words; 16] {
        let mut words = [_mm512_setzero_si512(); 16];
        for (at, words) in words.iter_mut().enumerate() {
            let row: Row = blocks.map(|block| block[at]);
            // SAFETY: sixteen numbers of 32 bits are what a register of 512 bits holds; any bits are valid.
            *words = unsafe { std::mem::transmute::<Row, Words>(row) };
        }
        words
    }

    fn row(words: Words) -> Row {
        // SAFETY: as in `side_by_side`.
        unsafe { std::mem::transmute::<Words, Row>(words) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn splat(word: u32) -> Words {
        _mm512_set1_epi32(word.cast_signed())
    }

    /// What three rotations are combined by: exclusive or.
    const XOR: i32 = 0x96;
    /// `x & y | !x & z`.
    const CHOICE: i32 = 0xca;
    /// Two of three.
    const MAJORITY: i32 = 0xe8;

    /// SHA-256's compression of one block, which is used up.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn compress(state: &[Words; 8], block: &mut [Words; 16]) -> [Words; 8] {
        let mut now = *state;
        macro_rules! round {
            ($number:expr, $at:literal) => {{
                let [a, b, c, d, e, f, g, h] = now;
                let s1 = _mm512_ternarylogic_epi32::<XOR>(
                    _mm512_ror_epi32::<6>(e),
                    _mm512_ror_epi32::<11>(e),
                    _mm512_ror_epi32::<25>(e),
                );
                let s0 = _mm512_ternarylogic_epi32::<XOR>(
                    _mm512_ror_epi32::<2>(a),
                    _mm512_ror_epi32::<13>(a),
                    _mm512_ror_epi32::<22>(a),
                );
                let choice = _mm512_ternarylogic_epi32::<CHOICE>(e, f, g);
                let majority = _mm512_ternarylogic_epi32::<MAJORITY>(a, b, c);
                let known = _mm512_add_epi32(splat(ROUND[$number]), block[$at]);
                let one =
                    _mm512_add_epi32(_mm512_add_epi32(h, known), _mm512_add_epi32(s1, choice));
                let two = _mm512_add_epi32(s0, majority);
                now = [
                    _mm512_add_epi32(one, two),
                    a,
                    b,
                    c,
                    _mm512_add_epi32(d, one),
                    e,
                    f,
                    g,
                ];
            }};
        }
        macro_rules! expand {
            ($at:literal) => {{
                let (near, far) = (block[($at + 1) % 16], block[($at + 14) % 16]);
                let s0 = _mm512_ternarylogic_epi32::<XOR>(
                    _mm512_ror_epi32::<7>(near),
                    _mm512_ror_epi32::<18>(near),
                    _mm512_srli_epi32::<3>(near),
                );
                let s1 = _mm512_ternarylogic_epi32::<XOR>(
                    _mm512_ror_epi32::<17>(far),
                    _mm512_ror_epi32::<19>(far),
                    _mm512_srli_epi32::<10>(far),
                );
                block[$at] = _mm512_add_epi32(
                    _mm512_add_epi32(block[$at], s0),
                    _mm512_add_epi32(block[($at + 9) % 16], s1),
                );
            }};
        }
        // Unrolled, so that every index is a constant and the words stay in registers.
        macro_rules! sixteen {
            ($step:ident) => {
                $step!(0);
                $step!(1);
                $step!(2);
                $step!(3);
                $step!(4);
                $step!(5);
                $step!(6);
                $step!(7);
                $step!(8);
                $step!(9);
                $step!(10);
                $step!(11);
                $step!(12);
                $step!(13);
                $step!(14);
                $step!(15);
            };
        }
        macro_rules! first {
            ($at:literal) => {
                round!($at, $at)
            };
        }
        sixteen!(first);
        for before in [16, 32, 48] {
            macro_rules! later {
                ($at:literal) => {
                    expand!($at);
                    round!(before + $at, $at)
                };
            }
            sixteen!(later);
        }
        for (now, state) in now.iter_mut().zip(state) {
            *now = _mm512_add_epi32(*now, *state);
        }
        now
    }
}
