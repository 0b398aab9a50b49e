//! Our own tables and the system catalogs, read and written through SPI with kept plans. No decision is taken here.

pub mod acl;
pub mod ask;
pub mod dependents;
pub mod ending;
pub mod litter;
pub mod plan;
pub mod prune;
pub mod restored;
pub mod status;
