//! `token capabilities`: what a token may do on a path.

use serde_json::{Value, json};

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::show::{self, Format};
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "token capabilities",
    about: "Print what a token may do on a path",
    usage: "[options] [TOKEN] PATH",
    help:
        "Prints the capabilities of a token on PATH: what its policies grant there. Without TOKEN: \
           of your own.

      $ leasehold token capabilities database/creds/readonly",
    arguments: Count::Between(1, 2),
    flags: &[],
    output: Output::Data,
    run: Run::Client(capabilities),
};

fn capabilities(session: &mut Session) -> Result<u8, Fail> {
    let token = session.token()?;
    let request = match session.arguments.as_slice() {
        [token, path] => {
            Request::post("sys/capabilities").body(json!({"token": token, "path": path}))
        }
        arguments => {
            let own = token
                .as_ref()
                .map(|token| token.expose())
                .unwrap_or_default();
            Request::post("sys/capabilities-self").body(json!({"token": own, "path": arguments[0]}))
        }
    };
    let secret = session.ask(&request, "Error listing capabilities")?;
    let capabilities = secret
        .field("capabilities")
        .unwrap_or(Value::Array(Vec::new()));
    if session.format() != Format::Table {
        return session.show_value(&capabilities);
    }
    let names: Vec<String> = capabilities
        .as_array()
        .into_iter()
        .flatten()
        .map(show::bare)
        .collect();
    session.say(names.join(", "))
}
