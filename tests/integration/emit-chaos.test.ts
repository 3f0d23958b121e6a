/** A server that fails in every way, and a service that is killed meanwhile: 500 specs are 500 tasks, each once. */
import { expect, inject, test } from 'vitest';
import { PASSING_FAULTS } from '../../src/dev/stand-ins/issue-core-faults.ts';
import { metricsEvent } from '../setup/event-path.ts';
import { createLivePath, type LivePath, liveByHand, liveOnEvent, startByHand } from '../setup/live-path.ts';
import type { ServiceProcess } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

/** Only ends a test that would never pass; a minute is usual. */
const SLOW_MACHINE_MS = 300_000;
const BY_HAND = 300;
const BY_EVENT = 200;
const ALL = BY_HAND + BY_EVENT;
const titles = Array.from({ length: BY_HAND }, (_, n) => `task ${n}`);
const files = {
  ...liveByHand('by-hand', titles),
  ...liveOnEvent('on-event', { dedupe_key: 'event:{{ event.id }}' }),
};
const approved = ['by-hand', 'on-event'];
/** The definition that ships sees the same events. */
const OURS = "definition_id IN ('by-hand', 'on-event')";

/** One of the faults is that no answer ever comes. */
const IMPATIENT = { ISSUE_CORE_TIMEOUT_SECONDS: '1' };

async function start(live: LivePath, service: ServiceProcess): Promise<void> {
  await startByHand(service, 'by-hand');
  for (let n = 0; n < BY_EVENT; n += 1) await live.path.publish(metricsEvent(`e${n}`, 0.9));
}

async function expectEachOnce(live: LivePath): Promise<void> {
  const made = live.issueCore.tasks();
  expect(made).toHaveLength(ALL);
  const refOf = new Map(made.map(({ idempotency_key, ref }) => [idempotency_key, ref]));
  expect(refOf.size).toBe(ALL);
  const rows = await live.tasks();
  expect(rows).toHaveLength(ALL);
  for (const { idempotency_key, status, task_ref } of rows) {
    expect({ status, task_ref }).toEqual({ status: 'created', task_ref: refOf.get(idempotency_key) });
  }
  const runs = await live.runs(OURS);
  expect(runs).toHaveLength(1 + BY_EVENT);
  expect(new Set(runs.map(({ status, sink_mode }) => `${status} ${sink_mode}`))).toEqual(
    new Set(['completed live']),
  );
  const bodies = Map.groupBy(
    live.issueCore.requests().filter(({ method, path }) => method === 'POST' && path === '/api/v1/tasks'),
    ({ idempotency_key }) => idempotency_key,
  );
  for (const posts of bodies.values()) expect(new Set(posts.map(({ body }) => body)).size).toBe(1);
}

const allOver = (live: LivePath) =>
  until(
    'every run is over',
    async () => (await live.runs(`${OURS} AND status <> 'running'`)).length === 1 + BY_EVENT,
    { boundMs: SLOW_MACHINE_MS },
  );

test(
  '500 specs become 500 tasks against a server that fails at random in every way',
  async () => {
    await using live = await createLivePath(inject('servers'), { files, approved });
    live.issueCore.setFaults({ faults: [...PASSING_FAULTS], rate: 0.4, seed: 5 });
    await using service = await live.serve(IMPATIENT);
    await start(live, service);
    await allOver(live);
    await expectEachOnce(live);
  },
  SLOW_MACHINE_MS,
);

test(
  'the same with two replicas of which one after the other is killed several times',
  async () => {
    await using live = await createLivePath(inject('servers'), { files, approved });
    live.issueCore.setFaults({ faults: [...PASSING_FAULTS], rate: 0.3, seed: 7 });
    const replicas = await Promise.all([live.serve(IMPATIENT), live.serve(IMPATIENT)]);
    try {
      const [first] = replicas;
      if (!first) throw new Error('no replica');
      await start(live, first);
      for (let kill = 0; kill < 3; kill += 1) {
        const before = live.issueCore.tasks().length;
        await until(
          'some more are made',
          async () => live.issueCore.tasks().length > Math.min(before + 60, ALL - 1),
        );
        const victim = replicas.shift();
        await victim?.kill();
        replicas.push(await live.serve(IMPATIENT));
      }
      await allOver(live);
      await expectEachOnce(live);
    } finally {
      for (const replica of replicas) await replica[Symbol.asyncDispose]();
    }
  },
  SLOW_MACHINE_MS,
);
