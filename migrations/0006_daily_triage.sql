-- Each request to the model: written before it is sent, completed with its answer before that is used.
CREATE TABLE instruction_calls (
  call_id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id             uuid        NOT NULL,
  definition_id      text        NOT NULL,
  -- With the definition, what a run and all of its retries have in common: an accepted answer is theirs, and so is the budget.
  origin_trigger_key text        NOT NULL,
  instruction_id     text        NOT NULL,
  -- An answer is used again by a retry on the same revision, which binds the context that it was given for.
  definition_hash    text        NOT NULL,
  -- Of the messages as they were sent.
  prompt_hash        text        NOT NULL,
  asked_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Null while it is under way, or where its process died.
  ended_at           timestamptz,
  -- refused: the answer does not fit the schema. failed: there is no answer.
  outcome            text        CHECK (outcome IN ('accepted', 'refused', 'failed')),
  -- False where the model cannot have worked.
  counts             boolean     NOT NULL DEFAULT true,
  answer             text,
  output             jsonb,
  violations         jsonb,
  fault              text,
  model              text,
  finish_reason      text,
  prompt_tokens      integer,
  completion_tokens  integer,
  latency_ms         integer
);
CREATE INDEX instruction_calls_of_chain ON instruction_calls (definition_id, origin_trigger_key, instruction_id, call_id);

-- What the sources answered a run whose model is asked: a later attempt binds the same. Gone when the run is decided, or held.
CREATE TABLE pinned_contexts (
  run_id          uuid        PRIMARY KEY,
  -- What another revision asked for is not used.
  definition_hash text        NOT NULL,
  context         jsonb       NOT NULL,
  pinned_at       timestamptz NOT NULL DEFAULT now()
);

-- alone: its one run may wait for somebody else; however many such are open, what comes from NATS is recorded.
-- unanswered_since: the first time that somebody did not answer who has not answered since.
ALTER TABLE dispatches
  ADD COLUMN alone            boolean NOT NULL DEFAULT false,
  ADD COLUMN unanswered_since timestamptz;

-- Everything but the reports is done. Null before, and where there are none.
ALTER TABLE activity_runs ADD COLUMN reporting_since timestamptz;

-- What was found out about a tick's run after it had ended, each part from its own system.
CREATE TABLE tick_evidence (
  definition_id text        NOT NULL,
  scheduled_for timestamptz NOT NULL,
  run_id        uuid        NOT NULL,
  evidence      jsonb       NOT NULL,
  -- SHA-256 of the canonical JSON of the evidence with the three columns before it.
  evidence_hash text        NOT NULL,
  collected_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (definition_id, scheduled_for)
);

-- Since when it is enabled and has this timetable: what was due before says nothing about what can be relied on now.
ALTER TABLE schedules ADD COLUMN in_force_since timestamptz NOT NULL DEFAULT clock_timestamp();
