//! `path-help`: what the server says about a path.

use serde_json::Value;

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::show::Format;
use crate::cli::verb::{Count, Output, Run, Verb};

use super::status::read_object;

pub static VERB: Verb = Verb {
    name: "path-help",
    about: "Print the server's help for a path",
    usage: "[options] PATH",
    help: "Prints what the server says about PATH: what it is for, and what parameters it takes. \
           Of a mount it lists the paths below.

      $ leasehold path-help database

      $ leasehold path-help database/creds/readonly

With -format=json: the OpenAPI description.",
    arguments: Count::Exactly(1),
    flags: &[],
    output: Output::Data,
    run: Run::Client(path_help),
};

fn path_help(session: &mut Session) -> Result<u8, Fail> {
    let request = Request::get(session.path()).query("help", "1");
    let doing = "Error retrieving help";
    let answer = session.send(&request, doing)?;
    let help = read_object(&request.path, &answer).map_err(Fail::while_doing(doing))?;
    match session.format() {
        Format::Table => {
            let text = help.get("help").and_then(Value::as_str).unwrap_or_default();
            session.say(text.trim())
        }
        Format::Json => session.say(help.get("openapi").unwrap_or(&Value::Null)),
        Format::Yaml => session.show_value(help.get("openapi").unwrap_or(&Value::Null)),
    }
}
