import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import {
  createSchedulePath,
  getRun,
  listRuns,
  post,
  type SchedulePath,
  scheduled,
} from '../setup/schedule-path.ts';
import { until } from '../setup/until.ts';

let path: SchedulePath;

beforeAll(async () => {
  path = await createSchedulePath(inject('servers'), {
    patient: scheduled('patient', 'every: 2s, overlap: buffer_all, catchup_window: 1h'),
    impatient: scheduled('impatient', 'every: 2s, overlap: buffer_all, catchup_window: 10s'),
    'catching-up': scheduled('catching-up', 'every: 2s, overlap: skip, catchup_window: 1h'),
    skipping: scheduled('skipping', 'every: 2s, overlap: skip, catchup_window: 1h'),
  });
});

afterAll(() => path?.[Symbol.asyncDispose]());

/** Only ends a test that would never pass: on two busy cores two days of ticks take their time. */
const SLOW_MACHINE_MS = 570_000;
vi.setConfig({ testTimeout: 600_000 });

/** The outcomes of the ticks in [from, to], in their order; all of them must be known. */
async function outcomes(id: string, from: string, to: string): Promise<string[]> {
  const expected = (Date.parse(to) - Date.parse(from)) / 2000 + 1;
  const inRange = `definition_id = '${id}' AND scheduled_for BETWEEN '${from}' AND '${to}'`;
  await until(
    `the ticks of ${id} have their outcomes`,
    async () => (await path.count('schedule_ticks', `${inRange} AND outcome IS NOT NULL`)) === expected,
    { boundMs: SLOW_MACHINE_MS },
  );
  const { rows } = await path.pool.query(
    `SELECT outcome FROM schedule_ticks WHERE ${inRange} ORDER BY scheduled_for`,
  );
  return rows.map(({ outcome }) => outcome);
}

const lastTick = async (id: string): Promise<string> =>
  until(`${id} ticks`, async () => (await path.ticks(id)).at(-1)?.scheduled_for);

test('ticks that were due while Temporal was away run inside their catch-up window and are missed outside it', async () => {
  await using service = await path.spawn();
  await service.ready();
  await post(service.url, '/plan/apply');
  await until(
    'the first tick fired',
    async () => (await path.count('schedule_ticks', "outcome = 'fired'")) > 0,
  );
  await path.own.stop('temporal');
  const from = await lastTick('patient');
  const to = await until('eight ticks were due meanwhile', async () => {
    const { rows } = await path.pool.query('SELECT clock_timestamp() AS now');
    const due = new Date(Date.parse(from) + 16_000).toISOString().replace('.000Z', 'Z');
    return rows[0].now > due ? due : null;
  });
  await path.own.restart('temporal');

  expect(new Set(await outcomes('patient', from, to))).toEqual(new Set(['fired']));
  // Whether one of them fires is the machine's to say: the run of the tick before the outage may still be open.
  const catchingUp = await outcomes('catching-up', from, to);
  expect(catchingUp).toContain('overlapped');
  expect(catchingUp.filter((outcome) => outcome !== 'fired' && outcome !== 'overlapped')).toEqual([]);
  // How many of them are late is the machine's to say; the window is shorter than the outage, so some are.
  const impatient = await outcomes('impatient', from, to);
  expect(impatient).toContain('missed');
  expect(impatient.filter((outcome) => outcome !== 'missed' && outcome !== 'fired')).toEqual([]);
  const ran = await path.count(
    'activity_runs',
    `definition_id = 'impatient' AND status = 'completed' AND scheduled_for BETWEEN '${from}' AND '${to}'`,
  );
  expect(ran).toBe(impatient.filter((outcome) => outcome === 'fired').length);
  expect(service.log()).not.toContain('"level":50');
});

test('with no worker and skip, the first tick runs late on its own revision and the next are overlapped', async () => {
  const stopped = await path.spawn('subscriber,api');
  await stopped.ready();
  await post(stopped.url, '/plan/apply');
  const first = await until('a tick waits for a worker', async () => {
    const { info } = await path.scheduleOf('skipping').describe();
    return info.runningActions[0]?.workflow.workflowId.slice('activity-core:skipping-'.length);
  });
  const { rows } = await path.pool.query(
    "SELECT definition_hash FROM activity_definitions WHERE definition_id = 'skipping' AND is_current",
  );
  const overlapped = await until('ticks were overlapped', async () => {
    const ticks = await path.ticks('skipping');
    const after = ticks.filter(
      ({ scheduled_for, outcome }) => scheduled_for > first && outcome === 'overlapped',
    );
    return after.length >= 2 ? after : null;
  });
  await path.declare(
    'skipping',
    scheduled('skipping', 'every: 2s, overlap: skip, catchup_window: 1h', 'Do the other thing'),
  );
  await post(stopped.url, '/plan/apply');
  await stopped.stop();

  await using service = await path.spawn();
  await service.ready();
  const ran = await until('the first tick ran', async () => {
    const tick = (await path.ticks('skipping')).find(({ scheduled_for }) => scheduled_for === first);
    return tick?.outcome === 'fired' ? tick : null;
  });
  const run = await until('its run is completed', async () => {
    const answer = await getRun(service.url, ran.run_id);
    return answer.status === 'completed' ? answer : null;
  });
  expect(run.definition_hash).toBe(rows[0].definition_hash);
  expect(run.tasks[0]?.spec.title).toBe(`Do it at ${first}`);
  const later = await until('a later tick fired on the new revision', async () => {
    const [newest] = await listRuns(service.url, 'definition_id=skipping&status=completed&limit=1');
    return newest && newest.definition_hash !== rows[0].definition_hash ? newest : null;
  });
  const all = await outcomes('skipping', first, later.trigger.scheduled_for ?? '');
  expect(new Set(all)).toEqual(new Set(['fired', 'overlapped']));
  expect(all.length).toBeGreaterThan(overlapped.length + 1);
});

test('ticks that were due while everything was down for two days are all accounted for', async () => {
  await path.pool.query(
    "UPDATE schedules SET recorded_until = recorded_until - interval '2 days' WHERE definition_id = 'impatient'",
  );
  const [{ from, to }] = (
    await path.pool.query(
      `SELECT date_trunc('minute', now() - interval '1 day') AS from, date_trunc('minute', now() - interval '1 hour') AS to`,
    )
  ).rows;
  await using service = await path.spawn();
  await service.ready();
  expect(new Set(await outcomes('impatient', from, to))).toEqual(new Set(['missed']));
});
