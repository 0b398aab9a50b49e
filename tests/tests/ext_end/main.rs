//! The end of a lease: on time, for every session, in every database, whatever the login does against it.

mod access;
mod cleaning;
mod estate;
mod marks;

use anyhow::{Context, Result};
use leasehold_tests::{Cluster, Options};
use sqlx::{AssertSqlSafe, PgConnection};

/// A cluster with a group that may read a table, in two databases, and a recipe for it.
fn cluster() -> Result<Cluster> {
    cluster_with(Options::default())
}

fn cluster_with(options: Options) -> Result<Cluster> {
    let cluster = Cluster::start(options)?;
    cluster.create_database("second")?;
    cluster.psql(
        "create role readers; create role bob;
         create table public.secret (x int); insert into public.secret values (42);
         grant select on public.secret to readers;
         grant create on schema public to readers;
         select leasehold.define_role('reader', member_of => '{readers}')",
    )?;
    cluster.psql_in(
        "second",
        "create table public.secret (x int); grant create on schema public to readers",
    )?;
    Ok(cluster)
}

async fn run(session: &mut PgConnection, text: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
        .execute(session)
        .await
        .with_context(|| text.to_owned())?;
    Ok(())
}
