//! How long a token or a lease may live (contract 5.2). Arithmetic only: the instants are the
//! caller's, and so is the clock.

use thiserror::Error;
use time::OffsetDateTime;

use crate::duration::Span;

/// What a mount allows: its own tuning, else the system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MountTtl {
    /// The TTL of what asks for none.
    pub default: Span,
    /// The longest life; above zero.
    pub max: Span,
}

/// What is asked for, and what a role or a caller allows. Zero means "not given" everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// What the caller asks for.
    pub increment: Span,
    /// The role's default.
    pub role_default: Span,
    /// The role's maximum.
    pub role_max: Span,
    /// Renewed without end, this long at a time.
    pub period: Span,
    /// The caller's own maximum.
    pub explicit_max: Span,
}

/// What is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// How long it lives from now on; above zero.
    pub ttl: Span,
    /// How long it may live at all, from its issue; None while a period renews it.
    pub hard_stop: Option<Span>,
    /// What was not granted as wished.
    pub warnings: Vec<String>,
}

/// Nothing remains of the maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("past the max TTL, cannot renew")]
pub struct PastMax;

impl MountTtl {
    /// From seconds, where 0 inherits the system's value.
    pub fn from_seconds(
        tuned_default: i64,
        tuned_max: i64,
        system_default: i64,
        system_max: i64,
    ) -> MountTtl {
        let tuned = |own: i64, system: i64| Span::from_seconds(if own > 0 { own } else { system });
        MountTtl {
            default: tuned(tuned_default, system_default),
            max: tuned(tuned_max, system_max),
        }
    }
}

/// A limit as it is kept: in whole seconds, of which 0 is none. One of less than a second is a second.
pub fn kept_seconds(limit: Span) -> i64 {
    match limit > Span::ZERO {
        true => limit.seconds().max(1),
        false => limit.seconds(),
    }
}

/// How old something is, in whole seconds, as TTLs are counted. Its real age is up to a second more or less: what must not be
/// passed is to be bound by the instant of issue, too.
pub fn age(issued_at: OffsetDateTime, now: OffsetDateTime) -> Span {
    Span::from_seconds((now.unix_timestamp() - issued_at.unix_timestamp()).max(0))
}

/// Computes a TTL. `age` is zero at issue.
pub fn grant(wish: Wish, mount: MountTtl, age: Span) -> Result<Granted, PastMax> {
    let given = |span: Span| Some(span).filter(|span| *span > Span::ZERO);
    let max = [given(wish.role_max), given(wish.explicit_max)]
        .into_iter()
        .flatten()
        .fold(mount.max, Span::min);
    let mut warnings = Vec::new();
    let (mut ttl, hard_stop) = match given(wish.period) {
        Some(period) => {
            if period > max {
                warnings.push(format!(
                    "period of \"{period}\" exceeded the effective max_ttl of \"{max}\"; \
                     period value is capped accordingly"
                ));
            }
            (period.min(max), given(wish.explicit_max))
        }
        None => {
            let ttl = given(wish.increment)
                .or(given(wish.role_default))
                .unwrap_or(mount.default);
            (ttl, Some(max))
        }
    };
    if let Some(stop) = hard_stop {
        let remaining = stop.saturating_sub(age);
        if remaining <= Span::ZERO {
            return Err(PastMax);
        }
        if ttl > remaining {
            warnings.push(format!(
                "TTL of \"{ttl}\" exceeded the effective max_ttl of \"{remaining}\"; \
                 TTL value is capped accordingly"
            ));
            ttl = remaining;
        }
    }
    match ttl > Span::ZERO {
        true => Ok(Granted {
            ttl,
            hard_stop,
            warnings,
        }),
        false => Err(PastMax),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::duration::parse;

    const SYSTEM_SECONDS: i64 = 2_764_800;

    fn system() -> MountTtl {
        MountTtl::from_seconds(0, 0, SYSTEM_SECONDS, SYSTEM_SECONDS)
    }

    fn wish(fields: &str) -> Wish {
        let mut wish = Wish::default();
        for (name, span) in fields
            .split_whitespace()
            .filter_map(|field| field.split_once('='))
        {
            let field = match name {
                "increment" => &mut wish.increment,
                "default" => &mut wish.role_default,
                "max" => &mut wish.role_max,
                "period" => &mut wish.period,
                "explicit" => &mut wish.explicit_max,
                other => panic!("{other}"),
            };
            *field = parse(span).unwrap();
        }
        wish
    }

    #[test]
    fn grants() {
        let check = |fields: &str, age: &str, expect: Option<(&str, Option<&str>)>| {
            let granted = grant(wish(fields), system(), parse(age).unwrap());
            let expect =
                expect.map(|(ttl, warning)| (parse(ttl).unwrap(), warning.map(str::to_owned)));
            let got = granted
                .ok()
                .map(|granted| (granted.ttl, granted.warnings.into_iter().next()));
            assert_eq!(got, expect, "{fields} after {age}");
        };
        let ttl_of = "TTL value is capped accordingly";
        check("", "0", Some(("768h", None)));
        check("increment=1h", "0", Some(("1h", None)));
        check("default=10m", "0", Some(("10m", None)));
        check("increment=1h default=10m", "0", Some(("1h", None)));
        check("increment=500ms", "0", Some(("500ms", None)));
        let warning =
            format!("TTL of \"769h\" exceeded the effective max_ttl of \"768h\"; {ttl_of}");
        check("increment=769h", "0", Some(("768h", Some(&warning))));
        let warning = format!("TTL of \"30m\" exceeded the effective max_ttl of \"5m\"; {ttl_of}");
        check(
            "increment=30m explicit=5m",
            "0",
            Some(("5m", Some(&warning))),
        );
        let warning = format!("TTL of \"768h\" exceeded the effective max_ttl of \"2m\"; {ttl_of}");
        check("max=2m", "0", Some(("2m", Some(&warning))));
        let warning =
            format!("TTL of \"768h\" exceeded the effective max_ttl of \"500ms\"; {ttl_of}");
        check("explicit=0.5s", "0", Some(("500ms", Some(&warning))));
        let warning =
            format!("TTL of \"768h\" exceeded the effective max_ttl of \"767h59m59s\"; {ttl_of}");
        check("increment=768h", "1", Some(("767h59m59s", Some(&warning))));
        check("increment=1s max=3s", "3s", None);
        check("increment=1s max=3s", "4s", None);
        check("period=1h", "1000h", Some(("1h", None)));
        check("period=1h increment=5h", "0", Some(("1h", None)));
        let warning = "period of \"10000h\" exceeded the effective max_ttl of \"768h\"; \
                       period value is capped accordingly";
        check("period=10000h", "0", Some(("768h", Some(warning))));
        let warning = format!("TTL of \"1h\" exceeded the effective max_ttl of \"30m\"; {ttl_of}");
        check(
            "period=1h explicit=2h",
            "90m",
            Some(("30m", Some(&warning))),
        );
        check("period=1h explicit=2h", "2h", None);
    }

    #[test]
    fn a_limit_is_never_kept_as_none() {
        let check = |limit: &str, expect: i64| {
            assert_eq!(kept_seconds(parse(limit).unwrap()), expect, "{limit}");
        };
        check("0", 0);
        check("1ns", 1);
        check("500ms", 1);
        check("1s", 1);
        check("1500ms", 1);
        check("1h", 3_600);
        check("-500ms", 0);
    }

    #[test]
    fn a_mount_may_allow_more_than_the_system() {
        let mount = MountTtl::from_seconds(0, 12_345_678, SYSTEM_SECONDS, SYSTEM_SECONDS);
        let granted = grant(wish("increment=12345678"), mount, Span::ZERO).unwrap();
        assert_eq!(granted.ttl.seconds(), 12_345_678);
    }

    fn span() -> impl Strategy<Value = Span> {
        prop_oneof![
            Just(Span::ZERO),
            (0_i64..5_000_000).prop_map(Span::from_seconds)
        ]
    }

    proptest! {
        #[test]
        fn never_past_the_maximum(
            (increment, role_default, role_max, period, explicit_max) in (span(), span(), span(), span(), span()),
            (default, max) in (1_i64..5_000_000, 1_i64..5_000_000),
            age in 0_i64..5_000_000,
        ) {
            let wish = Wish { increment, role_default, role_max, period, explicit_max };
            let mount = MountTtl { default: Span::from_seconds(default), max: Span::from_seconds(max) };
            let age = Span::from_seconds(age);
            let Ok(granted) = grant(wish, mount, age) else {
                // Refused only if nothing remains.
                let limits = [mount.max, role_max, explicit_max];
                let least = limits.into_iter().filter(|limit| !limit.is_zero()).min().unwrap();
                prop_assert!(age >= least);
                return Ok(());
            };
            prop_assert!(granted.ttl > Span::ZERO);
            prop_assert!(granted.ttl <= mount.max);
            for limit in [role_max, explicit_max] {
                prop_assert!(limit.is_zero() || granted.ttl <= limit);
            }
            match granted.hard_stop {
                Some(stop) => prop_assert!(age.nanos() + granted.ttl.nanos() <= stop.nanos()),
                None => prop_assert!(!period.is_zero()),
            }
            if !explicit_max.is_zero() {
                prop_assert!(age.nanos() + granted.ttl.nanos() <= explicit_max.nanos());
            }
            // What was wished is granted, or a warning says why not.
            let wished = [period, increment, role_default, mount.default].into_iter().find(|span| !span.is_zero());
            prop_assert_eq!(Some(granted.ttl) == wished, granted.warnings.is_empty());
        }
    }
}
