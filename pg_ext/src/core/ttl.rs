//! How long a lease lives. All numbers are microseconds: durations as they are, instants on PostgreSQL's scale.
//! The clock is an argument.

use crate::core::error::Fault;

/// A second.
pub const SECOND_US: i64 = 1_000_000;
/// What a recipe without a default of its own gives: an hour.
pub const DEFAULT_US: i64 = 3_600 * SECOND_US;
/// The ceiling where neither the recipe nor the caller names one: 32 days.
pub const CEILING_US: i64 = 32 * 86_400 * SECOND_US;
/// The longest duration that is believed to be meant: 100 years. "Never" is not a lease.
pub const LONGEST_US: i64 = 36_525 * 86_400 * SECOND_US;

/// What a recipe says about time.
#[derive(Clone, Copy, Default, Debug)]
pub struct Rules {
    /// How long a lease lives if nobody asks for a time.
    pub default_us: Option<i64>,
    /// How long a lease can live, renewals included.
    pub max_us: Option<i64>,
}

/// What a caller asks for.
#[derive(Clone, Copy, Default, Debug)]
pub struct Wish {
    /// How long from now.
    pub ttl_us: Option<i64>,
    /// A ceiling of the caller's own, counted from the issue; the lower of it and the recipe's counts.
    pub max_us: Option<i64>,
}

/// The ends of a lease, as instants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// Its own end.
    pub expires_at: i64,
    /// What renewals can not pass.
    pub max_expires_at: i64,
}

impl Ends {
    /// The time left at `now` in whole seconds, rounded down: never more than is really left.
    pub fn ttl_seconds(&self, now: i64) -> i64 {
        left_seconds(self.expires_at, now)
    }
}

/// Whole seconds from `now` to `end`, rounded down; 0 when it has passed.
pub fn left_seconds(end: i64, now: i64) -> i64 {
    end.saturating_sub(now).max(0) / SECOND_US
}

/// The ends of a lease issued at `now`, whose owner's own end is `cap_us` from now.
pub fn issue(now: i64, rules: Rules, wish: Wish, cap_us: Option<i64>) -> Result<Ends, Fault> {
    if cap_us.is_some_and(|cap| cap <= 0) {
        return Err(Fault::PastMaximum {
            why: "what it is tied to has ended",
        });
    }
    let ttl = asked_ttl(rules, wish)?;
    let max_expires_at = now + ceiling(rules, wish)?;
    let cap_at = cap_us.map_or(i64::MAX, |cap| now.saturating_add(cap));
    Ok(Ends {
        expires_at: (now + ttl).min(max_expires_at).min(cap_at),
        max_expires_at,
    })
}

/// The ends of a lease issued at `issued_at` and renewed at `now`. The ceiling is that of now, counted from the
/// issue; a shorter life than before is a legal wish.
pub fn renew(
    now: i64,
    issued_at: i64,
    rules: Rules,
    wish: Wish,
    cap_at: Option<i64>,
) -> Result<Ends, Fault> {
    let ttl = asked_ttl(rules, wish)?;
    let max_expires_at = issued_at + ceiling(rules, wish)?;
    if max_expires_at <= now {
        return Err(Fault::PastMaximum {
            why: "it was issued longer ago than its role allows",
        });
    }
    let cap_at = cap_at.unwrap_or(i64::MAX);
    if cap_at <= now {
        return Err(Fault::PastMaximum {
            why: "what it is tied to has ended",
        });
    }
    Ok(Ends {
        expires_at: (now + ttl).min(max_expires_at).min(cap_at),
        max_expires_at,
    })
}

/// Refuses a duration that can not be a recipe's: zero, negative, or longer than a hundred years.
pub fn sane(what: &str, us: i64) -> Result<i64, Fault> {
    if us <= 0 {
        Err(Fault::argument(
            format!("{what} is not positive"),
            "Give a duration such as '1 hour', or null for the default.",
        ))
    } else if us > LONGEST_US {
        Err(Fault::argument(
            format!("{what} is longer than 100 years"),
            "A lease always ends: give a shorter duration.",
        ))
    } else {
        Ok(us)
    }
}

fn asked_ttl(rules: Rules, wish: Wish) -> Result<i64, Fault> {
    match wish.ttl_us {
        // Longer than the ceiling is capped below, so only the lower side can be wrong.
        Some(ttl) => sane("ttl", ttl.min(LONGEST_US)),
        None => Ok(rules.default_us.unwrap_or(DEFAULT_US).min(LONGEST_US)),
    }
}

fn ceiling(rules: Rules, wish: Wish) -> Result<i64, Fault> {
    let asked = wish.max_us.map(|max| sane("max_ttl", max)).transpose()?;
    Ok(match (rules.max_us, asked) {
        (None, None) => CEILING_US,
        (Some(one), None) | (None, Some(one)) => one,
        (Some(recipe), Some(asked)) => recipe.min(asked),
    }
    .min(LONGEST_US))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Strategy, any, proptest};

    const NOW: i64 = 800_000_000 * SECOND_US;
    const HOUR: i64 = 3_600 * SECOND_US;
    const DAY: i64 = 24 * HOUR;

    fn rules(default_us: Option<i64>, max_us: Option<i64>) -> Rules {
        Rules { default_us, max_us }
    }

    fn wish(ttl_us: Option<i64>, max_us: Option<i64>) -> Wish {
        Wish { ttl_us, max_us }
    }

    #[test]
    fn issue_takes_the_lowest() {
        let check = |rules, wish, cap, ttl: i64, max: i64| {
            let ends = issue(NOW, rules, wish, cap).expect("it is allowed");
            assert_eq!(
                (ends.expires_at - NOW, ends.max_expires_at - NOW),
                (ttl, max),
                "{rules:?} {wish:?} {cap:?}"
            );
        };
        let none = rules(None, None);
        check(none, wish(None, None), None, HOUR, 32 * DAY);
        check(none, wish(Some(2 * HOUR), None), None, 2 * HOUR, 32 * DAY);
        check(none, wish(Some(64 * DAY), None), None, 32 * DAY, 32 * DAY);
        check(
            none,
            wish(Some(64 * DAY), Some(90 * DAY)),
            None,
            64 * DAY,
            90 * DAY,
        );
        let role = rules(Some(2 * HOUR), Some(DAY));
        check(role, wish(None, None), None, 2 * HOUR, DAY);
        check(role, wish(None, Some(HOUR)), None, HOUR, HOUR);
        check(role, wish(None, Some(90 * DAY)), None, 2 * HOUR, DAY);
        check(role, wish(Some(3 * DAY), None), None, DAY, DAY);
        check(role, wish(Some(3 * DAY), None), Some(HOUR), HOUR, DAY);
        check(role, wish(Some(1), None), None, 1, DAY);
        check(
            rules(Some(3 * DAY), Some(DAY)),
            wish(None, None),
            None,
            DAY,
            DAY,
        );
    }

    #[test]
    fn issue_refuses_what_is_no_time() {
        for (wish, cap) in [
            (wish(Some(0), None), None),
            (wish(Some(-1), None), None),
            (wish(None, Some(0)), None),
            (wish(None, Some(i64::MAX)), None),
            (wish(None, None), Some(0)),
        ] {
            assert!(
                issue(NOW, Rules::default(), wish, cap).is_err(),
                "{wish:?} {cap:?}"
            );
        }
    }

    #[test]
    fn renew_counts_the_ceiling_from_the_issue() {
        let role = rules(Some(HOUR), Some(DAY));
        let check = |issued_ago: i64, wish, cap: Option<i64>, expect: Option<i64>| {
            let ends = renew(NOW, NOW - issued_ago, role, wish, cap.map(|cap| NOW + cap));
            assert_eq!(
                ends.ok().map(|ends| ends.expires_at - NOW),
                expect,
                "{issued_ago} {wish:?}"
            );
        };
        check(0, wish(None, None), None, Some(HOUR));
        check(DAY - HOUR / 2, wish(None, None), None, Some(HOUR / 2));
        check(DAY - 1, wish(None, None), None, Some(1));
        check(DAY, wish(None, None), None, None);
        check(2 * DAY, wish(Some(1), None), None, None);
        check(HOUR, wish(None, Some(HOUR)), None, None);
        check(
            HOUR,
            wish(Some(3 * SECOND_US), None),
            None,
            Some(3 * SECOND_US),
        );
        check(0, wish(None, None), Some(HOUR / 4), Some(HOUR / 4));
        check(0, wish(None, None), Some(0), None);
    }

    #[test]
    fn seconds_are_rounded_down() {
        for (end, expect) in [
            (0, 0),
            (-1, 0),
            (SECOND_US - 1, 0),
            (SECOND_US, 1),
            (2 * SECOND_US - 1, 1),
        ] {
            assert_eq!(left_seconds(NOW + end, NOW), expect, "{end}");
        }
        assert_eq!(left_seconds(i64::MIN, i64::MAX), 0);
    }

    fn duration() -> impl Strategy<Value = Option<i64>> {
        proptest::option::of(any::<i64>())
    }

    proptest! {
        #[test]
        fn nothing_passes_its_ceiling_or_ends_before_it_began(
            ttl in duration(), max in duration(), cap in duration(), default in 1..LONGEST_US, recipe in 1..LONGEST_US,
            age in 0..LONGEST_US,
        ) {
            let rules = rules(Some(default), Some(recipe));
            if let Ok(ends) = issue(NOW, rules, wish(ttl, max), cap) {
                assert!(NOW < ends.expires_at && ends.expires_at <= ends.max_expires_at);
                assert!(ends.max_expires_at - NOW <= recipe);
            }
            if let Ok(ends) = renew(NOW, NOW - age, rules, wish(ttl, max), cap) {
                assert!(NOW < ends.expires_at && ends.expires_at <= ends.max_expires_at);
                assert!(cap.is_none_or(|cap| ends.expires_at <= cap));
            }
        }
    }
}
