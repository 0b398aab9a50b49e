//! `list`: the keys below a path.

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::session::{NOTHING, Session};
use crate::cli::show::{self, Format};
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "list",
    about: "List what is below a path",
    usage: "[options] PATH",
    help: "Lists the keys below PATH, one a line. A key that ends in a slash has more below it.

List the leases of a role:

      $ leasehold list sys/leases/lookup/database/creds/readonly

As JSON it is a bare array; of nothing {}, with exit code 2.",
    arguments: Count::Exactly(1),
    flags: &[],
    output: Output::Data,
    run: Run::Client(list),
};

fn list(session: &mut Session) -> Result<u8, Fail> {
    let path = session.path();
    let absent = format!("No value found at {path}");
    let found = session.find(
        &Request::list(&path),
        &format!("Error listing {path}"),
        &absent,
    );
    let secret = match found {
        Err(Fail::Stopped(text)) if session.format() != Format::Table => {
            // A reader of JSON gets JSON; a reason, if there is one, goes beside it.
            if text != absent {
                session.warn(&text)?;
            }
            session.say("{}")?;
            return Ok(NOTHING);
        }
        found => found?,
    };
    let Some(keys) = secret.keys() else {
        return session.show(&secret);
    };
    if session.format() != Format::Table {
        return session.show_value(keys);
    }
    session.show_warnings(&secret)?;
    let rows = keys.iter().map(|key| vec![show::bare(key)]).collect();
    write!(session.out, "{}", show::columns(&["Keys"], rows))?;
    Ok(0)
}
