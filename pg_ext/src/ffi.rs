//! The only place with unsafe code: small doors to PostgreSQL's C functions, each with the reason why it holds.

pub mod clock;
pub mod identity;
pub mod label;
pub mod latch;
pub mod parser;
pub mod report;
pub mod shmem;
pub mod subxact;
pub mod xact;
