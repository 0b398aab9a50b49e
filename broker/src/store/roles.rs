//! Roles of the database engine. A revision is never used twice, whatever role it is of.

use std::sync::Arc;

use serde_json::{Map, Value};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, Row};
use uuid::Uuid;

use super::configs::{self, ConfigRow};

/// `database/roles/:name`, as written.
#[derive(Clone, Debug)]
pub struct RoleRow {
    /// Its name.
    pub name: String,
    /// Fields as written.
    pub settings: Map<String, Value>,
    /// Grows store-wide.
    pub revision: i64,
}

impl RoleRow {
    /// The connection that it names.
    pub fn db_name(&self) -> &str {
        let name = self.settings.get("db_name");
        name.and_then(Value::as_str).unwrap_or_default()
    }
}

fn read(row: &PgRow) -> sqlx::Result<RoleRow> {
    Ok(RoleRow {
        name: row.try_get("name")?,
        settings: row.try_get::<Json<_>, _>("settings")?.0,
        revision: row.try_get("revision")?,
    })
}

/// One role.
pub async fn by_name(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    name: &str,
) -> sqlx::Result<Option<RoleRow>> {
    let row = sqlx::query(
        "select name, settings, revision from leasehold_broker.database_roles where mount_id = $1 and name = $2",
    )
    .bind(mount_id)
    .bind(name)
    .fetch_optional(store)
    .await?;
    row.as_ref().map(read).transpose()
}

/// A role, and the live configuration that it names. Shared by all requests that use them: both hold maps, and a copy for each
/// would be dear.
pub type RoleAndConfig = (Arc<RoleRow>, Option<Arc<ConfigRow>>);

/// Roles with the live configurations they name, for many names at once; in the same order.
pub async fn with_configs(
    store: impl PgExecutor<'_>,
    names: &[(Uuid, String)],
) -> sqlx::Result<Vec<Option<RoleAndConfig>>> {
    let (mounts, roles): (Vec<Uuid>, Vec<&str>) = names
        .iter()
        .map(|(mount_id, name)| (*mount_id, name.as_str()))
        .unzip();
    let rows = sqlx::query(
        "select n.ordinal, r.name as role_name, r.settings as role_settings, r.revision as role_revision, c.config_id, \
                c.mount_id, c.name, c.target_id, c.settings, c.sealed_connection, c.revision \
           from unnest($1::uuid[], $2::text[]) with ordinality as n (mount_id, name, ordinal) \
           join leasehold_broker.database_roles r on r.mount_id = n.mount_id and r.name = n.name collate \"C\" \
           left join leasehold_broker.database_configs c \
             on c.mount_id = r.mount_id and c.name = (r.settings ->> 'db_name') collate \"C\" and c.state = 'live'",
    )
    .bind(mounts)
    .bind(roles)
    .fetch_all(store)
    .await?;
    let mut found: Vec<Option<RoleAndConfig>> = names.iter().map(|_| None).collect();
    for row in &rows {
        let at = usize::try_from(row.try_get::<i64, _>("ordinal")? - 1).unwrap_or(usize::MAX);
        let role = RoleRow {
            name: row.try_get("role_name")?,
            settings: row.try_get::<Json<_>, _>("role_settings")?.0,
            revision: row.try_get("role_revision")?,
        };
        let config = match row.try_get::<Option<Uuid>, _>("config_id")? {
            Some(_) => Some(Arc::new(configs::read(row)?)),
            None => None,
        };
        if let Some(place) = found.get_mut(at) {
            *place = Some((Arc::new(role), config));
        }
    }
    Ok(found)
}

/// Names of a mount's roles, sorted: those after `after`, at most `limit`.
pub async fn names(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    after: &str,
    limit: Option<i64>,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select name from leasehold_broker.database_roles where mount_id = $1 and name > $2 order by name limit $3",
    )
    .bind(mount_id)
    .bind(after)
    .bind(limit)
    .fetch_all(store)
    .await
}

/// Within a transaction that writes a role, and that holds its mount: the role's settings, its row locked. None: it was not
/// there, and its place is taken now, so that another who makes it waits. It has to be written before the commit.
pub async fn hold(
    store: &mut PgConnection,
    mount_id: Uuid,
    name: &str,
) -> sqlx::Result<Option<Map<String, Value>>> {
    let settings: Json<Option<Map<String, Value>>> = sqlx::query_scalar(
        "insert into leasehold_broker.database_roles (mount_id, name, settings, revision) values ($1, $2, 'null', 0) \
         on conflict (mount_id, name) do update set name = excluded.name returning settings",
    )
    .bind(mount_id)
    .bind(name)
    .fetch_one(store)
    .await?;
    Ok(settings.0)
}

/// Writes a role that the transaction holds, with a new revision.
pub async fn write(
    store: &mut PgConnection,
    mount_id: Uuid,
    name: &str,
    settings: &Map<String, Value>,
) -> sqlx::Result<()> {
    sqlx::query(
        "update leasehold_broker.database_roles \
            set settings = $3, revision = nextval('leasehold_broker.role_revision'), changed_at = now() \
          where mount_id = $1 and name = $2",
    )
    .bind(mount_id)
    .bind(name)
    .bind(Json(settings))
    .execute(store)
    .await?;
    Ok(())
}

/// Gives the roles of a configuration new revisions: the same texts are other recipes when another login defines them.
pub async fn renew_revisions(
    store: &mut PgConnection,
    mount_id: Uuid,
    config_name: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "update leasehold_broker.database_roles set revision = nextval('leasehold_broker.role_revision') \
          where mount_id = $1 and settings ->> 'db_name' = $2",
    )
    .bind(mount_id)
    .bind(config_name)
    .execute(store)
    .await?;
    Ok(())
}

/// Locks the roles that name a configuration: whoever is to change them locks them before the configuration itself, as intents
/// hold what they build on in the order mount, role, configuration.
pub async fn lock_all_of(
    store: &mut PgConnection,
    mount_id: Uuid,
    config_name: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "select from leasehold_broker.database_roles where mount_id = $1 and settings ->> 'db_name' = $2 order by name for update",
    )
    .bind(mount_id)
    .bind(config_name)
    .execute(store)
    .await?;
    Ok(())
}

/// Roles written since a backup, at most: by so much a restored store goes ahead of what a target remembers.
const OVERTAKE: i64 = 1_000;

/// Gives a role, if it still has this revision, one that is far beyond. None: it has another one.
pub async fn overtake_revision(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    name: &str,
    revision: i64,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "update leasehold_broker.database_roles \
            set revision = setval('leasehold_broker.role_revision', nextval('leasehold_broker.role_revision') + $4) \
          where mount_id = $1 and name = $2 and revision = $3 returning revision",
    )
    .bind(mount_id)
    .bind(name)
    .bind(revision)
    .bind(OVERTAKE)
    .fetch_optional(store)
    .await
}

/// Deletes a role; gives back a revision that is newer than its last, or None if it was not there.
pub async fn delete(
    store: &mut PgConnection,
    mount_id: Uuid,
    name: &str,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "with gone as (delete from leasehold_broker.database_roles where mount_id = $1 and name = $2 returning name) \
         select nextval('leasehold_broker.role_revision') from gone",
    )
    .bind(mount_id)
    .bind(name)
    .fetch_optional(store)
    .await
}

/// Deletes all roles of a mount that is going. Gives back their names, and a revision newer than any of theirs.
pub async fn delete_all(
    store: &mut PgConnection,
    mount_id: Uuid,
) -> sqlx::Result<(Vec<String>, i64)> {
    let names = sqlx::query_scalar(
        "delete from leasehold_broker.database_roles where mount_id = $1 returning name",
    )
    .bind(mount_id)
    .fetch_all(&mut *store)
    .await?;
    let revision = sqlx::query_scalar("select nextval('leasehold_broker.role_revision')")
        .fetch_one(&mut *store)
        .await?;
    Ok((names, revision))
}
