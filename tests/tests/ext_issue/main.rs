//! Issue, settle, renew and revoke from `psql`: what the verbs give, refuse and remember.

mod login;
mod many;
mod owner;
mod request;
mod time;

use anyhow::Result;
use leasehold_tests::{Cluster, Options};

/// The verifier of the password "pencil".
const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

fn prepared(options: Options) -> Result<Cluster> {
    let cluster = Cluster::start(options)?;
    cluster.psql(
        "create table secret (n int); insert into secret values (42);
         create role readers nologin; grant select on secret to readers;
         select leasehold.define_role('r', member_of => '{readers}')",
    )?;
    Ok(cluster)
}

/// Everything the server knows of logins we made, for comparing before and after.
const LOGINS: &str =
    "select count(*) from pg_shseclabel where provider = 'leasehold' and label like '%/%'";
