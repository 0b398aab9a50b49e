//! `leasehold server -config=FILE`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Settings, start, start_logging};

const USAGE: &str = "\
Usage: leasehold server -config=FILE

  Starts a server with a configuration file in HCL or JSON, in Vault's shape:

    listener \"tcp\" {
      address     = \"127.0.0.1:8200\"
      tls_disable = true
    }
    storage \"postgresql\" {
      connection_url = \"postgres://leasehold:PASSWORD@localhost:5432/leasehold\"
    }

  It waits for its database, and makes its schema there (leasehold_broker). A new store is initialised with
  `leasehold operator init`; a seal stanza (\"file\" or \"environment\") unseals it by itself at every start, and
  every broker of the store that waits for it then.
  LEASEHOLD_PG_CONNECTION_URL wins over connection_url. SIGINT and SIGTERM end it in good order, a second one at once.
  SIGHUP changes nothing: a changed configuration wants a restart.
";

/// Runs the server until it is told to stop. `args` are those behind `server`.
pub fn main(args: &[String]) -> ExitCode {
    let mut config: Option<PathBuf> = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let plain = arg
            .strip_prefix('-')
            .map(|flag| flag.strip_prefix('-').unwrap_or(flag));
        match plain.and_then(|flag| {
            flag.split_once('=')
                .map(|(name, value)| (name, Some(value)))
                .or(Some((flag, None)))
        }) {
            Some(("config", Some(path))) => config = Some(path.into()),
            Some(("config", None)) => config = args.next().map(PathBuf::from),
            Some(("help" | "h", None)) => {
                print!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            _ => {
                eprintln!("unknown argument {arg:?}\n\n{USAGE}");
                return ExitCode::FAILURE;
            }
        }
    }
    let Some(config) = config else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let settings = match Settings::read(&config, |name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    start_logging(&settings.log_level, settings.log_json);
    for name in &settings.ignored {
        tracing::warn!(name, "this configuration entry has no effect here");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("threads can not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(settings));
    // What is still under way on a thread of its own is waited for no more.
    runtime.shutdown_background();
    code
}

async fn run(settings: Settings) -> ExitCode {
    let [mut interrupt, mut terminate, hangup] = match watched() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "signals can not be watched");
            return ExitCode::FAILURE;
        }
    };
    tokio::spawn(tell_of_reloads(hangup));
    let running = tokio::select! {
        started = start(settings) => match started {
            Ok(running) => running,
            Err(error) => {
                tracing::error!(%error, "the server does not start");
                return ExitCode::FAILURE;
            }
        },
        _ = interrupt.recv() => return ExitCode::SUCCESS,
        _ = terminate.recv() => return ExitCode::SUCCESS,
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("going down; what is being served may finish");
    tokio::select! {
        () = running.shutdown() => return ExitCode::SUCCESS,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::warn!("told twice to go down: what is being served is left");
    ExitCode::FAILURE
}

/// SIGINT, SIGTERM and SIGHUP; from here on none of them ends the process by itself.
fn watched() -> io::Result<[Signal; 3]> {
    Ok([
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    ])
}

/// Service managers reload with SIGHUP, as Vault's unit file has them do. Unwatched it would end the server in the middle of
/// its requests.
async fn tell_of_reloads(mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        tracing::info!(
            "SIGHUP: there is nothing to reload; restart the server for a changed configuration"
        );
    }
}
