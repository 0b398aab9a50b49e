//! Where the time of a load goes inside PostgreSQL: statement by statement, those that functions run included.

use anyhow::Result;
use leasehold_tests::{Cluster, Options};

/// The server's settings for it.
pub fn count_in(options: Options) -> Options {
    options
        .set("shared_preload_libraries", "leasehold, pg_stat_statements")
        .set("pg_stat_statements.track", "all")
        .set("pg_stat_statements.track_planning", "on")
}

/// Once for a cluster.
pub fn create(cluster: &Cluster) -> Result<()> {
    cluster
        .psql("create extension pg_stat_statements")
        .map(drop)
}

/// Begins to count anew.
pub fn reset(cluster: &Cluster) -> Result<()> {
    cluster.psql("select pg_stat_statements_reset()").map(drop)
}

/// The dearest since then, in microseconds for each of `steps` steps.
pub fn top(cluster: &Cluster, steps: usize) -> Result<String> {
    let header = "database | top level | calls | planning us a step | running us a step | rows | us a call | statement\n";
    let rows = cluster.psql(&format!(
        "select d.datname, toplevel, calls, round(total_plan_time * 1000 / {steps}), round(total_exec_time * 1000 / {steps}), \
                rows, round(total_exec_time * 1000 / greatest(calls, 1)), left(regexp_replace(query, '\\s+', ' ', 'g'), 120) \
           from pg_stat_statements s join pg_database d on d.oid = s.dbid \
          order by total_plan_time + total_exec_time desc limit 30",
        steps = steps.max(1),
    ))?;
    Ok(format!("{header}{rows}"))
}
