//! Username templates (contract 7.7): a small part of Go's template language, enough for names.
//!
//! Kept: text, fields, literals, pipelines, parentheses, comments, trim markers, and the functions
//! of [`function`]. Refused where it is written, not when it is used: control structures, variables,
//! Go's other builtins. Time and randomness are arguments.

mod function;
mod go_time;
mod lexer;
mod parser;
mod render;
mod value;

use std::sync::LazyLock;

use rand::rngs::StdRng;
use rand::{CryptoRng, SeedableRng};
use thiserror::Error;
use time::OffsetDateTime;

/// How long the text of a template may be.
pub const TEMPLATE_BYTES_MAX: usize = 4_096;
/// How long anything may get while a template is rendered.
pub const RENDERED_BYTES_MAX: usize = 4_096;

/// What an unset template stands for; its result is cut at 63 bytes, PostgreSQL's longest name.
const DEFAULT: &str = concat!(
    r#"{{ printf "v-%s-%s-%s-%s" (.DisplayName | truncate 8) (.RoleName | truncate 8) "#,
    r#"(random 20) (unix_time) | truncate 63 }}"#
);

/// A template that has been read and tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    nodes: Vec<parser::Node>,
}

/// What a template may name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'n> {
    /// Of the token that asks: `.DisplayName`.
    pub display_name: &'n str,
    /// Of the recipe: `.RoleName`.
    pub role_name: &'n str,
}

/// Why a text is no username template, or gave no username.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// It can not be read.
    #[error("unable to initialize username template: unable to parse template: {0}")]
    Parse(String),
    /// It can be read, but not rendered, if only with empty names.
    #[error("invalid username template: unable to apply template: {0}")]
    Apply(String),
}

impl Template {
    /// Reads a template, the empty text being the default one, and renders it once with empty
    /// names: what fails then is refused.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        static BY_DEFAULT: LazyLock<Result<Template, TemplateError>> =
            LazyLock::new(|| Template::read(DEFAULT));
        match text {
            "" => BY_DEFAULT.clone(),
            text => Template::read(text),
        }
    }

    fn read(text: &str) -> Result<Template, TemplateError> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::Parse(format!(
                "longer than {TEMPLATE_BYTES_MAX} bytes"
            )));
        }
        let template = Template {
            nodes: parser::parse(text).map_err(TemplateError::Parse)?,
        };
        let mut rng = StdRng::seed_from_u64(0);
        template.render(&Names::default(), OffsetDateTime::UNIX_EPOCH, &mut rng)?;
        Ok(template)
    }

    /// A username. Names in a policy's sense are not checked here: PostgreSQL's rules are the
    /// target's affair.
    pub fn render(
        &self,
        names: &Names<'_>,
        now: OffsetDateTime,
        rng: &mut dyn CryptoRng,
    ) -> Result<String, TemplateError> {
        render::render(&self.nodes, names, now, rng).map_err(TemplateError::Apply)
    }
}

impl Default for Template {
    fn default() -> Template {
        Template::parse("").expect("the default template is a template")
    }
}

#[cfg(test)]
mod tests;
