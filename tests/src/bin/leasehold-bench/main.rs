//! `cargo xtask bench`: the figures of the README, all from one run on one PostgreSQL.
//!
//! A durable throw-away PostgreSQL is store and target, the broker runs beside it, and this process is the load: one
//! thread, keep-alive connections, its own processor time printed. Ceilings are `pgbench` in the same run, so ratios
//! hold on any machine. `--statements` shows after each load which statements the time went into (and costs some).
//! To add a figure: a file in `rows/` and a line in [`run`].

mod cpu;
mod http;
mod load;
mod pgbench;
mod rows;
mod stage;
mod statements;
mod table;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&arguments))
}

async fn run(arguments: &[String]) -> Result<()> {
    let mut large = false;
    let mut statements = false;
    let mut readme = None;
    let mut only = Vec::new();
    for argument in arguments {
        match argument.split_once('=').unwrap_or((argument, "")) {
            ("--large", _) => large = true,
            ("--statements", _) => statements = true,
            ("--readme", path) => readme = Some(path),
            (word, _) if SUBJECTS.contains(&word) => only.push(word),
            _ => bail!(
                "no argument \"{argument}\"; there are --large, --statements, --readme=FILE and the subjects {}",
                SUBJECTS.join(", ")
            ),
        }
    }
    let wanted = |subject: &str| only.is_empty() || only.contains(&subject);
    let mut stage = stage::Stage::set(statements)?;
    let mut table = table::Table::default();
    if large {
        rows::large::measure(&mut stage, &mut table).await?;
    } else {
        if wanted("issue") {
            rows::issue::measure(&stage, &mut table).await?;
        }
        if wanted("requests") {
            rows::requests::measure(&stage, &mut table).await?;
        }
        if wanted("ends") {
            rows::ends::measure(&stage, &mut table).await?;
        }
        if wanted("guide") {
            rows::guide::measure(&stage, &mut table).await?;
        }
    }
    println!("\n{}", table.markdown());
    match readme {
        Some(path) => table.write_into(path, if large { "bench-large" } else { "bench" }),
        None => Ok(()),
    }
}

/// Parts of the table that can be asked for alone.
const SUBJECTS: [&str; 4] = ["issue", "requests", "ends", "guide"];
