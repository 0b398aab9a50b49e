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
        let about = without_chapters(about).replace('|', "\\|");
        text.push_str(&row(&format!("`{name}`"), &about, report));
    }
    text.push_str(&row("**all**", "", &all));
    text
}

/// Without the remarks in parentheses that name a chapter (`5.3`) of the text the recordings were made along.
fn without_chapters(about: &str) -> String {
    let mut kept = String::new();
    let mut rest = about;
    while let Some((before, (inside, after))) = rest
        .split_once('(')
        .and_then(|(before, rest)| Some((before, rest.split_once(')')?)))
    {
        if names_a_chapter(inside) {
            kept.push_str(before.trim_end());
        } else {
            kept.push_str(&format!("{before}({inside})"));
        }
        rest = after;
    }
    kept + rest
}

fn names_a_chapter(remark: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    remark
        .split([' ', ','])
        .filter_map(|word| word.split_once('.'))
        .any(|(chapter, section)| is_number(chapter) && is_number(section))
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
    use super::{BEGIN, END, sections_of, without_chapters};

    #[test]
    fn remarks_with_chapters_are_left_out() {
        for (about, kept) in [
            ("lookup (contract 5.4)", "lookup"),
            ("a (1.6, 5.2), b (sys/x) c", "a, b (sys/x) c"),
            ("a (7.9 asks for more: 200) b", "a b"),
            ("a (open", "a (open"),
        ] {
            assert_eq!(without_chapters(about), kept);
        }
    }

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = format!("# A\n{BEGIN}\n| old |\n{END}\n# B\n");
        let (between, new) = sections_of(&page, "| new |\n").expect("both marks");
        assert_eq!(between, "| old |\n");
        assert_eq!(new, format!("# A\n{BEGIN}\n| new |\n{END}\n# B\n"));
        assert!(sections_of("# A\n", "").is_err());
    }
}
