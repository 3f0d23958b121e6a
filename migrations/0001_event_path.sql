-- Definitions and event types as applied; `is_current` is what new work uses, older revisions stay for the runs pinned to them.
CREATE TABLE activity_definitions (
  definition_id   text        NOT NULL,
  definition_hash text        NOT NULL,
  title           text        NOT NULL,
  owner           text        NOT NULL,
  enabled         boolean     NOT NULL,
  trigger         jsonb       NOT NULL,
  emit            text        NOT NULL,
  document        jsonb       NOT NULL,
  is_current      boolean     NOT NULL,
  applied_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (definition_id, definition_hash)
);
CREATE UNIQUE INDEX activity_definitions_current ON activity_definitions (definition_id) WHERE is_current;

CREATE TABLE definition_pauses (
  definition_id text        PRIMARY KEY,
  reason        text        NOT NULL,
  paused_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE event_types (
  type              text        PRIMARY KEY,
  title             text        NOT NULL,
  owner             text        NOT NULL,
  attributes_schema jsonb       NOT NULL,
  applied_at        timestamptz NOT NULL DEFAULT now()
);

-- One row. Whoever changes definitions, event types or pauses adds one; readers compare it to know whether what they hold is current.
CREATE TABLE registry_version (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  version   bigint  NOT NULL
);
INSERT INTO registry_version (version) VALUES (1);

-- Identities outlive the events themselves: kept for DEDUPE_DAYS.
CREATE TABLE event_ids (
  event_uid        uuid        PRIMARY KEY,
  content_hash     bytea       NOT NULL,
  stream_seq       bigint,
  -- Microseconds since 1970. Sequences start again with a new stream; with the time, they name one stored message.
  stream_timestamp bigint,
  recorded_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE events (
  event_uid   uuid        PRIMARY KEY,
  fate        text        NOT NULL CHECK (fate IN ('accepted', 'unmatched')),
  id          text        NOT NULL,
  source      text        NOT NULL,
  type        text        NOT NULL,
  time        timestamptz NOT NULL,
  -- The clock of each row, not of its transaction: a batch stays in the order in which it came.
  received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  subject     text        NOT NULL,
  stream_seq  bigint,
  duplicates  integer     NOT NULL DEFAULT 0,
  envelope    jsonb       NOT NULL
);
CREATE INDEX events_newest ON events (received_at DESC, event_uid DESC);
CREATE INDEX events_id ON events (id);
CREATE INDEX events_of_type ON events (type, received_at DESC, event_uid DESC);
CREATE INDEX events_unmatched ON events (received_at DESC, event_uid DESC) WHERE fate = 'unmatched';

-- The stream messages that were duplicates, so that the redelivery of one is not counted again.
CREATE TABLE event_duplicates (
  event_uid        uuid        NOT NULL,
  stream_seq       bigint      NOT NULL,
  stream_timestamp bigint      NOT NULL,
  received_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (event_uid, stream_seq, stream_timestamp)
);

CREATE TABLE event_decisions (
  event_uid       uuid        NOT NULL,
  definition_id   text        NOT NULL,
  definition_hash text        NOT NULL,
  outcome         text        NOT NULL CHECK (outcome IN ('fired', 'filtered', 'held', 'discarded', 'filter_error')),
  reason          text,
  values          jsonb       NOT NULL,
  run_id          uuid,
  dispatch_id     uuid,
  decided_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (event_uid, definition_id)
);
CREATE INDEX event_decisions_held ON event_decisions (definition_id, decided_at) WHERE outcome = 'held';

-- What one workflow runs; its id is the workflow's id. The four arrays hold one element a member and never change.
-- `event_uids` is null at a member whose run was started by hand or is a retry: its row stands in activity_runs already.
CREATE TABLE dispatches (
  dispatch_id       uuid        PRIMARY KEY,
  run_ids           uuid[]      NOT NULL,
  definition_ids    text[]      NOT NULL,
  definition_hashes text[]      NOT NULL,
  event_uids        uuid[]      NOT NULL,
  attempts          integer     NOT NULL DEFAULT 0,
  created_at        timestamptz NOT NULL DEFAULT now(),
  checked_at        timestamptz NOT NULL DEFAULT now(),
  closed_at         timestamptz
);
CREATE INDEX dispatches_open ON dispatches (checked_at) WHERE closed_at IS NULL;

CREATE TABLE activity_runs (
  run_id          uuid        PRIMARY KEY,
  definition_id   text        NOT NULL,
  definition_hash text        NOT NULL,
  trigger_key     text        NOT NULL,
  -- The trigger key of the first run in a chain of retries: idempotency keys are made of it.
  origin_trigger_key text     NOT NULL,
  trigger_kind    text        NOT NULL CHECK (trigger_kind IN ('event', 'schedule', 'manual', 'retry')),
  event_id        text,
  event_uid       uuid,
  scheduled_for   timestamptz,
  requested_by    text,
  trigger_reason  text,
  -- The envelope of a run started by hand; an event's own stands in `events`.
  event           jsonb,
  -- Of a manual run: what an Idempotency-Key was used with, to tell a repetition from a conflict.
  request_hash    bytea,
  status          text        NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'missed')),
  task_count      integer     NOT NULL DEFAULT 0,
  sink_mode       text        NOT NULL CHECK (sink_mode IN ('audit', 'live')),
  sink_reason     text,
  review_required boolean     NOT NULL DEFAULT false,
  retry_of        uuid,
  dispatch_id     uuid,
  workflow_id     text,
  workflow_run_id text,
  started_at      timestamptz NOT NULL DEFAULT now(),
  finished_at     timestamptz,
  error           jsonb,
  context         jsonb,
  rules           jsonb       NOT NULL DEFAULT '[]',
  instructions    jsonb       NOT NULL DEFAULT '[]',
  reports         jsonb       NOT NULL DEFAULT '[]',
  UNIQUE (definition_id, trigger_key)
);
CREATE INDEX activity_runs_newest ON activity_runs (started_at DESC, run_id DESC);
CREATE INDEX activity_runs_of_definition ON activity_runs (definition_id, started_at DESC, run_id DESC);
CREATE INDEX activity_runs_not_completed ON activity_runs (status, started_at DESC, run_id DESC) WHERE status <> 'completed';
CREATE INDEX activity_runs_not_by_event ON activity_runs (trigger_kind, started_at DESC, run_id DESC) WHERE trigger_kind <> 'event';
CREATE INDEX activity_runs_running ON activity_runs (dispatch_id) WHERE status = 'running';
CREATE INDEX activity_runs_event ON activity_runs (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX activity_runs_of_chain ON activity_runs (definition_id, origin_trigger_key) WHERE retry_of IS NOT NULL;
CREATE INDEX activity_runs_retry ON activity_runs (retry_of) WHERE retry_of IS NOT NULL;

CREATE TABLE task_spawn_log (
  idempotency_key text        PRIMARY KEY,
  run_id          uuid        NOT NULL,
  definition_id   text        NOT NULL,
  rule_id         text        NOT NULL,
  spec            jsonb       NOT NULL,
  dedupe_key      text,
  status          text        NOT NULL CHECK (status IN ('audited', 'pending', 'created', 'duplicate', 'failed', 'discarded')),
  task_ref        text,
  attempts        integer     NOT NULL DEFAULT 0,
  last_error      jsonb,
  created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  emitted_at      timestamptz
);
CREATE INDEX task_spawn_log_newest ON task_spawn_log (created_at DESC, idempotency_key DESC);
CREATE INDEX task_spawn_log_of_definition ON task_spawn_log (definition_id, created_at DESC, idempotency_key DESC);
CREATE INDEX task_spawn_log_not_audited ON task_spawn_log (status, created_at DESC, idempotency_key DESC) WHERE status <> 'audited';
CREATE INDEX task_spawn_log_run ON task_spawn_log (run_id);
CREATE INDEX task_spawn_log_dedupe ON task_spawn_log (dedupe_key) WHERE dedupe_key IS NOT NULL;

CREATE TABLE quarantined_events (
  id               uuid        PRIMARY KEY,
  received_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  subject          text        NOT NULL,
  headers          jsonb       NOT NULL,
  reason           text        NOT NULL,
  violations       jsonb       NOT NULL,
  bytes            bytea       NOT NULL,
  size             integer     NOT NULL,
  state            text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'redriven', 'discarded')),
  state_reason     text,
  state_changed_at timestamptz,
  event_uid        uuid,
  stream_seq       bigint,
  stream_timestamp bigint
);
CREATE INDEX quarantined_events_newest ON quarantined_events (received_at DESC, id DESC);
CREATE INDEX quarantined_events_open ON quarantined_events (received_at DESC, id DESC) WHERE state = 'open';
CREATE INDEX quarantined_events_of_reason ON quarantined_events (reason, received_at DESC, id DESC);

CREATE TABLE schedule_ticks (
  definition_id text        NOT NULL,
  scheduled_for timestamptz NOT NULL,
  outcome       text        CHECK (outcome IN ('fired', 'overlapped', 'missed', 'paused')),
  reason        text,
  run_id        uuid,
  PRIMARY KEY (definition_id, scheduled_for)
);

CREATE TABLE run_reviews (
  review_id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id          uuid        NOT NULL,
  definition_id   text        NOT NULL,
  definition_hash text        NOT NULL,
  verdict         text        NOT NULL CHECK (verdict IN ('approved', 'rejected')),
  reviewer        text        NOT NULL,
  note            text,
  reviewed_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX run_reviews_run ON run_reviews (run_id);

-- Compatibility only: nothing reads or writes it (M12).
CREATE TABLE task_instances (
  task_instance_id text        PRIMARY KEY,
  created_at       timestamptz NOT NULL DEFAULT now()
);
