//! Our labels on roles, as texts of statements read them: each by its key.
//!
//! Where nobody has analyzed `pg_shseclabel` since there are leases, the planner expects one label of ours in it, and may go
//! through all of them for each lease. The `offset 0` keeps a look-up what it is.

/// A lateral look-up that gives `s.label`, null without one, beside the role whose OID is `$role`.
macro_rules! label_of {
    ($role:literal) => {
        concat!(
            "left join lateral (
                select y.label from pg_catalog.pg_shseclabel y
                 where y.objoid = ",
            $role,
            " and y.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
                   and y.provider = 'leasehold' offset 0) s on true "
        )
    };
}
pub(super) use label_of;
