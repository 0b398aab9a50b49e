//! vaultrs: its parts run one after another on one broker, like the other clients' programs.

use anyhow::{Context, Result};
use leasehold_tests::{Broker, DevOptions, wait_until};
use std::time::Duration;
use vaultrs::api::ResponseWrapper;
use vaultrs::api::database::requests::{
    GenerateCredentialsRequest, PostgreSQLConnectionRequest, SetRoleRequest,
};
use vaultrs::api::database::responses::GenerateCredentialsResponse;
use vaultrs::api::token::requests::{CreateTokenRequest, CreateTokenRequestBuilder};
use vaultrs::client::{VaultClient, VaultClientSettingsBuilder};
use vaultrs::error::ClientError;
use vaultrs::{database, sys, token};

#[tokio::test]
async fn vaultrs_does_all_four() -> Result<()> {
    let broker = Broker::dev(&DevOptions::default())?;
    guide(&broker).await?;
    let root = client(&broker, broker.root().token().unwrap_or_default())?;
    define(&broker, &root).await?;
    sys::policy::set(&root, "apps", APPS).await?;
    wrapping(&broker, &root).await?;
    token_tree(&broker, &root).await?;
    denial(&broker, &root).await
}

const APPS: &str = "path \"database/creds/readonly\" { capabilities = [\"read\"] }";

fn client(broker: &Broker, token: &str) -> Result<VaultClient> {
    let settings = VaultClientSettingsBuilder::default()
        .address(format!("http://{}", broker.address()))
        .token(token)
        .build()?;
    Ok(VaultClient::new(settings)?)
}

fn refused(error: ClientError, status: u16) {
    match error {
        ClientError::APIError { code, .. } => assert_eq!(code, status),
        other => panic!("{other}"),
    }
}

async fn guide(broker: &Broker) -> Result<()> {
    broker.psql("create table vaultrs_orders (id int); insert into vaultrs_orders values (1)")?;
    let root = client(broker, broker.root().token().unwrap_or_default())?;
    assert!(sys::health(&root).await?.initialized);

    let admin = client(broker, broker.admin()?.token().unwrap_or_default())?;
    define(broker, &admin).await?;
    let mounts = sys::mount::list(&root).await?;
    assert!(mounts.contains_key("database/"));

    sys::policy::set(&root, "apps", APPS).await?;
    assert_eq!(sys::policy::read(&root, "apps").await?.rules, APPS);
    let token = token::new(
        &admin,
        Some(CreateTokenRequest::builder().policies(vec!["apps".to_owned()])),
    )
    .await?;
    let app = client(broker, &token.client_token)?;

    let first = database::role::creds(&app, "database", "readonly").await?;
    let second = database::role::creds(&app, "database", "readonly").await?;
    assert_ne!(first.username, second.username);
    assert_eq!(
        broker.psql_as(
            &first.username,
            &first.password,
            "select count(*) from vaultrs_orders"
        )?,
        "1"
    );
    let write = broker.psql_as(
        &first.username,
        &first.password,
        "insert into vaultrs_orders values (2)",
    );
    assert!(write.is_err_and(|e| e.to_string().contains("permission denied")));
    let denied = database::role::read(&app, "database", "readonly").await;
    refused(denied.err().context("an app may not read the role")?, 403);

    assert_eq!(
        token::lookup_self(&app).await?.policies,
        ["apps", "default"]
    );
    token::revoke_self(&app).await?;
    let ended = database::role::creds(&app, "database", "readonly").await;
    refused(ended.err().context("an ended token reads nothing")?, 403);
    ends(broker, &second)?;
    sys::mount::disable(&admin, "database").await?;
    Ok(())
}

/// Mounts the engine at `database/` with a connection and the role `readonly`, and reads them back.
async fn define(broker: &Broker, admin: &VaultClient) -> Result<()> {
    sys::mount::enable(admin, "database", "database", None).await?;
    database::connection::postgres(
        admin,
        "database",
        "postgresql",
        Some(
            PostgreSQLConnectionRequest::builder()
                .plugin_name("postgresql-database-plugin")
                .allowed_roles(vec!["readonly".to_owned()])
                .connection_url(broker.connection_url())
                .username(broker.postgres("user"))
                .password(broker.postgres("password")),
        ),
    )
    .await?;
    let shown = database::connection::read(admin, "database", "postgresql").await?;
    assert_eq!(shown.allowed_roles, ["readonly"]);
    let statements = [
        "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' INHERIT;",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\";",
    ];
    database::role::set(
        admin,
        "database",
        "readonly",
        Some(
            SetRoleRequest::builder()
                .db_name("postgresql")
                .creation_statements(statements.map(str::to_owned).to_vec())
                .default_ttl("1h")
                .max_ttl("24h"),
        ),
    )
    .await?;
    assert_eq!(
        database::role::list(admin, "database").await?.keys,
        ["readonly"]
    );
    assert_eq!(
        database::role::read(admin, "database", "readonly")
            .await?
            .max_ttl,
        86_400
    );
    Ok(())
}

async fn credentials(by: &VaultClient) -> Result<GenerateCredentialsResponse, ClientError> {
    database::role::creds(by, "database", "readonly").await
}

fn logs_in(broker: &Broker, one: &GenerateCredentialsResponse) -> bool {
    broker
        .psql_as(&one.username, &one.password, "select 1")
        .is_ok()
}

/// A login ends soon: an answer says that its end is certain, and it follows within a second.
fn ends(broker: &Broker, one: &GenerateCredentialsResponse) -> Result<()> {
    wait_until(Duration::from_secs(10), "the login ends", || {
        Ok(!logs_in(broker, one))
    })
}

/// Response wrapping: an answer that whoever holds a token reads once.
async fn wrapping(broker: &Broker, root: &VaultClient) -> Result<()> {
    let request = GenerateCredentialsRequest::builder()
        .mount("database")
        .name("readonly")
        .build()?;
    let wrapped = request.wrap(root).await?;
    assert_eq!(wrapped.info.ttl, 600);
    let told = wrapped.lookup(root).await?;
    assert_eq!(told.creation_path, "database/creds/readonly");
    assert!(logs_in(broker, &wrapped.unwrap(root).await?));
    let again = wrapped.unwrap(root).await;
    refused(again.err().context("unwrapped twice")?, 400);
    match wrapped.lookup(root).await {
        Err(ClientError::WrapInvalidError) => Ok(()),
        other => panic!("a used wrapping token: {other:?}"),
    }
}

/// Somebody with a new token, made by another.
async fn holder(
    broker: &Broker,
    by: &VaultClient,
    policies: &[&str],
    options: fn(&mut CreateTokenRequestBuilder) -> &mut CreateTokenRequestBuilder,
) -> Result<VaultClient> {
    let mut request = CreateTokenRequest::builder();
    request.policies(policies.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>());
    options(&mut request);
    let made = token::new(by, Some(&mut request)).await?;
    client(broker, &made.client_token)
}

/// The token tree: a child ends with its parent, and its leases with it; an orphan lives on.
async fn token_tree(broker: &Broker, root: &VaultClient) -> Result<()> {
    let may_create = "path \"auth/token/create\" { capabilities = [\"update\", \"sudo\"] }";
    sys::policy::set(root, "parent", may_create).await?;
    let parent = holder(broker, root, &["parent", "apps"], |r| r.ttl("1h")).await?;
    let child = holder(broker, &parent, &["apps"], |r| r).await?;
    let orphan = holder(broker, &parent, &["apps"], |r| r.no_parent(true)).await?;
    let between = holder(broker, &parent, &["parent", "apps"], |r| r).await?;
    let grandchild = holder(broker, &between, &["apps"], |r| r).await?;
    assert!(token::lookup_self(&orphan).await?.orphan);
    assert!(!token::lookup_self(&child).await?.orphan);
    let leases = [
        credentials(&child).await?,
        credentials(&grandchild).await?,
        credentials(&orphan).await?,
    ];
    assert!(leases.iter().all(|one| logs_in(broker, one)));

    token::revoke_self(&parent).await?;
    for who in [&parent, &child, &between, &grandchild] {
        let ended = token::lookup_self(who).await;
        refused(ended.err().context("an ended token looks itself up")?, 403);
    }
    assert_eq!(
        token::lookup_self(&orphan).await?.policies,
        ["apps", "default"]
    );
    ends(broker, &leases[0])?;
    ends(broker, &leases[1])?;
    assert!(logs_in(broker, &leases[2]));
    Ok(())
}

/// What no policy grants is refused, `deny` wins, and a change counts at the next request.
async fn denial(broker: &Broker, root: &VaultClient) -> Result<()> {
    let app = holder(broker, root, &["apps"], |r| r).await?;
    let role = database::role::read(&app, "database", "readonly").await;
    refused(role.err().context("an app reads the role")?, 403);
    let other = database::role::creds(&app, "database", "other").await;
    refused(other.err().context("an app reads other credentials")?, 403);
    let mounts = sys::mount::list(&app).await;
    refused(mounts.err().context("an app lists the mounts")?, 403);
    let made = token::new(&app, None).await;
    refused(made.err().context("an app makes a token")?, 403);
    let nobody = client(broker, "hvs.nobody")?;
    refused(
        credentials(&nobody).await.err().context("nobody reads")?,
        403,
    );

    let deny = "path \"database/creds/readonly\" { capabilities = [\"deny\"] }";
    sys::policy::set(root, "stop", deny).await?;
    let both = holder(broker, root, &["apps", "stop"], |r| r).await?;
    refused(credentials(&both).await.err().context("deny wins")?, 403);
    sys::policy::delete(root, "stop").await?;
    credentials(&both).await?;
    sys::policy::set(
        root,
        "apps",
        "path \"nothing\" { capabilities = [\"read\"] }",
    )
    .await?;
    refused(
        credentials(&app).await.err().context("a changed policy")?,
        403,
    );
    Ok(())
}
