//! The embedded mode: it comes up ready, and however it ends, nothing of it is left.

use anyhow::{Context, Result};
use leasehold_tests::{Broker, DevOptions, built, wait_until};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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
    Command::new("sh")
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

/// Starts one that must not start; what it says, and that it leaves no litter.
fn refused(data: &Path) -> Result<String> {
    let process = Command::new(built::binary()?)
        .args(["dev", "-listen-address=127.0.0.1:0"])
        .arg(format!("-data={}", data.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let litter = std::env::temp_dir().join(format!("leasehold-dev-{}", process.id()));
    let output = process.wait_with_output()?;
    assert_eq!(output.status.code(), Some(2));
    assert!(!litter.exists(), "{} is left", litter.display());
    Ok(String::from_utf8(output.stderr)?)
}

#[test]
fn a_folder_in_use_is_left_alone() -> Result<()> {
    let folder = Folder::new("in-use")?;
    let options = DevOptions {
        data: Some(folder.0.clone()),
        ..DevOptions::default()
    };
    let broker = Broker::dev(&options)?;
    let said = refused(&folder.0)?;
    assert!(
        said.contains("is in use by another leasehold dev"),
        "{said}"
    );
    // The PostgreSQL of the first goes on.
    assert_eq!(broker.psql("select 1")?, "1");
    Ok(())
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() -> Result<()> {
    let folder = Folder::new("foreign")?;
    std::fs::write(folder.0.join("letter"), "dear")?;
    let said = refused(&folder.0)?;
    assert!(said.contains("neither empty nor a data folder"), "{said}");
    assert_eq!(std::fs::read_dir(&folder.0)?.count(), 1);
    Ok(())
}

/// A run that is killed while one root token takes the other's place leaves notes that name both, and one of them or both
/// alive. The next run announces one that lives, and no other root token of its own making is left.
#[test]
fn whichever_root_token_lives_is_found_again() -> Result<()> {
    let folder = Folder::new("tokens")?;
    let start = |token: Option<&str>| {
        Broker::dev(&DevOptions {
            data: Some(folder.0.clone()),
            root_token: token.map(str::to_owned),
        })
    };
    let note = |next: &str| -> Result<()> {
        let file = folder.0.join("dev.json");
        let mut notes: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        notes["next_root_token"] = json!(next);
        Ok(std::fs::write(&file, notes.to_string())?)
    };
    let lives = |broker: &Broker, token: &str| -> Result<bool> {
        let one = broker.root().with_token(token);
        Ok(one.get("auth/token/lookup-self")?.status == 200)
    };
    let make = |broker: &Broker, token: &str| -> Result<()> {
        let wanted = json!({"id": token, "policies": ["root"], "no_parent": true});
        broker
            .root()
            .post("auth/token/create", wanted)?
            .expect(200)?;
        Ok(())
    };

    // Killed before the next one was made.
    start(Some("first"))?.terminate()?;
    note("second")?;
    let mut broker = start(None)?;
    assert_eq!(broker.root().token(), Some("first"));
    assert!(lives(&broker, "first")?);

    // Killed when both lived.
    make(&broker, "second")?;
    broker.terminate()?;
    note("second")?;
    let mut broker = start(None)?;
    assert_eq!(broker.root().token(), Some("second"));
    assert!(lives(&broker, "second")? && !lives(&broker, "first")?);

    // Killed when the first one had ended; and the one that was wanted then is wanted again.
    make(&broker, "third")?;
    let revoked = broker.root().post("auth/token/revoke-self", json!({}))?;
    revoked.expect(204)?;
    broker.terminate()?;
    note("third")?;
    let broker = start(Some("third"))?;
    assert_eq!(broker.root().token(), Some("third"));
    assert!(lives(&broker, "third")?);
    let notes = std::fs::read_to_string(folder.0.join("dev.json"))?;
    assert!(!notes.contains("next_root_token"), "{notes}");
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
