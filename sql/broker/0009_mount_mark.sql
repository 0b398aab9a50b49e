-- Whoever disables or moves a mount says every few seconds that it is at it. Nobody remembers that, so the mark of all mounts
-- stays as it is. Whatever else is ever written of a mount changes it.
drop trigger mounts_have_changed on leasehold_broker.mounts;
create trigger mounts_have_come_or_gone after insert or delete on leasehold_broker.mounts
    for each row execute function leasehold_broker.mounts_have_changed();
create trigger mounts_have_changed after update on leasehold_broker.mounts
    for each row when (to_jsonb(old) - 'next_attempt_at' is distinct from to_jsonb(new) - 'next_attempt_at')
    execute function leasehold_broker.mounts_have_changed();
