//! Words to pipelines.

use super::function::{self, Function};
use super::lexer::{self, Piece, Word};

/// How deep parentheses may nest.
const DEPTH_MAX: usize = 32;

/// Words of Go's language that are refused by name.
const KEYWORDS: [&str; 10] = [
    "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with",
];

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    Pipeline(Vec<Command>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    /// A function and its arguments; in a pipeline the value before comes last.
    Call(&'static Function, Vec<Operand>),
    /// A value by itself.
    Value(Operand),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Text(String),
    Int(i64),
    DisplayName,
    RoleName,
    Pipeline(Vec<Command>),
}

pub(super) fn parse(text: &str) -> Result<Vec<Node>, String> {
    let node = |piece: Piece<'_>| match piece {
        Piece::Text(text) => Ok(Node::Text(text.to_owned())),
        Piece::Action(words) => {
            let mut parser = Parser {
                words: words.into_iter().peekable(),
            };
            let pipeline = parser.pipeline(0)?;
            match parser.words.next() {
                None => Ok(Node::Pipeline(pipeline)),
                Some(_) => Err("unexpected right paren".to_owned()),
            }
        }
    };
    lexer::pieces(text)?.into_iter().map(node).collect()
}

struct Parser {
    words: std::iter::Peekable<std::vec::IntoIter<Word>>,
}

impl Parser {
    /// Commands up to the end or a closing parenthesis, which is left in place. A pipe at the very
    /// end is forgiven, as the reference does.
    fn pipeline(&mut self, depth: usize) -> Result<Vec<Command>, String> {
        if depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} parentheses"));
        }
        let mut commands = Vec::new();
        while !matches!(self.words.peek(), None | Some(Word::Close)) {
            let command = self.command(depth)?;
            if !commands.is_empty() && matches!(command, Command::Value(_)) {
                return Err("only a function can stand behind a pipe".into());
            }
            commands.push(command);
            if self.words.next_if_eq(&Word::Pipe).is_none() {
                break;
            }
        }
        match commands.is_empty() {
            true => Err("missing value for command".into()),
            false => Ok(commands),
        }
    }

    fn command(&mut self, depth: usize) -> Result<Command, String> {
        if let Some(Word::Name(name)) = self.words.peek() {
            let function =
                function::find(name).ok_or_else(|| match KEYWORDS.contains(&name.as_str()) {
                    true => format!("{name:?} is not supported in a username template"),
                    false => format!("function {name:?} not defined"),
                })?;
            self.words.next();
            let mut arguments = Vec::new();
            while !matches!(self.words.peek(), None | Some(Word::Pipe | Word::Close)) {
                arguments.push(self.operand(depth)?);
            }
            return Ok(Command::Call(function, arguments));
        }
        let operand = self.operand(depth)?;
        match self.words.peek() {
            None | Some(Word::Pipe | Word::Close) => Ok(Command::Value(operand)),
            Some(_) => Err("only a function takes arguments".into()),
        }
    }

    fn operand(&mut self, depth: usize) -> Result<Operand, String> {
        Ok(match self.words.next() {
            Some(Word::Text(text)) => Operand::Text(text),
            Some(Word::Int(number)) => Operand::Int(number),
            Some(Word::Float(number)) => return Err(format!("expected integer; found {number}")),
            Some(Word::Field(name)) if name == "DisplayName" => Operand::DisplayName,
            Some(Word::Field(name)) if name == "RoleName" => Operand::RoleName,
            Some(Word::Field(name)) => {
                return Err(format!(
                    "unknown field .{name}: there are .DisplayName and .RoleName"
                ));
            }
            Some(Word::Open) => {
                let pipeline = self.pipeline(depth + 1)?;
                match self.words.next() {
                    Some(Word::Close) => Operand::Pipeline(pipeline),
                    _ => return Err("unclosed left paren".into()),
                }
            }
            Some(Word::Name(name)) => match function::find(&name) {
                Some(function) => Operand::Pipeline(vec![Command::Call(function, Vec::new())]),
                None => return Err(format!("function {name:?} not defined")),
            },
            Some(Word::Pipe | Word::Close) | None => return Err("missing value for command".into()),
        })
    }
}
