-- Since when a dispatch that is alone waits for its turn: only so many of a definition are at work at one time. Null for all
-- others, and from its turn on. While it waits `checked_at` is 'infinity': nobody else is to look at it.
ALTER TABLE dispatches ADD COLUMN queued_at timestamptz;

CREATE INDEX dispatches_queued ON dispatches ((definition_ids[1]), queued_at)
  WHERE queued_at IS NOT NULL AND closed_at IS NULL AND prepared_at IS NULL;
-- Those whose turn it is, of which a definition has few.
CREATE INDEX dispatches_alone ON dispatches ((definition_ids[1]))
  WHERE alone AND queued_at IS NULL AND closed_at IS NULL AND prepared_at IS NULL;
