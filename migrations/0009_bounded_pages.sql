-- Lists answer from the index alone which rows they show, also where a filter finds little or nothing: an index holds all filters
-- that go together, then the time. A filter of few values that is not asked for is asked for with each of its values, and
-- the scans are merged (src/store/in-order.ts). Keys that only break ties of time are left out: times hardly repeat.

-- Runs: two indexes take the place of two whole and two partial ones.
-- Of an expression, so that no estimate of PostgreSQL's prefers it where a definition is asked for, and reads all others' runs.
CREATE INDEX activity_runs_by_trigger ON activity_runs ((trigger_kind || ' ' || status), started_at DESC);
CREATE INDEX activity_runs_by_definition ON activity_runs (definition_id, trigger_kind, status, started_at DESC);
DROP INDEX activity_runs_newest, activity_runs_of_definition, activity_runs_not_completed, activity_runs_not_by_event;

-- Task specs: three in the place of three whole ones and a partial one. Without the long key, they are smaller.
CREATE INDEX task_spawn_log_by_status ON task_spawn_log ((status || ''), created_at DESC);
CREATE INDEX task_spawn_log_by_definition ON task_spawn_log (definition_id, status, created_at DESC);
CREATE INDEX task_spawn_log_by_dedupe_key ON task_spawn_log (dedupe_key, status, created_at DESC)
  WHERE dedupe_key IS NOT NULL;
DROP INDEX task_spawn_log_newest, task_spawn_log_of_definition, task_spawn_log_not_audited, task_spawn_log_dedupe;

-- Events: three in the place of two whole ones and a partial one. One more insertion an event: nothing else finds a source.
CREATE INDEX events_by_fate ON events (fate, received_at DESC);
CREATE INDEX events_by_type ON events (type, fate, received_at DESC);
CREATE INDEX events_by_source ON events (source, type, fate, received_at DESC);
DROP INDEX events_newest, events_of_type, events_unmatched;

-- Refused messages: two in the place of two whole ones and a partial one.
CREATE INDEX quarantined_events_by_state ON quarantined_events (state, received_at DESC);
CREATE INDEX quarantined_events_by_reason ON quarantined_events (reason, state, received_at DESC);
DROP INDEX quarantined_events_newest, quarantined_events_open, quarantined_events_of_reason;

-- Ticks, which are few: one that may still start is not listed, however many there are of them.
CREATE INDEX schedule_ticks_by_outcome ON schedule_ticks (outcome, scheduled_for DESC) WHERE outcome IS NOT NULL;
CREATE INDEX schedule_ticks_by_definition ON schedule_ticks (definition_id, outcome, scheduled_for DESC)
  WHERE outcome IS NOT NULL;
DROP INDEX schedule_ticks_not_fired;

-- What back-pressure counts with every batch, and no more: ten thousand runs by hand or by a backfill are not read for it.
CREATE INDEX dispatches_pressing ON dispatches (dispatch_id)
  WHERE closed_at IS NULL AND prepared_at IS NULL AND event_uids[1] IS NOT NULL AND NOT alone;
DROP INDEX dispatches_deciding;
-- The reconciler asks for those that decide and those that emit apart: many of one kind do not hide the others.
CREATE INDEX dispatches_unwatched ON dispatches ((prepared_at IS NOT NULL), checked_at) WHERE closed_at IS NULL;
DROP INDEX dispatches_open;

-- No run of a revision is older than this: whoever looks for one looks no further back.
ALTER TABLE activity_definitions ADD COLUMN first_applied_at timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE activity_definitions ALTER COLUMN first_applied_at SET DEFAULT now();
