//! The table: what was measured, what it is held against, and whether it is enough.

use anyhow::{Context, Result};
use std::fmt::Write;

use super::cpu::Used;

/// One line.
pub struct Line {
    pub what: String,
    pub measured: String,
    /// What it is held against: a ceiling of the same run, or a bar.
    pub against: String,
    /// Whether it is reached; `None` where there is no bar.
    pub reached: Option<bool>,
}

/// All lines so far, printed as they come.
#[derive(Default)]
pub struct Table(Vec<Line>);

impl Table {
    pub fn add(&mut self, line: Line) {
        let mark = mark(line.reached);
        println!(
            "{mark:>4}  {}: {} ({})",
            line.what, line.measured, line.against
        );
        self.0.push(line);
    }

    /// A ratio of which at least so much is wanted.
    pub fn ratio(
        &mut self,
        what: &str,
        value: f64,
        unit: &str,
        ceiling: (&str, f64),
        least: Option<f64>,
    ) {
        let (name, against) = ceiling;
        let ratio = value / against;
        self.add(Line {
            what: what.to_owned(),
            measured: format!("{} {unit}, {ratio:.2} × {name}", short(value)),
            against: match least {
                Some(least) => format!("{name}: {}; bar {least} ×", short(against)),
                None => format!("{name}: {}", short(against)),
            },
            reached: least.map(|least| ratio >= least),
        });
    }

    /// A value that may be no more than `most`.
    pub fn most(&mut self, what: &str, value: f64, unit: &str, most: f64) {
        self.add(Line {
            what: what.to_owned(),
            measured: format!("{} {unit}", short(value)),
            against: format!("bar {} {unit}", short(most)),
            reached: Some(value <= most),
        });
    }

    /// Microseconds of processor time a step, by process.
    pub fn cpu(&mut self, what: &str, each: Used) {
        let each = each.into_iter().map(|(name, us)| format!("{name} {us}"));
        self.add(Line {
            what: format!("CPU µs, {what}"),
            measured: each.collect::<Vec<_>>().join(", "),
            against: String::new(),
            reached: None,
        });
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::from("| what | measured | against | reached |\n|---|---|---|---|\n");
        for line in &self.0 {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                line.what,
                line.measured,
                line.against,
                mark(line.reached)
            );
        }
        text
    }
}

impl Table {
    /// Puts it into a Markdown file between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
    pub fn write_into(&self, file: &str, name: &str) -> Result<()> {
        let text = std::fs::read_to_string(file).with_context(|| file.to_owned())?;
        let (begin, end) = (
            format!("<!-- {name}:begin -->"),
            format!("<!-- {name}:end -->"),
        );
        let (before, rest) = text
            .split_once(&begin)
            .with_context(|| format!("{begin} in {file}"))?;
        let (_, after) = rest
            .split_once(&end)
            .with_context(|| format!("{end} in {file}"))?;
        let new = format!("{before}{begin}\n{}{end}{after}", self.markdown());
        std::fs::write(file, new).with_context(|| file.to_owned())
    }
}

fn mark(reached: Option<bool>) -> &'static str {
    match reached {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    }
}

/// Three digits that count.
pub fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
