//! The JSON form, read into the same items. Unlike the reference's reader it wants the whole text
//! to be one JSON object.

use super::{Body, DEPTH_MAX, Item, Place, SyntaxError, Value, ValueKind};
use crate::json::{self, Json, JsonError, Member};

pub(super) fn parse(text: &str) -> Result<Body, SyntaxError> {
    let refusal = |line, column, message| SyntaxError {
        place: Place { line, column },
        message,
    };
    match json::parse(text.as_bytes()) {
        Ok(Json::Object(members)) => body(members, 0)
            .map(with_labels)
            .ok_or_else(|| refusal(1, 1, format!("nested deeper than {DEPTH_MAX} levels"))),
        Ok(other) => Err(refusal(
            1,
            1,
            format!("expected an object, got {}", other.what()),
        )),
        Err(JsonError::Syntax {
            message,
            line,
            column,
        }) => Err(refusal(line, column, message)),
        Err(error) => Err(refusal(1, 1, error.to_string())),
    }
}

/// What HCL writes as labels is one more object in JSON, or a list of such objects:
/// `{"path": {"a": {…}}}` is `path "a" {…}`.
fn with_labels(body: Body) -> Body {
    fn labelled(key: &str, value: &Value) -> Option<Vec<Item>> {
        match &value.kind {
            ValueKind::List(values) if !values.is_empty() => {
                let items: Option<Vec<_>> =
                    values.iter().map(|value| labelled(key, value)).collect();
                items.map(|items| items.into_iter().flatten().collect())
            }
            ValueKind::Object(body) if !body.items.is_empty() => body
                .items
                .iter()
                .map(|item| match item.value.kind {
                    ValueKind::Object(_) => Some(Item {
                        key: key.to_owned(),
                        labels: vec![item.key.clone()],
                        ..item.clone()
                    }),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }
    let expand = |item: Item| labelled(&item.key, &item.value).unwrap_or_else(|| vec![item]);
    Body {
        items: body.items.into_iter().flat_map(expand).collect(),
    }
}

/// None if it nests too deep. Doubled members stay: a pattern given twice is merged.
fn body(members: Vec<Member>, depth: usize) -> Option<Body> {
    let item = |member: Member| {
        let place = Place {
            line: member.line,
            column: 1,
        };
        Some(Item {
            key: member.name,
            labels: Vec::new(),
            assign_line: member.line,
            value: value(member.value, place, depth)?,
        })
    };
    Some(Body {
        items: members.into_iter().map(item).collect::<Option<_>>()?,
    })
}

fn value(json: Json, place: Place, depth: usize) -> Option<Value> {
    if depth >= DEPTH_MAX {
        return None;
    }
    let kind = match json {
        Json::Null => ValueKind::Null,
        Json::Bool(truth) => ValueKind::Bool(truth),
        Json::Number(number) if number.contains(['.', 'e', 'E']) => ValueKind::Float(number),
        Json::Number(number) => ValueKind::Number(number),
        Json::Text(text) => ValueKind::Text(text),
        Json::List(items) => ValueKind::List(
            items
                .into_iter()
                .map(|item| value(item, place, depth + 1))
                .collect::<Option<_>>()?,
        ),
        Json::Object(members) => ValueKind::Object(body(members, depth + 1)?),
    };
    Some(Value { place, kind })
}
