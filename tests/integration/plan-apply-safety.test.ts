/** Plan and apply when something else is there, comes in between or is away. */
import { ScheduleNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { applyPlannedFolder } from '../../src/schedules/plan-folder.ts';
import {
  createTemporalSchedules,
  type TemporalSchedules,
  TemporalUnavailableError,
} from '../../src/schedules/temporal-schedules.ts';
import { createTestApi, type TestApi } from '../setup/api.ts';
import { captureCli } from '../setup/captured-cli.ts';
import { createPlanApply, hourly, type PlanApply } from '../setup/plan-apply.ts';
import { createRecordedSchedules } from '../setup/recorded-schedules.ts';
import { until } from '../setup/until.ts';

const servers = inject('servers');
const open = () => createPlanApply(servers);

/** Temporal goes away when it is asked to apply for the `after`-th time. */
function failingAfter(schedules: TemporalSchedules, after: number): TemporalSchedules {
  let left = after;
  return {
    ...schedules,
    async apply(desired, pause) {
      if (left === 0) throw new TemporalUnavailableError('Temporal is away', null);
      left -= 1;
      return schedules.apply(desired, pause);
    },
  };
}

async function foreignSchedule(setting: PlanApply, id: string, workflowType: string, taskQueue: string) {
  await setting.client.schedule.create({
    scheduleId: `activity-core:${id}`,
    spec: { intervals: [{ every: '300 days' }] },
    action: { type: 'startWorkflow', workflowType, taskQueue, args: [] },
    state: { paused: true, note: 'not of activity-core' },
  });
}

const isListed = (setting: PlanApply, id: string) => async () => {
  for await (const { scheduleId } of setting.client.schedule.list())
    if (scheduleId === `activity-core:${id}`) return true;
  return false;
};

test('schedules of others are never listed and never touched, whatever their ids', async () => {
  await using setting = await open();
  const otherType = setting.id('other-type');
  const otherQueue = setting.id('other-queue');
  await foreignSchedule(setting, otherType, 'SomethingElse', setting.taskQueue);
  await foreignSchedule(setting, otherQueue, 'ActivityRun', 'another-installation');
  await until('both are listed', isListed(setting, otherType));
  await until('both are listed', isListed(setting, otherQueue));
  expect(await setting.plan()).toEqual({ changes: [], event_types: [], errors: [], warnings: [] });
  await setting.apply();
  for (const id of [otherType, otherQueue])
    expect((await setting.describe(id)).state.note).toBe('not of activity-core');
});

test('a definition whose id somebody else took in Temporal is refused, the others are applied', async () => {
  await using setting = await open();
  const taken = setting.id('a-taken');
  const free = setting.id('free');
  await foreignSchedule(setting, taken, 'SomethingElse', 'elsewhere');
  await setting.declare(taken, hourly());
  await setting.declare(free, hourly());
  await expect(setting.apply()).rejects.toThrow(`${taken}: its id is taken in Temporal`);
  expect((await setting.describe(taken)).action.workflowType).toBe('SomethingElse');
  expect((await setting.describe(free)).action.workflowType).toBe('ActivityRun');
  expect(await setting.planned()).toEqual(['create a-taken']);
});

test('what is ours in Temporal and declared by nobody is pruned', async () => {
  await using setting = await open();
  const id = setting.id('orphan');
  await foreignSchedule(setting, id, 'ActivityRun', setting.taskQueue);
  await until('it is listed', isListed(setting, id));
  expect(await setting.planned()).toEqual(['prune orphan']);
  expect((await setting.apply()).changes).toHaveLength(1);
  await expect(setting.describe(id)).rejects.toThrow(ScheduleNotFoundError);
  expect(await setting.planned()).toEqual([]);
});

test('where the database was lost, schedules that are there are taken over', async () => {
  await using setting = await open();
  const id = setting.id('survivor');
  await setting.declare(id, hourly());
  await setting.apply();
  await setting.database.pool.query('TRUNCATE schedules, activity_definitions');
  expect(await setting.planned()).toEqual(['create survivor']);
  await setting.apply();
  expect(await setting.planned()).toEqual([]);
});

test('with another task queue every schedule is moved to it', async () => {
  await using setting = await open();
  const id = setting.id('moved');
  await setting.declare(id, hourly());
  await setting.apply();
  setting.folder.temporalSchedules = createTemporalSchedules({
    client: setting.client,
    taskQueue: 'moved-to',
  });
  expect(setting.changeOf(await setting.plan(), id)).toMatchObject({
    action: 'update',
    fields: [{ path: 'temporal.action.task_queue', from: setting.taskQueue }],
  });
  await setting.apply();
  expect((await setting.describe(id)).action.taskQueue).toBe('moved-to');
  expect(await setting.planned()).toEqual([]);
});

test('an apply that Temporal leaves midway is shown by the next plan and mended by the next apply', async () => {
  await using setting = await open();
  const ids = ['one', 'two', 'three'].map((name) => setting.id(name));
  for (const id of ids) await setting.declare(id, hourly());
  await setting.apply();
  for (const id of ids) await setting.declare(id, hourly({ cron: '40 * * * *' }));
  const failing = {
    ...setting.folder,
    temporalSchedules: failingAfter(setting.folder.temporalSchedules, 1),
  };
  await expect(applyPlannedFolder(failing, Date.now())).rejects.toThrow(
    'the definitions are applied, not all of their schedules are: apply again',
  );
  const { changes } = await setting.plan();
  expect(changes).toHaveLength(2);
  expect(changes[0]?.fields).toEqual([
    { path: 'trigger.schedule.cron', from: '15 * * * *', to: '40 * * * *' },
  ]);
  expect((await setting.apply()).changes).toEqual(changes);
  expect(await setting.planned()).toEqual([]);
});

test('two applies at once of two contents end in one of them, whole', async () => {
  await using setting = await open();
  await using other = await open();
  const ids = ['one', 'two', 'three', 'four'].map((name) => setting.id(name));
  for (const id of ids) {
    await setting.declare(id, hourly({ cron: '10 * * * *' }));
    await other.declare(id, hourly({ cron: '50 * * * *' }));
  }
  const { pool, temporalSchedules } = setting.folder;
  const others = { ...other.folder, pool, temporalSchedules };
  const now = Date.now();
  await Promise.all([
    applyPlannedFolder(setting.folder, now),
    applyPlannedFolder(others, now),
    applyPlannedFolder(setting.folder, now),
    applyPlannedFolder(others, now),
  ]);
  const { rows } = await pool.query(
    "SELECT DISTINCT document #>> '{trigger,schedule,cron}' AS cron FROM activity_definitions WHERE is_current",
  );
  expect(rows).toHaveLength(1);
  const minute = Number(String(rows[0].cron).split(' ')[0]);
  for (const id of ids)
    expect((await setting.describe(id)).spec.calendars?.[0]?.minute?.[0]).toMatchObject({ start: minute });
  await setting.apply();
  expect(await setting.planned()).toEqual([]);
});

test('what was due before a schedule changes is recorded on its old grid, after it on the new one', async () => {
  await using setting = await open();
  const id = setting.id('ticking');
  const { pool } = setting.database;
  await setting.declare(id, { trigger: { schedule: { every: '1h' } } });
  await setting.apply();
  await pool.query("UPDATE schedules SET recorded_until = now() - interval '150 minutes'");
  await setting.declare(id, { trigger: { schedule: { every: '6h' } } });
  await setting.apply();
  const { rows } = await pool.query('SELECT count(*) AS n FROM schedule_ticks WHERE definition_id = $1', [
    id,
  ]);
  expect([2, 3]).toContain(rows[0].n);
  const updated = (await setting.describe(id)).info.lastUpdatedAt?.toISOString();
  const after = await pool.query('SELECT recorded_until FROM schedules');
  expect(new Date(after.rows[0].recorded_until).toISOString()).toBe(updated);

  await pool.query("UPDATE schedules SET recorded_until = now() - interval '13 hours'");
  await setting.remove(id);
  await setting.apply();
  const last = await pool.query('SELECT count(*) AS n FROM schedule_ticks');
  expect(last.rows[0].n).toBeGreaterThan(rows[0].n);
});

test('with Temporal away nothing is applied', async () => {
  await using setting = await open();
  await setting.declare(setting.id('waits'), hourly());
  const away = createRecordedSchedules();
  const temporalSchedules = {
    ...away,
    list: () => Promise.reject(new TemporalUnavailableError('away', null)),
  };
  await expect(applyPlannedFolder({ ...setting.folder, temporalSchedules }, Date.now())).rejects.toThrow(
    'away',
  );
  const { rows } = await setting.database.pool.query('SELECT * FROM activity_definitions');
  expect(rows).toEqual([]);
});

let setting: PlanApply;
let api: TestApi;
let apiAddress: string;
let environment: Record<string, string>;

beforeAll(async () => {
  setting = await open();
  const { definitionsDir, temporalSchedules } = setting.folder;
  api = await createTestApi(servers.database_url, { definitionsDir, temporalSchedules });
  apiAddress = await api.app.listen({ host: '127.0.0.1', port: 0 });
  environment = {
    DATABASE_URL: setting.database.serviceUrl,
    DEFINITIONS_DIR: definitionsDir,
    TEMPORAL_ADDRESS: servers.temporal_address,
    TASK_QUEUE: setting.taskQueue,
    LOG_LEVEL: 'silent',
  };
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await setting[Symbol.asyncDispose]();
});

test('API and CLI give the same plan, apply it and find nothing more to do', async () => {
  const id = setting.id('asked');
  await setting.declare(id, hourly({ timezone: 'Asia/Kolkata' }));
  const plan = await api.get('/api/v1/plan');
  expect(plan).toMatchObject({ status: 200, body: { changes: [{ action: 'create' }], errors: [] } });
  const told = await captureCli(['definitions', 'plan'], { apiAddress });
  expect(told.exitCode).toBe(0);
  expect(told.out).toMatch(new RegExp(`create +${id}\\n +next \\d{4}-.*\\+05:30 Asia/Kolkata\\n`));
  const asJson = await captureCli(['definitions', 'plan', '--json'], { apiAddress });
  expect(JSON.parse(asJson.out).changes).toMatchObject([{ definition_id: id, action: 'create' }]);

  const done = await api.post('/api/v1/plan/apply', {});
  expect(done).toMatchObject({ status: 200, body: { changes: [{ definition_id: id, action: 'create' }] } });
  expect((await api.get('/api/v1/plan')).body).toEqual({
    changes: [],
    event_types: [],
    errors: [],
    warnings: [],
  });
  const again = await captureCli(['definitions', 'apply'], { apiAddress });
  expect(again).toMatchObject({ exitCode: 0, out: expect.stringContaining('Nothing to apply') });
});

test('with DATABASE_URL the commands need no API', async () => {
  const plan = await captureCli(['definitions', 'plan'], { environment });
  expect(plan).toMatchObject({ exitCode: 0, out: expect.stringContaining('create') });
  const applied = await captureCli(['definitions', 'apply', '--json'], { environment });
  expect(applied.exitCode).toBe(0);
  expect(JSON.parse(applied.out)).toMatchObject({ changes: [{ action: 'create' }], errors: [] });
  const nothing = await captureCli(['definitions', 'plan'], { environment });
  expect(nothing).toMatchObject({ exitCode: 0, out: expect.stringContaining('Nothing to do') });
});

test('a Temporal that cannot be reached ends the commands with 2, and the API with 503', async () => {
  const away = { ...environment, TEMPORAL_ADDRESS: '127.0.0.1:1' };
  const { exitCode, err } = await captureCli(['definitions', 'apply'], { environment: away });
  expect(exitCode).toBe(2);
  expect(err).toMatch(/^error: Temporal cannot be reached at 127\.0\.0\.1:1: .*check TEMPORAL_ADDRESS/);
  await using disconnected = await createTestApi(servers.database_url, {
    temporalSchedules: {
      ...createRecordedSchedules(),
      list: () => Promise.reject(new TemporalUnavailableError('Temporal is away', null)),
    },
  });
  for (const answer of [
    await disconnected.get('/api/v1/plan'),
    await disconnected.post('/api/v1/plan/apply', {}),
  ])
    expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable', detail: 'Temporal is away' } });
});

test('an invalid file is named by plan, by the refusal of apply and by both ways of the CLI', async () => {
  const bad = setting.id('wrong');
  await setting.declare(bad, hourly({ timezone: 'Europe/Berln' }));
  const plan = await api.get('/api/v1/plan');
  expect(plan).toMatchObject({
    status: 200,
    body: {
      changes: [],
      errors: [{ line: 1, column: expect.any(Number), path: 'trigger.schedule.timezone' }],
    },
  });
  const refused = await api.post('/api/v1/plan/apply', {});
  expect(refused).toMatchObject({
    status: 422,
    body: { code: 'invalid_definitions', errors: plan.body.errors },
  });
  for (const surroundings of [{ apiAddress }, { environment }]) {
    for (const command of ['plan', 'apply']) {
      const { exitCode, out } = await captureCli(['definitions', command], surroundings);
      expect(exitCode).toBe(1);
      expect(out).toMatch(/wrong-\S+\.yaml:1:\d+ trigger\.schedule\.timezone: unknown time zone/);
      const json = await captureCli(['definitions', command, '--json'], surroundings);
      const { errors } = plan.body;
      expect(JSON.parse(json.out)).toEqual({ changes: [], event_types: [], errors, warnings: [] });
    }
  }
  await setting.remove(bad);
});
