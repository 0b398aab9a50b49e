//! Where two masked answers differ.

use serde_json::Value;
use std::collections::BTreeSet;

/// Names under which two numbers may differ by [`NEAR_SECONDS`]: they count down while the scenario runs.
const NEAR: [&str; 4] = ["ttl", "lease_duration", "expire_time_unix", "wrap_ttl"];
const NEAR_SECONDS: f64 = 3.0;

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// `status`, `body`, `header content-type`, or the dotted place in the answer.
    pub at: String,
    /// For people.
    pub text: String,
}

/// All differences between a recorded and a seen value.
pub fn differ(want: &Value, got: &Value, at: &str, out: &mut Vec<Difference>) {
    match (want, got) {
        (Value::Object(want), Value::Object(got)) => {
            for key in want.keys().chain(got.keys()).collect::<BTreeSet<_>>() {
                let at = format!("{at}.{key}");
                match (want.get(key), got.get(key)) {
                    (Some(want), Some(got)) => differ(want, got, &at, out),
                    (Some(want), None) => out.push(Difference {
                        text: format!("missing, want {want}"),
                        at,
                    }),
                    (None, Some(got)) => out.push(Difference {
                        text: format!("extra {got}"),
                        at,
                    }),
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
        _ => out.push(Difference {
            at: at.to_owned(),
            text: format!("want {want} got {got}"),
        }),
    }
}

fn same(want: &Value, got: &Value, at: &str) -> bool {
    if want == got {
        return true;
    }
    let (Value::Number(w), Value::Number(g)) = (want, got) else {
        return false;
    };
    let (Some(w), Some(g)) = (w.as_f64(), g.as_f64()) else {
        return false;
    };
    let name = at.rsplit('.').next().unwrap_or(at);
    w == g || (NEAR.contains(&name) && (w - g).abs() <= NEAR_SECONDS)
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
    use serde_json::json;

    fn check(want: serde_json::Value, got: serde_json::Value, at: &[&str]) {
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
}
