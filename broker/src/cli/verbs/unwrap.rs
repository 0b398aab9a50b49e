//! `unwrap`: what a wrapping token holds, once.

use serde_json::json;

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "unwrap",
    about: "Open a wrapped answer",
    usage: "[options] [TOKEN]",
    help: "Prints the answer that a wrapping token holds. A wrapping token can be opened once; if \
           that fails though nobody of yours has opened it, somebody else did.

      $ leasehold unwrap s.4Db8...

Without TOKEN your own token is the wrapping token:

      $ VAULT_TOKEN=s.4Db8... leasehold unwrap",
    arguments: Count::Between(0, 1),
    flags: &[],
    output: Output::Fields,
    run: Run::Client(unwrap),
};

fn unwrap(session: &mut Session) -> Result<u8, Fail> {
    let mut request = Request::put("sys/wrapping/unwrap");
    let token = session.first().trim();
    if !token.is_empty() {
        request = request.body(json!({"token": token}));
    }
    let secret = session.ask(&request, "Error unwrapping")?;
    if !secret.has_content() {
        return Err(Fail::Stopped("Could not find wrapped response".to_owned()));
    }
    session.show(&secret)
}
