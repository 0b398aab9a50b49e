//! Who types the commands.

use anyhow::{Context, Result, ensure};
use std::io::Write;
use std::process::{Child, Command, Stdio};

use super::answer::Answer;

/// Somebody at a terminal, with an environment of their own.
pub(super) struct Actor {
    pub(super) name: &'static str,
    /// Variables beyond those of the machine.
    pub(super) environment: Vec<(&'static str, String)>,
    /// Put before the PATH: the program, and PostgreSQL's.
    pub(super) path: String,
    /// Where the guide's files lie.
    pub(super) folder: std::path::PathBuf,
}

impl Actor {
    /// Types a command, shows it and its answer.
    pub(super) fn types(&self, command: &str) -> Result<Answer> {
        println!("\n{}$ {command}", self.name);
        let output = self
            .shell(command)
            .stdin(Stdio::null())
            .output()
            .context("running sh")?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        for line in text.lines() {
            println!("    {line}");
        }
        std::io::stdout().flush()?;
        Ok(Answer {
            command: command.to_owned(),
            succeeded: output.status.success(),
            text,
        })
    }

    /// Types a command that goes on while others are typed.
    pub(super) fn leaves_running(&self, command: &str) -> Result<Child> {
        println!("\n{}$ {command} &", self.name);
        self.shell(&format!("exec {command}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("running sh")
    }

    /// Types a command that is none of the guide's own; returns what it prints.
    pub(super) fn quiet(&self, command: &str) -> Result<Vec<u8>> {
        let output = self.shell(command).stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "{command} failed");
        Ok(output.stdout)
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("sh");
        let path = std::env::var("PATH").unwrap_or_default();
        shell
            .args(["-c", command])
            .current_dir(&self.folder)
            .env("PATH", format!("{}:{path}", self.path));
        // Nothing that lies in this machine's environment or home may have a say.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if ["PG", "VAULT_", "BAO_", "LEASEHOLD_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
            {
                shell.env_remove(name);
            }
        }
        shell.env("HOME", "/nonexistent");
        shell.envs(self.environment.iter().map(|(name, value)| (name, value)));
        shell
    }
}
