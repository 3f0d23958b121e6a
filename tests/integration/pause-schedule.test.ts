/** What pausing and resuming a definition does to its schedule. Temporal is stood in for. */
import { afterAll, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest';
import { createTestApi, manualDefinition, type TestApi } from '../setup/api.ts';
import { createRecordedSchedules } from '../setup/recorded-schedules.ts';

const id = 'by-hand';
const schedules = createRecordedSchedules();
let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url, { temporalSchedules: schedules });
});
beforeEach(async () => {
  await api.declare([manualDefinition()]);
  await api.clear();
  schedules.asked.length = 0;
  schedules.isAway = false;
});
afterAll(() => api[Symbol.asyncDispose]());

const pause = (reason: string) => api.post(`/api/v1/definitions/${id}/pause`, { reason });
const resume = (body: object = {}) => api.post(`/api/v1/definitions/${id}/resume`, body);
const definition = async () => (await api.get(`/api/v1/definitions/${id}`)).body;

/** A schedule whose ticks are recorded up to ten minutes ago. */
async function addSchedule(id: string, { enabled = true } = {}): Promise<void> {
  const policy = {
    every: '1m',
    timezone: 'UTC',
    overlap: 'skip',
    catchup_window: '1h',
    jitter: '0s',
  };
  await api.pool.query(
    `INSERT INTO schedules (definition_id, definition_hash, schedule, enabled, described, recorded_until)
     VALUES ($1, 'hash', $2, $3, '{}', now() - interval '10 minutes')`,
    [id, JSON.stringify(policy), enabled],
  );
}

const ticks = async () =>
  (await api.pool.query('SELECT outcome, reason FROM schedule_ticks ORDER BY scheduled_for')).rows;

async function pausedTicks(): Promise<number> {
  const { values } = await api.metrics.ticks.get();
  return values.find(({ labels }) => labels.outcome === 'paused')?.value ?? 0;
}

test('a schedule is paused and unpaused with the reason; a definition without one asks nothing of Temporal', async () => {
  await pause('for now');
  await resume();
  expect(schedules.asked).toEqual([]);
  await addSchedule(id);
  await pause('for now');
  await resume({ reason: 'all is well' });
  expect(schedules.asked).toEqual([
    'pause by-hand: activity-core: paused: for now',
    'unpause by-hand: activity-core: resumed: all is well',
  ]);
});

test('a schedule that somebody paused by hand in Temporal is unpaused by a resume', async () => {
  await addSchedule(id);
  expect((await resume()).body).toMatchObject({ was_paused: false });
  const described = {
    ...{ applied: {}, is_ours: true, paused: true, note: 'by hand', updated_at: new Date(0).toISOString() },
    ...{ next_action_times: [], started: [], running: [], buffered: 0 },
  };
  const describe = vi.spyOn(schedules, 'describe').mockResolvedValue(described);
  schedules.asked.length = 0;
  expect((await resume()).body).toMatchObject({ was_paused: true });
  describe.mockRestore();
  expect(schedules.asked).toEqual(['unpause by-hand: activity-core: resumed: resumed']);
});

test('a schedule stays as it is where the definition is disabled', async () => {
  await addSchedule(id, { enabled: false });
  await pause('for now');
  await resume();
  expect(schedules.asked).toEqual([]);
  expect(await ticks()).toEqual([]);
});

test.each([
  ['the pause ends', () => resume()],
  ['it has another reason', () => pause('second')],
])(
  'a schedule has its ticks recorded before %s: paused, with the reason, from when it began',
  async (_when, change) => {
    await addSchedule(id);
    await api.pool.query(
      "INSERT INTO definition_pauses VALUES ('by-hand', 'first', now() - interval '5 minutes')",
    );
    const before = await pausedTicks();
    expect((await change()).status).toBe(200);
    const { rows } = await api.pool.query(
      `SELECT scheduled_for > now() - interval '5 minutes' AS is_late, outcome, reason
       FROM schedule_ticks ORDER BY scheduled_for`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(10);
    expect(rows.slice(0, 4)).toEqual(
      rows.slice(0, 4).map(() => ({ is_late: false, outcome: null, reason: null })),
    );
    expect(rows.slice(-4)).toEqual(
      rows.slice(-4).map(() => ({ is_late: true, outcome: 'paused', reason: 'first' })),
    );
    expect((await pausedTicks()) - before).toBe(rows.filter(({ outcome }) => outcome === 'paused').length);
  },
);

test('a schedule that Temporal does not answer for leaves everything as it was', async () => {
  await addSchedule(id);
  schedules.isAway = true;
  expect(await pause('for now')).toMatchObject({
    status: 503,
    body: {
      code: 'unavailable',
      detail: expect.stringMatching(/^nothing was recorded: Temporal does not answer: it is away; /),
    },
  });
  expect(await definition()).toMatchObject({ paused: false });
  expect(await ticks()).toEqual([]);

  schedules.isAway = false;
  await pause('for now');
  schedules.isAway = true;
  expect((await resume()).status).toBe(503);
  expect(await definition()).toMatchObject({ paused: true });
});
