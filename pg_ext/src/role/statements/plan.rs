//! From texts and values to steps.

use super::classify::{Verdict, alter, classify};
use super::{Kind, LoginOptions, Statement, StatementError, Step};
use crate::core::template::{Values, render};
use crate::ffi::parser::{self, Parsed};
use crate::ffi::subxact::caught;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

/// So many texts a recipe may have of one kind.
pub const TEXTS_MAX: usize = 1000;
/// So many bytes they may have together.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// Checks texts when a recipe is defined: only their size. Everything else is said when they are used, because a
/// role is stored whatever its statements say, and the objects they name may come later.
pub fn check(texts: &[String]) -> Result<(), StatementError> {
    if texts.len() > TEXTS_MAX {
        return Err(StatementError::TooLong {
            max: TEXTS_MAX,
            unit: "texts",
        });
    }
    if texts.iter().map(String::len).sum::<usize>() > TEXT_BYTES_MAX {
        return Err(StatementError::TooLong {
            max: TEXT_BYTES_MAX,
            unit: "bytes",
        });
    }
    Ok(())
}

/// Sorts the statements of `texts`, with `values` in them, into steps. Creation texts that hold no statement are
/// an error; others then have no steps, which means the default. Syntax errors are PostgreSQL's own.
pub fn plan(kind: Kind, texts: &[String], values: &Values) -> Result<Vec<Step>, StatementError> {
    let mut steps = Vec::new();
    let mut settings: Rc<[String]> = Rc::default();
    // The step that creates the login, if any: `ALTER ROLE` after it changes that.
    let mut creates: Option<usize> = None;
    let secret: Option<Rc<str>> = values.verifier.map(Rc::from);
    for text in texts {
        let rendered = render(text, values)?;
        reads_alike(text, &rendered, values)?;
        let origin = hash(text);
        for Parsed { text, tag, shape } in parse(text, &rendered, values) {
            match classify(shape, kind, values.name, creates.is_some())? {
                Verdict::CreateLogin(options) => {
                    creates = Some(steps.len());
                    steps.push(Step::CreateLogin(options));
                }
                Verdict::AlterLogin(options) => {
                    if let Some(login) = creates.and_then(|at| login_options(&mut steps[at])) {
                        alter(login, options);
                    }
                }
                Verdict::GrantGroups(groups) => steps.push(Step::GrantGroups(groups)),
                Verdict::Ours => {}
                Verdict::Run {
                    restricted,
                    setting,
                    locks,
                } => {
                    let statement = Statement {
                        tag,
                        text: text.to_owned(),
                        settings: settings.clone(),
                        restricted,
                        locks,
                        origin,
                        secret: secret.clone(),
                    };
                    steps.push(if restricted {
                        Step::AsDefiner(statement)
                    } else {
                        Step::AlterLoginSet(statement)
                    });
                    if setting {
                        settings = settings.iter().cloned().chain([text.to_owned()]).collect();
                    }
                }
            }
        }
    }
    if kind == Kind::Creation && steps.is_empty() {
        return Err(StatementError::Blank);
    }
    Ok(steps)
}

fn login_options(step: &mut Step) -> Option<&mut LoginOptions> {
    match step {
        Step::CreateLogin(options) => Some(options),
        _ => None,
    }
}

/// The second lock on the door: by the server's own scanner, the text reads the same with this name in it as
/// with a harmless one. Names of letters, digits, `-` and `_` need no proof.
fn reads_alike(text: &str, rendered: &str, values: &Values) -> Result<(), StatementError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if values.name.bytes().all(plain) && !values.name.contains("--") {
        return Ok(());
    }
    let harmless = render(
        text,
        &Values {
            name: "a",
            ..*values
        },
    )?;
    if parser::token_kinds(&harmless) == parser::token_kinds(rendered) {
        Ok(())
    } else {
        Err(StatementError::NameChangesText)
    }
}

/// Parses the rendered text. A syntax error quotes the text where it fails: then it is the text with the
/// verifier left out that is parsed, and fails the same way.
fn parse<'a>(text: &str, rendered: &'a str, values: &Values) -> Vec<Parsed<'a>> {
    caught(|| parser::parse(rendered)).unwrap_or_else(|error| {
        let hidden = Values {
            verifier: values.verifier.map(|_| "***"),
            ..*values
        };
        if let Ok(shown) = render(text, &hidden) {
            parser::parse(&shown);
        }
        error.rethrow()
    })
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
