//! A line a minute, and a summary.

use anyhow::{Context, Result};
use leasehold_tests::crash::Ledger;
use leasehold_tests::memory::anonymous_kib;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::fault::{Fault, Field};

/// A line as often as that.
const EVERY: Duration = Duration::from_secs(60);

/// What has happened so far.
pub struct Report {
    faults: BTreeMap<Fault, usize>,
    issued: usize,
    renewed: usize,
    ended: usize,
    told_at: Instant,
    minutes: usize,
    /// Memory of the broker that is never killed, at every line.
    broker_kib: Vec<u64>,
    /// The largest sweeper at any look: they are killed with the server.
    sweeper_kib: u64,
}

impl Report {
    /// Nothing yet.
    pub fn new() -> Report {
        Report {
            faults: BTreeMap::new(),
            issued: 0,
            renewed: 0,
            ended: 0,
            told_at: Instant::now(),
            minutes: 0,
            broker_kib: Vec::new(),
            sweeper_kib: 0,
        }
    }

    /// A fault after which everything held.
    pub fn count(&mut self, fault: Fault, ledger: &Ledger) {
        *self.faults.entry(fault).or_default() += 1;
        (self.issued, self.renewed, self.ended) = (ledger.issued, ledger.renewed, ledger.ended);
    }

    /// Looks at memory; a line, if a minute has passed.
    pub fn look(&mut self, field: &Field) -> Result<()> {
        let pids = field
            .world
            .target
            .psql("select pid from pg_stat_activity where backend_type = 'leasehold sweeper'")?;
        for pid in pids.lines() {
            // It may just have ended.
            let kib = anonymous_kib(pid.parse()?).unwrap_or(0);
            self.sweeper_kib = self.sweeper_kib.max(kib);
        }
        if self.told_at.elapsed() < EVERY {
            return Ok(());
        }
        self.told_at += EVERY;
        self.minutes += 1;
        self.broker_kib.push(anonymous_kib(
            field.other.pid().context("the other broker")?,
        )?);
        let live = field
            .world
            .target
            .psql("select count(*) from leasehold.leases")?;
        println!(
            "minute {}: {} faults; {} issued, {} renewed, {} ended, {live} leases; broker {} KiB, sweeper {} KiB",
            self.minutes,
            self.faults.values().sum::<usize>(),
            self.issued,
            self.renewed,
            self.ended,
            self.broker_kib.last().unwrap_or(&0),
            self.sweeper_kib,
        );
        Ok(())
    }

    /// What it was, all in all. That it is written says that nothing was found.
    pub fn end(&self, field: &Field, length: Duration) {
        println!("after {:.0} s, violations 0", length.as_secs_f64());
        for (fault, count) in &self.faults {
            println!("{count:5} x {fault:?}");
        }
        println!(
            "{} issued, {} renewed, {} ended",
            self.issued, self.renewed, self.ended
        );
        if let (Some(first), Some(last)) = (self.broker_kib.first(), self.broker_kib.last()) {
            println!("memory of a broker: {first} KiB after a minute, {last} KiB at the end");
        }
        let complaints = |log: anyhow::Result<String>, word: &str| {
            log.unwrap_or_default()
                .lines()
                .filter(|line| line.contains(word))
                .count()
        };
        println!(
            "lines of sweepers in the target's log: {}",
            complaints(field.world.target.log(), "leasehold sweeper (")
        );
    }
}
