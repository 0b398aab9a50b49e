//! Flags in the style of this API's command lines: `-name=value`, `-name value`, `--name=value`.
//!
//! Flags come before arguments; the first word that is none ends them, and so does `--`.
//! A flag that is not given takes its value from the environment, where it has a variable.

pub mod common;

use std::collections::BTreeMap;

use super::environment::Environment;
use super::fail::Fail;
use super::help;
use super::verb::{Output, Verb};
use crate::duration::{self, Span};

/// One flag of a verb.
pub struct Flag {
    /// Name, without the dash.
    pub name: &'static str,
    /// Another name for the same.
    pub alias: Option<&'static str>,
    /// What value it takes.
    pub kind: Kind,
    /// Variable of the environment that stands in for it, without prefix.
    pub variable: Option<&'static str>,
    /// What it is for: sentences.
    pub about: &'static str,
}

/// What value a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On or off; `-x` alone is on.
    Switch,
    /// A text; of several the last one counts.
    Text,
    /// A text, given once or more.
    Texts,
    /// A length of time: `30m`, or a number of seconds.
    Duration,
    /// A whole number from 0 on.
    Number,
    /// `key=value`, given once or more.
    Pairs,
}

/// The values of flags.
#[derive(Debug, Default)]
pub struct Flags {
    values: BTreeMap<&'static str, Value>,
}

/// What a command line asks of a verb.
#[derive(Debug)]
pub enum Parsed {
    /// `-h`.
    Help,
    /// To run, with these flags and arguments.
    Run(Flags, Vec<String>),
}

#[derive(Debug)]
enum Value {
    Switch(bool),
    Text(String),
    Texts(Vec<String>),
    Duration(Span),
    Number(u64),
    Pairs(BTreeMap<String, String>),
}

impl Flag {
    /// A flag without alias and variable.
    pub const fn new(name: &'static str, kind: Kind, about: &'static str) -> Flag {
        Flag {
            name,
            alias: None,
            kind,
            variable: None,
            about,
        }
    }

    /// The same, also settable by a variable of the environment.
    pub const fn or_variable(mut self, variable: &'static str) -> Flag {
        self.variable = Some(variable);
        self
    }

    /// The same, with another name.
    pub const fn alias(mut self, alias: &'static str) -> Flag {
        self.alias = Some(alias);
        self
    }
}

/// All flags of a verb: its own, and those that come with its kind of output.
pub fn of(verb: &'static Verb) -> impl Iterator<Item = &'static Flag> {
    let output: &[Flag] = match verb.output {
        Output::Message => &[],
        Output::Data => &common::OUTPUT[..1],
        Output::Fields => &common::OUTPUT,
    };
    verb.flags.iter().chain(output).chain(&common::HTTP)
}

impl Flags {
    /// Reads flags, then arguments.
    pub fn parse(
        verb: &'static Verb,
        args: &[String],
        environment: &Environment,
    ) -> Result<Parsed, Fail> {
        let mut flags = Flags::default();
        let mut rest = args.iter();
        let mut arguments = Vec::new();
        while let Some(arg) = rest.next() {
            let Some(body) = arg.strip_prefix('-').filter(|body| !body.is_empty()) else {
                arguments.push(arg.clone());
                break;
            };
            if arg == "--" {
                break;
            }
            if help::is_asked(arg) {
                return Ok(Parsed::Help);
            }
            let body = body.strip_prefix('-').unwrap_or(body);
            let (name, value) = match body.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (body, None),
            };
            let flag = of(verb)
                .find(|flag| flag.name == name || flag.alias == Some(name))
                .ok_or_else(|| Fail::Usage(unknown_flag(verb, name)))?;
            match (value, flag.kind) {
                (Some(value), _) => flags.set(flag, value, &format!("flag -{name}"))?,
                (None, Kind::Switch) => flags.set(flag, "true", name)?,
                (None, _) => {
                    let value = rest
                        .next()
                        .ok_or_else(|| Fail::Usage(format!("flag needs an argument: -{name}")))?;
                    flags.set(flag, value, &format!("flag -{name}"))?;
                }
            }
        }
        arguments.extend(rest.cloned());
        flags.fill(verb, environment)?;
        Ok(Parsed::Run(flags, arguments))
    }

    fn fill(&mut self, verb: &'static Verb, environment: &Environment) -> Result<(), Fail> {
        for flag in of(verb) {
            if self.values.contains_key(flag.name) {
                continue;
            }
            if let Some((name, value)) = flag.variable.and_then(|name| environment.lookup(name)) {
                self.set(flag, &value, &format!("variable {name}"))?;
            }
        }
        Ok(())
    }

    fn set(&mut self, flag: &Flag, text: &str, origin: &str) -> Result<(), Fail> {
        let invalid = |why: &str| {
            let what = if flag.kind == Kind::Switch {
                "boolean value"
            } else {
                "value"
            };
            Fail::Usage(format!("invalid {what} {text:?} for {origin}: {why}"))
        };
        let value = match flag.kind {
            Kind::Switch => Value::Switch(
                read_switch(text).ok_or_else(|| invalid("give true or false, or nothing"))?,
            ),
            Kind::Text => Value::Text(text.to_owned()),
            Kind::Duration => {
                let span = duration::parse(text).map_err(|error| invalid(&error.to_string()))?;
                Value::Duration(span)
            }
            Kind::Number => Value::Number(
                text.parse()
                    .map_err(|_| invalid("give a whole number from 0 on"))?,
            ),
            Kind::Texts => {
                let mut all = match self.values.remove(flag.name) {
                    Some(Value::Texts(texts)) => texts,
                    _ => Vec::new(),
                };
                all.push(text.trim().to_owned());
                Value::Texts(all)
            }
            Kind::Pairs => {
                let (key, value) = text
                    .split_once('=')
                    .ok_or_else(|| invalid("format must be key=value"))?;
                let mut all = match self.values.remove(flag.name) {
                    Some(Value::Pairs(pairs)) => pairs,
                    _ => BTreeMap::new(),
                };
                all.insert(key.to_owned(), value.to_owned());
                Value::Pairs(all)
            }
        };
        self.values.insert(flag.name, value);
        Ok(())
    }

    /// Whether a switch is on; off when not given.
    pub fn is_on(&self, name: &str) -> bool {
        self.switch(name).unwrap_or(false)
    }

    /// A switch, if given.
    pub fn switch(&self, name: &str) -> Option<bool> {
        match self.values.get(name) {
            Some(Value::Switch(on)) => Some(*on),
            _ => None,
        }
    }

    /// A text, if given.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Texts, if given.
    pub fn texts(&self, name: &str) -> Option<&[String]> {
        match self.values.get(name) {
            Some(Value::Texts(texts)) => Some(texts),
            _ => None,
        }
    }

    /// A length of time, if given.
    pub fn duration(&self, name: &str) -> Option<Span> {
        match self.values.get(name) {
            Some(Value::Duration(span)) => Some(*span),
            _ => None,
        }
    }

    /// A number, if given.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.values.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Pairs, if given.
    pub fn pairs(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        match self.values.get(name) {
            Some(Value::Pairs(pairs)) => Some(pairs),
            _ => None,
        }
    }
}

fn unknown_flag(verb: &'static Verb, name: &str) -> String {
    let message = format!("flag provided but not defined: -{name}");
    // One letter wrong, or a word of it.
    let close = of(verb)
        .find(|flag| flag.name.len() > 2 && (flag.name.contains(name) || name.contains(flag.name)));
    match close {
        Some(flag) => format!("{message}\nDid you mean -{}?", flag.name),
        None => message,
    }
}

fn read_switch(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A length of time in the form that servers expect from command lines: `30m0s`, `1h0m0s`, `0s`.
pub fn wire_duration(span: Span) -> String {
    let seconds = span.seconds();
    if !span.whole_seconds().eq(&span) || seconds < 0 {
        return span.to_string();
    }
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

/// Says so where something that looks like a flag stands behind the arguments: it is taken for one.
pub fn warn_of_late_flags(arguments: &[String]) -> Option<String> {
    let late: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| argument.len() > 1 && argument.starts_with('-'))
        .collect();
    (!late.is_empty()).then(|| {
        let late = late.join(" ");
        format!(
            "Command flags must be provided before positional arguments. The following arguments \
             will not be parsed as flags: [{late}]"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::verbs;
    use super::*;

    fn parse(
        name: &str,
        line: &[&str],
        variables: &'static [(&str, &str)],
    ) -> Result<(Flags, Vec<String>), String> {
        let verb = verbs::ALL.iter().find(|verb| verb.name == name).unwrap();
        let args: Vec<String> = line.iter().map(|arg| arg.to_string()).collect();
        let environment = Environment::from(|name: &str| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| value.to_string())
        });
        match Flags::parse(verb, &args, &environment) {
            Ok(Parsed::Run(flags, arguments)) => Ok((flags, arguments)),
            Ok(Parsed::Help) => Err("help".into()),
            Err(fail) => Err(fail.to_string()),
        }
    }

    #[test]
    fn reads_every_form() {
        for line in [
            &["-path=x", "database"][..],
            &["-path", "x", "database"],
            &["--path=x", "database"],
            &["--path", "x", "database"],
            &["-path=y", "-path=x", "--", "database"],
        ] {
            let (flags, arguments) = parse("secrets enable", line, &[]).unwrap();
            assert_eq!(flags.text("path"), Some("x"), "{line:?}");
            assert_eq!(arguments, ["database"], "{line:?}");
        }
    }

    #[test]
    fn arguments_end_flags() {
        let (flags, arguments) = parse("write", &["-f", "p", "-f", "-x=y"], &[]).unwrap();
        assert!(flags.is_on("force"));
        assert_eq!(arguments, ["p", "-f", "-x=y"]);
        let (_, arguments) = parse("write", &["p", "-"], &[]).unwrap();
        assert_eq!(arguments, ["p", "-"]);
    }

    #[test]
    fn refuses() {
        let check = |name: &str, line: &[&str], expect: &str| {
            assert_eq!(parse(name, line, &[]).unwrap_err(), expect, "{line:?}");
        };
        check("status", &["-fild"], "flag provided but not defined: -fild");
        check(
            "read",
            &["-fields"],
            "flag provided but not defined: -fields\nDid you mean -field?",
        );
        check("read", &["-field"], "flag needs an argument: -field");
        check(
            "lease renew",
            &["-increment=abc", "x"],
            "invalid value \"abc\" for flag -increment: time: invalid duration \"abc\"",
        );
        check(
            "write",
            &["-f=maybe"],
            "invalid boolean value \"maybe\" for flag -f: give true or false, or nothing",
        );
        check("read", &["-h"], "help");
        check("read", &["--help"], "help");
    }

    #[test]
    fn variables_stand_in() {
        let variables = &[("VAULT_FORMAT", "json"), ("BAO_WRAP_TTL", "60")];
        let (flags, _) = parse("read", &["x"], variables).unwrap();
        assert_eq!(flags.text("format"), Some("json"));
        assert_eq!(flags.duration("wrap-ttl").map(Span::seconds), Some(60));
        let (flags, _) = parse("read", &["-format=yaml", "x"], variables).unwrap();
        assert_eq!(flags.text("format"), Some("yaml"));
        assert_eq!(
            parse("read", &["x"], &[("VAULT_WRAP_TTL", "soon")]).unwrap_err(),
            "invalid value \"soon\" for variable VAULT_WRAP_TTL: time: invalid duration \"soon\""
        );
    }

    #[test]
    fn durations_go_over_the_wire_in_full() {
        let check = |text: &str, expect: &str| {
            assert_eq!(wire_duration(duration::parse(text).unwrap()), expect);
        };
        check("30m", "30m0s");
        check("24h", "24h0m0s");
        check("600", "10m0s");
        check("0", "0s");
        check("90s", "1m30s");
        check("30d", "720h0m0s");
        check("1500ms", "1.5s");
    }
}
