//! Processor time by process, from /proc.

use std::collections::BTreeMap;

/// Microseconds by name: the broker, the load generator, and PostgreSQL's processes by what they serve.
#[derive(Clone, Default)]
pub struct Cpu(BTreeMap<String, i64>);

/// Microseconds a step, by name.
pub type Used = Vec<(String, i64)>;

/// Ticks of `utime` and `stime` are hundredths of a second on every Linux that Debian runs on.
const TICK_US: i64 = 10_000;

impl Cpu {
    /// All of it until now.
    pub fn now(broker: u32, postmaster: u32) -> Cpu {
        let mut cpu = Cpu::default();
        cpu.add("broker", broker);
        cpu.add("load generator", std::process::id());
        let mut below = 0;
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
                continue;
            };
            let Some(stat) = Stat::of(pid) else { continue };
            if stat.parent == postmaster {
                below += stat.own_us;
                *cpu.0.entry(kind(pid)).or_default() += stat.own_us;
            }
        }
        // Processes that have ended are in what the postmaster has waited for.
        if let Some(stat) = Stat::of(postmaster) {
            *cpu.0.entry("PostgreSQL: ended".into()).or_default() += stat.waited_us;
            *cpu.0.entry("PostgreSQL".into()).or_default() += below + stat.own_us + stat.waited_us;
        }
        cpu
    }

    fn add(&mut self, name: &str, pid: u32) {
        if let Some(stat) = Stat::of(pid) {
            *self.0.entry(name.to_owned()).or_default() += stat.own_us;
        }
    }

    /// What was used since `before`.
    pub fn since(&self, before: &Cpu) -> Cpu {
        let used = self.0.iter().map(|(name, now)| {
            let was = before.0.get(name).copied().unwrap_or(0);
            (name.clone(), (now - was).max(0))
        });
        Cpu(used.collect())
    }

    /// Microseconds a step by name, without what is nothing.
    pub fn each(&self, steps: usize) -> Used {
        let steps = i64::try_from(steps.max(1)).unwrap_or(i64::MAX);
        self.0
            .iter()
            .map(|(name, us)| (name.clone(), us / steps))
            .filter(|(_, us)| *us > 0)
            .collect()
    }
}

struct Stat {
    parent: u32,
    own_us: i64,
    waited_us: i64,
}

impl Stat {
    fn of(pid: u32) -> Option<Stat> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in brackets, may hold anything.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<i64>().ok());
        Some(Stat {
            parent: fields.get(1)?.parse().ok()?,
            own_us: (ticks(11)? + ticks(12)?) * TICK_US,
            waited_us: (ticks(13)? + ticks(14)?) * TICK_US,
        })
    }
}

/// What a process of PostgreSQL is for, from its title: `postgres: USER DATABASE …` or `postgres: walwriter`.
fn kind(pid: u32) -> String {
    let title = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let title = String::from_utf8_lossy(&title).replace('\0', " ");
    let words: Vec<&str> = title
        .trim_start_matches("postgres: ")
        .split_whitespace()
        .collect();
    let name = match words.as_slice() {
        ["leasehold", ..] => "leasehold workers",
        [_, "store", ..] => "store's backends",
        [_, "postgres", ..] => "target's backends",
        ["autovacuum", ..] => "autovacuum",
        [first, ..] => first,
        [] => "other",
    };
    format!("PostgreSQL: {name}")
}
