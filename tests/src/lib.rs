//! Out-of-process tests: what they share. A real PostgreSQL, a real broker process, real clients.

pub mod golden;
