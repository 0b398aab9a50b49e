//! The embedded PostgreSQL: made, started, stopped.

use anyhow::{Context, Result, bail, ensure};
use std::fs::OpenOptions;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::account::Account;
use super::distribution::Distribution;
use crate::secret::Password;

/// Longest time to start, crash recovery included.
const START: Duration = Duration::from_secs(60);
/// Longest time to stop: more than the script's own patience.
const STOP: Duration = Duration::from_secs(20);

/// Runs the server (`$2` …) and stops it when the pipe that is our standard input ends, which the kernel sees to however
/// the process at the other end dies; then removes `$1`. (A parent-death signal would not do: changing the user clears
/// it, and it fires already when the thread that spawned the child ends.)
const KEEPER: &str = r#"
trash=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
(
    cat <&3 >/dev/null
    kill -s INT $server
    n=0
    while [ $n -lt 100 ] && kill -0 $server; do sleep 0.1; n=$((n + 1)); done
    kill -s QUIT $server
) 2>/dev/null &
watcher=$!
wait $server
code=$?
kill $watcher 2>/dev/null
[ -n "$trash" ] && rm -rf "$trash"
exit $code
"#;

/// What a server is started with.
pub(super) struct Plan<'a> {
    pub(super) account: &'a Account,
    pub(super) distribution: &'a Distribution,
    /// The private `postgres`.
    pub(super) program: &'a Path,
    pub(super) data: &'a Path,
    /// Server log.
    pub(super) log: &'a Path,
    /// Removed when the server has ended.
    pub(super) trash: &'a Path,
}

/// A running server, on 127.0.0.1.
pub(super) struct Postgres {
    /// The shell that keeps it.
    keeper: Child,
    port: u16,
}

/// Makes a data folder whose superuser `postgres` has this password. There is no other way in.
pub(super) fn initdb(plan: &Plan<'_>, password: &Password) -> Result<()> {
    let password_file = plan.data.with_extension("password");
    std::fs::write(&password_file, "")?;
    restrict(&password_file)?;
    std::fs::write(&password_file, password.expose())?;
    plan.account.own(&password_file)?;
    let output = plan
        .account
        .command(plan.distribution.bin.join("initdb"))
        .arg("--pgdata")
        .arg(plan.data)
        .arg("--pwfile")
        .arg(&password_file)
        .args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"])
        .args(["--auth=scram-sha-256", "--no-sync"])
        .output();
    std::fs::remove_file(&password_file)?;
    let output = output.context("running initdb")?;
    ensure!(
        output.status.success(),
        "initdb: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Only the owner may read it.
fn restrict(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))?;
    Ok(())
}

impl Postgres {
    /// Starts on this port, or, without one, on a free one; returns when connections are taken.
    pub(super) fn start(plan: &Plan<'_>, port: Option<u16>) -> Result<Postgres> {
        if let Some(port) = port {
            return start_on(plan, port);
        }
        const TRIES: usize = 5;
        for _ in 1..TRIES {
            // Free now; somebody may take it before the server does.
            match start_on(plan, free_port()?) {
                Err(error) if format!("{error:#}").contains("Address already in use") => {}
                outcome => return outcome,
            }
        }
        start_on(plan, free_port()?)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server and waits until it is down and its trash is gone.
    pub(super) fn stop(mut self) -> Result<()> {
        drop(self.keeper.stdin.take());
        let begin = Instant::now();
        while begin.elapsed() < STOP {
            if self.keeper.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("PostgreSQL does not stop")
    }

    /// Whether the server has ended by itself.
    pub(super) fn ended(&mut self) -> Result<bool> {
        Ok(self.keeper.try_wait()?.is_some())
    }
}

fn free_port() -> Result<u16> {
    let probe = TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port")?;
    Ok(probe.local_addr()?.port())
}

/// Whether this port can be taken now.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn start_on(plan: &Plan<'_>, port: u16) -> Result<Postgres> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(plan.log)
        .with_context(|| format!("opening {}", plan.log.display()))?;
    restrict(plan.log)?;
    let log_begin = log.metadata()?.len();
    let mut command = plan.account.command("sh");
    command
        .args(["-c", KEEPER, "leasehold-dev-keeper"])
        .arg(plan.trash)
        .arg(plan.program)
        .arg("-D")
        .arg(plan.data)
        .args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "shared_preload_libraries=leasehold",
        "password_encryption=scram-sha-256",
        "ssl=off",
    ] {
        command.args(["-c", setting]);
    }
    let keeper = command
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        // A Ctrl-C in the terminal goes to the whole process group; the order of the end is ours.
        .process_group(0)
        .spawn()
        .context("starting PostgreSQL")?;
    let mut server = Postgres { keeper, port };
    let begin = Instant::now();
    loop {
        if server.ended()? {
            let log = std::fs::read(plan.log).unwrap_or_default();
            let fresh = log.get(usize::try_from(log_begin)?..).unwrap_or_default();
            bail!(
                "PostgreSQL did not start:\n{}",
                String::from_utf8_lossy(fresh).trim_end()
            );
        }
        if is_ready(plan.data) {
            return Ok(server);
        }
        if begin.elapsed() > START {
            server.stop()?;
            bail!("PostgreSQL was not ready within {START:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The eighth line of its pid file says how far the postmaster is. (The file of an earlier run has been removed.)
fn is_ready(data: &Path) -> bool {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    text.lines().nth(7).map(str::trim) == Some("ready")
}
