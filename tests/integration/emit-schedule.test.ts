import { expect, inject, test } from 'vitest';
import { deadUrl, reviewCurrent, TOKEN } from '../setup/live-path.ts';
import { createSchedulePath, post, scheduled } from '../setup/schedule-path.ts';
import { spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

test('with issue-core away, a live schedule goes on: what it asks for waits in the outbox', async () => {
  const id = 'every-two-seconds-live';
  const document = `${scheduled(id, 'every: 2s')}emit: live\n`;
  await using path = await createSchedulePath(inject('servers'), { [id]: document });
  await reviewCurrent(path.pool, id);
  await using service = await spawnService({
    environment: {
      ...path.environment,
      DEFINITIONS_DIR: path.definitionsDir,
      ISSUE_SINK_TYPE: 'issue-core',
      ISSUE_CORE_URL: await deadUrl(),
      ISSUE_CORE_TOKEN: TOKEN,
    },
  });
  await service.ready();
  await post(service.url, '/plan/apply');
  // Were the emission part of the schedule's workflow, the first one would make every later tick `overlapped`.
  const emitting = "status = 'running' AND sink_mode = 'live' AND task_count = 1";
  await until('four runs emit at one time', async () => (await path.count('activity_runs', emitting)) >= 4);
  expect(await path.count('task_spawn_log', "status <> 'pending'")).toBe(0);
});
