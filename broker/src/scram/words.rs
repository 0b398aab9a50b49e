//! What the two ways to derive keys share: the numbers of SHA-256 (RFC 6234), and the blocks with which PBKDF2 by HMAC
//! begins (RFC 8018, RFC 2104), as words.

use super::{BLOCK, Salt};

/// The hash of nothing yet.
pub const INITIAL: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// One for each round.
pub const ROUND: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// HMAC's masks.
pub const INNER: u8 = 0x36;
/// The other one.
pub const OUTER: u8 = 0x5c;

/// The word behind a message that ends with the word before.
pub const END: u32 = 0x8000_0000;
/// The length of a message of one block and a hash.
pub const BITS_OF_HASH: u32 = 8 * (BLOCK as u32 + 32);

/// A key, padded with zeros, under one of HMAC's masks. It is no longer than a block.
pub fn of_key(key: &[u8], mask: u8) -> [u32; 16] {
    let mut block = [mask; BLOCK];
    for (byte, of_key) in block.iter_mut().zip(key) {
        *byte ^= of_key;
    }
    words(&block)
}

/// The rest of the message whose first block was the key: salt, number of the block of output (which is one), padding,
/// length in bits.
pub fn of_salt(salt: &Salt) -> [u32; 16] {
    let mut block = [0; BLOCK];
    block[..salt.len()].copy_from_slice(salt);
    block[salt.len() + 3] = 1;
    block[salt.len() + 4] = 0x80;
    let bits = 8 * (BLOCK as u64 + salt.len() as u64 + 4);
    block[BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
    words(&block)
}

fn words(block: &[u8; BLOCK]) -> [u32; 16] {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    words
}
