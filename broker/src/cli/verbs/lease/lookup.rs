//! `lease lookup`: what is known of a lease.

use serde_json::json;

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "lease lookup",
    about: "Print what is known of a lease",
    usage: "[options] LEASE_ID",
    help:
        "Prints when a lease was issued and renewed, when it ends, and how long that is from now. \
           Of a lease that has ended there is nothing to print.

      $ leasehold lease lookup database/creds/readonly/2f6a614c...",
    arguments: Count::Exactly(1),
    flags: &[],
    output: Output::Data,
    run: Run::Client(lookup),
};

fn lookup(session: &mut Session) -> Result<u8, Fail> {
    let id = session.first().trim().to_owned();
    let request = Request::put("sys/leases/lookup").body(json!({"lease_id": id}));
    let secret = session.ask(&request, &format!("error looking up lease id {id}"))?;
    session.show(&secret)
}
