//! Instants and durations between numbers, which decisions are made with, and what PostgreSQL's rows hold.

use pgrx::datum::{Interval, TimestampWithTimeZone};

/// An instant for a row.
pub fn instant(us: i64) -> TimestampWithTimeZone {
    TimestampWithTimeZone::try_from(us).expect("an instant of ours lies within a century or two")
}

/// An instant from a row.
pub fn micros(at: TimestampWithTimeZone) -> i64 {
    at.into()
}

/// The length of a duration; a month is 30 days. What is longer than a number holds is as long as it holds.
pub fn length(interval: &Interval) -> i64 {
    let us = interval.as_micros();
    i64::try_from(us).unwrap_or(if us < 0 { i64::MIN } else { i64::MAX })
}
