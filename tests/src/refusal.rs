//! What PostgreSQL says when it refuses, as `psql` reports it.

use anyhow::{Result, bail, ensure};

/// The SQLSTATE of an error.
///
/// # Panics
/// If it is none of PostgreSQL's.
pub fn sqlstate(result: Result<String>) -> String {
    let text = format!("{:#}", result.expect_err("an error"));
    let (_, rest) = text.split_once("ERROR:  ").expect("psql says ERROR");
    rest[..5].to_owned()
}

/// Something must fail: with that SQLSTATE, and with each of `words` in what is said.
pub fn refused<T>(result: Result<T>, state: &str, words: &[&str]) -> Result<()> {
    let Err(error) = result else {
        bail!("it was not refused; want {state} {words:?}")
    };
    let error = format!("{error:#}");
    ensure!(
        error.contains(&format!("ERROR:  {state}: ")),
        "want {state}: {error}"
    );
    for word in words {
        ensure!(error.contains(word), "want {word:?}: {error}");
    }
    Ok(())
}
