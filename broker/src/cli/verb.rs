//! What a verb is, and how one is found by its name.

use std::process::ExitCode;

use super::fail::Fail;
use super::flags::Flag;
use super::session::Session;
use super::{help, verbs};

/// One command.
pub struct Verb {
    /// One or two words: `read`, `secrets enable`.
    pub name: &'static str,
    /// One line, for the list of verbs; no full stop.
    pub about: &'static str,
    /// What follows the name: `[options] PATH`.
    pub usage: &'static str,
    /// The long description: paragraphs, with examples indented by four.
    pub help: &'static str,
    /// How many arguments it takes.
    pub arguments: Count,
    /// Its own flags; those of HTTP and output come with `output`.
    pub flags: &'static [Flag],
    /// What it can do with its result.
    pub output: Output,
    /// What it does.
    pub run: Run,
}

/// How many arguments a verb takes.
#[derive(Clone, Copy)]
pub enum Count {
    /// So many.
    Exactly(usize),
    /// So many, or more.
    AtLeast(usize),
    /// From, to.
    Between(usize, usize),
}

/// Which flags of output a verb has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// It prints a message.
    Message,
    /// It prints data: `-format`.
    Data,
    /// It prints data of which a field can be taken: `-format`, `-field`.
    Fields,
}

/// How a verb is run.
pub enum Run {
    /// By talking to a server (or to nobody), as a client.
    Client(fn(&mut Session) -> Result<u8, Fail>),
    /// As a program of its own, with flags and help of its own.
    Program(fn(&[String]) -> ExitCode),
}

/// Words before verbs.
pub struct Group {
    /// The word.
    pub name: &'static str,
    /// One line.
    pub about: &'static str,
}

/// What the first words of a command line mean, if they are no verb.
pub enum NoVerb<'a> {
    /// A group, with the word after it that is no verb.
    Group(&'static Group, Option<&'a str>),
    /// Help for a group.
    GroupHelp(&'static Group),
    /// Help for the program.
    Help,
    /// `-version`.
    Version,
    /// None, or a word that is unknown.
    Nothing(Option<&'a str>),
}

/// Looks the first one or two words up.
pub fn find(args: &[String]) -> Result<(&'static Verb, &[String]), NoVerb<'_>> {
    let Some(first) = args.first() else {
        return Err(NoVerb::Nothing(None));
    };
    if help::is_asked(first) {
        return Err(NoVerb::Help);
    }
    if ["-v", "-version", "--version"].contains(&first.as_str()) {
        return Err(NoVerb::Version);
    }
    if let Some(verb) = verbs::ALL.iter().find(|verb| verb.name == first) {
        return Ok((verb, &args[1..]));
    }
    let Some(group) = verbs::GROUPS.iter().find(|group| group.name == first) else {
        return Err(NoVerb::Nothing(Some(first)));
    };
    let Some(second) = args.get(1) else {
        return Err(NoVerb::Group(group, None));
    };
    if help::is_asked(second) {
        return Err(NoVerb::GroupHelp(group));
    }
    match group.verbs().find(|verb| verb.last_word() == second) {
        Some(verb) => Ok((verb, &args[2..])),
        None => Err(NoVerb::Group(group, Some(second))),
    }
}

impl Group {
    /// Its verbs, in the order of the table.
    pub fn verbs(&self) -> impl Iterator<Item = &'static Verb> {
        let name = self.name;
        verbs::ALL
            .iter()
            .copied()
            .filter(move |verb| verb.group() == Some(name))
    }
}

impl Verb {
    /// The word before the last one, if it has two.
    pub fn group(&self) -> Option<&'static str> {
        self.name.split_once(' ').map(|(group, _)| group)
    }

    /// The name without its group.
    pub fn last_word(&self) -> &'static str {
        self.name
            .split_once(' ')
            .map_or(self.name, |(_, word)| word)
    }

    /// Refuses a wrong number of arguments.
    pub fn check_count(&self, arguments: &[String]) -> Result<(), Fail> {
        let got = arguments.len();
        let (least, most, expected) = match self.arguments {
            Count::Exactly(n) => (n, n, n.to_string()),
            Count::AtLeast(n) => (n, usize::MAX, format!("at least {n}")),
            Count::Between(least, most) => (least, most, format!("{least}-{most}")),
        };
        if got < least {
            let message = format!("Not enough arguments (expected {expected}, got {got})");
            return Err(Fail::Usage(message));
        }
        if got > most {
            let message = format!("Too many arguments (expected {expected}, got {got})");
            return Err(Fail::Usage(message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::verbs::{ALL, GROUPS};
    use super::*;

    #[test]
    fn the_table_is_sound() {
        let names: BTreeSet<_> = ALL.iter().map(|verb| verb.name).collect();
        assert_eq!(names.len(), ALL.len(), "a name twice");
        for verb in ALL {
            if let Some(name) = verb.group() {
                assert!(
                    GROUPS.iter().any(|group| group.name == name),
                    "{}",
                    verb.name
                );
            }
            assert!(!verb.about.ends_with('.'), "{}", verb.name);
            assert!(
                verb.usage.is_empty() || verb.usage.starts_with("[options]"),
                "{}",
                verb.name
            );
            let explains = verb.help.len() > 40 || matches!(verb.run, Run::Program(_));
            assert!(explains, "{} explains nothing", verb.name);
            let all: Vec<_> = super::super::flags::of(verb)
                .map(|flag| flag.name)
                .collect();
            let set: BTreeSet<_> = all.iter().collect();
            assert_eq!(set.len(), all.len(), "{} has a flag twice", verb.name);
        }
        for group in GROUPS {
            assert!(group.verbs().count() > 0, "{}", group.name);
        }
    }

    #[test]
    fn finds_by_one_or_two_words() {
        let check = |line: &str, expect: &str| {
            let args: Vec<String> = line.split_whitespace().map(String::from).collect();
            let seen = match find(&args) {
                Ok((verb, rest)) => format!("{} + {}", verb.name, rest.len()),
                Err(NoVerb::Group(group, word)) => format!("group {} {word:?}", group.name),
                Err(NoVerb::GroupHelp(group)) => format!("help {}", group.name),
                Err(NoVerb::Help) => "help".into(),
                Err(NoVerb::Version) => "version".into(),
                Err(NoVerb::Nothing(word)) => format!("nothing {word:?}"),
            };
            assert_eq!(seen, expect, "{line}");
        };
        check("read a b", "read + 2");
        check("secrets list -detailed", "secrets list + 1");
        check("secrets", "group secrets None");
        check("secrets nosuch", "group secrets Some(\"nosuch\")");
        check("secrets -h", "help secrets");
        check("-h", "help");
        check("--version", "version");
        check("nosuch", "nothing Some(\"nosuch\")");
        check("", "nothing None");
    }
}
