//! `token`: tokens.

pub mod capabilities;
pub mod create;
pub mod lookup;
pub mod renew;
pub mod revoke;
