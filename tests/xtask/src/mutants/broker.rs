//! Safeties of the broker.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "abandoned-mounts-stay",
        safety: "a mount that a broker left half-way is taken up by another",
        file: "broker/src/lease/worker.rs",
        from: "if let Err(error) = mount::take_up(&core).await {",
        to: "if let Err(error) = Ok::<(), sqlx::Error>(()) {",
        tests: &["brokers::several::a_mount_left_half_way_is_taken_up"],
    },
    Mutant {
        name: "intents-stay",
        safety: "an intent that has lost its broker is settled",
        file: "broker/src/lease/settle.rs",
        from: "let old = leases::old_intents(&core.store, target.id(), AGE_SECONDS, BATCH).await?;",
        to: "let old = Vec::new();",
        tests: &["brokers::intents::an_issue_that_comes_after_its_settlement_makes_nothing"],
    },
    Mutant {
        name: "ends-without-settling",
        safety: "what ends an unconfirmed lease settles it first",
        file: "broker/src/lease/end.rs",
        from: "        settle::settle(core, &target, batch).await?;\n",
        to: "        let _ = batch;\n",
        tests: &["brokers::intents::a_prefix_revoked_during_an_issue_takes_it_along"],
    },
    Mutant {
        name: "lost-answers-are-failures",
        safety: "an unknown outcome is asked for again by request id",
        file: "broker/src/target/call.rs",
        from: "let again = in_doubt && error.is_absence()",
        to: "let again = false && error.is_absence()",
        tests: &["brokers::intents::an_answer_that_is_lost_is_asked_for_again"],
    },
    Mutant {
        name: "outbox-for-its-writer-only",
        safety: "the outbox is worked off by any broker",
        file: "broker/src/lease/worker.rs",
        from: "    while outbox::deliver(core, target_id).await? {}\n",
        to: "",
        tests: &["brokers::several::one_broker_goes_on_with_what_another_began"],
    },
    Mutant {
        name: "no-comparison",
        safety: "store and target come to agree after a restore",
        file: "broker/src/lease/comparison.rs",
        from: "if Instant::now() < comparison.due_at {",
        to: "if comparison.due_at < Instant::now() + PAGE_EVERY * 99 {",
        tests: &["brokers::restore::a_restored_store_and_its_targets_come_to_agree"],
    },
    Mutant {
        name: "strays-are-adopted",
        safety: "leases of a token that the store does not know end",
        file: "broker/src/store/comparison.rs",
        from: "where (h.owner is null or o.token_id is not null) and exists",
        to: "where exists",
        tests: &["brokers::restore::a_restored_store_and_its_targets_come_to_agree"],
    },
    Mutant {
        name: "old-texts-stay-in-force",
        safety: "a restored store puts its roles in force again",
        file: "broker/src/store/database.rs",
        from: "setval('leasehold_broker.role_revision', nextval('leasehold_broker.role_revision') + $4)",
        to: "revision + 0 * $4",
        tests: &["brokers::restore::a_restored_store_and_its_targets_come_to_agree"],
    },
];
