-- One row. Who deletes what is old holds its lease; readers see what the last pass did.
CREATE TABLE retention (
  singleton        boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
  leased_by        uuid,
  -- Until then nobody else begins a pass. The one that is at work moves it on with each batch.
  leased_until     timestamptz,
  -- The last pass; `finished_at` is null while it goes on, and where it was stopped or died.
  began_at         timestamptz,
  finished_at      timestamptz,
  -- What it has deleted: {"<table>": rows}, without the tables of which it deleted nothing.
  deleted          jsonb       NOT NULL DEFAULT '{}',
  -- Of what began before and is not on record, nobody knows whether it ever was. Never moves back.
  forgotten_before timestamptz
);
INSERT INTO retention DEFAULT VALUES;

-- Rows of one batch have one time, which is stored once: 8 bytes a row.
CREATE INDEX event_ids_recorded ON event_ids (recorded_at);
CREATE INDEX dispatches_closed ON dispatches (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX quarantined_events_closed ON quarantined_events (state_changed_at) WHERE state <> 'open';
