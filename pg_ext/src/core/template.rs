//! Statement texts with placeholders: where a placeholder stands decides how its value is written.
//!
//! A text is read the way PostgreSQL's scanner reads it (with `standard_conforming_strings` on), so `{{name}}`
//! inside double quotes becomes part of an identifier, inside single quotes part of a literal, and bare a quoted
//! identifier (the name) or a quoted literal (the other two). No value is ever pasted. What is not one of our
//! placeholders, or not available for this kind of text, stays as it is. Parsing the result is not done here.

mod lexer;
mod render;

pub use render::{PlaceError, render};

/// Whether `{{name}}` stands anywhere in `text` without quotes around it.
pub fn bare_names(text: &str) -> bool {
    lexer::stretches(text).iter().any(|stretch| {
        let names = [Placeholder::Name, Placeholder::Username];
        stretch.kind == lexer::Kind::Bare
            && names.iter().any(|name| stretch.text.contains(name.text()))
    })
}

/// What the placeholders stand for. `{{username}}` is `{{name}}` by another name.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    /// The login's name.
    pub name: &'a str,
    /// The login's SCRAM verifier, which `{{password}}` always stands for; `None` where there is no password.
    pub verifier: Option<&'a str>,
    /// The lease's end in UTC, rounded down to the second; `None` where the end is not known (an ending).
    pub expiration: Option<&'a str>,
}

impl std::fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values")
    }
}

/// One of the four spellings between the braces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placeholder {
    /// `{{name}}`
    Name,
    /// `{{username}}`
    Username,
    /// `{{password}}`
    Password,
    /// `{{expiration}}`
    Expiration,
}

impl Placeholder {
    /// All of them.
    pub const ALL: [Placeholder; 4] = [
        Placeholder::Name,
        Placeholder::Username,
        Placeholder::Password,
        Placeholder::Expiration,
    ];

    /// As it is written in a text, braces included.
    pub fn text(self) -> &'static str {
        match self {
            Placeholder::Name => "{{name}}",
            Placeholder::Username => "{{username}}",
            Placeholder::Password => "{{password}}",
            Placeholder::Expiration => "{{expiration}}",
        }
    }

    /// The placeholder that `text` begins with. Only the exact spelling counts: `{{ name }}` is text.
    fn at_start_of(text: &str) -> Option<Placeholder> {
        Self::ALL
            .into_iter()
            .find(|placeholder| text.starts_with(placeholder.text()))
    }

    fn value<'a>(self, values: &Values<'a>) -> Option<&'a str> {
        match self {
            Placeholder::Name | Placeholder::Username => Some(values.name),
            Placeholder::Password => values.verifier,
            Placeholder::Expiration => values.expiration,
        }
    }
}

#[cfg(test)]
mod tests;
