//! PBKDF2-HMAC-SHA-256 (RFC 8018, RFC 6234) of sixteen passwords side by side, one in each 32-bit lane of AVX-512.
//!
//! A derivation is a chain of thousands of hashes, each waiting for the one before: alone it leaves most of the processor
//! idle, with the SHA instructions too (460 µs each, 117 µs each by sixteen). Where there is no AVX-512 this gives nothing,
//! and the caller derives one by one; the answers are the same, bit for bit.
#![expect(
    unsafe_code,
    reason = "calling a function compiled for AVX-512 is unsafe to the compiler, which can not see that the processor was asked"
)]

/// Passwords derived at once.
pub const LANES: usize = 16;
/// A salt as PostgreSQL makes them.
pub type Salt = [u8; super::SALT_BYTES];
/// A derived key.
pub type Key = [u8; 32];
/// The bytes of one block of SHA-256.
const BLOCK: usize = 64;

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
) -> Option<[Key; LANES]> {
    if !available() || passwords.iter().any(|password| password.len() > BLOCK) {
        return None;
    }
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: the processor has just been asked for what the function is compiled for.
        Some(unsafe { avx512::derive(passwords, salts, iterations) })
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

    use super::{BLOCK, Key, LANES, Salt};

    /// One word of each of the sixteen.
    type Words = __m512i;
    /// The same, to be looked at.
    type Row = [u32; LANES];

    const INITIAL: [u32; 8] = [
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
        0x5be0cd19,
    ];
    const ROUND: [u32; 64] = [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2,
    ];

    #[target_feature(enable = "avx512f")]
    pub(super) fn derive(
        passwords: &[&[u8]; LANES],
        salts: &[Salt; LANES],
        iterations: u32,
    ) -> [Key; LANES] {
        let start = INITIAL.map(|word| splat(word));
        let inner = compress(&start, &mut padded_keys(passwords, 0x36));
        let outer = compress(&start, &mut padded_keys(passwords, 0x5c));
        // U1 hashes the salt and the number of the block of output, which is one.
        let first = compress(&inner, &mut salted(salts));
        let mut chained = compress(&outer, &mut finished(&first));
        let mut sum = chained;
        for _ in 1..iterations {
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

    /// One block for each lane: its key, padded with zeros, under HMAC's mask.
    #[target_feature(enable = "avx512f")]
    fn padded_keys(passwords: &[&[u8]; LANES], mask: u8) -> [Words; 16] {
        let mut blocks = [[mask; BLOCK]; LANES];
        for (block, password) in blocks.iter_mut().zip(passwords) {
            for (byte, of_password) in block.iter_mut().zip(*password) {
                *byte ^= of_password;
            }
        }
        let words = side_by_side(&blocks);
        blocks.zeroize();
        words
    }

    /// The rest of the message whose first block was the key: salt, block number, padding, length in bits.
    #[target_feature(enable = "avx512f")]
    fn salted(salts: &[Salt; LANES]) -> [Words; 16] {
        let mut blocks = [[0; BLOCK]; LANES];
        for (block, salt) in blocks.iter_mut().zip(salts) {
            block[..salt.len()].copy_from_slice(salt);
            block[salt.len() + 3] = 1;
            block[salt.len() + 4] = 0x80;
            let bits = 8 * (BLOCK as u64 + salt.len() as u64 + 4);
            block[BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
        }
        side_by_side(&blocks)
    }

    /// The rest of a message whose first block was the key: a hash, padding, length in bits.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn finished(hash: &[Words; 8]) -> [Words; 16] {
        let mut block = [_mm512_setzero_si512(); 16];
        block[..8].copy_from_slice(hash);
        block[8] = splat(0x8000_0000);
        block[15] = splat(8 * (BLOCK as u32 + 32));
        block
    }

    #[target_feature(enable = "avx512f")]
    fn side_by_side(blocks: &[[u8; BLOCK]; LANES]) -> [Words; 16] {
        let mut words = [_mm512_setzero_si512(); 16];
        for (at, words) in words.iter_mut().enumerate() {
            let mut row: Row = [0; LANES];
            for (word, block) in row.iter_mut().zip(blocks) {
                let bytes = [0, 1, 2, 3].map(|byte| block[4 * at + byte]);
                *word = u32::from_be_bytes(bytes);
            }
            // SAFETY: sixteen numbers of 32 bits are what a register of 512 bits holds; any bits are valid.
            *words = unsafe { std::mem::transmute::<Row, Words>(row) };
            row.zeroize();
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
