/** PostgreSQL comes back from a backup that is older than what issue-core has (docs/runbook.md, "Back up and restore"). */
import { expect, inject, test } from 'vitest';
import { metricsEvent } from '../setup/event-path.ts';
import { createLivePath, liveOnEvent } from '../setup/live-path.ts';
import { until } from '../setup/until.ts';

/** What a backup from before the event lacks; definitions and verdicts are older than it. */
const WRITTEN_SINCE = [
  'events',
  'event_ids',
  'event_decisions',
  'dispatches',
  'activity_runs',
  'task_spawn_log',
];

test('events that are sent again after a restore make no task twice', async () => {
  await using live = await createLivePath(inject('servers'), {
    files: liveOnEvent('each'),
    approved: ['each'],
  });
  const { path, issueCore } = live;
  const event = metricsEvent('before-the-restore');
  const taskThat = (status: string) =>
    until(`the task is ${status}`, async () => (await live.tasks(`status = '${status}'`))[0]);

  const before = await live.serve();
  await path.publish(event);
  const { task_ref, idempotency_key } = await taskThat('created');
  await path.drained();
  await before.stop();

  await path.pool.query(`TRUNCATE ${WRITTEN_SINCE.join(', ')} CASCADE`);
  await using _after = await live.serve();
  await path.publish(event);
  expect(await taskThat('duplicate')).toMatchObject({ task_ref, idempotency_key });
  expect(issueCore.tasks()).toHaveLength(1);
  expect(await path.count('events')).toBe(1);
});
