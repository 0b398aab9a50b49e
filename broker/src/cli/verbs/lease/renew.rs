//! `lease renew`: gives a lease more time.

use serde_json::json;

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::flags::{Flag, Kind};
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "lease renew",
    about: "Give a lease more time",
    usage: "[options] LEASE_ID",
    help: "Makes a lease end later: the increment counts from now, and the maximum of the role, \
           counted from the issue, is never passed. A short increment brings the end nearer.

      $ leasehold lease renew database/creds/readonly/2f6a614c...

      $ leasehold lease renew -increment=30m database/creds/readonly/2f6a614c...",
    arguments: Count::Exactly(1),
    flags: &[Flag::new(
        "increment",
        Kind::Duration,
        "Time from now to the new end. Without it: the default of the role.",
    )
    .alias("i")],
    output: Output::Data,
    run: Run::Client(renew),
};

fn renew(session: &mut Session) -> Result<u8, Fail> {
    let id = session.first().trim().to_owned();
    let increment = session
        .flags
        .duration("increment")
        .unwrap_or_default()
        .seconds();
    let body = json!({"increment": increment, "lease_id": id});
    let request = Request::put("sys/leases/renew").body(body);
    let secret = session.ask(&request, &format!("Error renewing {id}"))?;
    session.show(&secret)
}
