//! A broker is killed between any two of the steps it takes towards its store and its target: after its first flush, after
//! its second, and so on to the end of a request and a little beyond. Another one starts on the same store, and within the
//! bound both sides tell the same story, nothing is left half-way, and what was acknowledged is true.
//!
//! Killed after step k means: the servers have had it, the broker has not heard of it. Its memory is lost anyway, so that
//! is also the state before step k + 1.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Actor, Cluster, Engine, Freeze, Options, Served, Setup, Wire, wait_until};
use serde_json::json;
use std::time::{Duration, Instant};

/// Store and target agree this long after a crash; some seconds more, for others compile beside us.
const AGREE: Duration = Duration::from_secs(30 + 10);
/// A broker at rest sends nothing for so long, again and again.
const QUIET: Duration = Duration::from_millis(60);
/// The servers are done with what they were sent.
const DIGESTED: Duration = Duration::from_millis(60);
/// Between two looks at what both sides say.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// What follows an answer by itself comes within this.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// Requests of many steps.
const LONG: [&str; 2] = ["disable", "move"];
/// Steps after the answer that are looked at, too.
const BEYOND: usize = 2;

/// A request to be killed in, and what it has to do with.
struct Scene {
    /// The mount, another one each time.
    mount: String,
    engine: Engine,
    /// A lease of that mount that is there before.
    lease: String,
    /// A token, whose lease that is.
    holder: Actor,
}

/// What a scene came to, as far as anybody was told.
struct Told {
    scene: Scene,
    /// The status of the request, if it had an answer.
    status: Option<u16>,
    /// A lease that was handed out.
    issued: Option<(String, String)>,
}

type Ask = fn(&Scene) -> Result<leasehold_tests::Answer>;
type Judge = fn(&Told, &Sides<'_>) -> Result<()>;
type Row = (&'static str, Ask, Judge);

/// What both sides say at the end.
struct Sides<'a> {
    /// Leases at the target that are active: id and login.
    leases: Vec<(String, String)>,
    /// Paths of mounts.
    mounts: Vec<String>,
    lane: &'a Lane<'a>,
}

impl Sides<'_> {
    fn has(&self, lease: &str) -> bool {
        self.leases.iter().any(|(id, _)| id == lease)
    }
}

fn prepare(broker: &Served, target_port: u16, number: usize) -> Result<Scene> {
    let mount = format!("m{number}");
    let engine = Engine::ready(&broker.root(), &mount, target_port)?;
    let policy = "path \"+/creds/*\" { capabilities = [\"read\"] }";
    let holder = broker.holder("reader", policy, json!({ "ttl": "1h" }))?;
    let (lease, _) = engine.seen_by(&holder).issue("r")?;
    Ok(Scene {
        mount,
        engine,
        lease,
        holder,
    })
}

/// One victim: prepared, frozen after so many steps of the request, killed. True: the request had its answer before.
fn kill_after(steps: usize, number: usize, lane: &Lane<'_>) -> Result<Told> {
    let wire = Wire::new();
    let mut victim = lane.broker.beside(&Setup {
        store_port: Some(wire.to(lane.store.port())?),
        ..Setup::default()
    })?;
    let scene = prepare(&victim, wire.to(lane.target.port())?, number)?;
    wire.until_quiet(QUIET)?;
    wire.freeze(Freeze::After(steps));
    let answer = std::thread::scope(|scope| -> Result<_> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (ask, asked) = (lane.ask, &scene);
        let asking = scope.spawn(move || {
            let answer = ask(asked);
            // Nobody may be waiting for it any more.
            let _ = sender.send(());
            answer
        });
        let mut answered_at = None;
        wait_until(Duration::from_secs(30), "a freeze or an answer", || {
            if answered_at.is_none() && receiver.try_recv().is_ok() {
                answered_at = Some(Instant::now());
            }
            let over = answered_at.is_some_and(|at| at.elapsed() > AFTERWARDS);
            Ok(wire.is_frozen() || over)
        })?;
        std::thread::sleep(DIGESTED);
        victim.kill()?;
        wire.cut();
        Ok(asking.join().ok().context("a thread that asks")?.ok())
    })?;
    let issued = answer.as_ref().and_then(|answer| {
        let lease = answer.text_at("/lease_id").ok()?;
        Some((lease, answer.text_at("/data/username").ok()?))
    });
    Ok(Told {
        scene,
        status: answer.map(|answer| answer.status),
        issued,
    })
}

/// One kind of request, with a store of its own.
struct Lane<'a> {
    name: &'static str,
    store: &'a Cluster,
    target: &'a Cluster,
    /// Its name, and the store's database.
    database: String,
    scope: String,
    /// Not running; knows how to unseal.
    broker: Served,
    ask: Ask,
}

impl Lane<'_> {
    fn store(&self, query: &str) -> Result<String> {
        self.store.psql_in(&self.database, query)
    }

    /// Its leases on the target.
    fn target(&self, what: &str, state: &str) -> Result<String> {
        self.target.psql(&format!(
            "select {what} from leasehold.leases where scope = '{}' and {state} order by lease_id collate \"C\"",
            self.scope
        ))
    }
}

fn walk(row: Row, store: &Cluster, target: &Cluster) -> Result<()> {
    let (name, ask, judge) = row;
    let database = format!("store_{}", name.replace(' ', "_"));
    let mut broker = Served::start(store, &database, "")?;
    broker.kill()?;
    let lane = Lane {
        name,
        store,
        target,
        scope: store.psql_in(
            &database,
            "select store_id from leasehold_broker.installation",
        )?,
        database,
        broker,
        ask,
    };
    let began = Instant::now();
    let mut told = Vec::new();
    let mut answered = 0;
    // Many steps are looks at leases that are ending: of these requests every second one, begun with either.
    let stride = if LONG.contains(&name) { 2 } else { 1 };
    let first = rand::random_range(0..stride);
    for steps in (first..200).step_by(stride) {
        let one = kill_after(steps, steps, &lane)?;
        answered += usize::from(one.status.is_some());
        told.push(one);
        if answered > BEYOND {
            break;
        }
    }
    ensure!(answered > BEYOND, "{name}: it never came to an answer");
    let killed_at = Instant::now();
    println!(
        "{name}: {} steps, {:.1} s",
        told.len(),
        began.elapsed().as_secs_f64()
    );
    let _another = lane.broker.beside(&Setup::default())?;
    wait_until(AGREE, "store and target agree", || {
        // Six ask this all the time.
        std::thread::sleep(LOOK_EVERY);
        agree(&lane)
    })
    .with_context(|| format!("{name}: {}", unsettled(&lane).unwrap_or_default()))?;
    println!(
        "{name}: {} steps, agreement {:.1} s after the last crash",
        told.len(),
        killed_at.elapsed().as_secs_f64()
    );
    let leases = lane.target("lease_id, login", "state = 'active'")?;
    let mounts = lane.store("select path from leasehold_broker.mounts where state <> 'gone'")?;
    let sides = Sides {
        leases: leases
            .lines()
            .filter_map(|line| line.split_once('|'))
            .map(|(id, login)| (id.to_owned(), login.to_owned()))
            .collect(),
        mounts: mounts.lines().map(str::to_owned).collect(),
        lane: &lane,
    };
    for one in &told {
        judge(one, &sides)
            .with_context(|| format!("{name}, {}: answered {:?}", one.scene.mount, one.status))?;
    }
    Ok(())
}

const STORE_LEASES: &str = "select lease_id from leasehold_broker.leases order by lease_id";
const OPEN: &str = "select (select count(*) from leasehold_broker.intents), \
     (select count(*) from leasehold_broker.outbox), (select count(*) from leasehold_broker.mounts where state = 'tainted')";

fn agree(lane: &Lane<'_>) -> Result<bool> {
    let here = lane.store(STORE_LEASES)?;
    let there = lane.target("lease_id", "state = 'active'")?;
    Ok(here == there && lane.store(OPEN)? == "0|0|0")
}

fn unsettled(lane: &Lane<'_>) -> Result<String> {
    let open = lane.store(OPEN)?;
    let here = lane.store(STORE_LEASES)?;
    let there = lane.target("lease_id, state", "true")?;
    Ok(format!(
        "{}: intents, messages, tainted mounts: {open}\nstore:\n{here}\ntarget:\n{there}",
        lane.name
    ))
}

#[test]
fn killed_between_any_two_steps() -> Result<()> {
    let rows: [Row; 6] = [
        (
            "issue",
            |scene| scene.engine.ask("r"),
            |told, sides| {
                ensure!(
                    sides.has(&told.scene.lease),
                    "what was there before is gone"
                );
                match &told.issued {
                    Some(lease) => ensure!(
                        sides.leases.contains(lease),
                        "an acknowledged lease is gone"
                    ),
                    None => ensure!(told.status.is_none(), "refused"),
                }
                Ok(())
            },
        ),
        (
            "revoke",
            |scene| scene.engine.revoke(&scene.lease),
            |told, sides| {
                ensure!(
                    told.status.is_none_or(|status| status == 204),
                    "not revoked"
                );
                ensure!(
                    told.status.is_none() || !sides.has(&told.scene.lease),
                    "revoked, and it lives"
                );
                Ok(())
            },
        ),
        (
            "renew",
            |scene| {
                let wanted = json!({ "lease_id": scene.lease, "increment": 7200 });
                scene.engine.actor().put("sys/leases/renew", wanted)
            },
            |told, sides| {
                ensure!(sides.has(&told.scene.lease), "a renewed lease is gone");
                let left = sides.lane.store(
                    &format!(
                        "select extract(epoch from expires_at - clock_timestamp()) > 3700 from leasehold_broker.leases where lease_id = '{}'",
                        told.scene.lease
                    ),
                )?;
                ensure!(
                    told.status.is_none() || left == "t",
                    "renewed, and the store does not know"
                );
                Ok(())
            },
        ),
        (
            "token revoke",
            |scene| {
                let token = json!({ "token": scene.holder.token() });
                scene.engine.actor().post("auth/token/revoke", token)
            },
            |told, sides| {
                let alive = sides.lane.store(
                    &format!(
                        "select count(*) from leasehold_broker.leases l join leasehold_broker.tokens t using (token_id) \
                          where l.lease_id = '{}' and t.ended_at is null",
                        told.scene.lease
                    ),
                )?;
                ensure!(
                    sides.has(&told.scene.lease) == (alive == "1"),
                    "the lease of a token that has ended lives, or the other way round"
                );
                ensure!(
                    told.status.is_none() || alive == "0",
                    "revoked, and it lives"
                );
                Ok(())
            },
        ),
        (
            "disable",
            |scene| scene.engine.disable(),
            |told, sides| {
                let mounted = sides.mounts.contains(&format!("{}/", told.scene.mount));
                ensure!(
                    mounted == sides.has(&told.scene.lease),
                    "mounted: {mounted}, and its lease the other way"
                );
                ensure!(
                    told.status.is_none() || !mounted,
                    "disabled, and still mounted"
                );
                Ok(())
            },
        ),
        (
            "move",
            |scene| {
                let paths = json!({ "from": scene.mount, "to": format!("n{}", scene.mount) });
                scene.engine.actor().post("sys/remount", paths)
            },
            |told, sides| {
                let mounted = |path: &str| sides.mounts.contains(&format!("{path}/"));
                let (from, to) = (
                    mounted(&told.scene.mount),
                    mounted(&format!("n{}", told.scene.mount)),
                );
                ensure!(
                    from != to,
                    "mounted at the old path: {from}, at the new one: {to}"
                );
                ensure!(!to || !sides.has(&told.scene.lease), "moved with a lease");
                ensure!(told.status.is_none() || to, "moved, and not there");
                Ok(())
            },
        ),
    ];
    let store = Cluster::start(Options::default().set("max_connections", "400"))?;
    let target = Cluster::start(Options::default().set("max_connections", "400"))?;
    // A store each, so that they do not hear of each other; waiting is done together.
    std::thread::scope(|scope| -> Result<()> {
        let walking: Vec<_> = rows
            .into_iter()
            .map(|row| {
                let (store, target) = (&store, &target);
                scope.spawn(move || walk(row, store, target))
            })
            .collect();
        for one in walking {
            one.join().ok().context("a lane panicked")??;
        }
        Ok(())
    })
}
