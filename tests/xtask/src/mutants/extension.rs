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
    Mutant {
        name: "shared-never-looks-again",
        safety: "a shared login has the tables that came later",
        file: "pg_ext/src/role/shared.rs",
        from: "        if current {\n",
        to: "        if current || !group.name.is_empty() {\n",
        tests: &["ext_shared::a_change_is_met_once_and_not_by_every_issue"],
    },
    Mutant {
        name: "shared-keeps-old-grants",
        safety: "a shared login has no more than its statements give",
        file: "pg_ext/src/role/shared.rs",
        from: "                access::strip(each.entry, row.oid);\n",
        to: "",
        tests: &["ext_shared::a_shared_login_may_do_what_one_of_its_own_may"],
    },
    Mutant {
        name: "shared-forgets-the-definer",
        safety: "what the definer may not grant any more is refused",
        file: "pg_ext/src/role/shared.rs",
        from: "    let rights = rights(definer);\n",
        to: "    let rights = [0_u8; 32];\n",
        tests: &["ext_shared::what_the_definer_may_not_grant_any_more_is_refused_to_both"],
    },
    Mutant {
        name: "shared-groups-never-go",
        safety: "a group goes with its last login",
        file: "pg_ext/src/worker/pass.rs",
        from: "        self.groups.see_to();\n",
        to: "",
        tests: &["ext_shared::a_group_lives_as_long_as_something_needs_it"],
    },
];
