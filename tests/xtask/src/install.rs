//! `cargo xtask install`: the extension into a server of one's own, or into a folder that an image is made of.

use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

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
    if wanted.pg_config == machine::PG_CONFIG {
        build::run()?;
    } else {
        if !Path::new(&wanted.pg_config).is_file() {
            bail!(
                "there is no {}: give the path of the server's pg_config, as in --pg-config={}",
                wanted.pg_config,
                machine::PG_CONFIG
            );
        }
        // Now, since a build takes minutes.
        step::run(script(&wanted).arg("--check"))?;
        build::run_for(&wanted.pg_config, has_headers(&wanted.pg_config))?;
    }
    step::begin("installing");
    let mut script = script(&wanted);
    script.arg(format!("--from={}", cargo::release_folder().display()));
    if let Some(root) = wanted.root {
        script.arg(format!("--root={root}"));
    }
    step::run(&mut script)
}

fn script(wanted: &Wanted) -> Command {
    let mut script = Command::new("sh");
    script
        .arg(cargo::top().join("docker/install-extension.sh"))
        .arg(format!("--pg-config={}", wanted.pg_config));
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
    use super::{Wanted, read};
    use crate::machine;

    fn check(arguments: &[&str], expect: Option<(&str, Option<&str>)>) {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let expect = expect.map(|(pg_config, root)| Wanted {
            pg_config: pg_config.to_owned(),
            root: root.map(str::to_owned),
        });
        assert_eq!(read(&arguments).ok(), expect, "{arguments:?}");
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
