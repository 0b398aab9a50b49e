//! Query strings (contract 1.2). Pure.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::logical::Body;

/// Names and values as written; pairs with a `;` or a bad escape are left out, as Go's reader does.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains(';'))
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

/// The first value of a name.
pub(super) fn first<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, value)| value.as_str())
}

/// The data of a read, list or delete: all but what steers the request itself. A name given twice is a list.
pub(super) fn data(pairs: &[(String, String)], method: &str) -> Body {
    let mut data = Body::new();
    for (name, value) in pairs {
        if name == "help" || method == "GET" && matches!(name.as_str(), "list" | "scan") {
            continue;
        }
        let value = Value::String(value.clone());
        match data.get_mut(name) {
            None => {
                data.insert(name.clone(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    data
}

/// Decodes a form or query component: `+` is a blank. None for a bad escape.
pub(super) fn decode(text: &str) -> Option<String> {
    if !escapes_are_whole(text.as_bytes()) {
        return None;
    }
    let blanks = text.replace('+', " ");
    Some(percent_decode_str(&blanks).decode_utf8_lossy().into_owned())
}

/// Whether every `%` has its two digits.
fn escapes_are_whole(text: &[u8]) -> bool {
    text.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'%')
        .all(|(at, _)| {
            let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_hexdigit);
            digit(at + 1) && digit(at + 2)
        })
}

/// A bool as Go's strconv reads it.
pub(super) fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn queries_become_data() {
        let check = |query: &str, expect: Value| {
            assert_eq!(Value::Object(data(&pairs(query), "GET")), expect, "{query}")
        };
        check("", json!({}));
        check("a=1&b=x%20y+z", json!({ "a": "1", "b": "x y z" }));
        check("a=1&a=2&a=3", json!({ "a": ["1", "2", "3"] }));
        check("list=true&help=&scan=1&a", json!({ "a": "" }));
        check("a=%zz&b=1;c=2&d=%4", json!({}));
    }
}
