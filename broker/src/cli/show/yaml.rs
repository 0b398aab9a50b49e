//! YAML out of JSON values: keys sorted, lists not indented, texts quoted wherever a reader could
//! take them for something else.

use serde_json::Value;

/// The value as a YAML document.
pub fn yaml(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text
}

fn write(text: &mut String, value: &Value, indent: usize) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                text.push_str(&format!("{pad}{}:", scalar_text(key)));
                write_after(text, value, indent, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                text.push_str(&format!("{pad}-"));
                match item {
                    Value::Object(map) if !map.is_empty() => {
                        let mut inner = String::new();
                        write(&mut inner, item, indent + 2);
                        text.push_str(&format!(" {}", inner.trim_start()));
                    }
                    item => write_after(text, item, indent + 2, indent + 2),
                }
            }
        }
        scalar => text.push_str(&format!("{pad}{}\n", scalar_value(scalar))),
    }
}

/// What follows `key:` or `-`: a scalar on the same line, a collection on the next ones.
fn write_after(text: &mut String, value: &Value, list_indent: usize, map_indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            write(text, value, map_indent);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            write(text, value, list_indent);
        }
        scalar => text.push_str(&format!(" {}\n", scalar_value(scalar))),
    }
}

fn scalar_value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => scalar_text(text),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        other => other.to_string(),
    }
}

/// A text, plain if that can not be misread; else as in JSON, which YAML reads too.
fn scalar_text(text: &str) -> String {
    let safe_first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let safe_rest = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || " -_./+@,=()".contains(c));
    let word = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let misread = word.contains(&text.to_ascii_lowercase().as_str()) || text.ends_with(' ');
    // An identifier such as a UUID may begin with a digit and still be no number.
    let id = text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4;
    if (safe_first || id) && safe_rest && !misread {
        text.to_owned()
    } else {
        Value::String(text.to_owned()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints() {
        let check = |json: &str, expect: &str| {
            assert_eq!(yaml(&serde_json::from_str(json).unwrap()), expect, "{json}");
        };
        check(
            r#"{"b": [1, "two"], "a": {"c": null}}"#,
            "a:\n  c: null\nb:\n- 1\n- two\n",
        );
        check(r#"{"e": [], "f": {}, "g": ""}"#, "e: []\nf: {}\ng: \"\"\n");
        check(
            r#"["yes", "3", "a: b", "a\nb"]"#,
            "- \"yes\"\n- \"3\"\n- \"a: b\"\n- \"a\\nb\"\n",
        );
        check(r#"[{"a": 1, "b": [2]}]"#, "- a: 1\n  b:\n  - 2\n");
        check("\"x\"", "x\n");
    }
}
