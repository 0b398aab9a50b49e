//! Fields of a role that Vault does not have: what the extension can do besides. They are kept, and shown by a read, only
//! if they say something, so that a role without them reads as it does elsewhere.

use serde_json::{Map, Value, json};

use crate::fields::FieldValue;
use crate::lease;
use crate::logical::{Call, Fault};
use crate::store::configs;
use crate::store::roles::RoleRow;

/// Longest name of a PostgreSQL role, in bytes.
const NAME_BYTES_MAX: usize = 63;
/// Most groups of a role.
const GROUPS_MAX: usize = 100;

/// Takes over what was given; an empty value takes a field back.
pub(super) fn merge<'a>(
    settings: &mut Map<String, Value>,
    given: impl Fn(&str) -> Option<&'a FieldValue>,
) -> Result<(), String> {
    if let Some(groups) = given("member_of").and_then(FieldValue::as_list) {
        if groups.len() > GROUPS_MAX {
            return Err(format!("member_of names more than {GROUPS_MAX} groups"));
        }
        for group in groups {
            check_name("member_of", group)?;
        }
        keep(settings, "member_of", json!(groups), groups.is_empty());
    }
    if let Some(grants) = given("grants").and_then(FieldValue::as_text) {
        if !matches!(grants, "" | "own" | "shared") {
            return Err("grants is \"own\" or \"shared\"".into());
        }
        keep(settings, "grants", grants.into(), grants != "shared");
    }
    if let Some(heir) = given("reassign_to").and_then(FieldValue::as_text) {
        if !heir.is_empty() {
            check_name("reassign_to", heir)?;
        }
        keep(settings, "reassign_to", heir.into(), heir.is_empty());
    }
    if let Some(drop) = given("drop_owned").and_then(FieldValue::as_bool) {
        keep(settings, "drop_owned", drop.into(), !drop);
    }
    if settings.contains_key("reassign_to") && settings.contains_key("drop_owned") {
        return Err("reassign_to and drop_owned exclude each other".into());
    }
    Ok(())
}

/// Refuses a role whose grants are to be shared and can not be, if its target can be asked; else it is said when
/// credentials are. Outside any transaction, for a target may be slow.
pub(super) async fn check_sharing(
    call: &Call<'_>,
    name: &str,
    settings: Map<String, Value>,
) -> Result<(), Fault> {
    if !settings.contains_key("grants") {
        return Ok(());
    }
    let db_name = settings.get("db_name").and_then(Value::as_str);
    let (store, mount) = (&call.core.store, call.mount);
    let config = configs::by_name(store, mount.mount_id, db_name.unwrap_or_default()).await?;
    let Some(config) = config else {
        return Ok(());
    };
    let role = RoleRow {
        name: name.to_owned(),
        settings,
        revision: 0,
    };
    let recipe = lease::recipe(&mount.accessor, &role);
    let Ok(target) = lease::reach_config(call.core, &config).await else {
        return Ok(());
    };
    match target.obstacle(&recipe).await {
        Ok(Some(why)) => Err(Fault::bad(why)),
        Ok(None) | Err(_) => Ok(()),
    }
}

fn keep(settings: &mut Map<String, Value>, field: &str, value: Value, empty: bool) {
    if empty {
        settings.remove(field);
    } else {
        settings.insert(field.to_owned(), value);
    }
}

fn check_name(field: &str, name: &str) -> Result<(), String> {
    let sound =
        !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
    sound.then_some(()).ok_or_else(|| {
        format!(
            "{field}: the name of a PostgreSQL role has 1 to {NAME_BYTES_MAX} bytes and no control characters"
        )
    })
}
