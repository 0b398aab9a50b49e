-- What a request reads is small, and seldom changes: brokers remember all mounts under a mark that is read with the token
-- in each request, so that a mount costs no round trip of its own. A random one: a store that is restored never comes to a
-- mark under which a broker remembers other mounts.
create table leasehold_broker.mount_revision (
    only_one  boolean primary key default true check (only_one),
    revision  uuid not null default gen_random_uuid()
);
insert into leasehold_broker.mount_revision default values;
comment on table leasehold_broker.mount_revision is 'One row: a mark that changes with every change of a mount, in the same transaction.';

create function leasehold_broker.mounts_have_changed() returns trigger language plpgsql as $$
begin
    update leasehold_broker.mount_revision set revision = gen_random_uuid();
    return null;
end
$$;
comment on function leasehold_broker.mounts_have_changed() is 'After every change of a mount all mounts together have a new mark.';
create trigger mounts_have_changed after insert or update or delete or truncate on leasehold_broker.mounts
    for each statement execute function leasehold_broker.mounts_have_changed();

-- Nothing asks by path below a mount: lease ids, which begin with it, are asked. What asks by mount asks by its
-- configurations.
drop index leasehold_broker.leases_by_path;
drop index leasehold_broker.leases_by_config;
create index leases_by_config on leasehold_broker.leases (config_id, role);
