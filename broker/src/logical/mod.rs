//! Vault's nouns, shared by everything in the broker: request, response, fault, operation, path table.
//!
//! Not here: HTTP (bytes, headers, status lines live in `http`), storage, and any decision about who may do what.
//! An engine is a table of [`PathSpec`]s; routing, the capability asked for, help and the "nobody may call this" test
//! are all derived from that one table.

mod batch;
mod envelope;
mod fault;
mod guess;
mod operation;
mod path_table;
mod request;
mod response;
mod token;

pub use batch::BatchClaims;
pub use envelope::Envelope;
pub use fault::{Fault, FaultText};
pub use guess::Guess;
pub use operation::Operation;
pub use path_table::{
    Access, Call, Captures, Existence, Field, Handler, Matched, PathSpec, PathTable, RunFuture,
};
pub use request::{Body, Caller, Request, TokenIdentity};
pub use response::{
    Auth, LeaseReply, Outcome, RawBody, Response, Undelivered, WrapInfo, replaced_by_path,
};
pub use token::TokenRow;
