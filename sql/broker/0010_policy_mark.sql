-- Brokers remember what a policy says under a mark that is read with the token. A revision is none: a store that was
-- restored, or has lost its last writes in a failover, counts to the same ones again, with other texts. A random one names
-- one text for ever, as that of mounts does. A trigger makes it, for a broker of an earlier version may write, too; what
-- that one remembers is under revisions, which go on.
alter table leasehold_broker.policies add column mark uuid not null default gen_random_uuid();
comment on column leasehold_broker.policies.mark is 'Name and mark name one text for ever: a new one with every write.';
comment on sequence leasehold_broker.policy_revision is 'Revisions of policies, store-wide. They come again in a store that was restored: what is remembered goes by marks.';

create function leasehold_broker.policy_has_changed() returns trigger language plpgsql as $$
begin
    new.mark := gen_random_uuid();
    return new;
end
$$;
comment on function leasehold_broker.policy_has_changed() is 'A policy that is written has a new mark.';
create trigger policy_has_changed before update on leasehold_broker.policies
    for each row execute function leasehold_broker.policy_has_changed();
