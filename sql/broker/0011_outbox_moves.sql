-- Only the last of what is to be told of a token's end need be told: the others are found by its accessor.
create index outbox_moves on leasehold_broker.outbox ((payload ->> 'owner')) where kind = 'move_owner';
