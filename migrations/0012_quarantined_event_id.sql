-- The event's own id, where a refused message could be read so far: whoever sent it knows it by that. Null for those refused before.

-- Behind a long reader it gives up, as 0011 does: nothing is changed then, and `migrate` is to be run again.
SET LOCAL lock_timeout = '5s';
ALTER TABLE quarantined_events ADD COLUMN event_id text;
CREATE INDEX quarantined_events_by_event_id ON quarantined_events (event_id, state, received_at DESC)
  WHERE event_id IS NOT NULL;
