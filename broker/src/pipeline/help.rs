//! Help pages (contract 13.4), made from the engines' tables. For any living token; no capability is asked.

use serde_json::json;

use crate::engine::Engine;
use crate::logical::{Fault, Operation, Outcome, PathSpec, Response};
use crate::mount::Mount;

/// The page of an endpoint, or of the mount when its own path is asked for.
pub(super) fn page(mount: &Mount, engine: &Engine, spec: Option<&PathSpec>, path: &str) -> Outcome {
    let text = match spec {
        Some(spec) => endpoint(mount, spec),
        None if path.trim_end_matches('/') == mount.full_path().trim_end_matches('/') => {
            overview(mount, engine)
        }
        None => return Err(Fault::unsupported_path()),
    };
    let page = json!({ "help": text, "see_also": null, "openapi": null });
    Ok(Some(Response::json(200, &page)))
}

fn overview(mount: &Mount, engine: &Engine) -> String {
    let mut text = format!(
        "## DESCRIPTION\n\n{}\n\n## PATHS\n\nThe paths below {}:\n",
        engine.help,
        mount.full_path()
    );
    for spec in engine.paths.iter() {
        text.push_str(&format!(
            "\n    {}\n        {}\n",
            spec.pattern, spec.summary
        ));
    }
    text
}

fn endpoint(mount: &Mount, spec: &PathSpec) -> String {
    let mut text = format!(
        "Request:  {}{}\n\n{}\n",
        mount.full_path(),
        spec.pattern,
        spec.summary
    );
    let words: Vec<&str> = spec
        .operations
        .iter()
        .map(|(operation, _)| method(*operation))
        .collect();
    text.push_str(&format!("\n## METHODS\n\n    {}\n", words.join(", ")));
    if !spec.fields.is_empty() {
        text.push_str("\n## PARAMETERS\n");
        for field in spec.fields {
            text.push_str(&format!(
                "\n    {} ({})\n        {}\n",
                field.name,
                field.kind.word(),
                field.help
            ));
        }
    }
    text
}

fn method(operation: Operation) -> &'static str {
    match operation {
        Operation::Create | Operation::Update => "POST or PUT",
        Operation::Read => "GET",
        Operation::List => "LIST",
        Operation::Delete => "DELETE",
        Operation::Patch => "PATCH",
        Operation::Head => "HEAD",
        Operation::Help => "HELP",
    }
}
