//! The root key has a source of its own: whoever has it unseals by itself, whenever the store is initialised, and nobody
//! undoes what an operator has sealed.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Actor, Cluster, Options, Served, Setup};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// A new one is looked for once a second.
const SEVERAL_LOOKS: Duration = Duration::from_secs(4);

/// A broker on this store, which need not be initialised, with this seal stanza.
fn broker(cluster: &Cluster, seal: &str) -> Result<Served> {
    let setup = Setup {
        more: seal.to_owned(),
        environment: vec![("LEASEHOLD_TEST_KEY".to_owned(), "5a".repeat(32))],
        ..Setup::default()
    };
    Served::spawned(cluster.port(), "store", &setup)
}

/// Initialises through this broker; gives back who holds the root token.
fn initialise(served: &Served) -> Result<Actor> {
    let made = served.nobody().put("sys/init", json!({}))?.expect(200)?;
    Ok(served.nobody().with_token(&made.text_at("/root_token")?))
}

fn serves(served: &Served, token: &str) -> Result<()> {
    let holder = served.nobody().with_token(token);
    holder.get("auth/token/lookup-self")?.expect(200).map(drop)
}

#[test]
fn a_broker_that_was_there_before_the_store_had_keys_unseals_by_itself() -> Result<()> {
    const SEAL: &str = "seal \"environment\" {\n  name = \"LEASEHOLD_TEST_KEY\"\n}";
    let cluster = Cluster::start(Options::default())?;
    cluster.create_database("store")?;
    let (one, two) = (broker(&cluster, SEAL)?, broker(&cluster, SEAL)?);
    for served in [&one, &two] {
        served.until_answers(|status| status == 501)?;
    }
    let root = initialise(&one)?;
    let token = root.token().context("a token")?;
    serves(&one, token)?;
    two.until_answers(|status| status == 200)?;
    serves(&two, token)?;
    // Sealed by somebody, it stays so, and it alone.
    let there = two.nobody().with_token(token);
    there.put("sys/seal", json!({}))?.expect(204)?;
    std::thread::sleep(SEVERAL_LOOKS);
    let health = two.nobody().get("sys/health")?;
    ensure!(health.status == 503, "it has unsealed: {}", health.text);
    serves(&one, token)
}

#[test]
fn a_store_that_has_keys_makes_nobody_a_key_file() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.create_database("store")?;
    let folder = Folder::new()?;
    let (path, other) = (folder.0.join("key"), folder.0.join("other"));
    let seal = |path: &PathBuf| format!("seal \"file\" {{\n  path = \"{}\"\n}}", path.display());
    let (one, two) = (
        broker(&cluster, &seal(&path))?,
        broker(&cluster, &seal(&other))?,
    );
    for served in [&one, &two] {
        served.until_answers(|status| status == 501)?;
    }
    let root = initialise(&one)?;
    two.nobody().put("sys/init", json!({}))?.expect(400)?;
    let late = json!({"secret_shares": 1, "secret_threshold": 1});
    let late = two.nobody().put("sys/init", late)?.expect(400)?;
    ensure!(
        late.text.contains("Vault is already initialized"),
        "{}",
        late.text
    );
    ensure!(!other.exists(), "a key file was made that opens nothing");
    // Given the right one, it goes on by itself.
    std::fs::copy(&path, &other)?;
    two.until_answers(|status| status == 200)?;
    serves(&two, root.token().context("a token")?)
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder> {
        let name = format!("leasehold-tests-keys-{}", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
