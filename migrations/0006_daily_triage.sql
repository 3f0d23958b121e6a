-- Each request to the model: written before it is sent, completed with its answer before that is used.
CREATE TABLE instruction_calls (
  call_id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id             uuid        NOT NULL,
  definition_id      text        NOT NULL,
  -- With the definition, what a run and all of its retries have in common: an accepted answer is theirs, and so is the budget.
  origin_trigger_key text        NOT NULL,
  instruction_id     text        NOT NULL,
  -- Of what the instruction asks for and how; an answer is not reused for another.
  instruction_hash   text        NOT NULL,
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

-- What the sources answered a run whose model is asked: a later attempt binds the same. Gone when the run is decided.
CREATE TABLE pinned_contexts (
  run_id    uuid        PRIMARY KEY,
  context   jsonb       NOT NULL,
  pinned_at timestamptz NOT NULL DEFAULT now()
);

-- Everything but the reports is done. Null before, and where there are none.
ALTER TABLE activity_runs ADD COLUMN reporting_since timestamptz;

-- What was found out about a tick's run after it had ended, each part from its own system.
CREATE TABLE tick_evidence (
  definition_id text        NOT NULL,
  scheduled_for timestamptz NOT NULL,
  run_id        uuid        NOT NULL,
  evidence      jsonb       NOT NULL,
  -- SHA-256 of the evidence's canonical JSON.
  evidence_hash text        NOT NULL,
  collected_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (definition_id, scheduled_for)
);
