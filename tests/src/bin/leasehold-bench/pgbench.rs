//! Ceilings: what PostgreSQL does alone when `pgbench` asks for the same work.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use leasehold_tests::Cluster;

/// What a run gave.
pub struct Ceiling {
    pub rate: f64,
    latencies: Vec<Duration>,
}

impl Ceiling {
    /// A percentile, in milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        super::load::percentile(&self.latencies, share)
    }
}

/// Runs a script with prepared statements over TCP, as the broker connects.
pub fn run(cluster: &Cluster, script: &str, clients: usize, seconds: u32) -> Result<Ceiling> {
    let time = seconds.to_string();
    measure(cluster, script, clients, &["-M", "prepared", "-T", &time])
}

/// The same for statements that can not be prepared.
pub fn run_simple(
    cluster: &Cluster,
    script: &str,
    clients: usize,
    seconds: u32,
) -> Result<Ceiling> {
    let time = seconds.to_string();
    measure(cluster, script, clients, &["-M", "simple", "-T", &time])
}

/// The same by one client, so many times.
pub fn run_so_many(cluster: &Cluster, script: &str, times: usize) -> Result<Ceiling> {
    measure(
        cluster,
        script,
        1,
        &["-M", "simple", "-t", &times.to_string()],
    )
}

fn measure(cluster: &Cluster, script: &str, clients: usize, how: &[&str]) -> Result<Ceiling> {
    let folder = std::env::temp_dir().join(format!("leasehold-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("script.sql");
    std::fs::write(&file, script)?;
    let output = Command::new(program())
        .args(["-n", "-l"])
        .arg(format!("--log-prefix={}", folder.join("log").display()))
        .args(["-c", &clients.to_string(), "-j", "1"])
        .args(how)
        .arg("-f")
        .arg(&file)
        .args(["-h", "127.0.0.1", "-p", &cluster.port().to_string()])
        .args(["-U", Cluster::SUPERUSER, "postgres"])
        .env("PGPASSWORD", Cluster::SUPERUSER_PASSWORD)
        .output()
        .context("running pgbench")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "pgbench: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next())
        .with_context(|| format!("tps in {text}"))?
        .parse()?;
    let latencies = logged(&folder)?;
    std::fs::remove_dir_all(&folder)?;
    Ok(Ceiling { rate, latencies })
}

/// The third field of each line of its log is the time of a transaction in microseconds.
fn logged(folder: &Path) -> Result<Vec<Duration>> {
    let mut all = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if !path
            .file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with("log"))
        {
            continue;
        }
        for line in std::fs::read_to_string(&path)?.lines() {
            let time = line.split(' ').nth(2).context("a time")?;
            all.push(Duration::from_micros(time.parse()?));
        }
    }
    all.sort_unstable();
    Ok(all)
}

fn program() -> PathBuf {
    let debian = Path::new("/usr/lib/postgresql/15/bin/pgbench");
    match debian.exists() {
        true => debian.to_owned(),
        false => "pgbench".into(),
    }
}
