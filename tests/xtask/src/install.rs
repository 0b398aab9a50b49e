//! `cargo xtask install --pg-config=PATH`: the extension into a server of one's own.

use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

use crate::{build, cargo, machine, step};

/// Builds for that server and runs the install script, the one that images use too.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let given = !arguments.is_empty();
    let pg_config = match arguments {
        [] => machine::PG_CONFIG.to_owned(),
        [one] => match one.strip_prefix("--pg-config=") {
            Some(path) => path.to_owned(),
            None => bail!("unexpected argument {one}: want --pg-config=PATH"),
        },
        _ => bail!("too many arguments: want --pg-config=PATH"),
    };
    if given && !Path::new(&pg_config).is_file() {
        bail!(
            "there is no {pg_config}: give the path of the server's pg_config, as in --pg-config=/usr/lib/postgresql/15/bin/pg_config"
        );
    }
    build::run()?;
    step::begin("installing");
    step::run(
        Command::new("sh")
            .arg(cargo::top().join("docker/install-extension.sh"))
            .arg(format!("--pg-config={pg_config}"))
            .arg(format!("--from={}", cargo::release_folder().display())),
    )
}
