//! Settings of a recipe, `name=value`, as the statement that gives them to a login.

use crate::core::error::Fault;

/// Cuts a setting into name and value. The name is one or two words with a dot between.
pub fn read(setting: &str) -> Result<(&str, &str), Fault> {
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    setting
        .split_once('=')
        .map(|(name, value)| (name.trim(), value.trim()))
        .filter(|(name, value)| {
            let words = name.split('.').collect::<Vec<_>>();
            words.len() <= 2
                && words.iter().all(|text| word(text))
                && !value.chars().any(char::is_control)
        })
        .ok_or_else(|| {
            Fault::argument(
                format!("\"{setting}\" is not a setting"),
                "Write name=value, such as statement_timeout=30s.",
            )
        })
}

/// The statement that sets it, with the login's name still to be written in.
pub fn statement(setting: &str) -> Result<String, Fault> {
    let (name, value) = read(setting)?;
    let name: Vec<String> = name.split('.').map(|word| format!("\"{word}\"")).collect();
    Ok(format!(
        "ALTER ROLE \"{{{{name}}}}\" SET {} TO '{}'",
        name.join("."),
        value.replace('\'', "''")
    ))
}

#[cfg(test)]
mod tests {
    use super::{read, statement};

    #[test]
    fn what_is_a_setting() {
        let check = |text: &str, expect: Option<(&str, &str)>| {
            assert_eq!(read(text).ok(), expect, "{text}")
        };
        check("statement_timeout=30s", Some(("statement_timeout", "30s")));
        check("app.tenant = a=b", Some(("app.tenant", "a=b")));
        check("search_path=", Some(("search_path", "")));
        check("=1", None);
        check("statement_timeout", None);
        check("a b=1", None);
        check("a.b.c=1", None);
        check("x\" to 1; drop role y; --=1", None);
        check("a=1\n2", None);
    }

    #[test]
    fn a_value_stays_a_value() {
        assert_eq!(
            statement("app.x=o'clock").ok().as_deref(),
            Some("ALTER ROLE \"{{name}}\" SET \"app\".\"x\" TO 'o''clock'")
        );
    }
}
