//! What all the doors have in common: who is calling, and arguments that are null or hold nulls.

use crate::catalog::time;
use crate::core::error::Fault;
use crate::core::ttl::Wish;
use crate::ffi::{identity, xact};
use crate::lease::scope::Caller;
use pgrx::datum::{Array, Interval};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::spi::{Spi, SpiClient};
use std::ffi::CStr;

/// Runs a verb with the rights of the extension. Who called is found out before.
pub fn verb<R>(
    work: impl FnOnce(&mut SpiClient<'_>, &Caller) -> Result<R, Fault>,
) -> Result<R, ErrorReport> {
    xact::refuse_read_only();
    let caller = Caller::current()?;
    let result = identity::as_extension(|| Spi::connect_mut(|db| work(db, &caller)));
    Ok(result?)
}

/// An argument that can not be null.
pub fn need<T>(what: &str, value: Option<T>) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::argument(format!("{what} is null"), "Give a value."))
}

/// A list of texts; an absent list is empty.
pub fn texts(what: &str, list: Option<Array<'_, &str>>) -> Result<Vec<String>, Fault> {
    let Some(list) = list else {
        return Ok(Vec::new());
    };
    list.iter()
        .map(|text| Ok(text.ok_or_else(|| holds_null(what))?.to_owned()))
        .collect()
}

/// Texts beside a list of `count` things: null for those that it says nothing about. An absent list says nothing at all.
pub fn texts_beside(
    what: &str,
    list: Option<Array<'_, &str>>,
    count: usize,
) -> Result<Vec<Option<String>>, Fault> {
    let Some(list) = list else {
        return Ok(vec![None; count]);
    };
    fits(what, list.len(), count)?;
    Ok(list.iter().map(|text| text.map(str::to_owned)).collect())
}

/// Durations beside such a list, in microseconds.
pub fn lengths_beside(
    what: &str,
    list: Option<Array<'_, Interval>>,
    count: usize,
) -> Result<Vec<Option<i64>>, Fault> {
    let Some(list) = list else {
        return Ok(vec![None; count]);
    };
    fits(what, list.len(), count)?;
    // By reference: pgrx's owned iterator asserts that a null at the end lies within the array's data, which it does not.
    Ok(list
        .iter()
        .map(|length| length.as_ref().map(time::length))
        .collect())
}

fn fits(what: &str, has: usize, count: usize) -> Result<(), Fault> {
    if has == count {
        return Ok(());
    }
    Err(Fault::argument(
        format!("{what} has {has} members where {count} are meant"),
        "Give one for each, null where there is nothing to say, or leave the list out.",
    ))
}

/// What one call asks for; in microseconds from here on.
pub fn wish(ttl: Option<&Interval>, max_ttl: Option<&Interval>) -> Wish {
    Wish {
        ttl_us: ttl.map(time::length),
        max_us: max_ttl.map(time::length),
    }
}

/// A list of names; an absent list is empty.
pub fn names(what: &str, list: Option<Array<'_, &CStr>>) -> Result<Vec<String>, Fault> {
    let Some(list) = list else {
        return Ok(Vec::new());
    };
    list.iter()
        .map(|name| {
            Ok(name
                .ok_or_else(|| holds_null(what))?
                .to_string_lossy()
                .into_owned())
        })
        .collect()
}

fn holds_null(what: &str) -> Fault {
    Fault::argument(format!("{what} holds a null"), "Leave it out.")
}
