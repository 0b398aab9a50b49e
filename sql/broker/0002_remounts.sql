-- Moves of mounts, for those who ask how theirs went (sys/remount/status/:id). A row is written when the move is done.
create table leasehold_broker.remounts (
    migration_id uuid primary key,
    source       text collate "C" not null,
    target       text collate "C" not null,
    finished_at  timestamptz not null default now()
);
comment on table leasehold_broker.remounts is 'Moves of mounts that are done. Kept: there are few.';
