/** Plan and apply against a real Temporal: each kind of change. */
import { ScheduleNotFoundError } from '@temporalio/client';
import { expect, inject, test } from 'vitest';
import { createPlanApply, hourly, type PlanApply } from '../setup/plan-apply.ts';

const open = () => createPlanApply(inject('servers'));

/** Declared and applied. */
async function applied(setting: PlanApply, name: string, fields: object = hourly()): Promise<string> {
  const id = setting.id(name);
  await setting.declare(id, fields);
  await setting.apply();
  return id;
}

test('a new definition is created with every policy explicit, and applied twice nothing changes', async () => {
  await using setting = await open();
  const id = setting.id('new');
  const schedule = { timezone: 'Europe/Berlin', overlap: 'buffer_all', catchup_window: '2h', jitter: '5s' };
  await setting.declare(id, hourly(schedule));
  const now = Date.parse('2026-11-20T08:00:00Z');
  const plan = await setting.plan(now);
  expect(plan).toEqual({
    changes: [
      {
        definition_id: id,
        action: 'create',
        fields: [],
        next_fire_times: [8, 9, 10, 11, 12].map(
          (hour) => `2026-11-20T${String(hour).padStart(2, '0')}:15:00Z`,
        ),
        timezone: 'Europe/Berlin',
        emit: 'audit',
        sink_mode: 'audit',
        sink_reason: 'the definition says emit: audit',
      },
    ],
    event_types: [],
    errors: [],
    warnings: [],
  });
  expect(await setting.apply(now)).toEqual(plan);

  const { action, policies, spec, state } = await setting.describe(id);
  const { rows } = await setting.database.pool.query(
    'SELECT definition_hash, enabled FROM schedules WHERE definition_id = $1',
    [id],
  );
  const [{ definition_hash, enabled }] = rows;
  expect(enabled).toBe(true);
  expect(action).toMatchObject({
    workflowType: 'ActivityRun',
    workflowId: `activity-core:${id}`,
    taskQueue: setting.taskQueue,
    args: [{ definition_id: id, definition_hash }],
    memo: { definition_hash },
  });
  expect(policies).toEqual({ overlap: 'BUFFER_ALL', catchupWindow: 7_200_000, pauseOnFailure: false });
  expect(spec).toMatchObject({ timezone: 'Europe/Berlin', jitter: 5000 });
  expect(spec.calendars).toHaveLength(1);
  expect(state.paused).toBe(false);

  expect(await setting.planned()).toEqual([]);
  const before = (await setting.describe(id)).info.lastUpdatedAt;
  expect(await setting.apply()).toEqual({ changes: [], event_types: [], errors: [], warnings: [] });
  expect((await setting.describe(id)).info.lastUpdatedAt).toEqual(before);
});

test('an interval is an interval, and the defaults are explicit', async () => {
  await using setting = await open();
  const id = await applied(setting, 'every', { trigger: { schedule: { every: '6h' } } });
  const { policies, spec } = await setting.describe(id);
  expect(spec).toMatchObject({
    intervals: [{ every: 21_600_000 }],
    calendars: [],
    jitter: 0,
    timezone: 'UTC',
  });
  expect(policies).toEqual({ overlap: 'SKIP', catchupWindow: 3_600_000, pauseOnFailure: false });
});

test('an edited definition is an update, field by field', async () => {
  await using setting = await open();
  const id = await applied(setting, 'edited');
  await setting.declare(id, { ...hourly({ cron: '30 * * * *', overlap: 'allow_all' }), title: 'Later' });
  const change = setting.changeOf(await setting.plan(), id);
  expect(change.action).toBe('update');
  expect(change.fields.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
    { path: 'title', from: 'On time', to: 'Later' },
    { path: 'trigger.schedule.cron', from: '15 * * * *', to: '30 * * * *' },
    { path: 'trigger.schedule.overlap', from: 'skip', to: 'allow_all' },
  ]);
  await setting.apply();
  const { policies, spec } = await setting.describe(id);
  expect(policies.overlap).toBe('ALLOW_ALL');
  expect(spec.calendars?.[0]?.minute).toEqual([{ start: 30, end: 30, step: 1 }]);
  expect(await setting.planned()).toEqual([]);
});

test('a change that does not concern Temporal gives the next tick the new revision', async () => {
  await using setting = await open();
  const id = await applied(setting, 'ruled');
  await setting.declare(id, {
    ...hourly(),
    rules: [{ id: 'r', condition: 'true', task: { title: 'Do it' } }],
  });
  expect(setting.changeOf(await setting.plan(), id).fields).toEqual([
    {
      path: 'rules[0]',
      from: null,
      to: expect.objectContaining({ id: 'r', condition: 'true' }),
    },
  ]);
  await setting.apply();
  const { rows } = await setting.database.pool.query(
    'SELECT definition_hash FROM activity_definitions WHERE definition_id = $1 AND is_current',
    [id],
  );
  expect((await setting.describe(id)).action.args).toEqual([
    { definition_id: id, definition_hash: rows[0].definition_hash },
  ]);
});

test('a disabled definition has a paused schedule, an enabled one fires again', async () => {
  await using setting = await open();
  const id = await applied(setting, 'switched');
  await setting.declare(id, { ...hourly(), enabled: false });
  const disabling = setting.changeOf(await setting.plan(), id);
  expect(disabling).toMatchObject({
    action: 'disable',
    fields: [{ path: 'enabled', from: true, to: false }],
    next_fire_times: [],
  });
  await setting.apply();
  expect((await setting.describe(id)).state).toMatchObject({ paused: true, note: 'activity-core: disabled' });
  expect(await setting.planned()).toEqual([]);

  await setting.declare(id, hourly());
  const enabling = setting.changeOf(await setting.plan(), id);
  expect(enabling).toMatchObject({ action: 'enable', fields: [{ path: 'enabled', from: false, to: true }] });
  expect(enabling.next_fire_times).toHaveLength(5);
  await setting.apply();
  expect((await setting.describe(id)).state.paused).toBe(false);
  expect(await setting.planned()).toEqual([]);
});

test('a renamed definition is a prune and a create, a deleted one a prune', async () => {
  await using setting = await open();
  const before = await applied(setting, 'before');
  const after = setting.id('after');
  await setting.remove(before);
  await setting.declare(after, hourly());
  expect(await setting.planned()).toEqual(['create after', 'prune before']);
  await setting.apply();
  await expect(setting.describe(before)).rejects.toThrow(ScheduleNotFoundError);
  expect(await setting.planned()).toEqual([]);

  await setting.remove(after);
  expect(await setting.planned()).toEqual(['prune after']);
  const { changes } = await setting.apply();
  expect(changes).toMatchObject([{ definition_id: after, action: 'prune', next_fire_times: [] }]);
  expect(await setting.planned()).toEqual([]);
  const { rows } = await setting.database.pool.query('SELECT * FROM schedules');
  expect(rows).toEqual([]);
});

test('a definition that no longer has a schedule loses it in Temporal', async () => {
  await using setting = await open();
  const id = await applied(setting, 'turned');
  await setting.declareType('test.turned', 'It turned');
  await setting.declare(id, { trigger: { event: { type: 'test.turned' } } });
  const plan = await setting.plan();
  expect(plan.event_types).toEqual([{ type: 'test.turned', action: 'create', fields: [] }]);
  expect(setting.changeOf(plan, id)).toMatchObject({ action: 'update', next_fire_times: [], timezone: null });
  expect((await setting.apply()).event_types).toEqual(plan.event_types);
  await expect(setting.describe(id)).rejects.toThrow(ScheduleNotFoundError);
  expect(await setting.plan()).toEqual({ changes: [], event_types: [], errors: [], warnings: [] });
});

test('an edited event type is an update, field by field', async () => {
  await using setting = await open();
  await setting.declareType('test.edited', 'It was edited');
  await setting.apply();
  await setting.declareType('test.edited', 'It was edited twice');
  const update = {
    type: 'test.edited',
    action: 'update',
    fields: [{ path: 'title', from: 'It was edited', to: 'It was edited twice' }],
  };
  expect((await setting.plan()).event_types).toEqual([update]);
  expect((await setting.apply()).event_types).toEqual([update]);
  expect((await setting.plan()).event_types).toEqual([]);
});

test('definitions without a schedule are planned too', async () => {
  await using setting = await open();
  const id = setting.id('manual');
  await setting.declare(id, { trigger: { manual: {} } });
  expect(setting.changeOf(await setting.plan(), id)).toMatchObject({ action: 'create', next_fire_times: [] });
  await setting.apply();
  await setting.declare(id, { trigger: { manual: {} }, enabled: false });
  expect(await setting.planned()).toEqual(['disable manual']);
  await setting.apply();
  expect(await setting.planned()).toEqual([]);
});

test('one invalid file applies nothing', async () => {
  await using setting = await open();
  const good = setting.id('good');
  const bad = setting.id('bad');
  await setting.declare(good, hourly());
  await setting.declare(bad, hourly({ cron: '61 * * * *' }));
  const plan = await setting.plan();
  expect(plan.changes).toEqual([]);
  expect(plan.errors).toMatchObject([
    { file: expect.stringContaining(`${bad}.yaml`), line: 1, path: 'trigger.schedule.cron' },
  ]);
  await expect(setting.apply()).rejects.toMatchObject({ code: 'invalid_definitions', errors: plan.errors });
  await expect(setting.describe(good)).rejects.toThrow(ScheduleNotFoundError);
  const { rows } = await setting.database.pool.query('SELECT * FROM activity_definitions');
  expect(rows).toEqual([]);
});
