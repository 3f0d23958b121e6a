-- W3C `traceparent`: of the event, and of the run that it triggered. Null where there is none, which costs nothing.
-- No part of the envelope: expressions do not see it, and it tells no repetition from a conflict.

-- Everybody who reads or writes these tables queues up behind whoever waits for them whole. Behind a long reader, a backup for one,
-- it gives up instead: nothing is changed then, and `migrate` is to be run again, as the Job of the cluster does by itself.
SET LOCAL lock_timeout = '5s';
ALTER TABLE events ADD COLUMN traceparent text;
ALTER TABLE activity_runs ADD COLUMN traceparent text;
