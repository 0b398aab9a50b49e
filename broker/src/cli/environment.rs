//! Variables of the environment: `LEASEHOLD_X`, else `BAO_X`, else `VAULT_X`.
//!
//! The only place of the command line that reads the environment.

use std::path::PathBuf;

/// Prefixes, the first that is set wins.
pub const PREFIXES: [&str; 3] = ["LEASEHOLD", "BAO", "VAULT"];

/// Looks a variable up.
type Get = dyn Fn(&str) -> Option<String>;

/// Where variables come from; a closure, so that tests have their own.
pub struct Environment {
    get: Box<Get>,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Environment {
        Environment::from(|name: &str| std::env::var(name).ok())
    }

    /// An environment made of a function.
    pub fn from(get: impl Fn(&str) -> Option<String> + 'static) -> Environment {
        Environment { get: Box::new(get) }
    }

    /// The value of a variable named without its prefix, and its whole name. An empty value counts
    /// as none.
    pub fn lookup(&self, suffix: &str) -> Option<(String, String)> {
        PREFIXES.iter().find_map(|prefix| {
            let name = format!("{prefix}_{suffix}");
            let value = self.plain(&name)?;
            Some((name, value))
        })
    }

    /// The value of a variable that is not ours, by its whole name. An empty value counts as none.
    pub fn plain(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|value| !value.is_empty())
    }

    /// The home folder, if there is one.
    pub fn home(&self) -> Option<PathBuf> {
        self.plain("HOME").map(PathBuf::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_wins_then_bao_then_vault() {
        let check = |set: &'static [&'static str], expect: Option<&str>| {
            let get = |name: &str| set.contains(&name).then(|| format!("of {name}"));
            let found = Environment::from(get).lookup("ADDR");
            assert_eq!(found.as_ref().map(|(name, _)| name.as_str()), expect);
        };
        check(
            &["VAULT_ADDR", "BAO_ADDR", "LEASEHOLD_ADDR"],
            Some("LEASEHOLD_ADDR"),
        );
        check(&["VAULT_ADDR", "BAO_ADDR"], Some("BAO_ADDR"));
        check(&["VAULT_ADDR"], Some("VAULT_ADDR"));
        check(&["VAULT_TOKEN"], None);
        let empty = Environment::from(|name: &str| match name {
            "BAO_ADDR" => Some(String::new()),
            "VAULT_ADDR" => Some("x".into()),
            _ => None,
        });
        assert_eq!(empty.lookup("ADDR").unwrap().0, "VAULT_ADDR");
    }
}
