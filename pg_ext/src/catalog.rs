//! Our own tables and the system catalogs, read and written through SPI with kept plans. No decision is taken here.

pub mod acl;
pub mod ask;
pub mod dependents;
pub mod ending;
pub mod ends;
pub mod growth;
pub mod held;
mod labels;
pub mod leases;
pub mod litter;
pub mod logins;
pub mod numbers;
pub mod offers;
pub mod outbox;
pub mod owners;
pub mod plan;
pub mod prune;
pub mod recipes;
pub mod requests;
pub mod restored;
pub mod scopes;
pub mod shared;
pub mod spread;
pub mod status;
pub mod time;
