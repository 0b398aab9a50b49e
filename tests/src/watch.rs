//! Takes down what a test started when the test process dies without doing so itself (killed, aborted).
//!
//! A small shell waits for the end of a pipe whose other end only the test process holds; the kernel closes that end
//! however the process dies. A parent-death signal would not do: changing the user clears it, and it fires already
//! when the thread that spawned the child ends.

use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A waiting shell. Dropping it lets the shell do its work.
pub(crate) struct Watch {
    shell: Child,
}

impl Watch {
    /// Runs `script` with `arguments` as `$1`, `$2`, … when this value is dropped or the test process has died.
    /// `shell` is a command for `sh` that may have been told to run as another user.
    pub(crate) fn start(mut shell: Command, script: &str, arguments: &[&str]) -> Result<Watch> {
        let shell = shell
            .arg("-c")
            .arg(format!("cat >/dev/null\n{script}"))
            .arg("leasehold-tests-watch")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A Ctrl-C in the terminal goes to the whole process group; this one has to outlive it.
            .process_group(0)
            .spawn()
            .context("starting a watching shell")?;
        Ok(Watch { shell })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
