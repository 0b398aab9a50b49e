//! The compatibility table of the README, made from what a replay came to.

use anyhow::{Context, Result};

use super::report::{Outcome, Report};

const BEGIN: &str = "<!-- compatibility:begin -->";
const END: &str = "<!-- compatibility:end -->";

/// The table: a row a scenario, and their sum.
pub fn section(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| recorded conversation | about | steps | agree | differ by decision | wait for a later piece |\n\
         |---|---|---:|---:|---:|---:|\n",
    );
    let mut all = Report::default();
    for Outcome {
        name,
        about,
        report,
    } in outcomes
    {
        all.add(report);
        let about = about.replace('|', "\\|");
        text.push_str(&row(&format!("`{name}`"), &about, report));
    }
    text.push_str(&row("**all**", "", &all));
    text
}

fn row(name: &str, about: &str, report: &Report) -> String {
    format!(
        "| {name} | {about} | {} | {} | {} | {} |\n",
        report.total, report.agree, report.by_decision, report.later
    )
}

/// What stands between the marks of a page, and the page with `section` between them.
pub fn sections_of<'p>(page: &'p str, section: &str) -> Result<(&'p str, String)> {
    let (before, rest) = page
        .split_once(BEGIN)
        .with_context(|| format!("no {BEGIN}"))?;
    let (between, after) = rest.split_once(END).with_context(|| format!("no {END}"))?;
    Ok((
        between.trim_start_matches('\n'),
        format!("{before}{BEGIN}\n{section}{END}{after}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, sections_of};

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = format!("# A\n{BEGIN}\n| old |\n{END}\n# B\n");
        let (between, new) = sections_of(&page, "| new |\n").expect("both marks");
        assert_eq!(between, "| old |\n");
        assert_eq!(new, format!("# A\n{BEGIN}\n| new |\n{END}\n# B\n"));
        assert!(sections_of("# A\n", "").is_err());
    }
}
