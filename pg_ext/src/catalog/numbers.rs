//! The sequences behind our numbers. Writing all data includes them, and no trigger can refuse that.

use super::ask::rows;

/// A statement that lets a sequence go on behind the highest of its numbers, if it has come so far as none does by itself in a
/// thousand years.
macro_rules! renumber {
    ($sequence:literal, $($highest:literal),+) => {
        concat!(
            "select pg_catalog.setval('leasehold.", $sequence, "', 1 + greatest(0", $(", (", $highest, ")"),+, "), false)
               from leasehold.", $sequence, " s where s.last_value > 4611686018427387904"
        )
    };
}

const EACH: [&str; 3] = [
    renumber!(
        "live_leases_lease_number_seq",
        "select pg_catalog.max(l.lease_number) from leasehold.live_leases l",
        "select pg_catalog.max(l.lease_number) from leasehold.past_leases l"
    ),
    renumber!(
        "shared_groups_group_number_seq",
        "select pg_catalog.max(g.group_number) from leasehold.shared_groups g"
    ),
    renumber!(
        "outbox_id_seq",
        "select pg_catalog.max(o.id) from leasehold.outbox o"
    ),
];

/// Sequences that somebody has set to their ends go on behind what is there.
pub fn mend() {
    for renumber in EACH {
        rows(renumber, &[], |_| ());
    }
}
