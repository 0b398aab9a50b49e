//! A request as a `curl` command. The token itself never appears in it.

use super::{Client, Method, Request};
use crate::cli::PROGRAM;

/// The command, on one line.
pub(super) fn command(client: &Client, request: &Request, url: &str) -> String {
    let mut words = vec!["curl".to_owned()];
    if request.method != Method::Get {
        words.push(format!("-X {}", request.method.name()));
    }
    for (name, value) in &client.headers {
        words.push(format!("-H {}", quote(&format!("{name}: {value}"))));
    }
    if request.method == Method::Patch {
        words.push("-H \"Content-Type: application/merge-patch+json\"".to_owned());
    }
    if client.token.is_some() {
        words.push(format!("-H \"X-Vault-Token: $({PROGRAM} print token)\""));
    }
    if let Some(body) = &request.body {
        words.push(format!(
            "-d '{}'",
            body.to_string().replace('\'', "'\"'\"'")
        ));
    }
    words.push(quote(url));
    words.join(" ") + "\n"
}

/// In double quotes, with what a shell would expand escaped.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted + "\""
}
