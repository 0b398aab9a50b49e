//! Text and actions; words inside actions.

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Outside of `{{ }}`, kept as it is.
    Text(&'t str),
    /// Between `{{` and `}}`.
    Action(Vec<Word>),
}

/// A word of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// `.RoleName`, without its dot.
    Field(String),
    /// A name of a function.
    Name(String),
    /// A quoted text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number with a fraction or an exponent, as written.
    Float(String),
    Pipe,
    Open,
    Close,
}

/// Cuts a template into pieces. `{{-` and `-}}` take the blanks next to them away, and
/// `{{/* … */}}` leaves nothing.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut trim_next = false;
    while let Some(at) = rest.find("{{") {
        let before = if trim_next {
            rest[..at].trim_start()
        } else {
            &rest[..at]
        };
        let mut action = &rest[at + 2..];
        let trimmed = action
            .strip_prefix('-')
            .filter(|after| after.starts_with(char::is_whitespace));
        let before = if trimmed.is_some() {
            before.trim_end()
        } else {
            before
        };
        action = trimmed.unwrap_or(action);
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let comment = if trimmed.is_some() {
            action.trim_start()
        } else {
            action
        };
        if let Some(body) = comment.strip_prefix("/*") {
            let (_, after) = body.split_once("*/").ok_or("unclosed comment")?;
            (rest, trim_next) = close(after).ok_or("comment ends before closing delimiter")?;
            continue;
        }
        let (words, after) = words(action)?;
        (rest, trim_next) = after;
        pieces.push(Piece::Action(words));
    }
    let last = if trim_next { rest.trim_start() } else { rest };
    if !last.is_empty() {
        pieces.push(Piece::Text(last));
    }
    Ok(pieces)
}

/// What follows a closing delimiter, and whether that one trims.
fn close(text: &str) -> Option<(&str, bool)> {
    let trimming = text
        .trim_start()
        .strip_prefix("-}}")
        .filter(|_| text.starts_with(char::is_whitespace));
    match trimming {
        Some(after) => Some((after, true)),
        None => text.strip_prefix("}}").map(|after| (after, false)),
    }
}

/// The words of an action, and what follows it.
fn words(action: &str) -> Result<(Vec<Word>, (&str, bool)), String> {
    let mut words = Vec::new();
    let mut rest = action;
    loop {
        if let Some(closed) = close(rest) {
            return Ok((words, closed));
        }
        let Some(c) = rest.chars().next() else {
            return Err("unclosed action".into());
        };
        let (word, length) = match c {
            c if c.is_whitespace() => {
                rest = &rest[c.len_utf8()..];
                continue;
            }
            '|' => (Word::Pipe, 1),
            '(' => (Word::Open, 1),
            ')' => (Word::Close, 1),
            '"' => quoted(rest)?,
            '`' => {
                let end = rest[1..]
                    .find('`')
                    .ok_or("unterminated raw quoted string")?;
                (Word::Text(rest[1..=end].to_owned()), end + 2)
            }
            '.' if rest[1..].starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                let field = identifier(&rest[1..]);
                (Word::Field(field.to_owned()), 1 + field.len())
            }
            '+' | '-' | '0'..='9' => number(rest)?,
            c if c.is_alphabetic() || c == '_' => {
                let name = identifier(rest);
                (Word::Name(name.to_owned()), name.len())
            }
            c => return Err(format!("unexpected {:?} in command", c.to_string())),
        };
        rest = &rest[length..];
        words.push(word);
        if matches!(words.last(), Some(Word::Field(_))) && rest.starts_with('.') {
            return Err("a field is a text and has no fields of its own".into());
        }
        // Words stand apart; only pipes and parentheses may touch.
        let touches = |c: char| !(c.is_whitespace() || "|()-}".contains(c));
        if !matches!(words.last(), Some(Word::Pipe | Word::Open | Word::Close))
            && rest.starts_with(touches)
        {
            let next: String = rest.chars().take(1).collect();
            return Err(format!("unexpected {next:?} in operand"));
        }
    }
}

fn identifier(text: &str) -> &str {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    &text[..end]
}

fn number(text: &str) -> Result<(Word, usize), String> {
    let end = text[1..]
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.'))
        .map_or(text.len(), |end| end + 1);
    let number = &text[..end];
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let value = number
            .parse()
            .map_err(|_| format!("integer overflow: {number:?}"))?;
        return Ok((Word::Int(value), end));
    }
    match digits.starts_with(|c: char| c.is_ascii_digit()) && number.parse::<f64>().is_ok() {
        true => Ok((Word::Float(number.to_owned()), end)),
        false => Err(format!("illegal number syntax: {number:?}")),
    }
}

/// A text in double quotes with Go's escapes, and how much of the source it takes.
fn quoted(text: &str) -> Result<(Word, usize), String> {
    let unterminated = || "unterminated quoted string".to_owned();
    let mut value = String::new();
    let mut rest = text[1..].char_indices();
    loop {
        let (at, c) = rest.next().ok_or_else(unterminated)?;
        match c {
            '"' => return Ok((Word::Text(value), at + 2)),
            '\n' => return Err(unterminated()),
            '\\' => value.push(escape(&mut rest).ok_or("bad escape in quoted string")?),
            c => value.push(c),
        }
    }
}

fn escape(rest: &mut std::str::CharIndices<'_>) -> Option<char> {
    let digits = match rest.next()?.1 {
        'a' => return Some('\u{7}'),
        'b' => return Some('\u{8}'),
        'f' => return Some('\u{c}'),
        'n' => return Some('\n'),
        'r' => return Some('\r'),
        't' => return Some('\t'),
        'v' => return Some('\u{b}'),
        c @ ('\\' | '"') => return Some(c),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let mut code = 0_u32;
    for _ in 0..digits {
        code = code
            .checked_mul(16)?
            .checked_add(rest.next()?.1.to_digit(16)?)?;
    }
    char::from_u32(code)
}
