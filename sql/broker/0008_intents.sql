-- What nobody is to have stays unconfirmed until its target says that it is no more, whoever confirms it meanwhile: else a
-- broker that dies, or a target that is away, at that moment leaves a login that nobody ends before its time.
alter table leasehold_broker.intents add column ending boolean not null default false;
comment on column leasehold_broker.intents.ending is 'Its end was asked for by whoever made it: its client has heard of a failure, or nothing at all. Such a row leaves with its lease only.';
insert into leasehold_broker.intents (lease_id, target_id, issued_at, ending)
select l.lease_id, l.target_id, l.issued_at, true from leasehold_broker.leases l where l.revoking_at is not null
    on conflict (lease_id) do update set ending = true;

-- A broker from before there were intents writes none down. It does not say when a lease was issued either: from now on its
-- issues fail, where they would have counted as confirmed.
alter table leasehold_broker.leases alter column issued_at drop default;
