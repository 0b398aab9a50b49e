//! The SQL-callable shells: parse the arguments, call a verb, convert the answer. No decision is taken here.
#![expect(
    clippy::result_large_err,
    reason = "pgrx's own error type, which every SQL function ends with"
)]

mod args;
mod end;
mod error;
mod issuing;
mod living;
mod place;
mod recipes;
mod rows;
