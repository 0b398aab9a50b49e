//! Form bodies (contract 1.4). Pure.

use serde_json::Value;

use super::query::decode;
use crate::logical::Body;

/// Whether a content type names a form. One whose parameters can not be read (RFC 9110, 5.6.6) names nothing.
pub(super) fn is_form_type(media: &str) -> bool {
    let mut parts = media.split(';').map(str::trim);
    let named = parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    let mut parts = parts.peekable();
    let mut readable = true;
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        readable &= match part.split_once('=') {
            Some((name, value)) => !name.is_empty() && !value.is_empty(),
            None => part.is_empty() && last,
        };
    }
    named && readable
}

/// Whether a body sent as a form is one: `curl -d` sends JSON under that type as well.
pub(super) fn is_form(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    !matches!(first, Some(b'{' | b'['))
}

/// The fields of a form; a name given twice has its values joined with a comma. None for a bad escape or a `;`.
pub(super) fn parse(body: &[u8]) -> Option<Body> {
    let text = std::str::from_utf8(body).ok()?;
    if text.contains(';') {
        return None;
    }
    let mut fields = Body::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        match fields.get_mut(&name) {
            Some(Value::String(before)) => {
                before.push(',');
                before.push_str(&value);
            }
            _ => {
                fields.insert(name, Value::String(value));
            }
        }
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn forms_become_fields() {
        let check = |body: &str, expect: Option<Value>| {
            assert_eq!(parse(body.as_bytes()).map(Value::Object), expect, "{body}")
        };
        check("", Some(json!({})));
        check(
            "a=1&b=two+words&a=3",
            Some(json!({ "a": "1,3", "b": "two words" })),
        );
        check("a", Some(json!({ "a": "" })));
        check("null", Some(json!({ "null": "" })));
        check("a=%2", None);
        check("a=1;b=2", None);
    }

    #[test]
    fn forms_are_known_by_their_type() {
        let check = |media: &str, expect| assert_eq!(is_form_type(media), expect, "{media}");
        check("application/x-www-form-urlencoded", true);
        check("Application/X-WWW-Form-Urlencoded; charset=utf-8", true);
        check("application/x-www-form-urlencoded;", true);
        check("application/x-www-form-urlencoded;;bad", false);
        check("application/x-www-form-urlencoded; bad", false);
        check("application/json", false);
        check("", false);
    }

    #[test]
    fn json_under_a_forms_name_is_json() {
        assert!(!is_form(b" {\"a\":1}"));
        assert!(!is_form(b"["));
        assert!(is_form(b"null"));
        assert!(is_form(b""));
    }
}
