-- A dispatch whose runs are decided and committed; from then on its specs are sent.
ALTER TABLE dispatches ADD COLUMN prepared_at timestamptz;
CREATE INDEX dispatches_deciding ON dispatches (dispatch_id) WHERE closed_at IS NULL AND prepared_at IS NULL;

ALTER TABLE task_spawn_log
  -- For audits and reports only; never sent (M10).
  ADD COLUMN review_required  boolean NOT NULL DEFAULT false,
  -- The body as it was posted first: what is sent again is the same to the last byte.
  ADD COLUMN request          text,
  -- Posts whose answer nobody read: with one of them, issue-core may have the task already.
  ADD COLUMN unanswered_posts integer NOT NULL DEFAULT 0,
  -- The open task, found under the same dedupe_key, that is to get a comment.
  ADD COLUMN duplicate_of     text,
  -- issue-core asked not to be asked again before.
  ADD COLUMN not_before       timestamptz,
  -- Until then nobody else asks issue-core for this dedupe_key, or posts under it.
  ADD COLUMN leased_until     timestamptz;
CREATE INDEX task_spawn_log_pending ON task_spawn_log (dedupe_key) WHERE status = 'pending';

-- A verdict counts for what was reviewed: the definition's document without `emit`, whatever revision holds it.
ALTER TABLE run_reviews ADD COLUMN content_hash text NOT NULL;
CREATE INDEX run_reviews_content ON run_reviews (definition_id, content_hash, review_id DESC);

-- How many events came before it, each caused by the one before, directly or by a task that it made.
ALTER TABLE events ADD COLUMN depth integer NOT NULL DEFAULT 0;

-- A row for each definition with limits.max_tasks_per_hour that ran. Its lock puts their commits in order.
CREATE TABLE task_budgets (
  definition_id text        PRIMARY KEY,
  -- The last resume: what was committed before does not count any more.
  counted_from  timestamptz,
  -- Set by the run that crossed the limit, until the definition is resumed. What comes after is held.
  exceeded_at   timestamptz,
  exceeded_reason text
);
