//! `delete`: what is at a path.

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::show;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "delete",
    about: "Delete data and configuration",
    usage: "[options] PATH [K=V...]",
    help: "Deletes what is at PATH. To delete what is not there is no error.

Delete a role; leases that it gave live on until they end:

      $ leasehold delete database/roles/readonly",
    arguments: Count::AtLeast(1),
    flags: &[],
    output: Output::Fields,
    run: Run::Client(delete),
};

fn delete(session: &mut Session) -> Result<u8, Fail> {
    let path = session.path();
    let mut request = Request::delete(&path);
    for (key, value) in session.data()? {
        request = request.query(&key, &show::bare(&value));
    }
    let answer = session.ask(&request, &format!("Error deleting {path}"))?;
    if answer.has_content() || session.flags.text("field").is_some() {
        return session.show(&answer);
    }
    session.show_warnings(&answer)?;
    session.done(
        false,
        &format!("Success! Data deleted (if it existed) at: {path}"),
    )
}
