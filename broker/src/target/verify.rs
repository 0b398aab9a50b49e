//! Is this server fit to be a target? Asked when a configuration is written, answered with the SQL that would make it so.

use sqlx::PgConnection;
use uuid::Uuid;

use super::connect::{door, single};
use super::greeting::register;
use super::{ConnectionDetails, Scope, TargetError};

/// The seam this broker speaks.
const API_VERSION: i32 = 1;

/// What verification found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The uuid of the extension's installation.
    pub target_id: Uuid,
    /// Of the cluster, to notice clones.
    pub system_identifier: String,
    /// Of the database, likewise.
    pub database_oid: i64,
}

impl Verified {
    /// What to say of one whose installation is another server's already.
    pub fn as_copy(&self) -> TargetError {
        unfit(format!(
            "other connections lead to another server or database with the same installation of the extension, {}. If this is a \
             copy of that one, give it one of its own; as a superuser, run: SECURITY LABEL FOR leasehold ON DATABASE … IS \
             'another uuid'; if it has taken its place, write those connections so that they lead here too, with \
             verify_connection=false, or delete them, and write this one again",
            self.target_id
        ))
    }
}

/// Connects, and checks that the extension is there, enforces, speaks our version, and lets this login act; makes the
/// login one of the scope's.
pub async fn verify(details: &ConnectionDetails, scope: &Scope) -> Result<Verified, TargetError> {
    let door = door(details)?;
    let mut connection = single(&door, details).await?;
    let found = check(&mut connection, scope).await;
    // Nothing depends on how this connection ends.
    drop(connection);
    found
}

async fn check(connection: &mut PgConnection, scope: &Scope) -> Result<Verified, TargetError> {
    let facts: (String, bool, bool, bool) = sqlx::query_as(
        "select current_database()::text, \
                exists (select from pg_catalog.pg_extension where extname = 'leasehold'), \
                (select rolsuper from pg_catalog.pg_roles where rolname = current_user), \
                pg_catalog.pg_is_in_recovery()",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(TargetError::of_call)?;
    let (database, installed, superuser, standby) = facts;
    if standby {
        return Err(unfit(
            "this server is a standby; point connection_url at the primary",
        ));
    }
    if !installed {
        return Err(unfit(format!(
            "the extension is not in database \"{database}\"; as a superuser, run there: CREATE EXTENSION leasehold;"
        )));
    }
    rights(connection, superuser).await?;
    let version: i32 = one(connection, "select leasehold.api_version()").await?;
    if version != API_VERSION {
        return Err(unfit(format!(
            "the extension speaks version {version} of its interface, this broker version {API_VERSION}; \
             run: ALTER EXTENSION leasehold UPDATE; or use a broker of the same release"
        )));
    }
    let (preloaded,): (bool,) = sqlx::query_as("select preloaded from leasehold.heartbeat()")
        .fetch_one(&mut *connection)
        .await
        .map_err(TargetError::of_call)?;
    if !preloaded {
        return Err(unfit(
            "nobody would end the logins: the server has not loaded the extension's workers; as a superuser, run: \
             ALTER SYSTEM SET shared_preload_libraries = 'leasehold'; (beside what is in it already), then restart the server",
        ));
    }
    let (installation, system_identifier, database_oid): (Option<Uuid>, String, i64) = sqlx::query_as(
        "select installation, system_identifier::text, database_oid::bigint from leasehold.installation()",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(TargetError::of_call)?;
    let target_id = installation.ok_or_else(|| lost_label("the id of its installation"))?;
    register(connection, scope, target_id)
        .await
        .map_err(TargetError::of_call)?;
    Ok(Verified {
        target_id,
        system_identifier,
        database_oid,
    })
}

/// Without its label a database has no installation: nobody enforces there, and no broker knows it.
pub(super) fn lost_label(installation: &str) -> TargetError {
    unfit(format!(
        "the database has lost its label; put it back, as a superuser, run there: SECURITY LABEL FOR leasehold ON DATABASE … IS \
         '{installation}';"
    ))
}

/// A superuser may everything; any other login needs to be an issuer. Whether it may define recipes shows when it does:
/// without that right it can still issue what was defined for it in SQL.
async fn rights(connection: &mut PgConnection, superuser: bool) -> Result<(), TargetError> {
    if superuser {
        return Ok(());
    }
    let (login, issuer): (String, bool) = sqlx::query_as(
        "select quote_ident(current_user), pg_has_role(current_user, 'leasehold_issuer', 'USAGE')",
    )
    .fetch_one(connection)
    .await
    .map_err(TargetError::of_call)?;
    if issuer {
        return Ok(());
    }
    Err(unfit(format!(
        "{login} lacks rights on the extension; as a superuser, run: GRANT leasehold_issuer, leasehold_definer TO {login};"
    )))
}

async fn one(connection: &mut PgConnection, query: &'static str) -> Result<i32, TargetError> {
    sqlx::query_scalar(query)
        .fetch_one(connection)
        .await
        .map_err(TargetError::of_call)
}

fn unfit(text: impl Into<String>) -> TargetError {
    TargetError::Unfit(text.into())
}
