//! `secrets`: secrets engines.

pub mod disable;
pub mod enable;
pub mod list;
pub mod r#move;
pub mod tune;
