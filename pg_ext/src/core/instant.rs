//! Instants as text, the way `{{expiration}}` shows them.

/// Seconds between 1970-01-01, which calendars are computed from, and 2000-01-01, which PostgreSQL counts from.
const EPOCHS_APART_SECONDS: i64 = 946_684_800;

/// An instant of PostgreSQL (microseconds) rounded down to the second, in UTC: a form that the server reads alike
/// whatever its settings say.
pub fn text(at: i64) -> String {
    let seconds = at.div_euclid(1_000_000) + EPOCHS_APART_SECONDS;
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}+0000",
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar: years are counted from March,
/// so that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn known_instants() {
        let check = |seconds: i64, micros: i64, expect: &str| {
            assert_eq!(text(seconds * 1_000_000 + micros), expect)
        };
        check(0, 0, "2000-01-01 00:00:00+0000");
        check(0, 999_999, "2000-01-01 00:00:00+0000");
        check(0, -1, "1999-12-31 23:59:59+0000");
        check(5_097_599, 0, "2000-02-28 23:59:59+0000");
        check(5_097_600, 0, "2000-02-29 00:00:00+0000");
        check(5_184_000, 0, "2000-03-01 00:00:00+0000");
        check(845_337_845, 500_000, "2026-10-15 00:04:05+0000");
        check(
            3_155_760_000 - 86_400 + 86_399,
            0,
            "2099-12-31 23:59:59+0000",
        );
    }
}
