//! Help, derived from the table of verbs.

use super::environment::PREFIXES;
use super::flags::{self, Flag, Kind, common};
use super::show::wrap;
use super::verb::{Group, Verb};
use super::{PROGRAM, verbs};

/// Width of what is wrapped.
pub const WIDTH: usize = 78;

/// Whether a word asks for help.
pub fn is_asked(word: &str) -> bool {
    ["-h", "-help", "--help"].contains(&word)
}

/// The verbs of the program.
pub fn program() -> String {
    let mut text = format!("Usage: {PROGRAM} <command> [args]\n\nCommon commands:\n");
    let common = verbs::COMMON;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for verb in verbs::ALL.iter().filter(|verb| verb.group().is_none()) {
        let line = (verb.name, verb.about);
        if common.contains(&verb.name) {
            first.push(line)
        } else {
            second.push(line)
        }
    }
    second.extend(verbs::GROUPS.iter().map(|group| (group.name, group.about)));
    second.sort_unstable();
    text.push_str(&list(&first));
    text.push_str("\nOther commands:\n");
    text.push_str(&list(&second));
    text.push_str(&format!("\n\"{PROGRAM} <command> -h\" tells more.\n"));
    text
}

/// What is said of a command that other servers of this API have.
pub fn elsewhere(command: &str) -> Option<&'static str> {
    Some(match command {
        "kv" => "there are no key-value mounts here: Leasehold hands out database credentials",
        "namespace" => "there is one namespace here: root",
        "plugin" => "there are no plugins here: everything is built in",
        _ => return None,
    })
}

/// The verbs of a group.
pub fn group(group: &Group) -> String {
    let name = group.name;
    let mut text = format!("Usage: {PROGRAM} {name} <subcommand> [options] [args]\n\n");
    text.push_str(&format!("  {}.\n\nSubcommands:\n", group.about));
    let lines: Vec<_> = group
        .verbs()
        .map(|verb| (verb.last_word(), verb.about))
        .collect();
    text.push_str(&list(&lines));
    text.push_str(&format!(
        "\n\"{PROGRAM} {name} <subcommand> -h\" tells more.\n"
    ));
    text
}

/// All about one verb.
pub fn verb(verb: &'static Verb) -> String {
    let mut text = format!("Usage: {PROGRAM} {} {}", verb.name, verb.usage)
        .trim_end()
        .to_owned();
    text.push_str("\n\n");
    for paragraph in verb.help.trim().split("\n\n") {
        // Examples are indented and stay as they are.
        if paragraph.starts_with(' ') {
            text.push_str(&format!("{paragraph}\n\n"));
            continue;
        }
        for line in wrap(paragraph, WIDTH - 2) {
            text.push_str(&format!("  {line}\n"));
        }
        text.push('\n');
    }
    options(&mut text, "Command Options", verb.flags.iter());
    let output = flags::of(verb).filter(|flag| common::OUTPUT.iter().any(|o| o.name == flag.name));
    options(&mut text, "Output Options", output);
    let http = flags::of(verb).filter(|flag| common::HTTP.iter().any(|o| o.name == flag.name));
    options(&mut text, "HTTP Options", http);
    text.trim_end().to_owned() + "\n"
}

fn list(lines: &[(&str, &str)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines
        .iter()
        .map(|(name, about)| format!("    {name:width$}    {about}\n"))
        .collect()
}

fn options<'a>(text: &mut String, title: &str, flags: impl Iterator<Item = &'a Flag>) {
    let mut flags: Vec<&Flag> = flags.collect();
    if flags.is_empty() {
        return;
    }
    flags.sort_by_key(|flag| flag.name);
    text.push_str(&format!("{title}:\n\n"));
    for flag in flags {
        let value = match flag.kind {
            Kind::Switch => "",
            Kind::Text | Kind::Texts => "=<string>",
            Kind::Duration => "=<duration>",
            Kind::Number => "=<number>",
            Kind::Pairs => "=<key=value>",
        };
        text.push_str(&format!("  -{}{value}\n", flag.name));
        let mut about = flag.about.to_owned();
        if let Some(alias) = flag.alias {
            about.push_str(&format!(" Short: -{alias}."));
        }
        if let Some(variable) = flag.variable {
            let names: Vec<String> = PREFIXES.iter().map(|p| format!("{p}_{variable}")).collect();
            about.push_str(&format!(" Variables: {}.", names.join(", ")));
        }
        for line in wrap(&about, WIDTH - 6) {
            text.push_str(&format!("      {line}\n"));
        }
        text.push('\n');
    }
}
