//! Secrets as types: no Display, a Debug that is only a name, memory wiped on drop.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

macro_rules! secret_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Takes over the text.
            pub fn new(text: impl Into<String>) -> Self {
                Self(Zeroizing::new(text.into()))
            }

            /// The text itself: for the one place that must send or derive from it.
            pub fn expose(&self) -> &str {
                &self.0
            }

            /// Compares in constant time.
            pub fn same_as(&self, other: &str) -> bool {
                self.0.as_bytes().ct_eq(other.as_bytes()).into()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

secret_text!(
    /// A client token, or a wrapping token.
    Token
);
secret_text!(
    /// The password of a login, or of a configured connection.
    Password
);
secret_text!(
    /// The SCRAM verifier of a password: checks it, and is worth guessing at.
    Verifier
);
secret_text!(
    /// A connection string with its password in it.
    ConnectionUrl
);
