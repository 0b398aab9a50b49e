//! Recorded answers, replayed against running brokers. To add a scenario, put its file into `tests/golden/` and its
//! name into a list; what differs on purpose goes into `differences.json` with its reason.
//!
//! The README's compatibility table is made from this run: with `LEASEHOLD_WRITE_TABLE` set it is written, else it has
//! to be what would be written.

use anyhow::{Context, Result, ensure};
use leasehold_tests::golden::{Differences, Outcome, Replay, Report, Server, section, sections_of};
use leasehold_tests::{Cluster, Options, Served, built};
use std::collections::BTreeSet;
use std::path::Path;

/// Each list on a server of its own, in this order: a scenario leaves nothing behind, but some change the whole server
/// while they run, so that nothing may run beside them there.
const SERVERS: [&[&str]; 3] = [
    &[
        "guide",
        "raw-http",
        "http-methods",
        "http-paths",
        "http-headers",
        "http-bodies",
        "errors-warnings",
        "top-level",
        "coercion-duration",
        "coercion-int-string",
        "coercion-string-list",
        "mounts",
        "mounts-errors",
        "mount-tune",
        "remount",
        "cubbyhole",
        "wrapping",
        "capabilities",
        "policies-decisions",
        "policies-endpoints",
        "policies-grammar",
        "policies-live",
        "policies-parameters",
        "policies-sudo",
        "policies-wrapping-bounds",
        "sys-tools",
    ],
    &[
        "tokens-batch",
        "tokens-coercions",
        "tokens-create",
        "tokens-durations",
        "tokens-ids",
        "tokens-leases",
        "tokens-lookup",
        "tokens-mount-tune",
        "tokens-renew",
        "tokens-revoke",
        "tokens-role-create",
        "tokens-roles",
        "tokens-subset",
        "tokens-uses",
    ],
    &[
        "db-config",
        "db-config-escaping",
        "db-roles",
        "db-creds",
        "db-display-name",
        "db-username-template",
        "db-username-template-go",
        "db-statements",
        "db-statements-naive-split",
        "db-revocation",
        "db-revocation-limits",
        "lease-lookup-renew",
        "lease-list-count",
        "lease-revoke",
        "lease-expiry",
        "lease-irrevocable",
    ],
];

#[test]
fn answers_are_as_recorded() -> Result<()> {
    let folder = built::top().join("tests/golden");
    let differences = Differences::load(&folder)?;
    let replayed: BTreeSet<&str> = SERVERS.iter().copied().flatten().copied().collect();
    let strange: Vec<_> = differences
        .scenarios()
        .difference(&replayed)
        .copied()
        .collect();
    assert!(strange.is_empty(), "listed, but not replayed: {strange:?}");

    let runs: Vec<Result<Vec<Outcome>>> = std::thread::scope(|scope| {
        SERVERS
            .map(|names| scope.spawn(|| replay(&folder, &differences, names)))
            .map(|thread| thread.join().expect("a replay does not panic"))
            .into()
    });
    let outcomes = runs.into_iter().collect::<Result<Vec<_>>>()?.concat();
    let mut all = Report::default();
    for outcome in &outcomes {
        println!("{}: {}", outcome.name, outcome.report.line());
        all.add(&outcome.report);
    }
    println!("{}", all.line());
    // The refusal of a head of 1 MiB races with the reset that follows it while the client still sends: whether the
    // answer is read is the kernel's choice, so that one step may come out either way, and the counts with it.
    let before = all.failures.len();
    all.failures
        .retain(|failure| !failure.starts_with("raw-http step 41 "));
    let raced = before > all.failures.len();
    assert!(
        all.failures.is_empty(),
        "{}\n{}",
        all.failures.join("\n"),
        all.line()
    );
    if raced {
        return Ok(());
    }
    hold_table(&built::top().join("README.md"), &section(&outcomes))
}

fn replay(folder: &Path, differences: &Differences, names: &[&str]) -> Result<Vec<Outcome>> {
    let cluster = Cluster::start(Options::default())?;
    let served = Served::start(&cluster, "store", "")?;
    let server = Server {
        address: served.address().to_owned(),
        root: served.root_token().to_owned(),
        pg: format!("127.0.0.1:{}", cluster.port()),
        pg_user: Cluster::SUPERUSER.to_owned(),
        pg_password: Cluster::SUPERUSER_PASSWORD.to_owned(),
    };
    let mut replay = Replay::new(folder, server, differences.clone());
    names
        .iter()
        .map(|name| replay.run(name).with_context(|| (*name).to_owned()))
        .collect()
}

/// The README says what this run came to.
fn hold_table(readme: &Path, section: &str) -> Result<()> {
    let page = std::fs::read_to_string(readme).context("reading the README")?;
    let (written, new) = sections_of(&page, section)?;
    if std::env::var_os("LEASEHOLD_WRITE_TABLE").is_some() {
        return std::fs::write(readme, new).context("writing the README");
    }
    ensure!(
        written == section,
        "the README's compatibility table is not what this run came to: set LEASEHOLD_WRITE_TABLE=1 and run again"
    );
    Ok(())
}
