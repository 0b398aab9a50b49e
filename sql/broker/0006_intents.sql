-- What is unconfirmed has a table of its own: a confirmation takes a row out of it, where it wrote the lease once more,
-- under each of its indexes.
-- Nobody writes a lease between the look at them and the loss of the column: it would count as confirmed.
lock table leasehold_broker.mounts, leasehold_broker.leases in access exclusive mode;
create table leasehold_broker.intents (
    lease_id   text collate "C" primary key,
    -- Who knows what became of it.
    target_id  uuid not null,
    issued_at  timestamptz not null default clock_timestamp()
);
create index intents_by_target on leasehold_broker.intents (target_id, issued_at);
comment on table leasehold_broker.intents is 'Leases that were written down before their target was asked and are not yet confirmed. They count as leases everywhere; their rows come and go with those of leases.';
insert into leasehold_broker.intents (lease_id, target_id, issued_at)
select lease_id, target_id, issued_at from leasehold_broker.leases where state = 'intent';

drop index leasehold_broker.leases_intents;
alter table leasehold_broker.leases drop column state;
