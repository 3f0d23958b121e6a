-- The sum of `bytes` is what quarantine holds. Whoever keeps a message adds a row in the same statement; a measurement replaces
-- all rows by one in one statement, so it neither misses nor repeats what is added meanwhile.
CREATE TABLE quarantine_volume (
  bytes    bigint      NOT NULL,
  added_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO quarantine_volume (bytes)
SELECT coalesce(sum(octet_length(bytes) + octet_length(headers::text) + octet_length(violations::text)), 0)
  FROM quarantined_events;

-- What was refused while quarantine was full: counted, not kept.
CREATE TABLE quarantine_overflow (
  reason           text        PRIMARY KEY,
  count            bigint      NOT NULL,
  first_at         timestamptz NOT NULL,
  last_at          timestamptz NOT NULL,
  last_subject     text        NOT NULL,
  first_stream_seq bigint      NOT NULL,
  last_stream_seq  bigint      NOT NULL
);

-- The stream messages that were counted, so that the redelivery of one is neither counted again nor handled otherwise.
CREATE TABLE quarantine_overflow_messages (
  id          uuid        PRIMARY KEY,
  recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX quarantine_overflow_messages_recorded ON quarantine_overflow_messages USING brin (recorded_at);

-- Whose bytes are released first where room is needed.
CREATE INDEX quarantined_events_releasable ON quarantined_events (state_changed_at)
  WHERE state <> 'open' AND (octet_length(bytes) > 0 OR headers <> '{}');
