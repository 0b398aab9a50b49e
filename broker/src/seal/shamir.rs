//! Shamir's secret sharing over GF(2^8), the field of AES: each byte of the secret is the constant term of a polynomial of its own,
//! and a share is the polynomials' values at one point, with that point as its last byte. Pure; the coefficients are an argument.
//!
//! Multiplication works without tables or branches on secret bits.

use zeroize::Zeroizing;

/// Most shares there can be: the points 1 to 255.
pub const SHARES_MAX: usize = 255;

/// Splits a secret so that `threshold` of `shares` shares give it back. `coefficients` is filled with random bytes:
/// it is called once for each byte of the secret with a buffer of `threshold - 1` bytes.
///
/// Requires `1 <= threshold <= shares <= 255`.
pub fn split(
    secret: &[u8],
    shares: usize,
    threshold: usize,
    mut coefficients: impl FnMut(&mut [u8]),
) -> Vec<Zeroizing<Vec<u8>>> {
    assert!(threshold >= 1 && threshold <= shares && shares <= SHARES_MAX);
    let mut out: Vec<Zeroizing<Vec<u8>>> = (0..shares)
        .map(|_| Zeroizing::new(Vec::with_capacity(secret.len() + 1)))
        .collect();
    let mut higher = Zeroizing::new(vec![0u8; threshold - 1]);
    for byte in secret {
        coefficients(&mut higher);
        for (point, share) in (1u8..).zip(out.iter_mut()) {
            // Horner, from the highest coefficient down to the secret byte.
            let value = higher
                .iter()
                .rev()
                .fold(0, |sum, c| multiply(sum, point) ^ c);
            share.push(multiply(value, point) ^ byte);
        }
    }
    for (point, share) in (1u8..).zip(out.iter_mut()) {
        share.push(point);
    }
    out
}

/// Puts shares together. None if they do not belong together by their form: lengths differ, a point is zero or given twice.
/// Wrong or too few shares give a wrong secret: whoever uses it will see.
pub fn combine(shares: &[Zeroizing<Vec<u8>>]) -> Option<Zeroizing<Vec<u8>>> {
    let length = shares.first()?.len();
    let mut points = Vec::with_capacity(shares.len());
    for share in shares {
        let (point, _) = share.split_last()?;
        if share.len() != length || length < 2 || *point == 0 || points.contains(point) {
            return None;
        }
        points.push(*point);
    }
    let weights: Vec<u8> = points
        .iter()
        .map(|at| weight_at_zero(*at, &points))
        .collect();
    let secret = (0..length - 1)
        .map(|i| {
            shares
                .iter()
                .zip(&weights)
                .fold(0, |sum, (share, weight)| sum ^ multiply(share[i], *weight))
        })
        .collect();
    Some(Zeroizing::new(secret))
}

/// Lagrange's basis polynomial of a point, at zero.
fn weight_at_zero(at: u8, points: &[u8]) -> u8 {
    points
        .iter()
        .filter(|other| **other != at)
        .fold(1, |product, other| {
            multiply(product, multiply(*other, invert(at ^ other)))
        })
}

fn multiply(mut a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        product ^= a & 0u8.wrapping_sub((b >> bit) & 1);
        a = (a << 1) ^ (0x1b & 0u8.wrapping_sub(a >> 7));
    }
    product
}

/// a^254 is the inverse of a in a field of 256 elements (and 0 for 0).
fn invert(a: u8) -> u8 {
    let mut power = a;
    let mut inverse = 1;
    for _ in 0..7 {
        power = multiply(power, power);
        inverse = multiply(inverse, power);
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_field_is_that_of_aes() {
        // FIPS 197, 4.2.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
        for a in 1..=255 {
            assert_eq!(multiply(a, invert(a)), 1, "{a}");
        }
    }

    #[test]
    fn shares_that_do_not_fit_are_refused() {
        let share = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        assert!(combine(&[]).is_none());
        assert!(combine(&[share(&[1])]).is_none());
        assert!(combine(&[share(&[1, 1]), share(&[1, 1])]).is_none());
        assert!(combine(&[share(&[1, 1]), share(&[1, 2, 2])]).is_none());
        assert!(combine(&[share(&[1, 0])]).is_none());
    }

    proptest! {
        #[test]
        fn any_threshold_of_shares_gives_the_secret_back(
            secret in prop::collection::vec(any::<u8>(), 1..40),
            (shares, threshold) in (1usize..12).prop_flat_map(|n| (Just(n), 1..=n)),
            order in prop::collection::vec(any::<u16>(), 12),
            seed in any::<u64>(),
        ) {
            let mut state = seed | 1;
            let made = split(&secret, shares, threshold, |buffer| {
                for byte in buffer {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    *byte = (state >> 33) as u8;
                }
            });
            let mut picked: Vec<usize> = (0..shares).collect();
            picked.sort_by_key(|i| order[*i]);
            let some: Vec<_> = picked[..threshold].iter().map(|i| made[*i].clone()).collect();
            prop_assert_eq!(&combine(&some).expect("shares of one split")[..], &secret[..]);
        }
    }

    #[test]
    fn one_share_too_few_says_nothing() {
        // With the coefficient free, one share of two is consistent with every secret.
        for guess in 0..=255u8 {
            let share = 0x5au8;
            let coefficient = multiply(share ^ guess, invert(1));
            let made = split(&[guess], 2, 2, |buffer| buffer[0] = coefficient);
            assert_eq!(made[0][0], share);
        }
    }
}
