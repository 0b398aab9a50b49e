//! Clients of others, unmodified, run the guide: hvac (Python) and vaultrs (Rust).
//!
//! A client whose language is not on the machine, or whose packages `cargo xtask test` has not been able to install,
//! is left out with a message.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Broker, DevOptions, built};
use std::process::Command;
use vaultrs::api::database::requests::{PostgreSQLConnectionRequest, SetRoleRequest};
use vaultrs::api::token::requests::CreateTokenRequest;
use vaultrs::client::{VaultClient, VaultClientSettingsBuilder};
use vaultrs::error::ClientError;

#[test]
fn hvac_runs_the_guide() -> Result<()> {
    let python = built::top().join("tests/.venv/bin/python");
    if !python.exists() {
        println!(
            "left out: no Python environment at tests/.venv (cargo xtask test makes it where python3 is)"
        );
        return Ok(());
    }
    let broker = Broker::dev(&DevOptions::default())?;
    let output = Command::new(python)
        .arg(built::top().join("tests/clients/python/guide.py"))
        .env("VAULT_ADDR", format!("http://{}", broker.address()))
        .env("ROOT_TOKEN", broker.root().token().unwrap_or_default())
        .env("PG_HOST", broker.postgres("host"))
        .env("PG_PORT", broker.postgres("port"))
        .env("PG_USER", broker.postgres("user"))
        .env("PG_PASSWORD", broker.postgres("password"))
        .output()
        .context("running the guide with hvac")?;
    ensure!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

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

#[tokio::test]
async fn vaultrs_runs_the_guide() -> Result<()> {
    let broker = Broker::dev(&DevOptions::default())?;
    broker.psql("create table vaultrs_orders (id int); insert into vaultrs_orders values (1)")?;
    let root = client(&broker, broker.root().token().unwrap_or_default())?;
    assert!(vaultrs::sys::health(&root).await?.initialized);

    let admin = client(&broker, broker.admin()?.token().unwrap_or_default())?;
    vaultrs::sys::mount::enable(&admin, "database", "database", None).await?;
    assert!(
        vaultrs::sys::mount::list(&root)
            .await?
            .contains_key("database/")
    );
    vaultrs::database::connection::postgres(
        &admin,
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
    let shown = vaultrs::database::connection::read(&admin, "database", "postgresql").await?;
    assert_eq!(shown.allowed_roles, ["readonly"]);
    let statements = [
        "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' INHERIT;",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\";",
    ];
    vaultrs::database::role::set(
        &admin,
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
        vaultrs::database::role::list(&admin, "database")
            .await?
            .keys,
        ["readonly"]
    );
    assert_eq!(
        vaultrs::database::role::read(&admin, "database", "readonly")
            .await?
            .max_ttl,
        86_400
    );

    let apps = "path \"database/creds/readonly\" { capabilities = [\"read\"] }";
    vaultrs::sys::policy::set(&root, "apps", apps).await?;
    assert_eq!(vaultrs::sys::policy::read(&root, "apps").await?.rules, apps);
    let token = vaultrs::token::new(
        &admin,
        Some(CreateTokenRequest::builder().policies(vec!["apps".to_owned()])),
    )
    .await?;
    let app = client(&broker, &token.client_token)?;

    let first = vaultrs::database::role::creds(&app, "database", "readonly").await?;
    let second = vaultrs::database::role::creds(&app, "database", "readonly").await?;
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
    let denied = vaultrs::database::role::read(&app, "database", "readonly").await;
    refused(denied.err().context("an app may not read the role")?, 403);

    assert_eq!(
        vaultrs::token::lookup_self(&app).await?.policies,
        ["apps", "default"]
    );
    vaultrs::token::revoke_self(&app).await?;
    let ended = vaultrs::database::role::creds(&app, "database", "readonly").await;
    refused(ended.err().context("an ended token reads nothing")?, 403);
    assert!(
        broker
            .psql_as(&second.username, &second.password, "select 1")
            .is_err(),
        "leases end with their token"
    );
    vaultrs::sys::mount::disable(&admin, "database").await?;
    Ok(())
}
