-- The broker's store: tokens, policies, mounts, the database engine's configuration, and the index of leases.
-- A login, its password and its end are not here: they live on the target, in the extension's own tables.
-- Rows that guard others are locked FOR SHARE by whoever builds on them, and FOR UPDATE by whoever ends them.
-- Names, paths and ids are compared byte by byte (COLLATE "C"); prefixes are cut at slashes, never LIKE.
-- Run by the migrator in one transaction; it has made the schema and its own table `migrations` before.

-- One row: who we are, and how the keys are kept.
create table leasehold_broker.installation (
    only_one          boolean primary key default true check (only_one),
    store_id          uuid not null default gen_random_uuid(),
    created_at        timestamptz not null default now(),
    cluster_name      text not null,
    seal_shares       integer not null default 0,
    seal_threshold    integer not null default 0,
    -- AEAD of the keyring (terms and token key) under the root key; null until initialised.
    sealed_keyring    bytea,
    key_term          integer not null default 0,
    key_installed_at  timestamptz,
    initialised_at    timestamptz,
    revision          bigint not null default 0
);
comment on table leasehold_broker.installation is 'One row: the identity of this store (its id is the scope on every target) and its sealed keyring.';
comment on column leasehold_broker.installation.sealed_keyring is 'Keyring and token key, encrypted under the root key that the shares, a key file or the environment give.';

create table leasehold_broker.mounts (
    mount_id     uuid primary key default gen_random_uuid(),
    -- 'secret' or 'auth': the two tables of mounts share their rules.
    kind         text not null check (kind in ('secret', 'auth')),
    -- With a trailing slash; an auth mount without its leading 'auth/'.
    path         text collate "C" not null,
    type         text not null,
    accessor     text collate "C" not null unique,
    description  text not null default '',
    config       jsonb not null default '{}',
    options      jsonb,
    local        boolean not null default false,
    seal_wrap    boolean not null default false,
    external_entropy_access boolean not null default false,
    -- 'tainted' serves nobody and waits for its leases; 'gone' is kept while a target has yet to be told.
    state        text not null default 'active' check (state in ('active', 'tainted', 'gone')),
    revision     bigint not null default 1,
    created_at   timestamptz not null default now()
);
create unique index mounts_by_path on leasehold_broker.mounts (kind, path) where state <> 'gone';
comment on table leasehold_broker.mounts is 'Secret engines and auth methods by path.';

create sequence leasehold_broker.policy_revision as bigint;
comment on sequence leasehold_broker.policy_revision is 'Revisions of policies, store-wide: name and revision name one text for ever, even when a policy is deleted and made again.';

create table leasehold_broker.policies (
    name        text collate "C" primary key,
    text        text not null,
    revision    bigint not null default nextval('leasehold_broker.policy_revision'),
    changed_at  timestamptz not null default now()
);
comment on table leasehold_broker.policies is 'ACL policies, verbatim. root is not stored; default and response-wrapping are written at initialisation.';

create table leasehold_broker.token_roles (
    name      text collate "C" primary key,
    settings  jsonb not null,
    revision  bigint not null default 1
);
comment on table leasehold_broker.token_roles is 'auth/token/roles/:name.';

create table leasehold_broker.tokens (
    token_id       bigint generated always as identity primary key,
    -- HMAC-SHA256 of the token under the token key: the token itself is nowhere.
    token_hash     bytea not null,
    accessor       text collate "C" not null unique,
    -- Null: an orphan, or made before its parent's row was pruned.
    parent_id      bigint references leasehold_broker.tokens on delete set null,
    -- The request path that made it, 'auth/token/create'; its lease id is path || '/h' || hex(token_hash).
    path           text collate "C" not null,
    policies       text[] not null,
    meta           jsonb,
    display_name   text not null default '',
    entity_id      text not null default '',
    role           text collate "C",
    bound_cidrs    text[] not null default '{}',
    num_uses       integer not null default 0,
    uses_left      integer,
    orphan         boolean not null default false,
    renewable      boolean not null,
    creation_ttl_seconds     bigint not null,
    -- The TTL last granted: what a renewal without increment asks for.
    ttl_seconds              bigint not null,
    explicit_max_ttl_seconds bigint not null default 0,
    -- As given at creation and shown by lookup; a role's period and explicit maximum are read from the role.
    period_seconds           bigint not null default 0,
    issued_at      timestamptz not null,
    -- Null = never: root tokens only.
    expires_at     timestamptz check (expires_at is not null or policies = '{root}'),
    last_renewed_at timestamptz,
    -- The revision of this owner on the targets: only a newer one applies there.
    revision       bigint not null default 1,
    ended_at       timestamptz,
    -- A wrapping token's creation path, TTL and what it wraps; null for any other.
    wrapping       jsonb
);
create unique index tokens_live_hash on leasehold_broker.tokens (token_hash) where ended_at is null;
create index tokens_parent on leasehold_broker.tokens (parent_id);
create index tokens_live_expiry on leasehold_broker.tokens (expires_at) where ended_at is null;
create index tokens_live_path on leasehold_broker.tokens (path) where ended_at is null;
create index tokens_ended on leasehold_broker.tokens (ended_at) where ended_at is not null;
comment on table leasehold_broker.tokens is 'Service tokens by keyed hash. Ended is absorbing; an ended row stays a day, so that every target hears of it.';

create table leasehold_broker.cubbyholes (
    token_id  bigint not null references leasehold_broker.tokens on delete cascade,
    path      text collate "C" not null,
    -- AEAD of the JSON object, bound to table, token and path.
    sealed    bytea not null,
    primary key (token_id, path)
);
comment on table leasehold_broker.cubbyholes is 'What a token keeps for itself, sealed, ended with it.';

-- The database secrets engine.

create table leasehold_broker.targets (
    -- The uuid of the extension's installation.
    target_id          uuid primary key,
    -- To notice clones: the same uuid with another identifier.
    system_identifier  text not null,
    database_oid       bigint not null,
    first_seen_at      timestamptz not null default now(),
    last_seen_at       timestamptz not null default now()
);
comment on table leasehold_broker.targets is 'Installations of the extension that leases live on. A config says how to reach one; a lease says which.';

create table leasehold_broker.database_configs (
    config_id    uuid primary key default gen_random_uuid(),
    mount_id     uuid not null references leasehold_broker.mounts,
    name         text collate "C" not null,
    -- Known after the first successful connection; null for a config stored unverified.
    target_id    uuid references leasehold_broker.targets,
    -- What reads show beside the details: plugin_name, allowed_roles, password_policy, ...; never a secret.
    settings     jsonb not null,
    -- AEAD of connection_details (JSON), bound to table and config_id.
    sealed_connection bytea not null,
    -- 'live', or 'retired': deleted or re-pointed while its leases live; unreadable, and good only to end them.
    state        text not null default 'live' check (state in ('live', 'retired')),
    revision     bigint not null default 1,
    changed_at   timestamptz not null default now()
);
create unique index database_configs_live on leasehold_broker.database_configs (mount_id, name) where state = 'live';
create index database_configs_by_target on leasehold_broker.database_configs (target_id);
comment on table leasehold_broker.database_configs is 'database/config/:name. Retired rows serve to end the leases that came through them.';

create table leasehold_broker.database_roles (
    mount_id   uuid not null references leasehold_broker.mounts,
    name       text collate "C" not null,
    settings   jsonb not null,
    revision   bigint not null,
    changed_at timestamptz not null default now(),
    primary key (mount_id, name)
);
comment on table leasehold_broker.database_roles is 'database/roles/:name, as written: the recipe on the target is made from it.';

create sequence leasehold_broker.role_revision as bigint;
comment on sequence leasehold_broker.role_revision is 'Revisions of roles, store-wide: a recipe never goes back, even when a role is deleted and made again.';

create table leasehold_broker.leases (
    -- Immutable text: the request path and 24 characters.
    lease_id      text collate "C" primary key,
    mount_id      uuid not null references leasehold_broker.mounts,
    -- Below the mount, 'creds/readonly'.
    path          text collate "C" not null,
    config_id     uuid not null references leasehold_broker.database_configs,
    target_id     uuid not null references leasehold_broker.targets,
    role          text collate "C" not null,
    -- The recipe on the target: <mount accessor>/<role>.
    recipe        text collate "C" not null,
    login         text collate "C" not null,
    -- The token that asked, or a batch token's parent; null when that row has been pruned.
    token_id      bigint references leasehold_broker.tokens on delete set null,
    -- 'intent': said before the target was asked, not yet confirmed. It counts as a lease everywhere.
    state         text not null default 'intent' check (state in ('intent', 'issued')),
    issued_at     timestamptz not null default clock_timestamp(),
    ttl_seconds   bigint not null,
    max_ttl_seconds bigint not null,
    -- A batch token's own end, from issued_at.
    cap_seconds   bigint,
    expires_at    timestamptz not null,
    last_renewed_at timestamptz,
    -- An end has been asked for and accepted.
    revoking_at   timestamptz,
    -- Forced out of sight while its target was away; it still ends, and the row still leaves on the target's word.
    out_of_sight  boolean not null default false,
    last_error    text
);
create index leases_by_path on leasehold_broker.leases (mount_id, path, lease_id);
create index leases_by_token on leasehold_broker.leases (token_id);
create index leases_by_target on leasehold_broker.leases (target_id, lease_id);
create index leases_by_config on leasehold_broker.leases (config_id);
create index leases_intents on leasehold_broker.leases (issued_at) where state = 'intent';
comment on table leasehold_broker.leases is 'The index lease -> token, mount, target. A row leaves only on the target''s word; what it says of time is for people.';

create table leasehold_broker.outbox (
    outbox_id    bigint generated always as identity primary key,
    target_id    uuid not null references leasehold_broker.targets,
    -- 'end_owner', 'move_owner', 'revoke_lease', 'revoke_prefix', 'define_role', 'drop_role'.
    kind         text not null,
    payload      jsonb not null,
    created_at   timestamptz not null default now(),
    next_attempt_at timestamptz not null default now(),
    attempts     integer not null default 0,
    last_error   text
);
create index outbox_due on leasehold_broker.outbox (target_id, next_attempt_at, outbox_id);
comment on table leasehold_broker.outbox is 'What targets have yet to be told, worked off in order of arrival by whichever broker reaches the target.';
