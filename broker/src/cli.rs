//! The command line: one verb a file, one table of verbs.
//!
//! A verb says what it takes (arguments, flags) and what it does; dispatch and help are derived from
//! that. What goes over the wire, the tables, the messages and the exit codes are those that users of
//! this API's other command lines know. The command line knows nothing of the server's insides: it
//! speaks HTTP, to this server or to another of its kind.
//!
//! One more verb: a file in `verbs/`, and a line in [`verbs::ALL`].

mod client;
mod data;
mod environment;
mod fail;
mod flags;
mod help;
mod helper;
mod path;
mod prompt;
mod secret;
mod session;
mod show;
mod verb;
mod verbs;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use self::environment::Environment;
use self::fail::Fail;
use self::flags::Flags;
use self::session::Session;
use self::verb::{NoVerb, Run, Verb};

/// Name of the program, in messages.
const PROGRAM: &str = "leasehold";
/// Exit code of wrong use: an unknown flag, a wrong number of arguments, an absent field.
const EXIT_USAGE: u8 = 1;
/// Exit code when the server refused, nothing was found, or there is no connection.
const EXIT_REFUSED: u8 = 2;
/// Exit code of an unknown command.
const EXIT_UNKNOWN: u8 = 127;

/// Runs the program with these arguments (without its own name); returns the exit code.
pub fn run(args: Vec<OsString>) -> ExitCode {
    let args: Result<Vec<String>, OsString> = args.into_iter().map(OsString::into_string).collect();
    let args = match args {
        Ok(args) => args,
        Err(arg) => {
            let text = arg.to_string_lossy();
            complain(
                &mut io::stderr(),
                &format!("argument is not valid UTF-8: {text}"),
            );
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match verb::find(&args) {
        Ok((verb, rest)) => match verb.run {
            // It prints from many threads, so it must find both outputs free.
            Run::Program(program) => program(rest),
            Run::Client(act) => print(|out, err| run_client(verb, act, rest, out, err)),
        },
        Err(words) => print(|out, err| explain(words, out, err)),
    }
}

fn print(act: impl FnOnce(&mut dyn Write, &mut dyn Write) -> u8) -> ExitCode {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let code = act(&mut out, &mut err);
    // Nobody is left to tell if this fails.
    let _ = out.flush();
    ExitCode::from(code)
}

/// Help, and what is said of words that are no verb.
fn explain(words: NoVerb, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    match words {
        NoVerb::Version => verbs::version::print(out).map_or(EXIT_USAGE, |()| 0),
        NoVerb::Help => say(out, &help::program(), 0),
        NoVerb::GroupHelp(group) => say(out, &help::group(group), 0),
        NoVerb::Group(group, None) => say(out, &help::group(group), EXIT_USAGE),
        NoVerb::Group(group, Some(unknown)) => {
            let text = format!(
                "unknown command \"{} {unknown}\"\n\n{}",
                group.name,
                help::group(group)
            );
            say(err, &text, EXIT_USAGE)
        }
        NoVerb::Nothing(None) => say(err, &help::program(), EXIT_UNKNOWN),
        NoVerb::Nothing(Some(unknown)) => {
            let why = help::elsewhere(unknown).map(|why| format!(": {why}"));
            let (why, help) = (why.unwrap_or_default(), help::program());
            let text = format!("unknown command \"{unknown}\"{why}\n\n{help}");
            say(err, &text, EXIT_UNKNOWN)
        }
    }
}

fn run_client(
    verb: &'static Verb,
    act: fn(&mut Session) -> Result<u8, Fail>,
    args: &[String],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let environment = Environment::of_process();
    let result = Flags::parse(verb, args, &environment).and_then(|parsed| match parsed {
        flags::Parsed::Help => Ok(say(out, &help::verb(verb), 0)),
        flags::Parsed::Run(flags, arguments) => {
            verb.check_count(&arguments)?;
            let mut session = Session::new(flags, arguments, environment, out, err)?;
            act(&mut session)
        }
    });
    match result {
        Ok(code) => code,
        Err(Fail::Shown(text)) => say(out, &text, 0),
        Err(fail) => {
            if let Some(text) = fail.text(verb) {
                complain(err, &text);
            }
            fail.exit_code()
        }
    }
}

/// Writes a text; what can not be written has no other place to be reported.
fn say(to: &mut dyn Write, text: &str, code: u8) -> u8 {
    match to.write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => EXIT_USAGE,
    }
}

fn complain(err: &mut dyn Write, text: &str) {
    let _ = writeln!(err, "{text}");
}
