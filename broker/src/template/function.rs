//! The functions: `truncate`, `truncate_sha256`, `uppercase`, `lowercase`, `replace`, `sha256`,
//! `base64`, `decode_base64`, `hex`, `decode_hex`, `unix_time`, `unix_time_millis`, `timestamp`,
//! `random`, `uuid`, `glob`, `printf`. One row each: routing, arity and types come from the table.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::RENDERED_BYTES_MAX;
use super::go_time;
use super::value::{Context, Value};
use crate::ids::base62_from;

/// What a function takes in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    /// Anything, any number of times.
    Rest,
}

/// One function of the language.
#[derive(Debug)]
pub(super) struct Function {
    pub name: &'static str,
    pub takes: &'static [Kind],
    pub run: fn(&mut Context<'_>, &[Value]) -> Result<Value, String>,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

use Kind::{Int, Rest, Text};

static FUNCTIONS: [Function; 17] = [
    Function {
        name: "base64",
        takes: &[Text],
        run: |_, args| Ok(Value::Text(STANDARD.encode(args[0].text()))),
    },
    Function {
        name: "decode_base64",
        takes: &[Text],
        run: decode_base64,
    },
    Function {
        name: "decode_hex",
        takes: &[Text],
        run: decode_hex,
    },
    Function {
        name: "glob",
        takes: &[Text, Text],
        run: |_, args| Ok(Value::Bool(glob(args[0].text(), args[1].text()))),
    },
    Function {
        name: "hex",
        takes: &[Text],
        run: |_, args| Ok(Value::Text(hex::encode(args[0].text()))),
    },
    Function {
        name: "lowercase",
        takes: &[Text],
        run: |_, args| Ok(Value::Text(args[0].text().to_lowercase())),
    },
    Function {
        name: "printf",
        takes: &[Text, Rest],
        run: printf,
    },
    Function {
        name: "random",
        takes: &[Int],
        run: random,
    },
    Function {
        name: "replace",
        takes: &[Text, Text, Text],
        run: replace,
    },
    Function {
        name: "sha256",
        takes: &[Text],
        run: |_, args| Ok(Value::Text(sha256(args[0].text()))),
    },
    Function {
        name: "timestamp",
        takes: &[Text],
        run: |context, args| Ok(Value::Text(go_time::format(context.now, args[0].text()))),
    },
    Function {
        name: "truncate",
        takes: &[Int, Text],
        run: truncate,
    },
    Function {
        name: "truncate_sha256",
        takes: &[Int, Text],
        run: truncate_sha256,
    },
    Function {
        name: "unix_time",
        takes: &[],
        run: |context, _| Ok(Value::Text(context.now.unix_timestamp().to_string())),
    },
    Function {
        name: "unix_time_millis",
        takes: &[],
        run: unix_time_millis,
    },
    Function {
        name: "uppercase",
        takes: &[Text],
        run: |_, args| Ok(Value::Text(args[0].text().to_uppercase())),
    },
    Function {
        name: "uuid",
        takes: &[],
        run: uuid,
    },
];

pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

impl Function {
    /// Checks number and types of the arguments, then runs.
    pub fn call(&self, context: &mut Context<'_>, args: &[Value]) -> Result<Value, String> {
        let name = self.name;
        let (fixed, open) = match self.takes.split_last() {
            Some((Rest, fixed)) => (fixed, true),
            _ => (self.takes, false),
        };
        if args.len() < fixed.len() || !open && args.len() > fixed.len() {
            let (want, got) = (fixed.len(), args.len());
            return Err(format!(
                "wrong number of args for {name}: want {want} got {got}"
            ));
        }
        for (kind, value) in fixed.iter().zip(args) {
            match (kind, value) {
                (Text, Value::Text(_)) | (Int, Value::Int(_)) => {}
                (Int, other) => return Err(format!("{name}: expected integer; found {other:?}")),
                (_, other) => return Err(format!("{name}: expected string; found {other:?}")),
            }
        }
        (self.run)(context, args).map_err(|error| format!("error calling {name}: {error}"))
    }
}

/// A length that a template gives: in bytes, above `floor`.
fn length(value: &Value, floor: i64) -> Result<usize, String> {
    let length = value.int();
    match length > floor {
        true => Ok(usize::try_from(length).unwrap_or(usize::MAX)),
        false => Err(format!("max length must be > {floor} but was {length}")),
    }
}

/// The first bytes of a text, and fewer rather than half a character.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn truncate(_: &mut Context<'_>, args: &[Value]) -> Result<Value, String> {
    Ok(Value::Text(
        cut(args[1].text(), length(&args[0], 0)?).to_owned(),
    ))
}

/// Keeps what fits before eight characters that stand for the rest.
fn truncate_sha256(_: &mut Context<'_>, args: &[Value]) -> Result<Value, String> {
    let (length, text) = (length(&args[0], 8)?, args[1].text());
    if text.len() <= length {
        return Ok(Value::Text(text.to_owned()));
    }
    let kept = cut(text, length - 8);
    Ok(Value::Text(format!(
        "{kept}{}",
        &sha256(&text[kept.len()..])[..8]
    )))
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn decode_base64(_: &mut Context<'_>, args: &[Value]) -> Result<Value, String> {
    decoded(
        STANDARD
            .decode(args[0].text())
            .map_err(|error| error.to_string())?,
    )
}

fn decode_hex(_: &mut Context<'_>, args: &[Value]) -> Result<Value, String> {
    decoded(hex::decode(args[0].text()).map_err(|error| error.to_string())?)
}

fn decoded(bytes: Vec<u8>) -> Result<Value, String> {
    String::from_utf8(bytes)
        .map(Value::Text)
        .map_err(|_| "the decoded bytes are no text".into())
}

fn replace(_: &mut Context<'_>, args: &[Value]) -> Result<Value, String> {
    let (old, new, text) = (args[0].text(), args[1].text(), args[2].text());
    let places = if old.is_empty() {
        text.chars().count() + 1
    } else {
        text.matches(old).count()
    };
    if text.len() + places * new.len() > RENDERED_BYTES_MAX {
        return Err(format!(
            "the result is longer than {RENDERED_BYTES_MAX} bytes"
        ));
    }
    Ok(Value::Text(text.replace(old, new)))
}

fn random(context: &mut Context<'_>, args: &[Value]) -> Result<Value, String> {
    match usize::try_from(args[0].int()) {
        Ok(length @ 0..=RENDERED_BYTES_MAX) => Ok(Value::Text(base62_from(length, context.rng))),
        _ => Err(format!(
            "length must be from 0 to {RENDERED_BYTES_MAX} but was {}",
            args[0].int()
        )),
    }
}

fn uuid(context: &mut Context<'_>, _: &[Value]) -> Result<Value, String> {
    let mut bytes = [0; 16];
    context.rng.fill_bytes(&mut bytes);
    let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
    Ok(Value::Text(Uuid::to_string(&uuid)))
}

fn unix_time_millis(context: &mut Context<'_>, _: &[Value]) -> Result<Value, String> {
    Ok(Value::Text(
        (context.now.unix_timestamp_nanos() / 1_000_000).to_string(),
    ))
}

/// `*` at either end stands for anything; inside it stands for anything too.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(tail)
}

/// `%s`, `%v`, `%d` and `%%`. What Go would render as a complaint is refused.
fn printf(_: &mut Context<'_>, args: &[Value]) -> Result<Value, String> {
    let mut values = args[1..].iter();
    let mut rendered = String::new();
    let mut format = args[0].text().chars();
    while let Some(c) = format.next() {
        if c != '%' {
            rendered.push(c);
            continue;
        }
        let verb = format.next().ok_or("the format ends in a lone %")?;
        if verb == '%' {
            rendered.push('%');
            continue;
        }
        let value = values
            .next()
            .ok_or_else(|| format!("no value for %{verb}"))?;
        match (verb, value) {
            ('s', Value::Text(text)) => rendered.push_str(text),
            ('d', Value::Int(number)) => rendered.push_str(&number.to_string()),
            ('v', value) => rendered.push_str(&value.to_string()),
            ('s' | 'd', value) => return Err(format!("%{verb} does not fit {value:?}")),
            _ => {
                return Err(format!(
                    "%{verb} is not supported: there are %s, %d, %v and %%"
                ));
            }
        }
    }
    match values.next() {
        None => Ok(Value::Text(rendered)),
        Some(value) => Err(format!("{value:?} has no place in the format")),
    }
}
