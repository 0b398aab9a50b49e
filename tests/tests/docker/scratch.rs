//! What the images' builds and first starts do, done in a scratch root.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Actor, Cluster, Options, built, wait_until};
use serde_json::json;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use super::text;

const PG_CONFIG: &str = "/usr/lib/postgresql/15/bin/pg_config";

/// A folder that everybody may read; removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Folder> {
        let path = std::env::temp_dir().join(format!(
            "leasehold-tests-docker-{name}-{}",
            std::process::id()
        ));
        std::fs::create_dir_all(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The files to install, under the names they are installed by.
fn staged(folder: &Path) -> Result<PathBuf> {
    let from = folder.join("from");
    std::fs::create_dir_all(&from)?;
    std::fs::copy(built::library()?, from.join("leasehold.so"))?;
    for script in built::scripts()? {
        std::fs::copy(&script, from.join(script.file_name().context("a name")?))?;
    }
    Ok(from)
}

fn install(arguments: &[String]) -> Result<Output> {
    Ok(Command::new("sh")
        .arg(built::top().join("docker/install-extension.sh"))
        .args(arguments)
        .output()?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn ask(pg_config: &Path, what: &str) -> Result<PathBuf> {
    let output = Command::new(pg_config).arg(what).output()?;
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// Makes `root` a place a server runs from: `postgres` and `pg_config` are copied, the rest is linked where it is
/// not there yet. A server finds its files relative to its own place.
fn furnish(root: &Path) -> Result<PathBuf> {
    let inside = |folder: &Path| root.join(folder.strip_prefix("/").unwrap_or(folder));
    let pg_config = Path::new(PG_CONFIG);
    let bin = ask(pg_config, "--bindir")?;
    std::fs::create_dir_all(inside(&bin))?;
    for program in ["postgres", "pg_config"] {
        std::fs::copy(bin.join(program), inside(&bin).join(program))?;
    }
    let share = ask(pg_config, "--sharedir")?;
    for folder in [
        ask(pg_config, "--pkglibdir")?,
        share.clone(),
        share.join("extension"),
    ] {
        std::fs::create_dir_all(inside(&folder))?;
        for entry in folder.read_dir()? {
            let name = entry?.file_name();
            let target = inside(&folder).join(&name);
            let ours = name.to_string_lossy().starts_with("leasehold");
            if !ours && name != "extension" && !target.exists() {
                symlink(folder.join(&name), target)?;
            }
        }
    }
    Ok(inside(&bin))
}

fn start(server: PathBuf, extension: bool) -> Result<Cluster> {
    let options = Options {
        server: Some(server),
        extension,
        ..Options::default()
    };
    Cluster::start(options.set("log_statement", "all"))
}

#[test]
fn the_script_installs_below_a_root() -> Result<()> {
    let folder = Folder::new("root")?;
    let root = folder.0.join("image");
    let from = staged(&folder.0)?;
    let output = install(&[
        format!("--root={}", root.display()),
        format!("--from={}", from.display()),
        format!("--pg-config={PG_CONFIG}"),
    ])?;
    ensure!(output.status.success(), "{}", said(&output));
    let placed: Vec<String> = said(&output)
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    ensure!(
        placed.len() == 2 + built::scripts()?.len() - 1,
        "{placed:?}"
    );
    for file in &placed {
        ensure!(
            Path::new(file).starts_with(&root),
            "{file} is outside the root"
        );
        let mode = std::fs::metadata(file)?.permissions().mode() & 0o777;
        ensure!(
            mode == if file.ends_with(".so") { 0o755 } else { 0o644 },
            "{file} has mode {mode:o}"
        );
    }
    let bin = furnish(&root)?;
    let cluster = start(bin.join("postgres"), true)?;
    let library = cluster.psql("select setting from pg_config where name = 'PKGLIBDIR'")?;
    ensure!(
        Path::new(&library).starts_with(&root),
        "it runs from {library}"
    );
    cluster.psql("select leasehold.define_role('r'); select login from leasehold.issue('r')")?;
    Ok(())
}

#[test]
fn the_script_says_what_it_can_not_do() -> Result<()> {
    let folder = Folder::new("refusals")?;
    let other = folder.0.join("pg_config");
    std::fs::write(&other, "#!/bin/sh\necho PostgreSQL 16.4\n")?;
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o755))?;
    let check = |arguments: &[String], code: i32, words: &str| -> Result<()> {
        let output = install(arguments)?;
        ensure!(
            output.status.code() == Some(code),
            "{arguments:?}: {}",
            output.status
        );
        ensure!(
            said(&output).contains(words),
            "{arguments:?}: {}",
            said(&output)
        );
        Ok(())
    };
    let own = format!("--pg-config={PG_CONFIG}");
    check(
        &[format!("--pg-config={}", other.display())],
        1,
        "is built for PostgreSQL 15",
    )?;
    check(&["--prefix=/x".into()], 2, "unexpected argument")?;
    check(
        &[
            own.clone(),
            format!("--from={}", folder.0.display()),
            format!("--root={}", folder.0.display()),
        ],
        1,
        "cargo xtask build",
    )?;
    check(&[own, "--check".into()], 0, "")
}

#[test]
fn xtask_installs_into_a_server_of_ones_own() -> Result<()> {
    let xtask = built::profile_folder()?.join("xtask");
    let release = built::profile_folder()?.ends_with("release");
    if !release || !xtask.exists() {
        println!("left out: no xtask in this profile (cargo build --release --workspace)");
        return Ok(());
    }
    let folder = Folder::new("xtask")?;
    let bin = furnish(&folder.0)?;
    let output = Command::new(xtask)
        .arg("install")
        .arg(format!("--pg-config={}", bin.join("pg_config").display()))
        .output()?;
    ensure!(output.status.success(), "{}", said(&output));
    let cluster = start(bin.join("postgres"), true)?;
    let alive = cluster.psql("select preloaded from leasehold.heartbeat()")?;
    ensure!(alive == "t", "{alive}");
    Ok(())
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_first_start_makes_a_place_for_the_broker_of_the_image() -> Result<()> {
    const PASSWORD: &str = "it's a broker's";
    let cluster = Cluster::start(Options {
        extension: false,
        ..Options::default().set("log_statement", "all")
    })?;
    let bin = ask(Path::new(PG_CONFIG), "--bindir")?;
    let path = format!(
        "{}:{}",
        bin.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let output = Command::new("sh")
        .arg(built::top().join("docker/initdb.sh"))
        .env("PATH", path)
        .env("PGHOST", cluster.socket_folder())
        .env("PGPORT", cluster.port().to_string())
        .env("POSTGRES_USER", Cluster::SUPERUSER)
        .env("LEASEHOLD_BROKER_PASSWORD", PASSWORD)
        .output()?;
    ensure!(output.status.success(), "{}", said(&output));
    ensure!(
        !cluster.log()?.contains("broker''s"),
        "the password is in the log"
    );
    let plain =
        "select rolsuper or rolcreaterole or rolcreatedb from pg_roles where rolname = 'broker'";
    ensure!(cluster.psql(plain)? == "f", "the broker has too much power");

    // The image's own configuration, but for what is another's here: address and folder.
    let folder = Folder::new("broker")?;
    let address = format!(
        "127.0.0.1:{}",
        TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()
    );
    let config = text("docker/server.hcl")?
        .replace("0.0.0.0:8200", &address)
        .replace("/var/lib/leasehold", &folder.0.to_string_lossy());
    std::fs::write(folder.0.join("server.hcl"), config)?;
    let url = cluster.url("broker", "it%27s%20a%20broker%27s", "leasehold");
    let run = || -> Result<Running> {
        let log = std::fs::File::create(folder.0.join("log"))?;
        let child = Command::new(built::binary()?)
            .args([
                "server",
                &format!("-config={}/server.hcl", folder.0.display()),
            ])
            .env("LEASEHOLD_PG_CONNECTION_URL", &url)
            .stdout(log.try_clone()?)
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()?;
        Ok(Running(child))
    };
    let healthy = || -> Result<bool> {
        let status = Command::new(built::binary()?)
            .arg("status")
            .env("VAULT_ADDR", format!("http://{address}"))
            .output()?;
        Ok(status.status.success())
    };
    let nobody = Actor::new(&address, None);
    let broker = run()?;
    wait_until(Duration::from_secs(30), "it answers", || {
        Ok(nobody.get("sys/health").is_ok())
    })?;
    ensure!(!healthy()?, "healthy before it is initialised");
    nobody
        .put(
            "sys/init",
            json!({"secret_shares": 1, "secret_threshold": 1}),
        )?
        .expect(200)?;
    wait_until(Duration::from_secs(10), "it is healthy", healthy)?;
    drop(broker);
    let _again = run()?;
    wait_until(Duration::from_secs(30), "it unseals by itself", healthy)
}
