//! `cargo xtask install`: the extension into a server of one's own, or into a folder that an image is made of.

use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

use crate::machine::Door;
use crate::{build, cargo, machine, step};

/// What was asked for.
#[derive(Debug, PartialEq)]
struct Wanted {
    pg_config: String,
    root: Option<String>,
}

/// Builds and runs the install script.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let wanted = read(arguments)?;
    let usual = wanted.pg_config == machine::PG_CONFIG;
    if usual {
        machine::prepare()?;
    }
    if !Path::new(&wanted.pg_config).is_file() {
        bail!(
            "there is no {}: give the path of the server's pg_config, as in --pg-config={}",
            wanted.pg_config,
            machine::PG_CONFIG
        );
    }
    // Both now, since a build takes minutes.
    step::run(script(plain, &wanted).arg("--check"))?;
    let door = who_may_write(&wanted)?;
    if usual {
        build::run()?;
    } else {
        build::run_for(&wanted.pg_config, has_headers(&wanted.pg_config))?;
    }
    step::begin("installing");
    let from = format!("--from={}", cargo::release_folder().display());
    step::run(script(door, &wanted).arg(from))
}

fn plain(program: &str) -> Command {
    Command::new(program)
}

/// We ourselves where we may write, else root; an error that says what can not be written, and what to do.
fn who_may_write(wanted: &Wanted) -> Result<Door> {
    if step::succeeds(script(plain, wanted).arg("--writable")) {
        return Ok(plain);
    }
    let door = machine::root().unwrap_or(plain);
    step::run(script(door, wanted).arg("--writable"))?;
    Ok(door)
}

fn script(door: Door, wanted: &Wanted) -> Command {
    let mut script = door("sh");
    script
        .arg(cargo::top().join("docker/install-extension.sh"))
        .arg(format!("--pg-config={}", wanted.pg_config));
    if let Some(root) = &wanted.root {
        script.arg(format!("--root={root}"));
    }
    script
}

/// Whether that server came with its headers; one moved or copied elsewhere has left them behind, and those of the same
/// major version serve as well.
fn has_headers(pg_config: &str) -> bool {
    let folder = Command::new(pg_config).arg("--includedir-server").output();
    folder.is_ok_and(|folder| {
        let folder = String::from_utf8_lossy(&folder.stdout).trim().to_owned();
        Path::new(&folder).join("postgres.h").exists()
    })
}

fn read(arguments: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted {
        pg_config: machine::PG_CONFIG.to_owned(),
        root: None,
    };
    for argument in arguments {
        match argument.split_once('=') {
            Some(("--pg-config", path)) => wanted.pg_config = path.to_owned(),
            Some(("--root", folder)) => wanted.root = Some(folder.to_owned()),
            _ => bail!("unexpected argument {argument}: want --pg-config=PATH, --root=FOLDER"),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::{Wanted, plain, read, script};
    use crate::{machine, step};
    use std::os::unix::fs::PermissionsExt;

    fn check(arguments: &[&str], expect: Option<(&str, Option<&str>)>) {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let expect = expect.map(|(pg_config, root)| Wanted {
            pg_config: pg_config.to_owned(),
            root: root.map(str::to_owned),
        });
        assert_eq!(read(&arguments).ok(), expect, "{arguments:?}");
    }

    /// Not even root can write below a file.
    #[test]
    fn what_can_not_be_written_is_known_before_the_build() {
        let name = format!("leasehold-xtask-install-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        let pg_config = folder.join("pg_config");
        std::fs::write(
            &pg_config,
            "#!/bin/sh\ncase $1 in --version) echo PostgreSQL 15.1 ;; *) echo /to/be/made ;; esac\n",
        )
        .expect("a script");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&pg_config, executable).expect("a mode");
        for (root, expect) in [(&folder, true), (&pg_config, false)] {
            let wanted = Wanted {
                pg_config: pg_config.display().to_string(),
                root: Some(root.display().to_string()),
            };
            let found = step::succeeds(script(plain, &wanted).arg("--writable"));
            assert_eq!(found, expect, "{}", root.display());
        }
        assert!(!folder.join("to").exists());
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }

    #[test]
    fn arguments_are_read() {
        check(&[], Some((machine::PG_CONFIG, None)));
        check(&["--pg-config=/x/pg_config"], Some(("/x/pg_config", None)));
        check(
            &["--root=/r", "--pg-config=/a=b"],
            Some(("/a=b", Some("/r"))),
        );
        check(&["--pg-config"], None);
        check(&["--prefix=/x"], None);
        check(&["/x/pg_config"], None);
    }
}
