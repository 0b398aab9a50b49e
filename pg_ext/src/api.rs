//! The SQL-callable shells: parse the arguments, call a verb, convert the answer. No decision is taken here.

mod args;
mod end;
mod error;
mod issuing;
mod living;
mod place;
mod recipes;
