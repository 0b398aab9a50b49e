//! Writes the values into a text, each as the place demands.

use super::lexer::{Kind, Stretch, stretches};
use super::{Placeholder, Values};

/// Dollar-quoted bodies inside dollar-quoted bodies: deeper than this nobody writes.
const BODIES_DEEP_MAX: usize = 8;

/// Why a value can not be written where its placeholder stands. Never carries a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlaceError {
    /// In `U&'…'` or `U&"…"`.
    #[error("{} cannot stand inside U&'' or U&\"\" quotes", .0.text())]
    UnicodeQuotes(Placeholder),
    /// In `B'…'` or `X'…'`.
    #[error("{} cannot stand inside a bit string", .0.text())]
    BitString(Placeholder),
    /// The value holds a control character.
    #[error("the value of {} has a control character in it", .0.text())]
    ControlCharacter(Placeholder),
    /// Inside dollar quotes the value could end the quote it stands in.
    #[error("the value of {} has a quote, a backslash or the delimiter in it, which cannot be written inside dollar quotes", .0.text())]
    UnsafeInDollarQuotes(Placeholder),
    /// Inside dollar quotes without quotes of its own, and the value is more than a plain word.
    #[error("{} stands inside dollar quotes without quotes around it", .0.text())]
    BareInDollarQuotes(Placeholder),
    /// Within a longer literal, which may be code by itself: the value is more than a plain name.
    #[error("{} stands inside a longer text, where its value can only have letters, digits and _ - . @ + = :, and no two hyphens behind its first word", .0.text())]
    UnsafeInText(Placeholder),
    /// Dollar quotes inside dollar quotes, too deep to follow.
    #[error("dollar quotes are nested too deeply")]
    TooDeep,
}

/// Writes `values` into `text`. Placeholders in comments, unknown ones, and ones without a value stay as they are.
pub fn render(text: &str, values: &Values) -> Result<String, PlaceError> {
    let mut out = String::with_capacity(text.len() + 256);
    let stretches = stretches(text);
    for (at, &stretch) in stretches.iter().enumerate() {
        if let Kind::Dollar(delimiter) = stretch.kind {
            body(&mut out, stretch.text, delimiter, values, 1)?;
            continue;
        }
        let part = is_literal(stretch.kind) && !is_value(&stretches, at);
        place(
            &mut out,
            stretch,
            values,
            &|kind, placeholder, value, out| {
                if part {
                    plain(placeholder, value)?;
                }
                top(kind, placeholder, value, out)
            },
        )?;
    }
    Ok(out)
}

fn is_literal(kind: Kind) -> bool {
    matches!(kind, Kind::Literal | Kind::Escape)
}

/// True if the literal at this place is placeholders and nothing else: then a value in it is a value, whatever is in it. A longer
/// one may be code that somebody will run, such as the body of a `DO`. Literals that go on in the next line are one.
fn is_value(stretches: &[Stretch], at: usize) -> bool {
    let literal = |at: usize| stretches.get(at).is_some_and(|it| is_literal(it.kind));
    let gap = |at: usize| stretches.get(at).is_some_and(|it| it.kind == Kind::Comment);
    let goes_on = gap(at + 1) && literal(at + 2);
    let went_on = at >= 2 && gap(at - 1) && literal(at - 2);
    let mut text = stretches[at]
        .text
        .trim_start_matches(|c: char| c.is_ascii_alphabetic());
    text = text.strip_prefix('\'').unwrap_or(text);
    text = text.strip_suffix('\'').unwrap_or(text);
    while let Some(found) = Placeholder::at_start_of(text) {
        text = &text[found.text().len()..];
    }
    text.is_empty() && !goes_on && !went_on
}

/// Refuses a name that could be more than a name where code is made of text. What else is written in is of our own making.
fn plain(placeholder: Placeholder, value: &str) -> Result<(), PlaceError> {
    let is_name = matches!(placeholder, Placeholder::Name | Placeholder::Username);
    let fine =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '+' | '=' | ':');
    // A name of several words with hyphens can stand nowhere without quotes, so that nothing behind it becomes a comment unseen.
    let is_comment = value
        .split_once("--")
        .is_some_and(|(word, _)| !word.contains('-'));
    if is_name && (!value.chars().all(fine) || is_comment) {
        return Err(PlaceError::UnsafeInText(placeholder));
    }
    Ok(())
}

type Write<'a> = &'a dyn Fn(Kind, Placeholder, &str, &mut String) -> Result<(), PlaceError>;

/// Copies one stretch, giving each placeholder that has a value to `write`.
fn place(
    out: &mut String,
    stretch: Stretch,
    values: &Values,
    write: Write,
) -> Result<(), PlaceError> {
    let Stretch { kind, text } = stretch;
    if kind == Kind::Comment || !text.contains("{{") {
        out.push_str(text);
        return Ok(());
    }
    let mut rest = text;
    while let Some(next) = rest.find(|c| c == '{' || (c == '\\' && kind == Kind::Escape)) {
        let (before, here) = rest.split_at(next);
        out.push_str(before);
        // In E'' a backslash takes the next character along: `\{{name}}` is no placeholder.
        let mut taken = here.strip_prefix('\\').map_or(1, |after| {
            1 + after.chars().next().map_or(0, char::len_utf8)
        });
        match Placeholder::at_start_of(here).map(|found| (found, found.value(values))) {
            Some((found, Some(value))) => {
                if value.chars().any(char::is_control) {
                    return Err(PlaceError::ControlCharacter(found));
                }
                write(kind, found, value, out)?;
                taken = found.text().len();
            }
            _ => out.push_str(&here[..taken]),
        }
        rest = &here[taken..];
    }
    out.push_str(rest);
    Ok(())
}

/// A placeholder outside dollar quotes.
fn top(
    kind: Kind,
    placeholder: Placeholder,
    value: &str,
    out: &mut String,
) -> Result<(), PlaceError> {
    match kind {
        Kind::Identifier => out.push_str(&value.replace('"', "\"\"")),
        Kind::Literal => out.push_str(&value.replace('\'', "''")),
        Kind::Escape => out.push_str(&value.replace('\\', "\\\\").replace('\'', "''")),
        // The spaces keep a letter before it from becoming the quote's prefix.
        Kind::Bare => out.push_str(&match placeholder {
            Placeholder::Name | Placeholder::Username => {
                format!(" \"{}\" ", value.replace('"', "\"\""))
            }
            Placeholder::Password | Placeholder::Expiration => {
                format!(" '{}' ", value.replace('\'', "''"))
            }
        }),
        Kind::Unicode => return Err(PlaceError::UnicodeQuotes(placeholder)),
        Kind::Bits => return Err(PlaceError::BitString(placeholder)),
        Kind::Comment | Kind::Dollar(_) => unreachable!("handled before"),
    }
    Ok(())
}

/// The body of a dollar quote: text in some language, most often PL/pgSQL, that is scanned again when it runs.
/// Nothing can be doubled safely there, so a value is written only if it needs no quoting of any kind, in a literal (a text
/// that `EXECUTE` may be given) only if it is a plain name, and without quotes around it only if it is a plain word.
fn body(
    out: &mut String,
    text: &str,
    delimiter: &str,
    values: &Values,
    depth: usize,
) -> Result<(), PlaceError> {
    if depth > BODIES_DEEP_MAX {
        return Err(PlaceError::TooDeep);
    }
    let start = out.len();
    let last = std::cell::Cell::new(Placeholder::Name);
    for stretch in stretches(text) {
        if let Kind::Dollar(inner) = stretch.kind {
            body(out, stretch.text, inner, values, depth + 1)?;
            continue;
        }
        place(out, stretch, values, &|kind, placeholder, value, out| {
            last.set(placeholder);
            if value.contains(['\'', '"', '\\', '`']) || value.contains(delimiter) {
                return Err(PlaceError::UnsafeInDollarQuotes(placeholder));
            }
            match kind {
                Kind::Bare if !is_word(value) => {
                    return Err(PlaceError::BareInDollarQuotes(placeholder));
                }
                Kind::Unicode => return Err(PlaceError::UnicodeQuotes(placeholder)),
                Kind::Bits => return Err(PlaceError::BitString(placeholder)),
                Kind::Literal | Kind::Escape => {
                    plain(placeholder, value)?;
                    out.push_str(value);
                }
                _ => out.push_str(value),
            }
            Ok(())
        })?;
    }
    // A value may complete a delimiter with the text beside it.
    if out[start..].contains(delimiter) {
        return Err(PlaceError::UnsafeInDollarQuotes(last.get()));
    }
    // … or with the delimiter itself: the body may not end in the delimiter's first character.
    if out.len() > start && out.ends_with('$') && !text.ends_with('$') {
        return Err(PlaceError::UnsafeInDollarQuotes(last.get()));
    }
    Ok(())
}

fn is_word(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !value.as_bytes()[0].is_ascii_digit()
}
