//! What the machine has to have, and how it gets it (Debian).

use anyhow::{Context, Result, bail};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step;

/// The `pg_config` of the server that everything is built for and tested with.
pub(crate) const PG_CONFIG: &str = "/usr/lib/postgresql/15/bin/pg_config";

/// A package, and a file that says that it is there.
struct Need {
    package: &'static str,
    found: fn() -> bool,
}

const NEEDS: [Need; 4] = [
    Need {
        package: "postgresql-15",
        found: || Path::new("/usr/lib/postgresql/15/bin/postgres").exists(),
    },
    Need {
        package: "postgresql-server-dev-15",
        found: || Path::new("/usr/include/postgresql/15/server/postgres.h").exists(),
    },
    // The fuzzer is written in C++.
    Need {
        package: "g++",
        found: || step::succeeds(Command::new("c++").arg("--version")),
    },
    // Bindings to the server's headers are made with it.
    Need {
        package: "libclang-dev",
        found: has_libclang,
    },
];

/// Where Debian's package of PostgreSQL reads whether to make a cluster, and start it on 5432, when it is installed.
const CREATE_CLUSTER: &str = "/etc/postgresql-common/createcluster.conf";
const NO_CLUSTER: &str = "create_main_cluster = false";

/// Installs what is missing, or says what to run.
pub(crate) fn prepare() -> Result<()> {
    if std::env::var_os("PGRX_PG_CONFIG_PATH").is_some_and(|path| path != PG_CONFIG) {
        // Somebody builds for a server of their own, and knows what that takes.
        return Ok(());
    }
    let missing: Vec<&str> = NEEDS
        .iter()
        .filter(|need| !(need.found)())
        .map(|need| need.package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this machine needs (by their names on Debian): {packages}");
    }
    let Some(root) = root() else {
        bail!("run this as root, then try again: apt-get update && apt-get install {packages}");
    };
    step::begin(&format!("installing {packages}"));
    step::run(root("apt-get").args(["update", "-qq"]))?;
    for package in &missing {
        if !step::succeeds(Command::new("apt-cache").args(["show", package])) {
            bail!(
                "the package sources of this machine have no {package}: Debian 12 has PostgreSQL 15; elsewhere the PostgreSQL \
                 project's own package repository has it"
            );
        }
    }
    install(root, &["postgresql-common"])?;
    let forbidden = forbid_cluster(root)?;
    let installed = install(root, &missing);
    if forbidden {
        allow_cluster(root)?;
    }
    installed
}

fn install(root: Door, packages: &[&str]) -> Result<()> {
    let mut command = root("env");
    command
        .arg("DEBIAN_FRONTEND=noninteractive")
        .args(["apt-get", "install", "-y", "-qq", "--no-install-recommends"])
        .args(["-o", "Dpkg::Use-Pty=0"])
        .args(packages);
    step::run(&mut command)
}

/// No cluster is made and no server started by the packages: tests and embedded mode make their own. True if that was said
/// here, and is to be taken back: packages of other versions, later, are none of ours.
fn forbid_cluster(root: Door) -> Result<bool> {
    if Path::new("/usr/lib/postgresql/15/bin/postgres").exists() {
        return Ok(false);
    }
    let text = std::fs::read_to_string(CREATE_CLUSTER).unwrap_or_default();
    let says = |line: &str| line.trim_start().starts_with("create_main_cluster");
    if text.lines().any(says) {
        return Ok(false);
    }
    let add = format!("echo '{NO_CLUSTER}' >> \"$1\"");
    step::run(root("sh").args(["-c", &add, "sh", CREATE_CLUSTER]))
        .context("telling PostgreSQL's packages not to start a server")?;
    Ok(true)
}

fn allow_cluster(root: Door) -> Result<()> {
    let remove = format!("/^{NO_CLUSTER}$/d");
    step::run(root("sed").args(["-i", &remove, CREATE_CLUSTER]))
        .context("telling PostgreSQL's packages that they may start servers again")
}

/// How a command is run.
pub(crate) type Door = fn(&str) -> Command;

/// How a command is run as root; `None` if that can not be without asking for a password.
pub(crate) fn root() -> Option<Door> {
    if std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        return Some(|program| Command::new(program));
    }
    if step::succeeds(Command::new("sudo").args(["-n", "true"])) {
        return Some(|program| {
            let mut command = Command::new("sudo");
            command.args(["-n", program]);
            command
        });
    }
    None
}

fn has_libclang() -> bool {
    let llvm = Path::new("/usr/lib").read_dir().into_iter().flatten();
    let folders = llvm
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("llvm-")
        })
        .map(|path| path.join("lib"))
        .chain(std::env::var_os("LIBCLANG_PATH").map(PathBuf::from));
    folders
        .flat_map(|folder| folder.read_dir().into_iter().flatten().flatten())
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libclang"))
}
