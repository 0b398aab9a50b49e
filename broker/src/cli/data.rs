//! `key=value` arguments: the body of a write.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};

use serde_json::{Map, Value};
use thiserror::Error;

/// Why arguments are no data. Only what the user typed is repeated, never what was read from elsewhere.
#[derive(Debug, Error)]
pub enum DataError {
    /// Neither `key=value`, `@file` nor `-`.
    #[error("invalid key/value pair {0:?}: format must be key=value")]
    NotAPair(String),
    /// The file of `key=@file`.
    #[error("invalid key/value pair {pair:?}: error reading file: open {file}: {why}")]
    File {
        /// As it was given.
        pair: String,
        /// The file's name.
        file: String,
        /// What the system says.
        why: String,
    },
    /// The file of `@file`.
    #[error("error reading file: open {file}: {why}")]
    WholeFile {
        /// The file's name.
        file: String,
        /// What the system says.
        why: String,
    },
    /// Standard input.
    #[error("error reading standard input: {0}")]
    Stdin(io::Error),
    /// A whole body that is no JSON object.
    #[error("{origin} is no JSON object: {why}")]
    NotJson {
        /// Where it came from.
        origin: String,
        /// Where it fails; nothing of what it holds.
        why: String,
    },
}

/// Reads arguments as data: `k=v`, `k=@file`, `k=\@literal`, `k=-` (standard input), and a whole JSON
/// object by `@file` or `-`. A key given twice becomes an array.
pub fn parse(arguments: &[String], stdin: &mut dyn Read) -> Result<Map<String, Value>, DataError> {
    let mut data = Map::new();
    for argument in arguments {
        if argument == "-" {
            let text = read_stdin(stdin)?;
            data.extend(object(&text, "standard input")?);
        } else if let Some(file) = argument.strip_prefix('@') {
            let text = fs::read_to_string(file).map_err(|error| DataError::WholeFile {
                file: file.to_owned(),
                why: plain(&error),
            })?;
            data.extend(object(&text, file)?);
        } else {
            let (key, value) = pair(argument, stdin)?;
            add(&mut data, key, value);
        }
    }
    Ok(data)
}

/// The same for texts only: for options and login parameters. Of a key given twice the last counts.
pub fn parse_texts(
    arguments: &[String],
    stdin: &mut dyn Read,
) -> Result<BTreeMap<String, String>, DataError> {
    arguments
        .iter()
        .map(|argument| pair(argument, stdin))
        .collect()
}

/// What the system says about a file, without Rust's `(os error 2)`.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

fn pair(argument: &str, stdin: &mut dyn Read) -> Result<(String, String), DataError> {
    let (key, value) = argument
        .split_once('=')
        .ok_or_else(|| DataError::NotAPair(argument.to_owned()))?;
    let value = if value == "-" {
        read_stdin(stdin)?
    } else if let Some(file) = value.strip_prefix('@') {
        fs::read_to_string(file).map_err(|error| DataError::File {
            pair: argument.to_owned(),
            file: file.to_owned(),
            why: plain(&error),
        })?
    } else if value.starts_with("\\@") {
        value[1..].to_owned()
    } else {
        value.to_owned()
    };
    Ok((key.to_owned(), value))
}

fn read_stdin(stdin: &mut dyn Read) -> Result<String, DataError> {
    let mut text = String::new();
    stdin.read_to_string(&mut text).map_err(DataError::Stdin)?;
    Ok(text)
}

fn object(text: &str, origin: &str) -> Result<Map<String, Value>, DataError> {
    serde_json::from_str(text).map_err(|error| DataError::NotJson {
        origin: origin.to_owned(),
        why: match error.is_data() {
            true => "it is JSON of another kind".into(),
            false => error.to_string(),
        },
    })
}

fn add(data: &mut Map<String, Value>, key: String, value: String) {
    match data.get_mut(&key) {
        None => {
            data.insert(key, value.into());
        }
        Some(Value::Array(values)) => values.push(value.into()),
        Some(first) => *first = vec![first.take(), value.into()].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_data() {
        let check = |arguments: &[&str], stdin: &str, expect: &str| {
            let arguments: Vec<String> = arguments.iter().map(|a| a.to_string()).collect();
            let seen = match parse(&arguments, &mut stdin.as_bytes()) {
                Ok(data) => Value::Object(data).to_string(),
                Err(error) => error.to_string(),
            };
            assert_eq!(seen, expect, "{arguments:?}");
        };
        check(&["a=b", "c=d=e", "f="], "", r#"{"a":"b","c":"d=e","f":""}"#);
        check(&["a=1", "a=2", "a=3"], "", r#"{"a":["1","2","3"]}"#);
        check(&["a=-"], "from stdin", r#"{"a":"from stdin"}"#);
        check(
            &["-"],
            r#"{"x": 1.50, "y": [true]}"#,
            r#"{"x":1.50,"y":[true]}"#,
        );
        check(&["-", "x=2"], r#"{"x": 1}"#, r#"{"x":[1,"2"]}"#);
        check(&["a=\\@b"], "", r#"{"a":"@b"}"#);
        check(
            &["novalue"],
            "",
            r#"invalid key/value pair "novalue": format must be key=value"#,
        );
        check(
            &["a=@/nosuch"],
            "",
            r#"invalid key/value pair "a=@/nosuch": error reading file: open /nosuch: no such file or directory"#,
        );
        check(
            &["-"],
            "[]",
            "standard input is no JSON object: it is JSON of another kind",
        );
    }
}
