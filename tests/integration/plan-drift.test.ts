/** What somebody did to a schedule in Temporal by hand, as plan and apply see it. */
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

test('a schedule edited by hand is drift, and apply restores it', async () => {
  await using setting = await open();
  const id = await applied(setting, 'tampered');
  await setting.schedule(id).update((previous) => ({
    ...previous,
    spec: { cronExpressions: ['45 2 * * MON-FRI'], timezone: 'Europe/Berlin', jitter: '1m' },
    policies: { ...previous.policies, overlap: 'TERMINATE_OTHER', catchupWindow: '1 day' },
  }));
  const drift = setting.changeOf(await setting.plan(), id);
  expect(drift.action).toBe('drift');
  expect(drift.fields.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
    { path: 'trigger.schedule.catchup_window', from: '1d', to: '1h' },
    { path: 'trigger.schedule.cron', from: '45 2 * * MON-FRI', to: '15 * * * *' },
    { path: 'trigger.schedule.jitter', from: '1m', to: '0s' },
    { path: 'trigger.schedule.overlap', from: 'terminate_other', to: 'skip' },
    { path: 'trigger.schedule.timezone', from: 'Europe/Berlin', to: 'UTC' },
  ]);
  expect(drift.next_fire_times).toHaveLength(5);
  expect((await setting.apply()).changes).toEqual([drift]);
  expect((await setting.describe(id)).policies.overlap).toBe('SKIP');
  expect(await setting.planned()).toEqual([]);
});

test('what was due while a schedule was gone stays on record when an apply makes it again', async () => {
  await using setting = await open();
  const id = await applied(setting, 'gone');
  await setting.schedule(id).delete();
  const { pool } = setting.database;
  await pool.query("UPDATE schedules SET recorded_until = recorded_until - interval '3 hours'");
  await setting.apply();
  const { rows } = await pool.query('SELECT count(*) AS n FROM schedule_ticks WHERE definition_id = $1', [
    id,
  ]);
  expect(rows[0].n).toBe(3);
});

test('an action edited by hand is drift, and apply restores it', async () => {
  await using setting = await open();
  const id = await applied(setting, 'rerouted');
  await setting.schedule(id).update((previous) => ({
    ...previous,
    action: { ...previous.action, taskQueue: 'somewhere-else', args: [] },
  }));
  expect(await setting.planned()).toEqual(['drift rerouted']);
  await setting.apply();
  expect((await setting.describe(id)).action.taskQueue).toBe(setting.taskQueue);
  expect(await setting.planned()).toEqual([]);
});

test('a schedule deleted by hand is drift, and apply makes it again', async () => {
  await using setting = await open();
  const id = await applied(setting, 'deleted');
  await setting.schedule(id).delete();
  expect(setting.changeOf(await setting.plan(), id)).toMatchObject({
    action: 'drift',
    fields: [{ path: 'trigger.schedule', from: null, to: { cron: '15 * * * *' } }],
  });
  await setting.apply();
  expect((await setting.describe(id)).state.paused).toBe(false);
  expect(await setting.planned()).toEqual([]);
});

test('a pause by hand is drift, and kept through an update, a disable and an enable', async () => {
  await using setting = await open();
  const id = await applied(setting, 'held');
  await setting.schedule(id).pause('Ana looks into it');
  const drift = setting.changeOf(await setting.plan(), id);
  expect(drift).toMatchObject({
    action: 'drift',
    fields: [
      { path: 'paused', from: true, to: false },
      { path: 'temporal.note', from: 'Ana looks into it', to: null },
    ],
    next_fire_times: [],
  });
  expect((await setting.apply()).changes).toEqual([]);

  const variants = [
    hourly({ cron: '20 * * * *' }),
    { ...hourly(), enabled: false },
    hourly({ cron: '25 * * * *' }),
  ];
  for (const fields of variants) {
    await setting.declare(id, fields);
    const { changes } = await setting.apply();
    expect(changes).toHaveLength(1);
    expect((await setting.describe(id)).state).toMatchObject({ paused: true, note: 'Ana looks into it' });
    expect(await setting.planned()).toEqual(['drift held']);
  }
  await setting.schedule(id).unpause('found it');
  expect(await setting.planned()).toEqual([]);
});

test('an update does not end a pause that our API made', async () => {
  await using setting = await open();
  const id = await applied(setting, 'paused');
  await setting.database.pool.query(
    "INSERT INTO definition_pauses (definition_id, reason) VALUES ($1, 'moving house')",
    [id],
  );
  await setting.schedule(id).pause('activity-core: paused: moving house');
  expect(await setting.planned()).toEqual([]);
  await setting.declare(id, hourly({ cron: '50 * * * *' }));
  expect(setting.changeOf(await setting.plan(), id)).toMatchObject({ action: 'update', next_fire_times: [] });
  await setting.apply();
  expect((await setting.describe(id)).state).toMatchObject({
    paused: true,
    note: 'activity-core: paused: moving house',
  });

  await setting.schedule(id).unpause('by mistake');
  expect(setting.changeOf(await setting.plan(), id)).toMatchObject({
    action: 'drift',
    fields: [{ path: 'paused', from: false, to: true }],
  });
  await setting.apply();
  expect((await setting.describe(id)).state.paused).toBe(true);
});

test('a limit that was set by hand on the number of actions is drift, and an apply ends it', async () => {
  await using setting = await open();
  const id = await applied(setting, 'limited');
  await setting
    .schedule(id)
    .update((previous) => ({ ...previous, state: { ...previous.state, remainingActions: 0 } }));
  expect(setting.changeOf(await setting.plan(), id)).toMatchObject({
    action: 'drift',
    fields: [{ path: 'temporal.remaining_actions', from: 0, to: null }],
  });
  await setting.apply();
  expect((await setting.describe(id)).state.remainingActions).toBeUndefined();
  expect(await setting.planned()).toEqual([]);
});

test('a pause of ours whose transaction did not commit is ended by the next apply', async () => {
  await using setting = await open();
  const id = await applied(setting, 'left-behind');
  await setting.schedule(id).pause('activity-core: paused: never recorded');
  expect(setting.changeOf(await setting.plan(), id)).toMatchObject({
    action: 'drift',
    fields: [{ path: 'paused', from: true, to: false }],
  });
  await setting.apply();
  expect((await setting.describe(id)).state.paused).toBe(false);
});
