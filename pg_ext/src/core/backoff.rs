//! How long a lease that could not be ended whole waits for its next attempt.

/// The longest wait between two attempts.
pub const WAIT_MAX_SECONDS: i64 = 600;

/// Seconds until the next attempt after `attempts` failed ones (at least 1): 1, 2, 4 … up to ten minutes, for ever.
/// There is no last attempt.
pub fn wait_seconds(attempts: i32) -> i64 {
    let doublings = attempts.saturating_sub(1).clamp(0, 20);
    (1_i64 << doublings).min(WAIT_MAX_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::wait_seconds;

    #[test]
    fn doubles_to_the_cap_and_never_ends() {
        for (attempts, seconds) in [
            (i32::MIN, 1),
            (0, 1),
            (1, 1),
            (2, 2),
            (3, 4),
            (10, 512),
            (11, 600),
            (40, 600),
            (i32::MAX, 600),
        ] {
            assert_eq!(wait_seconds(attempts), seconds, "{attempts}");
        }
    }
}
