//! A token and all above it: what statements that ask whether one lives have in common.

/// The part `line` of a recursive statement: the tokens of these rows, which have `token_id`, `parent_id`, `ended_at` and
/// `expires_at`, and all above each of them, whose `first_id` it is. Keys are looked up one by one, as plans are made before
/// a table is large.
macro_rules! token_line {
    ($rows:literal) => {
        token_line!($rows, "", "")
    };
    ($rows:literal, $own:literal, $above:literal) => {
        concat!(
            "line as (
    select token_id as first_id, parent_id, ended_at, expires_at",
            $own,
            " from ",
            $rows,
            "
    union all
    select line.first_id, above.parent_id, above.ended_at, above.expires_at",
            $above,
            "
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

/// The same with what targets are told of owners: `accessor`, `revision`, and `depth`, 1 for the token itself.
macro_rules! owner_line {
    ($rows:literal) => {
        token_line!(
            $rows,
            ", accessor, revision, 1 as depth",
            ", above.accessor, above.revision, line.depth + 1"
        )
    };
}

/// The part `chain` after an `owner_line!`: whether an owner has ended, and what targets are told of all, the token first.
macro_rules! owner_chain {
    ($columns:literal, $group:literal) => {
        concat!(
            "chain as materialized (
    select ",
            $columns,
            "coalesce(bool_or(ended_at is not null or expires_at <= clock_timestamp()), false) as dead,
           array_agg(accessor order by depth) as accessors,
           array_agg((extract(epoch from expires_at - clock_timestamp()) * 1000000)::bigint order by depth) as ttls,
           array_agg(revision order by depth) as revisions
      from line ",
            $group,
            "
)"
        )
    };
}

pub(super) use {lives, owner_chain, owner_line, token_line};
