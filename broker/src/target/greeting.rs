//! What a connection has to show before a pool uses it: that it leads to the right installation, which can be written to, and
//! that this login may act there. Where it can not, whoever waits for the pool is told at once, as the pool itself only tries again.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::PgConnection;
use tokio::sync::watch;
use uuid::Uuid;

use super::verify::lost_label;
use super::{Scope, TargetError};

/// Iterations of PostgreSQL's own verifiers unless `scram_iterations` says otherwise.
const ITERATIONS: u32 = 4_096;

/// The greetings of one pool.
pub(super) struct Greetings {
    target_id: Uuid,
    scope: Scope,
    /// For messages, without secrets.
    address: String,
    iterations: AtomicU32,
    refused: watch::Sender<Option<TargetError>>,
}

impl Greetings {
    pub(super) fn new(target_id: Uuid, scope: Scope, address: String) -> Self {
        Greetings {
            target_id,
            scope,
            address,
            iterations: AtomicU32::new(ITERATIONS),
            refused: watch::Sender::new(None),
        }
    }

    /// Iterations of the server's own verifiers, as the last connection told.
    pub(super) fn iterations(&self) -> u32 {
        self.iterations.load(Ordering::Relaxed)
    }

    /// Greets over a new connection; an error keeps it out of the pool.
    pub(super) async fn greet(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        match self.ask(connection).await {
            Ok(iterations) => {
                self.iterations.store(iterations, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                let told = sqlx::Error::Configuration(error.to_string().into());
                if let Some(refusal) = refusal(&self.address, error) {
                    self.refused.send_replace(Some(refusal));
                }
                Err(told)
            }
        }
    }

    /// The first refusal from now on; does not end while there is none.
    pub(super) fn next_refusal(&self) -> impl Future<Output = TargetError> + use<> {
        let mut news = self.refused.subscribe();
        async move {
            while news.changed().await.is_ok() {
                if let Some(refusal) = news.borrow_and_update().clone() {
                    return refusal;
                }
            }
            std::future::pending().await
        }
    }

    /// Checks the place, shows the key; gives back the server's iteration count.
    async fn ask(&self, connection: &mut PgConnection) -> Result<u32, TargetError> {
        let (standby, found, iterations): (bool, Option<Uuid>, i32) = sqlx::query_as(
            "select pg_catalog.pg_is_in_recovery(), installation, \
                    coalesce(current_setting('scram_iterations', true)::int, 4096) from leasehold.installation()",
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(TargetError::of_call)?;
        if standby {
            return Err(read_only(&self.address, "it is a standby"));
        }
        match found {
            Some(found) if found == self.target_id => {}
            Some(_) => {
                return Err(TargetError::Unfit(
                    "this address leads to another installation of the extension than the one the configuration was verified \
                     with; write the configuration again if that is meant"
                        .into(),
                ));
            }
            None => return Err(lost_label(&self.target_id.to_string())),
        }
        register(connection, &self.scope, self.target_id)
            .await
            .map_err(TargetError::of_call)?;
        Ok(u32::try_from(iterations)
            .unwrap_or(ITERATIONS)
            .max(ITERATIONS))
    }
}

/// Makes this connection's login one of the scope's.
pub(super) async fn register(
    connection: &mut PgConnection,
    scope: &Scope,
    installation: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query("select leasehold.register_scope($1, $2)")
        .bind(scope.name())
        .bind(scope.key_at(installation).expose())
        .execute(connection)
        .await
        .map(drop)
}

/// What a failed greeting says to those who wait for a connection. None: the next try may go well, and the pool makes it.
fn refusal(address: &str, error: TargetError) -> Option<TargetError> {
    match error {
        TargetError::Sql { sqlstate, message } if sqlstate == "25006" => {
            Some(read_only(address, &message))
        }
        error if error.may_pass() => None,
        TargetError::Unknown(_) => None,
        TargetError::Refused { message, .. } => Some(TargetError::Unfit(message)),
        TargetError::Sql { sqlstate, message } => Some(match sqlstate.as_str() {
            // No such schema, or none of its functions.
            "3F000" | "42883" => TargetError::Unfit(format!(
                "the extension is not in the database of {address}, or is an older one; as a superuser, run there: \
                 CREATE EXTENSION leasehold; or ALTER EXTENSION leasehold UPDATE; ({message})"
            )),
            _ => TargetError::Unfit(format!("{message} (SQLSTATE {sqlstate})")),
        }),
        told @ (TargetError::Unreachable { .. } | TargetError::Unfit(_)) => Some(told),
    }
}

/// The primary is elsewhere, or will be here soon.
fn read_only(address: &str, why: &str) -> TargetError {
    TargetError::Unreachable {
        address: address.to_owned(),
        why: format!("that server takes no writes: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::secret::Password;
    use crate::target::Refusal;

    fn sql(sqlstate: &str) -> TargetError {
        TargetError::Sql {
            sqlstate: sqlstate.into(),
            message: "as the server says it".into(),
        }
    }

    #[test]
    fn a_refusal_is_told_unless_it_may_pass() {
        let check = |error: TargetError, expect: &str| {
            let got = match refusal("`host=h`", error.clone()) {
                None => "none".to_owned(),
                Some(TargetError::Unfit(why)) => format!("unfit: {why}"),
                Some(TargetError::Unreachable { address, why }) => format!("{address}: {why}"),
                Some(other) => format!("{other:?}"),
            };
            assert!(got.starts_with(expect), "{error:?}: {got}");
        };
        for passing in ["40P01", "53300", "55P03", "57014"] {
            check(sql(passing), "none");
        }
        check(TargetError::Unknown("the wire broke".into()), "none");
        check(sql("25006"), "`host=h`: that server takes no writes");
        check(sql("3F000"), "unfit: the extension is not in the database");
        check(sql("42883"), "unfit: the extension is not in the database");
        check(
            sql("42501"),
            "unfit: as the server says it (SQLSTATE 42501)",
        );
        let refused = TargetError::Refused {
            refusal: Refusal::NotAllowed,
            message: "that is not the key".into(),
        };
        check(refused, "unfit: that is not the key");
        check(TargetError::Unfit("why".into()), "unfit: why");
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_the_next_refusal_only() {
        let scope = Scope::new("store".into(), Password::new("secret"));
        let greetings = Greetings::new(Uuid::nil(), scope, "`host=h`".into());
        let refuse = |why: &str| {
            let refusal = TargetError::Unfit(why.into());
            greetings.refused.send_replace(Some(refusal));
        };
        refuse("earlier");
        let next = greetings.next_refusal();
        tokio::pin!(next);
        let early = tokio::time::timeout(Duration::from_millis(1), &mut next).await;
        assert!(early.is_err(), "{early:?}");
        refuse("now");
        assert_eq!(next.await.to_string(), "now");
    }
}
