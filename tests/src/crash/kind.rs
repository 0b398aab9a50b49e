//! Ways to die, and one cycle of the crash test.

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use std::fmt;
use std::time::Duration;

use super::judge::{in_time, judge};
use super::ledger::Share;
use super::load::Load;
use super::world::World;
use crate::Cluster;

/// How many clients work during a cycle.
const CLIENTS: usize = 4;
/// Longer than a lease lasts at first.
const RENEWED_FOR: Duration = Duration::from_secs(5_400);

/// What dies, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SIGKILL of the broker.
    Broker,
    /// `pg_ctl -m immediate stop`.
    Immediate,
    /// SIGKILL of one process of the server: it ends all others and recovers.
    Backend,
    /// SIGKILL of the postmaster: the others end by themselves, some after they have done what they were at.
    Postmaster,
    /// The broker and PostgreSQL at once.
    Everything,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [
        Kind::Broker,
        Kind::Immediate,
        Kind::Backend,
        Kind::Postmaster,
        Kind::Everything,
    ];
    /// Those of PostgreSQL.
    pub const OF_POSTGRESQL: [Kind; 3] = [Kind::Immediate, Kind::Backend, Kind::Postmaster];
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Kind::Broker => "broker killed",
            Kind::Immediate => "PostgreSQL stopped at once",
            Kind::Backend => "process of PostgreSQL killed",
            Kind::Postmaster => "postmaster killed",
            Kind::Everything => "broker and PostgreSQL killed",
        })
    }
}

/// `count` ways to die in random order, each as often as any other, give or take one.
pub fn deck(count: usize, rng: &mut StdRng) -> Vec<Kind> {
    let mut all: Vec<Kind> = Kind::ALL.into_iter().cycle().take(count).collect();
    all.shuffle(rng);
    all
}

/// Lets a cluster die and brings it back.
pub fn crash_cluster(cluster: &Cluster, kind: Kind) -> Result<()> {
    match kind {
        Kind::Immediate => cluster.crash(),
        Kind::Postmaster | Kind::Everything => {
            cluster.kill_postmaster()?;
            cluster.start_again()
        }
        Kind::Backend => {
            let pid = cluster.psql(
                "select pid from pg_stat_activity where pid <> pg_backend_pid() and backend_type not in ('logger') \
                  order by backend_type <> 'client backend', random() limit 1",
            )?;
            cluster.kill_process(pid.parse().context("a process of the server")?)
        }
        Kind::Broker => Ok(()),
    }
}

/// One crash during concurrent work, and the judgement of what is left.
pub struct Cycle<'a> {
    /// What crashes.
    pub world: &'a mut World,
    /// What clients were told, in all cycles.
    pub ledger: &'a Share,
    /// Moments and choices come from it.
    pub seed: u64,
}

impl Cycle<'_> {
    /// Works, crashes, comes back, works again, judges. What happened, in a line.
    pub fn run(self, kind: Kind) -> Result<String> {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let roots = (0..CLIENTS).map(|_| self.world.root()).collect();
        let load = Load::start(
            roots,
            self.ledger,
            self.seed,
            Duration::from_millis(2),
            RENEWED_FOR,
        );
        std::thread::sleep(Duration::from_millis(rng.random_range(100..700)));
        let World {
            broker,
            target,
            store,
            ..
        } = self.world;
        // Store and target die together or apart.
        let (died, whose) = match store {
            Some(_) if rng.random() => (&*target, " (target)"),
            Some(store) => (&*store, " (store)"),
            None => (&*target, ""),
        };
        let broker_dies = matches!(kind, Kind::Broker | Kind::Everything);
        if broker_dies {
            broker.kill()?;
        }
        crash_cluster(died, kind)?;
        if broker_dies {
            broker.start_again()?;
        }
        load.stop()?;
        broker.until_serving()?;
        let what = match kind {
            Kind::Broker => kind.to_string(),
            _ => format!("{kind}{whose}"),
        };
        // Asked once more with everything up: it must be served again.
        in_time("an issue after the crash", || {
            Ok(self.world.root().get("database/creds/member")?.status == 200)
        })
        .with_context(|| what.clone())?;
        let ledger = self.ledger.open();
        judge(self.world, &ledger, self.seed).with_context(|| format!("after {what}"))?;
        Ok(format!(
            "{what}; {} issued, {} renewed, {} ended",
            ledger.issued, ledger.renewed, ledger.ended
        ))
    }
}
