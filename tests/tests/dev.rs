//! The embedded mode: it comes up ready, and however it ends, nothing of it is left.

use anyhow::{Context, Result};
use leasehold_tests::{Broker, DevOptions, wait_until};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Where a broker's throw-away files lie.
fn trash(broker: &Broker) -> PathBuf {
    std::env::temp_dir().join(format!("leasehold-dev-{}", broker.pid()))
}

fn nobody_listens(broker: &Broker) -> bool {
    let port = broker.postgres("port").parse().unwrap_or_default();
    std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
}

#[test]
fn it_is_ready_and_ends_without_a_trace() -> Result<()> {
    let mut broker = Broker::dev(&DevOptions::default())?;
    let health = broker.nobody().get("sys/health")?.expect(200)?;
    assert_eq!(health.at("/sealed")?, false);
    assert_eq!(
        broker.psql("select extname from pg_extension where extname = 'leasehold'")?,
        "leasehold"
    );
    assert!(trash(&broker).exists());
    broker.terminate()?;
    assert!(!trash(&broker).exists());
    assert!(nobody_listens(&broker));
    Ok(())
}

#[test]
fn a_killed_one_takes_its_postgresql_along() -> Result<()> {
    let mut broker = Broker::dev(&DevOptions::default())?;
    broker.kill()?;
    wait_until(PATIENCE, "PostgreSQL is gone", || {
        Ok(nobody_listens(&broker) && !trash(&broker).exists())
    })
}

#[test]
fn kept_data_go_on_after_a_proper_end_and_after_two_kills() -> Result<()> {
    let folder = Folder::new("data")?;
    let options = DevOptions {
        data: Some(folder.0.clone()),
        ..DevOptions::default()
    };
    let mut broker = Broker::dev(&options)?;
    let token = broker.root().token().map(str::to_owned);
    let port = broker.postgres("port");
    broker.psql("create table kept (n int); insert into kept values (1)")?;
    broker.terminate()?;

    let mut broker = Broker::dev(&options)?;
    assert_eq!(broker.root().token().map(str::to_owned), token);
    assert_eq!(broker.postgres("port"), port);
    broker.psql("update kept set n = n + 1")?;
    let pid_file = folder.0.join("postgres/postmaster.pid");
    let pid_file = std::fs::read_to_string(pid_file)?;
    let postmaster = pid_file.lines().next().context("a pid")?;
    std::process::Command::new("sh")
        .args(["-c", "kill -9 \"$1\"", "kill", postmaster])
        .status()?;
    broker.kill()?;

    let broker = Broker::dev(&options)?;
    assert_eq!(broker.psql("select n from kept")?, "2");
    let health = broker.nobody().get("sys/health")?.expect(200)?;
    assert_eq!(health.at("/sealed")?, false);
    Ok(())
}

#[test]
fn secrets_of_a_kept_folder_are_its_owners_only() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("secrets")?;
    let options = DevOptions {
        data: Some(folder.0.clone()),
        root_token: Some("wanted-by-the-test".to_owned()),
    };
    let broker = Broker::dev(&options)?;
    assert_eq!(broker.root().token(), Some("wanted-by-the-test"));
    for name in ["key", "dev.json"] {
        let mode = std::fs::metadata(folder.0.join(name))?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    Ok(())
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Folder> {
        let name = format!("leasehold-tests-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}
