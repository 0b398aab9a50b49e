//! Tokens to items.

use super::lexer::{Kind, Lexer, Token, error};
use super::{Body, DEPTH_MAX, Item, SyntaxError, Value, ValueKind};

pub(super) fn parse(text: &str) -> Result<Body, SyntaxError> {
    let text = text.replace("\r\n", "\n");
    let mut lexer = Lexer::new(&text);
    let token = lexer.next()?;
    let mut parser = Parser { lexer, token };
    let body = parser.items(&Kind::End, 0)?;
    Ok(body)
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    /// The token that comes next.
    token: Token,
}

impl Parser<'_> {
    fn take(&mut self) -> Result<Token, SyntaxError> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn take_if(&mut self, kind: &Kind) -> Result<bool, SyntaxError> {
        let is = self.token.kind == *kind;
        if is {
            self.take()?;
        }
        Ok(is)
    }

    fn refuse<T>(&self, message: String) -> Result<T, SyntaxError> {
        Err(error(self.token.place, message))
    }

    /// Items up to the token that ends them, which is left in place. No separator is needed; a
    /// comma after an item is fine.
    fn items(&mut self, end: &Kind, depth: usize) -> Result<Body, SyntaxError> {
        let mut body = Body::default();
        while self.token.kind != *end {
            if self.token.kind == Kind::End {
                return self.refuse("expected a closing brace, got the end of the text".into());
            }
            body.items.push(self.item(depth)?);
            self.take_if(&Kind::Comma)?;
        }
        Ok(body)
    }

    fn item(&mut self, depth: usize) -> Result<Item, SyntaxError> {
        let mut keys = Vec::new();
        while matches!(self.token.kind, Kind::Ident | Kind::Text) {
            keys.push(self.take()?);
        }
        let named = || {
            let words: Vec<&str> = keys.iter().map(|key| key.text.as_str()).collect();
            words.join(" ")
        };
        let place = self.token.place;
        let (assign_line, value) = match self.token.kind {
            _ if keys.is_empty() => {
                return self.refuse(format!("expected a key, got {}", self.token.what()));
            }
            Kind::LeftBrace => (0, self.value(depth)?),
            Kind::Assign if keys.len() > 1 => {
                return self.refuse(format!("expected '{{' after '{}', got '='", named()));
            }
            Kind::Assign => {
                self.take()?;
                (place.line, self.value(depth)?)
            }
            _ => {
                let message = "expected start of object ('{') or assignment ('=')";
                return self.refuse(format!("key '{}' {message}", named()));
            }
        };
        let mut keys = keys.into_iter().map(|token| token.text);
        let key = keys.next().expect("an item without keys was refused above");
        Ok(Item {
            key,
            labels: keys.collect(),
            assign_line,
            value,
        })
    }

    fn value(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        if depth >= DEPTH_MAX {
            return self.refuse(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        let token = self.take()?;
        let kind = match token.kind {
            Kind::Text => ValueKind::Text(token.text),
            Kind::Number => ValueKind::Number(token.text),
            Kind::Float => ValueKind::Float(token.text),
            Kind::Bool => ValueKind::Bool(token.text == "true"),
            Kind::LeftBracket => ValueKind::List(self.list(depth + 1)?),
            Kind::LeftBrace => {
                let body = self.items(&Kind::RightBrace, depth + 1)?;
                self.take()?;
                ValueKind::Object(body)
            }
            _ => {
                let message = format!("expected a value, got {}", token.what());
                return Err(error(token.place, message));
            }
        };
        Ok(Value {
            place: token.place,
            kind,
        })
    }

    /// After the opening bracket, through the closing one. Commas may double or trail.
    fn list(&mut self, depth: usize) -> Result<Vec<Value>, SyntaxError> {
        let mut values = Vec::new();
        loop {
            while self.take_if(&Kind::Comma)? {}
            if self.take_if(&Kind::RightBracket)? {
                return Ok(values);
            }
            values.push(self.value(depth)?);
            if !matches!(self.token.kind, Kind::Comma | Kind::RightBracket) {
                let got = self.token.what();
                let message = format!("error parsing list, expected comma or list end, got {got}");
                return self.refuse(message);
            }
        }
    }
}
