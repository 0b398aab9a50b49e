//! `auth`: auth methods.

pub mod disable;
pub mod enable;
pub mod list;
pub mod tune;
