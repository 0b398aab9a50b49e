//! Instants in the layouts of Go: the reference time `Mon Jan 2 15:04:05 MST 2006`, written as the
//! result should look. Always UTC.

use time::OffsetDateTime;

/// How one element of a layout is written.
type Write = fn(OffsetDateTime) -> String;

/// The elements of a layout, longest first where one begins like another.
const ELEMENTS: [(&str, Write); 26] = [
    ("January", |at| at.month().to_string()),
    ("Jan", |at| at.month().to_string()[..3].to_owned()),
    ("Monday", |at| at.weekday().to_string()),
    ("Mon", |at| at.weekday().to_string()[..3].to_owned()),
    ("MST", |_| "UTC".to_owned()),
    ("2006", |at| format!("{:04}", at.year())),
    ("-07:00", |_| "+00:00".to_owned()),
    ("-0700", |_| "+0000".to_owned()),
    ("-07", |_| "+00".to_owned()),
    ("Z07:00", |_| "Z".to_owned()),
    ("Z0700", |_| "Z".to_owned()),
    ("002", |at| format!("{:03}", at.ordinal())),
    ("01", |at| format!("{:02}", u8::from(at.month()))),
    ("02", |at| format!("{:02}", at.day())),
    ("03", |at| format!("{:02}", hour12(at))),
    ("04", |at| format!("{:02}", at.minute())),
    ("05", |at| format!("{:02}", at.second())),
    ("06", |at| format!("{:02}", at.year().rem_euclid(100))),
    ("15", |at| format!("{:02}", at.hour())),
    ("_2", |at| format!("{:2}", at.day())),
    ("PM", |at| {
        if at.hour() < 12 { "AM" } else { "PM" }.to_owned()
    }),
    ("pm", |at| {
        if at.hour() < 12 { "am" } else { "pm" }.to_owned()
    }),
    ("1", |at| u8::from(at.month()).to_string()),
    ("2", |at| at.day().to_string()),
    ("3", |at| hour12(at).to_string()),
    ("4", |at| at.minute().to_string()),
];

/// An instant in a layout; what is no element stays as it is.
pub(super) fn format(at: OffsetDateTime, layout: &str) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let mut formatted = String::new();
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        let fraction = fraction(rest);
        if let Some((name, write)) = ELEMENTS.iter().find(|(name, _)| rest.starts_with(name)) {
            formatted.push_str(&write(at));
            rest = &rest[name.len()..];
        } else if let Some(seconds) = rest.strip_prefix('5') {
            formatted.push_str(&at.second().to_string());
            rest = seconds;
        } else if let Some((digits, keeps_zeros)) = fraction {
            let nanos = format!("{:09}", at.nanosecond());
            let shown = match keeps_zeros {
                true => &nanos[..digits],
                false => nanos[..digits].trim_end_matches('0'),
            };
            if !shown.is_empty() {
                formatted.push(c);
                formatted.push_str(shown);
            }
            rest = &rest[digits + 1..];
        } else {
            formatted.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    formatted
}

fn hour12(at: OffsetDateTime) -> u8 {
    match at.hour() % 12 {
        0 => 12,
        hour => hour,
    }
}

/// `.000` or `,999`: how many digits, and whether zeros at the end are kept.
fn fraction(rest: &str) -> Option<(usize, bool)> {
    let digits = rest.strip_prefix(['.', ','])?;
    let digit = digits.chars().next().filter(|c| *c == '0' || *c == '9')?;
    let count = digits.chars().take_while(|c| *c == digit).count();
    let followed = digits[count..].starts_with(|c: char| c.is_ascii_digit());
    (count <= 9 && !followed).then_some((count, digit == '0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_795_410_142_469_000_000).unwrap();
        let check = |layout: &str, expect: &str| assert_eq!(format(at, layout), expect);
        check("2006-01-02T15:04:05Z", "2026-11-23T05:02:22Z");
        check("20060102", "20261123");
        check("Mon Jan _2 3:04PM", "Mon Nov 23 5:02AM");
        check(
            "Monday, 2 January 06 03:04:05 pm MST",
            "Monday, 23 November 26 05:02:22 am UTC",
        );
        check("15:04:05.000", "05:02:22.469");
        check("15:04:05.999999", "05:02:22.469");
        check("2006-01-02T15:04:05Z07:00", "2026-11-23T05:02:22Z");
        check("-0700 -07:00 002", "+0000 +00:00 327");
        check("x", "x");
        check("é", "é");
    }
}
