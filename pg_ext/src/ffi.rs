//! The only place with unsafe code: small doors to PostgreSQL's C functions, each with the reason why it holds.

pub mod acl;
pub mod backends;
pub mod bgworker;
pub mod clock;
pub mod databases;
pub mod drop;
pub mod durable;
pub mod grant;
pub mod guard;
pub mod identity;
pub mod inval;
pub mod label;
pub mod latch;
pub mod login;
pub mod membership;
pub mod owned;
pub mod parser;
pub mod planner;
pub mod random;
pub mod report;
pub mod settings;
pub mod shmem;
pub mod subxact;
pub mod txn;
pub mod utility;
pub mod xact;
