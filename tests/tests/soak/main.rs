//! The soak: steady work over two brokers on one store, with a target of its own, short leases, and one random fault
//! after another. After each fault everything that always holds must hold, while the work goes on.
//!
//! Every run of the tests has half a minute of it; `cargo xtask soak --minutes M --seed S` goes on for longer.

mod fault;
mod report;

use anyhow::{Context, Result, ensure};
use leasehold_tests::crash::{Layout, Load, Share, World, both_ways, judge};
use leasehold_tests::{Options, Setup, told};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::{Duration, Instant};

use fault::{Fault, Field};
use report::Report;

/// Unless told otherwise.
const USUALLY: Duration = Duration::from_secs(30);
/// How long leases last, and renewed ones: short, so that many end by themselves.
const TTL_SECONDS: u64 = 45;
const RENEWED_FOR: Duration = Duration::from_secs(90);
/// Clients of each broker, and their longest pause: some leases a second.
const CLIENTS: usize = 3;
const PAUSE: Duration = Duration::from_millis(1_500);
/// Between two faults, at most.
const CALM_MS: u64 = 3_000;
/// Ended leases are looked for, lest they come back, for that long.
const REMEMBERED: Duration = Duration::from_secs(300);

#[test]
fn faults_of_all_kinds_break_nothing() -> Result<()> {
    let length = told("LEASEHOLD_SOAK_MINUTES")?
        .map_or(USUALLY, |minutes| Duration::from_secs(minutes * 60));
    let seed = told("LEASEHOLD_SOAK_SEED")?.unwrap_or_else(|| rand::rng().random());
    println!("{} s, --seed {seed}", length.as_secs());
    let began = Instant::now();
    let mut rng = StdRng::seed_from_u64(seed);
    let world = World::start(Layout::TwoClusters, &Options::default(), TTL_SECONDS)?;
    world.mount(fault::SCRATCH)?;
    let other = world.broker.beside(&Setup::default())?;
    let ledger = Share::default();
    let roots = (0..2 * CLIENTS).map(|number| {
        if number % 2 == 0 {
            world.root()
        } else {
            other.root()
        }
    });
    let load = Load::start(roots.collect(), &ledger, seed, PAUSE, RENEWED_FOR);
    let mut field = Field {
        world,
        other,
        ledger: ledger.clone(),
    };
    let mut report = Report::new();
    let mut deck: Vec<Fault> = Vec::new();
    while began.elapsed() < length {
        std::thread::sleep(Duration::from_millis(rng.random_range(500..CALM_MS)));
        // Each as often as any other, in random order.
        if deck.is_empty() {
            deck = fault::shuffled(&mut rng, length);
        }
        let fault = deck.pop().context("a fault")?;
        let what = || {
            format!(
                "--seed {seed}, after {:.0} s: {fault:?}",
                began.elapsed().as_secs_f64()
            )
        };
        fault.happen(&mut field, &mut rng).with_context(what)?;
        field.until_serving().with_context(what)?;
        {
            let mut ledger = ledger.open();
            judge(&field.world, &ledger, rng.random()).with_context(what)?;
            ledger.forget_ended(REMEMBERED);
            report.count(fault, &ledger);
        }
        report.look(&field)?;
    }
    load.stop()?;
    both_ways(&field.world)?;
    report.end(&field, began.elapsed());
    for (who, log) in [
        ("broker", field.world.broker.log()?),
        ("other broker", field.other.log()?),
        ("target", field.world.target.log()?),
    ] {
        let panics: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("panicked"))
            .collect();
        ensure!(panics.is_empty(), "{who}: {panics:?}");
    }
    Ok(())
}
