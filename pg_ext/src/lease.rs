//! The verbs of a lease: issue, renew, revoke, settle, end. Each is one function that is called inside a transaction.

pub mod end;
