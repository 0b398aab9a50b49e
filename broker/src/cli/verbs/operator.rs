//! `operator`: what is done once in the life of a server, or of a process.

pub mod init;
pub mod key_status;
pub mod seal;
pub mod unseal;
