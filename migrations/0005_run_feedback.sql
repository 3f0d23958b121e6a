-- What people say of runs that are over. All of it is kept; of what was said of a run, the newest counts.
CREATE TABLE run_feedback (
  feedback_id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id          uuid        NOT NULL,
  definition_id   text        NOT NULL,
  definition_hash text        NOT NULL,
  -- Of the run, where it was a tick's.
  scheduled_for   timestamptz,
  verdict         text        NOT NULL CHECK (verdict IN ('useful', 'noisy', 'wrong')),
  note            text,
  requested_by    text        NOT NULL,
  at              timestamptz NOT NULL,
  -- False where no State Hub was configured when it was given: it is never posted then.
  for_state_hub   boolean     NOT NULL,
  -- When State Hub accepted it.
  posted_at       timestamptz,
  -- Until then nobody else posts it.
  leased_until    timestamptz
);
CREATE INDEX run_feedback_run ON run_feedback (run_id, feedback_id DESC);
CREATE INDEX run_feedback_unposted ON run_feedback (run_id, feedback_id) WHERE for_state_hub AND posted_at IS NULL;
