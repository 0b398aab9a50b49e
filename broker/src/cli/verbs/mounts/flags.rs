//! Flags of mounts.

use crate::cli::flags::{Flag, Kind};

/// Of a new secrets engine.
pub static ENABLE_SECRETS: [Flag; 16] = [
    PATH,
    DESCRIPTION,
    DEFAULT_TTL,
    MAX_TTL,
    FORCE_NO_CACHE,
    LOCAL,
    SEAL_WRAP,
    ENTROPY,
    OPTIONS,
    VERSION,
    PLUGIN_VERSION,
    VISIBILITY,
    AUDIT_REQUEST,
    AUDIT_RESPONSE,
    PASS_HEADERS,
    ALLOW_HEADERS,
];
/// Of a new auth method.
pub static ENABLE_AUTH: [Flag; 16] = [
    PATH,
    DESCRIPTION,
    DEFAULT_TTL,
    MAX_TTL,
    TOKEN_TYPE,
    LOCAL,
    SEAL_WRAP,
    ENTROPY,
    OPTIONS,
    VERSION,
    PLUGIN_VERSION,
    VISIBILITY,
    AUDIT_REQUEST,
    AUDIT_RESPONSE,
    PASS_HEADERS,
    ALLOW_HEADERS,
];
/// Of a secrets engine that is there.
pub static TUNE_SECRETS: [Flag; 11] = [
    DESCRIPTION,
    DEFAULT_TTL,
    MAX_TTL,
    OPTIONS,
    VERSION,
    PLUGIN_VERSION,
    VISIBILITY,
    AUDIT_REQUEST,
    AUDIT_RESPONSE,
    PASS_HEADERS,
    ALLOW_HEADERS,
];
/// Of an auth method that is there.
pub static TUNE_AUTH: [Flag; 12] = [
    DESCRIPTION,
    DEFAULT_TTL,
    MAX_TTL,
    TOKEN_TYPE,
    OPTIONS,
    VERSION,
    PLUGIN_VERSION,
    VISIBILITY,
    AUDIT_REQUEST,
    AUDIT_RESPONSE,
    PASS_HEADERS,
    ALLOW_HEADERS,
];
/// Of the lists.
pub static LIST: [Flag; 1] = [Flag::new(
    "detailed",
    Kind::Switch,
    "All columns; with -format they are there anyway.",
)];

const PATH: Flag = Flag::new(
    "path",
    Kind::Text,
    "Where it will be; the default is the name of its type. Must be free.",
);
const DESCRIPTION: Flag = Flag::new("description", Kind::Text, "A few words for people.");
const DEFAULT_TTL: Flag = Flag::new(
    "default-lease-ttl",
    Kind::Duration,
    "How long what it gives lives, unless something else says so. Unset: as the server is set.",
);
const MAX_TTL: Flag = Flag::new(
    "max-lease-ttl",
    Kind::Duration,
    "How long at most. Unset: as the server is set.",
);
const FORCE_NO_CACHE: Flag = Flag::new(
    "force-no-cache",
    Kind::Switch,
    "Ask the server not to cache what is stored there.",
);
const LOCAL: Flag = Flag::new("local", Kind::Switch, "Do not replicate it.");
const SEAL_WRAP: Flag = Flag::new(
    "seal-wrap",
    Kind::Switch,
    "Wrap what it stores by the seal, too.",
);
const ENTROPY: Flag = Flag::new(
    "external-entropy-access",
    Kind::Switch,
    "Let it use the seal's source of randomness.",
);
const OPTIONS: Flag = Flag::new(
    "options",
    Kind::Pairs,
    "An option of this type of mount; can be given more than once.",
);
const VERSION: Flag = Flag::new("version", Kind::Number, "The same as -options=version=N.");
const PLUGIN_VERSION: Flag = Flag::new(
    "plugin-version",
    Kind::Text,
    "The version of the plugin to use.",
);
const VISIBILITY: Flag = Flag::new(
    "listing-visibility",
    Kind::Text,
    "Whether it is listed to callers without a token: unauth or hidden.",
);
const TOKEN_TYPE: Flag = Flag::new(
    "token-type",
    Kind::Text,
    "Type of tokens it gives: service, batch, default-service or default-batch.",
);
const AUDIT_REQUEST: Flag = Flag::new(
    "audit-non-hmac-request-keys",
    Kind::Texts,
    "Key of a request that audit devices show in plain text; can be given more than once.",
);
const AUDIT_RESPONSE: Flag = Flag::new(
    "audit-non-hmac-response-keys",
    Kind::Texts,
    "Key of an answer that audit devices show in plain text; can be given more than once.",
);
const PASS_HEADERS: Flag = Flag::new(
    "passthrough-request-headers",
    Kind::Texts,
    "Header of requests that it sees; can be given more than once.",
);
const ALLOW_HEADERS: Flag = Flag::new(
    "allowed-response-headers",
    Kind::Texts,
    "Header that it may set in answers; can be given more than once.",
);
