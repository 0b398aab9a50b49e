//! Where two masked answers differ.

use regex_lite::Regex;
use serde_json::{Number, Value};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Names under which two numbers may differ by [`NEAR_SECONDS`]: they count down while the scenario runs.
const NEAR: [&str; 4] = ["ttl", "lease_duration", "expire_time_unix", "wrap_ttl"];
const NEAR_SECONDS: f64 = 3.0;

/// A duration in a warning, as `1h0m3s`: it counts down as well.
static DURATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?\b").expect("a constant rule")
});

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// `status`, `body`, `header content-type`, or the dotted place in the answer.
    pub at: String,
    /// For people.
    pub text: String,
}

impl Difference {
    /// A difference at a place.
    pub fn new(at: impl Into<String>, text: impl Into<String>) -> Difference {
        Difference {
            at: at.into(),
            text: text.into(),
        }
    }
}

/// All differences between a recorded and a seen value.
pub fn differ(want: &Value, got: &Value, at: &str, out: &mut Vec<Difference>) {
    match (want, got) {
        (Value::Object(want), Value::Object(got)) => {
            for key in want.keys().chain(got.keys()).collect::<BTreeSet<_>>() {
                let at = format!("{at}.{key}");
                match (want.get(key), got.get(key)) {
                    (Some(want), Some(got)) => differ(want, got, &at, out),
                    (Some(want), None) => {
                        out.push(Difference::new(at, format!("missing, want {want}")))
                    }
                    (None, Some(got)) => out.push(Difference::new(at, format!("extra {got}"))),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(want), Value::Array(got)) if want.len() == got.len() => {
            for (index, (want, got)) in want.iter().zip(got).enumerate() {
                differ(want, got, &format!("{at}[{index}]"), out);
            }
        }
        _ if same(want, got, at) => {}
        _ => out.push(Difference::new(at, format!("want {want} got {got}"))),
    }
}

fn same(want: &Value, got: &Value, at: &str) -> bool {
    match (want, got) {
        (Value::Number(want), Value::Number(got)) => same_number(want, got, at),
        (Value::String(want), Value::String(got)) if at.starts_with(".warnings[") => {
            want == got || near_text(want, got)
        }
        _ => want == got,
    }
}

fn same_number(want: &Number, got: &Number, at: &str) -> bool {
    let whole = |number: &Number| !number.to_string().contains(['.', 'e', 'E']);
    if want == got {
        return true;
    }
    let (Some(w), Some(g)) = (want.as_f64(), got.as_f64()) else {
        return false;
    };
    let name = at.rsplit('.').next().unwrap_or(at);
    (NEAR.contains(&name) && (w - g).abs() <= NEAR_SECONDS)
        // 1.0 is 1; two whole numbers of many digits are not the same because a float can not tell them apart.
        || (w == g && !(whole(want) && whole(got)))
}

/// True for a warning that a TTL was cut by less than [`NEAR_SECONDS`]: whether there is one depends on where in a
/// second the request came.
fn cut_by_nothing(warning: &Value) -> bool {
    let text = warning.as_str().unwrap_or_default();
    let Some((ttl, rest)) = text.split_once(" exceeded the effective max_ttl of ") else {
        return false;
    };
    let (ttl, limit) = (seconds(ttl), seconds(rest));
    ttl.len() == 1 && limit.len() == 1 && (ttl[0] - limit[0]).abs() <= NEAR_SECONDS
}

/// Warnings without those that come and go with the second.
pub fn lasting_warnings(answer: &mut Value) {
    if let Some(warnings) = answer.get_mut("warnings")
        && let Value::Array(list) = warnings
    {
        list.retain(|warning| !cut_by_nothing(warning));
        if list.is_empty() {
            *warnings = Value::Null;
        }
    }
}

/// The durations in a text.
fn seconds(text: &str) -> Vec<f64> {
    let part = |found: Option<regex_lite::Match<'_>>| {
        found.map_or(0.0, |m| m.as_str().parse::<f64>().unwrap_or(f64::NAN))
    };
    DURATION
        .captures_iter(text)
        .filter(|c| !c[0].is_empty())
        .map(|c| part(c.get(1)) * 3600.0 + part(c.get(2)) * 60.0 + part(c.get(3)))
        .collect()
}

/// The same words, with durations that are near.
fn near_text(want: &str, got: &str) -> bool {
    let (w, g) = (seconds(want), seconds(got));
    DURATION.replace_all(want, "<duration>") == DURATION.replace_all(got, "<duration>")
        && w.len() == g.len()
        && w.iter().zip(&g).all(|(w, g)| (w - g).abs() <= NEAR_SECONDS)
}

/// The value at a dotted path (`data.keys.0`).
pub fn dig<'v>(value: &'v Value, dotted: &str) -> Option<&'v Value> {
    dotted
        .split('.')
        .try_fold(value, |value, part| match value {
            Value::Array(list) => list.get(part.parse::<usize>().ok()?),
            other => other.get(part),
        })
}

#[cfg(test)]
mod tests {
    use super::differ;
    use serde_json::{Value, json};

    fn check(want: Value, got: Value, at: &[&str]) {
        let mut out = Vec::new();
        differ(&want, &got, "", &mut out);
        assert_eq!(
            out.iter().map(|d| d.at.as_str()).collect::<Vec<_>>(),
            at,
            "{want} against {got}"
        );
    }

    #[test]
    fn only_listed_numbers_may_be_near() {
        check(json!({"ttl": 3600}), json!({"ttl": 3598}), &[]);
        check(json!({"ttl": 3600}), json!({"ttl": 3590}), &[".ttl"]);
        check(
            json!({"num_uses": 3}),
            json!({"num_uses": 2}),
            &[".num_uses"],
        );
        check(json!({"a": [1, 2]}), json!({"a": [1]}), &[".a"]);
        check(json!({"a": 1}), json!({"b": 1}), &[".a", ".b"]);
    }

    #[test]
    fn whole_numbers_are_compared_to_the_last_digit() {
        check(json!({"a": 1}), json!({"a": 1.0}), &[]);
        check(
            json!({"a": 9007199254740993_u64}),
            json!({"a": 9007199254740992_u64}),
            &[".a"],
        );
    }

    #[test]
    fn durations_in_warnings_may_be_near_and_nothing_else() {
        let warning = |text: &str| json!({"warnings": [text]});
        let want = warning("capped TTL of \"1h0m2s\" to 59m59s");
        check(
            want.clone(),
            warning("capped TTL of \"1h0m1s\" to 59m58s"),
            &[],
        );
        check(
            want.clone(),
            warning("capped TTL of \"1h0m9s\" to 59m59s"),
            &[".warnings[0]"],
        );
        check(
            want,
            warning("capped \"1h0m2s\" to 59m59s"),
            &[".warnings[0]"],
        );
        check(json!({"data": "2s"}), json!({"data": "1s"}), &[".data"]);
    }
}
