//! What of a step's answer is not as recorded.

use serde_json::Value;

use super::compare::{Difference, differ, dig, lasting_warnings};
use super::mask::{Variables, mask, mask_text};
use super::scenario::Step;
use super::wire::Answer;

/// Headers whose value is compared.
const COMPARED: [&str; 2] = ["content-type", "cache-control"];
/// Headers that have to be there if they were.
const EXPECTED: [&str; 3] = ["retry-after", "location", "allow"];

/// All differences; `parsed` is the body, if it is JSON.
pub fn judge(
    step: &Step,
    answer: &Answer,
    parsed: Option<&Value>,
    variables: &Variables,
) -> Vec<Difference> {
    let mut out = Vec::new();
    if answer.status == 500 && !answer.text.contains("failed to connect to") {
        // Nothing else that the recordings ask for is a failure of the server, also where it was the reference's. No entry
        // of the list names this place.
        let text: String = answer.text.chars().take(300).collect();
        return vec![Difference::new("own failure", text)];
    }
    if answer.status != step.status {
        if !step.accept.contains(&answer.status) {
            let text: String = answer.text.chars().take(300).collect();
            let text = format!("want {} got {} {text:?}", step.status, answer.status);
            out.push(Difference::new("status", text));
        }
        return out;
    }
    if step.compare.as_deref() == Some("status") {
        return out;
    }
    body(step, answer, parsed, variables, &mut out);
    headers(step, answer, &mut out);
    out
}

fn body(
    step: &Step,
    answer: &Answer,
    parsed: Option<&Value>,
    variables: &Variables,
    out: &mut Vec<Difference>,
) {
    if let Some(want) = &step.answer {
        let mut want = want.clone();
        let mut got = parsed.map_or(Value::Null, |p| mask(p, "", variables));
        if want.get("warnings") != got.get("warnings") {
            lasting_warnings(&mut want);
            lasting_warnings(&mut got);
        }
        if step.compare.as_deref() != Some("subset") {
            return differ(&want, &got, "", out);
        }
        for dotted in &step.keys {
            let at = format!(".{dotted}");
            match (dig(&want, dotted), dig(&got, dotted)) {
                (Some(want), Some(got)) => differ(want, got, &at, out),
                _ => out.push(Difference::new(at, "missing")),
            }
        }
    } else if let Some(want) = &step.text {
        let got = mask_text(&answer.text, "", variables);
        if *want != got {
            out.push(Difference::new(
                "text",
                format!("want {want:?} got {got:?}"),
            ));
        }
    } else if !answer.text.is_empty() {
        let text = format!("want none got {:?}", answer.text);
        out.push(Difference::new("body", text));
    }
}

fn headers(step: &Step, answer: &Answer, out: &mut Vec<Difference>) {
    for name in COMPARED {
        let (want, got) = (
            step.headers_seen.get(name).map(String::as_str),
            answer.header(name),
        );
        if want != got {
            let text = format!("want {want:?} got {got:?}");
            out.push(Difference::new(format!("header {name}"), text));
        }
    }
    for name in EXPECTED {
        if step.headers_seen.contains_key(name) && answer.header(name).is_none() {
            out.push(Difference::new(format!("header {name}"), "missing"));
        }
    }
}
