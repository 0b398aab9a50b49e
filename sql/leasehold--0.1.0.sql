-- Leasehold 0.1.0: the SQL API of the extension, and the tables behind it.
--
-- What it is: everything another program or a person may call, in one file. Nothing else is public.
-- What it is not: logic. The verbs are C functions of the library; this file says what they are called.
--
-- The verbs, with the defaults of their arguments. Every interval is a duration counted by this server's clock; every
-- instant that comes back is for people. `scope` null means all the caller may act on, and `sql` where something is made.
--
--   define_role(name text, member_of name[] = '{}', creation_statements text[] = '{}', revocation_statements text[] = '{}',
--               renewal_statements text[] = '{}', default_ttl interval = '1 hour', max_ttl interval = '24 hours',
--               connection_limit int = null, settings text[] = '{}', reassign_to name = null, drop_owned boolean = false,
--               grants text = 'own', revision bigint = null, scope text = null)           -> digest text
--   drop_role(name text, revision bigint = null, scope text = null)                        -> boolean
--   offer(group_role name, to_role name)                                                   -> void
--   withdraw(group_role name, from_role name)                                              -> boolean
--
--   issue(role text, ttl interval = null, max_ttl interval = null, cap interval = null, owners text[] = null,
--         owner_ttls interval[] = null, owner_revisions bigint[] = null, display_name text = null, login text = null,
--         verifier text = null, request_id text = null, digest text = null, scope text = null)
--      -> (lease_id text, login text, password text, ttl_seconds bigint, max_ttl_seconds bigint,
--          issued_at timestamptz, expires_at timestamptz), one row
--   issue_many(role text, request_ids text[], ttls interval[] = null, max_ttls interval[] = null, caps interval[] = null,
--         owners text[] = null, owner_ttls interval[] = null, owner_revisions bigint[] = null, owner_counts int[] = null,
--         display_names text[] = null, logins text[] = null, verifiers text[] = null, digest text = null, scope text = null)
--      -> rows of (ordinal int, lease_id text, login text, password text, ttl_seconds bigint, max_ttl_seconds bigint,
--          issued_at timestamptz, expires_at timestamptz, sqlstate text, message text), one for each request id;
--          owner_counts says how many of the owners belong to each request
--   settle(request_ids text[], scope text = null)                 -> rows of (request_id text, outcome text, ttl_seconds bigint)
--
--   renew(lease_id text, ttl interval = null, max_ttl interval = null, digest text = null, scope text = null)
--      -> (ttl_seconds bigint, expires_at timestamptz), one row
--   renew_leases(lease_ids text[], ttls interval[] = null, max_ttls interval[] = null, digests text[] = null, scope text = null)
--      -> rows of (ordinal int, ttl_seconds bigint, expires_at timestamptz, sqlstate text, message text), one for each id
--   revoke(lease_id text, scope text = null)                      -> text: fenced, ending or gone
--   revoke_leases(lease_ids text[], scope text = null)            -> bigint: how many of them the sweeper has still to end
--   revoke_prefix(prefix text, at_most int = 500, scope text = null)  -> bigint: how many are left, counted no further than at_most
--   revoke_owner(owner text, scope text = null)                   -> void
--   owner_ends(owner text, parent text, ttl interval, revision bigint, scope text = null)  -> boolean: whether it was news
--   await_ended(lease_ids text[], timeout interval = '10 seconds', scope text = null)
--      -> rows of (lease_id text, state text, pids int[], last_error text)
--   changes(at_most int = 500, scope text = null)
--      -> rows of (id bigint, lease_id text, kind text, ttl_seconds bigint, expires_at timestamptz, cause text, at timestamptz)
--   ack_changes(ids bigint[], scope text = null)                  -> bigint
--   inventory(after text = '', at_most int = 500, scope text = null)
--      -> rows of (lease_id text, role text, login text, owner text, age_seconds bigint, ttl_seconds bigint,
--                  max_ttl_seconds bigint, cap_seconds bigint)
--   sweep(at_most int = 500)                                      -> bigint
--   register_scope(scope text, key text)                          -> void
--
--   lint(statements text[], grants text = 'own') -> rows of (severity text, what text, hint text)
--   doctor() -> rows of (subject text, state text, detail text, hint text), the state being ok, warn or fail
--   check() -> rows of (invariant text, subject text, detail text), none when all is well
--   heartbeat(), installation(), api_version()
--
-- Views: roles, leases, sessions, groups, history, stats, orphans.
-- Group roles: leasehold_issuer, leasehold_definer, leasehold_admin, leasehold_reader.
-- Errors: SQLSTATEs of class LH, listed in the README of the extension.

\echo Use "CREATE EXTENSION leasehold" to load this file. \quit

create schema leasehold;
comment on schema leasehold is 'Short-lived logins: recipes, leases, and the functions that make and end them';

-- === Tables: nobody has rights on them but through the functions and views ===

create table leasehold.scopes (
    scope         text collate "C" primary key,
    installation  uuid not null,
    key_hash      bytea not null,
    registered_at timestamptz not null default clock_timestamp(),
    registered_by name not null,
    constraint scopes_name check (scope <> 'sql' and scope ~ '^[0-9A-Za-z._-]{1,200}$')
);
comment on table leasehold.scopes is 'Stores of brokers that act here; the key is kept as a SHA-256, and counts for the installation it was shown to';

create table leasehold.scope_logins (
    scope     text collate "C" not null references leasehold.scopes,
    login_oid oid not null,
    login     name not null,
    added_at  timestamptz not null default clock_timestamp(),
    primary key (scope, login_oid)
);
comment on table leasehold.scope_logins is 'Logins of brokers that have shown the key of a scope';

create table leasehold.offers (
    group_oid   oid not null,
    group_role  name not null,
    to_oid      oid not null,
    to_role     name not null,
    offered_at  timestamptz not null default clock_timestamp(),
    offered_by  name not null,
    primary key (group_oid, to_oid)
);
comment on table leasehold.offers is 'Groups that definers may hand out although they have no ADMIN OPTION on them';

create table leasehold.recipes (
    scope                 text collate "C" not null,
    role_name             text collate "C" not null,
    digest                text not null,
    revision              bigint not null,
    member_of             name[] not null,
    member_of_oids        oid[] not null,
    creation_statements   text[] not null,
    revocation_statements text[] not null,
    renewal_statements    text[] not null,
    default_ttl           interval,
    max_ttl               interval,
    connection_limit      int,
    settings              text[] not null,
    reassign_to           name,
    reassign_to_oid       oid,
    drop_owned            boolean not null,
    grants                text not null,
    definer               name not null,
    definer_oid           oid not null,
    defined_at            timestamptz not null,
    dropped_at            timestamptz,
    primary key (scope, role_name)
);
comment on table leasehold.recipes is 'Roles in the sense of the product: recipes for logins. A dropped one stays for a day, so that a slow broker can not bring it back';

create table leasehold.owners (
    scope      text collate "C" not null,
    owner      text collate "C" not null,
    parent     text collate "C",
    ends_at    timestamptz,
    revision   bigint not null,
    ended      boolean not null default false,
    ended_at   timestamptz,
    spread_due boolean not null default false,
    primary key (scope, owner),
    constraint owners_ended check (ended = (ended_at is not null)),
    constraint owners_no_own_parent check (parent <> owner)
);
create index owners_parent on leasehold.owners (scope, parent) where parent is not null;
create index owners_spread_due on leasehold.owners (scope, owner) where spread_due;
create index owners_end on leasehold.owners ((coalesce(ended_at, ends_at)));
comment on table leasehold.owners is 'What leases are tied to besides their own end (tokens, for a broker); a lease ends with its owner and its owner''s parents';

create table leasehold.live_leases (
    lease_number          bigint generated by default as identity primary key,
    scope                 text collate "C" not null,
    lease_id              text collate "C" not null,
    role_name             text collate "C" not null,
    digest                text not null,
    login                 name,
    login_oid             oid,
    owner                 text collate "C",
    display_name          text,
    issued_by             name not null,
    issued_by_oid         oid not null,
    issued_at             timestamptz not null,
    expires_at            timestamptz not null,
    cap_at                timestamptz,
    max_expires_at        timestamptz not null,
    due_at                timestamptz not null,
    state                 text not null default 'active',
    fenced_at             timestamptz,
    attempts              int not null default 0,
    last_error            text,
    next_attempt_at       timestamptz,
    cause                 text,
    ended_by              name,
    definer               name not null,
    definer_oid           oid not null,
    revocation_statements text[],
    statements_ran_at     timestamptz,
    reassign_to           name,
    reassign_to_oid       oid,
    drop_owned            boolean not null,
    unique (scope, lease_id),
    constraint live_leases_state check (state in ('active', 'fenced') and (state = 'fenced') = (fenced_at is not null)),
    constraint live_leases_ends check (isfinite(due_at) and isfinite(max_expires_at)
                                       and expires_at <= max_expires_at and due_at <= expires_at),
    constraint live_leases_login check ((login is null) = (login_oid is null))
);
create unique index live_leases_login_oid on leasehold.live_leases (login_oid);
create index live_leases_due_at on leasehold.live_leases (due_at) where state = 'active';
create index live_leases_owner_due_at on leasehold.live_leases (due_at)
    where state = 'active' and owner is not null and due_at < expires_at;
create index live_leases_next_attempt_at on leasehold.live_leases (next_attempt_at) where state = 'fenced';
create index live_leases_owner on leasehold.live_leases (scope, owner, due_at) where owner is not null and state = 'active';
alter table leasehold.live_leases set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
comment on table leasehold.live_leases is 'Leases that are not gone. due_at is the earliest of their own end, their cap and the ends of their owners';

create table leasehold.shared_groups (
    group_number    bigint generated by default as identity primary key,
    scope           text collate "C" not null,
    role_name       text collate "C" not null,
    digest          text not null unique,
    group_role      name,
    group_oid       oid,
    reassign_to     name,
    reassign_to_oid oid,
    drop_owned      boolean not null,
    fingerprint     bytea,
    applied_at      timestamptz,
    attempts        int not null default 0,
    last_error      text,
    next_attempt_at timestamptz not null default clock_timestamp(),
    constraint shared_groups_role check ((group_role is null) = (group_oid is null))
);
comment on table leasehold.shared_groups is 'The groups that hold the grants of shared recipes: one for each text of a recipe, until nothing needs it';

create table leasehold.end_requests (
    lease_number bigint primary key,
    cause        text not null,
    ended_by     name not null,
    requested_at timestamptz not null default clock_timestamp()
);
comment on table leasehold.end_requests is 'Ends that were asked for while somebody held the lease''s row; the sweeper takes them as due';

create table leasehold.past_leases (
    lease_number bigint primary key,
    scope        text collate "C" not null,
    lease_id     text collate "C" not null,
    role_name    text collate "C" not null,
    login        name,
    login_oid    oid,
    owner        text collate "C",
    display_name text,
    issued_by    name not null,
    issued_at    timestamptz not null,
    expires_at   timestamptz not null,
    fenced_at    timestamptz,
    gone_at      timestamptz not null,
    cause        text not null,
    ended_by     name,
    attempts     int not null,
    last_error   text
);
create index past_leases_gone_at on leasehold.past_leases (gone_at);
create index past_leases_lease_id on leasehold.past_leases (scope, lease_id);
comment on table leasehold.past_leases is 'Leases that are gone, kept for a while for people to read';

create table leasehold.requests (
    scope        text collate "C" not null,
    request_id   text collate "C" not null,
    lease_number bigint,
    fingerprint  bytea,
    requested_at timestamptz not null default clock_timestamp(),
    primary key (scope, request_id),
    constraint requests_outcome check ((lease_number is null) = (fingerprint is null))
);
create index requests_requested_at on leasehold.requests (requested_at);
comment on table leasehold.requests is 'Which request made which lease; a row without a lease says that the request is cancelled. issue and settle both insert here, so one of them wins';

create table leasehold.outbox (
    id           bigint generated always as identity primary key,
    scope        text collate "C" not null,
    lease_number bigint not null,
    lease_id     text collate "C" not null,
    kind         text not null,
    expires_at   timestamptz,
    cause        text,
    at           timestamptz not null default clock_timestamp(),
    constraint outbox_kind check (kind in ('renewed', 'ended'))
);
create index outbox_scope on leasehold.outbox (scope, id);
comment on table leasehold.outbox is 'Renewals and ends that a broker''s store has not acknowledged yet';

-- A dump carries all of it: after a restore leases are matched with logins again by label and name.
do $$
declare
    kept oid;
begin
    for kept in select t.oid from pg_catalog.pg_class t
                 where t.relnamespace = 'leasehold'::pg_catalog.regnamespace and t.relkind in ('r', 'S') order by t.oid loop
        perform pg_catalog.pg_extension_config_dump(kept, '');
    end loop;
end
$$;

revoke all on all tables in schema leasehold from public;
revoke all on all sequences in schema leasehold from public;

-- === Locks of access lists: the same rows in every installation, so they are not dumped ===

create table leasehold.acl_locks (
    class text collate "C" primary key
);
comment on table leasehold.acl_locks is 'A row for each kind of object that is granted; who rewrites access lists of that kind locks it first, so that concurrent grants on one table wait instead of failing; and one for who names a parent of an owner that is not known';
insert into leasehold.acl_locks values ('database'), ('owners'), ('relation'), ('rest'), ('routine'), ('schema'), ('type');

-- === Rows say as whom texts run, who may act and when a lease ends: predefined roles that write all data, whatever an access
--     list says, do not write those. Row level security would see to it, too, but has every kept plan made anew each time ===

create function leasehold.refuse_others() returns trigger
language c
as 'MODULE_PATHNAME', 'refuse_others_wrapper';
comment on function leasehold.refuse_others() is 'Of a trigger: refuses whoever is neither the owner of the table nor a superuser';

do $$
declare
    own name;
begin
    for own in select t.relname from pg_catalog.pg_class t
                where t.relnamespace = 'leasehold'::pg_catalog.regnamespace and t.relkind = 'r' loop
        execute pg_catalog.format('create trigger refuse_others before insert or update or delete or truncate on leasehold.%I
            for each statement execute function leasehold.refuse_others()', own);
        -- Replication's role of a session, a loader's or a subscriber's, passes by all others.
        execute pg_catalog.format('alter table leasehold.%I enable always trigger refuse_others', own);
    end loop;
end
$$;

-- === Recipes ===

create function leasehold.define_role(
    name text, member_of name[] default '{}', creation_statements text[] default '{}',
    revocation_statements text[] default '{}', renewal_statements text[] default '{}',
    default_ttl interval default '1 hour', max_ttl interval default '24 hours', connection_limit int default null,
    settings text[] default '{}', reassign_to name default null, drop_owned boolean default false,
    grants text default 'own', revision bigint default null, scope text default null)
returns text
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'define_role_wrapper';
comment on function leasehold.define_role(text, name[], text[], text[], text[], interval, interval, int, text[], name, boolean, text, bigint, text) is
'Defines a recipe for logins, or replaces it, and gives the digest of its text. Its statements run with the rights of whoever defines it';

create function leasehold.drop_role(name text, revision bigint default null, scope text default null)
returns boolean
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'drop_role_wrapper';
comment on function leasehold.drop_role(text, bigint, text) is
'Drops a recipe; true if it was there. Leases made by it live on to their end';

create function leasehold.offer(group_role name, to_role name)
returns void
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'offer_group_wrapper';
comment on function leasehold.offer(name, name) is
'Lets recipes defined by a role (or by its members) hand out membership in a group. For superusers';

create function leasehold.withdraw(group_role name, from_role name)
returns boolean
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'withdraw_group_wrapper';
comment on function leasehold.withdraw(name, name) is
'Takes an offer back; true if there was one. Logins that live keep what they have. For superusers';

create function leasehold.lint(statements text[], grants text default 'own', out severity text, out what text, out hint text)
returns setof record
language c volatile set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'lint_statements_wrapper';
comment on function leasehold.lint(text[], text) is
'What a person should know of creation statements before logins are made by them (error, warning, info), and whether their grants can be shared: what stands in the way is an error for grants => ''shared''. Nothing is run';

-- === Issuing ===

create function leasehold.issue(
    role text, ttl interval default null, max_ttl interval default null, cap interval default null,
    owners text[] default null, owner_ttls interval[] default null, owner_revisions bigint[] default null,
    display_name text default null, login text default null, verifier text default null,
    request_id text default null, digest text default null, scope text default null)
returns table (lease_id text, login text, password text, ttl_seconds bigint, max_ttl_seconds bigint,
               issued_at timestamptz, expires_at timestamptz)
language c volatile parallel unsafe rows 1 set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'issue_lease_wrapper';
comment on function leasehold.issue(text, interval, interval, interval, text[], interval[], bigint[], text, text, text, text, text, text) is
'Makes a login and its lease in this transaction. The password is shown once, and only if no verifier was given';

create function leasehold.issue_many(
    role text, request_ids text[], ttls interval[] default null, max_ttls interval[] default null, caps interval[] default null,
    owners text[] default null, owner_ttls interval[] default null, owner_revisions bigint[] default null,
    owner_counts int[] default null, display_names text[] default null, logins text[] default null,
    verifiers text[] default null, digest text default null, scope text default null)
returns table (ordinal int, lease_id text, login text, password text, ttl_seconds bigint, max_ttl_seconds bigint,
               issued_at timestamptz, expires_at timestamptz, sqlstate text, message text)
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'issue_many_wrapper';
comment on function leasehold.issue_many(text, text[], interval[], interval[], interval[], text[], interval[], bigint[], int[], text[], text[], text[], text, text) is
'Makes many logins of one role and their leases in this transaction; a null request id is made up. A request that can not be read, or has had its answer, has its SQLSTATE and message; any other failure is one of the whole call';

create function leasehold.settle(request_ids text[], scope text default null)
returns table (request_id text, outcome text, ttl_seconds bigint)
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'settle_requests_wrapper';
comment on function leasehold.settle(text[], text) is
'What became of requests whose answer got lost: issued, ended, or cancelled from now on';

-- === Living ===

create function leasehold.renew(
    lease_id text, ttl interval default null, max_ttl interval default null, digest text default null,
    scope text default null)
returns table (ttl_seconds bigint, expires_at timestamptz)
language c volatile parallel unsafe rows 1 set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'renew_lease_wrapper';
comment on function leasehold.renew(text, interval, interval, text, text) is
'Gives a living lease a new end, counted from now and never past its maximum, which is counted from the issue';

create function leasehold.renew_leases(
    lease_ids text[], ttls interval[] default null, max_ttls interval[] default null, digests text[] default null,
    scope text default null)
returns table (ordinal int, ttl_seconds bigint, expires_at timestamptz, sqlstate text, message text)
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'renew_leases_wrapper';
comment on function leasehold.renew_leases(text[], interval[], interval[], text[], text) is
'Renews many leases in this transaction. One that is refused has its SQLSTATE and message, and the others are renewed';

create function leasehold.revoke(lease_id text, scope text default null)
returns text
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'revoke_lease_wrapper';
comment on function leasehold.revoke(text, text) is
'Ends a lease when this transaction commits: fenced (no login is possible then), ending (its worker is woken then), or gone (there is none)';

create function leasehold.revoke_leases(lease_ids text[], scope text default null)
returns bigint
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'revoke_leases_wrapper';
comment on function leasehold.revoke_leases(text[], text) is
'Ends these leases when this transaction commits, at most 10,000 at once; how many of them are not fenced then and left to the worker';

create function leasehold.revoke_prefix(prefix text, at_most int default 500, scope text default null)
returns bigint
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'revoke_prefix_wrapper';
comment on function leasehold.revoke_prefix(text, int, text) is
'Ends leases whose id is the prefix or lies below it, cut at slashes, at most so many at once; how many are left, counted no further than that';

create function leasehold.revoke_owner(owner text, scope text default null)
returns void
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'revoke_owner_wrapper';
comment on function leasehold.revoke_owner(text, text) is
'Ends an owner for ever, and with it everything that is tied to it or to what is below it';

create function leasehold.owner_ends(owner text, parent text, ttl interval, revision bigint, scope text default null)
returns boolean
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'owner_ends_wrapper';
comment on function leasehold.owner_ends(text, text, interval, bigint, text) is
'Says how long an owner still lives (null for ever, zero no longer) and what it ends with; false if that is old news';

create function leasehold.changes(at_most int default 500, scope text default null)
returns table (id bigint, lease_id text, kind text, ttl_seconds bigint, expires_at timestamptz, cause text, at timestamptz)
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'read_changes_wrapper';
comment on function leasehold.changes(int, text) is
'Renewals and ends that the store of a scope has not acknowledged, oldest first';

create function leasehold.ack_changes(ids bigint[], scope text default null)
returns bigint
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'ack_changes_wrapper';
comment on function leasehold.ack_changes(bigint[], text) is
'Acknowledges changes by their ids; how many of them were still there';

create function leasehold.inventory(after text default '', at_most int default 500, scope text default null)
returns table (lease_id text, role text, login text, owner text, age_seconds bigint, ttl_seconds bigint,
               max_ttl_seconds bigint, cap_seconds bigint)
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'read_inventory_wrapper';
comment on function leasehold.inventory(text, int, text) is
'The active leases of a scope after an id, in order: what a store compares itself with. Maximum and cap count from the issue';

create function leasehold.register_scope(scope text, key text)
returns void
language c volatile parallel unsafe set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'register_scope_wrapper';
comment on function leasehold.register_scope(text, text) is
'Lets the calling role act in the scope of a store, by showing the key that the store has shown first';

-- === Group roles: cluster-wide, so another database's installation may have made them; a stranger's are an error ===

do $$
declare
    wanted text;
    found oid;
begin
    foreach wanted in array array['leasehold_issuer', 'leasehold_definer', 'leasehold_admin', 'leasehold_reader'] loop
        select a.oid into found from pg_catalog.pg_authid a where a.rolname = wanted::name;
        if found is null then
            execute pg_catalog.format('create role %I nologin', wanted);
            execute pg_catalog.format('security label for leasehold on role %I is %L', wanted, 'group');
        elsif not exists (
            select from pg_catalog.pg_shseclabel s
             where s.objoid = found and s.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
               and s.provider = 'leasehold' and s.label = 'group'
        ) then
            raise exception using errcode = 'duplicate_object',
                message = pg_catalog.format('role "%s" already exists and is not leasehold''s', wanted),
                hint = 'Rename or drop that role. If it is leasehold''s, restored from a dump without labels, run: '
                    || pg_catalog.format('security label for leasehold on role %I is ''group''', wanted);
        end if;
    end loop;
    if not pg_catalog.pg_has_role('leasehold_admin', 'leasehold_reader', 'member') then
        execute 'grant leasehold_reader to leasehold_admin';
    end if;
end
$$;

comment on role leasehold_issuer is 'leasehold: issues, renews and ends leases in its scopes';
comment on role leasehold_definer is 'leasehold: defines recipes in its scopes, with its own rights';
comment on role leasehold_admin is 'leasehold: a person who sees and ends every lease';
comment on role leasehold_reader is 'leasehold: reads the views';

-- === This installation's identity: the label of its database; one that a dump brought along is kept ===

do $$
begin
    if not exists (
        select from pg_catalog.pg_shseclabel s join pg_catalog.pg_database d on d.oid = s.objoid
         where s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass and s.provider = 'leasehold'
           and d.datname = pg_catalog.current_database()
    ) then
        execute pg_catalog.format('security label for leasehold on database %I is %L',
                                  pg_catalog.current_database(), pg_catalog.gen_random_uuid());
    end if;
end
$$;

-- === Views ===

create view leasehold.roles as
select r.scope, r.role_name as role, r.digest, r.revision, r.member_of, r.creation_statements, r.revocation_statements,
       r.renewal_statements, r.default_ttl, r.max_ttl, r.connection_limit, r.settings, r.reassign_to, r.drop_owned,
       r.grants, r.definer, r.defined_at,
       (select pg_catalog.count(*) from leasehold.live_leases l
         where l.scope = r.scope and l.role_name = r.role_name and l.state = 'active') as live_leases
  from leasehold.recipes r
 where r.dropped_at is null;
comment on view leasehold.roles is 'Recipes, with how many active leases each has';

-- Whoever reads a view sees other people's sessions as nulls, so the server is asked with the owner's rights.
create function leasehold.login_sessions(
    out login_oid oid, out pid int, out database_oid oid, out application_name text, out client_addr inet,
    out backend_start timestamptz, out state text, out state_change timestamptz)
returns setof record
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select a.usesysid, a.pid, a.datid, a.application_name, a.client_addr, a.backend_start, a.state, a.state_change
      from pg_catalog.pg_stat_get_activity(null) a
     where a.usesysid is not null and a.usesysid <> 0
       and exists (select from leasehold.live_leases l where l.login_oid = a.usesysid)
$$;
comment on function leasehold.login_sessions() is 'Sessions of logins that have a lease, without what they run';

create view leasehold.leases as
select l.lease_id, l.role_name as role, l.login, l.owner, l.display_name, l.issued_at, l.expires_at,
       greatest(l.due_at - pg_catalog.clock_timestamp(), interval '0') as time_left,
       coalesce(s.sessions, 0) as sessions, l.state, l.last_error,
       l.scope, l.issued_by, l.max_expires_at, l.cap_at, l.due_at, l.fenced_at, l.attempts, l.next_attempt_at, l.cause,
       l.ended_by, l.login_oid, l.lease_number,
       case when exists (select from leasehold.shared_groups g where g.digest = l.digest) then 'shared' else 'own' end as grants
  from leasehold.live_leases l
  left join (select x.login_oid, pg_catalog.count(*) as sessions from leasehold.login_sessions() x group by x.login_oid) s
    on s.login_oid = l.login_oid;
comment on view leasehold.leases is 'Leases that are not gone: who holds what, until when, and what keeps a fenced one here';

create view leasehold.sessions as
select l.lease_id, l.role_name as role, l.login, s.pid, d.datname as database, s.application_name, s.client_addr,
       s.backend_start, s.state, s.state_change, l.display_name, l.due_at, l.scope
  from leasehold.login_sessions() s
  join leasehold.live_leases l on l.login_oid = s.login_oid
  left join pg_catalog.pg_database d on d.oid = s.database_oid;
comment on view leasehold.sessions is 'Every open session of a leased login, in all databases of the cluster';

create view leasehold.groups as
select g.group_role, g.role_name as role, g.scope,
       (select pg_catalog.count(*) from pg_catalog.pg_auth_members m
          join leasehold.live_leases l on l.login_oid = m.member where m.roleid = g.group_oid) as logins,
       exists (select from leasehold.recipes r where r.scope = g.scope and r.role_name = g.role_name
                  and r.digest = g.digest and r.dropped_at is null) as current,
       g.applied_at, g.attempts, g.last_error, g.digest
  from leasehold.shared_groups g;
comment on view leasehold.groups is 'The groups that hold the grants of shared recipes. One that is not current goes with its last login; last_error says what keeps it';

create view leasehold.history as
select p.lease_id, p.role_name as role, p.login, p.owner, p.display_name, p.issued_by, p.issued_at, p.expires_at,
       p.fenced_at, p.gone_at, p.cause, p.ended_by, p.attempts, p.last_error, p.scope, p.login_oid, p.lease_number
  from leasehold.past_leases p;
comment on view leasehold.history is 'Leases that are gone, kept for the setting leasehold.history_days';

create view leasehold.stats as
select (select pg_catalog.count(*) from leasehold.live_leases l where l.state = 'active') as active,
       (select pg_catalog.count(*) from leasehold.live_leases l where l.state = 'fenced') as fenced,
       (select pg_catalog.count(*) from leasehold.live_leases l where l.state = 'fenced' and l.last_error is not null) as stuck,
       (select pg_catalog.count(*) from leasehold.live_leases l where l.state = 'active' and l.due_at <= pg_catalog.now()) as overdue,
       (select pg_catalog.min(l.due_at) from leasehold.live_leases l where l.state = 'active') as next_due_at,
       (select pg_catalog.count(*) from leasehold.recipes r where r.dropped_at is null) as roles,
       (select pg_catalog.count(*) from leasehold.past_leases) as past,
       (select pg_catalog.count(*) from leasehold.outbox) as unacknowledged_changes,
       (select pg_catalog.count(*) from leasehold.login_sessions()) as sessions;
comment on view leasehold.stats is 'One row of counts';

create view leasehold.orphans as
with marks as (
    select s.objoid, s.label, s.label like 'shared/%' as is_group,
           pg_catalog.split_part(s.label, '/', case when s.label like 'shared/%' then 2 else 1 end) as installation,
           pg_catalog.split_part(s.label, '/', case when s.label like 'shared/%' then 3 else 2 end) as number
      from pg_catalog.pg_shseclabel s
     where s.provider = 'leasehold' and s.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass and s.label <> 'group'),
homes as (
    select o.objoid, o.label as installation from pg_catalog.pg_shseclabel o
     where o.provider = 'leasehold' and o.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass),
own as (
    select h.installation from homes h
      join pg_catalog.pg_database d on d.oid = h.objoid and d.datname = pg_catalog.current_database())
select m.objoid as login_oid, a.rolname as login, m.label,
       case when m.installation = own.installation then 'label without a lease' else 'installation unknown' end as reason
  from marks m
  join pg_catalog.pg_roles a on a.oid = m.objoid
 cross join own
 where case when m.installation <> own.installation
            then not exists (select from homes h where h.installation = m.installation)
            when m.is_group
            then not exists (select from leasehold.shared_groups g
                              where g.group_role = a.rolname and g.group_number::text = m.number)
            else not exists (select from leasehold.live_leases l
                              where l.login_oid = m.objoid and l.lease_number::text = m.number) end;
comment on view leasehold.orphans is 'Logins that carry a mark of leasehold but have no lease here or anywhere, and groups that no recipe has';

-- === What is known of this place ===

create function leasehold.api_version() returns int
language sql immutable parallel safe
as 'select 1';
comment on function leasehold.api_version() is 'The version of these functions and views; a program that knows another major must not go on';

create function leasehold.installation(
    out installation uuid, out system_identifier bigint, out database_oid oid, out extension_version text, out api_version int)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select (select s.label::uuid from pg_catalog.pg_shseclabel s
             where s.provider = 'leasehold' and s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass and s.objoid = d.oid),
           (select c.system_identifier from pg_catalog.pg_control_system() c),
           d.oid,
           (select e.extversion from pg_catalog.pg_extension e where e.extname = 'leasehold'),
           leasehold.api_version()
      from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()
$$;
comment on function leasehold.installation() is 'The id of this installation, which a broker knows its target by, and what tells a clone from the original';

-- === The end of leases: sweep, wait, look ===

create function leasehold.await_ended(lease_ids text[], timeout interval default '10 seconds', scope text default null)
returns table (lease_id text, state text, pids int[], last_error text)
language c volatile set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'await_ended_wrapper';
comment on function leasehold.await_ended(text[], interval, text) is
    'Waits until all of these leases are gone, or no access is left (all fenced, without sessions) after two seconds. In a transaction of its own';

create function leasehold.sweep(at_most int default 500) returns bigint
language c volatile set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'sweep_wrapper';
comment on function leasehold.sweep(int) is
    'Fences and drops leases that are due, as far as one transaction can; how many. The worker does this by itself; without preload, call it often';

create function leasehold.heartbeat(out preloaded boolean, out enforced boolean, out sweeper_pid int, out age_ms bigint)
returns setof record
language c volatile set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'heartbeat_wrapper';
comment on function leasehold.heartbeat() is
    'Whether the library is preloaded, and whether the sweeper of this database has shown a sign of life within five seconds';

-- The library refuses to let the extension go while a lease lives, but only where it is loaded.
create function leasehold.guard() returns event_trigger
language c set search_path = pg_catalog, pg_temp
as 'MODULE_PATHNAME', 'guard_wrapper';
comment on function leasehold.guard() is 'Loads the library before something is dropped, so that it can refuse';
create event trigger leasehold_guard on ddl_command_start
    when tag in ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED') execute function leasehold.guard();

create function leasehold.check(out invariant text, out subject text, out detail text)
returns setof record
language sql volatile security definer set search_path = pg_catalog, pg_temp
-- All leases are joined with all marks: one after the other for each, should the planner expect but few.
set enable_nestloop = off
as $$
with
home as (
    select d.oid, s.label
      from pg_catalog.pg_database d
      left join pg_catalog.pg_shseclabel s
        on s.objoid = d.oid and s.provider = 'leasehold' and s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass
     where d.datname = pg_catalog.current_database()),
marks as (
    select a.oid, a.rolname, s.label, pg_catalog.split_part(s.label, '/', 2) as number
      from pg_catalog.pg_shseclabel s
      join pg_catalog.pg_authid a on a.oid = s.objoid
      join home h on pg_catalog.split_part(s.label, '/', 1) = h.label
     where s.provider = 'leasehold' and s.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass),
live as (
    select l.*, m.oid is not null as marked, a.oid is not null as present,
           a.rolcanlogin or a.rolpassword is not null as armed
      from leasehold.live_leases l
      left join marks m on m.oid = l.login_oid and m.number = l.lease_number::text
      left join pg_catalog.pg_authid a on a.oid = l.login_oid),
reach (login, role, lease_number) as (
    select x.login, x.role, x.lease_number from (
        with recursive r (login, role, lease_number) as (
            select l.login_oid, l.login_oid, l.lease_number from live l where l.marked
            union
            select r.login, m.roleid, r.lease_number
              from r join pg_catalog.pg_auth_members m on m.member = r.role)
        select r.* from r) x),
chain (lease_number, scope, owner) as (
    select x.lease_number, x.scope, x.owner from (
        with recursive c (lease_number, scope, owner) as (
            select l.lease_number, l.scope, l.owner from live l where l.state = 'active' and l.owner is not null
            union
            select c.lease_number, c.scope, o.parent
              from c join leasehold.owners o on o.scope = c.scope and o.owner = c.owner where o.parent is not null)
        select c.* from c) x),
violations (invariant, subject, detail) as (
    select 'the database carries the label of its installation', pg_catalog.current_database()::text,
           'the label is missing or is not an installation''s: nobody enforces leases here'
      from home h
     where h.label is null or h.label !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    union all
    select 'an installation lives in one database', d.datname::text,
           'carries the label of this database too: leases are enforced in the older one only. Drop the copy, or give it a label of its own'
      from pg_catalog.pg_shseclabel s
      join home h on h.label = s.label and h.oid <> s.objoid
      join pg_catalog.pg_database d on d.oid = s.objoid
     where s.provider = 'leasehold' and s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass
    union all
    select 'a marked login has exactly one lease that is not gone', m.rolname::text, m.label
      from marks m where not exists (select from live l where l.login_oid = m.oid and l.marked)
    union all
    select 'a lease that is not gone has its login', l.lease_id,
           case when l.present then 'the login "' || l.login || '" does not carry its mark'
                else 'the login "' || l.login || '" does not exist' end
      from live l where l.login_oid is not null and not l.marked
       and not (l.state = 'fenced' and not l.present)
    union all
    select 'no login after the end', l.lease_id, 'the login "' || l.login || '" can still log in'
      from live l
     where l.present and l.armed
       and (l.state = 'fenced' or l.due_at < pg_catalog.clock_timestamp() - interval '1 second')
    union all
    select 'no session after the end', l.lease_id, 'pid ' || a.pid
      from pg_catalog.pg_stat_get_activity(null) a join live l on l.login_oid = a.usesysid
     where l.due_at < pg_catalog.clock_timestamp() - interval '2 seconds'
        or l.fenced_at < pg_catalog.clock_timestamp() - interval '1 second'
    union all
    select 'no session of a user that does not exist', a.pid::text, 'user ' || a.usesysid
      from pg_catalog.pg_stat_get_activity(null) a
     where a.usesysid <> 0 and a.backend_start < pg_catalog.clock_timestamp() - interval '2 seconds'
       and not exists (select from pg_catalog.pg_authid r where r.oid = a.usesysid)
    union all
    select 'a lease ends, and not after its maximum', l.lease_id, 'expires_at ' || l.expires_at
      from live l
     where not pg_catalog.isfinite(l.expires_at) or not pg_catalog.isfinite(l.max_expires_at)
        or l.expires_at > l.max_expires_at or l.due_at > l.expires_at or l.due_at > l.cap_at
    union all
    select 'a lease ends with its owner', l.lease_id, 'owner "' || o.owner || '" has ended'
      from chain c
      join leasehold.owners o on o.scope = c.scope and o.owner = c.owner
      join live l on l.lease_number = c.lease_number
     where coalesce(o.ended_at, o.ends_at) < pg_catalog.clock_timestamp() - interval '2 seconds'
    union all
    select 'a login has no power beyond its recipe', g.rolname::text, 'through "' || a.rolname || '"'
      from reach r
      join pg_catalog.pg_authid a on a.oid = r.role
      join pg_catalog.pg_authid g on g.oid = r.login
      join leasehold.live_leases l on l.lease_number = r.lease_number
      left join pg_catalog.pg_authid d on d.oid = l.definer_oid
     where not coalesce(d.rolsuper, false)
       and (a.rolsuper or a.rolcreaterole or a.rolcreatedb or a.rolreplication or a.rolbypassrls
            or a.rolname in ('pg_create_subscription', 'pg_execute_server_program', 'pg_maintain', 'pg_read_all_data',
                             'pg_read_server_files', 'pg_signal_autovacuum_worker', 'pg_signal_backend',
                             'pg_use_reserved_connections', 'pg_write_all_data', 'pg_write_server_files'))
    union all
    select 'a fenced login belongs to no group', l.lease_id, 'member of "' || g.rolname || '"'
      from live l
      join pg_catalog.pg_auth_members m on m.member = l.login_oid
      join pg_catalog.pg_authid g on g.oid = m.roleid
     where l.state = 'fenced' and l.marked
    union all
    select 'a group of a shared recipe is known and can not log in', a.rolname::text, s.label
      from pg_catalog.pg_shseclabel s
      join pg_catalog.pg_authid a on a.oid = s.objoid
      join home h on pg_catalog.split_part(s.label, '/', 2) = h.label
     where s.provider = 'leasehold' and s.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass and s.label like 'shared/%'
       and (a.rolcanlogin or not exists (
            select from leasehold.shared_groups g
             where g.group_role = a.rolname and g.group_number::text = pg_catalog.split_part(s.label, '/', 3)))
    union all
    select 'functions with the extension''s rights have a pinned path', p.oid::pg_catalog.regprocedure::text, 'search_path'
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'leasehold' and (p.prosecdef or p.prolang = (select l.oid from pg_catalog.pg_language l where l.lanname = 'c'))
       -- The trigger looks nothing up by name, and runs with every statement.
       and p.prorettype <> 'pg_catalog.trigger'::pg_catalog.regtype
       and not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false))
select v.invariant, v.subject, v.detail from violations v
$$;
comment on function leasehold.check() is 'Every violation of what always holds: which rule, on what, and how. No row when all is well';

-- === Is this a good place? ===

create function leasehold.doctor(out subject text, out state text, out detail text, out hint text)
returns setof record
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$
with
beat as (select h.* from leasehold.heartbeat() h),
homes as (
    select pg_catalog.count(*)::int as n from pg_catalog.pg_shseclabel s
     where s.provider = 'leasehold' and s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass),
-- Workers of others: what the server itself, parallel queries and leasehold start is not counted.
others as (
    select pg_catalog.count(*)::int as n from pg_catalog.pg_stat_activity a
     where a.backend_type not in ('client backend', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer',
                                  'walwriter', 'walsender', 'walreceiver', 'startup', 'archiver', 'parallel worker')
       and a.backend_type not like 'leasehold%'),
setting as (
    select (select x.setting::int from pg_catalog.pg_settings x where x.name = 'max_worker_processes') as workers,
           (select x.setting::int from pg_catalog.pg_settings x where x.name = 'max_prepared_transactions') as prepared),
hba as (
    select x.auth_method, x.type, x.line_number, x.error, x.auth_method in ('scram-sha-256', 'md5') as asks,
           x.user_name && array['all'] and x.database && array['all', 'sameuser', pg_catalog.current_database()::text]
           and (x.auth_method in ('trust', 'password') or x.type like 'host%' and x.auth_method = 'ident') as lax
      from pg_catalog.pg_hba_file_rules x),
logging as (
    select pg_catalog.current_setting('log_statement') as statements,
           pg_catalog.current_setting('log_min_duration_statement') as duration,
           pg_catalog.current_setting('log_parameter_max_length_on_error') as on_error),
results (place, subject, good, bad, detail, hint) as (
    select 1, 'preload', b.preloaded, 'fail',
           case when b.preloaded then 'the library is preloaded' else 'the library is not preloaded: no worker ends leases' end,
           'Set shared_preload_libraries = ''leasehold'' and restart the server.'
      from beat b
    union all
    select 2, 'worker', b.enforced, 'fail',
           case when b.enforced then 'the sweeper of this database is alive' else 'the sweeper of this database has not shown itself for five seconds' end,
           'Look for "leasehold" in the server''s log; max_worker_processes must have room for it.'
      from beat b
    union all
    select 3, 'installation', i.installation is not null, 'fail',
           coalesce('installation ' || i.installation::text, 'the database carries no label of an installation'),
           'Put its label back as a superuser: SECURITY LABEL FOR leasehold ON DATABASE … IS ''…''.'
      from leasehold.installation() i
    union all
    select 4, 'version', e.extversion = a.default_version, 'warn',
           'PostgreSQL ' || pg_catalog.current_setting('server_version') || ', leasehold ' || e.extversion,
           'Version ' || a.default_version || ' is installed: run ALTER EXTENSION leasehold UPDATE.'
      from pg_catalog.pg_extension e join pg_catalog.pg_available_extensions a on a.name = e.extname
     where e.extname = 'leasehold'
    union all
    -- The launcher, a sweeper for each home, and two cleaners at least.
    select 5, 'max_worker_processes', s.workers >= 1 + h.n + 2 + o.n, 'warn',
           pg_catalog.format('%s, of which others run %s', s.workers, o.n),
           pg_catalog.format('Set it to %s or more: without a free slot nothing is cleaned.', 1 + h.n + 6 + o.n)
      from setting s, homes h, others o
    union all
    select 6, 'max_prepared_transactions', s.prepared = 0, 'warn', s.prepared::text,
           'A login can prepare a transaction that holds its own row; its end then waits for a cleaner. Set it to 0 if nothing needs it.'
      from setting s
    union all
    select 7, 'password_encryption', pg_catalog.current_setting('password_encryption') = 'scram-sha-256', 'warn',
           pg_catalog.current_setting('password_encryption'),
           'Logins of leases have SCRAM verifiers in any case: set it to scram-sha-256, or they can be told from others.'
    union all
    select 8, 'pg_hba.conf', not coalesce(pg_catalog.bool_or(h.error is not null), false) and coalesce(pg_catalog.bool_or(h.asks), false),
           'fail',
           coalesce('wrong lines: ' || pg_catalog.string_agg(h.line_number::text, ', ' order by h.line_number) filter (where h.error is not null),
                    'read without errors'),
           'Correct the lines that are wrong, and have one that asks the logins of leases for scram-sha-256.'
      from hba h
    union all
    select 9, 'logins without a password', not coalesce(pg_catalog.bool_or(h.lax), false), 'warn',
           coalesce('pg_hba.conf, lines ' || pg_catalog.string_agg(h.line_number::text, ', ' order by h.line_number) filter (where h.lax),
                    'pg_hba.conf asks everybody for a proof'),
           'They let everybody in as any login, so VALID UNTIL means nothing (only the worker ends them), or take passwords in the clear.'
      from hba h
    union all
    select 10, 'logging', l.statements <> 'all' and l.duration <> '0' and l.on_error = '0', 'warn',
           pg_catalog.format('log_statement %s, log_min_duration_statement %s, log_parameter_max_length_on_error %s',
                             l.statements, l.duration, l.on_error),
           'No password reaches the log, but verifiers and the keys of scopes can, as parameters: keep it as safe as pg_authid.'
      from logging l
    union all
    select 11, 'durability', pg_catalog.current_setting('fsync') = 'on' and pg_catalog.current_setting('full_page_writes') = 'on', 'warn',
           pg_catalog.format('fsync %s, full_page_writes %s', pg_catalog.current_setting('fsync'), pg_catalog.current_setting('full_page_writes')),
           'A crash of the machine can lose leases that were acknowledged. For tests only.'
    union all
    select 12, 'track_activities', pg_catalog.current_setting('track_activities') = 'on', 'warn',
           pg_catalog.current_setting('track_activities'), 'The view sessions shows no state without it.'
    union all
    select 13, 'group roles', pg_catalog.bool_and(a.oid is not null and s.label is not null and not a.rolcanlogin), 'fail',
           coalesce('missing, strange or able to log in: ' || pg_catalog.string_agg(w.name, ', ' order by w.name)
                        filter (where a.oid is null or s.label is null or a.rolcanlogin), 'all four are there'),
           'Make them with NOLOGIN and label them as a superuser: security label for leasehold on role … is ''group''.'
      from pg_catalog.unnest(array['leasehold_issuer', 'leasehold_definer', 'leasehold_admin', 'leasehold_reader']) w (name)
      left join pg_catalog.pg_authid a on a.rolname = w.name
      left join pg_catalog.pg_shseclabel s on s.objoid = a.oid and s.provider = 'leasehold' and s.label = 'group'
           and s.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    union all
    select 14, 'databases', pg_catalog.count(d.datname) = 0, 'warn',
           coalesce('half dropped: ' || pg_catalog.string_agg(d.datname, ', ' order by d.datname), 'all can be visited and cleaned'),
           'Finish with DROP DATABASE: logins that something there depends on stay fenced.'
      from pg_catalog.pg_database d where d.datconnlimit = -2
    union all
    -- About 2,440 entries fill the row of a table; fewer where entries do not compress.
    select 15, 'access lists', coalesce(pg_catalog.max(x.entries), 0) < 1500, 'warn',
           coalesce('the longest has ' || pg_catalog.max(x.entries) || ' entries', 'none'),
           'At about 2,440 nothing more can be granted on that table: use groups (member_of, or grants => ''shared'').'
      from (select pg_catalog.cardinality(c.relacl) as entries from pg_catalog.pg_class c where c.relacl is not null) x
    union all
    select 16, 'shared recipes', pg_catalog.count(n.nspname) = 0, 'warn',
           coalesce('everybody may create in ' || pg_catalog.string_agg(n.nspname, ', ' order by n.nspname),
                    'their logins can make nothing that outlives them'),
           'A login can make things there in the name of its recipe''s group, which stay until the group goes: REVOKE CREATE ON SCHEMA … FROM PUBLIC.'
      from pg_catalog.pg_namespace n
     where exists (select from leasehold.shared_groups)
       and exists (select from pg_catalog.aclexplode(n.nspacl) x where x.grantee = 0 and x.privilege_type = 'CREATE')
    union all
    select 17, 'overdue leases', s.overdue = 0, 'fail', pg_catalog.format('%s active, %s overdue', s.active, s.overdue),
           'Leases are past their end: see the worker above.'
      from leasehold.stats s
    union all
    select 18, 'stuck leases', s.stuck = 0, 'warn', pg_catalog.format('%s fenced, %s stuck', s.fenced, s.stuck),
           'Fenced logins can not be dropped: select login, last_error from leasehold.leases says why.'
      from leasehold.stats s
    union all
    select 19, 'invariants', pg_catalog.count(*) = 0, 'fail', pg_catalog.count(*) || ' violations',
           'select * from leasehold.check() lists them.'
      from leasehold.check())
select r.subject, case when r.good then 'ok' else r.bad end, r.detail, case when not r.good then r.hint end
  from results r order by r.place
$$;
comment on function leasehold.doctor() is
'Whether this server is a good place for leases: each thing looked at, ok, warn or fail, and what to do about it';

-- === Who may do what ===

revoke all on all functions in schema leasehold from public;

-- Default privileges may have given rights on all this to others already: a trigger of theirs would run as us.
do $$
declare
    given text;
begin
    for given in
        select distinct pg_catalog.format('revoke all on %s from %s cascade', x.what,
                                          case when a.grantee = 0 then 'public' else pg_catalog.quote_ident(r.rolname) end)
          from (select 'schema leasehold' as what, n.nspacl as acl, n.nspowner as owner from pg_catalog.pg_namespace n where n.nspname = 'leasehold'
                union all
                select pg_catalog.format(case when c.relkind = 'S' then 'sequence leasehold.%I' else 'table leasehold.%I' end, c.relname), c.relacl, c.relowner
                  from pg_catalog.pg_class c where c.relnamespace = 'leasehold'::pg_catalog.regnamespace and c.relkind in ('r', 'v', 'S')
                union all
                select 'function ' || p.oid::pg_catalog.regprocedure, p.proacl, p.proowner
                  from pg_catalog.pg_proc p where p.pronamespace = 'leasehold'::pg_catalog.regnamespace) x
         cross join lateral pg_catalog.aclexplode(x.acl) a
          left join pg_catalog.pg_roles r on r.oid = a.grantee
         where a.grantee <> x.owner
    loop
        execute given;
    end loop;
end
$$;
grant usage on schema leasehold to leasehold_issuer, leasehold_definer, leasehold_admin, leasehold_reader;
grant select on leasehold.roles, leasehold.leases, leasehold.sessions, leasehold.groups, leasehold.history, leasehold.stats,
                leasehold.orphans
   to leasehold_reader;
grant execute on function leasehold.login_sessions() to leasehold_reader;
grant execute on function leasehold.installation(), leasehold.api_version()
   to leasehold_issuer, leasehold_definer, leasehold_admin, leasehold_reader;
grant execute on function leasehold.heartbeat() to leasehold_issuer, leasehold_definer, leasehold_admin, leasehold_reader;
grant execute on function leasehold.sweep(int) to leasehold_issuer, leasehold_admin;
grant execute on function leasehold.check(), leasehold.doctor() to leasehold_admin, leasehold_reader;
grant execute on function leasehold.lint(text[], text) to leasehold_definer, leasehold_admin, leasehold_reader;
grant execute on function
    leasehold.issue(text, interval, interval, interval, text[], interval[], bigint[], text, text, text, text, text, text),
    leasehold.issue_many(text, text[], interval[], interval[], interval[], text[], interval[], bigint[], int[], text[], text[], text[], text, text),
    leasehold.settle(text[], text),
    leasehold.renew(text, interval, interval, text, text),
    leasehold.renew_leases(text[], interval[], interval[], text[], text),
    leasehold.changes(int, text),
    leasehold.ack_changes(bigint[], text),
    leasehold.inventory(text, int, text)
 to leasehold_issuer;
grant execute on function
    leasehold.revoke(text, text),
    leasehold.revoke_leases(text[], text),
    leasehold.revoke_prefix(text, int, text),
    leasehold.revoke_owner(text, text),
    leasehold.owner_ends(text, text, interval, bigint, text)
 to leasehold_issuer, leasehold_admin;
grant execute on function
    leasehold.define_role(text, name[], text[], text[], text[], interval, interval, int, text[], name, boolean, text, bigint, text),
    leasehold.drop_role(text, bigint, text)
 to leasehold_definer;
grant execute on function leasehold.register_scope(text, text) to leasehold_issuer, leasehold_definer;
grant execute on function leasehold.await_ended(text[], interval, text) to leasehold_issuer, leasehold_admin;
