//! Pipelines to text.

use rand::CryptoRng;
use time::OffsetDateTime;

use super::parser::{Command, Node, Operand};
use super::value::{Context, Value};
use super::{Names, RENDERED_BYTES_MAX};

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
