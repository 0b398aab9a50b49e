//! What no two servers share (ids, tokens, times, passwords) is replaced by a word before answers are compared.

use regex_lite::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// Values that steps have saved, and the ones given from outside (`pg`, `root`), in the order in which they came: where
/// one holds another (a lease id and its end), the first that was known gives its name.
#[derive(Clone, Debug, Default)]
pub struct Variables(Vec<(String, Value)>);

impl Variables {
    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// Sets a value; a known name keeps its place.
    pub fn set(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some(known) => known.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

static RULES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (
            r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            "<uuid>",
        ),
        (r"^(s|hvs)\.[A-Za-z0-9_-]{24,}$", "<token>"),
        (r"^(b|hvb)\.[A-Za-z0-9_-]{24,}$", "<batch token>"),
        (
            r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",
            "<time>",
        ),
        (r"^([a-z][a-z0-9_-]*)_[0-9a-f]{8}$", "${1}_<hex8>"),
        (r"^(.*/)[A-Za-z0-9]{24}$", "${1}<id24>"),
        (r"^[A-Za-z0-9]{24}$", "<id24>"),
        (r"^(v-.*-)[A-Za-z0-9]{20}-\d{10}$", "${1}<20>-<unix>"),
    ]
    .map(|(rule, put)| (Regex::new(rule).expect("a constant rule"), put))
    .into()
});
static LOGIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"v-[A-Za-z0-9_.-]*?-[A-Za-z0-9]{20}-\d{10}").expect("a constant rule")
});
static VARIABLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{(\w+)\}").expect("a constant rule"));

/// `value` as it is compared; `key` is the name it stands under.
pub fn mask(value: &Value, key: &str, variables: &Variables) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(k, v)| (k.clone(), mask(v, k, variables)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(|v| mask(v, key, variables)).collect()),
        Value::String(text) => Value::String(mask_text(text, key, variables)),
        Value::Number(number) if number.as_f64().is_some_and(|n| n > 1_600_000_000.0) => {
            Value::String("<unix>".into())
        }
        other => other.clone(),
    }
}

/// A text as it is compared.
pub fn mask_text(text: &str, key: &str, variables: &Variables) -> String {
    let mut text = text.to_owned();
    for (name, known) in &variables.0 {
        if let Value::String(known) = known
            && (known.chars().count() >= 16 || name == "pg")
            && name != "pg_user"
            && name != "pg_password"
        {
            text = text.replace(known.as_str(), &format!("{{{name}}}"));
        }
    }
    if key == "password" && !text.starts_with('{') {
        return format!("<password {}>", text.chars().count());
    }
    for (rule, put) in RULES.iter() {
        if rule.is_match(&text) {
            return rule.replace(&text, *put).into_owned();
        }
    }
    LOGIN.replace_all(&text, "<login>").into_owned()
}

/// Puts variables into what is sent; a text that is one variable takes its value whole.
pub fn fill(value: &Value, variables: &Variables) -> Value {
    match value {
        Value::String(text) => match text
            .strip_prefix('{')
            .and_then(|t| t.strip_suffix('}'))
            .and_then(|name| variables.get(name))
        {
            Some(known) => known.clone(),
            None => Value::String(fill_text(text, variables)),
        },
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(k, v)| (fill_text(k, variables), fill(v, variables)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(|v| fill(v, variables)).collect()),
        other => other.clone(),
    }
}

/// Puts variables into a text.
pub fn fill_text(text: &str, variables: &Variables) -> String {
    VARIABLE
        .replace_all(text, |found: &regex_lite::Captures<'_>| {
            match variables.get(&found[1]) {
                Some(Value::String(known)) => known.clone(),
                Some(known) => known.to_string(),
                None => found[0].to_owned(),
            }
        })
        .into_owned()
}
