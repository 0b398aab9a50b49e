//! `login`: gets a token, or checks one, and keeps it in the token file.

mod token;
mod userpass;

use std::collections::BTreeMap;

use crate::cli::data;
use crate::cli::fail::Fail;
use crate::cli::flags::{Flag, Kind};
use crate::cli::secret::Secret;
use crate::cli::session::Session;
use crate::cli::show::Format;
use crate::cli::verb::{Count, Output, Run, Verb};
use crate::cli::{PROGRAM, helper};
use crate::secret::Token;

pub static VERB: Verb = Verb {
    name: "login",
    about: "Log in, and keep the token",
    usage: "[options] [AUTH K=V...]",
    help: "Logs in and keeps the token in ~/.vault-token, which other requests use where the \
           environment has none (VAULT_TOKEN wins over the file).

With a token; without an argument it is asked for, and - reads it from standard input:

      $ leasehold login

      $ leasehold login - < token-file

With a user name and a password, where the server has that method (a Leasehold has tokens only); the password is asked \
           for where it is not given:

      $ leasehold login -method=userpass username=alice",
    arguments: Count::AtLeast(0),
    flags: &[
        Flag::new(
            "method",
            Kind::Text,
            "How to log in: token or userpass. The default is token.",
        ),
        Flag::new(
            "path",
            Kind::Text,
            "Where the auth method is mounted, if not at the path of its name.",
        ),
        Flag::new("no-store", Kind::Switch, "Do not keep the token."),
        Flag::new("no-print", Kind::Switch, "Keep the token, print nothing."),
        Flag::new(
            "token-only",
            Kind::Switch,
            "Print only the token, and keep it nowhere: the same as -field=token -no-store.",
        ),
    ],
    output: Output::Fields,
    run: Run::Client(login),
};

/// Parameters of a login.
type Parameters = BTreeMap<String, String>;

fn login(session: &mut Session) -> Result<u8, Fail> {
    let secret = match session.flags.text("method").unwrap_or("token") {
        "token" => token::log_in(session)?,
        "userpass" => userpass::log_in(session)?,
        unknown => {
            return Err(Fail::Input(format!(
                "Unknown auth method: {unknown}. Use \"{PROGRAM} auth list\" to see the complete list of\n\
                 auth methods. Here are token and userpass; others are only available via the\n\
                 HTTP API."
            )));
        }
    };
    let Some(auth) = &secret.auth else {
        return finish_wrapped(session, &secret);
    };
    let token = Token::new(auth.client_token.clone());
    let token_only = session.flags.is_on("token-only");
    let stores = !session.flags.is_on("no-store") && !token_only;
    if stores {
        keep(session, &token)?;
    }
    if session.flags.is_on("no-print") {
        return Ok(0);
    }
    if token_only {
        return session.show_raw(token.expose());
    }
    if stores && session.format() == Format::Table && session.flags.text("field").is_none() {
        session.say(format!(
            "Success! You are now authenticated. The token information displayed below is\n\
             already stored in the token helper. You do NOT need to run \"{PROGRAM} login\" again.\n\
             Future Leasehold requests will automatically use this token.\n"
        ))?;
    }
    if !stores {
        session.warn(
            "The token was not stored in token helper. Set the LEASEHOLD_TOKEN environment\n\
             variable (or VAULT_TOKEN) or pass the token below with each request.\n",
        )?;
    }
    session.show(&secret)
}

/// A login with `-wrap-ttl` gives a wrapping token: it is printed and not kept.
fn finish_wrapped(session: &mut Session, secret: &Secret) -> Result<u8, Fail> {
    if secret.wrap_info.is_none() {
        return Err(Fail::Stopped(
            "Error authenticating: the server gave no token".to_owned(),
        ));
    }
    session.show(secret)
}

fn keep(session: &mut Session, token: &Token) -> Result<(), Fail> {
    let path = session.token_path().ok_or_else(|| {
        Fail::Stopped("Error storing token: there is no home folder (see -no-store)".to_owned())
    })?;
    helper::store(&path, token).map_err(|error| {
        let (path, why) = (path.display(), data::plain(&error));
        Fail::Stopped(format!("Error storing token in {path}: {why}"))
    })?;
    if let Some((name, _)) = session.environment.lookup("TOKEN") {
        session.warn(format!(
            "WARNING! The {name} environment variable is set! The value of this variable\n\
             will take precedence; if this is unwanted please unset {name} or update its\n\
             value accordingly.\n"
        ))?;
    }
    Ok(())
}

fn parameters(arguments: &[String]) -> Result<Parameters, Fail> {
    data::parse_texts(arguments, &mut std::io::stdin().lock())
        .map_err(|error| Fail::Input(format!("Error parsing configuration: {error}")))
}
