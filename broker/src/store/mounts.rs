//! Mounts.

use serde_json::{Map, Value};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use crate::mount::{Mount, MountKind, MountState, MountTable};

fn kind_word(kind: MountKind) -> &'static str {
    match kind {
        MountKind::Secret => "secret",
        MountKind::Auth => "auth",
    }
}

fn from_row(row: &PgRow) -> sqlx::Result<Mount> {
    let kind: String = row.try_get("kind")?;
    let state: String = row.try_get("state")?;
    let config: Json<Map<String, Value>> = row.try_get("config")?;
    let options: Option<Json<Map<String, Value>>> = row.try_get("options")?;
    Ok(Mount {
        mount_id: row.try_get("mount_id")?,
        kind: if kind == "auth" {
            MountKind::Auth
        } else {
            MountKind::Secret
        },
        path: row.try_get("path")?,
        engine_type: row.try_get("type")?,
        accessor: row.try_get("accessor")?,
        description: row.try_get("description")?,
        config: config.0,
        options: options.map(|json| json.0),
        local: row.try_get("local")?,
        seal_wrap: row.try_get("seal_wrap")?,
        external_entropy_access: row.try_get("external_entropy_access")?,
        state: if state == "active" {
            MountState::Active
        } else {
            MountState::Tainted
        },
    })
}

/// The mount at exactly this path.
pub async fn at(
    store: impl PgExecutor<'_>,
    kind: MountKind,
    path: &str,
) -> sqlx::Result<Option<Mount>> {
    let row = sqlx::query(
        "select mount_id, kind, path, type, accessor, description, config, options, local, seal_wrap, external_entropy_access, state \
         from leasehold_broker.mounts where kind = $1 and path = $2 and state <> 'gone'",
    )
    .bind(kind_word(kind))
    .bind(path)
    .fetch_optional(store)
    .await?;
    row.as_ref().map(from_row).transpose()
}

/// All there are, with the mark of this state of them.
pub async fn table(store: impl PgExecutor<'_>) -> sqlx::Result<(Uuid, MountTable)> {
    let rows = sqlx::query(
        "select r.revision as table_revision, m.mount_id, kind, path, type, accessor, description, config, options, local, \
                seal_wrap, external_entropy_access, state \
           from leasehold_broker.mount_revision r left join leasehold_broker.mounts m on m.state <> 'gone'",
    )
    .fetch_all(store)
    .await?;
    let revision = rows
        .first()
        .map_or(Ok(Uuid::nil()), |row| row.try_get("table_revision"))?;
    let mut mounts = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<Option<Uuid>, _>("mount_id")?.is_some() {
            mounts.push(from_row(row)?);
        }
    }
    Ok((revision, MountTable::new(mounts)))
}

/// All mounts of a kind, by path.
pub async fn all(store: impl PgExecutor<'_>, kind: MountKind) -> sqlx::Result<Vec<Mount>> {
    let rows = sqlx::query(
        "select mount_id, kind, path, type, accessor, description, config, options, local, seal_wrap, external_entropy_access, state \
         from leasehold_broker.mounts where kind = $1 and state <> 'gone' order by path",
    )
    .bind(kind_word(kind))
    .fetch_all(store)
    .await?;
    rows.iter().map(from_row).collect()
}

/// By primary key, whatever its state (`None`: never was, or is gone).
pub async fn by_id(store: impl PgExecutor<'_>, mount_id: Uuid) -> sqlx::Result<Option<Mount>> {
    let row = sqlx::query(
        "select mount_id, kind, path, type, accessor, description, config, options, local, seal_wrap, external_entropy_access, state \
         from leasehold_broker.mounts where mount_id = $1 and state <> 'gone'",
    )
    .bind(mount_id)
    .fetch_optional(store)
    .await?;
    row.as_ref().map(from_row).transpose()
}

/// Adds a mount. A unique violation means that the path was taken meanwhile.
pub async fn insert(store: impl PgExecutor<'_>, mount: &Mount) -> sqlx::Result<()> {
    sqlx::query(
        "insert into leasehold_broker.mounts \
             (mount_id, kind, path, type, accessor, description, config, options, local, seal_wrap, external_entropy_access) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(mount.mount_id)
    .bind(kind_word(mount.kind))
    .bind(&mount.path)
    .bind(&mount.engine_type)
    .bind(&mount.accessor)
    .bind(&mount.description)
    .bind(Json(&mount.config))
    .bind(mount.options.as_ref().map(Json))
    .bind(mount.local)
    .bind(mount.seal_wrap)
    .bind(mount.external_entropy_access)
    .execute(store)
    .await?;
    Ok(())
}

/// Within a transaction that tunes a mount: its row, locked, if it serves.
pub async fn lock(store: impl PgExecutor<'_>, mount_id: Uuid) -> sqlx::Result<Option<Mount>> {
    let row = sqlx::query(
        "select mount_id, kind, path, type, accessor, description, config, options, local, seal_wrap, external_entropy_access, state \
         from leasehold_broker.mounts where mount_id = $1 and state = 'active' for no key update",
    )
    .bind(mount_id)
    .fetch_optional(store)
    .await?;
    row.as_ref().map(from_row).transpose()
}

/// Keeps what tuning changed of a row that the transaction holds.
pub async fn retune(store: impl PgExecutor<'_>, mount: &Mount) -> sqlx::Result<()> {
    sqlx::query(
        "update leasehold_broker.mounts set description = $2, config = $3, options = $4, revision = revision + 1 \
         where mount_id = $1",
    )
    .bind(mount.mount_id)
    .bind(&mount.description)
    .bind(Json(&mount.config))
    .bind(mount.options.as_ref().map(Json))
    .execute(store)
    .await?;
    Ok(())
}

/// How long a broker may say nothing of a mount it is disabling or moving before another one takes it up.
pub const HOLD_SECONDS: i64 = 15;

/// Makes a mount serve nobody, for good. Waits for whoever holds the row `FOR SHARE` (an issue in its first transaction).
/// A move that is under way comes to nothing.
pub async fn taint(store: impl PgExecutor<'_>, mount_id: Uuid) -> sqlx::Result<()> {
    sqlx::query(
        "update leasehold_broker.mounts \
            set state = 'tainted', moving_to = null, migration_id = null, revision = revision + 1, \
                next_attempt_at = clock_timestamp() + $2 * interval '1 second' \
          where mount_id = $1 and state <> 'gone'",
    )
    .bind(mount_id)
    .bind(HOLD_SECONDS)
    .execute(store)
    .await?;
    Ok(())
}

/// The same until it has moved. False: it is being disabled or moved already, or is gone.
pub async fn taint_to_move(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    migration_id: Uuid,
    path: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "update leasehold_broker.mounts \
            set state = 'tainted', moving_to = $3, migration_id = $2, revision = revision + 1, \
                next_attempt_at = clock_timestamp() + $4 * interval '1 second' \
          where mount_id = $1 and state = 'active'",
    )
    .bind(mount_id)
    .bind(migration_id)
    .bind(path)
    .bind(HOLD_SECONDS)
    .execute(store)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Holds a mount in place for the transaction; false: it serves nobody any more.
pub async fn hold_active(store: impl PgExecutor<'_>, mount_id: Uuid) -> sqlx::Result<bool> {
    let held = sqlx::query(
        "select from leasehold_broker.mounts where mount_id = $1 and state = 'active' for share",
    )
    .bind(mount_id)
    .fetch_optional(store)
    .await?;
    Ok(held.is_some())
}

/// A broker is still at this one.
pub async fn hold(store: impl PgExecutor<'_>, mount_id: Uuid) -> sqlx::Result<()> {
    sqlx::query(
        "update leasehold_broker.mounts set next_attempt_at = clock_timestamp() + $2 * interval '1 second' \
          where mount_id = $1 and state = 'tainted'",
    )
    .bind(mount_id)
    .bind(HOLD_SECONDS)
    .execute(store)
    .await?;
    Ok(())
}

/// Takes up tainted mounts that no broker is at: each with where it goes, if it is being moved.
pub async fn take_abandoned(
    store: impl PgExecutor<'_>,
) -> sqlx::Result<Vec<(Mount, Option<(Uuid, String)>)>> {
    let rows = sqlx::query(
        "with abandoned as ( \
             select mount_id from leasehold_broker.mounts \
              where state = 'tainted' and (next_attempt_at is null or next_attempt_at <= clock_timestamp()) \
                for update skip locked) \
         update leasehold_broker.mounts m set next_attempt_at = clock_timestamp() + $1 * interval '1 second' \
           from abandoned where m.mount_id = abandoned.mount_id \
         returning m.mount_id, kind, path, type, accessor, description, config, options, local, seal_wrap, \
                   external_entropy_access, state, moving_to, migration_id",
    )
    .bind(HOLD_SECONDS)
    .fetch_all(store)
    .await?;
    rows.iter()
        .map(|row| {
            let migration_id: Option<Uuid> = row.try_get("migration_id")?;
            let moving_to: Option<String> = row.try_get("moving_to")?;
            Ok((from_row(row)?, migration_id.zip(moving_to)))
        })
        .collect()
}

/// Takes a mount out of its table; the row stays for those who still refer to it.
pub async fn finish(store: impl PgExecutor<'_>, mount_id: Uuid) -> sqlx::Result<()> {
    sqlx::query("update leasehold_broker.mounts set state = 'gone', revision = revision + 1 where mount_id = $1")
        .bind(mount_id)
        .execute(store)
        .await?;
    Ok(())
}

/// The path of a mount that one at this path would overlap with: the same, one above it, or one below it.
pub async fn overlapping(
    store: impl PgExecutor<'_>,
    kind: MountKind,
    path: &str,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "select path from leasehold_broker.mounts \
         where kind = $1 and state <> 'gone' and (starts_with($2, path) or starts_with(path, $2)) \
         order by path limit 1",
    )
    .bind(kind_word(kind))
    .bind(path)
    .fetch_optional(store)
    .await
}

/// Gives a move up: the mount serves again where it was.
pub async fn untaint(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    migration_id: Uuid,
) -> sqlx::Result<()> {
    sqlx::query(
        "update leasehold_broker.mounts \
            set state = 'active', moving_to = null, migration_id = null, next_attempt_at = null, revision = revision + 1 \
          where mount_id = $1 and migration_id = $2",
    )
    .bind(mount_id)
    .bind(migration_id)
    .execute(store)
    .await?;
    Ok(())
}

/// Puts a mount to its new path, where it serves. False: this move has been done or given up by others.
pub async fn relocate(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    migration_id: Uuid,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "update leasehold_broker.mounts \
            set path = moving_to, state = 'active', moving_to = null, migration_id = null, next_attempt_at = null, \
                revision = revision + 1 \
          where mount_id = $1 and migration_id = $2",
    )
    .bind(mount_id)
    .bind(migration_id)
    .execute(store)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Remembers a move that is done.
pub async fn note_move(
    store: impl PgExecutor<'_>,
    migration_id: Uuid,
    source: &str,
    target: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into leasehold_broker.remounts (migration_id, source, target) values ($1, $2, $3)",
    )
    .bind(migration_id)
    .bind(source)
    .bind(target)
    .execute(store)
    .await?;
    Ok(())
}

/// Full paths of a move that is under way: from where, to where.
pub async fn move_under_way(
    store: impl PgExecutor<'_>,
    migration_id: Uuid,
) -> sqlx::Result<Option<(String, String)>> {
    let row = sqlx::query(
        "select case kind when 'auth' then 'auth/' else '' end || path, \
                case kind when 'auth' then 'auth/' else '' end || moving_to \
           from leasehold_broker.mounts where migration_id = $1",
    )
    .bind(migration_id)
    .fetch_optional(store)
    .await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .transpose()
}

/// Source and target of a move that is done.
pub async fn noted_move(
    store: impl PgExecutor<'_>,
    migration_id: Uuid,
) -> sqlx::Result<Option<(String, String)>> {
    let row =
        sqlx::query("select source, target from leasehold_broker.remounts where migration_id = $1")
            .bind(migration_id)
            .fetch_optional(store)
            .await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .transpose()
}
