//! Statistics for a table that grows fast: plans that are kept were made for the size of that moment, and the server looks
//! again only after a minute. Its look makes every plan over the table new, in every session.

use super::ask::{rows, write};

/// How large the table of leases is, in pages.
pub fn pages() -> i64 {
    rows(
        "select pg_catalog.pg_relation_size('leasehold.live_leases'::pg_catalog.regclass)
              / pg_catalog.current_setting('block_size')::bigint",
        &[],
        |row| row.must(1),
    )
    .pop()
    .unwrap_or(0)
}

/// Looks at it, unless somebody does already. Inside a transaction.
pub fn look() {
    write("analyze (skip_locked) leasehold.live_leases", &[]);
}
