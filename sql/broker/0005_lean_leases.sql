-- What an issue writes into the store is small: every check of a reference is a good part of it. A lease's mount and target
-- are its configuration's, which it refers to: while that row is there, so are they. A mount goes after its configurations
-- only, targets never go, and the statement that writes a lease down holds its mount and its configuration in place.
alter table leasehold_broker.leases
    drop constraint leases_mount_id_fkey,
    drop constraint leases_target_id_fkey;
comment on column leasehold_broker.leases.mount_id is 'Its configuration''s: that row, which this one refers to, keeps the mount.';
comment on column leasehold_broker.leases.target_id is 'Where its configuration led when it was made. Targets are never deleted.';
