//! Sharp crashes during concurrent issues, renewals and revocations, in random order: the broker is killed, PostgreSQL is
//! stopped at once, loses a process, or loses its postmaster. After each, `leasehold.check()` is empty, what was
//! acknowledged is there, what was ended stays gone, and store and target agree both ways.
//!
//! `cargo xtask crash --cycles N --seed S` runs the first of these with other numbers than the usual ones.

use anyhow::{Context, Result, ensure};
use leasehold_tests::crash::{Cycle, Kind, Layout, Share, World, both_ways, deck, naive::Naive};
use leasehold_tests::{Options, told, wait_until};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::time::{Duration, Instant};

/// Unless told otherwise.
const CYCLES: usize = 20;
/// The control has so many chances to break, for each way to die. It breaks at four out of five.
const CHANCES: usize = 30;

#[test]
fn crashes_break_nothing() -> Result<()> {
    let cycles = told("LEASEHOLD_CRASH_CYCLES")?.map_or(CYCLES, |cycles| cycles as usize);
    let seed = told("LEASEHOLD_CRASH_SEED")?.unwrap_or_else(|| rand::rng().random());
    println!("{cycles} cycles, --seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let kinds = deck(cycles, &mut rng);
    let (together, apart) = kinds.split_at(cycles / 2);
    let mut number = 0;
    for (layout, kinds) in [(Layout::OneCluster, together), (Layout::TwoClusters, apart)] {
        let mut world = World::start(layout, &Options::default(), 3_600)?;
        let ledger = Share::default();
        for kind in kinds {
            number += 1;
            let began = Instant::now();
            let cycle = Cycle {
                world: &mut world,
                ledger: &ledger,
                seed: rng.random(),
            };
            let what = cycle
                .run(*kind)
                .with_context(|| format!("cycle {number} of --seed {seed}, {layout:?}"))?;
            println!(
                "cycle {number}, {:.1} s: {what}",
                began.elapsed().as_secs_f64()
            );
        }
        end_everything(&world).with_context(|| format!("--seed {seed}, {layout:?}"))?;
    }
    Ok(())
}

fn end_everything(world: &World) -> Result<()> {
    both_ways(world)?;
    world
        .root()
        .put("sys/leases/revoke-prefix/database", json!({}))?
        .expect(204)?;
    wait_until(Duration::from_secs(60), "all logins are dropped", || {
        let left = "select count(*) from pg_roles where rolname like 'v-%'";
        Ok(world.target.psql(left)? == "0")
    })?;
    both_ways(world)
}

/// The same deaths under the same kind of work, where lease and login are two transactions: they must leave orphans, or
/// the test above is blind. Each kind goes on until it has.
#[test]
fn crashes_break_leases_and_logins_in_two_transactions() -> Result<()> {
    let mut naive = Naive::start(&Options::default())?;
    let mut rng = rand::rng();
    for kind in Kind::ALL {
        let mut before = naive.violations()?;
        let broke = (1..=CHANCES).find_map(|chance| {
            let after = Duration::from_millis(rng.random_range(50..150));
            match naive.crash(kind, after) {
                Ok(found) if found > before => Some(Ok((chance, found - before))),
                Ok(found) => {
                    before = found;
                    None
                }
                Err(error) => Some(Err(error)),
            }
        });
        let broke = broke.transpose()?;
        ensure!(
            broke.is_some(),
            "{kind}: {CHANCES} crashes, and nothing broke"
        );
        let (chance, found) = broke.context("just seen")?;
        println!("{kind}: crash {chance} left {found} violations");
    }
    Ok(())
}
