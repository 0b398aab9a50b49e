//! A role of the API as a recipe on a target. Pure: the texts are decoded here, parsed there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::store::roles::RoleRow;
use crate::target::Recipe;

/// Its name there: accessors are never used again, so neither are recipes of a mount that is gone.
pub fn recipe_name(mount_accessor: &str, role: &str) -> String {
    format!("{mount_accessor}/{role}")
}

/// The recipe of a role as it is now.
pub fn recipe(mount_accessor: &str, role: &RoleRow) -> Recipe {
    let list = |field: &str| statements(&role.settings, field);
    let text = |field: &str| role.settings.get(field).and_then(Value::as_str);
    Recipe {
        name: recipe_name(mount_accessor, &role.name),
        revision: role.revision,
        creation_statements: list("creation_statements"),
        revocation_statements: list("revocation_statements"),
        renewal_statements: list("renew_statements"),
        member_of: role
            .settings
            .get("member_of")
            .and_then(|groups| serde_json::from_value(groups.clone()).ok())
            .unwrap_or_default(),
        shares_grants: text("grants") == Some("shared"),
        reassign_to: text("reassign_to").map(str::to_owned),
        drop_owned: role.settings.get("drop_owned") == Some(&Value::Bool(true)),
    }
}

/// The texts of a field, decoded; blank ones say nothing and are left out.
fn statements(settings: &Map<String, Value>, field: &str) -> Vec<String> {
    let texts = settings.get(field).and_then(Value::as_array);
    texts
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .flat_map(decode)
        .filter(|text| {
            !text
                .trim_matches(|c: char| c.is_whitespace() || c == ';')
                .is_empty()
        })
        .collect()
}

/// One element of a statement list: base64 of a text, a JSON array of texts (base64 of one, too), or the text itself.
fn decode(element: &str) -> Vec<String> {
    let decoded = STANDARD
        .decode(element.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| !text.is_empty() && !text.contains('\0'));
    let text = decoded.unwrap_or_else(|| element.to_owned());
    match serde_json::from_str::<Vec<String>>(&text) {
        Ok(texts) => texts,
        Err(_) => vec![text],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(given: Value, expect: &[&str]) {
        let Value::Object(settings) = json!({ "creation_statements": given.clone() }) else {
            panic!("an object")
        };
        assert_eq!(
            statements(&settings, "creation_statements"),
            expect,
            "{given}"
        );
    }

    #[test]
    fn texts_are_decoded_and_blanks_left_out() {
        check(
            json!(["CREATE ROLE x; GRANT y TO x"]),
            &["CREATE ROLE x; GRANT y TO x"],
        );
        check(json!(["", " ; ; ", "a"]), &["a"]);
        check(
            json!([STANDARD.encode("select 1; select 2")]),
            &["select 1; select 2"],
        );
        check(json!(["[\"a;b\", \"c\"]"]), &["a;b", "c"]);
        check(json!([STANDARD.encode("[\"a\",\"b\"]")]), &["a", "b"]);
        // Looks like base64, is no text when decoded.
        check(json!(["ROLLBACK"]), &["ROLLBACK"]);
        check(json!([]), &[]);
    }
}
