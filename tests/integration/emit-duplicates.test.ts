import { expect, inject, test } from 'vitest';
import { metricsEvent } from '../setup/event-path.ts';
import { createLivePath, liveOnEvent } from '../setup/live-path.ts';
import { until } from '../setup/until.ts';

test.each([
  { on_duplicate: 'skip', tasks: 1, comments: 0 },
  { on_duplicate: 'comment', tasks: 1, comments: 49 },
  { on_duplicate: 'always', tasks: 50, comments: 0 },
])(
  'fifty events with one key at one moment: $on_duplicate makes $tasks and $comments comments, also with two replicas',
  async ({ on_duplicate, tasks, comments }) => {
    await using live = await createLivePath(inject('servers'), {
      files: liveOnEvent('on-event', { dedupe_key: 'one-key', on_duplicate }),
      approved: ['on-event'],
    });
    await using _one = await live.serve();
    await using _other = await live.serve();
    await Promise.all(Array.from({ length: 50 }, (_, n) => live.path.publish(metricsEvent(`e${n}`, 0.9))));
    await until(
      'none is pending',
      async () => (await live.tasks("status IN ('created', 'duplicate')")).length === 50,
    );
    await until('the runs are over', async () => (await live.runs("status = 'running'")).length === 0);
    const made = live.issueCore.tasks();
    expect(made).toHaveLength(tasks);
    expect(made.flatMap((task) => task.comments)).toHaveLength(comments);
    expect((await live.tasks("status = 'created'")).length).toBe(tasks);
    const refs = new Set(made.map(({ ref }) => ref));
    for (const { task_ref } of await live.tasks()) expect(refs).toContain(task_ref);
  },
);
