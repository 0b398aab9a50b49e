//! `lease`: leases by id or by prefix.

pub mod lookup;
pub mod renew;
pub mod revoke;
