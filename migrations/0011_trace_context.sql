-- W3C `traceparent`: of the event, and of the run that it triggered. Null where there is none, which costs nothing.
-- No part of the envelope: expressions do not see it, and it tells no repetition from a conflict.
ALTER TABLE events ADD COLUMN traceparent text;
ALTER TABLE activity_runs ADD COLUMN traceparent text;
