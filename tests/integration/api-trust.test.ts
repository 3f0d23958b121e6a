/** `GET /api/v1/trust/{definition_id}` as HTTP; what the verdict is made of is tested where it is made. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import type { Trust } from '../../src/trust/evidence.ts';
import { createTestApi, type TestApi } from '../setup/api.ts';

const URL = '/api/v1/trust/daily-triage';
const RUN_ID = '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11';
const part = (ok: boolean) => ({
  ok,
  detail: ok ? 'it is there' : 'it is gone',
  needed: true,
  unchecked: null,
});
const TRUST: Trust = {
  definition_id: 'daily-triage',
  required: 3,
  trusted: false,
  scheduled: true,
  reason: 'the note is gone',
  clean_streak: 0,
  feedback: { run_id: RUN_ID, verdict: 'noisy', at: '2026-11-20T09:00:00.1Z' },
  ticks: [
    {
      scheduled_for: '2026-11-20T06:00:00Z',
      state: 'dirty',
      run_id: RUN_ID,
      evidence: {
        temporal_history: part(true),
        activity_run: part(true),
        state_hub_progress: part(true),
        working_memory_note: part(false),
      },
      collected_at: '2026-11-20T06:00:09.25Z',
      evidence_hash: 'f'.repeat(64),
      reason: 'the note is gone',
    },
    {
      scheduled_for: '2026-11-19T06:00:00Z',
      state: 'missed',
      run_id: null,
      evidence: {
        temporal_history: part(false),
        activity_run: part(false),
        state_hub_progress: part(false),
        working_memory_note: part(false),
      },
      collected_at: null,
      evidence_hash: null,
      reason: 'no worker took it',
    },
  ],
};

let api: TestApi;
let asked: [string, number][];
beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url, {
    async readTrust(definitionId, required) {
      asked.push([definitionId, required]);
      return definitionId === 'daily-triage' ? { ...TRUST, required } : null;
    },
  });
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(() => {
  asked = [];
});

test('the verdict is answered whole, for three ticks unless another number is asked for', async () => {
  expect(await api.get(URL)).toMatchObject({ status: 200, body: TRUST });
  expect((await api.get(`${URL}?required=100`)).body).toEqual({ ...TRUST, required: 100 });
  expect((await api.get(`${URL}?required=1`)).status).toBe(200);
  expect(asked.map(([, required]) => required)).toEqual([3, 100, 1]);
});

test('a number of ticks that cannot be is refused, and nobody is asked', async () => {
  for (const query of [
    'required=0',
    'required=101',
    'required=-1',
    'required=1.5',
    'required=',
    'required=x',
    'required=3&required=4',
    'requried=3',
  ]) {
    const { status, body } = await api.get(`${URL}?${query}`);
    expect([status, body.code], query).toEqual([400, 'invalid_request']);
    expect(body.violations, query).toHaveLength(1);
  }
  expect(asked).toEqual([]);
});

test('a definition that nobody declared is not found', async () => {
  expect(await api.get('/api/v1/trust/nobody')).toMatchObject({
    status: 404,
    body: { code: 'not_found', detail: 'no definition has the id nobody; a file counts once it is applied' },
  });
});
