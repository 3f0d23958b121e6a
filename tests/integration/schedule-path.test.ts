import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import {
  createSchedulePath,
  get,
  getRun,
  listRuns,
  post,
  type SchedulePath,
  scheduled,
  type TickRow,
} from '../setup/schedule-path.ts';
import type { ServiceProcess } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

let path: SchedulePath;
let service: ServiceProcess;

beforeAll(async () => {
  path = await createSchedulePath(inject('servers'), {
    'every-two-seconds': scheduled('every-two-seconds', 'every: 2s'),
  });
  service = await path.spawn();
  await service.ready();
  await post(service.url, '/plan/apply');
});

afterAll(async () => {
  await service?.stop();
  await path?.[Symbol.asyncDispose]();
});

const ID = 'every-two-seconds';
const firedTicks = async (): Promise<TickRow[]> =>
  (await path.ticks(ID)).filter(({ outcome }) => outcome === 'fired');

test('every tick of a schedule is one completed run with its task', async () => {
  await until('three ticks fired', async () => (await firedTicks()).length >= 3);
  const ticks = await path.ticks(ID);
  const first = ticks[0]?.scheduled_for ?? '';
  for (const [position, tick] of ticks.entries()) {
    expect(Date.parse(tick.scheduled_for)).toBe(Date.parse(first) + position * 2000);
  }
  const [tick] = await firedTicks();
  const run = await until('the run is completed', async () => {
    const answer = await getRun(service.url, tick?.run_id);
    return answer.status === 'completed' ? answer : null;
  });
  expect(run.trigger).toEqual({ kind: 'schedule', scheduled_for: tick?.scheduled_for });
  expect(run.temporal.workflow_id).toBe(`activity-core:${ID}-${tick?.scheduled_for}`);
  expect(run.tasks.map(({ spec }) => spec.title)).toEqual([`Do it at ${tick?.scheduled_for}`]);
  const answer = await get<{ items: TickRow[] }>(service.url, `/ticks?definition_id=${ID}&outcome=fired`);
  expect(answer.items).toContainEqual({
    definition_id: ID,
    scheduled_for: tick?.scheduled_for,
    outcome: 'fired',
    reason: null,
    run_id: tick?.run_id,
  });
});

test('a trigger and a backfill in Temporal are runs and are no ticks', async () => {
  const before = (await path.ticks(ID))[0]?.scheduled_for ?? '';
  const end = Date.parse(before) - 3_600_000;
  await path.scheduleOf(ID).backfill({
    start: new Date(end - 6_000),
    end: new Date(end),
    overlap: 'ALLOW_ALL',
  });
  await path.scheduleOf(ID).trigger('ALLOW_ALL');
  const byHand = await until('the runs by hand are completed', async () => {
    const items = await listRuns(service.url, `definition_id=${ID}&trigger=manual&status=completed`);
    return items.length >= 5 ? items : null;
  });
  expect(byHand).toHaveLength(5);
  const ticks = await path.ticks(ID);
  expect(ticks[0]?.scheduled_for).toBe(before);
  const runIds = new Set(ticks.map(({ run_id }) => run_id));
  for (const run of byHand) expect(runIds.has(run.run_id)).toBe(false);
});

test('a tick that was due while the definition was paused is paused, and resuming goes on', async () => {
  await post(service.url, `/definitions/${ID}/pause`, { reason: 'maintenance' });
  const paused = await until('a tick is paused', async () =>
    (await path.ticks(ID)).find(({ outcome }) => outcome === 'paused'),
  );
  expect(paused.reason).toBe('maintenance');
  expect(paused.run_id).toBeNull();
  await post(service.url, `/definitions/${ID}/resume`, { reason: 'done' });
  await until('a later tick fired', async () =>
    (await firedTicks()).some(({ scheduled_for }) => scheduled_for > paused.scheduled_for),
  );
});

test('a pause that somebody made in Temporal is shown, pauses ticks, and ends with a resume', async () => {
  await path.scheduleOf(ID).pause('moving house');
  const shown = await until('the definition is shown as paused', async () => {
    const answer = await get<{ paused: boolean; pause_reason: string; next_run: string | null }>(
      service.url,
      `/definitions/${ID}`,
    );
    return answer.paused ? answer : null;
  });
  expect(shown).toMatchObject({ pause_reason: 'by hand in Temporal: moving house', next_run: null });
  const paused = await until('a tick is paused', async () =>
    (await path.ticks(ID)).find(({ reason }) => reason === 'moving house'),
  );
  expect(paused.outcome).toBe('paused');
  await post(service.url, `/definitions/${ID}/resume`, { reason: 'moved' });
  await until('a later tick fired', async () =>
    (await firedTicks()).some(({ scheduled_for }) => scheduled_for > paused.scheduled_for),
  );
  expect(await get(service.url, `/definitions/${ID}`)).toMatchObject({ paused: false, pause_reason: null });
});

test('a service that is killed while ticks fire leaves each tick with one outcome', async () => {
  const fired = (await firedTicks()).length;
  for (let kills = 1; kills <= 3; kills += 1) {
    await until('another tick fired', async () => (await firedTicks()).length >= fired + kills);
    await service.kill();
    service = await path.spawn();
    await service.ready();
  }
  const last = (await path.ticks(ID)).at(-1)?.scheduled_for ?? '';
  const ticks = await until('all of them have an outcome', async () => {
    const due = (await path.ticks(ID)).filter(({ scheduled_for }) => scheduled_for <= last);
    return due.every(({ outcome }) => outcome !== null) ? due : null;
  });
  const runIds = ticks.flatMap(({ run_id }) => run_id ?? []);
  expect(new Set(runIds).size).toBe(runIds.length);
  const scheduledRuns = await path.count(
    'activity_runs',
    `definition_id = '${ID}' AND trigger_kind = 'schedule' AND scheduled_for <= '${last}'`,
  );
  expect(scheduledRuns).toBe(runIds.length);
});
