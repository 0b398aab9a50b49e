//! Durations as clients write them (contract 1.6), and as warnings print them.
//!
//! Not a clock and not a calendar: a [`Span`] is a signed number of nanoseconds, read the way Go
//! reads one, because every client of this API was written against that reader.

use std::fmt;

use serde_json::Value;
use thiserror::Error;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;
/// How much of a refused text an error message repeats.
const QUOTED_BYTES_MAX: usize = 128;

/// A length of time: nanoseconds, signed, about 292 years at most.
///
/// Sub-second spans matter: `500ms` counts as given, though it is 0 whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    nanos: i64,
}

/// Why a text or number is no duration. The messages are those that clients already know.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DurationError {
    /// Nothing that could be read as a duration, or more digits than 64 bits hold.
    #[error("time: invalid duration {0}")]
    Invalid(Quoted),
    /// A number with a fraction, or a number after a unit, without a unit of its own.
    #[error("time: missing unit in duration {0}")]
    MissingUnit(Quoted),
    /// A unit that is not one of `ns us µs ms s m h`, or a `d` beside others.
    #[error("time: unknown unit {unit} in duration {text}")]
    UnknownUnit {
        /// The letters in the place of a unit.
        unit: Quoted,
        /// The whole text.
        text: Quoted,
    },
    /// `d` after something that is no whole number.
    #[error("time: invalid number of days in duration {0}")]
    Days(Quoted),
    /// More than 9223372036 seconds.
    #[error("multiplication of durations resulted in overflow, one operand may be too large")]
    Overflow,
    /// A bool, a list or an object.
    #[error("could not parse duration from input")]
    NotADuration,
}

/// A refused text, shortened and escaped, so that it is harmless in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted(String);

impl Span {
    /// No time at all: the same as "not given" for most fields.
    pub const ZERO: Span = Span { nanos: 0 };

    /// A span of whole seconds; beyond what a span can hold it stops at the greatest.
    pub fn from_seconds(seconds: i64) -> Span {
        Span {
            nanos: seconds.saturating_mul(NANOS_PER_SECOND),
        }
    }

    /// Whole seconds, the fraction cut off towards zero.
    pub fn seconds(self) -> i64 {
        self.nanos / NANOS_PER_SECOND
    }

    /// All of it, in nanoseconds.
    pub fn nanos(self) -> i64 {
        self.nanos
    }

    /// Whether it is exactly nothing (`500ms` is not).
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether it lies before zero, if only by a nanosecond.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// What is left after taking `other` away, within what a span can hold.
    pub fn saturating_sub(self, other: Span) -> Span {
        Span {
            nanos: self.nanos.saturating_sub(other.nanos),
        }
    }

    /// The same, without what is below a second.
    pub fn whole_seconds(self) -> Span {
        Span {
            nanos: self.seconds() * NANOS_PER_SECOND,
        }
    }

    fn times(count: i64, unit_nanos: i64) -> Result<Span, DurationError> {
        let nanos = count
            .checked_mul(unit_nanos)
            .ok_or(DurationError::Overflow)?;
        Ok(Span { nanos })
    }
}

/// Reads the text of a duration: a number of seconds, whole days (`30d`), or Go's form (`1h30m`).
/// The empty text is zero.
pub fn parse(text: &str) -> Result<Span, DurationError> {
    if text.is_empty() {
        return Ok(Span::ZERO);
    }
    if let Some(seconds) = parse_integer(text) {
        return Span::times(seconds, NANOS_PER_SECOND);
    }
    if let Some(days) = text.strip_suffix('d') {
        let days = parse_integer(days).ok_or_else(|| DurationError::Days(Quoted::new(text)))?;
        return Span::times(days, NANOS_PER_DAY);
    }
    parse_go(text)
}

/// Reads a duration out of JSON: a text or a number. `null` is "not given"; so is an absent field,
/// which never gets here.
pub fn parse_json(value: &Value) -> Result<Option<Span>, DurationError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => parse(text).map(Some),
        Value::Number(number) => parse(&number.to_string()).map(Some),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(DurationError::NotADuration),
    }
}

/// The number of seconds in a text, as [`parse`] reads it.
pub fn parse_seconds(text: &str) -> Result<i64, DurationError> {
    parse(text).map(Span::seconds)
}

/// Decimal digits with at most one sign, within 64 bits.
fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// `[-+]?([0-9]*(\.[0-9]*)?unit)+`, as Go's standard library reads it.
fn parse_go(text: &str) -> Result<Span, DurationError> {
    let invalid = || DurationError::Invalid(Quoted::new(text));
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = split_digits(rest);
        if !whole.is_empty() && whole.parse::<i64>().is_err() {
            return Err(invalid());
        }
        let fraction = after.strip_prefix('.').map(split_digits);
        let (fraction, after) = fraction.unwrap_or(("", after));
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_end = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        if unit.is_empty() {
            return Err(DurationError::MissingUnit(Quoted::new(text)));
        }
        let unit_nanos = unit_nanos(unit).ok_or_else(|| DurationError::UnknownUnit {
            unit: Quoted::new(unit),
            text: Quoted::new(text),
        })?;
        let part = part_nanos(whole, fraction, unit_nanos).ok_or_else(invalid)?;
        total = total.checked_add(part).ok_or_else(invalid)?;
        rest = after;
    }
    let nanos = i64::try_from(total).map_err(|_| invalid())?;
    Ok(Span {
        nanos: if negative { -nanos } else { nanos },
    })
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

fn part_nanos(whole: &str, fraction: &str, unit_nanos: u64) -> Option<u64> {
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let whole = whole.checked_mul(unit_nanos)?;
    // Eighteen digits are finer than a nanosecond of the greatest unit.
    let (digits, _) = fraction.split_at(fraction.len().min(18));
    let fraction = match digits {
        "" => 0,
        digits => {
            let scale = 10u128.pow(digits.len() as u32);
            let value: u128 = digits.parse().ok()?;
            u64::try_from(value * u128::from(unit_nanos) / scale).ok()?
        }
    };
    whole.checked_add(fraction)
}

fn unit_nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // Micro sign and Greek mu.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    })
}

/// The form of warnings: `768h`, `1h30m`, `5m`, `768h1s`; parts that are nothing are left out.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos < 0 {
            f.write_str("-")?;
        }
        let nanos = self.nanos.unsigned_abs();
        match nanos {
            0 => return f.write_str("0s"),
            1..1_000 => return write!(f, "{nanos}ns"),
            1_000..1_000_000 => return write_decimal(f, nanos, 1_000, "µs"),
            1_000_000..1_000_000_000 => return write_decimal(f, nanos, 1_000_000, "ms"),
            _ => {}
        }
        let seconds = nanos / 1_000_000_000;
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        match nanos % 60_000_000_000 {
            0 => Ok(()),
            rest => write_decimal(f, rest, 1_000_000_000, "s"),
        }
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, nanos: u64, unit: u64, name: &str) -> fmt::Result {
    write!(f, "{}", nanos / unit)?;
    let rest = nanos % unit;
    if rest > 0 {
        let width = unit.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    f.write_str(name)
}

impl Quoted {
    fn new(text: &str) -> Quoted {
        let mut quoted = String::from("\"");
        for (at, c) in text.char_indices() {
            if at >= QUOTED_BYTES_MAX {
                quoted.push_str("...");
                break;
            }
            match c {
                '"' | '\\' => quoted.extend(['\\', c]),
                ' '..='~' => quoted.push(c),
                _ => {
                    let mut bytes = [0; 4];
                    for byte in c.encode_utf8(&mut bytes).bytes() {
                        quoted.push_str(&format!("\\x{byte:02x}"));
                    }
                }
            }
        }
        quoted.push('"');
        Quoted(quoted)
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The recorded reading of every duration text and number that matters.
    const RECORDED: &str = include_str!("../../tests/golden/tokens-durations.json");
    /// The recordings are of tokens: nothing given means this, and more is capped to it.
    const SYSTEM_MAX_SECONDS: i64 = 2_764_800;

    #[test]
    fn reads_what_the_reference_reads() {
        let recorded: Value = serde_json::from_str(RECORDED).unwrap();
        let mut checked = 0;
        for row in recorded["table"].as_array().unwrap() {
            let field = row["field"].as_str().unwrap();
            let (Some(text), "ttl") = (row["value"].as_str(), field) else {
                continue;
            };
            let read = parse(text);
            match row["error"].as_str() {
                None => {
                    let span = read.unwrap_or_else(|error| panic!("{text:?}: {error}"));
                    let seconds = if span.is_zero() {
                        SYSTEM_MAX_SECONDS
                    } else {
                        span.seconds()
                    };
                    assert_eq!(
                        Some(seconds.min(SYSTEM_MAX_SECONDS)),
                        row["seconds"].as_i64(),
                        "{text:?}"
                    );
                    if let Some(warning) = row["warning"].as_str() {
                        assert!(
                            warning.contains(&format!("TTL of \"{span}\"")),
                            "{span}: {warning}"
                        );
                    }
                }
                Some("ttl must be positive") => assert!(read.unwrap().is_negative(), "{text:?}"),
                Some(error) if error.starts_with("strconv") => {
                    assert!(matches!(read, Err(DurationError::Days(_))), "{text:?}");
                }
                Some(error) => assert_eq!(read.unwrap_err().to_string(), error, "{text:?}"),
            }
            checked += 1;
        }
        assert!(checked > 80, "only {checked} rows");
    }

    #[test]
    fn reads_json() {
        let check = |json: &str, expect: Result<Option<i64>, &str>| {
            let value = serde_json::from_str(json).unwrap();
            let read = parse_json(&value).map(|span| span.map(Span::seconds));
            assert_eq!(
                read.map_err(|error| error.to_string()),
                expect.map_err(String::from),
                "{json}"
            );
        };
        check("3600", Ok(Some(3600)));
        check("-1", Ok(Some(-1)));
        check("-0", Ok(Some(0)));
        check("null", Ok(None));
        check("\"\"", Ok(Some(0)));
        check("\"90s\"", Ok(Some(90)));
        check("3600.0", Err("time: missing unit in duration \"3600.0\""));
        check("1.5", Err("time: missing unit in duration \"1.5\""));
        check("true", Err("could not parse duration from input"));
        check("[]", Err("could not parse duration from input"));
        check("{}", Err("could not parse duration from input"));
        check(
            "9223372037",
            Err("multiplication of durations resulted in overflow, one operand may be too large"),
        );
        check(
            "99999999999999999999",
            Err("time: invalid duration \"99999999999999999999\""),
        );
    }

    #[test]
    fn prints_short() {
        let check = |text: &str, expect: &str| assert_eq!(parse(text).unwrap().to_string(), expect);
        check("2764800", "768h");
        check("90m", "1h30m");
        check("5m", "5m");
        check("999999", "277h46m39s");
        check("768h1s", "768h1s");
        check("0", "0s");
        check("1500ms", "1.5s");
        check("61.25s", "1m1.25s");
        check("20ms", "20ms");
        check("1500us", "1.5ms");
        check("7ns", "7ns");
        check("-90s", "-1m30s");
    }

    #[test]
    fn quotes_little_of_a_long_text() {
        let error = parse(&"x".repeat(1 << 20)).unwrap_err().to_string();
        assert!(error.len() < 200, "{}", error.len());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,20}|[-+0-9.hmsunµd]{0,24}") {
            let _ = parse(&text);
        }

        #[test]
        fn reads_what_it_prints(nanos in any::<i64>().prop_filter("has a negative", |n| *n > i64::MIN)) {
            let span = Span { nanos };
            prop_assert_eq!(parse(&span.to_string()), Ok(span));
        }

        #[test]
        fn whole_seconds_lose_only_the_fraction(nanos in any::<i64>()) {
            let span = Span { nanos };
            let lost = nanos - span.whole_seconds().nanos();
            prop_assert!(lost.abs() < NANOS_PER_SECOND);
            prop_assert_eq!(span.whole_seconds().seconds(), span.seconds());
        }
    }
}
