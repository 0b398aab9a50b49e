//! `read`: what is at a path; fresh credentials, where the path makes some.

use serde_json::Value;

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::show;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "read",
    about: "Read data, and get credentials",
    usage: "[options] PATH [K=V...]",
    help: "Reads what is at PATH. Some paths make something new on every read: a database role \
           gives a fresh login with a lease of its own.

Get credentials of a role:

      $ leasehold read database/creds/readonly

Only the password, for a script:

      $ leasehold read -field=password database/creds/readonly

K=V goes into the query of the request.",
    arguments: Count::AtLeast(1),
    flags: &[],
    output: Output::Fields,
    run: Run::Client(read),
};

fn read(session: &mut Session) -> Result<u8, Fail> {
    let path = session.path();
    let mut request = Request::get(&path);
    for (key, value) in session.data()? {
        match value {
            Value::Array(values) => {
                for value in values {
                    request = request.query(&key, &show::bare(&value));
                }
            }
            value => request = request.query(&key, &show::bare(&value)),
        }
    }
    let doing = format!("Error reading {path}");
    let secret = session.find(&request, &doing, &format!("No value found at {path}"))?;
    session.show(&secret)
}
