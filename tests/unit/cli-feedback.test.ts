/** What `feedback` sends and prints, over an API that answers what a test wants. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { captureCli } from '../setup/captured-cli.ts';

const RUN_ID = '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11';
const feedback = {
  run_id: RUN_ID,
  definition_id: 'nightly',
  definition_hash: '6f0c4a',
  scheduled_for: null,
  verdict: 'useful',
  note: null,
  requested_by: 'cli',
  at: '2026-11-20T01:30:00.5Z',
  state_hub: 'pending',
};

let answer: { status: number; body: unknown };
let asked: { call: string; body: unknown }[];
let apiAddress = '';

const server = createServer(async (request, response) => {
  asked.push({ call: `${request.method} ${request.url}`, body: await json(request) });
  response.writeHead(answer.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer.body));
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  apiAddress = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  answer = { status: 200, body: feedback };
  asked = [];
});

const give = (...options: string[]) => captureCli(['feedback', RUN_ID, ...options], { apiAddress });

test('the verdict and the note are sent, and it is told what becomes of them', async () => {
  const { exitCode, out } = await give('--verdict', 'useful', '--note', 'it was right');
  expect(exitCode).toBe(0);
  expect(asked).toEqual([
    { call: `POST /api/v1/runs/${RUN_ID}/feedback`, body: { verdict: 'useful', note: 'it was right' } },
  ]);
  expect(out.split('\n')).toEqual([
    `Run ${RUN_ID} of nightly was useful: that is on record, and counts from now on.`,
    'State Hub is told of it as progress daily_triage_calibration, as soon as it answers.',
    `All that was said of it: activity-core runs show ${RUN_ID}`,
  ]);
});

test('without State Hub it says that nobody else is told', async () => {
  answer.body = { ...feedback, state_hub: 'not_configured' };
  const { out } = await give('--verdict', 'useful');
  expect(asked[0]?.body).toEqual({ verdict: 'useful' });
  expect(out).toContain('State Hub is not told: STATE_HUB_URL of the service is not set.');
});

test('with --json it is the answer of the API', async () => {
  const { exitCode, out } = await give('--verdict', 'useful', '--json');
  expect(exitCode).toBe(0);
  expect(JSON.parse(out)).toEqual(feedback);
});

test('a run that is running is a no, and a verdict that is none is bad use', async () => {
  answer = { status: 409, body: { code: 'wrong_state', title: 'Conflict', detail: 'the run is running' } };
  expect(await give('--verdict', 'wrong')).toEqual({
    exitCode: 1,
    out: '',
    err: 'error: wrong_state: the run is running',
  });
  for (const [options, told] of [
    [[], "required option '--verdict <verdict>' not specified"],
    [['--verdict', 'approved'], 'Allowed choices are useful, noisy, wrong'],
  ] as const) {
    expect(await give(...options)).toMatchObject({ exitCode: 2, err: expect.stringContaining(told) });
  }
  expect(asked).toHaveLength(1);
});
