//! Folders below the temporary folder that the server's user can read, and commands run as that user.
//!
//! PostgreSQL refuses to run as root, so a root test starts it as `postgres` (or `nobody`).

use anyhow::{Context, Result};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use crate::watch::Watch;

/// User and group the server runs as.
#[derive(Clone, Copy)]
struct ServerUser {
    uid: u32,
    gid: u32,
}

/// `None` when the test is not root: then the server runs as whoever runs the test.
fn server_user() -> Option<ServerUser> {
    static USER: OnceLock<Option<ServerUser>> = OnceLock::new();
    *USER.get_or_init(|| {
        let own = std::fs::metadata("/proc/self").ok()?.uid();
        if own != 0 {
            return None;
        }
        let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| account(&accounts, name))
    })
}

fn account(accounts: &str, name: &str) -> Option<ServerUser> {
    let line = accounts
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(ServerUser {
        uid: fields.next()?.parse().ok()?,
        gid: fields.next()?.parse().ok()?,
    })
}

/// A command that will run as the server's user, in a folder it can read, without what would change the server:
/// PostgreSQL's own variables, and `RUST_BACKTRACE`, which puts a backtrace into every error of the extension.
pub(super) fn as_server_user(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env_remove("RUST_BACKTRACE");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    if let Some(user) = server_user() {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Stops what runs in `$1` and removes it. A server that was just starting may not have written its pid file yet.
const CLEAN_UP: &str = r#"
for _ in 1 2 3; do
    for file in "$1"/c*/data/postmaster.pid; do
        [ -e "$file" ] && kill -s QUIT "$(head -n 1 "$file")"
    done
    sleep 0.3
    rm -rf "$1" && break
done
"#;

/// The folder of this test process. Made at first use; removed, with all servers in it, when the process has ended.
fn base() -> Result<PathBuf> {
    static MADE: Mutex<Option<(PathBuf, Option<Watch>)>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(|e| e.into_inner());
    if let Some((folder, _)) = &*made {
        return Ok(folder.clone());
    }
    let folder = std::env::temp_dir().join(format!("leasehold-tests-{}", std::process::id()));
    make_folder(&folder)?;
    let watch = if keep() {
        None
    } else {
        let argument = folder.to_string_lossy();
        Some(Watch::start(Command::new("sh"), CLEAN_UP, &[&argument])?)
    };
    *made = Some((folder.clone(), watch));
    Ok(folder)
}

/// Whether to leave data and logs for inspection: `LEASEHOLD_TESTS_KEEP` is set.
pub(super) fn keep() -> bool {
    std::env::var_os("LEASEHOLD_TESTS_KEEP").is_some()
}

/// A new, empty folder of the server's user.
pub(crate) fn new_folder(name: &str) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = base()?.join(format!("{name}{number}"));
    make_folder(&folder)?;
    Ok(folder)
}

/// Makes a folder that everybody may read and the server's user may write.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    let whine = || format!("making {}", folder.display());
    std::fs::create_dir_all(folder).with_context(whine)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).with_context(whine)?;
    if let Some(user) = server_user() {
        std::os::unix::fs::chown(folder, Some(user.uid), Some(user.gid)).with_context(whine)?;
    }
    Ok(())
}
