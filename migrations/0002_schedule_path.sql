-- The schedules as applied to Temporal, written under the registry's lock by whoever applies or pauses.
CREATE TABLE schedules (
  definition_id   text        PRIMARY KEY,
  -- The revision that a tick starts with: it stands in the schedule's action.
  definition_hash text        NOT NULL,
  -- `trigger.schedule` with its defaults.
  schedule        jsonb       NOT NULL,
  enabled         boolean     NOT NULL,
  -- What Temporal answered right after it was applied. What it answers later and is not the same was changed by hand.
  described       jsonb       NOT NULL,
  -- Every tick that was due up to here stands in schedule_ticks.
  recorded_until  timestamptz NOT NULL,
  applied_at      timestamptz NOT NULL DEFAULT now(),
  -- Why it is paused where somebody did that in Temporal, as seen last; null where nobody did.
  paused_by_hand  text
);

-- A tick that is due stands here before its outcome is known; it has one at the latest when its deadline has passed.
ALTER TABLE schedule_ticks
  -- `scheduled_for` + jitter + catch-up window, as they were when it was due.
  ADD COLUMN deadline            timestamptz NOT NULL,
  -- When Temporal started the workflow, which may be long before a worker took it up.
  ADD COLUMN workflow_started_at timestamptz,
  ADD COLUMN recorded_at         timestamptz NOT NULL DEFAULT now();
CREATE INDEX schedule_ticks_open ON schedule_ticks (definition_id, scheduled_for) WHERE outcome IS NULL;
CREATE INDEX schedule_ticks_started ON schedule_ticks (definition_id, scheduled_for) WHERE workflow_started_at IS NOT NULL;
CREATE INDEX schedule_ticks_not_fired ON schedule_ticks (outcome, scheduled_for DESC, definition_id DESC) WHERE outcome <> 'fired';
CREATE INDEX schedule_ticks_newest ON schedule_ticks (scheduled_for DESC, definition_id DESC);

-- A dispatch that a schedule started has its workflow's id and first run, since a schedule names its workflows itself.
ALTER TABLE dispatches
  ADD COLUMN workflow_id           text,
  ADD COLUMN first_workflow_run_id text;

CREATE INDEX activity_runs_scheduled ON activity_runs (definition_id, scheduled_for) WHERE scheduled_for IS NOT NULL;
