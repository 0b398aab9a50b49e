//! The password of a login where no policy says otherwise (contract 7.8).

use rand::CryptoRng;
use rand::seq::{IndexedRandom, SliceRandom};
use zeroize::Zeroizing;

use crate::secret::Password;

/// Its length in characters.
pub const LENGTH: usize = 20;
/// One character of each kind at least; all of them safe in URLs, shells and SQL.
const KINDS: [&[u8]; 4] = [
    b"abcdefghijklmnopqrstuvwxyz",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"0123456789",
    b"-",
];

/// Makes a password: about 118 bits of the generator's.
pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Password {
    let every: Vec<u8> = KINDS.concat();
    let mut characters = Zeroizing::new([0_u8; LENGTH]);
    for (at, character) in characters.iter_mut().enumerate() {
        let alphabet = KINDS.get(at).copied().unwrap_or(&every);
        *character = *alphabet.choose(rng).expect("no kind is empty");
    }
    characters.shuffle(rng);
    // Texts do not begin with a dash: a command line would read it as an option.
    if characters[0] == b'-' {
        let other = characters
            .iter()
            .position(|character| *character != b'-')
            .unwrap_or(0);
        characters.swap(0, other);
    }
    Password::new(String::from_utf8_lossy(&*characters))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    proptest! {
        #[test]
        fn has_one_of_each_kind(seed in any::<u64>()) {
            let password = generate(&mut StdRng::seed_from_u64(seed));
            let bytes = password.expose().as_bytes();
            prop_assert_eq!(bytes.len(), LENGTH);
            for kind in KINDS {
                prop_assert!(bytes.iter().any(|byte| kind.contains(byte)));
            }
            prop_assert!(bytes.iter().all(|byte| KINDS.concat().contains(byte)));
            prop_assert!(!password.expose().starts_with('-'));
        }
    }

    #[test]
    fn two_are_never_the_same() {
        let mut rng = StdRng::seed_from_u64(7);
        let (one, other) = (generate(&mut rng), generate(&mut rng));
        assert!(!one.same_as(other.expose()));
    }
}
