//! What a command printed, and whether that is right.

use anyhow::{Context, Result, bail, ensure};

/// The answer to one command.
pub(super) struct Answer {
    pub(super) command: String,
    pub(super) succeeded: bool,
    /// Standard output and standard error, one after the other.
    pub(super) text: String,
}

impl Answer {
    /// It went well, and the answer has all of these words in it.
    pub(super) fn shows(self, words: &[&str]) -> Result<Answer> {
        ensure!(self.succeeded, "this should go well: {}", self.command);
        for word in words {
            ensure!(
                self.text.contains(word),
                "\"{word}\" should be in the answer to: {}",
                self.command
            );
        }
        Ok(self)
    }

    /// It was refused, with these words.
    pub(super) fn refuses(self, word: &str) -> Result<Answer> {
        ensure!(!self.succeeded, "this should be refused: {}", self.command);
        ensure!(
            self.text.contains(word),
            "the refusal should say \"{word}\": {}",
            self.command
        );
        Ok(self)
    }

    /// The value beside `key` in a table of two columns.
    pub(super) fn value(&self, key: &str) -> Result<String> {
        for line in self.text.lines() {
            if let Some((name, value)) = line.split_once(' ')
                && name == key
            {
                return Ok(value.trim().to_owned());
            }
        }
        bail!("no {key} in the answer to: {}", self.command)
    }

    /// The value beside `key` as a number of seconds: `7200` or `2h`, `1h30m`, `3s`.
    pub(super) fn seconds(&self, key: &str) -> Result<u64> {
        let value = self.value(key)?;
        seconds(&value).with_context(|| format!("{key} is {value}, after: {}", self.command))
    }
}

fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut number) = (0, None);
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                number = Some(number.unwrap_or(0) * 10 + u64::from(c.to_digit(10)?));
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total += unit * number.take()?;
    }
    Some(total + number.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations_are_read_as_tables_show_them() {
        let check = |text: &str, expect| assert_eq!(seconds(text), expect, "{text}");
        check("7200", Some(7200));
        check("1h", Some(3600));
        check("1h30m5s", Some(5405));
        check("768h", Some(2_764_800));
        check("h", None);
        check("soon", None);
    }
}
