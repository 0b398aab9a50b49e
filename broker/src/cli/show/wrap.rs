//! Text broken into lines.

use super::super::help::WIDTH;

/// Breaks a text at blanks into lines of at most `width` characters; a longer word stays whole.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// A server's warnings, as they go to standard error.
pub fn warnings(warnings: &[String]) -> String {
    let mut text = "WARNING! The following warnings were returned from the server:\n\n".to_owned();
    for warning in warnings {
        for line in wrap(&format!("* {warning}"), WIDTH - 2) {
            text.push_str(&format!("  {line}\n"));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable word", 4), ["unbreakable", "word"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
