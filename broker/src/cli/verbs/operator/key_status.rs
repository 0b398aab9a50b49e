//! `operator key-status`: age and term of the key in use.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::show::{self, Format};
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "operator key-status",
    about: "Print the age of the encryption key",
    usage: "[options]",
    help:
        "Prints the term of the key that new values are encrypted with, when it was made, and how \
           much it was used.

      $ leasehold operator key-status",
    arguments: Count::Exactly(0),
    flags: &[],
    output: Output::Data,
    run: Run::Client(key_status),
};

#[derive(Serialize)]
struct KeyStatus {
    term: Value,
    install_time: Value,
    encryptions: Value,
}

fn key_status(session: &mut Session) -> Result<u8, Fail> {
    let secret = session.ask(&Request::get("sys/key-status"), "Error reading key status")?;
    let field = |name: &str| secret.field(name).unwrap_or_default();
    let status = KeyStatus {
        term: field("term"),
        install_time: field("install_time"),
        encryptions: field("encryptions"),
    };
    if session.format() != Format::Table {
        return session.show_value(&status);
    }
    let rows = [
        ("Key Term".to_owned(), show::bare(&status.term)),
        (
            "Install Time".to_owned(),
            day_and_minute(&show::bare(&status.install_time)),
        ),
        (
            "Encryption Count".to_owned(),
            show::bare(&status.encryptions),
        ),
    ];
    write!(session.out, "{}", show::key_values(None, &rows))?;
    Ok(0)
}

/// `23 Nov 26 04:52 UTC`; what is no instant stays as it is.
fn day_and_minute(instant: &str) -> String {
    let format =
        format_description!("[day] [month repr:short] [year repr:last_two] [hour]:[minute] UTC");
    OffsetDateTime::parse(instant, &Rfc3339)
        .ok()
        .and_then(|instant| instant.to_offset(time::UtcOffset::UTC).format(format).ok())
        .unwrap_or_else(|| instant.to_owned())
}
