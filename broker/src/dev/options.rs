//! What `leasehold dev` can be told.

use std::path::PathBuf;

use crate::secret::Token;

/// Where the broker listens unless told otherwise.
const LISTEN_ADDRESS: &str = "127.0.0.1:8200";

/// Printed by `-h`.
pub(super) const HELP: &str = "\
Usage: leasehold dev [options]          (also: leasehold server -dev [options])

  Starts a throw-away PostgreSQL with the extension (in database postgres) and a broker, unsealed and ready, both on
  this machine only. Ctrl-C takes everything down and leaves nothing behind. Nothing is mounted yet: begin with
  `leasehold secrets enable database`. Not for production.

Options:

  -listen-address=HOST:PORT   Where the broker listens. Port 0 is any free one. (default: 127.0.0.1:8200)
  -root-token-id=TOKEN        The root token; a random one otherwise.
  -postgres-port=PORT         Where PostgreSQL listens; a free one otherwise.
  -data=DIR                   Keep the data in this folder; a second start goes on with it.
  -info=FILE                  When everything is ready, write address, root token and the PostgreSQL superuser's
                              credentials to this file, as JSON. Readable by its owner only.
  -h, -help                   This text.
";

/// The options, read.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) listen_address: String,
    pub(super) root_token: Option<Token>,
    pub(super) postgres_port: Option<u16>,
    pub(super) data: Option<PathBuf>,
    pub(super) info: Option<PathBuf>,
}

/// What the arguments ask for.
#[derive(Debug)]
pub(super) enum Asked {
    Help,
    Run(Options),
}

/// Reads arguments in the fashion of the other verbs: `-name=value`, `-name value`, one or two dashes.
pub(super) fn parse(arguments: &[String]) -> Result<Asked, String> {
    let mut options = Options {
        listen_address: LISTEN_ADDRESS.to_owned(),
        root_token: None,
        postgres_port: None,
        data: None,
        info: None,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(flag) = argument.strip_prefix("--").or(argument.strip_prefix('-')) else {
            return Err(format!("unexpected argument \"{argument}\""));
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        match name {
            "h" | "help" => return Ok(Asked::Help),
            // `server -dev`, and the names that the flags have there for users of other servers' dev modes.
            "dev" => continue,
            _ => {}
        }
        let mut value = || {
            value
                .clone()
                .or_else(|| rest.next().cloned())
                .ok_or_else(|| format!("flag needs an argument: -{name}"))
        };
        match name {
            "listen-address" | "dev-listen-address" => options.listen_address = value()?,
            "root-token-id" | "dev-root-token-id" => {
                options.root_token = Some(Token::new(value()?));
            }
            "postgres-port" => {
                let text = value()?;
                let port = text.parse().ok().filter(|port| *port > 0);
                options.postgres_port =
                    Some(port.ok_or_else(|| format!("-postgres-port: {text} is not a port"))?);
            }
            "data" => options.data = Some(PathBuf::from(value()?)),
            "info" => options.info = Some(PathBuf::from(value()?)),
            _ => return Err(format!("flag provided but not defined: -{name}")),
        }
    }
    Ok(Asked::Run(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Result<Options, String> {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        match parse(&arguments)? {
            Asked::Run(options) => Ok(options),
            Asked::Help => Err("help".to_owned()),
        }
    }

    #[test]
    fn flags_have_one_or_two_dashes_and_their_value_beside_or_behind() {
        for arguments in [
            &["-data=/d", "-postgres-port=5", "-root-token-id=t"][..],
            &["--data", "/d", "-postgres-port", "5", "--root-token-id=t"],
            &[
                "-dev",
                "-data=/d",
                "-postgres-port=5",
                "-dev-root-token-id=t",
            ],
        ] {
            let options = run(arguments).expect("options");
            assert_eq!(options.data, Some(PathBuf::from("/d")), "{arguments:?}");
            assert_eq!(options.postgres_port, Some(5), "{arguments:?}");
            assert!(options.root_token.is_some_and(|t| t.same_as("t")));
            assert_eq!(options.listen_address, LISTEN_ADDRESS);
            assert_eq!(options.info, None);
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let check = |argument: &str, expect: &str| {
            assert_eq!(run(&[argument]).expect_err("an error"), expect);
        };
        check("-dta=/d", "flag provided but not defined: -dta");
        check("-data", "flag needs an argument: -data");
        check("-postgres-port=0", "-postgres-port: 0 is not a port");
        check(
            "-postgres-port=70000",
            "-postgres-port: 70000 is not a port",
        );
        check("now", "unexpected argument \"now\"");
        check("-h", "help");
    }
}
