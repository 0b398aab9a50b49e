//! `write`: data to a path; prints the answer, if there is one.

use serde_json::Value;

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::flags::{Flag, Kind};
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "write",
    about: "Write data, configuration and secrets",
    usage: "[options] PATH [DATA K=V...]",
    help:
        "Writes data to PATH. A value that begins with @ is read from the file of that name, and \
           - means standard input; \\@ is a plain @. A key given twice becomes a list. @FILE or - \
           alone is the whole body, as JSON.

Connect a database:

      $ leasehold write database/config/postgresql \\
            plugin_name=postgresql-database-plugin \\
            connection_url='postgresql://{{username}}:{{password}}@localhost/app' \\
            allowed_roles=readonly username=broker password=-

Define a role by a file of SQL:

      $ leasehold write database/roles/readonly db_name=postgresql \\
            creation_statements=@readonly.sql default_ttl=1h max_ttl=24h

Write without data:

      $ leasehold write -f auth/token/tidy",
    arguments: Count::AtLeast(1),
    flags: &[Flag::new("force", Kind::Switch, "Write without data.").alias("f")],
    output: Output::Fields,
    run: Run::Client(write),
};

fn write(session: &mut Session) -> Result<u8, Fail> {
    let path = session.path();
    let data = session.data()?;
    let mut request = Request::put(&path);
    if !session.flags.is_on("force") {
        if session.arguments.len() < 2 {
            return Err(Fail::Usage("Must supply data or use -force".to_owned()));
        }
        request = request.body(Value::Object(data));
    } else if !data.is_empty() {
        request = request.body(Value::Object(data));
    }
    let answer = session.ask(&request, &format!("Error writing data to {path}"))?;
    if answer.has_content() || session.flags.text("field").is_some() {
        return session.show(&answer);
    }
    session.show_warnings(&answer)?;
    let has_warnings = answer.warnings.is_some_and(|warnings| !warnings.is_empty());
    session.done(has_warnings, &format!("Success! Data written to: {path}"))
}
