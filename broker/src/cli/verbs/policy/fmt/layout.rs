//! The layout of a policy: two blanks a level, one blank around `=`, a block over several lines, at
//! most one empty line. It moves blanks and line ends, and nothing else.

/// A piece of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'t> {
    /// A line end; of several in a row at most two are kept.
    Break,
    /// `{ } [ ] = ,`
    Sign(char),
    /// A word, a number, a string, a heredoc.
    Word(&'t str),
    /// A comment up to the end of its line, or a whole `/* */`.
    Comment(&'t str),
}

/// The text laid out; none where it holds something that is not understood, or is JSON.
pub fn lay_out(text: &str) -> Option<String> {
    if text.trim_start().starts_with('{') {
        return None;
    }
    Some(write(&cut(text)?))
}

fn cut(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\n' => {
                pieces.push(Piece::Break);
                1
            }
            c if c.is_whitespace() => c.len_utf8(),
            '{' | '}' | '[' | ']' | '=' | ',' => {
                pieces.push(Piece::Sign(first));
                1
            }
            '#' => comment(&mut pieces, rest, line_length(rest)),
            '/' if rest.starts_with("//") => comment(&mut pieces, rest, line_length(rest)),
            '/' if rest.starts_with("/*") => {
                let length = rest.find("*/")? + 2;
                comment(&mut pieces, rest, length)
            }
            '"' => word(&mut pieces, rest, string_length(rest)?),
            '<' if rest.starts_with("<<") => word(&mut pieces, rest, heredoc_length(rest)?),
            _ => {
                let ends = |c: char| c.is_whitespace() || "{}[]=,\"#".contains(c);
                word(&mut pieces, rest, rest.find(ends).unwrap_or(rest.len()))
            }
        };
        rest = &rest[length..];
    }
    Some(pieces)
}

fn comment<'t>(pieces: &mut Vec<Piece<'t>>, rest: &'t str, length: usize) -> usize {
    pieces.push(Piece::Comment(rest[..length].trim_end()));
    length
}

fn word<'t>(pieces: &mut Vec<Piece<'t>>, rest: &'t str, length: usize) -> usize {
    pieces.push(Piece::Word(&rest[..length]));
    length
}

fn line_length(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

fn string_length(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Up to the end of the line that holds only the mark.
fn heredoc_length(rest: &str) -> Option<usize> {
    let (head, _) = rest.split_once('\n')?;
    let mark = head.trim_start_matches('<').trim_start_matches('-').trim();
    let mut length = head.len() + 1;
    for line in rest[length..].split('\n') {
        if line.trim() == mark {
            return Some(length + line.trim_end().len());
        }
        length += line.len() + 1;
    }
    None
}

fn write(pieces: &[Piece]) -> String {
    let mut text = String::new();
    let mut line = String::new();
    let mut depth = 0usize;
    // How deep the line begins: a line that closes what is open stands where that began.
    let mut line_depth = 0usize;
    let mut empty_lines = 0;
    let mut flush = |line: &mut String, depth: usize| {
        if line.is_empty() {
            empty_lines += 1;
            return;
        }
        let opens_block = text.trim_end_matches('\n').ends_with('{');
        if empty_lines > 0 && !text.is_empty() && !opens_block && !line.starts_with('}') {
            text.push('\n');
        }
        empty_lines = 0;
        text.push_str(&"  ".repeat(depth));
        text.push_str(line);
        text.push('\n');
        line.clear();
    };
    for (at, piece) in pieces.iter().enumerate() {
        let next = pieces.get(at + 1);
        match *piece {
            Piece::Break => {
                flush(&mut line, line_depth);
                line_depth = depth;
            }
            Piece::Sign(sign @ ('}' | ']')) => {
                let closes_empty = line.ends_with('{') && sign == '}';
                if sign == '}' && !closes_empty && !line.is_empty() {
                    flush(&mut line, line_depth);
                }
                depth = depth.saturating_sub(1);
                if line.is_empty() {
                    line_depth = depth;
                }
                line.push(sign);
                if sign == '}' && !is_end_of_line(next) {
                    flush(&mut line, line_depth);
                    line_depth = depth;
                }
            }
            Piece::Sign(sign @ ('{' | '[')) => {
                space(&mut line);
                line.push(sign);
                depth += 1;
                let stays = matches!(next, Some(Piece::Sign('}'))) || is_end_of_line(next);
                if sign == '{' && !stays {
                    flush(&mut line, line_depth);
                    line_depth = depth;
                }
            }
            Piece::Sign(',') => line.push(','),
            Piece::Sign(sign) => {
                space(&mut line);
                line.push(sign);
            }
            Piece::Word(word) | Piece::Comment(word) => {
                space(&mut line);
                line.push_str(word);
            }
        }
    }
    flush(&mut line, line_depth);
    text
}

/// A comment at the end of a line belongs to it.
fn is_end_of_line(next: Option<&Piece>) -> bool {
    matches!(next, None | Some(Piece::Break | Piece::Comment(_)))
}

fn space(line: &mut String) {
    if !line.is_empty() && !line.ends_with('[') {
        line.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(lay_out(text).as_deref(), Some(expect), "{text}");
        assert_eq!(lay_out(expect).as_deref(), Some(expect), "not stable");
    }

    #[test]
    fn lays_out() {
        check(
            "path \"a\" { capabilities = [\"read\"] }\n",
            "path \"a\" {\n  capabilities = [\"read\"]\n}\n",
        );
        check(
            "\n\n# head\npath   \"a/*\"{\n\n\n   capabilities=[ \"read\",\"list\" ] // why\n     }\n\n\n\npath \"b\" {}",
            "# head\npath \"a/*\" {\n  capabilities = [\"read\", \"list\"] // why\n}\n\npath \"b\" {}\n",
        );
        check(
            "path \"a\" {\n  allowed_parameters = {\n \"x\" = []\n\"y\" = [\"1\",\n\"{\"]\n }\n}\n",
            "path \"a\" {\n  allowed_parameters = {\n    \"x\" = []\n    \"y\" = [\"1\",\n      \"{\"]\n  }\n}\n",
        );
        check(
            "path \"a\" { # deep\n  capabilities = [\n\"read\",\n# last\n\"list\",\n]\n}\n",
            "path \"a\" { # deep\n  capabilities = [\n    \"read\",\n    # last\n    \"list\",\n  ]\n}\n",
        );
        check(
            "x = <<EOF\n  a { b\nEOF\ny = 1\n",
            "x = <<EOF\n  a { b\nEOF\ny = 1\n",
        );
        check("x = \"a \\\" # b\"\n", "x = \"a \\\" # b\"\n");
    }

    #[test]
    fn leaves_json_alone() {
        assert_eq!(lay_out("{\"path\": {}}"), None);
        assert_eq!(lay_out("x = \"open"), None);
    }
}
