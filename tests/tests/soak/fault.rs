//! What goes wrong, and what people do, in a soak.

use anyhow::{Context, Result, ensure};
use leasehold_tests::crash::{Client, Kind, Share, Stand, World, crash_cluster, in_time};
use leasehold_tests::{Cluster, Served, Stop};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::{IteratorRandom, SliceRandom};
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A mount that comes and goes.
pub const SCRATCH: &str = "scratch";

/// A lease's session is gone that long after its end, and some: this machine does other things as well.
const SESSION_ENDS_WITHIN: Duration = Duration::from_secs(4);

/// Where it happens.
pub struct Field {
    /// The clusters, and the broker that is killed.
    pub world: World,
    /// The broker that never is: its memory must stay flat.
    pub other: Served,
    /// What clients were told.
    pub ledger: Share,
}

/// One of the things that happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL of a broker; the other serves on.
    BrokerKilled,
    /// A broker stands still for some seconds.
    BrokerStopped,
    /// The store's server dies.
    StoreCrash,
    /// The target's server dies.
    TargetCrash,
    /// The target is down for 5 to 20 s.
    TargetDown,
    /// The same, and a mount is disabled meanwhile.
    MountEndsWhileTargetDown,
    /// The same, and a token with leases ends meanwhile.
    TokenEndsWhileTargetDown,
    /// Sessions of the brokers are ended by an administrator, on both sides.
    SessionsTerminated,
    /// The extension's workers are ended.
    WorkersTerminated,
    /// Clients ask and go away.
    ClientsLeave,
    /// Somebody revokes in SQL.
    RevokedInSql,
    /// A token with leases ends.
    TokenEnds,
    /// Everything under one role's path is revoked.
    PrefixRevoked,
    /// A mount with leases is disabled, and made again.
    MountEnds,
    /// A session stays open past its lease's end.
    SessionStays,
}

const ALL: [Fault; 15] = [
    Fault::BrokerKilled,
    Fault::BrokerStopped,
    Fault::StoreCrash,
    Fault::TargetCrash,
    Fault::TargetDown,
    Fault::MountEndsWhileTargetDown,
    Fault::TokenEndsWhileTargetDown,
    Fault::SessionsTerminated,
    Fault::WorkersTerminated,
    Fault::ClientsLeave,
    Fault::RevokedInSql,
    Fault::TokenEnds,
    Fault::PrefixRevoked,
    Fault::MountEnds,
    Fault::SessionStays,
];

/// All of them in random order; for a short run without the long ones.
pub fn shuffled(rng: &mut StdRng, length: Duration) -> Vec<Fault> {
    let long = [Fault::TargetDown, Fault::TokenEndsWhileTargetDown];
    let short_run = length < Duration::from_secs(60);
    let mut all: Vec<Fault> = ALL
        .into_iter()
        .filter(|fault| !short_run || !long.contains(fault))
        .collect();
    all.shuffle(rng);
    all
}

impl Fault {
    /// Lets it happen; everything is up again when this returns.
    pub fn happen(self, field: &mut Field, rng: &mut StdRng) -> Result<()> {
        match self {
            Fault::BrokerKilled => {
                field.world.broker.kill()?;
                std::thread::sleep(Duration::from_millis(rng.random_range(0..2_000)));
                field.world.broker.start_again()
            }
            Fault::BrokerStopped => {
                let who = if rng.random() {
                    &field.other
                } else {
                    &field.world.broker
                };
                let pid = who.pid().context("a running broker")?;
                signal("STOP", pid)?;
                std::thread::sleep(Duration::from_millis(rng.random_range(500..4_000)));
                signal("CONT", pid)
            }
            Fault::StoreCrash => {
                let store = field.world.store.as_ref().context("a store of its own")?;
                crash_cluster(store, any_crash(rng)?)
            }
            Fault::TargetCrash => crash_cluster(&field.world.target, any_crash(rng)?),
            Fault::TargetDown => field.while_down(rng, |_| Ok(())),
            Fault::MountEndsWhileTargetDown => {
                let leases = field.fill_scratch(rng)?;
                field.while_down(rng, |field| field.end_scratch(&leases))?;
                field.scratch_again()
            }
            Fault::TokenEndsWhileTargetDown => {
                let holder = field.client(rng).child()?;
                let leases = fill(&holder, "database/creds/member", rng)?;
                field.while_down(rng, |field| field.client_less(&holder, &leases))
            }
            Fault::SessionsTerminated => {
                let how = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                            where backend_type = 'client backend' and pid <> pg_backend_pid() and random() < 0.7";
                field.world.target.psql(how)?;
                field.world.psql_store(how).map(drop)
            }
            Fault::WorkersTerminated => {
                let how = "select count(pg_terminate_backend(pid)) from pg_stat_activity where backend_type like 'leasehold%'";
                field.world.target.psql(how).map(drop)
            }
            Fault::ClientsLeave => field.clients_leave(rng),
            Fault::RevokedInSql => field.revoke_in_sql(rng),
            Fault::TokenEnds => {
                let count = rng.random_range(5..30);
                field
                    .client(rng)
                    .issue_and_end_token("database/creds/member", count)
            }
            Fault::PrefixRevoked => field.revoke_prefix(rng),
            Fault::MountEnds => {
                let leases = field.fill_scratch(rng)?;
                field.end_scratch(&leases)?;
                field.scratch_again()
            }
            Fault::SessionStays => field.session_stays(rng),
        }
    }
}

fn any_crash(rng: &mut StdRng) -> Result<Kind> {
    Kind::OF_POSTGRESQL
        .into_iter()
        .choose(rng)
        .context("a kind")
}

/// Issues some leases of one path.
fn fill(client: &Client, path: &str, rng: &mut StdRng) -> Result<Vec<String>> {
    (0..rng.random_range(3..15))
        .map(|_| client.issue(path))
        .collect()
}

fn signal(name: &str, pid: u32) -> Result<()> {
    let status = std::process::Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()?;
    ensure!(status.success(), "kill -s {name} {pid}: {status}");
    Ok(())
}

impl Field {
    /// Both brokers serve, and issue from the target.
    pub fn until_serving(&mut self) -> Result<()> {
        self.world.broker.until_serving()?;
        self.other.until_serving()?;
        for root in [self.world.root(), self.other.root()] {
            in_time("both brokers issue", || {
                Ok(root
                    .get("database/creds/brief")
                    .is_ok_and(|answer| answer.status == 200))
            })?;
        }
        Ok(())
    }

    /// Root, at either broker.
    fn client(&self, rng: &mut StdRng) -> Client {
        let root = if rng.random() {
            self.world.root()
        } else {
            self.other.root()
        };
        Client::new(root, &self.ledger)
    }

    fn while_down(
        &mut self,
        rng: &mut StdRng,
        what: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let until = Instant::now() + Duration::from_millis(rng.random_range(5_000..20_000));
        self.world.target.stop(Stop::Fast)?;
        let done = what(self);
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        self.world.target.start_again()?;
        done
    }

    fn client_less(&self, holder: &Client, leases: &[String]) -> Result<()> {
        holder.ending(leases, || holder.end_token())
    }

    fn fill_scratch(&self, rng: &mut StdRng) -> Result<Vec<String>> {
        fill(&self.client(rng), &format!("{SCRATCH}/creds/member"), rng)
    }

    fn end_scratch(&self, leases: &[String]) -> Result<()> {
        let root = self.other.root();
        Client::new(root.clone(), &self.ledger).ending(leases, || {
            root.delete(&format!("sys/mounts/{SCRATCH}"))?.expect(204)
        })
    }

    fn scratch_again(&self) -> Result<()> {
        in_time("the target takes connections again", || {
            Ok(self.world.target.psql("select 1").is_ok())
        })?;
        self.world.mount(SCRATCH)
    }

    /// What they asked for is made or not; either way nobody holds it.
    fn clients_leave(&self, rng: &mut StdRng) -> Result<()> {
        for number in 0..10 {
            let broker = if number % 2 == 0 {
                &self.world.broker
            } else {
                &self.other
            };
            let mut stream = TcpStream::connect(broker.address())?;
            write!(
                stream,
                "GET /v1/database/creds/member HTTP/1.1\r\nHost: a\r\nX-Vault-Token: {}\r\n\r\n",
                broker.root_token()
            )?;
            std::thread::sleep(Duration::from_micros(rng.random_range(0..8_000)));
        }
        Ok(())
    }

    fn revoke_in_sql(&self, rng: &mut StdRng) -> Result<()> {
        let leases: Vec<String> = {
            let ledger = self.ledger.open();
            let live = ledger
                .leases
                .iter()
                .filter(|(_, entry)| entry.stand == Stand::Live);
            live.map(|(lease, _)| lease.clone()).sample(rng, 5)
        };
        Client::new(self.world.root(), &self.ledger).ending(&leases, || {
            for lease in &leases {
                self.world
                    .target
                    .psql(&format!("select leasehold.revoke('{lease}')"))?;
            }
            Ok(())
        })
    }

    fn revoke_prefix(&self, rng: &mut StdRng) -> Result<()> {
        let prefix = "database/creds/granted";
        let root = self.other.root();
        let client = self.client(rng);
        fill(&client, prefix, rng)?;
        let below: Vec<String> = {
            let ledger = self.ledger.open();
            let live = ledger
                .leases
                .iter()
                .filter(|(_, entry)| entry.stand == Stand::Live);
            live.map(|(lease, _)| lease.clone())
                .filter(|lease| lease.starts_with(prefix))
                .collect()
        };
        client.ending(&below, || {
            root.put(&format!("sys/leases/revoke-prefix/{prefix}"), json!({}))?
                .expect(204)
        })
    }

    /// Somebody logs in with a lease of two seconds and does not leave.
    fn session_stays(&self, rng: &mut StdRng) -> Result<()> {
        let lease = self.client(rng).issue("database/creds/brief")?;
        let entry = self
            .ledger
            .open()
            .leases
            .get(&lease)
            .cloned()
            .context("just issued")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut session = self
                .world
                .target
                .log_in(&entry.login, &entry.password)
                .await?;
            let stay = sqlx::query("select pg_sleep(60)").execute(&mut session);
            let most = Duration::from_secs(2) + SESSION_ENDS_WITHIN;
            let ended = tokio::time::timeout(most, stay).await;
            ensure!(
                ended.is_ok(),
                "{lease} has ended and its session lives, {most:?} after its issue"
            );
            ensure!(matches!(ended, Ok(Err(_))), "a session that slept well");
            Ok(())
        })?;
        let user: &str = Cluster::SUPERUSER;
        let left = self.world.target.psql_as(
            user,
            "postgres",
            &format!(
                "select count(*) from pg_stat_activity where usename = '{}'",
                entry.login
            ),
        )?;
        ensure!(left == "0", "{left} sessions of {lease} are left");
        Ok(())
    }
}
