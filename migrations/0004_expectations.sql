-- Since when each definition is declared and enabled without a break: no expectation is counted from before.
CREATE TABLE watched_definitions (
  definition_id     text        PRIMARY KEY,
  enabled_since     timestamptz NOT NULL,
  -- Where an expectation is declared: the newest completed run that was seen. It stays when that run's row is gone.
  last_completed_at timestamptz
);

INSERT INTO watched_definitions (definition_id, enabled_since)
SELECT definition_id, applied_at FROM activity_definitions WHERE is_current AND enabled;

-- A row for each time that `expect.run_every` passed without a completed run; open until `healed_at`.
CREATE TABLE expectation_breaches (
  breach_id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  definition_id     text        NOT NULL,
  run_every         text        NOT NULL,
  last_completed_at timestamptz,
  -- The last completed run, or when the definition was enabled, whichever is later.
  counted_from      timestamptz NOT NULL,
  -- `counted_from` + `run_every`.
  since             timestamptz NOT NULL,
  noticed_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  healed_at         timestamptz,
  healed_by         text        CHECK (healed_by IN ('run_completed', 'definition_enabled', 'definition_disabled',
                                                     'definition_removed', 'expectation_changed', 'expectation_removed')),
  -- Of the run that healed it.
  completed_at      timestamptz,
  -- False where there was no State Hub to tell when it was noticed.
  for_state_hub     boolean     NOT NULL,
  -- When State Hub accepted the one and the other.
  breach_posted_at  timestamptz,
  healing_posted_at timestamptz,
  -- Until then nobody else posts it.
  leased_until      timestamptz
);
CREATE UNIQUE INDEX expectation_breaches_open ON expectation_breaches (definition_id) WHERE healed_at IS NULL;
CREATE INDEX expectation_breaches_unposted ON expectation_breaches (definition_id, breach_id)
  WHERE for_state_hub AND (breach_posted_at IS NULL OR (healed_at IS NOT NULL AND healing_posted_at IS NULL));

CREATE INDEX activity_runs_completed ON activity_runs (definition_id, finished_at DESC) WHERE status = 'completed';
