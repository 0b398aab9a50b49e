//! One run of a verb: its flags and arguments, where it prints, and the client once it needs one.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::client::{Answer, Client, ClientError, Request};
use super::data::{self, plain};
use super::environment::Environment;
use super::fail::Fail;
use super::flags::{self, Flags};
use super::secret::Secret;
use super::show::{self, Format};
use super::{EXIT_REFUSED, helper, path};
use crate::secret::Token;

/// One run of a verb.
pub struct Session<'a> {
    /// The flags given.
    pub flags: Flags,
    /// The arguments after the flags.
    pub arguments: Vec<String>,
    /// The environment.
    pub environment: Environment,
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error.
    pub err: &'a mut dyn Write,
    format: Format,
}

impl<'a> Session<'a> {
    /// Checks what all verbs share.
    pub fn new(
        flags: Flags,
        arguments: Vec<String>,
        environment: Environment,
        out: &'a mut dyn Write,
        err: &'a mut dyn Write,
    ) -> Result<Session<'a>, Fail> {
        let format = Format::read(flags.text("format"))?;
        if let Some(warning) = flags::warn_of_late_flags(&arguments) {
            writeln!(err, "{warning}")?;
        }
        Ok(Session {
            flags,
            arguments,
            environment,
            out,
            err,
            format,
        })
    }

    /// The format asked for.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The first argument.
    pub fn first(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }

    /// The first argument, as a path.
    pub fn path(&self) -> String {
        path::trim(self.first()).to_owned()
    }

    /// The arguments from the second on, as data.
    pub fn data(&self) -> Result<Map<String, Value>, Fail> {
        let rest = self.arguments.get(1..).unwrap_or_default();
        data::parse(rest, &mut io::stdin().lock())
            .map_err(|error| Fail::Input(format!("Failed to parse K=V data: {error}")))
    }

    // === The server ===

    /// A client that shows the user's token: of the environment, else of the token file.
    pub fn client(&self) -> Result<Client, Fail> {
        self.client_with(self.token()?)
    }

    /// A client that shows this token, or none.
    pub fn client_with(&self, token: Option<Token>) -> Result<Client, Fail> {
        Client::new(&self.flags, &self.environment, token)
            .map_err(|error| Fail::Stopped(error.to_string()))
    }

    /// The user's token.
    pub fn token(&self) -> Result<Option<Token>, Fail> {
        if let Some((_, token)) = self.environment.lookup("TOKEN") {
            return Ok(Some(Token::new(token)));
        }
        let Some(path) = self.token_path() else {
            return Ok(None);
        };
        helper::load(&path).map_err(|error| {
            let (path, why) = (path.display(), plain(&error));
            Fail::Stopped(format!("Error reading the token file {path}: {why}"))
        })
    }

    /// Where the token is kept.
    pub fn token_path(&self) -> Option<PathBuf> {
        helper::path(&self.environment)
    }

    /// Sends a request; `doing` begins the message of a failure.
    pub fn send(&self, request: &Request, doing: &str) -> Result<Answer, Fail> {
        self.client()?
            .send(request)
            .map_err(Fail::while_doing(doing))
    }

    /// Sends a request whose answer is an envelope; an answer without a body is an empty one.
    pub fn ask(&self, request: &Request, doing: &str) -> Result<Secret, Fail> {
        self.ask_with_status(request, doing)
            .map(|(secret, _)| secret)
    }

    /// The same, and the status of the answer.
    pub fn ask_with_status(&self, request: &Request, doing: &str) -> Result<(Secret, u16), Fail> {
        let answer = self.send(request, doing)?;
        let secret = read_secret(request, &answer).map_err(Fail::while_doing(doing))?;
        Ok((secret, answer.status))
    }

    /// The same, where "not found" is a failure with exit code 2 and its own words.
    pub fn find(&self, request: &Request, doing: &str, absent: &str) -> Result<Secret, Fail> {
        let found = self
            .client()?
            .find(request)
            .map_err(Fail::while_doing(doing))?;
        match found {
            Ok(answer) => read_secret(request, &answer).map_err(Fail::while_doing(doing)),
            Err(reasons) => {
                let mut text = absent.to_owned();
                for reason in reasons {
                    text.push_str(&format!("\n* {reason}"));
                }
                Err(Fail::Stopped(text))
            }
        }
    }

    // === The terminal ===

    /// Prints a line.
    pub fn say(&mut self, line: impl std::fmt::Display) -> Result<u8, Fail> {
        writeln!(self.out, "{line}")?;
        Ok(0)
    }

    /// Prints a message of success where a table would be printed; JSON and YAML have nothing to say
    /// of an answer without a body.
    pub fn done(&mut self, silent: bool, message: &str) -> Result<u8, Fail> {
        match self.format {
            Format::Table if !silent => self.say(message),
            _ => Ok(0),
        }
    }

    /// Prints a line on standard error.
    pub fn warn(&mut self, line: impl std::fmt::Display) -> Result<(), Fail> {
        writeln!(self.err, "{line}")?;
        Ok(())
    }

    /// Prints an answer in the format asked for: one field of it, or all. Nothing, for an empty one.
    pub fn show(&mut self, secret: &Secret) -> Result<u8, Fail> {
        if let Some(field) = self.flags.text("field") {
            let value = secret
                .field(field)
                .ok_or_else(|| Fail::Input(format!("Field {field:?} not present in secret")))?;
            return self.show_field(&value);
        }
        match self.format {
            Format::Table => {
                self.show_warnings(secret)?;
                write!(self.out, "{}", show::secret_table(secret))?;
                Ok(0)
            }
            _ => self.show_value(secret),
        }
    }

    /// Prints any value as JSON or YAML (as JSON if a table was asked for).
    pub fn show_value(&mut self, value: &impl serde::Serialize) -> Result<u8, Fail> {
        let text = match self.format {
            Format::Yaml => show::yaml(&show::plain_value(value)?),
            Format::Json | Format::Table => show::json(value)?,
        };
        write!(self.out, "{text}")?;
        Ok(0)
    }

    /// Prints a text without a newline, unless a person reads it.
    pub fn show_raw(&mut self, text: &str) -> Result<u8, Fail> {
        write!(self.out, "{text}")?;
        if io::stdout().is_terminal() {
            writeln!(self.out)?;
        }
        Ok(0)
    }

    fn show_field(&mut self, value: &Value) -> Result<u8, Fail> {
        match self.format {
            Format::Table => self.show_raw(&show::bare(value)),
            _ => self.show_value(value),
        }
    }

    /// Prints the server's warnings on standard error.
    pub fn show_warnings(&mut self, secret: &Secret) -> Result<(), Fail> {
        let warnings = secret.warnings.as_deref().unwrap_or_default();
        if !warnings.is_empty() {
            write!(self.err, "{}", show::warnings(warnings))?;
        }
        Ok(())
    }
}

fn read_secret(request: &Request, answer: &Answer) -> Result<Secret, ClientError> {
    if answer.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Secret::default());
    }
    Secret::read(&answer.body).map_err(|error| ClientError::Answer {
        path: request.path.clone(),
        why: error.to_string(),
    })
}

/// Nothing there: exit code 2, without words (they are printed already).
pub const NOTHING: u8 = EXIT_REFUSED;
