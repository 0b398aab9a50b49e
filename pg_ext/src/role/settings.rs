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
    let quoted: Vec<String> = name.split('.').map(|word| format!("\"{word}\"")).collect();
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let value = match LISTS
        .iter()
        .find(|(list, _)| list.eq_ignore_ascii_case(name))
    {
        Some((_, fold)) => {
            let elements = elements(value, *fold);
            let literals: Vec<String> = elements.iter().map(|each| literal(each)).collect();
            literals.join(", ")
        }
        None => literal(value),
    };
    Ok(format!(
        "ALTER ROLE \"{{{{name}}}}\" SET {} TO {value}",
        quoted.join("."),
    ))
}

/// Settings that are lists: `SET` takes one literal for one element (`GUC_LIST_QUOTE`, which no extension can have). And whether
/// bare elements are names, which are folded.
const LISTS: &[(&str, bool)] = &[
    ("search_path", true),
    ("temp_tablespaces", true),
    ("local_preload_libraries", false),
    ("session_preload_libraries", false),
];

/// The elements of a list as `postgresql.conf` has them: between commas, in double quotes or folded to small letters. Of an empty
/// list one that is empty.
fn elements(list: &str, fold: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = list;
    loop {
        rest = rest.trim_start();
        let (element, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_element(quoted),
            None => {
                let (bare, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                let bare = bare.trim_end();
                let folded = if fold {
                    bare.to_lowercase()
                } else {
                    bare.to_owned()
                };
                (folded, after)
            }
        };
        found.push(element);
        let Some((_, next)) = after.split_once(',') else {
            return found;
        };
        rest = next;
    }
}

/// What stands before the closing quote, two of which are one, and what comes after it.
fn quoted_element(text: &str) -> (String, &str) {
    let mut element = String::new();
    let mut rest = text;
    while let Some((part, after)) = rest.split_once('"') {
        element.push_str(part);
        let Some(more) = after.strip_prefix('"') else {
            return (element, after);
        };
        element.push('"');
        rest = more;
    }
    element.push_str(rest);
    (element, "")
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
    fn a_list_is_one_of_several() {
        let check = |value: &str, expect: &str| {
            assert_eq!(
                statement(&format!("search_path={value}")).ok(),
                Some(format!(
                    "ALTER ROLE \"{{{{name}}}}\" SET \"search_path\" TO {expect}"
                )),
                "{value}"
            );
        };
        check("app, public", "'app', 'public'");
        check(
            "\"My App\" ,\"$user\",Public",
            "'My App', '$user', 'public'",
        );
        check("\"a\"\"b,c\",d'e", "'a\"b,c', 'd''e'");
        check("", "''");
    }

    #[test]
    fn a_value_stays_a_value() {
        assert_eq!(
            statement("app.x=o'clock").ok().as_deref(),
            Some("ALTER ROLE \"{{name}}\" SET \"app\".\"x\" TO 'o''clock'")
        );
    }
}
