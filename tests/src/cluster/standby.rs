//! A streaming standby.

use anyhow::{Context, Result, ensure};
use std::sync::Mutex;

use super::{Cluster, place, prefix};

impl Cluster {
    /// A standby of `primary`, which streams from it: a copy with the same settings, that takes reading sessions when
    /// this returns.
    pub fn standby_of(primary: &Cluster) -> Result<Cluster> {
        let folder = place::new_folder("c")?;
        let output = place::as_server_user(prefix::of_this_run()?.bin.join("pg_basebackup"))
            .arg("-D")
            .arg(folder.join("data"))
            .arg("-h")
            .arg(primary.socket_folder())
            .args(["-p", &primary.port().to_string(), "-U", Self::SUPERUSER])
            .args(["-X", "stream", "--checkpoint=fast", "--no-sync", "-R"])
            .output()
            .context("running pg_basebackup")?;
        ensure!(
            output.status.success(),
            "pg_basebackup: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        place::make_folder(&folder.join("socket"))?;
        let mut standby = Cluster {
            folder,
            port: 0,
            options: primary.options.clone(),
            postmaster: Mutex::new(None),
        };
        standby.start_first()?;
        Ok(standby)
    }
}
