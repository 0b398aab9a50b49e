//! The only place with unsafe code: small doors to PostgreSQL's C functions, each with the reason why it holds.

pub mod clock;
pub mod grant;
pub mod identity;
pub mod inval;
pub mod label;
pub mod latch;
pub mod membership;
pub mod parser;
pub mod report;
pub mod shmem;
pub mod subxact;
pub mod utility;
pub mod xact;
