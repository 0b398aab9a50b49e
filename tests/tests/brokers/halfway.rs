//! An end of many leases whose broker is killed in the middle, when the target has heard of the first of its messages
//! and of no other: the broker beside it ends the rest, and nobody asks again.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{
    Answer, Cluster, Crowd, Engine, Freeze, Options, Served, Setup, Wire, wait_until,
};
use serde_json::json;
use std::time::Duration;

/// Seven messages.
const LEASES: usize = 3_200;
/// A lease that the first message ends: its name goes to the target when it is told, not when the statement is prepared.
const MESSAGE: &[u8] = b"/000000000000000000000001";
/// A claim lapses after ten seconds, a mount is taken up after fifteen; others compile beside us.
const PATIENCE: Duration = Duration::from_secs(60);

type Ask = fn(&Engine) -> Result<Answer>;

/// The leases of a mount `db/` of this broker, whose way to its target freezes behind the first message that ends some.
fn crowd_behind_a_wire<'a>(
    cluster: &'a Cluster,
    broker: &Served,
) -> Result<(Wire, Engine, Crowd<'a>)> {
    let wire = Wire::new();
    let engine = Engine::ready(&broker.root(), "db", wire.to(cluster.port())?)?;
    let crowd = Crowd {
        target: cluster,
        store: cluster,
        database: "store",
    };
    crowd.make(&engine, "r", LEASES)?;
    wire.freeze(Freeze::Behind(MESSAGE));
    Ok((wire, engine, crowd))
}

/// Kills one broker in the middle of what is asked, and leaves the rest to the other one.
fn halfway(ask: Ask, mounts_after: &str) -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let mut victim = Served::start(&cluster, "store", "")?;
    let other = victim.beside(&Setup::default())?;
    let (wire, engine, crowd) = crowd_behind_a_wire(&cluster, &victim)?;
    std::thread::scope(|scope| -> Result<()> {
        let asking = scope.spawn(|| ask(&engine));
        wait_until(PATIENCE, "the first message is on its way", || {
            Ok(wire.is_frozen())
        })?;
        wait_until(PATIENCE, "the target has heard it", || {
            Ok(crowd.active("db")? < LEASES)
        })?;
        victim.kill()?;
        wire.cut();
        let answer = asking.join().ok().context("a thread that asks")?;
        ensure!(answer.is_err(), "it was answered: {answer:?}");
        Ok(())
    })?;
    let left = crowd.active("db")?;
    ensure!(
        (LEASES / 2..LEASES).contains(&left),
        "{left} of {LEASES} leases are active: not the middle"
    );
    wait_until(PATIENCE, "the other broker has ended the rest", || {
        Ok(crowd.active("db")? == 0)
    })?;
    wait_until(PATIENCE, "nothing is left of them", || {
        Ok(crowd.left("db")? == 0 && crowd.indexed("db")? == "0|0")
    })?;
    wait_until(PATIENCE, "the mounts are as they are to be", || {
        let mounts = cluster.psql_in(
            "store",
            "select coalesce(string_agg(path || state, ' ' order by path), '') from leasehold_broker.mounts \
              where type = 'database' and state <> 'gone'",
        )?;
        Ok(mounts == mounts_after)
    })?;
    other.root().get("auth/token/lookup-self")?.expect(200)?;
    Ok(())
}

#[test]
fn a_prefix_left_half_way_is_ended_by_another_broker() -> Result<()> {
    halfway(
        |engine| {
            engine
                .actor()
                .put("sys/leases/revoke-prefix/db/creds", json!({ "sync": true }))
        },
        "db/active",
    )
}

#[test]
fn a_mount_disabled_half_way_is_ended_by_another_broker() -> Result<()> {
    halfway(Engine::disable, "")
}

#[test]
fn a_mount_moved_half_way_is_ended_by_another_broker() -> Result<()> {
    halfway(
        |engine| {
            let paths = json!({ "from": "db", "to": "there" });
            engine.actor().post("sys/remount", paths)
        },
        "there/active",
    )
}

#[test]
fn what_takes_long_is_left_to_its_broker() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let broker = Served::start(&cluster, "store", "")?;
    let (wire, engine, crowd) = crowd_behind_a_wire(&cluster, &broker)?;
    std::thread::scope(|scope| -> Result<()> {
        let asking = scope.spawn(|| {
            let path = "sys/leases/revoke-prefix/db";
            engine.actor().put(path, json!({ "sync": true }))
        });
        // While a call has no answer, before its deadline: longer claims, and no failure.
        wait_until(Duration::from_secs(9), "the claims are made longer", || {
            let held = cluster.psql_in(
                "store",
                "select count(*) from leasehold_broker.outbox \
                  where attempts = 0 and next_attempt_at > created_at + interval '12 s'",
            )?;
            Ok(held == LEASES.div_ceil(500).to_string())
        })?;
        wire.thaw();
        let answer = asking.join().ok().context("a thread that asks")??;
        answer.expect(204)?;
        Ok(())
    })?;
    ensure!(crowd.left("db")? == 0, "answered, and not all are gone");
    wait_until(PATIENCE, "nothing is left of them", || {
        Ok(crowd.indexed("db")? == "0|0")
    })
}

#[test]
fn a_move_that_waits_for_the_table_of_mounts_is_done() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let broker = Served::start(&cluster, "store", "")?;
    Engine::ready(&broker.root(), "db", cluster.port())?;
    let lock = "lock table leasehold_broker.mounts in row exclusive mode";
    let holding = cluster.hold("store", lock)?;
    // Longer than a broker works on a mount without saying so.
    std::thread::scope(|scope| -> Result<()> {
        let moving = scope.spawn(|| {
            let wanted = json!({ "from": "db", "to": "moved" });
            broker.root().post("sys/remount", wanted)?.expect(200)
        });
        std::thread::sleep(Duration::from_secs(7));
        holding.commit()?;
        moving.join().ok().context("a thread that moves")?.map(drop)
    })?;
    wait_until(PATIENCE, "it has moved", || {
        Ok(broker.root().get("moved/roles/r")?.status == 200)
    })
}
