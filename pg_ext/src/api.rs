//! The SQL-callable shells: parse the arguments, call a verb, convert the answer. No decision is taken here.

mod end;
mod error;
