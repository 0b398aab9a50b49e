//! `leasehold dev`: a throw-away PostgreSQL with the extension and a broker in this process, ready to use.
//!
//! The demo and the tests start here. It is not how anybody should run a server: the store, the target and the broker
//! share one machine and one superuser. It knows PostgreSQL's programs and the broker's start; it does to the broker
//! only what any client could do (initialise it, make a token).
//!
//! Order of a start: signals watched, folders, private server prefix, `initdb`, server, extension and store database, broker, root token,
//! then the word that it is ready. The end is the same way back. A killed process leaves the end to the server's keeper
//! (see [`postgres`]).

mod account;
mod announce;
mod distribution;
mod folder;
mod initialise;
mod leftover;
mod options;
mod postgres;
mod prefix;
mod prepare;
mod serve;

use anyhow::{Context, Result};
use std::process::ExitCode;

use self::account::Account;
use self::distribution::Distribution;
use self::folder::Folders;
use self::options::{Asked, Options};
use self::postgres::Plan;
use self::prefix::Extension;
use self::serve::End;
use crate::server;

/// Exit code of wrong use.
const EXIT_USAGE: u8 = 1;
/// Exit code when it could not start, or its PostgreSQL has ended by itself.
const EXIT_FAILED: u8 = 2;
/// What is logged, on standard error.
const LOG_LEVEL: &str = "info";

/// Runs `leasehold dev` with these arguments until it is told to end.
pub fn run(arguments: &[String]) -> ExitCode {
    let options = match options::parse(arguments) {
        Ok(Asked::Help) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Asked::Run(options)) => options,
        Err(message) => {
            eprintln!("{message}\n\n{}", options::HELP);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("leasehold dev: {error:#}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn serve(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    // Before there is anything to take down: a signal that ended the process on the spot would leave it all behind.
    let end = {
        let _inside = runtime.enter();
        End::listen().context("watching for signals")?
    };
    server::start_logging(LOG_LEVEL, false);
    let account = Account::choose()?;
    let distribution = Distribution::find()?;
    let extension = Extension::beside_executable()?;
    let folders = Folders::make(&account, options.data.as_deref())?;
    let program = prefix::make(folders.trash(), &account, &distribution, &extension)?;
    let plan = Plan {
        account: &account,
        distribution: &distribution,
        program: &program,
        data: &folders.postgres(),
        log: &folders.log(),
        trash: folders.trash(),
    };
    runtime.block_on(serve::serve(options, &folders, &plan, end))
}
