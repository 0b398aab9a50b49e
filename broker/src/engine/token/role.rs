//! A token role (contract 5.7): what it is, how a write changes it, and what a read shows. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::policy_names::sanitize;
use crate::cidr;
use crate::fields::FieldValue;
use crate::ttl;

/// Settings of tokens that are made through `auth/token/create/:role`. Zero means "not set".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenRole {
    /// Names that may be asked for.
    pub allowed_policies: Vec<String>,
    /// The same, as globs.
    pub allowed_policies_glob: Vec<String>,
    /// Names that may not.
    pub disallowed_policies: Vec<String>,
    /// The same, as globs.
    pub disallowed_policies_glob: Vec<String>,
    /// Entity aliases that may be asked for; kept for clients, without effect.
    pub allowed_entity_aliases: Vec<String>,
    /// Its tokens have no parent.
    pub orphan: bool,
    /// Its tokens may be renewed.
    pub renewable: bool,
    /// Appended to the path of its tokens.
    pub path_suffix: String,
    /// `default-service`, `default-batch`, `service`, `batch`.
    pub token_type: String,
    /// Does not add `default`.
    pub token_no_default_policy: bool,
    /// Addresses its tokens may come from.
    pub token_bound_cidrs: Vec<String>,
    /// Uses of its tokens.
    pub token_num_uses: i32,
    /// Seconds.
    pub token_period: i64,
    /// Seconds.
    pub token_explicit_max_ttl: i64,
    /// Whether the period was set under its older name: then that name shows it, too.
    pub legacy_period: bool,
    /// The same of the explicit maximum.
    pub legacy_explicit_max_ttl: bool,
    /// The same of the addresses.
    pub legacy_bound_cidrs: bool,
}

impl Default for TokenRole {
    fn default() -> Self {
        TokenRole {
            allowed_policies: Vec::new(),
            allowed_policies_glob: Vec::new(),
            disallowed_policies: Vec::new(),
            disallowed_policies_glob: Vec::new(),
            allowed_entity_aliases: Vec::new(),
            orphan: false,
            renewable: true,
            path_suffix: String::new(),
            token_type: "default-service".into(),
            token_no_default_policy: false,
            token_bound_cidrs: Vec::new(),
            token_num_uses: 0,
            token_period: 0,
            token_explicit_max_ttl: 0,
            legacy_period: false,
            legacy_explicit_max_ttl: false,
            legacy_bound_cidrs: false,
        }
    }
}

/// The fields of a write.
type Fields = BTreeMap<&'static str, FieldValue>;

impl TokenRole {
    /// Whether it has a word in which policies its tokens get.
    pub(super) fn filters_policies(&self) -> bool {
        [
            &self.allowed_policies,
            &self.allowed_policies_glob,
            &self.disallowed_policies,
            &self.disallowed_policies_glob,
        ]
        .iter()
        .any(|list| !list.is_empty())
    }

    /// The type its tokens have whatever they ask for.
    pub(super) fn forced_type(&self) -> Option<&str> {
        Some(self.token_type.as_str()).filter(|word| *word == "service" || *word == "batch")
    }

    /// Takes over what a write gives. The answer is its warnings, or why it is refused.
    pub(super) fn apply(
        &mut self,
        fields: &Fields,
        max_ttl_seconds: i64,
    ) -> Result<Vec<String>, String> {
        let mut warnings = Vec::new();
        let list = |name: &str| fields.get(name).and_then(FieldValue::as_list);
        let truth = |name: &str| fields.get(name).and_then(FieldValue::as_bool);
        for (name, into) in [
            ("allowed_policies", &mut self.allowed_policies),
            ("allowed_policies_glob", &mut self.allowed_policies_glob),
            ("disallowed_policies", &mut self.disallowed_policies),
            (
                "disallowed_policies_glob",
                &mut self.disallowed_policies_glob,
            ),
        ] {
            if let Some(given) = list(name) {
                *into = names(given);
            }
        }
        if let Some(given) = list("allowed_entity_aliases") {
            self.allowed_entity_aliases = names(given);
        }
        self.orphan = truth("orphan").unwrap_or(self.orphan);
        self.renewable = truth("renewable").unwrap_or(self.renewable);
        self.token_no_default_policy =
            truth("token_no_default_policy").unwrap_or(self.token_no_default_policy);
        if let Some(suffix) = fields.get("path_suffix").and_then(FieldValue::as_text) {
            check_suffix(suffix)?;
            self.path_suffix = suffix.to_owned();
        }
        self.apply_cidrs(fields, &mut warnings)?;
        self.apply_durations(fields, &mut warnings);
        if let Some(uses) = fields.get("token_num_uses").and_then(FieldValue::as_int) {
            if uses < 0 {
                return Err(
                    "error parsing role fields: 'token_num_uses' cannot be negative".into(),
                );
            }
            self.token_num_uses = i32::try_from(uses)
                .map_err(|_| "error parsing role fields: 'token_num_uses' is too large")?;
        }
        if let Some(given) = fields.get("token_type").and_then(FieldValue::as_any) {
            self.token_type = token_type(given)?;
        }
        self.check_type()?;
        if self.token_explicit_max_ttl > max_ttl_seconds {
            warnings.push(format!(
                "Given explicit max TTL of {} is greater than system/mount allowed value of {max_ttl_seconds} seconds; \
                 until this is fixed attempting to create tokens against this role will result in an error",
                self.token_explicit_max_ttl
            ));
        }
        Ok(warnings)
    }

    fn apply_cidrs(&mut self, fields: &Fields, warnings: &mut Vec<String>) -> Result<(), String> {
        let given = |name: &str| fields.get(name).and_then(FieldValue::as_list);
        let (list, legacy) = match (given("token_bound_cidrs"), given("bound_cidrs")) {
            (Some(list), legacy) => {
                if legacy.is_some() {
                    warnings.push(both("token_bound_cidrs", "bound_cidrs"));
                }
                (list, false)
            }
            (None, Some(list)) => (list, true),
            (None, None) => return Ok(()),
        };
        let context = if legacy { "bound_cidrs" } else { "role fields" };
        self.token_bound_cidrs = list
            .iter()
            .map(|text| network(text).map_err(|error| format!("error parsing {context}: {error}")))
            .collect::<Result<_, _>>()?;
        self.legacy_bound_cidrs = legacy;
        Ok(())
    }

    fn apply_durations(&mut self, fields: &Fields, warnings: &mut Vec<String>) {
        let seconds = |name: &str| {
            fields
                .get(name)
                .and_then(FieldValue::as_duration)
                .map(ttl::kept_seconds)
        };
        for (name, older, into, legacy) in [
            (
                "token_period",
                "period",
                &mut self.token_period,
                &mut self.legacy_period,
            ),
            (
                "token_explicit_max_ttl",
                "explicit_max_ttl",
                &mut self.token_explicit_max_ttl,
                &mut self.legacy_explicit_max_ttl,
            ),
        ] {
            match (seconds(name), seconds(older)) {
                (Some(given), other) => {
                    if other.is_some() {
                        warnings.push(both(name, older));
                    }
                    (*into, *legacy) = (given, false);
                }
                (None, Some(given)) => (*into, *legacy) = (given, true),
                (None, None) => {}
            }
        }
    }

    fn check_type(&self) -> Result<(), String> {
        let is_batch = self.token_type == "batch";
        let refuse = |what: &str| {
            Err(format!(
                "'token_type' cannot be 'batch' when role is set to generate {what}"
            ))
        };
        if self.token_num_uses > 0 && (is_batch || self.token_type == "default-batch") {
            return Err(
                "error parsing role fields: 'token_type' cannot be 'batch' or 'default_batch' \
                        when set to generate tokens with limited use count"
                    .into(),
            );
        }
        match self {
            _ if !is_batch => Ok(()),
            role if !role.orphan => refuse("non-orphan tokens"),
            role if role.token_period > 0 => refuse("periodic tokens"),
            role if role.renewable => refuse("renewable tokens"),
            role if role.token_explicit_max_ttl > 0 => refuse("tokens with an explicit max TTL"),
            _ => Ok(()),
        }
    }

    /// What a read shows. Lists are never null.
    pub(super) fn shown(&self, name: &str) -> Map<String, Value> {
        let legacy = |is_legacy: bool, seconds: i64| if is_legacy { seconds } else { 0 };
        let mut shown = json!({
            "name": name,
            "orphan": self.orphan,
            "path_suffix": self.path_suffix,
            "period": legacy(self.legacy_period, self.token_period),
            "token_period": self.token_period,
            "explicit_max_ttl": legacy(self.legacy_explicit_max_ttl, self.token_explicit_max_ttl),
            "token_explicit_max_ttl": self.token_explicit_max_ttl,
            "renewable": self.renewable,
            "token_type": self.token_type,
            "token_no_default_policy": self.token_no_default_policy,
            "allowed_policies": self.allowed_policies,
            "allowed_policies_glob": self.allowed_policies_glob,
            "disallowed_policies": self.disallowed_policies,
            "disallowed_policies_glob": self.disallowed_policies_glob,
            "allowed_entity_aliases": self.allowed_entity_aliases,
        });
        if !self.token_bound_cidrs.is_empty() {
            shown["token_bound_cidrs"] = json!(self.token_bound_cidrs);
            if self.legacy_bound_cidrs {
                shown["bound_cidrs"] = json!(self.token_bound_cidrs);
            }
        }
        if self.token_num_uses > 0 {
            shown["token_num_uses"] = json!(self.token_num_uses);
        }
        match shown {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

fn both(name: &str, older: &str) -> String {
    format!("Both '{name}' and deprecated '{older}' value supplied, ignoring the deprecated value")
}

/// As policies are, but root beside others is nothing special in a list.
fn names(given: &[String]) -> Vec<String> {
    let mut clean: Vec<String> = given
        .iter()
        .flat_map(|name| sanitize(std::slice::from_ref(name), false))
        .collect();
    clean.sort();
    clean.dedup();
    clean
}

fn token_type(given: &Value) -> Result<String, String> {
    match given {
        Value::Null => Err("Invalid 'token_type' value: null".into()),
        Value::String(word) => match word.as_str() {
            "service" | "batch" | "default-service" | "default-batch" => Ok(word.clone()),
            _ => Err(format!("invalid 'token_type' value {word:?}")),
        },
        other => Err(format!("invalid 'token_type' value \"{other}\"")),
    }
}

/// A network in its shortest form: one address loses its length.
fn network(text: &str) -> Result<String, String> {
    if !cidr::is_network(text) {
        return Err(format!(
            "error parsing address {text:?}: Unable to convert {text:?} to an IPv4 or IPv6 address, or a UNIX Socket"
        ));
    }
    let single = if text.contains(':') { "/128" } else { "/32" };
    Ok(text.strip_suffix(single).unwrap_or(text).to_owned())
}

/// Word characters at both ends, dots and dashes inside, three at least.
fn check_suffix(suffix: &str) -> Result<(), String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let ends = suffix.starts_with(is_word) && suffix.ends_with(is_word);
    let inside = suffix.chars().all(|c| is_word(c) || c == '-' || c == '.');
    if suffix.is_empty() {
        return Ok(());
    }
    if suffix.len() < 3 || !ends || !inside {
        return Err(
            "given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w".into(),
        );
    }
    match suffix.contains("..") {
        true => Err("error registering path suffix: path cannot contain parent references".into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{FieldType, coerce};

    fn fields(given: &Value) -> Fields {
        let kind = |name: &str| match name {
            "orphan" | "renewable" | "token_no_default_policy" => FieldType::Bool,
            "token_num_uses" => FieldType::Int,
            "token_type" => FieldType::Any,
            "path_suffix" => FieldType::String,
            name if name.ends_with("period") || name.ends_with("ttl") => FieldType::DurationSecond,
            _ => FieldType::CommaStringSlice,
        };
        let given = given.as_object().unwrap().clone();
        given
            .into_iter()
            .map(|(name, value)| {
                let value = coerce(kind(&name), &value).unwrap();
                let name: &'static str = name.leak();
                (name, value)
            })
            .collect()
    }

    fn apply(role: &mut TokenRole, given: Value) -> Result<Vec<String>, String> {
        role.apply(&fields(&given), 2_764_800)
    }

    #[test]
    fn refusals() {
        let check = |given: Value, expect: &str| {
            assert_eq!(
                apply(&mut TokenRole::default(), given.clone()),
                Err(expect.to_owned()),
                "{given}"
            );
        };
        let batch = "'token_type' cannot be 'batch' when role is set to generate";
        check(
            json!({"token_type": "batch"}),
            &format!("{batch} non-orphan tokens"),
        );
        check(
            json!({"token_type": "batch", "orphan": true}),
            &format!("{batch} renewable tokens"),
        );
        check(
            json!({"token_type": "batch", "orphan": true, "token_period": "1h"}),
            &format!("{batch} periodic tokens"),
        );
        check(
            json!({"token_type": "batch", "orphan": true, "renewable": false, "token_explicit_max_ttl": "1h"}),
            &format!("{batch} tokens with an explicit max TTL"),
        );
        check(
            json!({"token_type": "x"}),
            "invalid 'token_type' value \"x\"",
        );
        check(
            json!({"token_type": null}),
            "Invalid 'token_type' value: null",
        );
        check(
            json!({"token_num_uses": -1}),
            "error parsing role fields: 'token_num_uses' cannot be negative",
        );
        check(
            json!({"path_suffix": "v1"}),
            "given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w",
        );
        check(
            json!({"path_suffix": "a..b"}),
            "error registering path suffix: path cannot contain parent references",
        );
        check(
            json!({"bound_cidrs": "x"}),
            "error parsing bound_cidrs: error parsing address \"x\": Unable to convert \"x\" to an IPv4 or IPv6 address, or a UNIX Socket",
        );
    }

    #[test]
    fn older_names_show_what_they_set() {
        let mut role = TokenRole::default();
        assert_eq!(apply(&mut role, json!({"period": "1h"})), Ok(vec![]));
        assert_eq!(
            (&role.shown("r")["period"], &role.shown("r")["token_period"]),
            (&json!(3600), &json!(3600))
        );
        apply(&mut role, json!({"token_period": "2h"})).unwrap();
        assert_eq!(
            (&role.shown("r")["period"], &role.shown("r")["token_period"]),
            (&json!(0), &json!(7200))
        );
        let warnings = apply(&mut role, json!({"period": "3h", "token_period": "4h"})).unwrap();
        assert_eq!(
            warnings,
            [
                "Both 'token_period' and deprecated 'period' value supplied, ignoring the deprecated value"
            ]
        );
        apply(
            &mut role,
            json!({"token_period": null, "token_bound_cidrs": ["127.0.0.1/32"]}),
        )
        .unwrap();
        assert_eq!(role.token_period, 14_400);
        assert_eq!(role.shown("r")["token_bound_cidrs"], json!(["127.0.0.1"]));
    }

    #[test]
    fn less_than_a_second_is_a_limit_too() {
        let mut role = TokenRole::default();
        apply(
            &mut role,
            json!({"token_explicit_max_ttl": "500ms", "period": "1ms"}),
        )
        .unwrap();
        assert_eq!((role.token_explicit_max_ttl, role.token_period), (1, 1));
        apply(
            &mut role,
            json!({"token_explicit_max_ttl": 0, "token_period": "0s"}),
        )
        .unwrap();
        assert_eq!((role.token_explicit_max_ttl, role.token_period), (0, 0));
    }

    #[test]
    fn lists_are_cleaned() {
        let mut role = TokenRole::default();
        apply(
            &mut role,
            json!({"allowed_policies": ["B", "a", " A ", ""], "disallowed_policies": "x, Y"}),
        )
        .unwrap();
        assert_eq!(
            (role.allowed_policies, role.disallowed_policies),
            (vec!["a".into(), "b".into()], vec!["x".into(), "y".into()])
        );
    }
}
