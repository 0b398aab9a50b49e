-- A statement that changes no mount leaves their mark as it is: brokers look for mounts that were left half-way by an update
-- that seldom finds one, and each time all brokers read all mounts again.
drop trigger mounts_have_changed on leasehold_broker.mounts;
create trigger mounts_have_changed after insert or update or delete on leasehold_broker.mounts
    for each row execute function leasehold_broker.mounts_have_changed();
create trigger mounts_are_no_more after truncate on leasehold_broker.mounts
    for each statement execute function leasehold_broker.mounts_have_changed();
comment on function leasehold_broker.mounts_have_changed() is 'After a change of any mount all mounts together have a new mark.';
