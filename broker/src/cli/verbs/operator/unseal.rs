//! `operator unseal`: gives the server one share of its root key.

use serde_json::json;

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::flags::{Flag, Kind};
use crate::cli::prompt;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};
use crate::cli::verbs::status::{read_object, show_seal_status};

const ABSENT: &str = "No unseal key given, and no terminal to ask on: give the key as the argument, if it \
                      may be seen in the list of processes";

pub static VERB: Verb = Verb {
    name: "operator unseal",
    about: "Give a server a share of its root key",
    usage: "[options] [KEY]",
    help:
        "Gives the server one share of its root key; when it has as many as the threshold, it is \
           unsealed. Without KEY the share is asked for, which is safer: arguments are seen in the \
           list of processes and in the shell's history.

      $ leasehold operator unseal",
    arguments: Count::Between(0, 1),
    flags: &[
        Flag::new("reset", Kind::Switch, "Forget the shares given so far."),
        Flag::new(
            "migrate",
            Kind::Switch,
            "The share belongs to a move to another seal.",
        ),
    ],
    output: Output::Data,
    run: Run::Client(unseal),
};

fn unseal(session: &mut Session) -> Result<u8, Fail> {
    let body = if session.flags.is_on("reset") {
        json!({"reset": true})
    } else {
        let key = session.first().trim().to_owned();
        let key = match key.is_empty() {
            true => prompt::secret(session, "Unseal Key", ABSENT)?,
            false => key.into(),
        };
        let migrate = session.flags.is_on("migrate");
        json!({"key": key.as_str(), "reset": false, "migrate": migrate})
    };
    // No token is needed, so none is shown.
    let client = session.client_with(None)?;
    let request = Request::put("sys/unseal").body(body);
    let doing = "Error unsealing";
    let answer = client.send(&request).map_err(Fail::while_doing(doing))?;
    let seal = read_object(&request.path, &answer).map_err(Fail::while_doing(doing))?;
    // The share was taken: that is success, whether more are needed or not.
    show_seal_status(session, &client, seal)?;
    Ok(0)
}
