//! Characters to tokens.

use std::iter::Peekable;
use std::str::Chars;

use super::{Place, SyntaxError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ident,
    Text,
    Number,
    Float,
    Bool,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Assign,
    End,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    /// The text of an identifier or number, the value of a string.
    pub text: String,
    pub place: Place,
}

impl Token {
    /// What a message calls it.
    pub fn what(&self) -> String {
        match self.kind {
            Kind::Text => "a string".into(),
            Kind::Number | Kind::Float => "a number".into(),
            Kind::End => "the end of the text".into(),
            _ => format!("'{}'", self.text),
        }
    }
}

pub(super) struct Lexer<'t> {
    rest: Peekable<Chars<'t>>,
    place: Place,
}

impl<'t> Lexer<'t> {
    /// `text` has no `\r\n`.
    pub fn new(text: &'t str) -> Self {
        Lexer {
            rest: text.chars().peekable(),
            place: Place { line: 1, column: 1 },
        }
    }

    pub fn next(&mut self) -> Result<Token, SyntaxError> {
        self.skip_blanks_and_comments()?;
        let place = self.place;
        let Some(c) = self.bump() else {
            return Ok(Token {
                kind: Kind::End,
                text: String::new(),
                place,
            });
        };
        let (kind, text) = match c {
            '{' => (Kind::LeftBrace, c.into()),
            '}' => (Kind::RightBrace, c.into()),
            '[' => (Kind::LeftBracket, c.into()),
            ']' => (Kind::RightBracket, c.into()),
            ',' => (Kind::Comma, c.into()),
            '=' => (Kind::Assign, c.into()),
            '"' => (Kind::Text, self.string()?),
            '<' => (Kind::Text, self.heredoc()?),
            '-' | '0'..='9' => self.number(c)?,
            c if is_letter(c) => {
                let mut word = String::from(c);
                while let Some(c) =
                    self.bump_if(|c| is_letter(c) || c.is_numeric() || c == '-' || c == '.')
                {
                    word.push(c);
                }
                let kind = if word == "true" || word == "false" {
                    Kind::Bool
                } else {
                    Kind::Ident
                };
                (kind, word)
            }
            _ => return Err(error(place, "illegal char")),
        };
        Ok(Token { kind, text, place })
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.place = Place {
                line: self.place.line + 1,
                column: 1,
            };
        } else {
            self.place.column += 1;
        }
        Some(c)
    }

    fn bump_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        self.rest.peek().copied().filter(|c| wanted(*c))?;
        self.bump()
    }

    fn here<T>(&self, message: &str) -> Result<T, SyntaxError> {
        Err(error(self.place, message))
    }

    fn skip_blanks_and_comments(&mut self) -> Result<(), SyntaxError> {
        loop {
            while self
                .bump_if(|c| matches!(c, ' ' | '\t' | '\n' | '\r'))
                .is_some()
            {}
            match self.rest.peek() {
                Some('#') => self.skip_line(),
                Some('/') => {
                    let place = self.place;
                    self.bump();
                    match self.bump() {
                        Some('/') => self.skip_line(),
                        Some('*') => self.skip_block()?,
                        _ => return Err(error(place, "expected '/' or '*' after '/'")),
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        while self.bump_if(|c| c != '\n').is_some() {}
    }

    fn skip_block(&mut self) -> Result<(), SyntaxError> {
        let mut before = ' ';
        while let Some(c) = self.bump() {
            if before == '*' && c == '/' {
                return Ok(());
            }
            before = c;
        }
        self.here("comment not terminated")
    }

    /// After the opening quote. What stands inside `${ }` is taken as it is, quotes included.
    fn string(&mut self) -> Result<String, SyntaxError> {
        let mut text = String::new();
        let mut braces = 0_usize;
        loop {
            let place = self.place;
            let Some(c) = self.bump().filter(|c| *c != '\n' || braces > 0) else {
                return Err(error(place, "literal not terminated"));
            };
            match c {
                '"' if braces == 0 => return Ok(text),
                '$' if braces == 0 && self.bump_if(|c| c == '{').is_some() => {
                    braces = 1;
                    text.push_str("${");
                    continue;
                }
                '\\' if braces == 0 => {
                    text.push(self.escape()?);
                    continue;
                }
                '{' if braces > 0 => braces += 1,
                '}' if braces > 0 => braces -= 1,
                _ => {}
            }
            text.push(c);
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let place = self.place;
        let illegal = || error(place, "illegal char escape");
        Ok(match self.bump().ok_or_else(illegal)? {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' => '\\',
            '"' => '"',
            'x' => self.digits(2, 16).ok_or_else(illegal)?,
            'u' => self.digits(4, 16).ok_or_else(illegal)?,
            'U' => self.digits(8, 16).ok_or_else(illegal)?,
            _ => return Err(illegal()),
        })
    }

    fn digits(&mut self, count: usize, radix: u32) -> Option<char> {
        let mut code = 0_u32;
        for _ in 0..count {
            let digit = self.bump_if(|c| c.is_digit(radix))?.to_digit(radix)?;
            code = code.checked_mul(radix)?.checked_add(digit)?;
        }
        char::from_u32(code)
    }

    /// After the first `<`: `<<WORD`, lines, a line with that word alone. `<<-` takes off the
    /// indentation that all lines share.
    fn heredoc(&mut self) -> Result<String, SyntaxError> {
        if self.bump_if(|c| c == '<').is_none() {
            return self.here("expected a second '<' of a heredoc");
        }
        let indented = self.bump_if(|c| c == '-').is_some();
        let mut anchor = String::new();
        while let Some(c) = self.bump_if(|c| is_letter(c) || c.is_numeric()) {
            anchor.push(c);
        }
        if self.bump_if(|c| c == '\n').is_none() {
            return self.here("invalid characters in heredoc anchor");
        }
        if anchor.is_empty() {
            return self.here("zero-length heredoc anchor");
        }
        let mut lines: Vec<String> = Vec::new();
        loop {
            let mut line = String::new();
            while let Some(c) = self.bump_if(|c| c != '\n') {
                line.push(c);
            }
            if self.bump().is_none() {
                return self.here("heredoc not terminated");
            }
            if line.trim_start() == anchor {
                break;
            }
            lines.push(line);
        }
        let indent = |line: &String| line.len() - line.trim_start_matches([' ', '\t']).len();
        let cut = match indented {
            true => lines.iter().map(indent).min().unwrap_or(0),
            false => 0,
        };
        Ok(lines.iter().flat_map(|line| [&line[cut..], "\n"]).collect())
    }

    fn number(&mut self, first: char) -> Result<(Kind, String), SyntaxError> {
        let place = self.place;
        let mut text = String::from(first);
        while let Some(c) = self.bump_if(|c| c.is_ascii_alphanumeric() || c == '.') {
            text.push(c);
            if matches!(c, 'e' | 'E') && !text.contains('x') {
                text.extend(self.bump_if(|c| c == '+' || c == '-'));
            }
        }
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let hexadecimal = digits
            .strip_prefix("0x")
            .or_else(|| digits.strip_prefix("0X"));
        let is_whole = match hexadecimal {
            Some(digits) => !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit()),
            None => !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()),
        };
        if is_whole {
            return Ok((Kind::Number, text));
        }
        let plain = digits.starts_with(|c: char| c.is_ascii_digit())
            && digits
                .chars()
                .all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
        match plain && text.parse::<f64>().is_ok_and(f64::is_finite) {
            true => Ok((Kind::Float, text)),
            false => Err(error(place, "illegal number")),
        }
    }
}

fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

pub(super) fn error(place: Place, message: impl Into<String>) -> SyntaxError {
    SyntaxError {
        place,
        message: message.into(),
    }
}
