//! Digests: of a recipe, so that a caller can say which text it means, and of a request, so that it can be told from
//! another with the same id.

use sha2::{Digest, Sha256};

/// Gathers fields and gives their SHA-256. Every field is written with its length, so no two lists of fields share one
/// digest; an absent field differs from an empty one.
#[derive(Default)]
pub struct Fields(Sha256);

impl Fields {
    /// Begins with the kind of thing and the version of its list of fields.
    pub fn of(kind: &str) -> Self {
        Self::default().text(Some(kind))
    }

    /// A text that may be absent.
    pub fn text(self, text: Option<&str>) -> Self {
        match text {
            None => self.raw(&[0]),
            Some(text) => self
                .raw(&[2])
                .raw(&(text.len() as u64).to_be_bytes())
                .raw(text.as_bytes()),
        }
    }

    /// A list of texts.
    pub fn texts<'a>(self, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let texts: Vec<&str> = texts.into_iter().collect();
        let counted = self.raw(&[3]).raw(&(texts.len() as u64).to_be_bytes());
        texts
            .iter()
            .fold(counted, |fields, text| fields.text(Some(text)))
    }

    /// A number that may be absent.
    pub fn number(self, number: Option<i64>) -> Self {
        match number {
            None => self.raw(&[0]),
            Some(number) => self.raw(&[1]).raw(&number.to_be_bytes()),
        }
    }

    /// The digest as bytes.
    pub fn bytes(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The digest in hexadecimal.
    pub fn hex(self) -> String {
        self.bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Fields;

    #[test]
    fn fields_do_not_flow_into_each_other() {
        let all = [
            Fields::of("x").text(None).hex(),
            Fields::of("x").text(Some("")).hex(),
            Fields::of("x").text(Some("a")).text(Some("b")).hex(),
            Fields::of("x").text(Some("ab")).text(Some("")).hex(),
            Fields::of("x").texts(["a", "b"]).hex(),
            Fields::of("x").texts(["ab"]).hex(),
            Fields::of("x").texts([]).hex(),
            Fields::of("x").number(Some(0)).hex(),
            Fields::of("y").number(Some(0)).hex(),
        ];
        let different: std::collections::HashSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(all[0].len(), 64);
    }
}
