//! The verbs of a lease: issue, renew, revoke, settle, end. Each is one function that is called inside a transaction.

pub mod changes;
pub mod end;
mod enforced;
pub mod inventory;
pub mod issue;
pub mod login;
pub mod owner;
pub mod renew;
pub mod revoke;
pub mod scope;
pub mod settle;
pub mod spread;
