//! Flags that verbs share.

use super::{Flag, Kind};

/// What a client needs to reach its server.
pub static HTTP: [Flag; 16] = [
    Flag::new(
        "address",
        Kind::Text,
        "Address of the server. The default is https://127.0.0.1:8200.",
    )
    .or_variable("ADDR"),
    Flag::new(
        "ca-cert",
        Kind::Text,
        "File with PEM-encoded certificates of the authorities to trust, instead of those of the \
         system. Wins over -ca-path.",
    )
    .or_variable("CACERT"),
    Flag::new("ca-path", Kind::Text, "Folder of such files.").or_variable("CAPATH"),
    Flag::new(
        "client-cert",
        Kind::Text,
        "File with the PEM-encoded certificate to show to the server. Needs -client-key.",
    )
    .or_variable("CLIENT_CERT"),
    Flag::new(
        "client-key",
        Kind::Text,
        "File with the PEM-encoded key of -client-cert.",
    )
    .or_variable("CLIENT_KEY"),
    Flag::new(
        "disable-redirects",
        Kind::Switch,
        "Refuse a redirect; by default one is followed.",
    )
    .or_variable("DISABLE_REDIRECTS"),
    Flag::new(
        "header",
        Kind::Pairs,
        "A header to send with every request, as name=value; can be given more than once. \
         Names that begin with X-Vault- are refused.",
    ),
    Flag::new(
        "max-retries",
        Kind::Number,
        "How often to ask again when the server is busy, broken or away. The default is 0.",
    )
    .or_variable("MAX_RETRIES"),
    Flag::new(
        "namespace",
        Kind::Text,
        "Namespace to work in; there is only root here.",
    )
    .alias("ns")
    .or_variable("NAMESPACE"),
    Flag::new(
        "non-interactive",
        Kind::Switch,
        "Never ask on the terminal; fail where something is missing.",
    ),
    Flag::new(
        "output-curl-string",
        Kind::Switch,
        "Send nothing; print the curl command that would send the same.",
    ),
    Flag::new(
        "output-policy",
        Kind::Switch,
        "Send nothing; print the policy that a token needs for it.",
    ),
    Flag::new(
        "timeout",
        Kind::Duration,
        "How long one request may take. The default is 60s.",
    )
    .or_variable("CLIENT_TIMEOUT"),
    Flag::new(
        "tls-server-name",
        Kind::Text,
        "Name that the server's certificate must carry, instead of the host of the address.",
    )
    .or_variable("TLS_SERVER_NAME"),
    Flag::new(
        "tls-skip-verify",
        Kind::Switch,
        "Do not verify the server's certificate: whoever sits in between reads your token.",
    )
    .or_variable("SKIP_VERIFY"),
    Flag::new(
        "wrap-ttl",
        Kind::Duration,
        "Ask for a wrapped answer: a token good for one \"unwrap\" within this time, such as 30s \
         or 5m.",
    )
    .or_variable("WRAP_TTL"),
];

/// How to print: `-format`, and for verbs with fields `-field` too.
pub static OUTPUT: [Flag; 2] = [
    Flag::new(
        "format",
        Kind::Text,
        "Print as table, json or yaml. The default is table.",
    )
    .or_variable("FORMAT"),
    Flag::new(
        "field",
        Kind::Text,
        "Print the value of this field and nothing else; without a newline, unless to a terminal.",
    ),
];
