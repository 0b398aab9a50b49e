//! YAML as our own examples are written: maps, lists, plain and quoted scalars, `["a", "b"]`, `{}` and `|`. What else
//! YAML can do is refused, and so are duplicate keys, tabs and empty values: plain files stay plain.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

/// Every document of a text; scalars are texts.
pub fn read(text: &str) -> Result<Vec<Value>> {
    ensure!(!text.contains('\t'), "a tab");
    let mut documents = vec![Vec::new()];
    for (at, line) in text.lines().enumerate() {
        if line == "---" {
            documents.push(Vec::new());
        } else if let Some(last) = documents.last_mut() {
            last.push((at + 1, line.to_owned()));
        }
    }
    documents
        .into_iter()
        .map(|lines| {
            let mut reader = Reader { lines, next: 0 };
            let value = reader.value(0)?;
            match reader.peek() {
                None => Ok(value),
                Some((at, _, _)) => bail!("line {at}: not indented like the lines above"),
            }
        })
        .collect()
}

struct Reader {
    lines: Vec<(usize, String)>,
    next: usize,
}

impl Reader {
    /// Number, indentation and content of the next line that says something.
    fn peek(&mut self) -> Option<(usize, usize, String)> {
        while let Some((at, line)) = self.lines.get(self.next) {
            let content = line.trim();
            if !content.is_empty() && !content.starts_with('#') {
                return Some((
                    *at,
                    line.len() - line.trim_start().len(),
                    content.to_owned(),
                ));
            }
            self.next += 1;
        }
        None
    }

    fn value(&mut self, indent: usize) -> Result<Value> {
        let (_, _, content) = self.peek().context("nothing where a value is wanted")?;
        if content.starts_with("- ") {
            self.list(indent)
        } else {
            self.map(indent)
        }
    }

    fn list(&mut self, indent: usize) -> Result<Value> {
        let mut items = Vec::new();
        while let Some((at, found, content)) = self.peek() {
            let Some(item) = content.strip_prefix("- ").filter(|_| found == indent) else {
                break;
            };
            if entry(item).is_some() {
                // A map whose first key stands behind the hyphen.
                self.lines[self.next].1 = format!("{}{item}", " ".repeat(indent + 2));
                items.push(self.map(indent + 2)?);
            } else {
                items.push(scalar(item).with_context(|| format!("line {at}"))?);
                self.next += 1;
            }
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, indent: usize) -> Result<Value> {
        let mut map = Map::new();
        while let Some((at, found, content)) = self.peek() {
            if found != indent || content.starts_with("- ") {
                break;
            }
            let (key, rest) =
                entry(&content).with_context(|| format!("line {at}: no \"key: value\""))?;
            self.next += 1;
            let value = match rest {
                "" => match self.peek() {
                    Some((_, deeper, _)) if deeper > indent => self.value(deeper)?,
                    _ => bail!("line {at}: {key} is empty"),
                },
                "|" => self.block(indent),
                rest => scalar(rest).with_context(|| format!("line {at}"))?,
            };
            let before = map.insert(key.to_owned(), value);
            ensure!(before.is_none(), "line {at}: {key} for the second time");
        }
        ensure!(!map.is_empty(), "an empty map");
        Ok(Value::Object(map))
    }

    /// The lines below `|`, without their common indentation.
    fn block(&mut self, indent: usize) -> Value {
        let mut text = String::new();
        let mut cut = None;
        while let Some((_, line)) = self.lines.get(self.next) {
            let found = line.len() - line.trim_start().len();
            if !line.trim().is_empty() && found <= indent {
                break;
            }
            let cut = *cut.get_or_insert(found);
            text.push_str(line.get(cut..).unwrap_or_default());
            text.push('\n');
            self.next += 1;
        }
        Value::String(text)
    }
}

/// `key: rest` or `key:`.
fn entry(content: &str) -> Option<(&str, &str)> {
    let (key, rest) = content.split_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let parted = rest.is_empty() || rest.starts_with(' ');
    (!key.is_empty() && key.bytes().all(plain) && parted).then_some((key, rest.trim()))
}

fn scalar(text: &str) -> Result<Value> {
    if text == "{}" {
        return Ok(Value::Object(Map::new()));
    }
    if text.starts_with('"') {
        return Ok(serde_json::from_str(text)?);
    }
    if let Some(items) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        if items.contains('"') {
            return Ok(serde_json::from_str(text)?);
        }
        let items = items.split(',').map(|item| Value::from(item.trim()));
        return Ok(Value::Array(items.collect()));
    }
    let odd = text.starts_with(['\'', '{', '[', '&', '*', '!', '|', '>', '%', '@', '`']);
    ensure!(!odd, "quote this in double quotes: {text}");
    ensure!(
        !text.contains(": ") && !text.contains(" #"),
        "quote this in double quotes: {text}"
    );
    Ok(Value::from(text))
}

#[test]
fn plain_yaml_is_read_and_the_rest_refused() {
    use serde_json::json;
    let text = "a: 1\nb:\n  - x: \"q # q\"\n    y: [\"m\", \"n\"]\n  - x: p:q\nc: |\n  one: 1\n    two\nd: {}\n---\n# two\ne:\n  - f\n";
    assert_eq!(
        read(text).expect("a good text"),
        [
            json!({"a": "1", "b": [{"x": "q # q", "y": ["m", "n"]}, {"x": "p:q"}], "c": "one: 1\n  two\n", "d": {}}),
            json!({"e": ["f"]}),
        ]
    );
    for text in [
        "a: 1\na: 2\n",
        "a:\nb: 1\n",
        "a: 'x'\n",
        "a: x # y\n",
        "a:\tb\n",
        "a: 1\n    b: 2\n",
        "a: *b\n",
        "a\n",
    ] {
        assert!(read(text).is_err(), "{text:?} is accepted");
    }
}
