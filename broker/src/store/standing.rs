//! Whether a server takes writes. Nothing is authorised from a replica, which may not know yet what was revoked; and what takes
//! no writes is no store for long.

use sqlx::PgConnection;

/// Why the server at the other end takes no writes; None: it does.
///
/// A server leaves recovery without ending its sessions, and never goes back into it with them; the setting may change at any
/// time.
pub(super) async fn refusal(connection: &mut PgConnection) -> sqlx::Result<Option<&'static str>> {
    let (standby, read_only): (bool, bool) = sqlx::query_as(
        "select pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')::boolean",
    )
    .fetch_one(connection)
    .await?;
    Ok(words(standby, read_only))
}

/// Keeps a new connection out of the pool unless its server takes writes.
pub(super) async fn check(connection: &mut PgConnection) -> sqlx::Result<()> {
    match refusal(connection).await? {
        None => Ok(()),
        Some(why) => Err(sqlx::Error::Configuration(why.into())),
    }
}

fn words(standby: bool, read_only: bool) -> Option<&'static str> {
    match (standby, read_only) {
        // Every transaction of a standby is read-only, whatever is set.
        (true, _) => Some(
            "the store's server takes no writes: it is a standby; let connection_url lead to the primary, or promote it",
        ),
        (false, true) => Some(
            "the store's server takes no writes: default_transaction_read_only is on; set it to off for the store's database and login",
        ),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_is_told_from_a_setting() {
        let check = |standby, read_only, expect: &str| {
            let got = words(standby, read_only).unwrap_or("fit");
            assert!(got.contains(expect), "{standby} {read_only}: {got}");
        };
        check(false, false, "fit");
        check(false, true, "default_transaction_read_only is on");
        check(true, true, "it is a standby");
        check(true, false, "it is a standby");
    }
}
