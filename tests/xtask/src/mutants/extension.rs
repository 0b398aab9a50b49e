//! Safeties of the extension.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "fence-keeps-memberships",
        safety: "a fenced login lends nothing",
        file: "pg_ext/src/catalog/ending.rs",
        from: "where m.member = any ($1) or m.roleid = any ($1) for update skip locked)",
        to: "where false for update skip locked)",
        tests: &["ext_end::a_fenced_login_lends_nothing"],
    },
    Mutant {
        name: "hunt-without-a-kill",
        safety: "sessions are ended",
        file: "pg_ext/src/worker/hunt.rs",
        from: "                backends::terminate(backend);\n",
        to: "",
        tests: &["ext_end::a_lease_ends_on_time_with_all_its_sessions"],
    },
];
