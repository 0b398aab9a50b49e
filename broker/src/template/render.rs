//! Pipelines to text.

use std::fmt;

use rand::CryptoRng;
use time::OffsetDateTime;

use super::parser::{Command, Node, Operand};
use super::{Names, RENDERED_BYTES_MAX};

/// What a pipeline gives.
#[derive(Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    Bool(bool),
}

/// Where functions get what is not in their arguments.
pub(super) struct Context<'c> {
    pub names: &'c Names<'c>,
    pub now: OffsetDateTime,
    pub rng: &'c mut dyn CryptoRng,
}

pub(super) fn render(
    nodes: &[Node],
    names: &Names<'_>,
    now: OffsetDateTime,
    rng: &mut dyn CryptoRng,
) -> Result<String, String> {
    let mut context = Context { names, now, rng };
    let mut rendered = String::new();
    for node in nodes {
        match node {
            Node::Text(text) => rendered.push_str(text),
            Node::Pipeline(commands) => {
                rendered.push_str(&pipeline(commands, &mut context)?.to_string());
            }
        }
        check_length(&rendered)?;
    }
    Ok(rendered)
}

fn pipeline(commands: &[Command], context: &mut Context<'_>) -> Result<Value, String> {
    let mut carried: Option<Value> = None;
    for command in commands {
        let value = match command {
            Command::Value(operand) => evaluate(operand, context)?,
            Command::Call(function, operands) => {
                let mut arguments = Vec::with_capacity(operands.len() + 1);
                for operand in operands {
                    arguments.push(evaluate(operand, context)?);
                }
                arguments.extend(carried.take());
                function.call(context, &arguments)?
            }
        };
        if let Value::Text(text) = &value {
            check_length(text)?;
        }
        carried = Some(value);
    }
    carried.ok_or_else(|| "missing value for command".into())
}

fn evaluate(operand: &Operand, context: &mut Context<'_>) -> Result<Value, String> {
    Ok(match operand {
        Operand::Text(text) => Value::Text(text.clone()),
        Operand::Int(number) => Value::Int(*number),
        Operand::DisplayName => Value::Text(context.names.display_name.to_owned()),
        Operand::RoleName => Value::Text(context.names.role_name.to_owned()),
        Operand::Pipeline(commands) => pipeline(commands, context)?,
    })
}

fn check_length(text: &str) -> Result<(), String> {
    match text.len() > RENDERED_BYTES_MAX {
        true => Err(format!(
            "the result is longer than {RENDERED_BYTES_MAX} bytes"
        )),
        false => Ok(()),
    }
}

impl Value {
    /// Of an argument whose type the function's row has promised.
    pub fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            Value::Int(_) | Value::Bool(_) => "",
        }
    }

    /// Of an argument whose type the function's row has promised.
    pub fn int(&self) -> i64 {
        match self {
            Value::Int(number) => *number,
            Value::Text(_) | Value::Bool(_) => 0,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Int(number) => number.fmt(f),
            Value::Bool(truth) => truth.fmt(f),
        }
    }
}

/// As the template has it.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Int(number) => number.fmt(f),
            Value::Bool(truth) => truth.fmt(f),
        }
    }
}
