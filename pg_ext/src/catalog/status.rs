//! How leases stand, asked without locking anything.

use super::ask::look;
use pgrx::pg_sys;

/// How many leases are not gone.
pub fn count_live() -> i64 {
    look(
        "select pg_catalog.count(*) from leasehold.live_leases",
        &[],
        |row| row.must(1),
    )
    .pop()
    .unwrap_or(0)
}

/// How one lease stands.
pub struct Standing {
    /// Its id, as it was asked for.
    pub lease_id: String,
    /// `active`, `fenced` or `gone`; what is not known is gone.
    pub state: String,
    /// Its login, while it is not gone.
    pub login: Option<pg_sys::Oid>,
    /// Why it is not gone yet.
    pub last_error: Option<String>,
}

/// How these leases stand, of the scopes in `scopes`.
pub fn of(lease_ids: &[String], scopes: &[String]) -> Vec<Standing> {
    look(
        "select x.id, coalesce(l.state, 'gone'), l.login_oid, l.last_error
           from pg_catalog.unnest($1) with ordinality x (id, n)
           left join lateral (select a.state, a.login_oid, a.last_error from leasehold.live_leases a
                               where a.lease_id = x.id and a.scope = any ($2) offset 0) l on true
          order by x.n",
        &[lease_ids.to_vec().into(), scopes.to_vec().into()],
        |row| Standing {
            lease_id: row.must(1),
            state: row.must(2),
            login: row.get(3),
            last_error: row.get(4),
        },
    )
}
