//! Recorded answers, replayed against a running broker. To add a scenario, put its file into `tests/golden/` and its
//! name into the list; what differs on purpose goes into `differences.json` with its reason.

use anyhow::Result;
use leasehold_tests::golden::{Replay, Report, Server};
use leasehold_tests::{Broker, DevOptions, built};

/// In this order, on one server: a scenario leaves nothing behind.
const SCENARIOS: [&str; 1] = ["guide"];

#[test]
fn answers_are_as_recorded() -> Result<()> {
    let broker = Broker::dev(&DevOptions::default())?;
    let server = Server {
        address: broker.address().to_owned(),
        root: broker.root().token().unwrap_or_default().to_owned(),
        pg: format!("{}:{}", broker.postgres("host"), broker.postgres("port")),
        pg_user: broker.postgres("user"),
        pg_password: broker.postgres("password"),
    };
    let mut replay = Replay::new(&built::top().join("tests/golden"), server)?;
    let mut all = Report::default();
    for name in SCENARIOS {
        let report = replay.run(name)?;
        println!("{name}: {}", report.line());
        all.add(report);
    }
    println!("{}", all.line());
    assert!(
        all.failures.is_empty(),
        "{}\n{}",
        all.failures.join("\n"),
        all.line()
    );
    Ok(())
}
