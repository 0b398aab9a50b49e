-- A mount that is being disabled or moved says so, so that any broker can go on where another one died.
alter table leasehold_broker.mounts
    -- Where a tainted mount is going; null: it is being disabled.
    add column moving_to       text collate "C",
    add column migration_id    uuid,
    -- Until then somebody is at it; put off as long as that broker lives.
    add column next_attempt_at timestamptz,
    add constraint mounts_moving check ((moving_to is null) = (migration_id is null)),
    add constraint mounts_moving_tainted check (moving_to is null or state = 'tainted');
comment on column leasehold_broker.mounts.moving_to is 'Where a tainted mount goes when its leases have ended; null: nowhere, it is being disabled.';
comment on column leasehold_broker.mounts.next_attempt_at is 'From then on any broker may take up what is left to do for a tainted mount.';
