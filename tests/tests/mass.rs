//! Very many leases that end at once, by each of the ways: with their token, below a prefix, with their mount. The answer
//! comes within seconds, all are fenced and gone, whoever issues meanwhile is not kept waiting, and what a lease's end
//! costs does not grow with what else is in the cluster.
//!
//! Every run of the tests ends some thousands; `cargo xtask mass --leases N` ends as many as you like.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Actor, Cluster, Crowd, Engine, Options, Served, wait_until};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Unless told otherwise.
const USUALLY: usize = 8_000;
/// An issue beside a mass end may take so long: for every busy machine.
const STALLED: Duration = Duration::from_secs(2);
/// Leases that end by themselves meanwhile, one each tenth of a second.
const SHORT: usize = 40;
/// No session lives longer than that after its end, whatever else ends.
const LATE: Duration = Duration::from_secs(2);
/// Issues to compare with.
const IDLE_ISSUES: usize = 200;
const READER: &str = "path \"+/creds/*\" { capabilities = [\"read\"] }";

/// How long so many leases may take: a hundredth of what an idle machine does.
fn patience(leases: usize) -> Duration {
    Duration::from_secs(30 + leases as u64 / 100)
}

/// A token's end is told when it is durable, a mount's ten seconds later at most; generous, for others compile beside us.
fn answered_within(leases: usize) -> Duration {
    Duration::from_secs(20 + leases as u64 / 5_000)
}

fn leases() -> Result<usize> {
    match std::env::var("LEASEHOLD_MASS_LEASES") {
        Ok(text) => text.parse().context("LEASEHOLD_MASS_LEASES"),
        Err(_) => Ok(USUALLY),
    }
}

struct Scene {
    cluster: Cluster,
    broker: Served,
    /// An application that goes on issuing.
    beside: Engine,
}

impl Scene {
    fn start() -> Result<Scene> {
        let cluster = Cluster::start(
            Options::default()
                .set("shared_buffers", "256MB")
                .set("max_wal_size", "4GB"),
        )?;
        cluster.psql("create role readers nologin; select leasehold.define_role('short', member_of => '{readers}')")?;
        let broker = Served::start(&cluster, "store", "")?;
        let holder = broker.holder("reader", READER, json!({}))?;
        let beside = Engine::ready(&broker.root(), "beside", cluster.port())?.seen_by(&holder);
        Ok(Scene {
            cluster,
            broker,
            beside,
        })
    }

    fn crowd(&self) -> Crowd<'_> {
        Crowd {
            target: &self.cluster,
            store: &self.cluster,
            database: "store",
        }
    }

    /// A mount with so many leases of one token.
    fn fill(&self, mount: &str, leases: usize) -> Result<(Engine, Actor)> {
        let engine = Engine::mount(&self.broker.root(), mount)?;
        engine.connect("c", self.cluster.port())?;
        let grant = "GRANT readers TO \"{{name}}\"";
        engine.role("r", "c", json!([Engine::LOGIN, grant]))?;
        let holder = self.broker.holder("reader", READER, json!({}))?;
        self.crowd().make(&engine.seen_by(&holder), "r", leases)?;
        Ok((engine, holder))
    }
}

/// Issues one after the other until told to stop, at least so many; how long each took.
fn issues(engine: &Engine, stop: &AtomicBool, at_least: usize) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    while times.len() < at_least || !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        engine.ask("r")?.expect(200)?;
        times.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
    times.sort_unstable();
    Ok(times)
}

fn p99(sorted: &[Duration]) -> Duration {
    sorted
        .get(sorted.len() * 99 / 100)
        .copied()
        .unwrap_or_default()
}

/// How late leases that ended meanwhile were fenced, the worst of them.
fn late(scene: &Scene, what: &str) -> Result<Duration> {
    let past = format!("leasehold.past_leases where starts_with(lease_id, '{what}-short/')");
    wait_until(patience(SHORT), "the short ones have ended", || {
        let gone = scene
            .cluster
            .psql(&format!("select count(*) from {past}"))?;
        Ok(gone == SHORT.to_string())
    })?;
    let worst = scene.cluster.psql(&format!(
        "select max(extract(epoch from fenced_at - expires_at)) from {past}"
    ))?;
    Ok(Duration::from_secs_f64(worst.parse()?))
}

type Ask<'a> = &'a (dyn Fn(&Engine, &Actor) -> Result<()> + Sync);

/// Ends so many leases in one way.
fn end(scene: &Scene, what: &str, leases: usize, ask: Ask<'_>) -> Result<()> {
    let (engine, holder) = scene.fill(what, leases)?;
    let crowd = scene.crowd();
    scene.cluster.psql("checkpoint")?;
    let done = AtomicBool::new(true);
    let idle = p99(&issues(&scene.beside, &done, IDLE_ISSUES)?);
    done.store(false, Ordering::Relaxed);
    // Some that end by themselves meanwhile.
    scene.cluster.psql(&format!(
        "select count(*) from generate_series(1, {SHORT}) n, \
                leasehold.issue('short', ttl => interval '1 s' + n * interval '100 ms', request_id => '{what}-short/' || n)"
    ))?;
    let began = Instant::now();
    let (fenced, gone, beside) = std::thread::scope(|scope| -> Result<_> {
        let beside = scope.spawn(|| issues(&scene.beside, &done, 1));
        let asking = scope.spawn(|| -> Result<Duration> {
            ask(&engine, &holder)?;
            Ok(began.elapsed())
        });
        let ended = || -> Result<_> {
            let look = |what: &str, count: &dyn Fn() -> Result<usize>| {
                wait_until(patience(leases), what, || {
                    std::thread::sleep(Duration::from_millis(20));
                    Ok(count()? == 0)
                })?;
                anyhow::Ok(began.elapsed())
            };
            let fenced = look("all are fenced", &|| crowd.active(what))?;
            Ok((fenced, look("all are gone", &|| crowd.left(what))?))
        };
        let ended = ended();
        done.store(true, Ordering::Relaxed);
        let answered = asking.join().ok().context("a thread that asks")??;
        let beside = beside.join().ok().context("a thread that issues")??;
        let (fenced, gone) = ended?;
        println!("{what}: {leases} leases, answered after {answered:.1?}");
        Ok((fenced, gone, beside))
    })?;
    let meanwhile = p99(&beside);
    println!(
        "{what}: all fenced after {fenced:.1?}, gone after {gone:.1?}; p99 of {} issues meanwhile {meanwhile:.1?}, {:.1} x idle",
        beside.len(),
        meanwhile.as_secs_f64() / idle.as_secs_f64()
    );
    let late = late(scene, what)?;
    println!("{what}: ends by themselves meanwhile were {late:.1?} late at most");
    ensure!(late < LATE, "{late:?} after its end a lease is fenced");
    ensure!(meanwhile < STALLED, "issues were stalled: {meanwhile:?}");
    wait_until(patience(leases), "the index has heard of all", || {
        Ok(crowd.indexed(what)? == "0|0")
    })
}

#[test]
fn very_many_leases_end_at_once_in_each_way() -> Result<()> {
    let leases = leases()?;
    let scene = Scene::start()?;
    let root = scene.broker.root();
    end(&scene, "token", leases, &|_, holder| {
        let began = Instant::now();
        root.post("auth/token/revoke", json!({ "token": holder.token() }))?
            .expect(204)?;
        ensure!(
            began.elapsed() < answered_within(leases),
            "answered after {:?}",
            began.elapsed()
        );
        Ok(())
    })?;
    end(&scene, "prefix", leases, &|_, _| {
        root.put(
            "sys/leases/revoke-prefix/prefix/creds",
            json!({ "sync": true }),
        )?
        .expect(204)
        .map(drop)
    })?;
    end(&scene, "mount", leases, &|engine, _| {
        let began = Instant::now();
        engine.disable()?.expect(204)?;
        ensure!(
            began.elapsed() < answered_within(leases),
            "answered after {:?}",
            began.elapsed()
        );
        Ok(())
    })
}

/// Leases ended to see what one costs.
const COSTED: usize = 2_500;
/// Logins and grants of others.
const OTHERS: usize = 8_000;
/// How often each is measured; the least counts.
const TIMES: usize = 2;
/// How much dearer a lease's end may be among many others.
const DEARER_MAX: f64 = 2.5;

#[test]
fn the_cost_of_an_end_does_not_grow_with_logins_and_grants() -> Result<()> {
    let cluster = Cluster::start(
        Options::default()
            .set("shared_buffers", "256MB")
            .set("max_wal_size", "4GB"),
    )?;
    cluster.psql("create role readers nologin; create role others nologin; select leasehold.define_role('r', member_of => '{readers}')")?;
    let few = cost(&cluster)?;
    // Members of the same group and of another, with grants of their own, and leases that live on.
    cluster.psql(&format!(
        "do $$ begin for n in 1..{OTHERS} loop \
             execute format('create role other_%s login in role readers, others', n); \
             if n % 100 = 0 then commit; end if; end loop; end $$;
         do $$ begin for n in 1..{OTHERS} / 200 loop \
             execute format('create table t_%s ()', n); \
             for m in 1..50 loop execute format('grant select on t_%s to other_%s', n, n * 100 + m); end loop; \
             commit; end loop; end $$"
    ))?;
    issue(&cluster, "stays", OTHERS)?;
    let many = cost(&cluster)?;
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    println!(
        "{COSTED} ends cost {few:.2?} of processor time, and {many:.2?} among {OTHERS} leases and {OTHERS} other logins: {ratio:.2} x"
    );
    ensure!(ratio < DEARER_MAX, "{ratio:.2} times as dear");
    // Ended before the cluster is, or its checks would take long.
    cluster.psql("select leasehold.revoke_owner('stays')")?;
    wait_until(patience(OTHERS), "those that stayed are gone", || {
        std::thread::sleep(Duration::from_millis(50));
        Ok(cluster.psql("select count(*) from leasehold.live_leases")? == "0")
    })
}

/// Makes leases of one owner.
fn issue(cluster: &Cluster, owner: &str, count: usize) -> Result<()> {
    cluster.psql(&format!(
        "do $$ begin for batch in 0..{count} / 250 - 1 loop \
             perform count(*) from generate_series(1, 250) n, leasehold.issue('r', owners => '{{{owner}}}', request_id => '{owner}/' || batch || '/' || n); \
             commit; end loop; end $$"
    ))?;
    Ok(())
}

/// Processor time of the sweeper for some ends.
fn cost(cluster: &Cluster) -> Result<Duration> {
    let mut least = Duration::MAX;
    for time in 0..TIMES {
        let owner = format!("costed-{time}-{}", uuid::Uuid::new_v4());
        issue(cluster, &owner, COSTED)?;
        let pid: u32 = cluster
            .psql("select sweeper_pid from leasehold.heartbeat()")?
            .parse()?;
        let before = processor_time(pid)?;
        cluster.psql(&format!("select leasehold.revoke_owner('{owner}')"))?;
        wait_until(patience(COSTED), "they are gone", || {
            std::thread::sleep(Duration::from_millis(20));
            let left = format!(
                "select count(*) from leasehold.live_leases where starts_with(lease_id, '{owner}/')"
            );
            Ok(cluster.psql(&left)? == "0")
        })?;
        least = least.min(processor_time(pid)?.saturating_sub(before));
    }
    Ok(least)
}

/// Processor time that a process has used, its own and the system's for it.
fn processor_time(pid: u32) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let nanoseconds = text.split(' ').next().context("a schedstat")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}
