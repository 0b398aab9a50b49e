//! The table of verbs. Dispatch and help are derived from it.

mod auth;
mod delete;
mod dev;
mod lease;
mod list;
mod login;
mod mounts;
mod operator;
mod path_help;
mod policy;
mod print_token;
mod read;
mod secrets;
mod server;
mod status;
mod token;
mod unwrap;
pub mod version;
mod write;

use super::verb::{Group, Verb};

/// Every verb, in the order of lists.
pub static ALL: &[&Verb] = &[
    &read::VERB,
    &write::VERB,
    &delete::VERB,
    &list::VERB,
    &login::VERB,
    &status::VERB,
    &unwrap::VERB,
    &server::VERB,
    &dev::VERB,
    &path_help::VERB,
    &version::VERB,
    &print_token::VERB,
    &auth::disable::VERB,
    &auth::enable::VERB,
    &auth::list::VERB,
    &auth::tune::VERB,
    &lease::lookup::VERB,
    &lease::renew::VERB,
    &lease::revoke::VERB,
    &operator::init::VERB,
    &operator::key_status::VERB,
    &operator::seal::VERB,
    &operator::unseal::VERB,
    &policy::delete::VERB,
    &policy::fmt::VERB,
    &policy::list::VERB,
    &policy::read::VERB,
    &policy::write::VERB,
    &secrets::disable::VERB,
    &secrets::enable::VERB,
    &secrets::list::VERB,
    &secrets::r#move::VERB,
    &secrets::tune::VERB,
    &token::capabilities::VERB,
    &token::create::VERB,
    &token::lookup::VERB,
    &token::renew::VERB,
    &token::revoke::VERB,
];

/// Verbs that stand first in the help of the program.
pub static COMMON: &[&str] = &[
    "read", "write", "delete", "list", "login", "status", "unwrap", "server", "dev",
];

/// Words before verbs.
pub static GROUPS: &[Group] = &[
    Group {
        name: "auth",
        about: "Switch auth methods on and off",
    },
    Group {
        name: "lease",
        about: "Look leases up, renew and revoke them",
    },
    Group {
        name: "operator",
        about: "Initialise, seal and unseal a server",
    },
    Group {
        name: "policy",
        about: "Write and read policies",
    },
    Group {
        name: "print",
        about: "Print what this program would use",
    },
    Group {
        name: "secrets",
        about: "Switch secrets engines on and off",
    },
    Group {
        name: "token",
        about: "Make, look up, renew and revoke tokens",
    },
];
