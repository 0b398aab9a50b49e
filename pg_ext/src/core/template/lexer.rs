//! Cuts a text into the stretches that matter for placing a value: quotes of each kind, comments, the rest.
//! It follows PostgreSQL 15's `scan.l` as far as that goes. It never fails: a quote that is not closed ends with
//! the text, and the server's own parser says so later.

/// What a stretch of text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind<'a> {
    /// Anything outside quotes and comments.
    Bare,
    /// `-- …` and `/* … */`, also the gap in a literal that goes on in the next line.
    Comment,
    /// `"…"`
    Identifier,
    /// `'…'` and `N'…'`: only the quote itself is special.
    Literal,
    /// `E'…'`: backslash escapes.
    Escape,
    /// `U&'…'` and `U&"…"`, whose escape character may be named later in the text.
    Unicode,
    /// `B'…'` and `X'…'`: digits only.
    Bits,
    /// `$tag$…$tag$`; the stretch is the body alone, the delimiters are [`Kind::Bare`] around it.
    Dollar(&'a str),
}

/// A stretch of the text, by bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch<'a> {
    /// What it is.
    pub kind: Kind<'a>,
    /// The text itself, quotes included (but see [`Kind::Dollar`]).
    pub text: &'a str,
}

/// Cuts `text` into stretches; joined again they are `text`.
pub fn stretches(text: &str) -> Vec<Stretch<'_>> {
    let mut cutter = Cutter {
        text,
        bytes: text.as_bytes(),
        at: 0,
        cut: 0,
        found: Vec::new(),
    };
    cutter.run();
    cutter.found
}

struct Cutter<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    cut: usize,
    found: Vec<Stretch<'a>>,
}

impl<'a> Cutter<'a> {
    fn run(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'-' if self.peek(1) == Some(b'-') => self.comment(Self::skip_line),
                b'/' if self.peek(1) == Some(b'*') => self.comment(Self::skip_block),
                b'"' => self.quoted(Kind::Identifier, 0),
                b'\'' => self.quoted(Kind::Literal, 0),
                b'$' => self.dollar(),
                b'0'..=b'9' => self.number(),
                b'.' if self.peek(1).is_some_and(|next| next.is_ascii_digit()) => self.number(),
                _ if starts_word(byte) => self.word(byte),
                _ => self.at += 1,
            }
        }
        self.close(Kind::Bare);
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    /// Ends the current stretch here and says what it was.
    fn close(&mut self, kind: Kind<'a>) {
        if self.cut < self.at {
            self.found.push(Stretch {
                kind,
                text: &self.text[self.cut..self.at],
            });
            self.cut = self.at;
        }
    }

    fn comment(&mut self, skip: fn(&mut Self)) {
        self.close(Kind::Bare);
        skip(self);
        self.close(Kind::Comment);
    }

    fn skip_line(&mut self) {
        while self
            .peek(0)
            .is_some_and(|byte| !matches!(byte, b'\n' | b'\r'))
        {
            self.at += 1;
        }
    }

    fn skip_block(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    self.at += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// A word, or a quote with a prefix letter. A prefix counts only where a word begins: `fooE'x'` has none.
    fn word(&mut self, first: u8) {
        let quote = |cutter: &Self, ahead| cutter.peek(ahead) == Some(b'\'');
        match first.to_ascii_lowercase() {
            b'e' if quote(self, 1) => self.quoted(Kind::Escape, 1),
            b'b' | b'x' if quote(self, 1) => self.quoted(Kind::Bits, 1),
            b'u' if self.peek(1) == Some(b'&') && matches!(self.peek(2), Some(b'\'' | b'"')) => {
                self.quoted(Kind::Unicode, 2);
            }
            _ => {
                while self.peek(0).is_some_and(continues_word) {
                    self.at += 1;
                }
            }
        }
    }

    /// A number takes its exponent along, so that the `e` of `1e5` is not taken for the beginning of a word,
    /// while the one in `1E'x'` is.
    fn number(&mut self) {
        self.digits();
        if self.peek(0) == Some(b'.') && self.peek(1) != Some(b'.') {
            self.at += 1;
            self.digits();
        }
        if matches!(self.peek(0), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.peek(1), Some(b'+' | b'-')));
            if self
                .peek(1 + sign)
                .is_some_and(|byte| byte.is_ascii_digit())
            {
                self.at += 1 + sign;
                self.digits();
            }
        }
    }

    fn digits(&mut self) {
        while self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    /// `$1` is a parameter, `$$` and `$tag$` open a body, any other `$` is a character.
    fn dollar(&mut self) {
        self.at += 1;
        if self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.digits();
            return;
        }
        let mut end = self.at;
        while self
            .bytes
            .get(end)
            .is_some_and(|&byte| starts_word(byte) || (end > self.at && byte.is_ascii_digit()))
        {
            end += 1;
        }
        if self.bytes.get(end) != Some(&b'$') {
            return;
        }
        let delimiter = &self.text[self.at - 1..=end];
        self.at = end + 1;
        self.close(Kind::Bare);
        self.at = self.text[self.at..]
            .find(delimiter)
            .map_or(self.text.len(), |length| self.at + length);
        self.close(Kind::Dollar(delimiter));
        self.at = (self.at + delimiter.len()).min(self.text.len());
    }

    /// A quote that opens `prefix` bytes from here. A string literal may go on in the next line, in the same kind
    /// of quote, prefix or not.
    fn quoted(&mut self, kind: Kind<'a>, prefix: usize) {
        self.close(Kind::Bare);
        self.at += prefix;
        let quote = self.bytes[self.at];
        loop {
            self.skip_quoted(quote, kind == Kind::Escape);
            self.close(kind);
            if quote != b'\'' || !self.goes_on() {
                return;
            }
        }
    }

    fn skip_quoted(&mut self, quote: u8, escapes: bool) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            if byte == b'\\' && escapes {
                self.at = (self.at + 1).min(self.bytes.len());
                // Never inside a character: the close that follows slices there.
                while !self.text.is_char_boundary(self.at) {
                    self.at += 1;
                }
            } else if byte == quote {
                if self.peek(0) != Some(quote) {
                    return;
                }
                self.at += 1;
            }
        }
    }

    /// After a literal: white space with a line end in it (comments allowed) and another quote.
    fn goes_on(&mut self) -> bool {
        let start = self.at;
        let mut line_ended = false;
        loop {
            match self.peek(0) {
                Some(b'\n' | b'\r') => {
                    line_ended = true;
                    self.at += 1;
                }
                Some(b' ' | b'\t' | b'\x0c') => self.at += 1,
                Some(b'-') if self.peek(1) == Some(b'-') => self.skip_line(),
                Some(b'\'') if line_ended => {
                    self.close(Kind::Comment);
                    return true;
                }
                _ => {
                    self.at = start;
                    return false;
                }
            }
        }
    }
}

fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn continues_word(byte: u8) -> bool {
    starts_word(byte) || byte.is_ascii_digit() || byte == b'$'
}
