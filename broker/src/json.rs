//! JSON as clients send it (contract 1.4): numbers keep their source form, doubled members are
//! seen, and what is too deep or too much is refused before it costs memory.
//!
//! serde_json would rewrite `1E3` and drop doubles; it is what answers are written with, not what
//! requests are read with.

use std::collections::HashSet;

use serde_json::{Map, Number, Value};
use thiserror::Error;

/// How deep lists and objects may nest.
pub const DEPTH_MAX: usize = 100;
/// How many values and member names a text may hold.
pub const VALUES_MAX: usize = 100_000;

/// A JSON value with everything its text said.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A text; what is no Unicode became U+FFFD.
    Text(String),
    /// `[ … ]`
    List(Vec<Json>),
    /// `{ … }`
    Object(Vec<Member>),
}

/// One member of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// The line its name stands on, from 1.
    pub line: usize,
    /// Its value.
    pub value: Json,
}

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("{message} at line {line} column {column}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// The line, from 1.
        line: usize,
        /// The byte within the line, from 1.
        column: usize,
    },
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// More than [`VALUES_MAX`] values.
    #[error("more than {VALUES_MAX} values")]
    TooMany,
    /// JSON, but no object.
    #[error("expected an object, got {0}")]
    NotAnObject(&'static str),
}

/// Reads the body of a request: an object, or `null` or nothing for an empty one. Of what follows
/// the first value only the next token is looked at, and must be one. The last of doubled members
/// wins.
pub fn parse_body(body: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let mut reader = Reader::new(body);
    if reader.peek_after_blanks().is_none() {
        return Ok(Map::new());
    }
    let value = reader.value(0)?;
    reader.trailing_token()?;
    match value {
        Json::Null => Ok(Map::new()),
        Json::Object(members) => Ok(to_map(members)),
        other => Err(JsonError::NotAnObject(other.what())),
    }
}

/// Reads a text that is one JSON object and nothing else: what was kept of a body. serde_json's own reader would take a member
/// of one certain name for a number.
pub fn parse_object(text: &[u8]) -> Result<Map<String, Value>, JsonError> {
    match parse(text)? {
        Json::Object(members) => Ok(to_map(members)),
        other => Err(JsonError::NotAnObject(other.what())),
    }
}

/// Reads a text that is one JSON value and nothing else.
pub fn parse(text: &[u8]) -> Result<Json, JsonError> {
    let mut reader = Reader::new(text);
    reader.peek_after_blanks();
    let value = reader.value(0)?;
    match reader.peek_after_blanks() {
        None => Ok(value),
        Some(_) => Err(reader.unexpected("after the value")),
    }
}

impl Json {
    /// The same for serde_json; the last of doubled members wins.
    pub fn into_value(self) -> Value {
        match self {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(truth),
            // The one way to keep a number's source form; the reader let only numbers in.
            Json::Number(text) => Value::Number(Number::from_string_unchecked(text)),
            Json::Text(text) => Value::String(text),
            Json::List(items) => Value::Array(items.into_iter().map(Json::into_value).collect()),
            Json::Object(members) => Value::Object(to_map(members)),
        }
    }

    /// What a message calls it.
    pub fn what(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a bool",
            Json::Number(_) => "a number",
            Json::Text(_) => "a string",
            Json::List(_) => "a list",
            Json::Object(_) => "an object",
        }
    }
}

fn to_map(members: Vec<Member>) -> Map<String, Value> {
    // Of doubles only the last is converted: a text of many doubles must not cost more than one.
    let mut seen = HashSet::new();
    let mut last: Vec<Member> = Vec::new();
    for member in members.into_iter().rev() {
        if seen.insert(member.name.clone()) {
            last.push(member);
        }
    }
    last.into_iter()
        .map(|member| (member.name, member.value.into_value()))
        .collect()
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
    line_start: usize,
    values: usize,
}

impl<'t> Reader<'t> {
    fn new(text: &'t [u8]) -> Self {
        Reader {
            text,
            at: 0,
            line: 1,
            line_start: 0,
            values: 0,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn peek_after_blanks(&mut self) -> Option<u8> {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.peek() {
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
                self.line_start = self.at;
            }
        }
        self.peek()
    }

    fn unexpected(&self, what: &str) -> JsonError {
        let message = match self.peek() {
            None => "unexpected end".to_owned(),
            Some(byte @ 0x20..0x7f) => format!("invalid character '{}' {what}", byte as char),
            Some(byte) => format!("invalid byte 0x{byte:02x} {what}"),
        };
        JsonError::Syntax {
            message,
            line: self.line,
            column: self.at - self.line_start + 1,
        }
    }

    fn count(&mut self) -> Result<(), JsonError> {
        self.values += 1;
        match self.values > VALUES_MAX {
            true => Err(JsonError::TooMany),
            false => Ok(()),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.count()?;
        match self.peek_after_blanks() {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Json::Number),
            Some(b'n') => self.word(b"null").map(|()| Json::Null),
            Some(b't') => self.word(b"true").map(|()| Json::Bool(true)),
            Some(b'f') => self.word(b"false").map(|()| Json::Bool(false)),
            _ => Err(self.unexpected("looking for a value")),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), JsonError> {
        for expected in word {
            if self.peek() != Some(*expected) {
                return Err(self.unexpected("in a literal"));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        if depth > DEPTH_MAX {
            return Err(JsonError::TooDeep);
        }
        self.at += 1;
        let mut members = Vec::new();
        if self.peek_after_blanks() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            if self.peek_after_blanks() != Some(b'"') {
                return Err(self.unexpected("looking for a member name"));
            }
            self.count()?;
            let line = self.line;
            let name = self.string()?;
            if self.peek_after_blanks() != Some(b':') {
                return Err(self.unexpected("after a member name"));
            }
            self.at += 1;
            let value = self.value(depth)?;
            members.push(Member { name, line, value });
            match self.peek_after_blanks() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Json::Object(members));
                }
                _ => return Err(self.unexpected("after a member")),
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, JsonError> {
        if depth > DEPTH_MAX {
            return Err(JsonError::TooDeep);
        }
        self.at += 1;
        let mut items = Vec::new();
        if self.peek_after_blanks() == Some(b']') {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            match self.peek_after_blanks() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::List(items));
                }
                _ => return Err(self.unexpected("after a list element")),
            }
        }
    }

    fn number(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(String::from_utf8_lossy(&self.text[start..self.at]).into_owned())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        match self.at > start {
            true => Ok(()),
            false => Err(self.unexpected("in a number")),
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let start = self.at;
            while self
                .peek()
                .is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
            {
                self.at += 1;
            }
            text.push_str(&String::from_utf8_lossy(&self.text[start..self.at]));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                _ => return Err(self.unexpected("in a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let c = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => c as char,
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.unexpected("in an escape")),
        };
        self.at += 1;
        Ok(c)
    }

    /// After `\u`. Half a surrogate pair becomes U+FFFD, as clients know it.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let high = self.hex4()?;
        if !(0xd800..0xdc00).contains(&high) {
            return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before_low = self.at;
        if self.text[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before_low;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| (byte as char).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.unexpected("in a unicode escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn trailing_token(&mut self) -> Result<(), JsonError> {
        match self.peek_after_blanks() {
            None | Some(b'[') => Ok(()),
            Some(b'{') => {
                self.at += 1;
                match self.peek_after_blanks() {
                    None | Some(b'"' | b'}') => Ok(()),
                    Some(_) => Err(self.unexpected("looking for a member name")),
                }
            }
            Some(_) => self.value(0).map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(body: &str, expect: Option<&str>) {
        let read = parse_body(body.as_bytes());
        let written = read
            .as_ref()
            .ok()
            .map(|map| serde_json::to_string(map).unwrap());
        assert_eq!(written.as_deref(), expect, "{body:?}: {read:?}");
    }

    #[test]
    fn bodies() {
        for empty in ["", " ", "\n", "null", "{}", "null null", " { } "] {
            check(empty, Some("{}"));
        }
        check("{\"a\":\"1\",\"a\":\"2\"}", Some("{\"a\":\"2\"}"));
        check(" \n\t{\"a\":\"2\"}\r\n", Some("{\"a\":\"2\"}"));
        check(
            "{\"a\":[1.0,1E3,1e+3,-0,1.50]}",
            Some("{\"a\":[1.0,1E3,1e+3,-0,1.50]}"),
        );
        check(
            "{\"a\":123456789012345678901234567890}",
            Some("{\"a\":123456789012345678901234567890}"),
        );
        check("{\"a\":\"\\u00e9\\ud83d\\ude00\"}", Some("{\"a\":\"é😀\"}"));
        check("{\"a\":\"\\ud83d\"}", Some("{\"a\":\"\u{fffd}\"}"));
        check("{\"a\":\"\\ud83d\\u0041\"}", Some("{\"a\":\"\u{fffd}A\"}"));
        check(
            "{\"\":true,\"b\":[],\"c\":null}",
            Some("{\"\":true,\"b\":[],\"c\":null}"),
        );
    }

    #[test]
    fn what_follows() {
        for ignored in [
            "{}",
            "{\"b\":2}",
            " 5",
            "\"x\"",
            "true",
            "[}",
            "{",
            " null junk",
        ] {
            check(&format!("{{\"a\":1}}{ignored}"), Some("{\"a\":1}"));
        }
        for refused in ["x", "]", "}", ",", " {bad", "nul", "\"x"] {
            check(&format!("{{\"a\":1}}{refused}"), None);
        }
        check("nullx", None);
    }

    #[test]
    fn refusals() {
        for refused in [
            "[]",
            "[1]",
            "\"a\"",
            "1",
            "true",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":.5}",
            "{\"a\":1.}",
            "{\"a\":+1}",
            "{\"a\":NaN}",
            "{\"a\":tru}",
            "{\"a\":\"",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\t\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":[1,]}",
            "{\"a\":[1 2]}",
            "bad",
            "}",
            "\0",
            "\u{feff}{}",
            "// c\n{}",
            "<xml/>",
            "nul",
            "{\"a\":1e}",
            "{\"a\":-}",
        ] {
            check(refused, None);
        }
        let error = parse_body(b"{\n \"a\":x}").unwrap_err().to_string();
        assert_eq!(
            error,
            "invalid character 'x' looking for a value at line 2 column 6"
        );
    }

    #[test]
    fn limits() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse_body(nested(DEPTH_MAX - 1).as_bytes()).is_ok());
        assert_eq!(
            parse_body(nested(DEPTH_MAX).as_bytes()),
            Err(JsonError::TooDeep)
        );
        assert_eq!(
            parse_body("[".repeat(1 << 20).as_bytes()),
            Err(JsonError::TooDeep)
        );
        let wide = format!("{{\"a\":[{}0]}}", "0,".repeat(VALUES_MAX));
        assert_eq!(parse_body(wide.as_bytes()), Err(JsonError::TooMany));
    }

    #[test]
    fn doubles_are_seen() {
        let Ok(Json::Object(members)) = parse(b"{\"a\":1,\n\"a\":2}") else {
            panic!()
        };
        assert_eq!(
            members.iter().map(|member| member.line).collect::<Vec<_>>(),
            [1, 2]
        );
        assert!(parse(b"{} x").is_err());
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("\\PC{0,4}", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_serde_writes(value in json()) {
            let text = serde_json::to_vec(&value).unwrap();
            prop_assert_eq!(parse(&text).unwrap().into_value(), value);
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse_body(&bytes);
        }

        #[test]
        fn refuses_what_serde_refuses(text in "[\\[\\]{}:,\"0-9eE.+\\-a ]{0,16}") {
            if parse(text.as_bytes()).is_ok() {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
            }
        }
    }
}
