//! A token and all above it: what statements that ask whether one lives have in common.

/// The part `line` of a recursive statement: the tokens of these rows, which have `token_id`, `parent_id`, `ended_at` and
/// `expires_at`, and all above each of them, whose `first_id` it is. Keys are looked up one by one, as plans are made before
/// a table is large.
macro_rules! token_line {
    ($rows:literal) => {
        concat!(
            "line as (
    select token_id as first_id, parent_id, ended_at, expires_at from ",
            $rows,
            "
    union all
    select line.first_id, above.parent_id, above.ended_at, above.expires_at
      from line cross join lateral (select * from leasehold_broker.tokens a where a.token_id = line.parent_id offset 0) above
)"
        )
    };
}

/// A condition: this token's `line` has no token that has ended or expired.
macro_rules! lives {
    ($token_id:literal) => {
        concat!(
            "not exists (select from line where line.first_id = ",
            $token_id,
            " and (line.ended_at is not null or line.expires_at <= clock_timestamp()))"
        )
    };
}

pub(super) use {lives, token_line};
